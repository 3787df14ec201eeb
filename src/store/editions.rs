//! Digests, slots and editions: what was decided, once.

use super::awaited::{await_posts, awaits_posts};
use super::backup::may_be_sent_already;
use super::pages::Page;
use super::sql::{Connection, Write};
use super::{Error, ONCE_MORE, Store, WITHDRAW, time};
use crate::edition::slot::Memory;
use crate::post::PostId;
use chrono::{DateTime, Utc};
use std::collections::HashSet;

/// An edition that is ready to be written down.
#[derive(Clone, Debug)]
pub struct Frozen {
    /// `weekly/2026-11-23`
    pub id: String,
    /// The digest's name.
    pub digest: String,
    /// The slot that it answers; None for a mail per post.
    pub slot: Option<DateTime<Utc>>,
    /// The newest slot that was decided when this was drafted. Where another run has decided one since, its posts may have gone
    /// out with that: this is not written.
    pub after: Option<DateTime<Utc>>,
    /// The subject of the whole edition.
    pub subject: String,
    /// Its posts, in order.
    pub posts: Vec<PostId>,
    /// The renderings. The first holds all posts.
    pub variants: Vec<Variant>,
    /// Its page for the site, if it is to have one.
    pub page: Option<Page>,
    /// For each choice of topics and language among its readers what they get.
    pub audiences: Vec<Audience>,
    /// Whether readers without a choice of digests get it.
    pub default: bool,
    /// Whether it waits for `approve`.
    pub approve: bool,
    /// Addresses that must answer before it is released.
    pub awaits: Vec<String>,
}

/// Readers who get the same.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Audience {
    /// Their topics.
    pub topics: String,
    /// Their language, as the store has it. Empty: those of these topics whose language has no row of its own.
    pub language: String,
    /// The variant's number; None where nothing is for them.
    pub variant: Option<usize>,
}

/// One rendering.
#[derive(Clone, Debug)]
pub struct Variant {
    /// Which posts: their positions; and in which language, where it is not the digest's own. No other has the same.
    pub posts: String,
    /// Its subject.
    pub subject: String,
    /// For the archive.
    pub html: String,
    /// For the archive.
    pub text: String,
    /// The finished mail with its holes.
    pub message: String,
}

/// What became of an attempt to decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decided {
    /// By us, with so many readers.
    Now(u64),
    /// By another process, before.
    Before,
}

/// What `approve`, `cancel` and `retry` found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Changed {
    /// Done; so many deliveries.
    Done(u64),
    /// There is no such edition.
    Unknown,
    /// It is not in a state that allows that.
    NotNow,
    /// It is approved, and released when its posts answer.
    Awaits,
}

impl Store {
    /// What is remembered of a digest; None where it is new to the store.
    pub fn digest(&self, name: &str) -> Result<Option<Memory>, Error> {
        let row = self.connection().query_one("SELECT newest, first FROM digests WHERE name = $1", &[name.into()])?;
        row.map(|row| Ok(Memory { newest: time(row.int(0)?)?, first: time(row.int(1)?)? })).transpose()
    }

    /// The posts that a digest has behind it.
    pub fn taken(&self, digest: &str) -> Result<HashSet<PostId>, Error> {
        let mut taken = HashSet::new();
        self.connection().each("SELECT post FROM digest_posts WHERE digest = $1", &[digest.into()], |row| {
            taken.insert(PostId(row.text(0)?));
            Ok(())
        })?;
        Ok(taken)
    }

    /// Makes a digest known, with its baseline, post by post (P6).
    pub fn introduce(
        &self,
        digest: &str,
        memory: Memory,
        baseline: &[PostId],
        now: DateTime<Utc>,
    ) -> Result<(), Error> {
        self.connection().transaction(Write::Alone, |c| {
            let sql = "INSERT INTO digests (name, introduced, newest, first) VALUES ($1, $2, $3, $4) ON CONFLICT (name) DO NOTHING";
            if c.execute(sql, &[digest.into(), now.into(), memory.newest.into(), memory.first.into()])? == 0 {
                return Ok(());
            }
            for post in baseline {
                let sql = "INSERT INTO digest_posts (digest, post, edition, position) VALUES ($1, $2, NULL, 0)";
                c.execute(sql, &[digest.into(), post.0.as_str().into()])?;
            }
            Ok(())
        })
    }

