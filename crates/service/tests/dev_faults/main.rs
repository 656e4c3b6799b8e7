//! Faults of the development service over HTTP and WebSocket.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

#[path = "../rsocket/client.rs"]
#[allow(dead_code, reason = "other tests use more of it")]
mod client;
mod once;
mod requests;
mod rsocket;
mod streams;
#[path = "../suite/support.rs"]
#[allow(dead_code, reason = "other tests use more of it")]
mod support;

use reqwest::{RequestBuilder, StatusCode};
use rowtide_service::{Dev, DevOptions};
use rusqlite::Connection;
use serde_json::{Value, json};

use support::{Lines, soon};

/// The service of the todo app.
struct Service {
    dev: Dev,
    http: reqwest::Client,
}

impl Service {
    async fn start() -> Self {
        let dev = Dev::start(DevOptions::default()).await.unwrap();
        dev.ready().await;
        Self { dev, http: reqwest::Client::new() }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.dev.url())
    }

    /// Posts JSON, and gives status and body.
    async fn post(&self, path: &str, body: &Value) -> (StatusCode, Value) {
        support::answer(self.http.post(self.url(path)).json(body).send().await.unwrap()).await
    }

    /// Switches lasting faults on or off.
    async fn set(&self, faults: Value) {
        assert_eq!(self.post("/dev/faults", &faults).await.0, 200);
    }

    /// Has something happen, and gives how many streams it has hit.
    async fn now(&self, fault: &str) -> u64 {
        let (status, answer) = self.post("/dev/faults/now", &json!({"fault": fault})).await;
        assert_eq!(status, 200, "{answer}");
        answer["streams"].as_u64().unwrap()
    }

    async fn faults(&self) -> Value {
        self.http.get(self.url("/dev/faults")).send().await.unwrap().json().await.unwrap()
    }

    /// A request as alice.
    fn as_alice(&self, request: RequestBuilder) -> RequestBuilder {
        request.header("authorization", format!("Token {}", self.dev.token("alice").unwrap()))
    }

    async fn stream(&self) -> Lines {
        Lines::open(&self.url("/sync/stream"), &self.dev.token("alice").unwrap(), &json!({})).await
    }

    /// A stream that has its first checkpoint.
    async fn synced(&self) -> Lines {
        let mut lines = self.stream().await;
        lines.checkpoint().await;
        lines
    }

    /// Writes to the source, and waits until that is in a checkpoint.
    async fn write(&self, sql: &str) {
        let source = Connection::open(self.dev.source().unwrap()).unwrap();
        source.busy_timeout(std::time::Duration::from_secs(60)).unwrap();
        source.execute_batch(sql).unwrap();
        let reached = self.as_alice(self.http.get(self.url("/write-checkpoint.json"))).send();
        assert_eq!(soon(reached).await.unwrap().status(), 200);
    }
}

const WRITE: &str = "UPDATE todos SET description = description || '!'";
