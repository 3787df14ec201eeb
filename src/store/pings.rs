//! What a WebSub hub knows of each feed.

use super::sql::Write;
use super::{Error, Store, time};
use chrono::{DateTime, Utc};
use std::collections::HashMap;

/// What the hub knows of one feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ping {
    /// A hash of the bytes that it was last told of; empty where it was told of none.
    pub told: String,
    /// Of those that it is to be told of; empty where there are none.
    pub waiting: String,
    /// Since when.
    pub since: DateTime<Utc>,
    /// How often it did not listen.
    pub tries: i64,
    /// After a try in vain, not before this.
    pub next: DateTime<Utc>,
}

impl Store {
    /// What the hub knows, by the feeds' URLs.
    pub fn pings(&self) -> Result<HashMap<String, Ping>, Error> {
        let mut found = HashMap::new();
        self.connection().each("SELECT feed, told, waiting, since, tries, next FROM pings", &[], |row| {
            let (since, next) = (time(row.int(3)?)?, time(row.int(5)?)?);
            let ping = Ping { told: row.text(1)?, waiting: row.text(2)?, since, tries: row.int(4)?, next };
            found.insert(row.text(0)?, ping);
            Ok(())
        })?;
        Ok(found)
    }

    /// Remembers what changed of that.
    pub fn remember_pings(&self, pings: &[(String, Ping)]) -> Result<(), Error> {
        if pings.is_empty() {
            return Ok(());
        }
        const SQL: &str = "INSERT INTO pings (feed, told, waiting, since, tries, next) VALUES ($1, $2, $3, $4, $5, $6) \
            ON CONFLICT (feed) DO UPDATE SET told = excluded.told, waiting = excluded.waiting, since = excluded.since, \
            tries = excluded.tries, next = excluded.next";
        self.connection().transaction(Write::Shared, |c| {
            for (feed, ping) in pings {
                let (since, next) = (ping.since.timestamp_millis(), ping.next.timestamp_millis());
                let values = [
                    feed.as_str().into(),
                    ping.told.as_str().into(),
                    ping.waiting.as_str().into(),
                    since.into(),
                    ping.tries.into(),
                    next.into(),
                ];
                c.execute(SQL, &values)?;
            }
            Ok(())
        })
    }
}
