//! Identities of posts (P4): what the next run needs to know a post again.

use super::sql::{Row, Write};
use super::{Error, Store, time};
use crate::post::PostId;
use crate::post::identity::{Assigned, Change, Known};
use chrono::{DateTime, NaiveDate, Utc};
use std::collections::HashMap;

const COLUMNS: &str = "id, path, guid, permalink, slug, day, title, language, body_hash, sketch, body_length, fingerprint, updated, atom_updated, gone";

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

    /// Reads what is known, lets `assign` decide, and remembers what changed, as the only one doing so: two runs never give one
    /// post two identities. Posts that are no longer there are marked gone. `assign` may refuse; then nothing is changed.
    pub fn remember_posts<E: From<Error>>(
        &self,
        now: DateTime<Utc>,
        assign: impl FnOnce(&[Known]) -> Result<Vec<(Assigned, DateTime<Utc>)>, E>,
    ) -> Result<Vec<Assigned>, E> {
        self.connection().transaction(Write::Alone, |c| {
            let mut known = Vec::new();
            c.each(&format!("SELECT {COLUMNS} FROM posts ORDER BY id"), &[], |row| {
                known.push(read(&row)?);
                Ok(())
            })?;
            let assigned = assign(&known)?;
            let before: HashMap<&PostId, &Known> = known.iter().map(|k| (&k.id, k)).collect();
            for (Assigned { known: row, change }, published) in &assigned {
                if *change != Change::New && before.get(&row.id) == Some(&row) {
                    continue;
                }
                let sql = "INSERT INTO posts (id, path, guid, permalink, slug, day, title, language, body_hash, sketch, body_length, \
                     fingerprint, updated, atom_updated, gone, published, first_seen) \
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, 0, $15, $16) \
                     ON CONFLICT (id) DO UPDATE SET path = excluded.path, guid = excluded.guid, permalink = excluded.permalink, \
                     slug = excluded.slug, day = excluded.day, title = excluded.title, language = excluded.language, \
                     body_hash = excluded.body_hash, sketch = excluded.sketch, body_length = excluded.body_length, \
                     fingerprint = excluded.fingerprint, updated = excluded.updated, atom_updated = excluded.atom_updated, \
                     published = excluded.published, gone = 0";
                let values = [
                    row.id.0.as_str().into(),
                    row.path.as_str().into(),
                    row.guid.as_ref().into(),
                    row.permalink.as_str().into(),
                    row.slug.as_str().into(),
                    row.day.to_string().into(),
                    row.title.as_str().into(),
                    row.language.as_str().into(),
                    row.body_hash.as_str().into(),
                    row.sketch.as_str().into(),
                    (row.body_length as i64).into(),
                    row.fingerprint.as_str().into(),
                    row.updated.into(),
                    row.atom_updated.into(),
                    (*published).into(),
                    now.into(),
                ];
                c.execute(sql, &values)?;
            }
            let here: std::collections::HashSet<&PostId> = assigned.iter().map(|(a, _)| &a.known.id).collect();
            for vanished in known.iter().filter(|k| !k.gone && !here.contains(&k.id)) {
                c.execute("UPDATE posts SET gone = 1 WHERE id = $1", &[vanished.id.0.as_str().into()])?;
            }
            Ok(assigned.into_iter().map(|(assigned, _)| assigned).collect())
        })
    }
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
        body_hash: row.text(8)?,
        sketch: row.text(9)?,
        body_length: row.int(10)? as usize,
        fingerprint: row.text(11)?,
        updated: time(row.int(12)?)?,
        atom_updated: time(row.int(13)?)?,
        gone: row.int(14)? != 0,
    })
}
