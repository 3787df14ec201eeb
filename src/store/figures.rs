//! What monitoring asks for, in few statements that go along indexes.

use super::letters::letters_waiting;
use super::{Error, Store};
use chrono::{DateTime, Utc};

/// How things stand.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    /// Deliveries that wait or are under way, by state.
    pub waiting: Vec<(String, i64)>,
    /// Of these, letters.
    pub letters: i64,
    /// Editions by state.
    pub editions: Vec<(String, i64)>,
    /// Subscribers by status.
    pub subscribers: Vec<(String, i64)>,
    /// When a run last decided about a digest.
    pub last_decision: Option<DateTime<Utc>>,
}

impl Store {
    /// The figures.
    pub fn figures(&self) -> Result<Figures, Error> {
        let last_decision = self.newest_decision()?;
        let mut c = self.connection();
        let mut by = |sql: &str| -> Result<Vec<(String, i64)>, Error> {
            c.query(sql, &[])?.iter().map(|row| Ok((row.text(0)?, row.int(1)?))).collect()
        };
        let waiting = by(
            "SELECT state, COUNT(*) FROM deliveries WHERE state IN ('queued', 'uncertain') GROUP BY state ORDER BY state",
        )?;
        let editions = by("SELECT state, COUNT(*) FROM editions GROUP BY state ORDER BY state")?;
        let subscribers = by("SELECT status, COUNT(*) FROM subscribers GROUP BY status ORDER BY status")?;
        Ok(Figures { waiting, letters: letters_waiting(&mut c)?, editions, subscribers, last_decision })
    }
}
