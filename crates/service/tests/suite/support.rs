//! A service on a free port, tokens for it, and a client that reads lines.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use reqwest::{RequestBuilder, Response, StatusCode};
use rowtide_service::{Keys, OpenStore, Service, ServiceOptions, StartError};
use serde_json::{Value, json};
use sync_engine::memory::MemoryStore;
use sync_engine::source::Source;
use sync_sources::memory::MemorySource;

pub(crate) const CONFIG: &str = "
config: {edition: 3}
streams:
  lists:
    auto_subscribe: true
    query: SELECT * FROM lists WHERE owner_id = auth.user_id()
  todos:
    query: SELECT * FROM todos WHERE list_id = subscription.parameter('list')
      AND list_id IN (SELECT id FROM lists WHERE owner_id = auth.user_id())
";

/// The same with another stream.
pub(crate) const CONFIG_WITH_NOTES: &str = "
config: {edition: 3}
streams:
  lists:
    auto_subscribe: true
    query: SELECT * FROM lists WHERE owner_id = auth.user_id()
  notes:
    auto_subscribe: true
    query: SELECT * FROM notes
  todos:
    query: SELECT * FROM todos WHERE list_id = subscription.parameter('list')
      AND list_id IN (SELECT id FROM lists WHERE owner_id = auth.user_id())
";

pub(crate) const ADMIN: &str = "admin-token-of-the-tests";

pub(crate) const SECRET: &str = "MDEyMzQ1Njc4OWFiY2RlZg";

/// A service and its source.
pub(crate) struct Running {
    pub(crate) service: Service,
    pub(crate) source: MemorySource,
    pub(crate) http: reqwest::Client,
}

/// A source with two lists, three todos and a note.
pub(crate) fn source() -> MemorySource {
    let source = MemorySource::new();
    source.create_table("lists", &["id", "owner_id", "name"], &["id"]).unwrap();
    source.create_table("todos", &["id", "list_id", "text"], &["id"]).unwrap();
    source.create_table("notes", &["id", "list_id", "text"], &["id"]).unwrap();
    put(&source, "lists", ["l1", "u1", "one"]);
    put(&source, "lists", ["l2", "u2", "two"]);
    put(&source, "todos", ["t1", "l1", "a"]);
    put(&source, "todos", ["t2", "l1", "b"]);
    put(&source, "todos", ["t3", "l2", "c"]);
    put(&source, "notes", ["n1", "l1", "d"]);
    source
}

pub(crate) fn put(source: &MemorySource, table: &str, row: [&str; 3]) {
    source.begin().put(table, row.map(sync_config::Value::text).to_vec()).commit().unwrap();
}

pub(crate) fn delete(source: &MemorySource, table: &str, id: &str) {
    source.begin().delete(table, vec![sync_config::Value::text(id)]).commit().unwrap();
}

pub(crate) fn keys() -> Keys {
    let mut keys = Keys::new();
    keys.add_secret(SECRET).unwrap();
    keys
}

pub(crate) fn options(source: Arc<dyn Source>, open_store: OpenStore) -> ServiceOptions {
    ServiceOptions { keys: keys(), admin_token: Some(ADMIN.into()), ..ServiceOptions::new(source, open_store, CONFIG) }
}

/// Waits for something that a test needs, which takes as long as it takes.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(Duration::from_secs(60), what).await.expect("it comes within a minute")
}

impl Running {
    pub(crate) async fn start() -> Self {
        Self::with(|_| {}).await
    }

    /// With other options.
    pub(crate) async fn with(change: impl FnOnce(&mut ServiceOptions)) -> Self {
        let (source, store) = (source(), MemoryStore::new("0a"));
        Self::on(source.clone(), Arc::new(source), store, change).await
    }

    /// With a source that does more than the one that tests write to.
    pub(crate) async fn on(
        source: MemorySource,
        read: Arc<dyn Source>,
        store: MemoryStore,
        change: impl FnOnce(&mut ServiceOptions),
    ) -> Self {
        let running = Self::unready(source, read, store, change).await;
        soon(running.service.ready()).await;
        running
    }

    /// The same, which may never be ready.
    pub(crate) async fn unready(
        source: MemorySource,
        read: Arc<dyn Source>,
        store: MemoryStore,
        change: impl FnOnce(&mut ServiceOptions),
    ) -> Self {
        let mut options = options(read, Box::new(move || Ok(Box::new(store.clone()))));
        change(&mut options);
        let service = Service::start(options).await.unwrap();
        // Tests look at what comes over the wire, whatever features other crates want of the same client.
        let http = reqwest::Client::builder().no_gzip().no_zstd().build().unwrap();
        Self { service, source, http }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.service.url())
    }

    /// A request for a stream.
    pub(crate) fn ask(&self, user: &str, body: &Value) -> RequestBuilder {
        let request = self.http.post(self.url("/sync/stream"));
        request.header("authorization", format!("Token {}", token(user, 3600))).json(body)
    }

    /// Opens a stream.
    pub(crate) async fn stream(&self, user: &str, body: Value) -> Lines {
        Lines::of(self.ask(user, &body).send().await.unwrap())
    }

    /// Asks as a user.
    pub(crate) async fn get(&self, user: &str, path: &str) -> Value {
        let request = self.http.get(self.url(path)).header("authorization", format!("Bearer {}", token(user, 3600)));
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        response.json().await.unwrap()
    }

    /// Asks for a checkpoint with an id.
    pub(crate) async fn request_checkpoint(&self, user: &str, body: &Value) -> (StatusCode, Value) {
        let request = self.http.post(self.url("/sync/checkpoint-request"));
        let request = request.header("authorization", format!("Bearer {}", token(user, 3600))).json(body);
        answer(request.send().await.unwrap()).await
    }

    /// Asks as an administrator.
    pub(crate) async fn admin(&self, path: &str) -> Value {
        let request = self.http.get(self.url(path)).header("authorization", format!("Bearer {ADMIN}"));
        let response = request.send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        response.json().await.unwrap()
    }

    pub(crate) async fn status(&self) -> Value {
        self.admin("/api/admin/v1/status").await
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

    /// Sends a configuration.
    pub(crate) async fn send_config(&self, route: &str, yaml: &str) -> (StatusCode, Value) {
        let request = self.http.post(self.url(&format!("/api/sync-rules/v1/{route}")));
        let request = request.header("authorization", format!("Bearer {ADMIN}")).body(yaml.to_owned());
        answer(request.send().await.unwrap()).await
    }
}

