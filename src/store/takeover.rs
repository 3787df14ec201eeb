//! The people of another program's list, taken over a piece at a time. Who left, bounced or complained there must not be mailed here; who
//! did so here stays so, and nobody comes back who was erased.

use super::rows::{Known, Newcomers, Origin, change};
use super::sql::{Connection, Row, Value, Write};
use super::subscribers::{Added, TO_HASH, cancel_queued, suppress};
use super::{Error, Store, mint};
use crate::random::Random;
use crate::subscriber::import::Person;
use crate::subscriber::{Choices, Status, Suppression, file};
use crate::token::address_hash;
use chrono::{DateTime, Utc};
use std::collections::{HashMap, HashSet};

/// What the store has of the people of a piece.
struct Piece<'a> {
    barred: HashMap<String, String>,
    known: HashMap<String, Known>,
    /// Of whom a row came before in this piece: what was known of them is no longer so.
    seen: HashSet<&'a str>,
    newcomers: Newcomers,
}

impl Store {
    /// Adds or changes the people of a piece of a list, all or none.
    pub fn take_over(
        &self,
        people: &[Person],
        source: &str,
        random: &Random,
        now: DateTime<Utc>,
    ) -> Result<Vec<Added>, Error> {
        let mut connection = self.connection();
        connection.make_room(48)?;
        connection.transaction(Write::Shared, |c| {
            let salt = mint(c, "salt", random)?;
            let hashes: Vec<String> =
                people.iter().map(|person| address_hash(&salt, &person.row.address.identity())).collect();
            let mut piece = Piece::read(c, &hashes)?;
            let mut ids = random.siblings();
            let mut done = Vec::with_capacity(people.len());
            for (person, hash) in people.iter().zip(&hashes) {
                done.push(piece.take(c, person, hash, source, (random, &mut ids), now)?);
            }
            piece.newcomers.write(c)?;
            Ok(done)
        })
    }
}

impl<'a> Piece<'a> {
    fn read(c: &mut Connection, hashes: &[String]) -> Result<Self, Error> {
        let (mut barred, mut known) = (HashMap::new(), HashMap::new());
        among(c, "SELECT hash, reason FROM suppressions", hashes, |row| {
            barred.insert(row.text(0)?, row.text(1)?);
            Ok(())
        })?;
        among(c, &format!("SELECT {} FROM subscribers", Known::COLUMNS), hashes, |row| {
            known.insert(row.text(0)?, Known::read(&row)?);
            Ok(())
        })?;
        Ok(Piece { barred, known, seen: HashSet::new(), newcomers: Newcomers::default() })
    }

    fn take(
        &mut self,
        c: &mut Connection,
        person: &Person,
        hash: &'a str,
        source: &str,
        (random, ids): (&Random, &mut dyn FnMut() -> String),
        now: DateTime<Utc>,
    ) -> Result<Added, Error> {
        let barred = self.barred.get(hash).cloned();
        if barred.as_deref() == Some("erased") {
            return Ok(Added::Refused);
        }
        let known = match self.seen.insert(hash) {
            true => self.known.remove(hash),
            false => {
                self.newcomers.write(c)?;
                Known::find(c, hash)?
            }
        };
        let since = person.since.unwrap_or(now);
        let origin =
            Origin { source, mark: 0, labels: person.labels.as_str(), paused_until: person.paused_until, since };
        let added = match known {
            None => {
                self.newcomers.add(hash, &person.row, origin, ids, now);
                if self.newcomers.are_enough() {
                    self.newcomers.write(c)?;
                }
                Added::New
            }
            Some(known) => {
                let added = change(c, &known, &beside(&known, &person.row), origin, random, now)?;
                if !person.labels.is_empty() {
                    let sql = "UPDATE subscribers SET labels = $2 WHERE hash = $1 AND labels <> $2";
                    c.execute(sql, &[hash.into(), person.labels.as_str().into()])?;
                }
                added
            }
        };
        match person.suppression {
            // A bounce that became a complaint, or the owner's word, is one from then on.
            Some(reason) if barred.as_deref().is_none_or(|b| b == "bounce" && reason != Suppression::Bounce) => {
                suppress(c, hash, person.row.address.as_str(), reason, None, now)?;
                cancel_queued(c, TO_HASH, hash)?;
                self.barred.insert(hash.to_owned(), reason.as_str().to_owned());
                Ok(if added == Added::Refused { added } else { Added::Suppressed })
            }
            None if barred.is_some() && added != Added::Same => Ok(Added::Suppressed),
            _ => Ok(added),
        }
    }
}

/// Hands out the rows whose hash is one of these.
fn among(
    c: &mut Connection,
    sql: &str,
    hashes: &[String],
    mut take: impl FnMut(Row) -> Result<(), Error>,
) -> Result<(), Error> {
    const MOST: usize = 500;
    let holes: Vec<String> = (1..=MOST).map(|n| format!("${n}")).collect();
    let sql = format!("{sql} WHERE hash IN ({})", holes.join(", "));
    for some in hashes.chunks(MOST) {
        // One wording for all: the last of them fills up the rest.
        let last = some.last().into_iter().cycle().take(MOST - some.len());
        let values: Vec<Value> = some.iter().chain(last).map(|hash| hash.as_str().into()).collect();
        c.each(&sql, &values, &mut take)?;
    }
    Ok(())
}

/// Another program's row beside what is known: what it does not say stays, and so does what a person chose here, but that they left.
fn beside(known: &Known, row: &file::Row) -> file::Row {
    let kept =
        |text: &str, new: &Choices| if text.is_empty() { new.clone() } else { Choices::from_stored(text.to_owned()) };
    file::Row {
        address: known.address().unwrap_or_else(|| row.address.clone()),
        name: known.name.clone().or_else(|| row.name.clone()),
        language: known.language.clone().or_else(|| row.language.clone()),
        digests: kept(&known.digests, &row.digests),
        topics: kept(&known.topics, &row.topics),
        status: if known.status == Status::Paused && row.status == Status::Active { known.status } else { row.status },
    }
}
