//! Write checkpoints: a client learns that its own writes are in what it has downloaded.

use std::sync::Arc;

use serde_json::{Value, json};
use sync_engine::memory::MemoryStore;

use crate::faulty::Faulty;
use crate::support::{Lines, Running, operations, pairs, put, soon, source, token};

/// The id that the lines of a checkpoint acknowledge.
fn acknowledged(lines: &[Value]) -> Option<i64> {
    let checkpoints = lines.iter().flat_map(|line| [&line["checkpoint"], &line["checkpoint_diff"]]);
    let ids = checkpoints.filter_map(|checkpoint| checkpoint["write_checkpoint"].as_str());
    ids.map(|id| id.parse().unwrap()).next_back()
}

/// Reads checkpoints until one acknowledges the id. Gives all their lines.
async fn until(lines: &mut Lines, id: i64) -> Vec<Value> {
    let mut all = Vec::new();
    loop {
        let checkpoint = lines.checkpoint().await;
        let newest = acknowledged(&checkpoint);
        assert!(newest.is_none_or(|newest| newest <= id), "{checkpoint:?}");
        all.extend(checkpoint);
        if newest == Some(id) {
            return all;
        }
    }
}

async fn next(running: &Running, user: &str, query: &str) -> Value {
    running.get(user, &format!("/write-checkpoint2.json{query}")).await["data"]["write_checkpoint"].clone()
}

