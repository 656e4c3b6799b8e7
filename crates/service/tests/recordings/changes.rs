//! A service over an SQLite file that holds the rows of a recording.

use std::sync::Arc;

use rowtide_service::{Keys, Service, ServiceOptions};
use rusqlite::types::Value as Sql;
use rusqlite::{Connection, params_from_iter};
use serde_json::Value;
use sync_engine::memory::MemoryStore;
use sync_engine::store::Store;
use tempfile::TempDir;

use super::recorded::{Answer, Recording, Row, directory};
use super::stream::{Lines, SECRET, token};

/// The recorded tables. Columns have no types, so that values stay what they are.
const TABLES: &str = "
    CREATE TABLE announcements (id INTEGER PRIMARY KEY, title, body);
    CREATE TABLE list_members (id TEXT PRIMARY KEY, list_id, user_id);
    CREATE TABLE lists (id TEXT PRIMARY KEY, name, owner_id, archived, created_at);
    CREATE TABLE regions (id TEXT PRIMARY KEY, name);
    CREATE TABLE todos (id TEXT PRIMARY KEY, list_id, description, done, position, weight, big, price, meta, raw, tags, due);
    CREATE TABLE users (id TEXT PRIMARY KEY, name, tenant);";

pub(super) struct World {
    service: Service,
    file: Connection,
    http: reqwest::Client,
    _folder: TempDir,
}

impl World {
    pub(super) async fn start(config: &str, rows: &[Row], setup: &str) -> Self {
        let folder = TempDir::new().unwrap();
        let path = folder.path().join("source.db");
        let file = Connection::open(&path).unwrap();
        file.execute_batch(&format!("PRAGMA journal_mode = WAL; BEGIN; {TABLES}")).unwrap();
        for row in rows {
            insert(&file, row);
        }
        file.execute_batch(&format!("{setup}; COMMIT")).unwrap();
        let source = sync_sources::open_source(&format!("sqlite:{}", path.display())).unwrap();
        let mut keys = Keys::new();
        keys.add_secret(SECRET).unwrap();
        let store = MemoryStore::new("0a");
        let open_store = Box::new(move || Ok(Box::new(store.clone()) as Box<dyn Store>));
        let options =
            ServiceOptions { keys, ..ServiceOptions::new(Arc::from(source), open_store, configuration(config)) };
        let service = Service::start(options).await.unwrap();
        service.ready().await;
        Self { service, file, http: reqwest::Client::new(), _folder: folder }
    }

    pub(super) async fn stop(self) {
        self.service.stop().await;
    }

    /// Statements that are sent together are one transaction, as with the recorded database.
    pub(super) fn transaction(&self, sql: &str) {
        let sql = sql.trim_start_matches("begin;").trim_end_matches("commit");
        self.file.execute_batch(&format!("BEGIN; {sql}; COMMIT")).unwrap();
    }

    fn request(&self, method: reqwest::Method, path: &str, user: &str) -> reqwest::RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.service.url()));
        request.header("authorization", format!("Token {}", token(user, 3600)))
    }

    pub(super) async fn stream(&self, recording: &Recording, is_bson: bool) -> Lines {
        let request = self.request(reqwest::Method::POST, "/sync/stream", &recording.user).json(&recording.request);
        let accept = if is_bson { "application/vnd.powersync.bson-stream" } else { "application/x-ndjson" };
        let response = request.header("accept", accept).send().await.unwrap();
        assert_eq!(response.status(), 200);
        Lines::new(response, is_bson)
    }

    pub(super) async fn get(&self, path: &str) -> Value {
        self.request(reqwest::Method::GET, path, "u1").send().await.unwrap().json().await.unwrap()
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Value {
        self.request(reqwest::Method::POST, path, "u1").json(body).send().await.unwrap().json().await.unwrap()
    }

    /// Sends a recorded request.
    pub(super) async fn ask(&self, answer: &Answer) -> (u16, Value) {
        let method = answer.method.parse().unwrap();
        let mut request = match answer.name.as_str() {
            "bad token" => self.http.request(method, format!("{}{}", self.service.url(), answer.path)),
            _ => self.request(method, &answer.path, "u1"),
        };
        if answer.name == "bad token" {
            request = request.header("authorization", "Token nonsense");
        }
        if answer.name == "expired token" {
            request = self.http.post(format!("{}{}", self.service.url(), answer.path));
            request = request.header("authorization", format!("Token {}", token("u1", -5)));
        }
        if !answer.body.is_null() {
            request = request.json(&answer.body);
        }
        let response = request.send().await.unwrap();
        (response.status().as_u16(), serde_json::from_str(&response.text().await.unwrap()).unwrap())
    }
}

/// A recorded configuration. The third is of an edition in which streams had no priorities.
fn configuration(name: &str) -> String {
    let yaml = std::fs::read_to_string(directory().join(name)).unwrap();
    if name == "config-3.yaml" {
        yaml.replace("priority: 1", "priority: 3").replace("priority: 2", "priority: 3")
    } else {
        yaml
    }
}

fn insert(file: &Connection, row: &Row) {
    let mut columns: Vec<(&str, Sql)> = row.columns.iter().map(|(name, value)| (name.as_str(), sql(value))).collect();
    // Bytes are not synced: their column is left out where it is not null.
    if row.table == "todos" && row.columns.contains_key("weight") && !row.columns.contains_key("raw") {
        columns.push(("raw", Sql::Blob(vec![0, 255, 16])));
    }
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let places = vec!["?"; names.len()].join(", ");
    let statement = format!("INSERT INTO {} ({}) VALUES ({places})", row.table, names.join(", "));
    file.execute(&statement, params_from_iter(columns.into_iter().map(|(_, value)| value))).unwrap();
}

fn sql(value: &Value) -> Sql {
    match value {
        Value::Null => Sql::Null,
        Value::Number(number) => number.as_i64().map_or_else(|| Sql::Real(number.as_f64().unwrap()), Sql::Integer),
        Value::String(text) => Sql::Text(text.clone()),
        other => panic!("{other} is no value of a column"),
    }
}
