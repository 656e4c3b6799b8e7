//! A database with lists and todos, a write path to it, and uploads.

use std::cell::RefCell;

use pg_server::{Database, Server};
use postgres::{Client, SimpleQueryMessage};
use serde_json::{Value, json};
use write_path::postgres::PostgresPersister;
use write_path::{Options, Rules, WritePath, WriteUser};

pub(crate) use crate::cases::requests::{delete, outcome, patch, put, user_of};

pub(crate) const TABLES: &str = "
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

pub(crate) const LETTERS: &str = "rowtide_writes.dead_letter";

pub(crate) const RESULTS: &str = "rowtide_writes.result";

/// A column that counts rows.
pub(crate) const ROW_NUMBER: &str = "SERIAL PRIMARY KEY";

/// How many random sessions there are.
pub(crate) const SESSIONS: u64 = 4;

pub(crate) const NOW: i64 = 1_700_000_000_000_000;

/// A database and a write path to it.
pub(crate) struct Tested {
    pub(crate) path: WritePath,
    /// To look at the database, and to change it as the app does.
    pub(crate) app: RefCell<Client>,
    pub(crate) database: Database,
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
        let database = Server::shared().database();
        let mut app = database.client();
        app.batch_execute(tables).unwrap();
        let path = write_path(&database.url(), rules, options);
        Self { path, app: RefCell::new(app), database }
    }

    /// As after a restart.
    pub(crate) fn restart(&mut self, rules: &str) {
        self.path = self.another(rules);
    }

    /// A second service on the same database.
    pub(crate) fn another(&self, rules: &str) -> WritePath {
        write_path(&self.database.url(), rules, &Options::default())
    }

    pub(crate) fn second(&self, rules: &str) -> Option<WritePath> {
        Some(self.another(rules))
    }

    pub(crate) fn execute(&self, sql: &str) -> Result<(), postgres::Error> {
        self.app.borrow_mut().batch_execute(sql)
    }

    /// The results of an upload.
    pub(crate) fn upload(&self, user: &str, body: &Value) -> Vec<Value> {
        self.upload_as(&user_of(user), body)
    }

    pub(crate) fn upload_as(&self, user: &WriteUser, body: &Value) -> Vec<Value> {
        results(&self.path, user, body)
    }

    /// The result of one transaction of some operations.
    pub(crate) fn send(&self, user: &str, operations: Value) -> Value {
        let results = self.upload(user, &json!({"transactions": [{"transaction_id": 1, "crud": operations}]}));
        assert_eq!(results.len(), 1);
        results[0].clone()
    }

    /// The first column of a query, as text.
    pub(crate) fn rows(&self, sql: &str) -> Vec<String> {
        let messages = self.app.borrow_mut().simple_query(sql).unwrap();
        let rows = messages.iter().filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => Some(row.get(0).unwrap_or("NULL").to_owned()),
            _ => None,
        });
        rows.collect()
    }

    /// Columns of all rows, as JSON.
    pub(crate) fn values(&self, columns: &str, from: &str) -> Vec<Value> {
        let rows = self.rows(&format!("SELECT json_build_array({columns}) FROM {from}"));
        rows.iter().map(|row| serde_json::from_str(row).unwrap()).collect()
    }

    pub(crate) fn number(&self, sql: &str) -> i64 {
        self.rows(sql)[0].parse().unwrap()
    }

    /// How many dead letters there are.
    pub(crate) fn letters(&self) -> usize {
        self.rows(&format!("SELECT id FROM {LETTERS}")).len()
    }
}

pub(crate) fn results(path: &WritePath, user: &WriteUser, body: &Value) -> Vec<Value> {
    let answer = path.apply(user, body.to_string().as_bytes(), NOW).unwrap();
    let answer = serde_json::to_value(&answer).unwrap();
    answer["results"].as_array().unwrap().clone()
}

pub(crate) fn write_path(url: &str, rules: &str, options: &Options) -> WritePath {
    let persister = PostgresPersister::open(url, &Default::default()).unwrap();
    let loaded = Rules::load(rules, &persister).unwrap();
    let rules = loaded.rules.unwrap_or_else(|| panic!("{:?}", loaded.diagnostics));
    WritePath::new(rules, Box::new(persister), options.clone())
}

/// A trigger with one statement.
pub(crate) fn trigger(name: &str, when: &str, table: &str, body: &str) -> String {
    format!(
        "CREATE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {body}; RETURN NEW; END $$;
        CREATE TRIGGER {name} {when} ON {table} FOR EACH ROW EXECUTE FUNCTION {name}();"
    )
}

/// A table `total`, whose `n` says how often rows of some tables were written.
pub(crate) fn counted(tables: &[&str]) -> String {
    let start = "CREATE TABLE total(n INTEGER); INSERT INTO total VALUES (0);".to_owned();
    tables.iter().fold(start, |sql, table| {
        let count = trigger(&format!("count_{table}"), "AFTER INSERT OR UPDATE", table, "UPDATE total SET n = n + 1");
        format!("{sql} {count}")
    })
}
