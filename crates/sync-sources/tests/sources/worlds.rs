//! The three kinds of sources as worlds.

use std::fs;
use std::path::PathBuf;

use rusqlite::{Connection, params_from_iter};
use sync_config::Value;
use sync_engine::source::Source;
use sync_sources::json::JsonSource;
use sync_sources::memory::MemorySource;
use sync_sources::sqlite::SqliteSource;
use tempfile::TempDir;

use crate::world::{Keys, Model, Spec, Values, World, Write};

fn spec(name: &'static str, columns: &[&'static str], keys: Keys) -> Spec {
    let key = (0..columns.len()).filter(|column| !["v", "w"].contains(&columns[*column])).collect();
    Spec { name, columns: columns.to_vec(), key, keys }
}

pub(crate) struct Memory(pub(crate) MemorySource);

impl Memory {
    pub(crate) fn new() -> Self {
        let source = MemorySource::new();
        source.create_table("one", &["id", "v", "w"], &["id"]).unwrap();
        source.create_table("two", &["v", "a", "b"], &["a", "b"]).unwrap();
        Self(source)
    }
}

impl World for Memory {
    fn specs(&self) -> Vec<Spec> {
        vec![spec("one", &["id", "v", "w"], Keys::Text), spec("two", &["v", "a", "b"], Keys::Any)]
    }

    fn open(&self) -> Box<dyn Source> {
        Box::new(self.0.clone())
    }

    fn write(&mut self, writes: &[Write], model: &Model) {
        let mut transaction = self.0.begin();
        for write in writes {
            let name = model.specs[write.table()].name;
            transaction = match write.clone() {
                Write::Put { row, .. } => transaction.put(name, row),
                Write::Rekey { old, row, .. } => transaction.rekey(name, old, row),
                Write::Delete { key, .. } => transaction.delete(name, key),
                Write::Truncate { .. } => transaction.truncate(&[name]),
            };
        }
        transaction.commit().unwrap();
    }
}

/// A folder with one table in a file of its own, and one by transactions.
pub(crate) struct Json {
    folder: TempDir,
    lines: String,
}

impl Json {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("one.json"), "[]").unwrap();
        // So that the table exists, as it does in the model.
        let lines = "{\"put\": {\"two\": []}}\n{\"put\": {\"two\": [{\"id\": \"x\"}]}, \"drop\": []}\n{\"delete\": {\"two\": [\"x\"]}}\n";
        fs::write(folder.path().join("log.ndjson"), lines).unwrap();
        Self { folder, lines: lines.to_owned() }
    }

    fn store(&self, name: &str, text: &str) {
        let path = self.folder.path().join(name);
        let new = self.folder.path().join(".new");
        fs::write(&new, text).unwrap();
        fs::rename(new, path).unwrap();
    }
}

fn json(value: &Value) -> String {
    match value {
        Value::Null => "null".into(),
        Value::Integer(integer) => integer.to_string(),
        Value::Real(real) => format!("{real:?}"),
        Value::Text(text) => serde_json::to_string(text).unwrap(),
        Value::Blob(_) => unreachable!("no blobs in JSON"),
    }
}

fn object(spec: &Spec, row: &[Value]) -> String {
    let members: Vec<String> =
        spec.columns.iter().zip(row).map(|(name, value)| format!("\"{name}\": {}", json(value))).collect();
    format!("{{{}}}", members.join(", "))
}

impl World for Json {
    fn specs(&self) -> Vec<Spec> {
        vec![spec("one", &["id", "v", "w"], Keys::Text), spec("two", &["id", "v"], Keys::Integer)]
    }

    fn open(&self) -> Box<dyn Source> {
        Box::new(JsonSource::open(self.folder.path()).unwrap())
    }

    fn write(&mut self, writes: &[Write], model: &Model) {
        let table = writes[0].table();
        let spec = &model.specs[table];
        if table == 0 {
            let rows: Vec<String> = model.rows[0].values().map(|row| object(spec, row)).collect();
            self.store("one.json", &format!("[\n  {}\n]", rows.join(",\n  ")));
            return;
        }
        for write in writes {
            let line = match write {
                Write::Put { row, .. } => format!("{{\"put\": {{\"two\": [{}]}}}}", object(spec, row)),
                Write::Delete { key, .. } => format!("{{\"delete\": {{\"two\": [{}]}}}}", json(&key[0])),
                Write::Rekey { old, row, .. } => {
                    format!(
                        "{{\"delete\": {{\"two\": [{}]}}, \"put\": {{\"two\": [{}]}}}}",
                        json(&old[0]),
                        object(spec, row)
                    )
                }
                Write::Truncate { .. } => "{\"truncate\": [\"two\"]}".to_owned(),
            };
            self.lines.push_str(&line);
            self.lines.push('\n');
        }
        self.store("log.ndjson", &self.lines);
    }

