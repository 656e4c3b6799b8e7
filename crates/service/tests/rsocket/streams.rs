//! Streams and their lines.

use bson::doc;
use serde_json::json;

use crate::client::{Client, Received, Setup, metadata, request};
use crate::support::{Running, put, soon, token};

#[tokio::test]
async fn lines_are_those_of_http() {
    let running = Running::start().await;
    let mut http = running.stream("u1", json!({"raw_data": true})).await;
    let expected = [http.next().await, http.next().await, http.next().await].map(Option::unwrap);
    // As the published SDK asks: in JSON, for BSON.
    let mut client = Client::of(&running, "u1").await;
    client.ask(1, 10, json!({"raw_data": true, "include_checksum": true, "buckets": []})).await;
    assert_eq!(client.checkpoint(1).await, expected);
    // All in BSON.
    let setup = Setup { mime: "application/bson", metadata: metadata(&token("u1", 3600)), ..Setup::of("") };
    let mut client = Client::begin(&running, &setup).await;
    let path = doc! {"path": "/sync/stream"}.to_vec().unwrap();
    let body = doc! {"raw_data": true, "streams": {"include_defaults": true, "subscriptions": []}}.to_vec().unwrap();
    client.send(request(1, 10, &path, &body)).await;
    assert_eq!(client.checkpoint(1).await, expected);
    let clients = running.admin("/api/admin/v1/clients").await;
    let agents: Vec<&str> =
        clients["clients"].as_array().unwrap().iter().map(|client| client["user_agent"].as_str().unwrap()).collect();
    assert!(agents.contains(&"powersync-js/1.3.0") && agents.contains(&"bson"), "{agents:?}");
    // All in JSON.
    let mut client = Client::of(&running, "u1").await;
    client.send(request(1, 10, br#"{"path":"/sync/stream"}"#, br#"{"raw_data":true}"#)).await;
    for line in expected {
        let Received::Next(1, text) = client.receive().await else { panic!("a line") };
        assert_eq!(serde_json::from_slice::<serde_json::Value>(&text).unwrap(), line);
    }
}

#[tokio::test]
async fn changes_come_and_there_are_no_keep_alive_lines() {
    let running = Running::with(|options| options.limits.keep_alive = std::time::Duration::from_millis(1)).await;
    let mut client = Client::of(&running, "u1").await;
    client.ask(1, 1000, json!({})).await;
    client.checkpoint(1).await;
    for name in ["x", "y", "z"] {
        put(&running.source, "lists", ["l3", "u1", name]);
        let lines = client.checkpoint(1).await;
        let names: Vec<&String> = lines.iter().map(|line| line.as_object().unwrap().keys().next().unwrap()).collect();
        assert_eq!(names, ["checkpoint_diff", "data", "checkpoint_complete"]);
    }
}

#[tokio::test]
async fn no_more_lines_come_than_the_client_takes() {
    let running = Running::start().await;
    let mut client = Client::of(&running, "u1").await;
    client.ask(1, 1, json!({})).await;
    assert!(client.line(1).await.get("checkpoint").is_some());
    for expected in ["data", "checkpoint_complete"] {
        // Whatever was on the way has come before the answer.
        client.keep_alive(b"?").await;
        assert_eq!(client.receive().await, Received::KeepAlive { respond: false, data: b"?".to_vec() });
        client.grant(1, 1).await;
        assert!(client.line(1).await.get(expected).is_some());
    }
    // What is granted in advance is remembered.
    client.grant(1, 2).await;
    client.grant(1, 1).await;
    put(&running.source, "lists", ["l3", "u1", "new"]);
    assert_eq!(client.checkpoint(1).await.len(), 3);
}

#[tokio::test]
async fn a_connection_has_several_streams_which_are_cancelled_alone() {
    let running = Running::start().await;
    let mut client = Client::of(&running, "u1").await;
    client.ask(1, 100, json!({})).await;
    client.checkpoint(1).await;
    let list = json!({"streams": {"include_defaults": false, "subscriptions": [
        {"stream": "todos", "parameters": {"list": "l1"}, "override_priority": null}]}});
    client.ask(3, 100, list).await;
    let todos = client.checkpoint(3).await;
    assert!(todos.iter().any(|line| line["data"]["data"].as_array().is_some_and(|data| data.len() == 2)), "{todos:?}");
    running.status_with(|status| status["clients"].as_array().unwrap().len() == 2).await;
    client.cancel(1).await;
    running.status_with(|status| status["clients"].as_array().unwrap().len() == 1).await;
    put(&running.source, "lists", ["l3", "u1", "new"]);
    put(&running.source, "todos", ["t4", "l1", "new"]);
    client.checkpoint(3).await;
    // The client goes, and its stream with it.
    drop(client);
    running.status_with(|status| status["clients"].as_array().unwrap().is_empty()).await;
}

#[tokio::test]
async fn a_request_can_come_in_parts() {
    let running = Running::start().await;
    let mut client = Client::of(&running, "u1").await;
    let mut first = request(1, 10, br#"{"path":"/sync/stream"}"#, br#"{"binary_"#);
    first[5] |= 0x80;
    client.send(first).await;
    client.send([&[0, 0, 0, 1, 0x28, 0x80][..], br#"data":"#].concat()).await;
    client.send([&[0, 0, 0, 1, 0x28, 0][..], br#"true}"#].concat()).await;
    assert_eq!(client.checkpoint(1).await.len(), 3);
}

#[tokio::test]
async fn large_lines_come_whole() {
    let running = Running::start().await;
    let text = "x".repeat(3_000_000);
    put(&running.source, "lists", ["big", "u1", &text]);
    let mut client = Client::of(&running, "u1").await;
    client.ask(1, 100, json!({})).await;
    let is_there = |lines: &[serde_json::Value]| lines.iter().any(|line| line.to_string().contains(&text));
    // The row can come after the first checkpoint.
    while !is_there(&client.checkpoint(1).await) {}
}

#[tokio::test]
async fn a_service_that_stops_ends_streams_and_connections() {
    let running = Running::start().await;
    let (mut client, mut idle) = (Client::of(&running, "u1").await, Client::of(&running, "u2").await);
    client.ask(1, 100, json!({})).await;
    client.checkpoint(1).await;
    idle.keep_alive(b"").await;
    idle.receive().await;
    let stopped = tokio::spawn(running.service.stop());
    assert_eq!(client.receive().await, Received::Complete(1));
    for client in [&mut client, &mut idle] {
        let ended = client.receive().await;
        let Received::Error(0, 0x102, message) = &ended else { panic!("{ended:?}") };
        assert!(message.starts_with("PSYNC_S2003"), "{message}");
        assert_eq!(client.receive().await, Received::Closed(Some(1001)));
    }
    soon(stopped).await.unwrap();
}
