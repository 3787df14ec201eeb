//! One SQL text for SQLite and PostgreSQL. This file alone names the drivers.
//!
//! Statements use TEXT and BIGINT only, and `$1…$n`. What differs is here: `{skip}` (PostgreSQL's `FOR UPDATE SKIP
//! LOCKED`; SQLite has one writer and needs none), how a write begins, and how errors read.

mod bulk;
mod errors;

pub use bulk::{Column, Kind, Table};

use super::Error;
use rusqlite::types::{ToSqlOutput, ValueRef};
use std::collections::HashMap;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::Duration;

/// A value to bind or read.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// SQL's NULL.
    Null,
    /// BIGINT.
    Int(i64),
    /// TEXT.
    Text(String),
}

/// One row of an answer.
#[derive(Debug)]
pub struct Row(Vec<Value>);

/// A connection to either database.
pub struct Connection {
    driver: Driver,
    keep: Keep,
    /// The store, as errors name it.
    shown: String,
}

enum Driver {
    /// With its own wording of the statements that it has run.
    Sqlite(Box<rusqlite::Connection>, HashMap<String, String>),
    /// With the statements that it has prepared.
    Postgres(Box<postgres::Client>, HashMap<String, postgres::Statement>),
}

/// Whether commits are kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Keep {
    All,
    /// One transaction around everything is rolled back with the connection.
    Nothing,
}

/// How a transaction begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// One of many writers: rows decide who wins.
    Shared,
    /// The only one of its kind: what it read stays true until it commits.
    Alone,
}

/// How long a SQLite writer waits for another process's commit.
const BUSY: Duration = Duration::from_secs(60);
/// Waits for the next try. Evenly: SQLite's own waits grow to a tenth of a second, and miss the gaps between the pieces of a long job.
fn wait(tries: i32) -> bool {
    let pause = Duration::from_millis(10);
    std::thread::sleep(pause);
    pause * u32::try_from(tries).unwrap_or(u32::MAX) < BUSY
}

/// How long PostgreSQL and we may be parted before the connection counts as lost.
const PARTED: Duration = Duration::from_secs(30);

/// The advisory lock of [`Write::Alone`]: "post" in ASCII.
const ALONE: i64 = 0x706F_7374;

impl Connection {
    /// Opens or creates a SQLite file.
    pub fn sqlite(path: &Path) -> Result<Self, Error> {
        // It holds addresses, and mostly the secret that signs links; what SQLite puts beside it has the same permissions.
        let _ = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        Self::configure(rusqlite::Connection::open(path)?)
    }

    /// A SQLite database of its own, gone with the connection: in memory while it is small, else in a file without a name.
    pub fn memory() -> Result<Self, Error> {
        Self::configure(rusqlite::Connection::open("")?)
    }

    fn configure(mut connection: rusqlite::Connection) -> Result<Self, Error> {
        connection.busy_handler(Some(wait))?;
        // FULL: a commit is on the disk before anything is done on the strength of it (P2). And who is erased is no more in the file.
        connection.execute_batch("PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON;")?;
        connection.set_prepared_statement_cache_capacity(64);
        Ok(Connection {
            driver: Driver::Sqlite(Box::new(connection), HashMap::new()),
            keep: Keep::All,
            shown: String::new(),
        })
    }

