//! A service with rows of two users, and clients that know which buckets they have.

use std::collections::BTreeMap;
use std::future::Future;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use reqwest::{Response, StatusCode};
use rowtide_service::{Keys, OpenStore, Service, ServiceOptions, Storage};
use serde_json::{Value, json};
use sync_engine::memory::MemoryStore;
use sync_sources::memory::MemorySource;

use crate::counting::Counting;

pub(crate) const ADMIN: &str = "admin-token-of-the-tests";

/// A service.
pub(crate) struct Running {
    pub(crate) service: Service,
    pub(crate) source: Counting,
    http: reqwest::Client,
    clients: Vec<Client>,
}

/// A connected client.
struct Client {
    response: Response,
    rest: Vec<u8>,
    /// By name: count and checksum.
    buckets: BTreeMap<String, (i64, i64)>,
}

/// What a client has noticed.
#[derive(Debug)]
pub(crate) struct Change {
    pub(crate) kept: usize,
    pub(crate) dropped: usize,
    pub(crate) downloaded: usize,
    pub(crate) rows: usize,
}

/// Waits for something that a test needs, which takes as long as it takes.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), what).await.expect("it comes within a minute")
}

/// Two lists, three todos and two notes of each user.
fn source() -> Counting {
    let source = MemorySource::new();
    source.create_table("lists", &["id", "owner_id", "name", "color"], &["id"]).unwrap();
    source.create_table("todos", &["id", "owner_id", "list_id", "text", "done"], &["id"]).unwrap();
    source.create_table("notes", &["id", "owner_id", "body"], &["id"]).unwrap();
    let text = |text: &str| sync_config::Value::text(text);
    for user in ["u1", "u2"] {
        for list in ["a", "b"] {
            let id = format!("{user}-{list}");
            let row = vec![text(&id), text(user), text("list"), text("red")];
            source.begin().put("lists", row).commit().unwrap();
            source.begin().put("notes", vec![text(&id), text(user), text("note")]).commit().unwrap();
        }
        for (todo, done) in [("1", 0), ("2", 0), ("3", 1)] {
            let (id, list) = (format!("{user}-{todo}"), format!("{user}-a"));
            let done = sync_config::Value::Integer(done);
            let row = vec![text(&id), text(user), text(&list), text("todo"), done];
            source.begin().put("todos", row).commit().unwrap();
        }
    }
    Counting::new(source)
}

impl Running {
    pub(crate) async fn start(yaml: &str) -> Self {
        let store = MemoryStore::new("0a");
        Self::with(yaml, Box::new(move || Ok(Box::new(store.clone())))).await
    }

    /// With a storage that stays.
    pub(crate) async fn on_file(yaml: &str, file: &Path) -> Self {
        Self::with(yaml, Storage::Sqlite(file.to_owned()).opener(false).unwrap()).await
    }

    async fn with(yaml: &str, open_store: OpenStore) -> Self {
        let source = source();
        let mut keys = Keys::new();
        keys.add_secret("MDEyMzQ1Njc4OWFiY2RlZg").unwrap();
        let options = ServiceOptions {
            keys,
            admin_token: Some(ADMIN.into()),
            ..ServiceOptions::new(Arc::new(source.clone()), open_store, yaml)
        };
        let service = Service::start(options).await.unwrap();
        soon(service.ready()).await;
        Self { service, source, http: reqwest::Client::new(), clients: Vec::new() }
    }

    /// Sends a body as an administrator.
    pub(crate) async fn send(&self, path: &str, body: &str) -> (StatusCode, Value) {
        let request = self.http.post(format!("{}{path}", self.service.url())).bearer_auth(ADMIN);
        let response = request.body(body.to_owned()).send().await.unwrap();
        (response.status(), response.json().await.unwrap())
    }

    /// The same with JSON.
    pub(crate) async fn send_json(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        let request = self.http.post(format!("{}{path}", self.service.url())).bearer_auth(ADMIN);
        let response = request.json(body).send().await.unwrap();
        (response.status(), response.json().await.unwrap())
    }

    /// Asks as an administrator.
    pub(crate) async fn get(&self, path: &str) -> Value {
        let request = self.http.get(format!("{}{path}", self.service.url())).bearer_auth(ADMIN);
        request.send().await.unwrap().json().await.unwrap()
    }

    /// The status of an answer without a token.
    pub(crate) async fn without_token(&self, path: &str) -> StatusCode {
        self.http.post(format!("{}{path}", self.service.url())).send().await.unwrap().status()
    }

    pub(crate) async fn status(&self) -> Value {
        self.get("/api/admin/v1/status").await
    }