    /// A slot passes without an edition.
    pub fn pass(&self, digest: &str, slot: DateTime<Utc>, reason: &str, now: DateTime<Utc>) -> Result<Decided, Error> {
        self.connection().transaction(Write::Alone, |c| decide(c, digest, slot, None, reason, now))
    }

    /// Whether an edition of that id exists.
    pub fn has_edition(&self, id: &str) -> Result<bool, Error> {
        Ok(self.connection().query_one("SELECT id FROM editions WHERE id = $1", &[id.into()])?.is_some())
    }

    /// The newest moment at which anything was decided: a clock before it freezes nothing.
    pub fn newest_decision(&self) -> Result<Option<DateTime<Utc>>, Error> {
        let sql = "SELECT MAX(m) FROM (SELECT MAX(decided) AS m FROM slots UNION ALL SELECT MAX(frozen) FROM editions UNION ALL SELECT MAX(introduced) FROM digests) AS x";
        let row = self.connection().query_one(sql, &[])?;
        row.and_then(|r| r.maybe_int(0).transpose()).transpose()?.map(time).transpose()
    }

    /// The choices of topics among a digest's readers, each with a language (empty: none chosen), by topics. More than `limit`:
    /// the first so many and one more.
    pub fn choices(&self, digest: &str, default: bool, limit: usize) -> Result<Vec<(String, String)>, Error> {
        let sql = format!(
            "SELECT DISTINCT c.topics, COALESCE(c.language, '') AS l FROM \
               (SELECT DISTINCT s.digests, s.topics, s.language FROM subscribers s WHERE s.status = 'active' AND {READS}) AS c \
             ORDER BY c.topics, l LIMIT $3"
        );
        // In the order of the index, and from it alone: a million are read as fast as they are counted.
        let values = [pattern(digest).into(), i64::from(default).into(), (limit as i64 + 1).into()];
        self.connection().query(&sql, &values)?.iter().map(|row| Ok((row.text(0)?, row.text(1)?))).collect()
    }

    /// The finished mail of a variant, with its holes.
    pub fn variant(&self, id: &str) -> Result<String, Error> {
        let row = self.connection().query_one("SELECT message FROM variants WHERE id = $1", &[id.into()])?;
        row.ok_or_else(|| Error::Corrupt(format!("the rendering {id} has gone")))?.text(0)
    }

