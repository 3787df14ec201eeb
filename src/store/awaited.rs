//! Editions that wait for their posts to be on the site, and what was heard of those (P3: whoever is subscribed when an edition is
//! released gets it).

use super::editions::release;
use super::sql::{Connection, Write};
use super::{Error, Store, time};
use chrono::{DateTime, Utc};

/// An edition that is not released before its posts answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waiting {
    /// Its id.
    pub edition: String,
    /// Its digest.
    pub digest: String,
    /// The slot that it answers; None for a mail per post.
    pub slot: Option<DateTime<Utc>>,
    /// Since when nothing else keeps it; None where a person has still to approve it.
    pub approved: Option<DateTime<Utc>>,
    /// The addresses that must answer.
    pub urls: Vec<String>,
    /// Whether one of its posts has another address by now, which the mail does not have.
    pub moved: bool,
}

impl Store {
    /// All of them, oldest first.
    pub fn awaiting(&self) -> Result<Vec<Waiting>, Error> {
        let sql = "SELECT e.id, e.digest, e.slot, e.approved, a.url, (SELECT COUNT(*) FROM digest_posts d \
             JOIN posts p ON p.id = d.post WHERE d.edition = e.id AND p.gone = 0 AND NOT EXISTS \
             (SELECT 1 FROM awaited o WHERE o.edition = e.id AND o.url = p.permalink)) \
             FROM awaited a JOIN editions e ON e.id = a.edition WHERE e.state = 'waiting' ORDER BY e.number, a.position";
        let mut all: Vec<Waiting> = Vec::new();
        self.connection().each(sql, &[], |row| {
            let (edition, url) = (row.text(0)?, row.text(4)?);
            match all.last_mut().filter(|last| last.edition == edition) {
                Some(last) => last.urls.push(url),
                None => all.push(Waiting {
                    edition,
                    digest: row.text(1)?,
                    slot: row.maybe_int(2)?.map(time).transpose()?,
                    approved: row.maybe_int(3)?.map(time).transpose()?,
                    urls: vec![url],
                    moved: row.int(5)? > 0,
                }),
            }
            Ok(())
        })?;
        Ok(all)
    }

    /// Remembers what was heard of an edition's addresses: why each did not answer, or nothing.
    pub fn heard(&self, edition: &str, answers: &[(&str, &str)]) -> Result<(), Error> {
        self.connection().transaction(Write::Shared, |c| {
            for (url, said) in answers {
                let sql = "UPDATE awaited SET said = $3 WHERE edition = $1 AND url = $2";
                c.execute(sql, &[edition.into(), (*url).into(), (*said).into()])?;
            }
            Ok(())
        })
    }

    /// Releases an edition whose posts answer, to those who are subscribed now; so many. None where a person has still to approve
    /// it, or somebody was faster.
    pub fn release_live(&self, edition: &str, default: bool, now: DateTime<Utc>) -> Result<Option<u64>, Error> {
        self.for_many()?.transaction(Write::Alone, |c| {
            let sql = "SELECT id FROM editions WHERE id = $1 AND state = 'waiting' AND approved IS NOT NULL";
            match c.query_one(sql, &[edition.into()])? {
                Some(_) => release(c, edition, default, now).map(Some),
                None => Ok(None),
            }
        })
    }

    /// Withdraws an edition that waits. Nobody got it, so its posts are new to the digest again. False where somebody was faster.
    pub fn give_up(&self, edition: &str) -> Result<bool, Error> {
        self.connection().transaction(Write::Alone, |c| {
            let sql = "UPDATE editions SET state = 'cancelled', post = NULL WHERE id = $1 AND state = 'waiting'";
            if c.execute(sql, &[edition.into()])? == 0 {
                return Ok(false);
            }
            c.execute("DELETE FROM digest_posts WHERE edition = $1", &[edition.into()])?;
            Ok(true)
        })
    }
}

/// Writes down what must answer before an edition is released.
pub(super) fn await_posts(c: &mut Connection, edition: &str, urls: &[String]) -> Result<(), Error> {
    for (at, url) in urls.iter().enumerate() {
        let sql = "INSERT INTO awaited (edition, position, url, said) VALUES ($1, $2, $3, NULL)";
        c.execute(sql, &[edition.into(), (at as i64).into(), url.as_str().into()])?;
    }
    Ok(())
}

/// Whether an edition waits for posts.
pub(super) fn awaits_posts(c: &mut Connection, edition: &str) -> Result<bool, Error> {
    Ok(c.query_one("SELECT edition FROM awaited WHERE edition = $1 LIMIT 1", &[edition.into()])?.is_some())
}

/// What a waiting edition lacks: the addresses that did not answer, each with what was heard.
pub(super) fn lacks(c: &mut Connection, edition: &str) -> Result<Vec<(String, Option<String>)>, Error> {
    let sql = "SELECT url, said FROM awaited WHERE edition = $1 AND (said IS NULL OR said <> '') ORDER BY position";
    c.query(sql, &[edition.into()])?.iter().map(|row| Ok((row.text(0)?, row.maybe_text(1)?))).collect()
}
