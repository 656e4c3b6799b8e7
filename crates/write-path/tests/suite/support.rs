//! A file with lists and todos, a write path to it, and uploads.

use std::path::PathBuf;

use rusqlite::Connection;
use rusqlite::types::Value as Stored;
use serde_json::{Value, json};
use write_path::sqlite::{Options as FileOptions, SqlitePersister};
use write_path::{Options, Rules, WritePath, WriteUser};

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
        Self::with_options(tables, rules, &Options::default(), &FileOptions::default())
    }

    pub(crate) fn with_options(tables: &str, rules: &str, options: &Options, file: &FileOptions) -> Self {
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

pub(crate) fn user_of(id: &str) -> WriteUser {
    WriteUser { id: id.into(), claims: json!({"sub": id, "role": "member", "exp": 5}).to_string() }
}

pub(crate) fn operation(op: &str, table: &str, id: &str, data: Value) -> Value {
    json!({"op": op, "table": table, "id": id, "op_data": data})
}

pub(crate) fn put(table: &str, id: &str, data: Value) -> Value {
    operation("PUT", table, id, data)
}

pub(crate) fn patch(table: &str, id: &str, data: Value) -> Value {
    operation("PATCH", table, id, data)
}

pub(crate) fn delete(table: &str, id: &str) -> Value {
    json!({"op": "DELETE", "table": table, "id": id})
}

/// Status and error code of a result.
pub(crate) fn outcome(result: &Value) -> String {
    match result["failed_operation"]["error_code"].as_str() {
        Some(code) => format!("{} {code}", result["status"].as_str().unwrap()),
        None => result["status"].as_str().unwrap().to_owned(),
    }
}