    /// Writes a frozen edition, its posts and variants, decides its slot and, unless it waits for approval, releases it: all in
    /// one transaction (P3).
    pub fn freeze(&self, frozen: &Frozen, now: DateTime<Utc>) -> Result<Decided, Error> {
        self.for_many()?.transaction(Write::Alone, |c| {
            let each = match (frozen.slot, &frozen.posts[..]) {
                (None, [post]) => Some(post.0.as_str()),
                _ => None,
            };
            if let Some(slot) = frozen.slot
                && decide(c, &frozen.digest, slot, frozen.after, "frozen", now)? == Decided::Before
            {
                return Ok(Decided::Before);
            }
            let approve = frozen.approve || may_be_sent_already(c, frozen.slot, &frozen.posts)?;
            let sql = "INSERT INTO editions (id, number, digest, slot, post, subject, state, frozen, released, approved) \
                 SELECT $1, COALESCE(MAX(number), 0) + 1, $2, CAST($3 AS BIGINT), $4, $5, 'waiting', CAST($6 AS BIGINT), NULL, CAST($7 AS BIGINT) FROM editions WHERE true \
                 ON CONFLICT DO NOTHING";
            let values = [
                frozen.id.as_str().into(),
                frozen.digest.as_str().into(),
                frozen.slot.into(),
                each.into(),
                frozen.subject.as_str().into(),
                now.into(),
                (!approve).then(|| frozen.slot.unwrap_or(now)).into(),
            ];
            if c.execute(sql, &values)? == 0 {
                return match frozen.slot {
                    None => Ok(Decided::Before),
                    Some(_) => Err(Error::Conflict(format!("the edition {} was there before its slot was decided", frozen.id))),
                };
            }
            for (at, post) in frozen.posts.iter().enumerate() {
                let sql = "INSERT INTO digest_posts (digest, post, edition, position) VALUES ($1, $2, $3, $4)";
                c.execute(sql, &[frozen.digest.as_str().into(), post.0.as_str().into(), frozen.id.as_str().into(), (at as i64).into()])?;
            }
            for (at, variant) in frozen.variants.iter().enumerate() {
                let sql = "INSERT INTO variants (id, edition, posts, subject, html, text, message) VALUES ($1, $2, $3, $4, $5, $6, $7)";
                let values = [
                    variant_id(&frozen.id, at).into(),
                    frozen.id.as_str().into(),
                    variant.posts.as_str().into(),
                    variant.subject.as_str().into(),
                    variant.html.as_str().into(),
                    variant.text.as_str().into(),
                    variant.message.as_str().into(),
                ];
                c.execute(sql, &values)?;
            }
            if let Some(page) = &frozen.page {
                let sql = "INSERT INTO pages (edition, entry, date, language, summary, length, html, content) VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
                let values = [
                    frozen.id.as_str().into(),
                    page.entry.as_str().into(),
                    page.date.to_rfc3339().into(),
                    page.language.as_str().into(),
                    page.summary.as_str().into(),
                    (page.html.len() as i64).into(),
                    page.html.as_str().into(),
                    page.content.as_str().into(),
                ];
                c.execute(sql, &values)?;
            }
            for Audience { topics, language, variant } in &frozen.audiences {
                let sql = "INSERT INTO audiences (edition, topics, language, variant) VALUES ($1, $2, $3, $4)";
                let variant = variant.map(|at| variant_id(&frozen.id, at));
                let (topics, language) = (topics.as_str(), language.as_str());
                c.execute(sql, &[frozen.id.as_str().into(), topics.into(), language.into(), variant.into()])?;
            }
            await_posts(c, &frozen.id, &frozen.awaits)?;
            match approve || !frozen.awaits.is_empty() {
                true => Ok(Decided::Now(0)),
                false => release(c, &frozen.id, frozen.default, now).map(Decided::Now),
            }
        })
    }

    /// Releases an edition that waits, to those who are subscribed now; or one that was held for having rested too long. One whose
    /// posts must answer is approved, and not released yet.
    pub fn approve(&self, edition: &str, default: impl Fn(&str) -> bool, now: DateTime<Utc>) -> Result<Changed, Error> {
        self.for_many()?.transaction(Write::Alone, |c| approve(c, edition, default, now))
    }

    /// The same, whatever its posts answer.
    pub fn approve_anyway(
        &self,
        edition: &str,
        default: impl Fn(&str) -> bool,
        now: DateTime<Utc>,
    ) -> Result<Changed, Error> {
        self.for_many()?.transaction(Write::Alone, |c| {
            c.execute("DELETE FROM awaited WHERE edition = $1", &[edition.into()])?;
            approve(c, edition, default, now)
        })
    }

    /// Withdraws what is not sent.
    pub fn cancel(&self, edition: &str) -> Result<Changed, Error> {
        self.connection().transaction(Write::Alone, |c| {
            let Some(row) = c.query_one("SELECT state FROM editions WHERE id = $1", &[edition.into()])? else {
                return Ok(Changed::Unknown);
            };
            if matches!(row.text(0)?.as_str(), "done" | "cancelled") {
                return Ok(Changed::NotNow);
            }
            c.execute("UPDATE editions SET state = 'cancelled' WHERE id = $1", &[edition.into()])?;
            let sql =
                format!("UPDATE deliveries SET {WITHDRAW} WHERE edition = $1 AND state IN ('queued', 'uncertain')");
            c.execute(&sql, &[edition.into()]).map(Changed::Done)
        })
    }