/// Status and body of an answer.
pub(crate) async fn answer(response: Response) -> (StatusCode, Value) {
    let status = response.status();
    (status, response.json().await.unwrap())
}

/// The message of a service that does not start.
pub(crate) async fn refused(options: ServiceOptions) -> StartError {
    match Service::start(options).await {
        Ok(_) => panic!("the service starts"),
        Err(error) => error,
    }
}

pub(crate) fn now() -> i64 {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    i64::try_from(now).unwrap()
}

pub(crate) fn token(user: &str, lifetime: i64) -> String {
    signed(&json!({"sub": user, "iat": now() - 100, "exp": now() + lifetime}), b"0123456789abcdef")
}

pub(crate) fn signed(claims: &Value, secret: &[u8]) -> String {
    encode(&Header::new(Algorithm::HS256), claims, &EncodingKey::from_secret(secret)).unwrap()
}

/// A request for the todos of these lists.
pub(crate) fn todos_of(lists: &[&str]) -> Value {
    let subscription =
        |list: &&str| json!({"stream": "todos", "parameters": {"list": list}, "override_priority": null});
    let subscriptions: Vec<Value> = lists.iter().map(subscription).collect();
    json!({"raw_data": true, "streams": {"subscriptions": subscriptions}})
}

/// The lines of a stream.
pub(crate) struct Lines {
    response: Response,
    rest: Vec<u8>,
}

impl Lines {
    /// Opens a stream with a token.
    pub(crate) async fn open(url: &str, token: &str, body: &Value) -> Self {
        let request = reqwest::Client::new().post(url).header("authorization", format!("Token {token}"));
        let response = request.json(body).send().await.unwrap();
        Self::of(response)
    }

    pub(crate) fn of(response: Response) -> Self {
        assert_eq!(response.status(), 200);
        Self { response, rest: Vec::new() }
    }

    /// The next line; none at the end.
    pub(crate) async fn next(&mut self) -> Option<Value> {
        self.try_next().await.expect("the stream is not cut")
    }

    /// The next line; none at the end, an error if the stream is cut.
    pub(crate) async fn try_next(&mut self) -> Result<Option<Value>, reqwest::Error> {
        loop {
            if let Some(end) = self.rest.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.rest.drain(..=end).collect();
                return Ok(Some(serde_json::from_slice(&line).unwrap()));
            }
            match soon(self.response.chunk()).await? {
                Some(chunk) => self.rest.extend(chunk),
                None => {
                    assert!(self.rest.is_empty(), "the last line is complete");
                    return Ok(None);
                }
            }
        }
    }

    /// All lines up to the one that completes a checkpoint.
    pub(crate) async fn checkpoint(&mut self) -> Vec<Value> {
        let mut lines = Vec::new();
        loop {
            let line = self.next().await.expect("the stream goes on");
            let is_last = line.get("checkpoint_complete").is_some();
            lines.push(line);
            if is_last {
                return lines;
            }
        }
    }
}

/// What operations the lines hold: kind and id.
pub(crate) fn operations(lines: &[Value]) -> Vec<(String, String)> {
    let operations = lines.iter().filter_map(|line| line["data"]["data"].as_array()).flatten();
    operations
        .map(|operation| {
            let text = |member: &str| operation[member].as_str().unwrap_or_default().to_owned();
            (text("op"), text("object_id"))
        })
        .collect()
}

pub(crate) fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(op, id)| ((*op).to_owned(), (*id).to_owned())).collect()
}

/// The buckets of the checkpoint line, as a client with these lines names them in its next request.
pub(crate) fn positions(lines: &[Value]) -> Value {
    let (mut positions, mut last) = (serde_json::Map::new(), "0");
    for line in lines {
        for checkpoint in [&line["checkpoint"], &line["checkpoint_diff"]].into_iter().filter(|found| found.is_object())
        {
            last = checkpoint["last_op_id"].as_str().unwrap();
            let buckets = checkpoint["buckets"].as_array().or(checkpoint["updated_buckets"].as_array());
            for bucket in buckets.unwrap() {
                positions.insert(bucket["bucket"].as_str().unwrap().to_owned(), Value::Null);
            }
        }
    }
    positions.into_iter().map(|(name, _)| json!({"name": name, "after": last})).collect()
}
