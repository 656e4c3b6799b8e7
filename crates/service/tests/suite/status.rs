//! What those who run the service see: status, metrics, configurations, and a source in trouble.

use std::sync::Arc;
use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use sync_config::Value as Cell;
use sync_engine::memory::MemoryStore;

use crate::faulty::{DOWN, Faulty};
use crate::support::{
    ADMIN, CONFIG, CONFIG_WITH_NOTES, Running, operations, pairs, put, soon, source, todos_of, token,
};

/// The count of a definition whose bucket names begin with the stream's name.
fn written(status: &Value, stream: &str) -> u64 {
    let counts = status["counters"]["operations_by_definition"].as_object().unwrap();
    let of_stream = counts.iter().filter(|(name, _)| name.starts_with(&format!("{stream}|")));
    of_stream.map(|(_, count)| count.as_u64().unwrap()).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_counts_what_is_written_for_each_definition() {
    let running = Running::start().await;
    let status = running.status().await;
    assert_eq!(status["config"]["state"], "active");
    assert_eq!(status["config"]["building"], Value::Null);
    assert_eq!((written(&status, "lists"), written(&status, "todos")), (2, 3));
    assert_eq!(status["counters"]["operations_written"], 5);
    let op_id: i64 = status["checkpoint"]["op_id"].as_str().unwrap().parse().unwrap();
    let mut lines = running.stream("u1", json!({"client_id": "a"})).await;
    lines.checkpoint().await;
    running.send_config("deploy", CONFIG_WITH_NOTES).await;
    lines.checkpoint().await;
    let status = running.status().await;
    assert_eq!((written(&status, "lists"), written(&status, "todos"), written(&status, "notes")), (2, 3, 1));
    assert!(status["checkpoint"]["op_id"].as_str().unwrap().parse::<i64>().unwrap() > op_id);
    let client = &status["clients"][0];
    assert_eq!((&client["user"], &client["client_id"]), (&json!("u1"), &json!("a")));
    assert_eq!(status["counters"]["operations_sent"], 2, "l1 and n1");
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn configurations_are_checked_and_shown() {
    let running = Running::start().await;
    let (status, body) = running.send_config("validate", CONFIG_WITH_NOTES).await;
    assert_eq!((status, &body["valid"]), (StatusCode::OK, &json!(true)));
    let (status, body) = running.send_config("validate", "streams: 1").await;
    assert_eq!((status, &body["valid"]), (StatusCode::OK, &json!(false)));
    assert!(!body["diagnostics"].as_array().unwrap().is_empty());
    let current = running.admin("/api/sync-rules/v1/current").await;
    assert_eq!((&current["current"]["content"], &current["next"]), (&json!(CONFIG), &Value::Null));
    assert_eq!(running.admin("/api/admin/v1/plan").await["buckets"].as_array().unwrap().len(), 2);
    let newest = running.admin("/api/admin/v1/checkpoints").await["newest"]["op_id"].clone();
    assert_eq!(newest, running.status().await["checkpoint"]["op_id"]);
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_the_admin_token_opens_what_is_for_administrators() {
    let running = Running::start().await;
    for (method, path) in [
        ("GET", "/metrics"),
        ("GET", "/api/admin/v1/status"),
        ("GET", "/api/admin/v1/clients"),
        ("GET", "/api/admin/v1/checkpoints"),
        ("GET", "/api/admin/v1/plan"),
        ("GET", "/api/sync-rules/v1/current"),
        ("POST", "/api/sync-rules/v1/deploy"),
        ("POST", "/api/sync-rules/v1/validate"),
    ] {
        for token in [None, Some(token("u1", 3600)), Some(format!("{ADMIN}x")), Some(ADMIN[1..].to_owned())] {
            let mut request = running.http.request(method.parse().unwrap(), running.url(path)).body(CONFIG_WITH_NOTES);
            if let Some(token) = token {
                request = request.header("authorization", format!("Bearer {token}"));
            }
            assert_eq!(request.send().await.unwrap().status(), 401, "{path}");
        }
    }
    assert_eq!(running.admin("/api/sync-rules/v1/current").await["current"]["content"], CONFIG);
    running.service.stop().await;
    let running = Running::with(|options| options.admin_token = None).await;
    let request = running.http.get(running.url("/api/admin/v1/status")).header("authorization", "Bearer ");
    assert_eq!(request.send().await.unwrap().status(), 403, "no token would do");
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn metrics_are_a_page_for_prometheus() {
    let running = Running::with(|options| options.has_public_metrics = true).await;
    let mut lines = running.stream("u1", todos_of(&["l1"])).await;
    lines.checkpoint().await;
    put(&running.source, "todos", ["t9", "l2", "of another list"]);
    put(&running.source, "lists", ["l1", "u1", "renamed"]);
    lines.checkpoint().await;
    running.http.get(running.url("/nope/secret")).send().await.unwrap();
    let response = running.http.get(running.url("/metrics")).send().await.unwrap();
    assert!(response.headers()["content-type"].to_str().unwrap().starts_with("text/plain; version=0.0.4"));
    let page = response.text().await.unwrap();
    let value = |name: &str| -> Option<f64> {
        let line = page.lines().find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')))?;
        line.rsplit_once(' ').unwrap().1.parse().ok()
    };
    assert_eq!(value("rowtide_connections"), Some(1.0));
    assert_eq!(value("rowtide_operations_sent_total"), Some(4.0));
    assert_eq!(value("rowtide_stream_wakes_total"), Some(1.0), "what others see wakes nobody");
    assert!(value("rowtide_bytes_sent_total").unwrap() > 100.0);
    assert!(value("rowtide_checkpoint_op_id").unwrap() >= 5.0);
    assert_eq!(value("rowtide_source_up"), Some(1.0));
    assert_eq!(value("rowtide_storage_up"), Some(1.0));
    assert_eq!(value(r#"rowtide_requests_total{route="/sync/stream",status="200"}"#), Some(1.0));
    assert_eq!(value(r#"rowtide_requests_total{route="other",status="404"}"#), Some(1.0));
    assert!(page.contains("rowtide_operations_written_total{definition=\"lists|"), "{page}");
    for line in page.lines().filter(|line| !line.starts_with('#')) {
        assert!(line.rsplit_once(' ').unwrap().1.parse::<f64>().is_ok(), "{line}");
        let name = line.split(['{', ' ']).next().unwrap();
        assert!(page.contains(&format!("# TYPE {name} ")), "{line}");
    }
    assert!(!page.contains("secret") && !page.contains("u1"), "no paths that clients make up, and no users");
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_served_while_the_source_is_away() {
    let (source, store) = (source(), MemoryStore::new("0a"));
    let read = Faulty::new(&source);
    let running = Running::on(source, Arc::new(read.clone()), store, |_| {}).await;
    let mut lines = running.stream("u1", json!({})).await;
    lines.checkpoint().await;
    let status = running.status_with(|status| status["source"]["lag_seconds"] == 0.0).await;
    assert_eq!(status["source"]["errors"], 0);
    read.set_down(true);
    put(&running.source, "lists", ["l1", "u1", "changed"]);
    let status = running.status_with(|status| !status["source"]["error"].is_null()).await;
    assert_eq!(status["source"]["error"], DOWN);
    let late = running.status_with(|status| status["source"]["lag_seconds"].as_f64() > Some(0.0)).await;
    assert!(late["source"]["lag_seconds"].is_number());
    let first = running.stream("u1", todos_of(&["l1"])).await.checkpoint().await;
    assert_eq!(operations(&first), pairs(&[("PUT", "l1"), ("PUT", "t1"), ("PUT", "t2")]));
    // Long enough for several attempts.
    running.status_with(|status| status["source"]["error"] == DOWN).await;
    read.set_down(false);
    assert_eq!(operations(&lines.checkpoint().await), pairs(&[("PUT", "l1")]), "the stream went on");
    let status = running.status_with(|status| status["source"]["lag_seconds"] == 0.0).await;
    assert_eq!((&status["source"]["error"], &status["source"]["last_error"]), (&Value::Null, &json!(DOWN)));
    assert_eq!(status["source"]["errors"], 1);
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_goes_on_when_the_source_is_back() {
    let (source, store) = (source(), MemoryStore::new("0a"));
    for number in 0..10_000 {
        put(&source, "notes", [&format!("n{number}"), "l1", "x"]);
    }
    let read = Faulty::new(&source);
    let running = Running::on(source, Arc::new(read.clone()), store, |_| {}).await;
    read.fail_chunks(3);
    running.send_config("deploy", CONFIG_WITH_NOTES).await;
    for number in 1..=3 {
        // Something else happens while the source is not asked.
        soon(async {
            while read.failed_chunks() < number {
                tokio::time::sleep(Duration::from_millis(1)).await
            }
        })
        .await;
        put(&running.source, "notes", ["n1", "l1", &number.to_string()]);
    }
    running.status_with(|status| status["config"]["building"].is_null() && status["config"]["id"] == 2).await;
    let got = operations(&running.stream("u9", json!({})).await.checkpoint().await);
    assert_eq!(got.iter().filter(|(op, _)| op == "PUT").count(), 10_000);
    assert_eq!(read.failed_chunks(), 3);
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_row_that_is_too_large_is_left_out_until_it_is_smaller() {
    let running = Running::start().await;
    let mut lines = running.stream("u1", todos_of(&["l1"])).await;
    lines.checkpoint().await;
    let row = ["t1".to_owned(), "l1".to_owned(), "x".repeat(16 << 20)];
    running.source.begin().put("todos", row.map(Cell::text).to_vec()).commit().unwrap();
    put(&running.source, "todos", ["t2", "l1", "the next one"]);
    let mut got = Vec::new();
    while !got.contains(&("PUT".to_owned(), "t2".to_owned())) {
        got.extend(operations(&lines.checkpoint().await));
    }
    assert_eq!(got, pairs(&[("REMOVE", "t1"), ("PUT", "t2")]));
    let problems = running.status().await["problems"].clone();
    let problem = problems.as_array().unwrap().iter().find(|problem| problem["problem"] == "too_large").unwrap();
    assert!(problem["subject"].as_str().unwrap().starts_with("todos|") && problem["count"].as_u64() >= Some(1));
    put(&running.source, "todos", ["t1", "l1", "smaller"]);
    assert_eq!(operations(&lines.checkpoint().await), pairs(&[("PUT", "t1")]));
    running.service.stop().await;
}
