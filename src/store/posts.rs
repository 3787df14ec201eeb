//! Identities of posts (P4): what the next run needs to know a post again.

use super::sql::{Connection, Row, Value, Write};
use super::{Error, Store, time};
use crate::post::identity::{Assigned, Body, Change, Extent, Known, Sketch};
use crate::post::{Person, Post, PostId, Stamp, kept};
use chrono::{DateTime, NaiveDate, Utc};
use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;
use url::Url;

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

    /// What is remembered of each post, by id; without the sketches of bodies, which mostly nobody asks for.
    pub fn known_posts(&self) -> Result<Vec<Arc<Known>>, Error> {
        known(&mut self.connection(), Sketches::Left)
    }

    /// Lets `assign` decide on what is known, and remembers what changed, as the only one doing so: two runs never give one
    /// post two identities. `seen` is what [`Store::known_posts`] said a moment ago, on which it decides first; where it then
    /// says what is remembered already, nothing is written. Posts that are no longer there are marked gone. `assign` may
    /// refuse; then nothing is changed.
    pub fn remember_posts<E: From<Error>>(
        &self,
        now: DateTime<Utc>,
        seen: &[Arc<Known>],
        assign: impl Fn(&[Arc<Known>]) -> Result<Vec<Assigned>, E>,
    ) -> Result<Vec<Assigned>, E> {
        let assigned = match assign(seen) {
            Ok(assigned) => assigned,
            // What looked new may be told by its sketch.
            Err(_) if seen.iter().any(|row| row.post.body.sketch.is_none()) => {
                return self.connection().transaction(Write::Alone, |c| {
                    let known = known(c, Sketches::Read)?;
                    let assigned = assign(&known)?;
                    Changes::of(&known, &assigned).write(c, now)?;
                    Ok(assigned)
                });
            }
            Err(refused) => return Err(refused),
        };
        let changes = Changes::of(seen, &assigned);
        if changes.rows.is_empty() && changes.vanished.is_empty() {
            return Ok(assigned);
        }
        let later = self.connection().transaction(Write::Alone, |c| {
            // What looks new may be one that vanished, now or long ago, which its sketch tells.
            let away = !changes.vanished.is_empty() || seen.iter().any(|row| row.gone);
            let sketches = match away && assigned.iter().any(|assigned| assigned.change == Change::New) {
                true => Sketches::Read,
                false => Sketches::Left,
            };
            let known = known(c, sketches)?;
            if sketches == Sketches::Left && known == seen {
                changes.write(c, now)?;
                return Ok::<_, E>(None);
            }
            // Another run may have been faster: we go on from what it knows.
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
             body_hash = excluded.body_hash, body_length = excluded.body_length, \
             sketch = CASE WHEN excluded.body_hash = posts.body_hash THEN posts.sketch ELSE excluded.sketch END, \
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

/// Whether the sketches of bodies are read, too.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Sketches {
    Read,
    Left,
}

fn known(c: &mut Connection, sketches: Sketches) -> Result<Vec<Arc<Known>>, Error> {
    let columns = match sketches {
        Sketches::Read => Cow::Borrowed(COLUMNS),
        Sketches::Left => Cow::Owned(COLUMNS.replace("sketch", "NULL")),
    };
    let mut known = Vec::new();
    let mut authors = Arc::default();
    c.each(&format!("SELECT {columns} FROM posts ORDER BY id"), &[], |row| {
        known.push(Arc::new(read(&row, &mut authors)?));
        Ok(())
    })?;
    Ok(known)
}

fn values(row: &Known, now: DateTime<Utc>) -> [Value; 18] {
    let post = &*row.post;
    let facts = match row.extent {
        Extent::Whole => kept::write(post),
        Extent::Identifying => String::new(),
    };
    [
        row.id.0.as_str().into(),
        post.path.as_str().into(),
        row.guid.as_ref().into(),
        post.url.as_str().into(),
        post.slug.as_str().into(),
        row.day.to_string().into(),
        post.title.as_str().into(),
        row.language.as_str().into(),
        (&*post.body.hash).into(),
        post.body.sketch.as_ref().map(Sketch::to_string).unwrap_or_default().into(),
        (post.body.length as i64).into(),
        post.fingerprint.as_str().into(),
        row.updated.into(),
        row.atom_updated.into(),
        row.published.into(),
        post.stamp.as_ref().map(Stamp::to_string).into(),
        facts.into(),
        now.into(),
    ]
}

/// The row, whose post shares `authors` with the one before if they are the same.
fn read(row: &Row, authors: &mut Arc<[Person]>) -> Result<Known, Error> {
    let day = row.text(5)?;
    let (permalink, published) = (row.text(3)?, time(row.int(14)?)?);
    let mut post = Post {
        path: row.text(1)?,
        title: row.text(6)?,
        published: published.fixed_offset(),
        updated: None,
        slug: row.text(4)?,
        url: Url::parse(&permalink).map_err(|_| Error::Corrupt(format!("{permalink:?} is not a URL")))?,
        authors: Arc::default(),
        categories: Vec::new(),
        tags: Vec::new(),
        language: None,
        guid: None,
        summary: None,
        image: None,
        in_feeds: true,
        in_digests: true,
        section: None,
        work: None,
        translates: None,
        minor: false,
        featured: false,
        body: Body {
            hash: row.text(8)?.into(),
            length: row.int(10)? as usize,
            sketch: row.maybe_text(9)?.map(|written| Sketch::read(&written)),
        },
        fingerprint: row.text(11)?,
        source: 0,
        stamp: row.maybe_text(15)?.and_then(|written| written.parse().ok()),
    };
    Ok(Known {
        id: PostId(row.text(0)?),
        extent: kept::complete(&mut post, &row.text(16)?, authors),
        post: Arc::new(post),
        guid: row.maybe_text(2)?,
        day: day.parse::<NaiveDate>().map_err(|_| Error::Corrupt(format!("{day:?} is not a day")))?,
        language: row.text(7)?,
        updated: time(row.int(12)?)?,
        atom_updated: time(row.int(13)?)?,
        published,
        gone: row.int(17)? != 0,
    })
}
