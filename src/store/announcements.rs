//! What is to be told to a program of the author's (`[hooks]`): written down with what happened, in the same transaction, and gone
//! once it was heard. Who never asked for it has none.

use super::numbers::Edition;
use super::sql::{Connection, Write};
use super::{Error, Store, meta, set_meta, time};
use crate::address::EmailAddress;
use crate::random::Random;
use chrono::{DateTime, TimeDelta, Utc};
use serde_json::{Value, json};

/// The note: since when somebody wants to be told. Nothing that was before is news.
const SINCE: &str = "announces";
/// What nobody heard for so long is told no more.
const PATIENCE: TimeDelta = TimeDelta::days(3);

/// Something to be told.
#[derive(Clone, Debug, PartialEq)]
pub struct Announcement {
    /// The same at each try: who heard it before knows it again.
    pub id: String,
    /// When it happened.
    pub at: DateTime<Utc>,
    /// `edition.done`, `subscriber.confirmed` …
    pub kind: String,
    /// What it is about.
    pub data: Value,
    /// How often it was not heard.
    pub tries: u32,
}

impl Store {
    /// From now on somebody wants to be told, or nobody does.
    pub fn announce(&self, wanted: bool, now: DateTime<Utc>) -> Result<(), Error> {
        self.connection().transaction(Write::Alone, |c| match (wanted, meta(c, SINCE)?) {
            (true, None) => set_meta(c, SINCE, &now.timestamp_millis().to_string()),
            (false, Some(_)) => {
                c.execute("DELETE FROM announcements", &[])?;
                c.execute("DELETE FROM announced", &[])?;
                c.execute("DELETE FROM meta WHERE key = $1", &[SINCE.into()]).map(drop)
            }
            _ => Ok(()),
        })
    }

    /// Writes down what became of editions since it was last asked.
    pub fn announce_editions(&self, random: &Random, now: DateTime<Utc>) -> Result<(), Error> {
        let news = {
            let mut c = self.connection();
            let Some(since) = since(&mut c)? else { return Ok(()) };
            let sql = "SELECT e.id FROM editions e LEFT JOIN announced a ON a.edition = e.id \
                 WHERE (a.state IS NULL OR a.state <> e.state) AND e.frozen >= $1 ORDER BY e.number";
            let rows = c.query(sql, &[since.into()])?;
            rows.iter().map(|row| row.text(0)).collect::<Result<Vec<_>, _>>()?
        };
        for edition in self.editions_named(news.iter().map(String::as_str))? {
            self.connection().transaction(Write::Alone, |c| {
                let sql = "INSERT INTO announced (edition, state) VALUES ($1, $2) \
                     ON CONFLICT (edition) DO UPDATE SET state = excluded.state WHERE announced.state <> excluded.state";
                if c.execute(sql, &[edition.id.as_str().into(), edition.state.as_str().into()])? > 0 {
                    write(c, &format!("edition.{}", edition.state), &about(&edition), random, now)?;
                }
                Ok::<_, Error>(())
            })?;
        }
        Ok(())
    }

    /// What is to be told now, oldest first; what nobody heard for three days is given up, and counted.
    pub fn announcements_due(&self, limit: usize, now: DateTime<Utc>) -> Result<(Vec<Announcement>, u64), Error> {
        let mut c = self.connection();
        let given_up = c.execute("DELETE FROM announcements WHERE at < $1", &[(now - PATIENCE).into()])?;
        let sql = "SELECT id, at, kind, data, tries FROM announcements WHERE next <= $1 ORDER BY next, at, id LIMIT $2";
        let rows = c.query(sql, &[now.into(), (limit as i64).into()])?;
        let read = |row: &super::sql::Row| {
            Ok(Announcement {
                id: row.text(0)?,
                at: time(row.int(1)?)?,
                kind: row.text(2)?,
                data: serde_json::from_str(&row.text(3)?).unwrap_or(Value::Null),
                tries: u32::try_from(row.int(4)?).unwrap_or(u32::MAX),
            })
        };
        Ok((rows.iter().map(read).collect::<Result<_, Error>>()?, given_up))
    }

    /// It was heard.
    pub fn heard_of(&self, id: &str) -> Result<(), Error> {
        self.connection().execute("DELETE FROM announcements WHERE id = $1", &[id.into()]).map(drop)
    }

    /// It was not heard: it is told again, no sooner than then.
    pub fn unheard(&self, id: &str, next: DateTime<Utc>) -> Result<(), Error> {
        let sql = "UPDATE announcements SET tries = tries + 1, next = $2 WHERE id = $1";
        self.connection().execute(sql, &[id.into(), next.into()]).map(drop)
    }
}

/// Writes down that something happened to a person, where somebody wants to be told. Their address is masked: the id leads to it.
pub(super) fn announce_person(
    c: &mut Connection,
    kind: &str,
    subscriber: &str,
    random: &Random,
    now: DateTime<Utc>,
) -> Result<(), Error> {
    if since(c)?.is_none() {
        return Ok(());
    }
    let row = c.query_one("SELECT address FROM subscribers WHERE id = $1", &[subscriber.into()])?;
    let address = row.map(|row| row.text(0)).transpose()?.and_then(|address| address.parse::<EmailAddress>().ok());
    let data = json!({ "subscriber": subscriber, "address": address.map(|address| address.masked()) });
    write(c, &format!("subscriber.{kind}"), &data, random, now)
}

fn write(c: &mut Connection, kind: &str, data: &Value, random: &Random, now: DateTime<Utc>) -> Result<(), Error> {
    let sql = "INSERT INTO announcements (id, at, kind, data, tries, next) VALUES ($1, $2, $3, $4, 0, $2)";
    c.execute(sql, &[random.id().into(), now.into(), kind.into(), data.to_string().into()]).map(drop)
}

fn since(c: &mut Connection) -> Result<Option<i64>, Error> {
    Ok(meta(c, SINCE)?.and_then(|since| since.parse().ok()))
}

fn about(edition: &Edition) -> Value {
    let mut about =
        json!({ "edition": edition.id, "digest": edition.digest, "state": edition.state, "subject": edition.subject });
    about["recipients"] = edition.counts.recipients().into();
    if let (Value::Object(about), Ok(Value::Object(counts))) = (&mut about, serde_json::to_value(edition.counts)) {
        about.extend(counts);
    }
    about
}