    /// Queues deliveries of an edition again. Not those whose reader left or is suppressed: see [`Store::beyond_retry`].
    pub fn retry(&self, edition: &str, which: Retry<'_>, now: DateTime<Utc>) -> Result<Changed, Error> {
        self.connection().transaction(Write::Alone, |c| {
            let Some(row) = c.query_one("SELECT state, compacted FROM editions WHERE id = $1", &[edition.into()])?
            else {
                return Ok(Changed::Unknown);
            };
            if !matches!(row.text(0)?.as_str(), "done" | "open") || row.maybe_int(1)?.is_some() {
                return Ok(Changed::NotNow);
            }
            let mut values = vec![edition.into(), now.into()];
            if let Retry::Refused(Some(code)) = which {
                values.push(code.into());
            }
            let which = which.condition("$3");
            let sql = format!(
                "UPDATE deliveries SET {ONCE_MORE}, due = $2, first_at = NULL, transport = NULL, withdrawn_by = NULL \
                 WHERE edition = $1 AND {which} AND NOT {SUPPRESSED} AND NOT {LEFT}"
            );
            let queued = c.execute(&sql, &values)?;
            if queued > 0 {
                c.execute(
                    "UPDATE editions SET state = 'open', rests = $2 WHERE id = $1",
                    &[edition.into(), now.into()],
                )?;
            }
            Ok(Changed::Done(queued))
        })
    }

    /// How many of those that [`Store::retry`] means it leaves alone: they are suppressed, or their reader has left.
    pub fn beyond_retry(&self, edition: &str, which: Retry<'_>) -> Result<Beyond, Error> {
        let mut values = vec![edition.into()];
        if let Retry::Refused(Some(code)) = which {
            values.push(code.into());
        }
        let sql = format!(
            "SELECT CASE WHEN {SUPPRESSED} THEN 1 ELSE 0 END, COUNT(*) FROM deliveries \
             WHERE edition = $1 AND {} AND ({SUPPRESSED} OR {LEFT}) GROUP BY 1",
            which.condition("$2")
        );
        let mut beyond = Beyond::default();
        for row in self.connection().query(&sql, &values)? {
            match row.int(0)? {
                1 => beyond.suppressed = row.int(1)?,
                _ => beyond.left = row.int(1)?,
            }
        }
        Ok(beyond)
    }
}

/// Whom a retry cannot reach.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Beyond {
    /// Must not be mailed.
    pub suppressed: i64,
    /// Left, or paused.
    pub left: i64,
}

/// What `begin` asks of each delivery, too.
pub(super) const SUPPRESSED: &str = "EXISTS (SELECT 1 FROM suppressions p WHERE p.hash = deliveries.hash)";
pub(super) const LEFT: &str =
    "NOT EXISTS (SELECT 1 FROM subscribers s WHERE s.id = deliveries.subscriber AND s.status = 'active')";

/// Which deliveries `retry` means.
#[derive(Clone, Copy, Debug)]
pub enum Retry<'a> {
    /// Those refused or given up; with a code, those whose last reply had it: a reply code, an enhanced status, or the first
    /// numbers of one.
    Refused(Option<&'a str>),
    /// Those that only went to an outbox.
    Outbox,
    /// Those held in doubt: who has got it gets it twice.
    Held,
}

impl Retry<'_> {
    /// Which rows of `deliveries`; the code is the parameter of that name.
    fn condition(self, code: &str) -> String {
        match self {
            Retry::Refused(None) => "state = 'refused'".to_owned(),
            Retry::Outbox => "state = 'accepted' AND transport LIKE 'outbox%'".to_owned(),
            Retry::Held => "state = 'held'".to_owned(),
            Retry::Refused(Some(_)) => format!(
                "state = 'refused' AND EXISTS (SELECT 1 FROM attempts a WHERE a.delivery = deliveries.id AND a.number = deliveries.attempts \
                 AND (CAST(a.code AS TEXT) = {code} OR a.status = {code} OR a.status LIKE {code} || '.%'))"
            ),
        }
    }
}

/// Who reads a digest: `$1` is the pattern of its name, `$2` whether it is a default one.
pub(super) const READS: &str = "((s.digests = '' AND CAST($2 AS BIGINT) = 1) OR s.digests LIKE $1)";

pub(super) fn pattern(digest: &str) -> String {
    format!("%;{digest};%")
}

fn variant_id(edition: &str, at: usize) -> String {
    format!("{edition}#{at}")
}

