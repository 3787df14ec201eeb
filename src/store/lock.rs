//! Who is alive. A worker holds a lock for as long as it lives, whatever ends it; who can take that lock knows that it is dead.
//!
//! SQLite: each worker locks a file of its own beside the store. PostgreSQL: a session-level advisory lock on the very
//! connection that commits its intents, so that a worker that lost the connection cannot commit another.

use super::Error;
use super::sql::Connection;
use aws_lc_rs::digest;
use std::fs::{File, OpenOptions, TryLockError};
use std::path::{Path, PathBuf};

/// A worker's sign of life. Dropped, or its process killed, the lock is free.
#[derive(Debug)]
pub enum Life {
    /// The locked file, removed at a clean end.
    File(PathBuf, File),
    /// The lock lives in the database session.
    Session,
}

/// Begins a worker's life. `beside` is the SQLite file; None for PostgreSQL.
pub fn begin(connection: &mut Connection, beside: Option<&Path>, worker: &str) -> Result<Life, Error> {
    match beside {
        Some(store) => {
            let path = path(store, worker);
            let cannot = |e: std::io::Error| Error::Unavailable(format!("cannot lock {}: {e}", path.display()));
            let file = OpenOptions::new().create(true).truncate(false).write(true).open(&path).map_err(cannot)?;
            file.lock().map_err(cannot)?;
            Ok(Life::File(path, file))
        }
        None if connection.is_sqlite() => Ok(Life::Session),
        None => {
            let taken = connection.query_one("SELECT pg_try_advisory_lock($1)", &[key(worker).into()])?;
            // Behind a transaction pooler the session that answers is not the one that locked.
            let same = connection.query_one(
                "SELECT COUNT(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid() AND objsubid = 1",
                &[],
            )?;
            let held = |row: Option<super::sql::Row>| row.map(|r| r.int(0)).transpose();
            match (held(taken)?, held(same)?) {
                (Some(1), Some(1..)) => Ok(Life::Session),
                _ => Err(Error::Unavailable("the database session does not keep its lock; connect to PostgreSQL itself, not through a transaction pooler".to_owned())),
            }
        }
    }
}

/// Whether a worker is dead for certain.
pub fn is_dead(connection: &mut Connection, beside: Option<&Path>, worker: &str) -> Result<bool, Error> {
    match beside {
        Some(store) => match File::open(path(store, worker)) {
            Ok(file) => Ok(match file.try_lock() {
                Ok(()) => true,
                Err(TryLockError::WouldBlock) => false,
                Err(TryLockError::Error(e)) => {
                    return Err(Error::Unavailable(format!("cannot try a worker's lock: {e}")));
                }
            }),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(true),
            Err(e) => Err(Error::Unavailable(format!("cannot open a worker's lock: {e}"))),
        },
        None if connection.is_sqlite() => Ok(true),
        None => {
            let free = connection.query_one("SELECT pg_try_advisory_lock($1)", &[key(worker).into()])?;
            let free = free.map(|r| r.int(0)).transpose()? == Some(1);
            if free {
                connection.query("SELECT pg_advisory_unlock($1)", &[key(worker).into()])?;
            }
            Ok(free)
        }
    }
}

/// Clears away what a dead worker left.
pub fn bury(beside: Option<&Path>, worker: &str) {
    if let Some(store) = beside {
        // A leftover is harmless: worker ids are never used again.
        let _ = std::fs::remove_file(path(store, worker));
    }
}

impl Drop for Life {
    fn drop(&mut self) {
        if let Life::File(path, _) = self {
            let _ = std::fs::remove_file(path);
        }
    }
}

fn path(store: &Path, worker: &str) -> PathBuf {
    let mut name = store.as_os_str().to_owned();
    name.push(format!(".{worker}.lock"));
    PathBuf::from(name)
}

fn key(worker: &str) -> i64 {
    let hash = digest::digest(&digest::SHA256, worker.as_bytes());
    i64::from_le_bytes(hash.as_ref()[..8].try_into().expect("eight octets"))
}
