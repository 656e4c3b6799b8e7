//! A service with a Convex deployment, by the double of one: what clients get.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(dead_code, reason = "the machinery of all tests of services does more than is needed here")]

#[path = "../suite/support.rs"]
mod support;

use std::sync::Arc;

use fake_convex::{Convex, Fault, Options, Route, Value as Field, Write};
use rowtide_service::{Service, ServiceOptions};
use serde_json::{Value, json};
use support::{ADMIN, Lines, keys, operations, pairs, positions, soon, token};
use sync_engine::memory::MemoryStore;
use sync_engine::source::Source;
use sync_sources::convex::{ConvexOptions, ConvexSource, DeployKey, Reach};

const CONFIG: &str = "
config: {edition: 3}
streams:
  todos:
    auto_subscribe: true
    query: SELECT _id AS id, * FROM todos
";

const WITH_CAST: &str = "
config: {edition: 3}
streams:
  todos:
    auto_subscribe: true
    query: SELECT _id AS id, *, CAST(count AS INTEGER) AS count FROM todos
";

fn put(id: &str, fields: &[(&str, Field)]) -> Write {
    let mut document: fake_convex::Document =
        fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    document.insert("_id".into(), Field::from(id));
    document.insert("_creationTime".into(), Field::Float64(1.0));
    Write::Put { table: "todos".into(), document }
}

fn todo(id: &str, text: &str, count: i64) -> Write {
    put(id, &[("text", Field::from(text)), ("count", Field::Int64(count))])
}

fn deployment(has_sync_api: bool) -> Convex {
    let convex = Convex::start(Options { has_sync_api, snapshot_rows: Some(2), ..Options::default() });
    convex.commit(vec![todo("a", "one", 9_007_199_254_740_993), put("b", &[("other", Field::Float64(1.0))])]);
    convex.commit(vec![todo("c", "three", 3)]);
    convex
}

struct Running {
    service: Service,
    http: reqwest::Client,
}

impl Running {
    async fn start(convex: &Convex, store: &MemoryStore) -> Self {
        let location = format!("{}?allow_private_addresses=true&polling_interval_ms=2", convex.url());
        let options = ConvexOptions::parse(&location, DeployKey::new(&convex.key()).unwrap()).unwrap();
        let short = std::time::Duration::from_millis(2);
        let reach = Reach { first_pause: short, ..options.reach };
        let options = ConvexOptions { reach, table_watch_interval: short, ..options };
        let opened = tokio::task::spawn_blocking(|| ConvexSource::with_options(options)).await.unwrap().unwrap();
        let (source, store): (Arc<dyn Source>, _) = (Arc::new(opened), store.clone());
        let options = ServiceOptions {
            keys: keys(),
            admin_token: Some(ADMIN.into()),
            ..ServiceOptions::new(source, Box::new(move || Ok(Box::new(store.clone()))), CONFIG)
        };
        let service = Service::start(options).await.unwrap();
        soon(service.ready()).await;
        Self { service, http: reqwest::Client::builder().no_gzip().no_zstd().build().unwrap() }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.service.url())
    }

    async fn stream(&self, buckets: &Value) -> Lines {
        let body = json!({"raw_data": true, "buckets": buckets});
        let url = self.url("/sync/stream");
        let request = self.http.post(url).header("authorization", format!("Token {}", token("u1", 3600)));
        Lines::of(request.json(&body).send().await.unwrap())
    }

    async fn status(&self) -> Value {
        let request = self.http.get(self.url("/api/admin/v1/status"));
        request.header("authorization", format!("Bearer {ADMIN}")).send().await.unwrap().json().await.unwrap()
    }
}

