//! Whole tables in and out, and a store to oneself: what a copy needs of either database.

use super::{Connection, Driver, Error, Row, Value};
use postgres::binary_copy::BinaryCopyInWriter;
use postgres::types::Type;
use rusqlite::ErrorCode;
use rusqlite::types::ValueRef;
use std::time::Duration;

/// A table as the migrations make it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Its name.
    pub name: String,
    /// Its columns, in their order.
    pub columns: Vec<Column>,
}

/// A column of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
    /// Its place in the primary key, from 1; 0 where it is not in it.
    pub key: i64,
}

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// TEXT.
    Text,
    /// BIGINT.
    Int,
}

/// How often, and how far apart, it is asked whether others have left: a command that ends closes its connection last.
const TRIES: u32 = 100;
const PAUSE: Duration = Duration::from_millis(20);
/// Each side waits for the other one, and a server may be told to lose patience with such.
const PATIENCE: &str = "SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0";

impl Connection {
    /// Runs `work` in one transaction while nobody else can open the store or change these tables of it: what it reads is one state.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where a process of ours has the store open, whatever it does with it.
    pub fn by_itself<T, E: From<Error>>(
        &mut self,
        tables: &[Table],
        work: impl FnOnce(&mut Self) -> Result<T, E>,
    ) -> Result<T, E> {
        let taken = self.take(tables);
        let done = self.named(taken).map_err(E::from).and_then(|()| work(self));
        let done = done.and_then(|value| self.batch("COMMIT").map(|()| value).map_err(E::from));
        if done.is_err() {
            // The first error is the one to report.
            let _ = self.batch("ROLLBACK");
        }
        // The file is as it was; and where it cannot be, whoever opens it next sees to it.
        let _ = self.settle_in();
        done
    }

    fn take(&mut self, tables: &[Table]) -> Result<(), Error> {
        if self.is_sqlite() {
            self.leave_wal()?;
            self.batch("BEGIN EXCLUSIVE")?;
            // Another process may have come in between the two.
            return match self.journal("PRAGMA journal_mode")?.as_str() {
                "wal" => Err(in_use()),
                _ => Ok(()),
            };
        }
        // Whoever opens a store reads `meta` first, and waits. A snapshot (REPEATABLE READ) would be one from before the last of those who
        // have it open has left; so what they could write to is locked, once they have.
        self.batch(&format!("BEGIN; {PATIENCE}; SET lock_timeout = '10s'; LOCK TABLE meta IN ACCESS EXCLUSIVE MODE"))?;
        self.wait_until_alone()?;
        let names: Vec<&str> = tables.iter().map(|table| table.name.as_str()).collect();
        self.batch(&format!("LOCK TABLE {} IN SHARE MODE", names.join(", ")))
    }

    fn wait_until_alone(&mut self) -> Result<(), Error> {
        for _ in 0..TRIES {
            let sql = "SELECT COUNT(*) FROM pg_stat_activity \
                 WHERE datname = current_database() AND application_name = 'postrider' AND pid <> pg_backend_pid()";
            if self.query_one(sql, &[])?.map_or(Ok(0), |row| row.int(0))? == 0 {
                return Ok(());
            }
            self.query("SELECT pg_stat_clear_snapshot()", &[])?;
            std::thread::sleep(PAUSE);
        }
        Err(in_use())
    }

