//! A file with lists and todos, a write path to it, and uploads.

use std::path::PathBuf;

use rusqlite::Connection;
use rusqlite::types::Value as Stored;
use serde_json::{Value, json};
use write_path::sqlite::{Options as FileOptions, SqlitePersister};
use write_path::{Options, Rules, WritePath, WriteUser};

pub(crate) use crate::cases::requests::{delete, outcome, patch, put, user_of};

pub(crate) const TABLES: &str = "
    PRAGMA journal_mode = WAL;
    CREATE TABLE lists(id TEXT PRIMARY KEY, owner_id TEXT NOT NULL, name TEXT);
    CREATE TABLE todos(id TEXT PRIMARY KEY, list_id TEXT NOT NULL REFERENCES lists(id), description TEXT,
        done INTEGER, owner_id TEXT);
    INSERT INTO lists VALUES ('a', 'alice', 'Alice''s'), ('b', 'bob', 'Bob''s');
    INSERT INTO todos VALUES ('ta', 'a', 'hers', 0, 'alice'), ('tb', 'b', 'his secret', 0, 'bob');
";

pub(crate) const RULES: &str = "
writes:
  tables:
    lists:
      columns: [name]
      set: {owner_id: auth.user_id()}
      check: owner_id = auth.user_id()
    todos:
      columns: [description, done, list_id]
      set: {owner_id: auth.user_id()}
      check: list_id IN (SELECT id FROM lists WHERE owner_id = auth.user_id())
";

pub(crate) const LETTERS: &str = "_rowtide_dead_letter";

pub(crate) const RESULTS: &str = "_rowtide_write_result";

/// A column that counts rows.
pub(crate) const ROW_NUMBER: &str = "INTEGER PRIMARY KEY";

/// How many random sessions there are.
pub(crate) const SESSIONS: u64 = 15;

pub(crate) const NOW: i64 = 1_700_000_000_000_000;

/// A file and a write path to it.
pub(crate) struct Tested {
    folder: tempfile::TempDir,
    pub(crate) path: WritePath,
    /// To look at the file, and to change it as the app does.
    pub(crate) app: Connection,
}

impl Tested {
    /// Lists and todos, of which each user has their own.
    pub(crate) fn new() -> Self {
        Self::with(TABLES, RULES)
    }

    pub(crate) fn with(tables: &str, rules: &str) -> Self {
        Self::with_options(tables, rules, &Options::default())
    }

    pub(crate) fn with_options(tables: &str, rules: &str, options: &Options) -> Self {
        Self::with_file_options(tables, rules, options, &FileOptions::default())
    }

    pub(crate) fn with_file_options(tables: &str, rules: &str, options: &Options, file: &FileOptions) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let app = Connection::open(folder.path().join("app.db")).unwrap();
        app.execute_batch(tables).unwrap();
        let path = write_path(&folder.path().join("app.db"), rules, options, file);
        Self { folder, path, app }
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("app.db")
    }

    /// As after a restart.
    pub(crate) fn restart(&mut self, rules: &str) {
        self.path = write_path(&self.file(), rules, &Options::default(), &FileOptions::default());
    }

    /// A second service on the same file.
    pub(crate) fn another(&self, rules: &str) -> WritePath {
        write_path(&self.file(), rules, &Options::default(), &FileOptions::default())
    }

    /// A second service, if two can write at the same time: for a file there is one.
    pub(crate) fn second(&self, _rules: &str) -> Option<WritePath> {
        None
    }

    pub(crate) fn execute(&self, sql: &str) -> rusqlite::Result<()> {
        self.app.execute_batch(sql)
    }

    /// How many dead letters there are.
    pub(crate) fn letters(&self) -> usize {
        self.rows(&format!("SELECT id FROM {LETTERS}")).len()
    }

    /// Columns of all rows, as JSON.
    pub(crate) fn values(&self, columns: &str, from: &str) -> Vec<Value> {
        let rows = self.rows(&format!("SELECT json_array({columns}) FROM {from}"));
        rows.iter().map(|row| serde_json::from_str(row).unwrap()).collect()
    }

    pub(crate) fn number(&self, sql: &str) -> i64 {
        self.rows(sql)[0].parse().unwrap()
    }

    /// The results of an upload.
    pub(crate) fn upload(&self, user: &str, body: &Value) -> Vec<Value> {
        self.upload_as(&user_of(user), body)
    }

    pub(crate) fn upload_as(&self, user: &WriteUser, body: &Value) -> Vec<Value> {
        let answer = self.path.apply(user, body.to_string().as_bytes(), NOW).unwrap();
        let answer = serde_json::to_value(&answer).unwrap();
        answer["results"].as_array().unwrap().clone()
    }

    /// The result of one transaction of some operations.
    pub(crate) fn send(&self, user: &str, operations: Value) -> Value {
        let results = self.upload(user, &json!({"transactions": [{"transaction_id": 1, "crud": operations}]}));
        assert_eq!(results.len(), 1);
        results[0].clone()
    }

    /// The values of a query, as text.
    pub(crate) fn rows(&self, sql: &str) -> Vec<String> {
        rows(&self.app, sql)
    }
}

/// The first column of a query, as text.
pub(crate) fn rows(connection: &Connection, sql: &str) -> Vec<String> {
    let mut statement = connection.prepare(sql).unwrap();
    let rows = statement.query_map([], |row| row.get::<_, Stored>(0)).unwrap();
    let text = |stored: Stored| match stored {
        Stored::Null => "NULL".into(),
        Stored::Integer(integer) => integer.to_string(),
        Stored::Real(real) => real.to_string(),
        Stored::Text(text) => text,
        Stored::Blob(blob) => format!("{blob:?}"),
    };
    rows.map(|row| text(row.unwrap())).collect()
}

pub(crate) fn write_path(file: &std::path::Path, rules: &str, options: &Options, open: &FileOptions) -> WritePath {
    let persister = SqlitePersister::open(file, open).unwrap();
    let loaded = Rules::load(rules, &persister).unwrap();
    let rules = loaded.rules.unwrap_or_else(|| panic!("{:?}", loaded.diagnostics));
    WritePath::new(rules, Box::new(persister), options.clone())
}

/// A trigger with one statement.
pub(crate) fn trigger(name: &str, when: &str, table: &str, body: &str) -> String {
    format!("CREATE TRIGGER {name} {when} ON {table} BEGIN {body}; END;")
}

/// A table `total`, whose `n` says how often rows of some tables were written.
pub(crate) fn counted(tables: &[&str]) -> String {
    let start = "CREATE TABLE total(n INTEGER); INSERT INTO total VALUES (0);".to_owned();
    tables.iter().fold(start, |sql, table| {
        let count =
            |when: &str, name: &str| trigger(&format!("{table}_{name}"), when, table, "UPDATE total SET n = n + 1");
        format!("{sql} {} {}", count("AFTER INSERT", "i"), count("AFTER UPDATE", "u"))
    })
}