    fn values(&self) -> Values {
        Values::Json
    }

    fn is_by_table(&self) -> bool {
        true
    }

    fn keeps_positions(&self) -> bool {
        false
    }
}

pub(crate) struct Sqlite {
    folder: TempDir,
    /// Writes go through several.
    connections: Vec<Connection>,
    next: usize,
}

impl Sqlite {
    pub(crate) fn new(journal: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("app.db");
        let connections: Vec<Connection> = (0..2).map(|_| connect(&path)).collect();
        let first = &connections[0];
        first.pragma_update(None, "journal_mode", journal).unwrap();
        first.execute_batch(TABLES).unwrap();
        Self { folder, connections, next: 0 }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("app.db")
    }
}

pub(crate) fn connect(path: &std::path::Path) -> Connection {
    let connection = Connection::open(path).unwrap();
    connection.busy_timeout(std::time::Duration::from_secs(60)).unwrap();
    connection
}

const TABLES: &str = "
    CREATE TABLE texts(id TEXT PRIMARY KEY, v, w);
    CREATE TABLE integers(v, id INTEGER PRIMARY KEY);
    CREATE TABLE pairs(a, v, b, w, PRIMARY KEY(b, a)) WITHOUT ROWID;
    CREATE TABLE \"any \"\"thing\"(id PRIMARY KEY, v BLOB);
    CREATE TABLE rows(v);
    CREATE TABLE nocase(id TEXT COLLATE NOCASE, v, PRIMARY KEY(id COLLATE BINARY));";

pub(crate) fn bound(values: &[Value]) -> Vec<rusqlite::types::Value> {
    use rusqlite::types::Value as Sql;
    let one = |value: &Value| match value {
        Value::Null => Sql::Null,
        Value::Integer(integer) => Sql::Integer(*integer),
        Value::Real(real) => Sql::Real(*real),
        Value::Text(text) => Sql::Text(text.clone()),
        Value::Blob(blob) => Sql::Blob(blob.clone()),
    };
    values.iter().map(one).collect()
}

pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

impl World for Sqlite {
    fn specs(&self) -> Vec<Spec> {
        vec![
            spec("texts", &["id", "v", "w"], Keys::Text),
            spec("integers", &["v", "id"], Keys::Integer),
            // Of key columns, the order of the primary key counts.
            Spec { key: vec![2, 0], ..spec("pairs", &["a", "v", "b", "w"], Keys::Any) },
            spec("any \"thing", &["id", "v"], Keys::Any),
            spec("rows", &["rowid", "v"], Keys::Integer),
            spec("nocase", &["id", "v"], Keys::Text),
        ]
    }

    fn open(&self) -> Box<dyn Source> {
        Box::new(SqliteSource::open(self.path()).unwrap())
    }

    fn write(&mut self, writes: &[Write], model: &Model) {
        let connection = &mut self.connections[self.next % 2];
        self.next += 1;
        let transaction = connection.transaction().unwrap();
        for write in writes {
            let spec = &model.specs[write.table()];
            let table = quoted(spec.name);
            let names: Vec<String> = spec.columns.iter().map(|name| quoted(name)).collect();
            let all = |separator: &str, what: &dyn Fn(&String) -> String| {
                names.iter().map(what).collect::<Vec<_>>().join(separator)
            };
            let keys: Vec<String> = spec.key.iter().map(|key| format!("{} COLLATE BINARY = ?", names[*key])).collect();
            let (sql, values) = match write {
                Write::Put { row, .. } => {
                    let places = all(", ", &|_| "?".into());
                    let names = names.join(", ");
                    (format!("INSERT OR REPLACE INTO {table}({names}) VALUES ({places})"), row.clone())
                }
                Write::Rekey { old, row, .. } => {
                    let set = all(", ", &|name| format!("{name} = ?"));
                    let values = row.iter().chain(old).cloned().collect();
                    (format!("UPDATE {table} SET {set} WHERE {}", keys.join(" AND ")), values)
                }
                Write::Delete { key, .. } => (format!("DELETE FROM {table} WHERE {}", keys.join(" AND ")), key.clone()),
                Write::Truncate { .. } => (format!("DELETE FROM {table}"), Vec::new()),
            };
            transaction.execute(&sql, params_from_iter(bound(&values))).unwrap();
        }
        transaction.commit().unwrap();
    }
}
