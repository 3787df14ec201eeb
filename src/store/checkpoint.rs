//! A store that is carried from machine to machine, and the intents in it. What a worker has claimed when the store is carried away is
//! that run's checkpoint: nobody who finds it knows what became of it (P2).

use super::sql::Write;
use super::{Error, Store, meta, set_meta};
use chrono::{DateTime, Utc};
use std::path::Path;

/// The note of the run that has the store: until when it says so, and its id.
const TENURE: &str = "tenure";
/// Deliveries that are claimed and not at their end.
const CLAIMED: &str = "worker IS NOT NULL AND state IN ('queued', 'uncertain', 'sending')";
/// What the story of such a delivery says.
const SAID: &str = "the run that was to send it did not say what became of it";

/// Who has the store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tenure {
    /// Which run.
    pub run: String,
    /// Until then it is not to be disturbed.
    pub until: DateTime<Utc>,
}

impl Store {
    /// Who has it; none where nobody does.
    pub fn tenure(&self) -> Result<Option<Tenure>, Error> {
        let note = meta(&mut self.connection(), TENURE)?.unwrap_or_default();
        let Some((until, run)) = note.split_once(' ') else { return Ok(None) };
        let until = until.parse().ok().and_then(DateTime::from_timestamp_millis);
        let until = until.ok_or_else(|| Error::Corrupt(format!("its note of who has it is {note:?}")))?;
        Ok(Some(Tenure { run: run.to_owned(), until }))
    }

    /// Writes down who has it, or that nobody does.
    pub fn set_tenure(&self, tenure: Option<&Tenure>) -> Result<(), Error> {
        let note = tenure.map_or(String::new(), |of| format!("{} {}", of.until.timestamp_millis(), of.run));
        set_meta(&mut self.connection(), TENURE, &note)
    }

    /// How many deliveries are claimed and not at their end: the checkpoint, if the store were carried away now.
    pub fn claimed(&self) -> Result<i64, Error> {
        let sql = format!("SELECT COUNT(*) FROM deliveries WHERE {CLAIMED}");
        self.connection().query_one(&sql, &[])?.map_or(Ok(0), |row| row.int(0))
    }

    /// Holds the checkpoint of a run that is gone: each of it may have been sent or not, and counts as tried. How many.
    pub fn hold_checkpoint(&self, now: DateTime<Utc>) -> Result<u64, Error> {
        self.connection().transaction(Write::Alone, |c| {
            // Not begun as far as this store knows: begun, perhaps, as far as the world does.
            let sql = format!(
                "INSERT INTO attempts (delivery, number, began, lane) SELECT id, attempts + 1, $1, NULLIF(lane, '') \
                 FROM deliveries WHERE {CLAIMED} AND state <> 'sending'"
            );
            c.execute(&sql, &[now.into()])?;
            let sql = format!(
                "UPDATE deliveries SET attempts = attempts + 1, first_at = COALESCE(first_at, $1), last_at = $1, state = 'sending' \
                 WHERE {CLAIMED} AND state <> 'sending'"
            );
            c.execute(&sql, &[now.into()])?;
            let sql = format!(
                "UPDATE attempts SET ended = $1, outcome = 'unknown', text = $2 WHERE ended IS NULL \
                 AND delivery IN (SELECT id FROM deliveries WHERE {CLAIMED})"
            );
            c.execute(&sql, &[now.into(), SAID.into()])?;
            let sql = format!("UPDATE deliveries SET state = 'held', worker = NULL, lease = NULL WHERE {CLAIMED}");
            c.execute(&sql, &[])
        })
    }

    /// Writes all of it into a new file, as small as it can be, while others go on working with it.
    pub fn pack(&self, to: &Path) -> Result<(), Error> {
        let to = to.to_str().ok_or_else(|| Error::Unavailable(format!("{} is not in UTF-8", to.display())))?;
        self.connection().execute("VACUUM INTO $1", &[to.into()]).map(drop)
    }
}