    /// Connects to a PostgreSQL server. TLS as the URL's `sslmode` says.
    pub fn postgres(url: &str) -> Result<Self, Error> {
        let mut config: postgres::Config = url.parse()?;
        config.application_name("postrider").connect_timeout(Duration::from_secs(15));
        // A connection whose other end has gone must be found out: it carries the lock that says we live.
        config
            .keepalives(true)
            .keepalives_idle(Duration::from_secs(15))
            .keepalives_interval(Duration::from_secs(5))
            .keepalives_retries(3)
            // Those speak only where nothing waits for an answer.
            .tcp_user_timeout(PARTED);
        let roots = rustls::RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() };
        let provider = std::sync::Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let tls = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|e| Error::Unavailable(e.to_string()))?
            .with_root_certificates(roots)
            .with_no_client_auth();
        let mut client = config.connect(tokio_postgres_rustls::MakeRustlsConnect::new(tls))?;
        // And the server must find out, so that another may take over: by itself it would wait for hours.
        client.batch_execute(&format!(
            "SET tcp_keepalives_idle = 15; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3; SET tcp_user_timeout = {}",
            PARTED.as_millis()
        ))?;
        Ok(Connection {
            driver: Driver::Postgres(Box::new(client), HashMap::new()),
            keep: Keep::All,
            shown: String::new(),
        })
    }

    /// Makes readers and the writer of a SQLite file independent of each other. The file keeps that, so it is done only once it
    /// is known to be ours.
    pub fn settle_in(&mut self) -> Result<(), Error> {
        let mut tries = 0;
        while self.is_sqlite() && self.journal("PRAGMA journal_mode")? != "wal" {
            // SQLite waits for nobody here, whatever the busy time-out: another process may be at the same.
            match self.journal("PRAGMA journal_mode = WAL") {
                Err(error) if tries > 100 => return Err(error),
                _ => tries += 1,
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    fn journal(&mut self, pragma: &str) -> Result<String, Error> {
        self.query_one(pragma, &[])?.map_or(Ok(String::new()), |row| row.text(0))
    }

    /// Becomes what another SQLite database is at this moment: in one transaction, while others go on working with that one.
    pub fn copy_all_of(&mut self, other: &Connection) -> Result<(), Error> {
        let (Driver::Sqlite(to, _), Driver::Sqlite(from, _)) = (&mut self.driver, &other.driver) else {
            return Err(Error::Unavailable("only a SQLite store is copied as a file".to_owned()));
        };
        let copy = rusqlite::backup::Backup::new(from, to).map_err(Error::from);
        // All pages at once: in pieces, each commit of another process would begin it anew.
        let done = copy.and_then(|copy| copy.step(-1).map_err(Error::from));
        match self.named(done)? {
            rusqlite::backup::StepResult::Done => Ok(()),
            _ => self.named(Err(Error::Unavailable("another process keeps it locked".to_owned()))),
        }
    }

    /// Room for a transaction that writes all over the tables: with the little that is enough for all others, SQLite would write and
    /// read the same pages again and again.
    pub fn make_room(&mut self, mebibytes: usize) -> Result<(), Error> {
        match self.is_sqlite() {
            true => self.batch(&format!("PRAGMA cache_size = -{}", mebibytes * 1024)),
            false => Ok(()),
        }
    }

    /// Whether it is SQLite.
    pub fn is_sqlite(&self) -> bool {
        matches!(self.driver, Driver::Sqlite(..))
    }

    /// From now on errors name the store so.
    pub fn known_as(mut self, shown: String) -> Self {
        self.shown = shown;
        self
    }

    fn named<T>(&self, result: Result<T, Error>) -> Result<T, Error> {
        let shown = &self.shown;
        result.map_err(|error| match error {
            Error::Unavailable(why) if !shown.is_empty() && !why.contains(shown) => {
                Error::Unavailable(format!("the store {shown} cannot be used: {why}"))
            }
            Error::Corrupt(why) if !shown.is_empty() && !why.contains(shown) => {
                Error::Corrupt(format!("the store {shown}: {why}"))
            }
            other => other,
        })
    }

    /// Runs several statements without parameters.
    pub fn batch(&mut self, sql: &str) -> Result<(), Error> {
        let done = match &mut self.driver {
            Driver::Sqlite(c, _) => c.execute_batch(sql).map_err(Error::from),
            Driver::Postgres(c, _) => c.batch_execute(sql).map_err(Error::from),
        };
        self.named(done)
    }

    /// Runs a statement; the number of rows that it changed.
    pub fn execute(&mut self, sql: &str, params: &[Value]) -> Result<u64, Error> {
        let changed = self.change(sql, params);
        self.named(changed)
    }

    fn change(&mut self, sql: &str, params: &[Value]) -> Result<u64, Error> {
        match &mut self.driver {
            Driver::Sqlite(c, wordings) => {
                let mut statement = c.prepare_cached(for_sqlite(wordings, sql))?;
                Ok(statement.execute(rusqlite::params_from_iter(params))? as u64)
            }
            Driver::Postgres(c, cache) => {
                let statement = prepare(c, cache, sql)?;
                Ok(c.execute(&statement, &as_params(params))?)
            }
        }
    }

    /// All rows of a small answer.
    pub fn query(&mut self, sql: &str, params: &[Value]) -> Result<Vec<Row>, Error> {
        let mut rows = Vec::new();
        self.each(sql, params, |row| {
            rows.push(row);
            Ok(())
        })?;
        Ok(rows)
    }

    /// The first row, if there is one.
    pub fn query_one(&mut self, sql: &str, params: &[Value]) -> Result<Option<Row>, Error> {
        Ok(self.query(sql, params)?.into_iter().next())
    }

    /// Hands the rows of a long answer over one by one.
    pub fn each(
        &mut self,
        sql: &str,
        params: &[Value],
        take: impl FnMut(Row) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let read = self.read(sql, params, take);
        self.named(read)
    }

    fn read(
        &mut self,
        sql: &str,
        params: &[Value],
        mut take: impl FnMut(Row) -> Result<(), Error>,
    ) -> Result<(), Error> {
        match &mut self.driver {
            Driver::Sqlite(c, wordings) => {
                let mut statement = c.prepare_cached(for_sqlite(wordings, sql))?;
                let mut rows = statement.query(rusqlite::params_from_iter(params))?;
                while let Some(row) = rows.next()? {
                    let width = row.as_ref().column_count();
                    take(Row((0..width).map(|at| Ok(from_sqlite(row.get_ref(at)?))).collect::<Result<_, Error>>()?))?;
                }
                Ok(())
            }
            Driver::Postgres(c, cache) => {
                use postgres::fallible_iterator::FallibleIterator;
                let statement = prepare(c, cache, sql)?;
                let params = as_params(params);
                let mut rows = c.query_raw(&statement, params)?;
                while let Some(row) = rows.next()? {
                    take(Row((0..row.len()).map(|at| from_postgres(&row, at)).collect::<Result<_, Error>>()?))?;
                }
                Ok(())
            }
        }
    }

    /// From now on nothing is kept: whatever is written is seen by this connection alone, and gone with it.
    pub fn rehearse(&mut self) -> Result<(), Error> {
        self.batch(if self.is_sqlite() { "BEGIN IMMEDIATE" } else { "BEGIN" })?;
        self.keep = Keep::Nothing;
        Ok(())
    }

    /// Runs `work` in one transaction: all of it is committed, or none.
    pub fn transaction<T, E: From<Error>>(
        &mut self,
        how: Write,
        work: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let (begin, commit, rollback) = match (self.keep, &self.driver) {
            (Keep::Nothing, _) => {
                ("SAVEPOINT rehearsal", "RELEASE SAVEPOINT rehearsal", "ROLLBACK TO SAVEPOINT rehearsal")
            }
            // A deferred BEGIN that writes later fails at once when another has written, whatever the busy time-out.
            (Keep::All, Driver::Sqlite(..)) => ("BEGIN IMMEDIATE", "COMMIT", "ROLLBACK"),
            (Keep::All, Driver::Postgres(..)) => ("BEGIN", "COMMIT", "ROLLBACK"),
        };
        self.control(begin)?;
        let done = self.alone(how).map_err(E::from).and_then(|()| work(self));
        let done = done.and_then(|value| self.control(commit).map(|()| value).map_err(E::from));
        if done.is_err() {
            // The first error is the one to report; the connection may be gone.
            let _ = self.batch(rollback);
        }
        done
    }

    /// Begins or ends a transaction. SQLite keeps the statement prepared.
    fn control(&mut self, sql: &str) -> Result<(), Error> {
        match self.is_sqlite() {
            true => self.execute(sql, &[]).map(drop),
            false => self.batch(sql),
        }
    }

    /// SQLite's `PRAGMA synchronous`, read back: 2 is FULL. None for PostgreSQL.
    pub fn synchronous(&mut self) -> Result<Option<i64>, Error> {
        match self.is_sqlite() {
            true => self.query_one("PRAGMA synchronous", &[])?.map(|row| row.int(0)).transpose(),
            false => Ok(None),
        }
    }

    /// SQLite has one writer anyway.
    fn alone(&mut self, how: Write) -> Result<(), Error> {
        match (how, self.is_sqlite()) {
            (Write::Alone, false) => self.query("SELECT pg_advisory_xact_lock($1)", &[ALONE.into()]).map(drop),
            _ => Ok(()),
        }
    }
}

impl Row {
    /// A column that is TEXT and never NULL.
    pub fn text(&self, at: usize) -> Result<String, Error> {
        match &self.0[at] {
            Value::Text(text) => Ok(text.clone()),
            other => Err(Error::Corrupt(format!("column {at} holds {other:?}, not a text"))),
        }
    }

    /// A column that is BIGINT and never NULL.
    pub fn int(&self, at: usize) -> Result<i64, Error> {
        match &self.0[at] {
            Value::Int(int) => Ok(*int),
            other => Err(Error::Corrupt(format!("column {at} holds {other:?}, not a number"))),
        }
    }

    /// A TEXT column that may be NULL.
    pub fn maybe_text(&self, at: usize) -> Result<Option<String>, Error> {
        (self.0[at] != Value::Null).then(|| self.text(at)).transpose()
    }

    /// A BIGINT column that may be NULL.
    pub fn maybe_int(&self, at: usize) -> Result<Option<i64>, Error> {
        (self.0[at] != Value::Null).then(|| self.int(at)).transpose()
    }
}

/// SQLite takes `$2` for a name and numbers names by first appearance; `?2` is a number. Our statements hold no other `$`.
fn for_sqlite<'a>(wordings: &'a mut HashMap<String, String>, sql: &str) -> &'a str {
    if !wordings.contains_key(sql) {
        wordings.insert(sql.to_owned(), sql.replace('$', "?").replace("{skip}", ""));
    }
    &wordings[sql]
}

