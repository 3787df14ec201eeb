//! Identities of posts (P4): what the next run needs to know a post again.

use super::sql::{Connection, Row, Value, Write};
use super::{Error, Store, time};
use crate::post::PostId;
use crate::post::identity::{Assigned, Body, Known};
use chrono::{DateTime, NaiveDate, Utc};
use std::collections::HashMap;
use std::sync::Arc;

/// In the order of [`read`] and [`values`].
const COLUMNS: &str = "id, path, guid, permalink, slug, day, title, language, body_hash, sketch, body_length, fingerprint, \
     updated, atom_updated, published, stamp, facts, gone";

impl Store {
    /// When each post was first seen.
    pub fn first_seen(&self) -> Result<HashMap<PostId, DateTime<Utc>>, Error> {
        let mut seen = HashMap::new();
        self.connection().each("SELECT id, first_seen FROM posts", &[], |row| {
            seen.insert(PostId(row.text(0)?), time(row.int(1)?)?);
            Ok(())
        })?;
        Ok(seen)
    }

    /// The newest date of any post ever seen; None where the store has seen none.
    pub fn newest_post(&self) -> Result<Option<DateTime<Utc>>, Error> {
        let row = self.connection().query_one("SELECT MAX(published) FROM posts", &[])?;
        row.and_then(|r| r.maybe_int(0).transpose()).transpose()?.map(time).transpose()
    }

    /// What is remembered of each post, by id.
    pub fn known_posts(&self) -> Result<Vec<Arc<Known>>, Error> {
        known(&mut self.connection())
    }

    /// Lets `assign` decide on what is known, and remembers what changed, as the only one doing so: two runs never give one
    /// post two identities. `seen` is what was known a moment ago, on which it decides first; where it then says what is
    /// remembered already, nothing is written. Posts that are no longer there are marked gone. `assign` may refuse; then
    /// nothing is changed.
    pub fn remember_posts<E: From<Error>>(
        &self,
        now: DateTime<Utc>,
        seen: &[Arc<Known>],
        assign: impl Fn(&[Arc<Known>]) -> Result<Vec<Assigned>, E>,
    ) -> Result<Vec<Assigned>, E> {
        let assigned = assign(seen)?;
        let changes = Changes::of(seen, &assigned);
        if changes.rows.is_empty() && changes.vanished.is_empty() {
            return Ok(assigned);
        }
        let later = self.connection().transaction(Write::Alone, |c| {
            let known = known(c)?;
            if known == seen {
                changes.write(c, now)?;
                return Ok::<_, E>(None);
            }
            // Another run was faster: we go on from what it knows.
            let assigned = assign(&known)?;
            Changes::of(&known, &assigned).write(c, now)?;
            Ok(Some(assigned))
        })?;
        Ok(later.unwrap_or(assigned))
    }
}

/// What is to be written.
struct Changes<'a> {
    rows: Vec<&'a Known>,
    vanished: Vec<&'a PostId>,
}

impl<'a> Changes<'a> {
    fn of(known: &'a [Arc<Known>], assigned: &'a [Assigned]) -> Self {
        let here: HashMap<&PostId, &Arc<Known>> = assigned.iter().map(|a| (&a.known.id, &a.known)).collect();
        let before: HashMap<&PostId, &Arc<Known>> = known.iter().map(|row| (&row.id, row)).collect();
        let rows = assigned.iter().map(|assigned| &assigned.known);
        // Mostly it is the very row.
        let is_kept = |row: &Arc<Known>| before.get(&row.id).is_some_and(|kept| Arc::ptr_eq(kept, row) || *kept == row);
        let rows: Vec<&Known> = rows.filter(|row| !is_kept(row)).map(|row| &**row).collect();
        let vanished = known.iter().filter(|row| !row.gone && !here.contains_key(&row.id)).map(|row| &row.id);
        Changes { rows, vanished: vanished.collect() }
    }

    fn write(&self, c: &mut Connection, now: DateTime<Utc>) -> Result<(), Error> {
        let sql = format!(
            "INSERT INTO posts ({COLUMNS}, first_seen) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, 0, $18) \
             ON CONFLICT (id) DO UPDATE SET path = excluded.path, guid = excluded.guid, permalink = excluded.permalink, \
             slug = excluded.slug, day = excluded.day, title = excluded.title, language = excluded.language, \
             body_hash = excluded.body_hash, sketch = excluded.sketch, body_length = excluded.body_length, \
             fingerprint = excluded.fingerprint, updated = excluded.updated, atom_updated = excluded.atom_updated, \
             published = excluded.published, stamp = excluded.stamp, facts = excluded.facts, gone = 0"
        );
        for row in &self.rows {
            c.execute(&sql, &values(row, now))?;
        }
        for id in &self.vanished {
            c.execute("UPDATE posts SET gone = 1 WHERE id = $1", &[id.0.as_str().into()])?;
        }
        Ok(())
    }
}

fn known(c: &mut Connection) -> Result<Vec<Arc<Known>>, Error> {
    let mut known = Vec::new();
    c.each(&format!("SELECT {COLUMNS} FROM posts ORDER BY id"), &[], |row| {
        known.push(Arc::new(read(&row)?));
        Ok(())
    })?;
    Ok(known)
}

fn values(row: &Known, now: DateTime<Utc>) -> [Value; 18] {
    [
        row.id.0.as_str().into(),
        row.path.as_str().into(),
        row.guid.as_ref().into(),
        row.permalink.as_str().into(),
        row.slug.as_str().into(),
        row.day.to_string().into(),
        row.title.as_str().into(),
        row.language.as_str().into(),
        (&*row.body.hash).into(),
        (&*row.body.sketch).into(),
        (row.body.length as i64).into(),
        row.fingerprint.as_str().into(),
        row.updated.into(),
        row.atom_updated.into(),
        row.published.into(),
        row.stamp.as_ref().into(),
        row.facts.as_str().into(),
        now.into(),
    ]
}

fn read(row: &Row) -> Result<Known, Error> {
    let day = row.text(5)?;
    Ok(Known {
        id: PostId(row.text(0)?),
        path: row.text(1)?,
        guid: row.maybe_text(2)?,
        permalink: row.text(3)?,
        slug: row.text(4)?,
        day: day.parse::<NaiveDate>().map_err(|_| Error::Corrupt(format!("{day:?} is not a day")))?,
        title: row.text(6)?,
        language: row.text(7)?,
        body: Body { hash: row.text(8)?.into(), sketch: row.text(9)?.into(), length: row.int(10)? as usize },
        fingerprint: row.text(11)?,
        updated: time(row.int(12)?)?,
        atom_updated: time(row.int(13)?)?,
        published: time(row.int(14)?)?,
        stamp: row.maybe_text(15)?,
        facts: row.text(16)?,
        gone: row.int(17)? != 0,
    })
}
