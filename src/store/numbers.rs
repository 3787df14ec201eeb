//! Editions counted and listed, for people.

use super::editions::{READS, pattern};
use super::sql::{Connection, Row, Value};
use super::{Error, Store, lock, time};
use crate::report::{Counts, Not};
use chrono::{DateTime, Utc};

/// An edition and what became of its deliveries. The counts are disjoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edition {
    /// Its id.
    pub id: String,
    /// The digest.
    pub digest: String,
    /// waiting, open, held, done, cancelled.
    pub state: String,
    /// Its subject.
    pub subject: String,
    /// Its posts, in order.
    pub posts: Vec<String>,
    /// How many of each kind.
    pub counts: Counts,
}

/// A delivery that `status` lists by address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The edition.
    pub edition: String,
    /// Whom: in full, since the author asks for it.
    pub address: String,
    /// When it was last tried.
    pub at: Option<DateTime<Utc>>,
}

/// A digest's last decisions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastSlot {
    /// Which.
    pub slot: DateTime<Utc>,
    /// `frozen`, or why it passed.
    pub reason: String,
}

impl Store {
    /// The latest `each` editions of every digest, and all that are not at an end; newest first.
    pub fn editions(&self, each: usize) -> Result<Vec<Edition>, Error> {
        let mut c = self.connection();
        let sql = "SELECT e.id, e.digest, e.state, e.subject FROM editions e WHERE e.state IN ('waiting', 'open', 'held') OR \
             (SELECT COUNT(*) FROM editions n WHERE n.digest = e.digest AND n.number > e.number) < $1 ORDER BY e.number DESC";
        let rows = c.query(sql, &[(each as i64).into()])?;
        let dead = dead(&mut c, self.place().file())?;
        rows.iter().map(|row| edition(&mut c, row, &dead)).collect()
    }

    /// The editions of these ids, in their order; those that are not there are left out.
    pub fn editions_named<'a>(&self, ids: impl Iterator<Item = &'a str>) -> Result<Vec<Edition>, Error> {
        let mut c = self.connection();
        let dead = dead(&mut c, self.place().file())?;
        let mut editions = Vec::new();
        for id in ids {
            let sql = "SELECT e.id, e.digest, e.state, e.subject FROM editions e WHERE e.id = $1";
            if let Some(row) = c.query_one(sql, &[id.into()])? {
                editions.push(edition(&mut c, &row, &dead)?);
            }
        }
        Ok(editions)
    }

    /// The ids of the editions that are not at an end, newest first.
    pub fn unfinished(&self) -> Result<Vec<String>, Error> {
        let sql = "SELECT id FROM editions WHERE state IN ('waiting', 'open', 'held') ORDER BY number DESC";
        self.connection().query(sql, &[])?.iter().map(|row| row.text(0)).collect()
    }

    /// Deliveries in doubt: those that wait to be resent, and those that a dead process was sending.
    pub fn uncertain(&self) -> Result<Vec<Named>, Error> {
        let mut c = self.connection();
        let mut named = list(&mut c, "state = 'uncertain'", &[])?;
        for worker in dead(&mut c, self.place().file())? {
            named.extend(list(&mut c, "state = 'sending' AND worker = $1", &[worker.into()])?);
        }
        Ok(named)
    }

    /// Deliveries that were sent again in doubt.
    pub fn resent(&self) -> Result<Vec<Named>, Error> {
        list(&mut self.connection(), "resends > 0", &[])
    }

    /// Deliveries in doubt that wait for a person.
    pub fn held(&self) -> Result<Vec<Named>, Error> {
        list(&mut self.connection(), "state = 'held'", &[])
    }

    /// Editions of which deliveries went to an outbox and nowhere else, and how many.
    pub fn only_in_outbox(&self) -> Result<Vec<(String, i64)>, Error> {
        let sql = "SELECT edition, COUNT(*) FROM deliveries WHERE state = 'accepted' AND transport LIKE 'outbox%' GROUP BY edition ORDER BY edition";
        self.connection().query(sql, &[])?.iter().map(|row| Ok((row.text(0)?, row.int(1)?))).collect()
    }

    /// How many who chose a digest do not get that edition, and why.
    pub fn not_readers(&self, edition: &str, digest: &str, default: bool) -> Result<Not, Error> {
        let sql = format!(
            "SELECT CASE WHEN EXISTS (SELECT 1 FROM suppressions p WHERE p.hash = s.hash) THEN 'suppressed' ELSE s.status END AS why, COUNT(*) \
             FROM subscribers s WHERE {READS} GROUP BY 1"
        );
        let mut not = Not { no_posts: self.readers_left_out(edition, digest, default)?, ..Not::default() };
        for row in self.connection().query(&sql, &[pattern(digest).into(), i64::from(default).into()])? {
            match row.text(0)?.as_str() {
                "suppressed" => not.suppressed = row.int(1)?,
                "unsubscribed" | "absent" => not.unsubscribed += row.int(1)?,
                "pending" => not.pending = row.int(1)?,
                "paused" => not.paused = row.int(1)?,
                _ => {}
            }
        }
        Ok(not)
    }

    /// How many readers' topics leave nothing of an edition.
    fn readers_left_out(&self, edition: &str, digest: &str, default: bool) -> Result<i64, Error> {
        let sql = format!(
            "SELECT COUNT(*) FROM subscribers s WHERE s.status = 'active' AND {READS} \
             AND s.topics IN (SELECT a.topics FROM audiences a WHERE a.edition = $3 AND a.variant IS NULL) \
             AND NOT EXISTS (SELECT 1 FROM suppressions p WHERE p.hash = s.hash)"
        );
        let values = [pattern(digest).into(), i64::from(default).into(), edition.into()];
        self.connection().query_one(&sql, &values)?.map_or(Ok(0), |row| row.int(0))
    }

    /// The last slot that was decided of a digest.
    pub fn last_slot(&self, digest: &str) -> Result<Option<LastSlot>, Error> {
        let sql = "SELECT slot, reason FROM slots WHERE digest = $1 ORDER BY slot DESC LIMIT 1";
        let row = self.connection().query_one(sql, &[digest.into()])?;
        row.map(|row| Ok(LastSlot { slot: time(row.int(0)?)?, reason: row.text(1)? })).transpose()
    }

    /// How many deliveries wait for their turn, and when the next is due.
    pub fn waiting(&self) -> Result<(i64, Option<DateTime<Utc>>), Error> {
        let sql = "SELECT COUNT(*), MIN(d.due) FROM deliveries d JOIN editions e ON e.id = d.edition \
             WHERE d.state IN ('queued', 'uncertain', 'sending') AND e.state = 'open'";
        match self.connection().query_one(sql, &[])? {
            Some(row) => Ok((row.int(0)?, row.maybe_int(1)?.map(time).transpose()?)),
            None => Ok((0, None)),
        }
    }
}