    /// SQLite's log beside the file keeps one who writes from having it alone; and it goes only while nobody else has the file open.
    fn leave_wal(&mut self) -> Result<(), Error> {
        let Driver::Sqlite(c, _) = &self.driver else { return Ok(()) };
        for _ in 0..TRIES {
            match c.query_row("PRAGMA journal_mode = DELETE", [], |_| Ok(())) {
                Err(e)
                    if matches!(e.sqlite_error_code(), Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked)) =>
                {
                    std::thread::sleep(PAUSE);
                }
                done => return done.map_err(Error::from),
            }
        }
        Err(in_use())
    }

    /// Before the transaction that fills a new store: rows may come before those that they refer to, and what is written is written
    /// once. Does not last longer than the connection.
    ///
    /// # Errors
    /// [`Error::Unavailable`] where another process has the file open.
    pub fn expect_rows(&mut self) -> Result<(), Error> {
        let left = self.leave_wal();
        self.named(left)?;
        self.make_room(64)?;
        match self.is_sqlite() {
            true => self.batch("PRAGMA foreign_keys = OFF"),
            // Under another name, it is not one of those who work with a store in the same database.
            false => self
                .batch(&format!("SET application_name = 'postrider store copy'; SET lock_timeout = '60s'; {PATIENCE}")),
        }
    }

    /// The tables of a SQLite store.
    pub fn tables(&mut self) -> Result<Vec<Table>, Error> {
        let sql = "SELECT t.name, c.name, c.type, c.pk FROM sqlite_master t, pragma_table_info(t.name) c \
             WHERE t.type = 'table' AND t.name NOT LIKE 'sqlite_%' ORDER BY t.name, c.cid";
        let mut tables: Vec<Table> = Vec::new();
        self.each(sql, &[], |row| {
            let name = row.text(0)?;
            let kind = match row.text(2)?.as_str() {
                "TEXT" => Kind::Text,
                "BIGINT" => Kind::Int,
                other => return Err(Error::Corrupt(format!("a column of {name} is of type {other}"))),
            };
            let column = Column { name: row.text(1)?, kind, key: row.int(3)? };
            match tables.last_mut() {
                Some(table) if table.name == name => table.columns.push(column),
                _ => tables.push(Table { name, columns: vec![column] }),
            }
            Ok(())
        })?;
        Ok(tables)
    }

    /// Hands the rows of a table over one by one, in the order of its key: the same in every database.
    ///
    /// # Errors
    /// [`Error::Corrupt`] where a value is not of its column's kind, which SQLite lets anybody write: it could not arrive as it is.
    pub fn each_of(&mut self, table: &Table, take: impl FnMut(Row) -> Result<(), Error>) -> Result<(), Error> {
        let bytes = if self.is_sqlite() { "" } else { " COLLATE \"C\"" };
        let mut key: Vec<&Column> = table.columns.iter().filter(|column| column.key > 0).collect();
        key.sort_by_key(|column| column.key);
        let order: Vec<String> = key
            .iter()
            .map(|column| match column.kind {
                Kind::Text => format!("{}{bytes}", column.name),
                Kind::Int => column.name.clone(),
            })
            .collect();
        let sql = format!("SELECT {} FROM {} ORDER BY {}", table.list(), table.name, order.join(", "));
        match &self.driver {
            Driver::Sqlite(c, _) => self.named(read_strictly(c, &sql, table, take)),
            Driver::Postgres(..) => self.each(&sql, &[], take),
        }
    }

    /// Writes rows into a table: `rows` is given what takes them.
    pub fn fill(
        &mut self,
        table: &Table,
        rows: impl FnOnce(&mut dyn FnMut(&Row) -> Result<(), Error>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        let filled = self.write_rows(table, rows);
        self.named(filled)
    }

    fn write_rows(
        &mut self,
        table: &Table,
        rows: impl FnOnce(&mut dyn FnMut(&Row) -> Result<(), Error>) -> Result<(), Error>,
    ) -> Result<(), Error> {
        match &mut self.driver {
            Driver::Sqlite(c, _) => {
                let holes: Vec<String> = (1..=table.columns.len()).map(|number| format!("?{number}")).collect();
                let sql = format!("INSERT INTO {} ({}) VALUES ({})", table.name, table.list(), holes.join(", "));
                let mut insert = c.prepare(&sql)?;
                rows(&mut |row| Ok(insert.execute(rusqlite::params_from_iter(&row.0)).map(drop)?))
            }
            Driver::Postgres(c, _) => {
                let kind = |column: &Column| match column.kind {
                    Kind::Text => Type::TEXT,
                    Kind::Int => Type::INT8,
                };
                let types: Vec<Type> = table.columns.iter().map(kind).collect();
                let sql = format!("COPY {} ({}) FROM STDIN BINARY", table.name, table.list());
                let mut copy = BinaryCopyInWriter::new(c.copy_in(&sql)?, &types);
                rows(&mut |row| {
                    row.without_nul(table)?;
                    Ok(copy.write_raw(row.0.iter().map(|value| value as &(dyn postgres::types::ToSql + Sync)))?)
                })?;
                copy.finish()?;
                Ok(())
            }
        }
    }

    /// Takes the indexes and references of tables away, which cost much for each row and little for all of them at once. The statements
    /// that bring them back.
    pub fn lay_aside(&mut self, tables: &[Table]) -> Result<Vec<String>, Error> {
        // Of each: its table, what takes it away, what brings it back.
        let what: &[&str] = match self.is_sqlite() {
            true => &[
                "SELECT tbl_name, 'DROP INDEX ' || name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL",
            ],
            false => &[
                "SELECT CAST(tablename AS TEXT), 'DROP INDEX ' || quote_ident(indexname), indexdef FROM pg_indexes i \
                   WHERE schemaname = current_schema() AND NOT EXISTS (SELECT 1 FROM pg_constraint c \
                     WHERE c.conindid = (quote_ident(i.schemaname) || '.' || quote_ident(i.indexname))::regclass)",
                "SELECT CAST(t.relname AS TEXT), format('ALTER TABLE %I DROP CONSTRAINT %I', t.relname, c.conname), \
                   format('ALTER TABLE %I ADD CONSTRAINT %I %s', t.relname, c.conname, pg_get_constraintdef(c.oid)) \
                   FROM pg_constraint c JOIN pg_class t ON t.oid = c.conrelid JOIN pg_namespace n ON n.oid = t.relnamespace \
                   WHERE c.contype = 'f' AND n.nspname = current_schema()",
            ],
        };
        let mut back = Vec::new();
        for sql in what {
            for row in self.query(sql, &[])? {
                let name = row.text(0)?;
                if tables.iter().any(|table| table.name == name) {
                    self.batch(&row.text(1)?)?;
                    back.push(row.text(2)?);
                }
            }
        }
        // PostgreSQL would plan by tables that it takes for empty, until it looks by itself.
        back.extend((!self.is_sqlite()).then(|| "ANALYZE".to_owned()));
        Ok(back)
    }
}

