//! Streams over a WebSocket have the same faults, except that no half line is sent.

use serde_json::json;

use crate::client::{Client, Received, Setup};
use crate::{Service, WRITE};

async fn connect(service: &Service) -> Client {
    Client::begin_at(&service.url("/sync/stream"), &Setup::of(&service.dev.token("alice").unwrap())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn offline_ends_streams_and_takes_no_connections() {
    let service = Service::start().await;
    let mut client = connect(&service).await;
    client.ask(1, 1000, json!({})).await;
    client.checkpoint(1).await;
    service.set(json!({"offline": true})).await;
    assert!(matches!(client.receive().await, Received::Error(1, ..)));
    client.ask(3, 1000, json!({})).await;
    assert!(matches!(client.receive().await, Received::Error(3, _, message) if message.contains("offline")));
    let url = service.url("/sync/stream").replace("http:", "ws:");
    assert!(tokio_tungstenite::connect_async(url).await.is_err());
    service.set(json!({"offline": false})).await;
    client.ask(5, 1000, json!({})).await;
    client.checkpoint(5).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_once_happens_to_them_too() {
    let service = Service::start().await;
    let mut client = connect(&service).await;
    client.ask(1, 1000, json!({})).await;
    client.checkpoint(1).await;
    assert_eq!(service.now("checksum").await, 1);
    service.write(WRITE).await;
    client.checkpoint(1).await;
    assert_eq!(service.now("expire").await, 1);
    assert_eq!(client.line(1).await, json!({"token_expires_in": 0}));
    assert_eq!(client.receive().await, Received::Complete(1));
    client.ask(3, 1000, json!({})).await;
    client.checkpoint(3).await;
    assert_eq!(service.now("cut").await, 1);
    assert!(matches!(client.receive().await, Received::Error(3, ..)));
}