fn decide(
    c: &mut Connection,
    digest: &str,
    slot: DateTime<Utc>,
    after: Option<DateTime<Utc>>,
    reason: &str,
    now: DateTime<Utc>,
) -> Result<Decided, Error> {
    let sql = "UPDATE digests SET newest = $2 WHERE name = $1 AND newest < $2 AND newest = COALESCE($3, newest)";
    if c.execute(sql, &[digest.into(), slot.into(), after.into()])? == 0 {
        return Ok(Decided::Before);
    }
    let sql = "INSERT INTO slots (digest, slot, decided, reason) VALUES ($1, $2, $3, $4)";
    c.execute(sql, &[digest.into(), slot.into(), now.into(), reason.into()])?;
    Ok(Decided::Now(0))
}

fn approve(
    c: &mut Connection,
    edition: &str,
    default: impl Fn(&str) -> bool,
    now: DateTime<Utc>,
) -> Result<Changed, Error> {
    let Some(row) = c.query_one("SELECT state, digest FROM editions WHERE id = $1", &[edition.into()])? else {
        return Ok(Changed::Unknown);
    };
    match row.text(0)?.as_str() {
        "waiting" => {
            let sql = "UPDATE editions SET approved = COALESCE(approved, $2) WHERE id = $1";
            c.execute(sql, &[edition.into(), now.into()])?;
            match awaits_posts(c, edition)? {
                true => Ok(Changed::Awaits),
                false => release(c, edition, default(&row.text(1)?), now).map(Changed::Done),
            }
        }
        "held" => {
            // What is released again starts its patience anew.
            c.execute("UPDATE editions SET state = 'open', rests = $2 WHERE id = $1", &[edition.into(), now.into()])?;
            let sql = "UPDATE deliveries SET first_at = NULL, due = $2 WHERE edition = $1 AND state = 'queued'";
            let queued = c.execute(sql, &[edition.into(), now.into()])?;
            // What is in doubt is due when it was.
            let sql = "SELECT COUNT(*) FROM deliveries WHERE edition = $1 AND state = 'uncertain'";
            let in_doubt = c.query_one(sql, &[edition.into()])?.map_or(Ok(0), |row| row.int(0))?;
            Ok(Changed::Done(queued + in_doubt as u64))
        }
        _ => Ok(Changed::NotNow),
    }
}

/// One delivery for each reader of this moment. The id is the subscriber's and the edition's number: unique like the pair, and in
/// random order, since subscribers' ids are random: a block of dead addresses in a file is no block on the wire. Written in the order
/// in which they are claimed, neighbours change together: a commit touches few pages.
pub(super) fn release(c: &mut Connection, edition: &str, default: bool, now: DateTime<Utc>) -> Result<u64, Error> {
    let sql = "UPDATE editions SET state = 'open', released = $2, rests = $2 WHERE id = $1 AND state = 'waiting'";
    c.execute(sql, &[edition.into(), now.into()])?;
    let Some(row) = c.query_one("SELECT number, digest FROM editions WHERE id = $1", &[edition.into()])? else {
        return Err(Error::Corrupt(format!("the edition {edition} has gone")));
    };
    let sql = format!(
        "INSERT INTO deliveries (id, subscriber, occasion, edition, variant, address, hash, name, state, due, attempts, resends, queued) \
         SELECT s.id || '.' || CAST($3 AS TEXT), s.id, $4, $4, COALESCE(a.variant, b.variant, $5), s.address, s.hash, s.name, 'queued', \
                CAST($6 AS BIGINT), 0, 0, CAST($6 AS BIGINT) \
         FROM subscribers s LEFT JOIN audiences a ON a.edition = $4 AND a.topics = s.topics AND a.language = s.language \
         LEFT JOIN audiences b ON b.edition = $4 AND b.topics = s.topics AND b.language = '' \
         WHERE s.status = 'active' AND {READS} AND (b.topics IS NULL OR b.variant IS NOT NULL) \
           AND NOT EXISTS (SELECT 1 FROM suppressions p WHERE p.hash = s.hash) \
         ORDER BY s.id ON CONFLICT DO NOTHING"
    );
    let values = [
        pattern(&row.text(1)?).into(),
        i64::from(default).into(),
        row.int(0)?.to_string().into(),
        edition.into(),
        variant_id(edition, 0).into(),
        now.into(),
    ];
    let recipients = c.execute(&sql, &values)?;
    c.execute("UPDATE editions SET recipients = $2 WHERE id = $1", &[edition.into(), (recipients as i64).into()])?;
    Ok(recipients)
}
