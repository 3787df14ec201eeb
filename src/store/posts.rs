//! Identities of posts (P4): what the next run needs to know a post again.

use super::sql::{Connection, Row, Value, Write};
use super::{Error, Store, time};
use crate::post::identity::{Assigned, Body, Change, Extent, Known, Sketch};
use crate::post::{Person, Post, PostId, Shared, Stamp, kept};
use chrono::{DateTime, NaiveDate, Utc};
use std::collections::{HashMap, HashSet};
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
        known(&mut self.connection())
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
        let first = assign(seen);
        let changes = first.as_ref().ok().map(|assigned| Changes::of(seen, assigned));
        if changes.as_ref().is_some_and(Changes::are_none) {
            return first;
        }
        // What looks new may be one that vanished, now or long ago, which its sketch tells; also where it was refused.
        let is_away =
            |row: &Known| row.gone || changes.as_ref().is_none_or(|changes| changes.vanished.contains(&row.id));
        let is_any_new = first.as_ref().is_ok_and(|all| all.iter().any(|assigned| assigned.change == Change::New));
        let asks_sketches = first.is_err() || is_any_new && seen.iter().any(|row| is_away(row));
        let later = self.connection().transaction(Write::Alone, |c| {
            // Another run may have been faster: we go on from what it knows.
            let read = if are_still(c, seen)? { None } else { Some(known(c)?) };
            let known = read.as_deref().unwrap_or(seen);
            if read.is_none()
                && !asks_sketches
                && let Some(changes) = &changes
            {
                changes.write(c, now)?;
                return Ok::<_, E>(None);
            }
            read_sketches(c, known, is_away)?;
            let assigned = assign(known)?;
            Changes::of(known, &assigned).write(c, now)?;
            Ok(Some(assigned))
        })?;
        let assigned = later.map_or(first, Ok)?;
        assigned.iter().for_each(|assigned| assigned.known.post.body.forget_sketch());
        Ok(assigned)
    }
}

/// What is to be written.
struct Changes<'a> {
    rows: Vec<&'a Known>,
    vanished: HashSet<&'a PostId>,
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

    fn are_none(&self) -> bool {
        self.rows.is_empty() && self.vanished.is_empty()
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

fn known(c: &mut Connection) -> Result<Vec<Arc<Known>>, Error> {
    let mut known = Vec::new();
    each(c, |row| known.push(Arc::new(row)))?;
    Ok(known)
}

/// Whether that is what is remembered. One row after the other: nobody needs them twice.
fn are_still(c: &mut Connection, seen: &[Arc<Known>]) -> Result<bool, Error> {
    let (mut rest, mut same) = (seen.iter(), true);
    each(c, |row| same &= rest.next().is_some_and(|seen| **seen == row))?;
    Ok(same && rest.next().is_none())
}

/// Every row, by id.
fn each(c: &mut Connection, mut take: impl FnMut(Known)) -> Result<(), Error> {
    let mut alike = Alike::default();
    // Hardly ever does anybody ask for the sketches of bodies, which take more room than all the rest.
    let sql = format!("SELECT {} FROM posts ORDER BY id", COLUMNS.replace("sketch", "NULL"));
    c.each(&sql, &[], |row| {
        take(read(&row, &mut alike)?);
        Ok(())
    })
}

/// Adds the sketches of some rows' bodies.
fn read_sketches(c: &mut Connection, known: &[Arc<Known>], wanted: impl Fn(&Known) -> bool) -> Result<(), Error> {
    let wanted = known.iter().filter(|row| wanted(row)).map(|row| (row.id.0.as_str(), &row.post.body));
    let wanted: HashMap<&str, &Body> = wanted.collect();
    c.each("SELECT id, sketch FROM posts", &[], |row| {
        if let Some(body) = wanted.get(row.text(0)?.as_str()) {
            body.remember_sketch(Sketch::read(&row.text(1)?));
        }
        Ok(())
    })
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
        post.link.as_str().into(),
        post.slug.as_str().into(),
        row.day.to_string().into(),
        post.title.as_str().into(),
        (&*row.language).into(),
        post.body.hash.to_string().into(),
        post.body.sketch().map(|sketch| sketch.to_string()).unwrap_or_default().into(),
        (post.body.length as i64).into(),
        post.fingerprint.to_string().into(),
        row.updated.into(),
        row.atom_updated.into(),
        row.published().into(),
        post.stamp.as_ref().map(Stamp::to_string).into(),
        facts.into(),
        now.into(),
    ]
}

/// What many rows have alike.
#[derive(Default)]
struct Alike {
    authors: Shared<[Person]>,
    languages: Shared<str>,
}

fn read(row: &Row, alike: &mut Alike) -> Result<Known, Error> {
    let day = row.text(5)?;
    let (permalink, published) = (row.text(3)?, time(row.int(14)?)?);
    let url = Url::parse(&permalink).map_err(|_| Error::Corrupt(format!("{permalink:?} is not a URL")))?;
    let mut post = Post {
        body: Body::remembered(row.text(8)?.parse().unwrap_or_default(), row.int(10)? as usize),
        fingerprint: row.text(11)?.parse().unwrap_or_default(),
        stamp: row.maybe_text(15)?.and_then(|written| written.parse().ok()),
        ..Post::new(row.text(1)?, row.text(6)?, published.fixed_offset(), row.text(4)?, url)
    };
    Ok(Known {
        id: PostId(row.text(0)?),
        extent: kept::complete(&mut post, &row.text(16)?, &mut alike.authors),
        post: Arc::new(post),
        guid: row.maybe_text(2)?,
        day: day.parse::<NaiveDate>().map_err(|_| Error::Corrupt(format!("{day:?} is not a day")))?,
        language: alike.languages.first(row.text(7)?.into()),
        updated: time(row.int(12)?)?,
        atom_updated: time(row.int(13)?)?,
        gone: row.int(17)? != 0,
    })
}
