//! Editions counted and listed, for people.

use super::editions::{LEFT, READS, SUPPRESSED, pattern};
use super::letters::letters_waiting;
use super::sql::{Connection, Row, Value};
use super::{Error, Store, awaited, lock, time};
use crate::report::{Counts, Not};
use chrono::{DateTime, Utc};

/// An edition and what became of its deliveries. The counts are disjoint.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edition {
    /// Its id.
    pub id: String,
    /// The digest.
    pub digest: String,
    /// waiting, open, held, done, cancelled.
    pub state: String,
    /// Its subject.
    pub subject: String,
    /// Its posts, in order.
    pub posts: Vec<String>,
    /// How many of each kind.
    pub counts: Counts,
    /// Whether a person has still to approve it.
    pub approval: bool,
    /// Where it waits for its posts: the addresses that did not answer, and what was heard, if they were asked.
    pub awaits: Vec<(String, Option<String>)>,
}

/// A delivery that `status` lists by address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// The edition, or which letter.
    pub edition: String,
    /// Whom: in full, since the author asks for it.
    pub address: String,
    /// When it was last tried.
    pub at: Option<DateTime<Utc>>,
}

/// How fast an edition goes.
#[derive(Clone, Debug, PartialEq)]
pub struct Pace {
    /// Its id.
    pub edition: String,
    /// Messages tried a second.
    pub rate: f64,
}

/// How far back a pace looks, in milliseconds.
const LATELY: i64 = 60_000;
/// How many tries a pace looks at, at most.
const SAMPLE: i64 = 10_000;
/// The letter in the middle of base32's, by which ids are sorted.
const MIDDLE: &str = "k";
/// How many readers are asked for, to learn how far an edition is.
const PROBES: usize = 16;
/// Workers with a delivery under way.
const AT_WORK: &str = "SELECT DISTINCT worker FROM deliveries WHERE worker IS NOT NULL AND state = 'sending'";
/// Leads to the index on edition and state, where there is none on the state alone.
const BY_EDITION: &str = "edition IN (SELECT e.id FROM editions e)";

/// A digest's last decisions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastSlot {
    /// Which.
    pub slot: DateTime<Utc>,
    /// `frozen`, or why it passed.
    pub reason: String,
}

impl Store {
    /// The latest `each` editions of every digest, and all that are not at an end; newest first.
    pub fn editions(&self, each: usize) -> Result<Vec<Edition>, Error> {
        let mut c = self.connection();
        let sql = "SELECT e.id, e.digest, e.state, e.subject, e.approved, e.recipients FROM editions e WHERE e.state IN ('waiting', 'open', 'held') OR \
             (SELECT COUNT(*) FROM editions n WHERE n.digest = e.digest AND n.number > e.number) < $1 ORDER BY e.number DESC";
        let rows = c.query(sql, &[(each as i64).into()])?;
        let dead = dead(&mut c, self.place().file())?;
        rows.iter().map(|row| edition(&mut c, row, &dead)).collect()
    }

