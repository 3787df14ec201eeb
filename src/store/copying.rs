//! A store moves to another database: all of it or nothing, and compared before it counts. Two stores that know the same people must
//! not both mail them (P1): the new one is closed until the one that was left is, which says so from then on. Wherever this is
//! interrupted, one of them is in service at most, and the same again finishes it.

use super::sql::{Connection, Row, Table, Write};
use super::{ARRIVING, Error, MIGRATIONS, MOVED, Place, bring_up, in_service, meta, set_meta, version};
use aws_lc_rs::digest::{Context, SHA256};

/// A table of two stores, compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    /// Its name.
    pub table: String,
    /// Its rows, in the store that is left.
    pub rows: u64,
    /// Whether the other one has the same rows, octet for octet.
    pub equal: bool,
}

/// Why a store was not moved.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Failed {
    /// One of them cannot be used, or must not be.
    #[error(transparent)]
    Store(#[from] Error),
    /// What was read back is not what was written.
    #[error("what was read back is not what was written")]
    Differs(Vec<Compared>),
}

/// What was seen of a table's rows, in the order of its key.
struct Sum {
    rows: u64,
    hash: Context,
    bytes: Vec<u8>,
}

/// Moves a store into a new one: copies it, compares the two, and closes the one that was left. `progress` hears how many rows were done,
/// out of how many.
///
/// # Errors
/// [`Failed`]: then the new one is as empty as it was (a new file stays: another process may have it open); but where only the closing
/// of the one or the opening of the other failed, which it says.
pub fn copy(from: &Place, to: &Place, progress: &dyn Fn(u64, u64)) -> Result<Vec<Compared>, Failed> {
    if from.clone().canonical() == to.clone().canonical() {
        return Err(Error::Unavailable(format!("both are the same store, {}", from.shown())).into());
    }
    from.must_exist().map_err(|_| none(from))?;
    // A file's whole name is known once it is there.
    let name = |place: &Place| place.clone().canonical().shown();
    let mut source = from.connect()?;
    // Before the store is taken from anybody; and it may be the same one by another name.
    let found = match to.must_exist() {
        Ok(()) => found(&mut to.connect()?, to, &name(from)),
        Err(_) => Ok(Found::Nothing),
    };
    ready(&mut source, from, found.as_ref().map_or(Found::Nothing, |found| *found), &name(to))?;
    let found = found?;
    let tables = tables()?;
    let mut filled = false;
    let copied = source.by_itself(&tables, |source| {
        ready(source, from, found, &name(to))?;
        let mut target = to.connect()?;
        let compared = fill(source, &mut target, to, &name(from), &tables, progress)?;
        filled = true;
        target.settle_in()?;
        set_meta(source, MOVED, &name(to))?;
        Ok(compared)
    });
    let compared = copied.map_err(|failed: Failed| match filled {
        true => Error::Unavailable(format!(
            "all of it is in {}, but {} could not be closed ({failed}), and goes on\n  help: say the same again to finish it",
            to.shown(),
            from.shown()
        ))
        .into(),
        false => failed,
    })?;
    open(to).map_err(|error| {
        Error::Unavailable(format!(
            "all of it is in {}, and {} is closed, but the new one could not be put into service ({error})\n  help: say the same again to finish it",
            to.shown(),
            from.shown()
        ))
    })?;
    Ok(compared)
}

/// The new one is in service.
fn open(to: &Place) -> Result<(), Error> {
    to.connect()?.execute("DELETE FROM meta WHERE key = $1", &[ARRIVING.into()]).map(|_| ())
}

