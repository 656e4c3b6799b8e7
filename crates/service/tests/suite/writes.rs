//! Uploads and dead letters, with an SQLite file that is source and target.

use std::sync::Arc;

use reqwest::{Method, StatusCode};
use rowtide_service::{Service, ServiceOptions};
use rusqlite::Connection;
use serde_json::{Value, json};
use sync_engine::memory::MemoryStore;
use sync_sources::sqlite::SqliteSource;
use write_path::sqlite::SqlitePersister;
use write_path::{Rules, WritePath};

use crate::support::{ADMIN, Lines, Running, options, token};

const TABLES: &str = "PRAGMA journal_mode = WAL;
    CREATE TABLE lists(id TEXT PRIMARY KEY, owner_id TEXT, name TEXT);
    CREATE TABLE todos(id TEXT PRIMARY KEY, list_id TEXT, text TEXT);
    INSERT INTO lists VALUES ('l1', 'u1', 'one'), ('l2', 'u2', 'two');";

const RULES: &str = "
writes:
  tables:
    lists: {columns: [name], set: {owner_id: auth.user_id()}, check: owner_id = auth.user_id()}
";

struct Writing {
    service: Service,
    http: reqwest::Client,
    folder: tempfile::TempDir,
}

impl Writing {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("app.db");
        Connection::open(&file).unwrap().execute_batch(TABLES).unwrap();
        let persister = SqlitePersister::open(&file, &Default::default()).unwrap();
        let rules = Rules::load(RULES, &persister).unwrap().rules.unwrap();
        let store = MemoryStore::new("0a");
        let source = Arc::new(SqliteSource::open(&file).unwrap());
        let writes = Some(Arc::new(WritePath::new(rules, Box::new(persister), Default::default())));
        let open_store = Box::new(move || Ok(Box::new(store.clone()) as Box<dyn sync_engine::store::Store>));
        let options = ServiceOptions { writes, ..options(source, open_store) };
        let service = Service::start(options).await.unwrap();
        service.ready().await;
        Self { service, http: reqwest::Client::new(), folder }
    }

    /// Status and body of a request.
    async fn send(&self, method: Method, path: &str, token: &str, body: String) -> (StatusCode, Value) {
        let url = format!("{}{path}", self.service.url());
        let request = self.http.request(method, url).header("authorization", format!("Bearer {token}"));
        let response = request.body(body).send().await.unwrap();
        (response.status(), response.json().await.unwrap())
    }

    async fn upload(&self, user: &str, body: &Value) -> (StatusCode, Value) {
        self.send(Method::POST, "/api/data", &token(user, 3600), body.to_string()).await
    }

    async fn admin(&self, method: Method, path: &str, body: &str) -> (StatusCode, Value) {
        self.send(method, &format!("/api/admin/v1/dead-letters{path}"), ADMIN, body.into()).await
    }
}

fn upload(operation: Value) -> Value {
    json!({"client_id": "phone", "queue": "q", "transactions": [{"transaction_id": 1, "crud": [operation]}]})
}