/// The rows of lines, by their ids.
fn rows(lines: &[Value]) -> std::collections::BTreeMap<String, Value> {
    let all = lines.iter().filter_map(|line| line["data"]["data"].as_array()).flatten();
    let puts = all.filter(|operation| operation["op"] == "PUT");
    puts.map(|operation| {
        let data = serde_json::from_str(operation["data"].as_str().unwrap()).unwrap();
        (operation["object_id"].as_str().unwrap().to_owned(), data)
    })
    .collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_and_changes_reach_a_client_by_both_apis() {
    for has_sync_api in [false, true] {
        let convex = deployment(has_sync_api);
        let running = Running::start(&convex, &MemoryStore::new("0a")).await;
        let mut lines = running.stream(&json!([])).await;
        let first = rows(&lines.checkpoint().await);
        assert_eq!(first.len(), 3);
        let expected = json!({"id": "a", "_id": "a", "_creationTime": 1.0, "count": "9007199254740993", "text": "one"});
        assert_eq!(first["a"], expected);
        assert_eq!(first["b"], json!({"id": "b", "_id": "b", "_creationTime": 1.0, "other": 1.0}));
        convex.commit(vec![todo("a", "changed", 1), Write::Delete { table: "todos".into(), id: "c".into() }]);
        let changes = lines.checkpoint().await;
        let mut found = operations(&changes);
        found.sort();
        assert_eq!(found, pairs(&[("PUT", "a"), ("REMOVE", "c")]), "sync API: {has_sync_api}");
        // A field that no document had before.
        convex.commit(vec![put("a", &[("new", Field::Boolean(true))])]);
        let changed = rows(&lines.checkpoint().await);
        assert_eq!(changed["a"], json!({"id": "a", "_id": "a", "_creationTime": 1.0, "new": 1}));
        // What a client asks for after its own write.
        let url = running.url("/write-checkpoint2.json?client_id=c");
        let request = running.http.get(url).header("authorization", format!("Bearer {}", token("u1", 3600)));
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        assert_eq!(answer["data"]["write_checkpoint"], "1", "{answer}");
        running.service.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_position_costs_clients_only_what_has_changed() {
    for has_sync_api in [false, true] {
        let (convex, store) = (deployment(has_sync_api), MemoryStore::new("0a"));
        let running = Running::start(&convex, &store).await;
        let first = running.stream(&json!([])).await.checkpoint().await;
        assert_eq!(operations(&first).len(), 3);
        running.service.stop().await;
        // Meanwhile: one row changes, one goes, and the deployment forgets both.
        convex.commit(vec![todo("c", "changed", 3), Write::Delete { table: "todos".into(), id: "b".into() }]);
        convex.forget_deltas();
        let running = Running::start(&convex, &store).await;
        let mut lines = running.stream(&positions(&first)).await;
        let mut found = Vec::new();
        while found.len() < 2 {
            found.extend(operations(&lines.checkpoint().await));
        }
        found.sort();
        assert_eq!(found, pairs(&[("PUT", "c"), ("REMOVE", "b")]), "nothing for the row that has not changed");
        // It goes on.
        convex.commit(vec![todo("d", "four", 4)]);
        assert_eq!(operations(&lines.checkpoint().await), pairs(&[("PUT", "d")]));
        running.service.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_table_leaves_clients_at_once() {
    for has_sync_api in [false, true] {
        let convex = deployment(has_sync_api);
        let running = Running::start(&convex, &MemoryStore::new("0a")).await;
        let mut lines = running.stream(&json!([])).await;
        lines.checkpoint().await;
        convex.drop_table("todos");
        let mut found = operations(&lines.checkpoint().await);
        found.sort();
        assert_eq!(found, pairs(&[("REMOVE", "a"), ("REMOVE", "b"), ("REMOVE", "c")]), "in one checkpoint");
        running.service.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cast_changes_a_type_without_trouble() {
    let convex = deployment(false);
    let running = Running::start(&convex, &MemoryStore::new("0a")).await;
    let mut lines = running.stream(&json!([])).await;
    assert_eq!(rows(&lines.checkpoint().await)["a"]["count"], "9007199254740993");
    let request = running.http.post(running.url("/api/sync-rules/v1/deploy"));
    let sent = request.header("authorization", format!("Bearer {ADMIN}")).body(WITH_CAST).send().await.unwrap();
    assert!(sent.status().is_success());
    let changed = loop {
        let found = rows(&lines.checkpoint().await);
        if !found.is_empty() {
            break found;
        }
    };
    assert_eq!(changed["a"]["count"], 9_007_199_254_740_993_i64);
    assert_eq!(changed["b"]["count"], Value::Null);
    convex.commit(vec![todo("c", "three", -4)]);
    assert_eq!(rows(&lines.checkpoint().await)["c"]["count"], -4);
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn trouble_is_shown_and_passes() {
    let convex = deployment(false);
    let running = Running::start(&convex, &MemoryStore::new("0a")).await;
    let mut lines = running.stream(&json!([])).await;
    lines.checkpoint().await;
    convex.revoke_key(true);
    let status = soon(async {
        loop {
            let status = running.status().await.to_string();
            if status.contains("CONVEX_DEPLOY_KEY") {
                return status;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    })
    .await;
    assert!(!status.contains("ZmFrZS1rZXk"), "the key is nowhere");
    convex.revoke_key(false);
    for fault in [Fault::Cut, Fault::Garbage, Fault::Status(503, "Overloaded", None), Fault::AnswerLost] {
        convex.fail(Route::DocumentDeltas, fault);
    }
    convex.commit(vec![todo("d", "four", 4)]);
    assert_eq!(operations(&lines.checkpoint().await), pairs(&[("PUT", "d")]));
    running.service.stop().await;
}