/// Workers that still have a row to their name but no life.
fn dead(c: &mut Connection, beside: Option<&std::path::Path>) -> Result<Vec<String>, Error> {
    let mut dead = Vec::new();
    for row in c.query("SELECT DISTINCT worker FROM deliveries WHERE worker IS NOT NULL AND state = 'sending'", &[])? {
        let worker = row.text(0)?;
        if lock::is_dead(c, beside, &worker)? {
            dead.push(worker);
        }
    }
    Ok(dead)
}

fn edition(c: &mut Connection, row: &Row, dead: &[String]) -> Result<Edition, Error> {
    let id = row.text(0)?;
    let posts = c.query("SELECT post FROM digest_posts WHERE edition = $1 ORDER BY position", &[id.as_str().into()])?;
    Ok(Edition {
        digest: row.text(1)?,
        state: row.text(2)?,
        subject: row.text(3)?,
        posts: posts.iter().map(|post| post.text(0)).collect::<Result<_, _>>()?,
        counts: count(c, &id, dead)?,
        id,
    })
}

fn count(c: &mut Connection, edition: &str, dead: &[String]) -> Result<Counts, Error> {
    let mut counts = Counts::default();
    let sql = "SELECT state, CASE WHEN attempts > 0 THEN 1 ELSE 0 END, CASE WHEN state = 'sending' THEN worker END, COUNT(*) \
         FROM deliveries WHERE edition = $1 GROUP BY 1, 2, 3";
    c.each(sql, &[edition.into()], |row| {
        let tried = row.int(1)? > 0;
        let in_doubt = row.maybe_text(2)?.is_some_and(|worker| dead.contains(&worker));
        let place = match row.text(0)?.as_str() {
            "accepted" => &mut counts.accepted,
            "refused" => &mut counts.refused,
            "held" => &mut counts.held,
            "cancelled" => &mut counts.cancelled,
            "uncertain" => &mut counts.uncertain,
            "sending" if in_doubt => &mut counts.uncertain,
            "queued" if tried => &mut counts.deferred,
            _ => &mut counts.queued,
        };
        *place += row.int(3)?;
        Ok(())
    })?;
    Ok(counts)
}

fn list(c: &mut Connection, which: &str, values: &[Value]) -> Result<Vec<Named>, Error> {
    let sql = format!(
        "SELECT edition, address, last_at FROM deliveries WHERE {which} ORDER BY last_at DESC, address LIMIT 1000"
    );
    let read = |row: &Row| {
        Ok(Named { edition: row.text(0)?, address: row.text(1)?, at: row.maybe_int(2)?.map(time).transpose()? })
    };
    c.query(&sql, values)?.iter().map(read).collect()
}
