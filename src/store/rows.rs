//! What a row of a list does: it adds somebody, or changes who is known, where it may.

use super::Error;
use super::sql::{Connection, Row, Value};
use super::subscribers::{Added, TO_PERSON, cancel_queued, event};
use crate::address::EmailAddress;
use crate::random::Random;
use crate::subscriber::{Status, file};
use crate::token::address_hash;
use chrono::{DateTime, Utc};

/// Where a row came from, and what it brings a new person besides.
#[derive(Clone, Copy)]
pub(super) struct Origin<'a> {
    pub(super) source: &'a str,
    /// Of the sync of a file; 0 for all else.
    pub(super) mark: i64,
    pub(super) labels: &'a str,
    pub(super) paused_until: Option<DateTime<Utc>>,
    pub(super) since: DateTime<Utc>,
}

impl<'a> Origin<'a> {
    pub(super) fn of(source: &'a str, now: DateTime<Utc>) -> Self {
        Origin { source, mark: 0, labels: "", paused_until: None, since: now }
    }
}

/// What the store has of a person before a row comes.
pub(super) struct Known {
    id: String,
    address: String,
    pub(super) name: Option<String>,
    pub(super) language: Option<String>,
    pub(super) digests: String,
    pub(super) topics: String,
    pub(super) status: Status,
    source: String,
    synced: i64,
    decided: String,
}

impl Known {
    /// The columns of a [`Known`], behind its hash.
    pub(super) const COLUMNS: &str =
        "hash, id, address, name, language, digests, topics, status, source, synced, decided";

    pub(super) fn read(row: &Row) -> Result<Self, Error> {
        Ok(Known {
            id: row.text(1)?,
            address: row.text(2)?,
            name: row.maybe_text(3)?,
            language: row.maybe_text(4)?,
            digests: row.text(5)?,
            topics: row.text(6)?,
            status: row.text(7)?.parse().map_err(Error::Corrupt)?,
            source: row.text(8)?,
            synced: row.int(9)?,
            decided: row.text(10)?,
        })
    }

    /// As it was written here first.
    pub(super) fn address(&self) -> Option<EmailAddress> {
        EmailAddress::parse(&self.address).ok()
    }

    pub(super) fn find(c: &mut Connection, hash: &str) -> Result<Option<Self>, Error> {
        let sql = format!("SELECT {} FROM subscribers WHERE hash = $1", Known::COLUMNS);
        c.query_one(&sql, &[hash.into()])?.map(|row| Known::read(&row)).transpose()
    }
}

/// New people, written in groups: a statement costs as much as a row.
#[derive(Default)]
pub(super) struct Newcomers {
    people: Vec<Value>,
    events: Vec<Value>,
}

/// So many people are written by one statement.
const GROUP: usize = 40;
const PERSON: usize = 15;
const EVENT: usize = 5;

impl Newcomers {
    /// `ids` gives one for the person, and one for what is told of them.
    pub(super) fn add(
        &mut self,
        hash: &str,
        row: &file::Row,
        origin: Origin<'_>,
        mut ids: impl FnMut() -> String,
        now: DateTime<Utc>,
    ) {
        let left = row.status == Status::Unsubscribed;
        let id = ids();
        self.events.extend([
            ids().into(),
            id.as_str().into(),
            now.into(),
            if left { "unsubscribed" } else { "subscribed" }.into(),
            origin.source.into(),
        ]);
        self.people.extend([
            id.into(),
            row.address.as_str().into(),
            hash.into(),
            row.name.as_ref().into(),
            row.language.as_ref().into(),
            row.digests.as_str().into(),
            row.topics.as_str().into(),
            row.status.as_str().into(),
            origin.source.into(),
            origin.since.into(),
            now.into(),
            if left { "person" } else { "file" }.into(),
            origin.mark.into(),
            origin.labels.into(),
            origin.paused_until.into(),
        ]);
    }

    /// Whether they fill some groups: more of them only take room.
    pub(super) fn are_enough(&self) -> bool {
        self.events.len() >= EVENT * GROUP * 10
    }

    pub(super) fn write(&mut self, c: &mut Connection) -> Result<(), Error> {
        let people = "INSERT INTO subscribers (id, address, hash, name, language, digests, topics, status, source, added, changed, decided, synced, labels, paused_until) VALUES";
        let events = "INSERT INTO events (id, subscriber, at, kind, text) VALUES";
        insert(c, people, &std::mem::take(&mut self.people), PERSON)?;
        insert(c, events, &std::mem::take(&mut self.events), EVENT)
    }
}

