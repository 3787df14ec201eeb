//! What is kept for how long (`[store] keep`): of editions that ended long ago the deliveries become counts, which name nobody. The
//! editions themselves, their posts and pages stay, and so does who left.

use super::sql::{Connection, Write};
use super::{Error, Store, time};
use chrono::{DateTime, TimeDelta, Utc};

/// So many deliveries become counts in one transaction: nobody waits long for it.
const PIECE: i64 = 10_000;

/// The edition to compact next: of each digest the newest stays, which people who confirm may be welcomed with.
const NEXT: &str = "SELECT e.id FROM editions e WHERE e.state = 'done' AND e.compacted IS NULL AND e.released < $1 \
     AND EXISTS (SELECT 1 FROM editions n WHERE n.digest = e.digest AND n.number > e.number) ORDER BY e.number LIMIT 1";

impl Store {
    /// Turns the deliveries of editions that were released more than `keep` ago and are at their end into counts; so many editions.
    pub fn compact(&self, keep: TimeDelta, now: DateTime<Utc>) -> Result<u64, Error> {
        let before = (now - keep).timestamp_millis();
        let mut compacted = 0;
        loop {
            let next = self.connection().query_one(NEXT, &[before.into()])?;
            let Some(edition) = next.map(|row| row.text(0)).transpose()? else { return Ok(compacted) };
            while !self.compact_piece(&edition, now)? {}
            compacted += 1;
        }
    }

    /// True where nothing is left of it.
    fn compact_piece(&self, edition: &str, now: DateTime<Utc>) -> Result<bool, Error> {
        self.connection().transaction(Write::Alone, |c| {
            let some = "SELECT d.id FROM deliveries d WHERE d.edition = $1 ORDER BY d.id LIMIT $2";
            let values = [edition.into(), PIECE.into()];
            // It came to its end before that was noted; its first piece, for all of it.
            if c.query_one("SELECT 1 FROM past WHERE edition = $1 LIMIT 1", &[edition.into()])?.is_none() {
                note_past(c, edition)?;
            }
            for table in ["bounces", "attempts"] {
                c.execute(&format!("DELETE FROM {table} WHERE delivery IN ({some})"), &values)?;
            }
            let deleted = c.execute(&format!("DELETE FROM deliveries WHERE id IN ({some})"), &values)?;
            if deleted as i64 == PIECE {
                return Ok(false);
            }
            for table in ["audiences", "variants"] {
                c.execute(&format!("DELETE FROM {table} WHERE edition = $1"), &[edition.into()])?;
            }
            c.execute("UPDATE editions SET compacted = $2 WHERE id = $1", &[edition.into(), now.into()])?;
            Ok(true)
        })
    }
}

/// Notes how the deliveries of an edition ended that is at its end.
pub(super) fn note_past(c: &mut Connection, edition: &str) -> Result<(), Error> {
    let sql = "INSERT INTO past (edition, state, count) \
         SELECT edition, state, COUNT(*) FROM deliveries WHERE edition = $1 GROUP BY edition, state";
    c.execute(sql, &[edition.into()]).map(drop)
}

/// The newest edition whose deliveries are counts, and when it was released, if that was after somebody was there: whether they got it is not
/// known any more.
pub(super) fn compacted_since(
    c: &mut Connection,
    first: DateTime<Utc>,
) -> Result<Option<(String, DateTime<Utc>)>, Error> {
    let sql =
        "SELECT id, released FROM editions WHERE compacted IS NOT NULL AND released >= $1 ORDER BY number DESC LIMIT 1";
    let row = c.query_one(sql, &[first.into()])?;
    row.map(|row| Ok((row.text(0)?, time(row.int(1)?)?))).transpose()
}