    /// Waits for a status.
    pub(crate) async fn status_with(&self, is_it: impl Fn(&Value) -> bool) -> Value {
        soon(async {
            loop {
                let status = self.status().await;
                if is_it(&status) {
                    return status;
                }
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        })
        .await
    }

    /// Operations that were written so far.
    pub(crate) async fn operations(&self) -> u64 {
        self.status().await["counters"]["operations_written"].as_u64().unwrap()
    }

    /// Opens a stream for a user, and downloads all.
    pub(crate) async fn connect(&mut self, user: &str) {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
        let claims = json!({"sub": user, "iat": now - 100, "exp": now + 3600});
        let key = EncodingKey::from_secret(b"0123456789abcdef");
        let token = encode(&Header::new(Algorithm::HS256), &claims, &key).unwrap();
        let request = self.http.post(format!("{}/sync/stream", self.service.url()));
        let request = request.header("authorization", format!("Token {token}")).json(&json!({"client_id": user}));
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200);
        let mut client = Client { response, rest: Vec::new(), buckets: BTreeMap::new() };
        client.checkpoint().await;
        self.clients.push(client);
    }

    /// Deploys a configuration, and waits until all clients have it.
    pub(crate) async fn deploy(&mut self, yaml: &str) -> Vec<Change> {
        let (status, answer) = self.send("/api/sync-rules/v1/deploy", yaml).await;
        assert_eq!(status, StatusCode::OK, "{answer}");
        let id = answer["id"].clone();
        self.status_with(|status| status["config"]["id"] == id).await;
        let mut changes = Vec::new();
        for client in &mut self.clients {
            changes.push(client.checkpoint().await);
        }
        changes
    }

    /// What all clients notice next.
    pub(crate) async fn next_checkpoints(&mut self) -> Vec<Change> {
        let mut changes = Vec::new();
        for client in &mut self.clients {
            changes.push(client.checkpoint().await);
        }
        changes
    }
}

impl Client {
    /// Reads lines up to the end of a checkpoint. What stays must be as it was, and is not sent.
    async fn checkpoint(&mut self) -> Change {
        let mut change = Change { kept: 0, dropped: 0, downloaded: 0, rows: 0 };
        let mut kept = Vec::new();
        loop {
            let line = self.line().await;
            if let Some(buckets) = line["checkpoint"]["buckets"].as_array() {
                let listed: BTreeMap<String, (i64, i64)> = buckets
                    .iter()
                    .map(|bucket| {
                        let number = |member: &str| bucket[member].as_i64().unwrap();
                        (bucket["bucket"].as_str().unwrap().to_owned(), (number("count"), number("checksum")))
                    })
                    .collect();
                for (name, state) in &self.buckets {
                    match listed.get(name) {
                        Some(now) => {
                            assert_eq!(now, state, "{name} has changed");
                            kept.push(name.clone());
                        }
                        None => change.dropped += 1,
                    }
                }
                change.kept = kept.len();
                change.downloaded = listed.len() - kept.len();
                self.buckets = listed;
            }
            if let Some(operations) = line["data"]["data"].as_array() {
                let bucket = line["data"]["bucket"].as_str().unwrap();
                assert!(!kept.iter().any(|name| name == bucket), "{bucket} is sent again");
                change.rows += operations.len();
            }
            if line.get("checkpoint_complete").is_some() {
                return change;
            }
        }
    }

    async fn line(&mut self) -> Value {
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                return serde_json::from_slice(&line).unwrap();
            }
            let chunk = soon(self.response.chunk()).await.unwrap();
            self.rest.extend(chunk.expect("the stream goes on: nobody has to connect again"));
        }
    }
}

/// Changes a storage as if a program had written it whose evaluators have other hashes.
pub(crate) fn pretend_another_version(file: &Path) {
    fn change(value: &mut Value) {
        match value {
            Value::Object(members) => {
                for (name, value) in members {
                    match value {
                        Value::String(text) if name == "hash" => *text = format!("ff{}", &text[2..]),
                        value => change(value),
                    }
                }
            }
            Value::Array(values) => values.iter_mut().for_each(change),
            _ => {}
        }
    }
    let connection = rusqlite::Connection::open(file).unwrap();
    let plans: Vec<(i64, String)> = connection
        .prepare("SELECT id, plan FROM config")
        .unwrap()
        .query_map((), |row| Ok((row.get(0)?, row.get(1)?)))
        .unwrap()
        .collect::<Result<_, _>>()
        .unwrap();
    for (id, plan) in plans {
        let mut plan = serde_json::from_str(&plan).unwrap();
        change(&mut plan);
        connection.execute("UPDATE config SET plan = ?2 WHERE id = ?1", (id, plan.to_string())).unwrap();
    }
    connection
        .execute_batch("UPDATE definition SET hash = zeroblob(32); UPDATE parameter_index SET hash = zeroblob(32)")
        .unwrap();
}