async fn request(running: &Running, user: &str, client: &str, id: Value) -> Value {
    let body = json!({"client_id": client, "checkpoint_request_id": id});
    let (status, body) = running.request_checkpoint(user, &body).await;
    assert_eq!(status, 200, "{body}");
    body["data"]["checkpoint_request_id"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn both_routes_count_together_for_each_user_and_client() {
    let running = Running::start().await;
    assert_eq!(next(&running, "u1", "?client_id=a").await, "1");
    assert_eq!(next(&running, "u1", "?client_id=a").await, "2");
    assert_eq!(next(&running, "u1", "?client_id=b").await, "1");
    assert_eq!(next(&running, "u2", "?client_id=a").await, "1");
    assert_eq!(next(&running, "u1", "").await, "1");
    assert_eq!(request(&running, "u1", "a", json!("6")).await, "6");
    assert_eq!(next(&running, "u1", "?client_id=a").await, "7");
    assert_eq!(request(&running, "u1", "a", json!(4)).await, "7", "an id that is too old");
    assert_eq!(request(&running, "u1", "a", json!("9007199254740993")).await, "9007199254740993");
    assert_eq!(request(&running, "u1", "a", json!(i64::MAX.to_string())).await, i64::MAX.to_string());
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_are_answered_with_what_is_wrong() {
    let running = Running::start().await;
    for body in [
        json!({"checkpoint_request_id": "1"}),
        json!({"client_id": "a"}),
        json!({"client_id": 1, "checkpoint_request_id": "1"}),
        json!({"client_id": "a", "checkpoint_request_id": 0}),
        json!({"client_id": "a", "checkpoint_request_id": "0"}),
        json!({"client_id": "a", "checkpoint_request_id": "-1"}),
        json!({"client_id": "a", "checkpoint_request_id": "9223372036854775808"}),
        json!({"client_id": "a", "checkpoint_request_id": "x"}),
        json!({"client_id": "a", "checkpoint_request_id": "1.0"}),
        json!({"client_id": "a", "checkpoint_request_id": 1.5}),
        json!({"client_id": "a", "checkpoint_request_id": null}),
        json!([]),
    ] {
        let (status, answer) = running.request_checkpoint("u1", &body).await;
        assert_eq!((status.as_u16(), &answer["error"]["code"]), (400, &json!("PSYNC_S2001")), "{body}");
        assert!(answer["error"]["details"].is_string());
    }
    for path in ["/write-checkpoint2.json", "/write-checkpoint.json"] {
        assert_eq!(running.http.get(running.url(path)).send().await.unwrap().status(), 401);
    }
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_is_acknowledged_with_the_data_or_after_them() {
    let running = Running::start().await;
    let mut lines = running.stream("u1", json!({"client_id": "a"})).await;
    let mut other = running.stream("u1", json!({"client_id": "b"})).await;
    lines.checkpoint().await;
    other.checkpoint().await;
    for number in 1..=20 {
        let name = format!("l{number:02}");
        put(&running.source, "lists", [&name, "u1", "mine"]);
        let id = if number % 2 == 0 {
            next(&running, "u1", "?client_id=a").await
        } else {
            request(&running, "u1", "a", json!(number)).await
        };
        assert_eq!(id, number.to_string());
        assert_eq!(operations(&until(&mut lines, number).await), pairs(&[("PUT", &name)]));
    }
    let mut seen = Vec::new();
    while seen.len() < 20 {
        let checkpoint = other.checkpoint().await;
        assert_eq!(acknowledged(&checkpoint), None, "they are of another client");
        seen.extend(operations(&checkpoint));
    }
    // It is repeated on reconnect.
    let mut again = running.stream("u1", json!({"client_id": "a"})).await;
    assert_eq!(acknowledged(&again.checkpoint().await), Some(20));
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_is_acknowledged_while_nothing_is_written() {
    let running = Running::start().await;
    let mut lines = running.stream("u1", json!({"client_id": "a"})).await;
    let first = lines.checkpoint().await;
    let last = &first[0]["checkpoint"]["last_op_id"];
    for number in 1..4 {
        next(&running, "u1", "?client_id=a").await;
        let lines = until(&mut lines, number).await;
        let diff = json!({"last_op_id": last, "write_checkpoint": number.to_string(), "removed_buckets": [],
            "updated_buckets": []});
        assert_eq!(lines, [json!({"checkpoint_diff": diff}), json!({"checkpoint_complete": {"last_op_id": last}})]);
    }
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_at_the_same_time_get_different_ids() {
    let running = Running::start().await;
    let ask = || async { next(&running, "u1", "?client_id=a").await.as_str().unwrap().parse::<i64>().unwrap() };
    let mut ids = Vec::new();
    for _ in 0..5 {
        let (a, b, c, d) = tokio::join!(ask(), ask(), ask(), ask());
        ids.extend([a, b, c, d]);
    }
    ids.sort_unstable();
    assert_eq!(ids, (1..=20).collect::<Vec<_>>());
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_that_wait_share_one_look_at_the_source() {
    let (source, store) = (source(), MemoryStore::new("0a"));
    let read = Faulty::new(&source);
    let running = Running::on(source, Arc::new(read.clone()), store, |options| {
        options.limits.max_checkpoint_requests = 4;
    })
    .await;
    read.hold_heads(true);
    let ask = |number: usize| {
        let request = running.http.get(running.url(&format!("/write-checkpoint2.json?client_id={number}")));
        let request = request.header("authorization", format!("Token {}", token("u1", 3600)));
        tokio::spawn(async move { request.send().await.unwrap() })
    };
    // Four are with the writer's thread, four wait, and one is refused.
    let mut asked: Vec<_> = (0..9).map(ask).collect();
    let refused = soon(async {
        loop {
            match asked.iter().position(tokio::task::JoinHandle::is_finished) {
                Some(at) => return asked.swap_remove(at).await.unwrap(),
                None => tokio::time::sleep(std::time::Duration::from_millis(5)).await,
            }
        }
    })
    .await;
    assert_eq!(refused.status(), 429);
    let before = read.heads();
    read.hold_heads(false);
    let mut answered = 0;
    for task in asked {
        answered += usize::from(soon(task).await.unwrap().status() == 200);
    }
    assert_eq!(answered, 8);
    // The first, the three that waited behind it at most in two steps, and the same again for the other four.
    assert!(read.heads() - before <= 6, "{}", read.heads() - before);
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_old_route_waits_for_a_checkpoint_with_everything() {
    let running = Running::start().await;
    for number in 0..5 {
        put(&running.source, "lists", ["l9", "u9", &number.to_string()]);
        let answer = running.get("u1", "/write-checkpoint.json").await;
        let op_id: i64 = answer["data"]["checkpoint"].as_str().unwrap().parse().unwrap();
        let first = running.stream("u9", json!({"raw_data": false})).await.checkpoint().await;
        assert_eq!(first[1]["data"]["data"].as_array().unwrap().last().unwrap()["data"]["name"], number.to_string());
        let newest: i64 = first[0]["checkpoint"]["last_op_id"].as_str().unwrap().parse().unwrap();
        assert_eq!(op_id, newest);
    }
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_checkpoint_is_refused_while_the_source_is_away() {
    let (source, store) = (source(), MemoryStore::new("0a"));
    let read = Faulty::new(&source);
    let running = Running::on(source, Arc::new(read.clone()), store, |_| {}).await;
    read.set_down(true);
    let (status, body) =
        running.request_checkpoint("u1", &json!({"client_id": "a", "checkpoint_request_id": "5"})).await;
    assert_eq!((status.as_u16(), &body["error"]["code"]), (503, &json!("PSYNC_S2003")));
    let request = running.http.get(running.url("/write-checkpoint.json"));
    let request = request.header("authorization", format!("Token {}", token("u1", 3600)));
    assert_eq!(request.send().await.unwrap().status(), 503);
    read.set_down(false);
    assert_eq!(request_soon(&running, 5).await, "5");
    running.service.stop().await;
}

/// Asks again while the source is away.
async fn request_soon(running: &Running, id: i64) -> Value {
    soon(async {
        loop {
            let body = json!({"client_id": "a", "checkpoint_request_id": id});
            let (status, body) = running.request_checkpoint("u1", &body).await;
            if status == 200 {
                return body["data"]["checkpoint_request_id"].clone();
            }
        }
    })
    .await
}