fn read_strictly(
    c: &rusqlite::Connection,
    sql: &str,
    table: &Table,
    mut take: impl FnMut(Row) -> Result<(), Error>,
) -> Result<(), Error> {
    let mut statement = c.prepare(sql)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        let mut values = Vec::with_capacity(table.columns.len());
        for (at, column) in table.columns.iter().enumerate() {
            values.push(match (column.kind, row.get_ref(at)?) {
                (_, ValueRef::Null) => Value::Null,
                (Kind::Int, ValueRef::Integer(int)) => Value::Int(int),
                (Kind::Text, ValueRef::Text(text)) if let Ok(text) = std::str::from_utf8(text) => {
                    Value::Text(text.to_owned())
                }
                _ => {
                    let (column, table) = (&column.name, &table.name);
                    return Err(Error::Corrupt(format!("{column} in {table} holds what no Postrider has written")));
                }
            });
        }
        take(Row(values))?;
    }
    Ok(())
}

impl Table {
    fn list(&self) -> String {
        let names: Vec<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
        names.join(", ")
    }
}

impl Row {
    /// The row as bytes that no other row has.
    pub fn encode(&self, out: &mut Vec<u8>) {
        for value in &self.0 {
            match value {
                Value::Null => out.push(0),
                Value::Int(int) => {
                    out.push(1);
                    out.extend(int.to_le_bytes());
                }
                Value::Text(text) => {
                    out.push(2);
                    out.extend((text.len() as u64).to_le_bytes());
                    out.extend(text.as_bytes());
                }
            }
        }
    }

    /// PostgreSQL's texts hold no such character, and its own words would not say where it is.
    fn without_nul(&self, table: &Table) -> Result<(), Error> {
        let at = self.0.iter().position(|value| matches!(value, Value::Text(text) if text.contains('\0')));
        let Some(at) = at else { return Ok(()) };
        let key = table.columns.iter().zip(&self.0).filter(|(column, _)| column.key > 0);
        let key: Vec<String> = key.map(|(column, value)| format!("{} {}", column.name, value.shown())).collect();
        Err(Error::Unavailable(format!(
            "{} of {} in {} holds a NUL character, which PostgreSQL cannot keep\n  help: take it out of that text first",
            table.columns[at].name,
            key.join(", "),
            table.name,
        )))
    }
}

impl Value {
    fn shown(&self) -> String {
        match self {
            Value::Null => "null".to_owned(),
            Value::Int(int) => int.to_string(),
            Value::Text(text) => format!("{text:?}"),
        }
    }
}

fn in_use() -> Error {
    Error::Unavailable("another Postrider process has it open\n  help: stop serve, work and run first".to_owned())
}