/// Ids of rows that came until a checkpoint acknowledged the write.
async fn until_acknowledged(lines: &mut Lines, write: &str) -> Vec<String> {
    let mut ids = Vec::new();
    let mut is_acknowledged = false;
    while !is_acknowledged {
        for line in lines.checkpoint().await {
            for kind in ["checkpoint", "checkpoint_diff"] {
                is_acknowledged |= line[kind]["write_checkpoint"] == write;
            }
            let operations = line["data"]["data"].as_array().into_iter().flatten();
            ids.extend(operations.map(|operation| operation["object_id"].as_str().unwrap().to_owned()));
        }
    }
    ids
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_arrives_in_the_stream_and_is_acknowledged() {
    let writing = Writing::start().await;
    let request = writing.http.post(format!("{}/sync/stream", writing.service.url()));
    let request = request.header("authorization", format!("Token {}", token("u1", 3600)));
    let response = request.json(&json!({"raw_data": true, "client_id": "phone"})).send().await.unwrap();
    let mut lines = Lines::of(response);
    lines.checkpoint().await;
    let body = upload(json!({"op": "PUT", "table": "lists", "id": "new", "op_data": {"name": "mine"}}));
    for _ in 0..2 {
        let answer = writing.upload("u1", &body).await;
        assert_eq!(answer, (StatusCode::OK, json!({"results": [{"status": "success"}]})));
    }
    let path = "/write-checkpoint2.json?client_id=phone";
    let (_, checkpoint) = writing.send(Method::GET, path, &token("u1", 3600), String::new()).await;
    let write = checkpoint["data"]["write_checkpoint"].as_str().unwrap();
    assert_eq!(until_acknowledged(&mut lines, write).await, ["new"]);
    drop(lines);
    writing.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_upload_is_refused() {
    let writing = Writing::start().await;
    let (status, body) = writing.upload("u1", &json!({"transactions": []})).await;
    assert_eq!(
        (status, body),
        (StatusCode::BAD_REQUEST, json!({"message": "An upload has 1 to 50 transactions, not 0."}))
    );
    let (status, _) = writing.send(Method::POST, "/api/data", "no token", String::new()).await;
    assert_eq!(status, StatusCode::UNAUTHORIZED);
    let long = upload(json!({"op": "PUT", "table": "lists", "id": "x", "op_data": {"name": "x".repeat(15 << 20)}}));
    let answer = writing.upload("u1", &long).await;
    assert_eq!(answer, (StatusCode::OK, json!({"results": [{"status": "success"}]})), "as long as a row may be");
    let large = upload(json!({"op": "PUT", "table": "lists", "id": "x", "op_data": {"name": "x".repeat(16 << 20)}}));
    let (status, body) = writing.upload("u1", &large).await;
    assert_eq!((status, body["error"]["status"].as_u64()), (StatusCode::PAYLOAD_TOO_LARGE, Some(413)));
    writing.service.stop().await;
    // Without a write path there are no such routes.
    let running = Running::start().await;
    let request =
        running.http.post(running.url("/api/data")).header("authorization", format!("Bearer {}", token("u1", 60)));
    let response = request.body("{}").send().await.unwrap();
    assert_eq!(response.status(), StatusCode::NOT_FOUND);
    let body: Value = response.json().await.unwrap();
    assert_eq!(body["error"]["code"], "PSYNC_S2002");
    let request =
        running.http.get(running.url("/api/admin/v1/dead-letters")).header("authorization", format!("Bearer {ADMIN}"));
    assert_eq!(request.send().await.unwrap().status(), StatusCode::NOT_FOUND);
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dead_letters_are_shown_replayed_and_discarded() {
    let writing = Writing::start().await;
    let transaction = json!({"op": "PATCH", "table": "lists", "id": "l2", "op_data": {"name": "mine"}});
    let (status, answer) = writing.upload("u1", &upload(transaction.clone())).await;
    assert_eq!((status, &answer["results"][0]["status"]), (StatusCode::OK, &json!("fatal_error")));
    writing.upload("u1", &json!({"transactions": [{"crud": [transaction]}]})).await;

    let (_, list) = writing.admin(Method::GET, "", "").await;
    let ids: Vec<i64> =
        list["dead_letters"].as_array().unwrap().iter().map(|letter| letter["id"].as_i64().unwrap()).collect();
    assert_eq!(ids, [2, 1]);
    let (_, shown) = writing.admin(Method::GET, "/1", "").await;
    let letter = &shown["dead_letter"];
    assert_eq!(
        (&letter["user"], &letter["client"], &letter["error_code"]),
        (&json!("u1"), &json!("phone"), &json!("UNAUTHORIZED"))
    );
    assert_eq!(letter["transaction"]["crud"][0]["id"], "l2");

    let (status, replayed) = writing.admin(Method::POST, "/1/replay", "").await;
    assert_eq!((status, &replayed["result"]["status"]), (StatusCode::OK, &json!("fatal_error")));
    assert_eq!(replayed["dead_letter"]["state"], "open");
    let app = Connection::open(writing.folder.path().join("app.db")).unwrap();
    app.execute_batch("UPDATE lists SET owner_id = 'u1'").unwrap();
    let (_, replayed) = writing.admin(Method::POST, "/1/replay", "").await;
    assert_eq!(
        (&replayed["result"], &replayed["dead_letter"]["state"]),
        (&json!({"status": "success"}), &json!("replayed"))
    );
    let name: String = app.query_row("SELECT name FROM lists WHERE id = 'l2'", [], |row| row.get(0)).unwrap();
    assert_eq!(name, "mine");

    let (_, discarded) = writing.admin(Method::POST, "/2/discard", r#"{"note": "twice"}"#).await;
    assert_eq!(
        (&discarded["dead_letter"]["state"], &discarded["dead_letter"]["note"]),
        (&json!("discarded"), &json!("twice"))
    );
    let (_, open) = writing.admin(Method::GET, "?state=open&limit=5&before=9", "").await;
    assert_eq!(open, json!({"dead_letters": []}));

    for (method, path, body, status) in [
        (Method::POST, "/2/discard", "", StatusCode::CONFLICT),
        (Method::POST, "/1/replay", "", StatusCode::CONFLICT),
        (Method::POST, "/3/replay", "", StatusCode::NOT_FOUND),
        (Method::POST, "/3/discard", "", StatusCode::NOT_FOUND),
        (Method::GET, "/x", "", StatusCode::NOT_FOUND),
        (Method::GET, "?state=lost", "", StatusCode::BAD_REQUEST),
        (Method::GET, "?limit=x", "", StatusCode::BAD_REQUEST),
        (Method::POST, "/1/discard", r#"{"note": 5}"#, StatusCode::BAD_REQUEST),
    ] {
        assert_eq!(writing.admin(method, path, body).await.0, status, "{path}");
    }
    for (method, path) in
        [(Method::GET, ""), (Method::GET, "/1"), (Method::POST, "/1/replay"), (Method::POST, "/1/discard")]
    {
        let path = format!("/api/admin/v1/dead-letters{path}");
        let (status, _) = writing.send(method, &path, &token("u1", 60), String::new()).await;
        assert_eq!(status, StatusCode::UNAUTHORIZED, "{path}");
    }
    writing.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_transactions_are_shown_without_values() {
    let writing = Writing::start().await;
    let long = "x".repeat(1_000);
    let good = json!({"op": "PUT", "table": "lists", "id": long, "op_data": {"name": "something private"}});
    let bad = json!({"op": "PATCH", "table": "lists", "id": "l2", "op_data": {"name": "something private"}});
    for operation in [&good, &good] {
        writing.upload("u1", &upload(operation.clone())).await;
    }
    writing.upload("u1", &json!({"client_id": "laptop", "transactions": [{"crud": [bad]}, {"crud": [good]}]})).await;
    writing.admin(Method::POST, "/1/replay", "").await;
    let (_, log) = writing.send(Method::GET, "/api/admin/v1/writes", ADMIN, String::new()).await;
    assert!(!log.to_string().contains("something private"), "{log}");
    let transactions = log["transactions"].as_array().unwrap();
    let shown: Vec<Value> = transactions
        .iter()
        .map(|one| {
            json!([one["number"], one["outcome"]["status"], one["is_repeated"], one["dead_letter"], one["client"]])
        })
        .collect();
    let expected = json!([
        [4, "fatal_error", false, 1, "laptop"],
        [3, "fatal_error", false, null, "laptop"],
        [2, "success", true, null, "phone"],
        [1, "success", false, null, "phone"],
    ]);
    assert_eq!(Value::Array(shown), expected, "what was not attempted is not there");
    let refused = &transactions[1];
    let outcome = &refused["outcome"];
    assert_eq!((&outcome["error_code"], &outcome["operation_index"]), (&json!("UNAUTHORIZED"), &json!(0)));
    assert_eq!(refused["operations"], json!([{"op": "PATCH", "table": "lists", "id": "l2"}]));
    assert_eq!(transactions[3]["operations"][0]["id"].as_str().unwrap().len(), 500, "texts are shortened");
    assert_eq!(log["counters"], json!({"applied": 1, "repeated": 1, "fatal": 2, "retryable": 0}));
    writing.service.stop().await;
}