    /// The editions of these ids, in their order; those that are not there are left out.
    pub fn editions_named<'a>(&self, ids: impl Iterator<Item = &'a str>) -> Result<Vec<Edition>, Error> {
        let mut c = self.connection();
        let dead = dead(&mut c, self.place().file())?;
        let mut editions = Vec::new();
        for id in ids {
            let sql =
                "SELECT e.id, e.digest, e.state, e.subject, e.approved, e.recipients FROM editions e WHERE e.id = $1";
            if let Some(row) = c.query_one(sql, &[id.into()])? {
                editions.push(edition(&mut c, &row, &dead)?);
            }
        }
        Ok(editions)
    }

    /// The ids of the editions that are not at an end, newest first.
    pub fn unfinished(&self) -> Result<Vec<String>, Error> {
        let sql = "SELECT id FROM editions WHERE state IN ('waiting', 'open', 'held') ORDER BY number DESC";
        self.connection().query(sql, &[])?.iter().map(|row| row.text(0)).collect()
    }

    /// How fast each edition went lately: tries begun, at most ten thousand of them and at most a minute old, over the time since
    /// the first of them. Editions with fewer than two are not in it.
    pub fn paces(&self, now: DateTime<Utc>) -> Result<Vec<Pace>, Error> {
        // Through the index on `began`, and never more rows than the sample: the rest of the table is not looked at.
        let sql = format!(
            "SELECT d.edition, COUNT(*), MIN(a.began) FROM \
               (SELECT delivery, began FROM attempts WHERE began > $1 AND began <= $2 ORDER BY began DESC LIMIT {SAMPLE}) AS a \
             JOIN deliveries d ON d.id = a.delivery WHERE d.edition IS NOT NULL GROUP BY d.edition"
        );
        let from = now.timestamp_millis() - LATELY;
        let mut paces = Vec::new();
        self.connection().each(&sql, &[from.into(), now.into()], |row| {
            let (tries, first) = (row.int(1)?, row.int(2)?);
            let span = (now.timestamp_millis() - first) as f64 / 1000.0;
            // Of less than a second nothing can be said.
            if tries > 1 && span >= 1.0 {
                // As many steps as there are gaps: two tries in ten seconds are one each ten seconds.
                paces.push(Pace { edition: row.text(0)?, rate: (tries - 1) as f64 / span });
            }
            Ok(())
        })?;
        Ok(paces)
    }

    /// Whether a living process is in the middle of a delivery.
    pub fn under_way(&self) -> Result<bool, Error> {
        let mut c = self.connection();
        let at_work = c.query(AT_WORK, &[])?.len();
        Ok(at_work > dead(&mut c, self.place().file())?.len())
    }

    /// Whether these are of editions of which no server ever took a delivery. Letters are not.
    pub fn none_was_taken(&self, deliveries: &[String]) -> Result<bool, Error> {
        let sql = "SELECT 1 FROM deliveries o WHERE o.id = $1 AND (o.edition IS NULL \
             OR EXISTS (SELECT 1 FROM deliveries d WHERE d.edition = o.edition AND d.state = 'accepted'))";
        let mut c = self.connection();
        for delivery in deliveries {
            if c.query_one(sql, &[delivery.into()])?.is_some() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether there is something for a dispatch: a delivery that is due, or one that a dead process left behind.
    pub fn has_work(&self, now: DateTime<Utc>) -> Result<bool, Error> {
        let mut c = self.connection();
        Ok(next_due(&mut c)?.is_some_and(|due| due <= now.timestamp_millis())
            || !dead(&mut c, self.place().file())?.is_empty())
    }

    /// The ids of the editions that are held for having rested too long, oldest first.
    pub fn held_editions(&self) -> Result<Vec<String>, Error> {
        let sql = "SELECT id FROM editions WHERE state = 'held' ORDER BY number";
        self.connection().query(sql, &[])?.iter().map(|row| row.text(0)).collect()
    }

    /// Editions with deliveries in doubt that wait for a person, and how many each has.
    pub fn editions_with_held(&self) -> Result<Vec<(String, i64)>, Error> {
        let sql = "SELECT d.edition, COUNT(*) FROM deliveries d WHERE d.state = 'held' \
             AND d.edition IN (SELECT e.id FROM editions e) GROUP BY d.edition ORDER BY d.edition";
        self.connection().query(sql, &[])?.iter().map(|row| Ok((row.text(0)?, row.int(1)?))).collect()
    }

    /// Deliveries in doubt: those that wait to be resent, and those that a dead process was sending.
    pub fn uncertain(&self) -> Result<Vec<Named>, Error> {
        let mut c = self.connection();
        let mut named = list(&mut c, &format!("state = 'uncertain' AND {BY_EDITION}"), &[])?;
        named.extend(list(&mut c, "state = 'uncertain' AND edition IS NULL", &[])?);
        for worker in dead(&mut c, self.place().file())? {
            // A file that may or may not be there is written again: an outbox is never in doubt.
            let which = "state = 'sending' AND worker = $1 AND (transport IS NULL OR transport NOT LIKE 'outbox%')";
            named.extend(list(&mut c, which, &[worker.into()])?);
        }
        Ok(named)
    }

    /// Deliveries that were sent again in doubt.
    pub fn resent(&self) -> Result<Vec<Named>, Error> {
        list(&mut self.connection(), "resends > 0", &[])
    }

    /// Deliveries in doubt that wait for a person.
    pub fn held(&self) -> Result<Vec<Named>, Error> {
        let mut c = self.connection();
        let mut named = list(&mut c, &format!("state = 'held' AND {BY_EDITION}"), &[])?;
        named.extend(list(&mut c, "state = 'held' AND edition IS NULL", &[])?);
        Ok(named)
    }

    /// Editions of which deliveries went to an outbox and nowhere else, and how many: of those whom `retry` would send them.
    pub fn only_in_outbox(&self) -> Result<Vec<(String, i64)>, Error> {
        let sql = format!(
            "SELECT edition, COUNT(*) FROM deliveries WHERE state = 'accepted' AND transport LIKE 'outbox%' AND edition IS NOT NULL \
             AND NOT {SUPPRESSED} AND NOT {LEFT} GROUP BY edition ORDER BY edition"
        );
        self.connection().query(&sql, &[])?.iter().map(|row| Ok((row.text(0)?, row.int(1)?))).collect()
    }

    /// How many who chose a digest do not get that edition, and why.
    pub fn not_readers(&self, edition: &str, digest: &str, default: bool) -> Result<Not, Error> {
        let sql = format!(
            "SELECT CASE WHEN EXISTS (SELECT 1 FROM suppressions p WHERE p.hash = s.hash) THEN 'suppressed' ELSE s.status END AS why, COUNT(*) \
             FROM subscribers s WHERE {READS} GROUP BY 1"
        );
        let mut not = Not { no_posts: self.readers_left_out(edition, digest, default)?, ..Not::default() };
        for row in self.connection().query(&sql, &[pattern(digest).into(), i64::from(default).into()])? {
            match row.text(0)?.as_str() {
                "suppressed" => not.suppressed = row.int(1)?,
                "unsubscribed" | "absent" => not.unsubscribed += row.int(1)?,
                "pending" => not.pending = row.int(1)?,
                "paused" => not.paused = row.int(1)?,
                _ => {}
            }
        }
        Ok(not)
    }

    /// How many would get an edition of a digest now, by their topics and their language (empty: none chosen).
    pub fn readers_by_choice(&self, digest: &str, default: bool) -> Result<Vec<(String, String, i64)>, Error> {
        let sql = format!(
            "SELECT s.topics, COALESCE(s.language, '') AS l, COUNT(*) FROM subscribers s WHERE s.status = 'active' AND {READS} \
             AND NOT EXISTS (SELECT 1 FROM suppressions p WHERE p.hash = s.hash) GROUP BY s.topics, l ORDER BY s.topics, l"
        );
        let rows = self.connection().query(&sql, &[pattern(digest).into(), i64::from(default).into()])?;
        rows.iter().map(|row| Ok((row.text(0)?, row.text(1)?, row.int(2)?))).collect()
    }

    /// How many readers' topics leave nothing of an edition.
    fn readers_left_out(&self, edition: &str, digest: &str, default: bool) -> Result<i64, Error> {
        let sql = format!(
            "SELECT COUNT(*) FROM subscribers s WHERE s.status = 'active' AND {READS} \
             AND s.topics IN (SELECT a.topics FROM audiences a WHERE a.edition = $3 AND a.variant IS NULL) \
             AND NOT EXISTS (SELECT 1 FROM suppressions p WHERE p.hash = s.hash)"
        );
        let values = [pattern(digest).into(), i64::from(default).into(), edition.into()];
        self.connection().query_one(&sql, &values)?.map_or(Ok(0), |row| row.int(0))
    }

    /// The last slot that was decided of a digest.
    pub fn last_slot(&self, digest: &str) -> Result<Option<LastSlot>, Error> {
        let sql = "SELECT slot, reason FROM slots WHERE digest = $1 ORDER BY slot DESC LIMIT 1";
        let row = self.connection().query_one(sql, &[digest.into()])?;
        row.map(|row| Ok(LastSlot { slot: time(row.int(0)?)?, reason: row.text(1)? })).transpose()
    }

    /// When the next delivery is due.
    pub fn next_due(&self) -> Result<Option<DateTime<Utc>>, Error> {
        next_due(&mut self.connection())?.map(time).transpose()
    }

    /// How many deliveries wait for their turn, or are under way.
    pub fn waiting(&self) -> Result<i64, Error> {
        let mut c = self.connection();
        let sql = "SELECT COUNT(*) FROM deliveries d WHERE d.state IN ('queued', 'uncertain', 'sending') \
             AND d.edition IN (SELECT e.id FROM editions e WHERE e.state = 'open')";
        let count = c.query_one(sql, &[])?.map_or(Ok(0), |row| row.int(0))?;
        Ok(count + letters_waiting(&mut c)?)
    }
}

/// When the next letter, or delivery of an open edition, is due: in each lane the first along the index on `due`. The lanes are found
/// by leaps, since in each of them there may be a million.
fn next_due(c: &mut Connection) -> Result<Option<i64>, Error> {
    let sql = "WITH RECURSIVE lanes (lane) AS ( \
           SELECT MIN(lane) FROM deliveries WHERE state IN ('queued', 'uncertain') \
           UNION ALL SELECT (SELECT MIN(d.lane) FROM deliveries d WHERE d.lane > lanes.lane AND d.state IN ('queued', 'uncertain')) \
           FROM lanes WHERE lanes.lane IS NOT NULL) \
         SELECT MIN((SELECT d.due FROM deliveries d WHERE d.lane = lanes.lane AND d.state IN ('queued', 'uncertain') \
           AND (d.edition IS NULL OR EXISTS (SELECT 1 FROM editions e WHERE e.id = d.edition AND e.state = 'open')) \
           ORDER BY d.due, d.id LIMIT 1)) FROM lanes WHERE lane IS NOT NULL";
    Ok(c.query_one(sql, &[])?.map(|row| row.maybe_int(0)).transpose()?.flatten())
}

/// Workers that still have a row to their name but no life.
fn dead(c: &mut Connection, beside: Option<&std::path::Path>) -> Result<Vec<String>, Error> {
    let mut dead = Vec::new();
    for row in c.query(AT_WORK, &[])? {
        let worker = row.text(0)?;
        if lock::is_dead(c, beside, &worker)? {
            dead.push(worker);
        }
    }
    Ok(dead)
}

fn edition(c: &mut Connection, row: &Row, dead: &[String]) -> Result<Edition, Error> {
    let id = row.text(0)?;
    let posts = c.query("SELECT post FROM digest_posts WHERE edition = $1 ORDER BY position", &[id.as_str().into()])?;
    let state = row.text(2)?;
    let waits = state == "waiting";
    Ok(Edition {
        digest: row.text(1)?,
        approval: waits && row.maybe_int(4)?.is_none(),
        awaits: if waits { awaited::lacks(c, &id)? } else { Vec::new() },
        counts: count(c, &id, &state, row.maybe_int(5)?, dead)?,
        state,
        subject: row.text(3)?,
        posts: posts.iter().map(|post| post.text(0)).collect::<Result<_, _>>()?,
        id,
    })
}

fn count(
    c: &mut Connection,
    edition: &str,
    state: &str,
    recipients: Option<i64>,
    dead: &[String],
) -> Result<Counts, Error> {
    let mut counts = Counts::default();
    if state == "done" {
        let noted = c.query("SELECT state, count FROM past WHERE edition = $1", &[edition.into()])?;
        for row in &noted {
            match row.text(0)?.as_str() {
                "accepted" => counts.accepted = row.int(1)?,
                "refused" => counts.refused = row.int(1)?,
                "held" => counts.held = row.int(1)?,
                _ => counts.cancelled += row.int(1)?,
            }
        }
        // One that was done before that was noted is counted.
        if !noted.is_empty() {
            return Ok(counts);
        }
    }
    // Nearly all are accepted or wait in the queue. The fewer of these are counted, and the others are what is left of all.
    let left = match recipients {
        None => None,
        Some(_) if mostly_accepted(c, edition)? => Some("accepted"),
        Some(_) => Some("queued"),
    };
    // One statement, so that no delivery is counted twice while a run is under way, and from an index alone: an edition of a million
    // is looked at every second. State by state, which takes half as long as in groups.
    let mut sql: String = ["accepted", "queued", "refused", "uncertain", "held", "cancelled"]
        .iter()
        .filter(|state| left != Some(**state))
        .map(|state| {
            format!("SELECT '{state}', CAST(NULL AS TEXT), COUNT(*) FROM deliveries WHERE edition = $1 AND state = '{state}' UNION ALL ")
        })
        .collect();
    sql += "SELECT 'deferred', CAST(NULL AS TEXT), COUNT(*) FROM deliveries WHERE edition = $1 AND state = 'queued' AND attempts > 0 \
         UNION ALL SELECT 'sending', CASE WHEN transport LIKE 'outbox%' THEN NULL ELSE worker END, COUNT(*) FROM deliveries \
           WHERE edition = $1 AND state = 'sending' GROUP BY 2";
    let (mut queue, mut under_way) = (0, 0);
    c.each(&sql, &[edition.into()], |row| {
        let in_doubt = row.maybe_text(1)?.is_some_and(|worker| dead.contains(&worker));
        let place = match row.text(0)?.as_str() {
            "accepted" => &mut counts.accepted,
            "queued" => &mut queue,
            "deferred" => &mut counts.deferred,
            "refused" => &mut counts.refused,
            "held" => &mut counts.held,
            "cancelled" => &mut counts.cancelled,
            "sending" if !in_doubt => &mut under_way,
            _ => &mut counts.uncertain,
        };
        *place += row.int(2)?;
        Ok(())
    })?;
    if left != Some("queued") {
        // Who waits for a first try, or is under way; whoever was tried before is in the queue, too, and counted apart.
        counts.queued = queue - counts.deferred + under_way;
    }
    let rest = recipients.map_or(0, |all| all - counts.recipients());
    match left {
        Some("accepted") => counts.accepted = rest,
        Some(_) => counts.queued = rest,
        None => {}
    }
    Ok(counts)
}

/// Whether more of an edition's deliveries seem to be accepted than to wait, which decides what to count and nothing else. They go in
/// the order of the readers' ids, which are random letters and digits: what became of those about the middle tells.
fn mostly_accepted(c: &mut Connection, edition: &str) -> Result<bool, Error> {
    let sql = format!(
        "SELECT COUNT(CASE WHEN d.state = 'accepted' THEN 1 END), COUNT(CASE WHEN d.state = 'queued' THEN 1 END) FROM deliveries d \
         WHERE d.id IN (SELECT s.id || '.' || CAST((SELECT e.number FROM editions e WHERE e.id = $1) AS TEXT) \
           FROM subscribers s WHERE s.id >= '{MIDDLE}' ORDER BY s.id LIMIT {PROBES})"
    );
    c.query_one(&sql, &[edition.into()])?.map_or(Ok(false), |row| Ok(row.int(0)? > row.int(1)?))
}

fn list(c: &mut Connection, which: &str, values: &[Value]) -> Result<Vec<Named>, Error> {
    let sql = format!(
        "SELECT occasion, address, last_at FROM deliveries WHERE {which} ORDER BY last_at DESC, address LIMIT 1000"
    );
    let read = |row: &Row| {
        Ok(Named { edition: row.text(0)?, address: row.text(1)?, at: row.maybe_int(2)?.map(time).transpose()? })
    };
    c.query(&sql, values)?.iter().map(read).collect()
}
