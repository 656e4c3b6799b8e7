//! Routes around deploys, as tools use them.

use reqwest::StatusCode;
use serde_json::{Value, json};
use sync_config::Value as Cell;

use crate::running::Running;

const CONFIG: &str = "
config: {edition: 3}
streams:
  lists:
    auto_subscribe: true
    query: SELECT id, name FROM lists WHERE owner_id = auth.user_id()
  todos:
    auto_subscribe: true
    query: SELECT id, text FROM todos WHERE list_id IN (SELECT id FROM lists WHERE owner_id = auth.user_id())
";

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_says_what_would_happen_and_changes_nothing() {
    let mut running = Running::start(CONFIG).await;
    running.connect("u1").await;
    let next = CONFIG.replace("id, text FROM todos", "id, text, done FROM todos").replace("  lists:", "  my_lists:");
    let (_, answer) = running.send("/api/admin/v1/dry-run", &next).await;
    assert_eq!(
        answer["streams"],
        json!([
            {"name": "my_lists", "state": "new", "definitions": {"kept": 1, "building": 0, "new": 0, "dropped": 0}},
            {"name": "todos", "state": "changed", "definitions": {"kept": 0, "building": 0, "new": 1, "dropped": 1}},
            {"name": "lists", "state": "dropped", "definitions": {"kept": 0, "building": 0, "new": 0, "dropped": 0}},
        ])
    );
    assert_eq!(answer["tables"], json!([{"schema": "main", "name": "todos", "rows": 6}]));
    // Two lists have a bucket each, of which one has todos.
    let clients = json!({"connected": 1, "kept": 1, "dropped": 2, "downloaded": 2, "unknown": 0});
    assert_eq!(answer["clients"], clients);
    // By an index that is not there, nobody knows.
    let by_note = CONFIG.replace("SELECT id FROM lists WHERE owner_id", "SELECT id FROM notes WHERE owner_id");
    let (_, answer) = running.send_json("/api/admin/v1/dry-run", &json!({"content": by_note})).await;
    assert_eq!((&answer["clients"]["unknown"], &answer["snapshots"]), (&json!(1), &json!(["main.notes"])));
    let (status, answer) = running.send("/api/admin/v1/dry-run", "streams: 1").await;
    assert_eq!((status, &answer["valid"]), (StatusCode::OK, &json!(false)));
    assert_eq!(running.get("/api/sync-rules/v1/current").await["current"]["content"], CONFIG);
    assert!(running.get("/api/sync-rules/v1/current").await["next"].is_null());
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn reprocessing_compares_rows() {
    let mut running = Running::start(CONFIG).await;
    running.connect("u1").await;
    let before = running.operations().await;
    running.source.take_read();
    let (status, answer) = running.send_json("/api/admin/v1/reprocess", &json!({"tables": ["main.todos"]})).await;
    assert_eq!((status, &answer["tables"]), (StatusCode::OK, &json!([{"schema": "main", "name": "todos"}])));
    // A change after it comes through, and is all that clients get.
    running
        .source
        .inner
        .begin()
        .put("lists", ["u1-a", "u1", "renamed", "red"].map(Cell::text).to_vec())
        .commit()
        .unwrap();
    assert_eq!(running.next_checkpoints().await[0].rows, 1);
    while running.source.take_read() != ["todos"] {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let (status, answer) = running.send("/api/sync-rules/v1/reprocess", "").await;
    assert_eq!((status, answer["tables"].as_array().unwrap().len()), (StatusCode::OK, 2));
    running
        .source
        .inner
        .begin()
        .put("lists", ["u1-a", "u1", "once more", "red"].map(Cell::text).to_vec())
        .commit()
        .unwrap();
    running.next_checkpoints().await;
    assert_eq!(running.operations().await, before + 2, "equal rows give no operation");
    let (status, answer) = running.send_json("/api/admin/v1/reprocess", &json!({"tables": ["notes"]})).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tools_get_what_they_ask_for() {
    let running = Running::start(CONFIG).await;
    let (_, answer) = running.send_json("/api/admin/v1/validate", &json!({"sync_rules": CONFIG})).await;
    assert_eq!(answer["valid"], true);
    let (status, answer) = running.send_json("/api/admin/v1/validate", &json!({"rules": CONFIG})).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{answer}");
    let (_, answer) = running.send("/api/sync-rules/v1/current", "").await;
    assert_eq!(answer["current"]["content"], CONFIG);
    let (_, answer) = running.send("/api/admin/v1/diagnostics", "").await;
    assert_eq!(answer["connections"][0]["connected"], true);
    assert_eq!((&answer["active"]["content"], &answer["deploying"]), (&json!(CONFIG), &Value::Null));
    let (_, answer) = running.send("/api/admin/v1/schema", "").await;
    let notes = &answer["connections"][0]["schemas"][0]["tables"][1];
    assert_eq!(
        (&notes["name"], &notes["columns"][2]["name"], &notes["key"]),
        (&json!("notes"), &json!("body"), &json!(["id"]))
    );
    let (status, answer) = running.send_json("/api/admin/v1/execute-sql", &json!({"sql": "SELECT 1"})).await;
    assert_eq!(status, StatusCode::BAD_REQUEST);
    assert!(answer["error"]["details"].to_string().contains("takes no SQL"), "{answer}");
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_administrators_may() {
    let running = Running::start(CONFIG).await;
    for path in ["validate", "dry-run", "diagnostics", "schema", "reprocess", "execute-sql"] {
        assert_eq!(running.without_token(&format!("/api/admin/v1/{path}")).await, StatusCode::UNAUTHORIZED, "{path}");
    }
    for path in ["reprocess", "current"] {
        let path = format!("/api/sync-rules/v1/{path}");
        assert_eq!(running.without_token(&path).await, StatusCode::UNAUTHORIZED, "{path}");
    }
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn buckets_are_counted_by_definition() {
    let folder = tempfile::tempdir().unwrap();
    for mut running in [Running::start(CONFIG).await, Running::on_file(CONFIG, &folder.path().join("storage.db")).await]
    {
        let buckets = running.get("/api/admin/v1/buckets").await;
        let lists = buckets["definitions"].as_array().unwrap().iter().find(|one| one["streams"] == json!(["lists"]));
        let lists = lists.unwrap().clone();
        assert_eq!((&lists["buckets"], &lists["operations"]), (&json!(2), &json!(4)));
        assert!(lists["bytes"].as_i64().unwrap() > 100 && lists["prefix"].as_str().unwrap().starts_with("lists|0"));
        running.deploy("config: {edition: 3}\nstreams: {}\n").await;
        let buckets = running.get("/api/admin/v1/buckets").await;
        let kept = buckets["definitions"].as_array().unwrap().iter().find(|one| one["id"] == lists["id"]).unwrap();
        assert_eq!((&kept["streams"], &kept["buckets"]), (&json!([]), &json!(2)), "for going back");
        running.service.stop().await;
    }
}
