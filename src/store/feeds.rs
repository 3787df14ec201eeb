//! What was published in feeds: what each folder was written from, and the place of each post in the archives (P5).

use super::sql::{Connection, Write};
use super::{Error, Store};
use crate::post::PostId;
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, HashMap};

/// What a folder of feeds was last written from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Written {
    /// The tag, the author…, spelt as it was at first.
    pub name: String,
    /// Of all that its documents follow from.
    pub digest: String,
    /// What tells its files from others.
    pub files: String,
}

impl Store {
    /// What each folder of feeds was last written from.
    pub fn written_feeds(&self) -> Result<BTreeMap<String, Written>, Error> {
        let mut written = BTreeMap::new();
        self.connection().each("SELECT folder, name, digest, files FROM feeds", &[], |row| {
            written.insert(row.text(0)?, Written { name: row.text(1)?, digest: row.text(2)?, files: row.text(3)? });
            Ok(())
        })?;
        Ok(written)
    }

    /// Remembers what folders were written from. A name stays as it was at first.
    pub fn remember_feeds(&self, written: &[(&str, Written)]) -> Result<(), Error> {
        if written.is_empty() {
            return Ok(());
        }
        self.connection().transaction(Write::Shared, |c| {
            for (folder, Written { name, digest, files }) in written {
                let sql = "INSERT INTO feeds (folder, name, digest, files) VALUES ($1, $2, $3, $4) \
                     ON CONFLICT (folder) DO UPDATE SET digest = excluded.digest, files = excluded.files";
                c.execute(sql, &[(*folder).into(), name.into(), digest.into(), files.into()])?;
            }
            Ok(())
        })
    }

    /// How many posts the archive of a feed holds.
    pub fn archived(&self, feed: &str) -> Result<i64, Error> {
        let row = self.connection().query_one("SELECT COUNT(*) FROM archived WHERE feed = $1", &[feed.into()])?;
        row.map_or(Ok(0), |row| row.int(0))
    }

    /// Who stands at each place in the archive of a feed, as its place in `members`, once those that are not yet in it have
    /// got theirs: behind all others, in the order in which they were first seen here; then by date and id, so that a post with
    /// an early date shifts nothing. `None` is one that was withdrawn.
    pub fn archive_posts(&self, feed: &str, members: &[(&PostId, DateTime<Utc>)]) -> Result<Vec<Option<usize>>, Error> {
        let by_id: HashMap<&str, usize> = members.iter().enumerate().map(|(at, (id, _))| (id.0.as_str(), at)).collect();
        let mut c = self.connection();
        let places = in_places(&mut c, feed, &by_id)?;
        if missing(&places, members.len()).is_empty() {
            return Ok(places);
        }
        c.transaction(Write::Alone, |c| {
            // Asked again inside: another run may have been faster.
            let mut places = in_places(c, feed, &by_id)?;
            let mut first_seen = vec![None; members.len()];
            c.each("SELECT id, first_seen FROM posts", &[], |row| {
                if let Some(&at) = by_id.get(row.text(0)?.as_str()) {
                    first_seen[at] = Some(row.int(1)?);
                }
                Ok(())
            })?;
            let mut missing = missing(&places, members.len());
            missing.sort_unstable_by_key(|&at| (first_seen[at], members[at].1, members[at].0));
            for at in missing {
                let sql = "INSERT INTO archived (feed, post, number) VALUES ($1, $2, $3)";
                c.execute(sql, &[feed.into(), members[at].0.0.as_str().into(), (places.len() as i64).into()])?;
                places.push(Some(at));
            }
            Ok(places)
        })
    }
}

fn in_places(c: &mut Connection, feed: &str, by_id: &HashMap<&str, usize>) -> Result<Vec<Option<usize>>, Error> {
    let mut places = Vec::new();
    c.each("SELECT post FROM archived WHERE feed = $1 ORDER BY number", &[feed.into()], |row| {
        places.push(by_id.get(row.text(0)?.as_str()).copied());
        Ok(())
    })?;
    Ok(places)
}

/// The members that have no place.
fn missing(places: &[Option<usize>], members: usize) -> Vec<usize> {
    let mut placed = vec![false; members];
    places.iter().flatten().for_each(|&at| placed[at] = true);
    (0..members).filter(|&at| !placed[at]).collect()
}
