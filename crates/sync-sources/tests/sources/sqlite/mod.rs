//! What is special about SQLite files. Each test writes SQL as an app does, and compares what a follower has with what the
//! file has.

mod check;
mod files;
mod kill;
mod replace;
mod schema;
mod tables;

use rusqlite::Connection;
use rusqlite::types::ValueRef;
use sync_config::Value;
use sync_sources::sqlite::SqliteSource;
use tempfile::TempDir;

use crate::follower::{self, Follower, Row, State};
use crate::patterns;
use crate::worlds::{connect, quoted};

/// A file, an app that writes to it, and a follower that has caught up.
pub(crate) struct File {
    pub(crate) folder: TempDir,
    pub(crate) app: Connection,
    pub(crate) source: SqliteSource,
    pub(crate) follower: Follower,
}

impl File {
    /// `sql` creates tables; those with names as in the patterns are followed.
    pub(crate) fn new(names: &[&str], sql: &str) -> Self {
        Self::with_journal("wal", names, sql)
    }

    pub(crate) fn with_journal(journal: &str, names: &[&str], sql: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.db");
        let app = connect(&path);
        app.pragma_update(None, "journal_mode", journal).unwrap();
        app.execute_batch(sql).unwrap();
        let source = SqliteSource::open(&path).unwrap();
        let mut follower = Follower::new(patterns(names), State::default());
        follower.start(&source).unwrap();
        let mut file = Self { folder, app, source, follower };
        file.check();
        file
    }

    pub(crate) fn path(&self) -> std::path::PathBuf {
        self.folder.path().join("app.db")
    }

    pub(crate) fn run(&self, sql: &str) {
        self.app.execute_batch(sql).unwrap();
    }

    /// Whether the follower has what the file has.
    pub(crate) fn check(&mut self) {
        self.follower.catch_up(&self.source).unwrap();
        for (name, rows) in self.follower.content() {
            let mut rows: Vec<Row> = rows.into_values().collect();
            rows.sort();
            assert_eq!(rows, stored(&self.app, &name), "{name}");
        }
    }

    /// As [`File::check`], after SQL.
    pub(crate) fn check_after(&mut self, sql: &str) {
        self.run(sql);
        self.check();
    }

    /// The names of the tables that the follower has.
    pub(crate) fn tables(&self) -> Vec<String> {
        self.follower.content().into_keys().collect()
    }

    pub(crate) fn restart(&mut self) {
        self.source = SqliteSource::open(self.path()).unwrap();
        let lost = self.follower.lost;
        self.follower.start(&self.source).unwrap();
        assert_eq!(self.follower.lost, lost);
    }
}

/// The rows of a table, in order.
fn stored(app: &Connection, table: &str) -> Vec<Row> {
    let has_key: bool =
        app.query_row("SELECT count(*) FROM pragma_table_info(?1) WHERE pk > 0", [table], |row| row.get(0)).unwrap();
    let is_shadowed: bool = app
        .query_row("SELECT count(*) FROM pragma_table_info(?1) WHERE name = 'rowid'", [table], |row| row.get(0))
        .unwrap();
    let rowid = match (has_key, is_shadowed) {
        (true, _) => "",
        (false, true) => "_rowid_ AS _rowid_, ",
        (false, false) => "rowid AS rowid, ",
    };
    let mut statement = app.prepare(&format!("SELECT {rowid}* FROM {}", quoted(table))).unwrap();
    let columns: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut rows = statement.query([]).unwrap();
    let mut found = Vec::new();
    while let Some(row) = rows.next().unwrap() {
        let values: Vec<Value> = (0..columns.len()).map(|column| value(row.get_ref(column).unwrap())).collect();
        found.push(follower::row(&columns, &values));
    }
    found.sort();
    found
}

fn value(value: ValueRef<'_>) -> Value {
    match value {
        ValueRef::Null => Value::Null,
        ValueRef::Integer(integer) => Value::Integer(integer),
        ValueRef::Real(real) => Value::Real(real),
        ValueRef::Text(text) => Value::Text(String::from_utf8_lossy(text).into_owned()),
        ValueRef::Blob(blob) => Value::Blob(blob.to_vec()),
    }
}