fn prepare(
    c: &mut postgres::Client,
    cache: &mut HashMap<String, postgres::Statement>,
    sql: &str,
) -> Result<postgres::Statement, Error> {
    if let Some(statement) = cache.get(sql) {
        return Ok(statement.clone());
    }
    let statement = c.prepare(&sql.replace("{skip}", "FOR UPDATE SKIP LOCKED"))?;
    cache.insert(sql.to_owned(), statement.clone());
    Ok(statement)
}

fn as_params(params: &[Value]) -> Vec<&(dyn postgres::types::ToSql + Sync)> {
    params.iter().map(|p| p as &(dyn postgres::types::ToSql + Sync)).collect()
}

fn from_sqlite(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(int) => Value::Int(int),
        ValueRef::Real(real) => Value::Int(real as i64),
        ValueRef::Text(text) | ValueRef::Blob(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
    }
}

fn from_postgres(row: &postgres::Row, at: usize) -> Result<Value, Error> {
    use postgres::types::Type;
    let ty = row.columns()[at].type_();
    Ok(if *ty == Type::INT8 {
        row.try_get::<_, Option<i64>>(at)?.map_or(Value::Null, Value::Int)
    } else if *ty == Type::INT4 {
        row.try_get::<_, Option<i32>>(at)?.map_or(Value::Null, |int| Value::Int(int.into()))
    } else if *ty == Type::BOOL {
        row.try_get::<_, Option<bool>>(at)?.map_or(Value::Null, |b| Value::Int(b.into()))
    } else if *ty == Type::VOID {
        Value::Null
    } else {
        row.try_get::<_, Option<String>>(at)?.map_or(Value::Null, Value::Text)
    })
}

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Value::Null => ToSqlOutput::Borrowed(ValueRef::Null),
            Value::Int(int) => ToSqlOutput::Borrowed(ValueRef::Integer(*int)),
            Value::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
        })
    }
}

impl postgres::types::ToSql for Value {
    fn to_sql(
        &self,
        ty: &postgres::types::Type,
        out: &mut bytes::BytesMut,
    ) -> Result<postgres::types::IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Value::Null => Ok(postgres::types::IsNull::Yes),
            Value::Int(int) => int.to_sql(ty, out),
            Value::Text(text) => text.to_sql(ty, out),
        }
    }

    fn accepts(_: &postgres::types::Type) -> bool {
        true
    }

    postgres::types::to_sql_checked!();
}

impl From<i64> for Value {
    fn from(int: i64) -> Self {
        Value::Int(int)
    }
}
impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Value::Text(text.to_owned())
    }
}
impl From<String> for Value {
    fn from(text: String) -> Self {
        Value::Text(text)
    }
}
impl From<&String> for Value {
    fn from(text: &String) -> Self {
        Value::Text(text.clone())
    }
}
impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(maybe: Option<T>) -> Self {
        maybe.map_or(Value::Null, Into::into)
    }
}
impl From<chrono::DateTime<chrono::Utc>> for Value {
    fn from(time: chrono::DateTime<chrono::Utc>) -> Self {
        Value::Int(time.timestamp_millis())
    }
}