/// Writes all of a store into an empty one, reads it back and closes it, in one transaction.
fn fill(
    source: &mut Connection,
    target: &mut Connection,
    to: &Place,
    from: &str,
    tables: &[Table],
    progress: &dyn Fn(u64, u64),
) -> Result<Vec<Compared>, Failed> {
    let mut expected = 0;
    for table in tables {
        let count = source.query_one(&format!("SELECT COUNT(*) FROM {}", table.name), &[])?;
        expected += count.map_or(Ok(0), |row| row.int(0))?.unsigned_abs();
    }
    let mut done = 0;
    let mut step = || {
        done += 1;
        if done % 1024 == 0 {
            // Written once, and read once.
            progress(done, 2 * expected);
        }
    };
    target.expect_rows()?;
    target.transaction(Write::Alone, |target| {
        let found = found(target, to, from)?;
        bring_up(target)?;
        let aside = target.lay_aside(tables)?;
        if found == Found::Unfinished {
            for table in tables.iter().rev() {
                target.execute(&format!("DELETE FROM {}", table.name), &[])?;
            }
        }
        target.execute("DELETE FROM meta", &[])?;
        let mut sums = Vec::with_capacity(tables.len());
        for table in tables {
            let mut sum = Sum::new();
            target.fill(table, |write| {
                source.each_of(table, |row| {
                    step();
                    sum.add(&row);
                    write(&row)
                })
            })?;
            sums.push(sum);
        }
        for statement in aside {
            target.batch(&statement)?;
        }
        let mut compared = Vec::with_capacity(tables.len());
        for (table, sum) in tables.iter().zip(sums) {
            let mut back = Sum::new();
            target.each_of(table, |row| {
                step();
                back.add(&row);
                Ok(())
            })?;
            compared.push(Compared { table: table.name.clone(), rows: sum.rows, equal: sum.equals(back) });
        }
        if !compared.iter().all(|table| table.equal) {
            return Err(Failed::Differs(compared));
        }
        // Where the other one was closed already.
        target.execute("DELETE FROM meta WHERE key = $1", &[MOVED.into()])?;
        set_meta(target, ARRIVING, from)?;
        Ok(compared)
    })
}

/// The tables that a store has: those that the migrations make.
fn tables() -> Result<Vec<Table>, Error> {
    let mut model = Connection::memory()?;
    bring_up(&mut model)?;
    model.tables()
}

/// A copy must not change what it copies. One that was closed for this very copy is still to arrive.
fn ready(source: &mut Connection, from: &Place, found: Found, to: &str) -> Result<(), Error> {
    let known = MIGRATIONS.len() as i64;
    match version(source)? {
        None => Err(none(from)),
        Some(found) if found > known => Err(Error::NewerSchema { found, known }),
        Some(found) if found < known => Err(Error::Unavailable(format!(
            "the store {} is of version {found}, and this program's are of version {known}\n  help: bring it up to date first: any command does, such as `postrider status`",
            from.shown()
        ))),
        Some(_) if found == Found::Unfinished && meta(source, MOVED)?.as_deref() == Some(to) => Ok(()),
        Some(_) => in_service(source, from),
    }
}

/// What a copy is written over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Found {
    Nothing,
    /// A copy of the same store that was interrupted: it was never in service.
    Unfinished,
}

/// An error where something else is there.
fn found(target: &mut Connection, to: &Place, from: &str) -> Result<Found, Error> {
    let filled = || {
        Error::Unavailable(format!(
            "there is something in {} already, and nothing was copied\n  help: name a new file, or an empty database",
            to.shown()
        ))
    };
    let known = MIGRATIONS.len() as i64;
    match version(target) {
        Ok(None) => return Ok(Found::Nothing),
        Ok(Some(found)) if found > known => return Err(Error::NewerSchema { found, known }),
        Ok(Some(found)) if found < known => return Err(filled()),
        // Of another program.
        Err(Error::Corrupt(_)) => return Err(filled()),
        other => other?,
    };
    if meta(target, ARRIVING)?.as_deref() == Some(from) {
        return Ok(Found::Unfinished);
    }
    for table in tables()? {
        let but = if table.name == "meta" { "WHERE key <> 'version'" } else { "" };
        if target.query_one(&format!("SELECT 1 FROM {} {but} LIMIT 1", table.name), &[])?.is_some() {
            return Err(filled());
        }
    }
    Ok(Found::Nothing)
}

fn none(from: &Place) -> Error {
    Error::Unavailable(format!("there is no store at {}\n  help: name the one of [store] url", from.shown()))
}

impl Sum {
    fn new() -> Self {
        Sum { rows: 0, hash: Context::new(&SHA256), bytes: Vec::new() }
    }

    fn add(&mut self, row: &Row) {
        self.rows += 1;
        self.bytes.clear();
        row.encode(&mut self.bytes);
        self.hash.update(&self.bytes);
    }

    fn equals(self, other: Sum) -> bool {
        self.rows == other.rows && self.hash.finish().as_ref() == other.hash.finish().as_ref()
    }
}