/// Inserts rows of so many columns, in groups of one wording and the rest one by one.
fn insert(c: &mut Connection, sql: &str, values: &[Value], columns: usize) -> Result<(), Error> {
    let wording = |rows: usize| {
        let row = |row: usize| {
            let holes: Vec<String> = (1..=columns).map(|column| format!("${}", row * columns + column)).collect();
            format!("({})", holes.join(", "))
        };
        format!("{sql} {}", (0..rows).map(row).collect::<Vec<_>>().join(", "))
    };
    let groups = values.chunks_exact(columns * GROUP);
    let rest = groups.remainder();
    if values.len() > rest.len() {
        let whole = wording(GROUP);
        for group in groups {
            c.execute(&whole, group)?;
        }
    }
    if !rest.is_empty() {
        let single = wording(1);
        for row in rest.chunks_exact(columns) {
            c.execute(&single, row)?;
        }
    }
    Ok(())
}

pub(super) fn put(
    c: &mut Connection,
    salt: &str,
    row: &file::Row,
    origin: Origin<'_>,
    random: &Random,
    now: DateTime<Utc>,
) -> Result<Added, Error> {
    let hash = address_hash(salt, &row.address.identity());
    match Known::find(c, &hash)? {
        Some(known) => change(c, &known, row, origin, random, now),
        None => {
            let mut newcomers = Newcomers::default();
            newcomers.add(&hash, row, origin, || random.id(), now);
            newcomers.write(c)?;
            Ok(Added::New)
        }
    }
}

/// What a row does with a person who is known.
pub(super) fn change(
    c: &mut Connection,
    known: &Known,
    row: &file::Row,
    Origin { source, mark, .. }: Origin<'_>,
    random: &Random,
    now: DateTime<Utc>,
) -> Result<Added, Error> {
    let (id, status) = (known.id.as_str(), known.status);
    // The file governs only rows that came from it, and no row brings back who left.
    let of_file = known.source == "file";
    // Nor does one undo what a person chose on the web, for as long as the row is there and does not say that they left.
    let chose = known.decided == "person"
        && !matches!(status, Status::Absent | Status::Unsubscribed)
        && row.status != Status::Unsubscribed;
    let stays = status == Status::Unsubscribed || (source == "file" && (!of_file || chose));
    if stays {
        if mark > 0 {
            let sql = "UPDATE subscribers SET synced = $2 WHERE id = $1 AND source = 'file'";
            c.execute(sql, &[id.into(), mark.into()])?;
        }
        return Ok(if status == row.status || chose { Added::Same } else { Added::Refused });
    }
    // A person's second row in one file says nothing unless it is that they left; or each sync would change them twice.
    if mark > 0 && known.synced == mark && row.status != Status::Unsubscribed {
        return Ok(Added::Same);
    }
    let same = known.address == row.address.as_str()
        && known.name == row.name
        && known.language == row.language
        && known.digests == row.digests.as_str()
        && known.topics == row.topics.as_str()
        && status == row.status;
    if same {
        if mark > 0 {
            c.execute("UPDATE subscribers SET synced = $2 WHERE id = $1", &[id.into(), mark.into()])?;
        }
        return Ok(Added::Same);
    }
    // Whoever brings an absent person back answers for them from then on, or the next sync would take them away again.
    let source = if status == Status::Absent { source } else { &known.source };
    // Who leaves at this moment has left.
    let sql = "UPDATE subscribers SET address = $2, name = $3, language = $4, digests = $5, topics = $6, status = $7, changed = $8, source = $10, \
         synced = CASE WHEN CAST($9 AS BIGINT) > 0 THEN CAST($9 AS BIGINT) ELSE synced END WHERE id = $1 AND status <> 'unsubscribed'";
    let values = [
        id.into(),
        row.address.as_str().into(),
        row.name.as_ref().into(),
        row.language.as_ref().into(),
        row.digests.as_str().into(),
        row.topics.as_str().into(),
        row.status.as_str().into(),
        now.into(),
        mark.into(),
        source.into(),
    ];
    if c.execute(sql, &values)? == 0 {
        return Ok(Added::Refused);
    }
    if row.status != status {
        event(c, id, row.status.as_str(), source, random, now)?;
    }
    if row.status == Status::Unsubscribed || row.status == Status::Paused {
        cancel_queued(c, TO_PERSON, id)?;
    }
    Ok(Added::Changed)
}
