//! Sync streams.

use serde_json::json;

use crate::support::{Lines, Running, delete, operations, pairs, put, todos_of};

#[tokio::test(flavor = "multi_thread")]
async fn a_client_gets_its_rows_and_then_their_changes() {
    let running = Running::start().await;
    let mut lines = running.stream("u1", todos_of(&["l1"])).await;
    let first = lines.checkpoint().await;
    assert_eq!(operations(&first), pairs(&[("PUT", "l1"), ("PUT", "t1"), ("PUT", "t2")]), "{first:?}");
    put(&running.source, "todos", ["t4", "l1", "new"]);
    let changed = lines.checkpoint().await;
    assert_eq!(operations(&changed), pairs(&[("PUT", "t4")]), "{changed:?}");
    delete(&running.source, "todos", "t1");
    assert_eq!(operations(&lines.checkpoint().await), pairs(&[("REMOVE", "t1")]));
    running.service.stop().await;
    assert_eq!(lines.next().await, None, "the stream ends cleanly");
}

#[tokio::test(flavor = "multi_thread")]
async fn keep_alive_lines_come_while_nothing_happens() {
    let running = Running::with(|options| options.limits.keep_alive = std::time::Duration::from_millis(20)).await;
    let mut lines = running.stream("u1", json!({})).await;
    lines.checkpoint().await;
    for _ in 0..3 {
        let left = lines.next().await.unwrap()["token_expires_in"].as_i64().unwrap();
        assert!((3500..=3600).contains(&left), "{left}");
    }
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_streams_share_one_connection_of_http_2() {
    let mut running = Running::start().await;
    running.http = reqwest::Client::builder().http2_prior_knowledge().build().unwrap();
    let mut streams = Vec::new();
    for _ in 0..20 {
        let response = running.ask("u1", &json!({})).header("accept-encoding", "identity").send().await.unwrap();
        assert_eq!(response.version(), reqwest::Version::HTTP_2);
        let mut lines = Lines::of(response);
        lines.checkpoint().await;
        streams.push(lines);
    }
    put(&running.source, "lists", ["l1", "u1", "changed"]);
    for lines in &mut streams {
        assert_eq!(operations(&lines.checkpoint().await), pairs(&[("PUT", "l1")]));
    }
    running.service.stop().await;
    for lines in &mut streams {
        assert_eq!(lines.next().await, None, "the stream ends cleanly");
    }
}
