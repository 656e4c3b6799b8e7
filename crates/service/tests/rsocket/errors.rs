//! What is refused, and what the client is told.

use reqwest::StatusCode;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::Message;

use crate::client::{Client, Received, Setup, request};
use crate::support::{Running, answer, token};

const REJECTED_SETUP: u32 = 0x003;
const CONNECTION: u32 = 0x101;
const APPLICATION: u32 = 0x201;

/// The code of the service in an error of a stream.
async fn refused(client: &mut Client, stream: u32) -> String {
    match client.receive().await {
        Received::Error(number, APPLICATION, message) if number == stream => {
            let message: Value = serde_json::from_str(&message).unwrap();
            message["code"].as_str().unwrap().to_owned()
        }
        other => panic!("no error of stream {stream}: {other:?}"),
    }
}

#[tokio::test]
async fn tokens_are_checked_at_the_beginning() {
    let running = Running::start().await;
    let others = format!("{}_", &token("u1", 3600)[..100]);
    for (metadata, code) in [
        (Setup::of("no token").metadata, "PSYNC_S2101"),
        (Setup::of(&others).metadata, "PSYNC_S210"),
        (Setup::of(&token("u1", -3600)).metadata, "PSYNC_S2103"),
        (b"{}".to_vec(), "PSYNC_S2106"),
        (Vec::new(), "PSYNC_S2106"),
        (b"[]".to_vec(), "PSYNC_S2001"),
        (b"\xff".to_vec(), "PSYNC_S2001"),
    ] {
        let mut client = Client::begin(&running, &Setup { metadata, ..Setup::of("") }).await;
        let (error, message) = client.refused().await;
        assert!(error == REJECTED_SETUP && message.contains(code), "{message}");
    }
}

#[tokio::test]
async fn a_stream_is_refused_alone() {
    let running = Running::with(|options| options.limits.max_connections = 1).await;
    let mut client = Client::of(&running, "u1").await;
    client.send(request(1, 1, br#"{"path":"/other"}"#, b"{}")).await;
    assert_eq!(refused(&mut client, 1).await, "PSYNC_S2002");
    client.send(request(3, 1, b"no JSON", b"{}")).await;
    assert_eq!(refused(&mut client, 3).await, "PSYNC_S2001");
    client.send(request(5, 1, br#"{"path":"/sync/stream"}"#, b"no JSON")).await;
    assert_eq!(refused(&mut client, 5).await, "PSYNC_S2001");
    client.ask(7, 1, json!({"buckets": 5})).await;
    assert_eq!(refused(&mut client, 7).await, "PSYNC_S2001");
    client.ask(9, 100, json!({})).await;
    client.checkpoint(9).await;
    client.ask(11, 100, json!({})).await;
    assert_eq!(refused(&mut client, 11).await, "PSYNC_S2304");
    client.cancel(9).await;
    running.status_with(|status| status["clients"].as_array().unwrap().is_empty()).await;
    client.ask(13, 100, json!({})).await;
    client.checkpoint(13).await;
    // Another kind of request.
    client.send(vec![0, 0, 0, 15, 0x10, 0]).await;
    assert!(matches!(client.receive().await, Received::Error(15, 0x202, _)));
}

#[tokio::test]
async fn large_requests_are_refused() {
    let running = Running::with(|options| options.limits.max_body = 1000).await;
    let mut client = Client::of(&running, "u1").await;
    client.ask(1, 1, json!({"app_metadata": {"a": "x".repeat(2000)}})).await;
    let Received::Error(1, 0x204, message) = client.receive().await else { panic!("an error") };
    assert!(message.contains("PSYNC_S2001"), "{message}");
    // One message that is larger than any request ends the connection.
    client.ask(3, 1, json!({"app_metadata": {"a": "x".repeat(200_000)}})).await;
    assert!(matches!(client.receive().await, Received::Closed(_)));
}

#[tokio::test]
async fn what_is_no_rsocket_ends_the_connection() {
    let running = Running::start().await;
    let mut client = Client::of(&running, "u1").await;
    client.send(vec![0, 0, 0, 0, 0xfc, 0]).await;
    assert_eq!(client.refused().await.0, CONNECTION);
    let mut client = Client::of(&running, "u1").await;
    client.message(Message::Text("{}".into())).await;
    assert_eq!(client.refused().await.0, CONNECTION);
    let mut client = Client::open(&running).await;
    client.keep_alive(b"").await;
    assert_eq!(client.refused().await.0, 0x001);
}

#[tokio::test]
async fn the_path_without_a_websocket_is_still_unknown() {
    let running = Running::start().await;
    let (status, body) = answer(running.http.get(running.url("/sync/stream")).send().await.unwrap()).await;
    assert_eq!((status, &body["error"]["code"]), (StatusCode::NOT_FOUND, &json!("PSYNC_S2002")));
}
