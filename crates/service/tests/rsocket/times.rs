//! Keep-alives, silence, and tokens that expire. Short times are waited for, and no test depends on how long it takes.

use std::time::Duration;

use serde_json::json;

use crate::client::{Client, Received, Setup};
use crate::support::{Running, put, token};

#[tokio::test]
async fn the_service_sends_keep_alives_too() {
    let running = Running::start().await;
    let setup = Setup { keep_alive: 10, ..Setup::of(&token("u1", 3600)) };
    let mut client = Client::begin(&running, &setup).await;
    for _ in 0..3 {
        assert_eq!(client.receive().await, Received::KeepAlive { respond: true, data: Vec::new() });
    }
}

#[tokio::test]
async fn a_silent_client_is_disconnected() {
    let running = Running::start().await;
    let setup = Setup { lifetime: 100, ..Setup::of(&token("u1", 3600)) };
    let mut client = Client::begin(&running, &setup).await;
    client.ask(1, 100, json!({})).await;
    client.checkpoint(1).await;
    let (code, message) = client.refused().await;
    assert!(code == 0x101 && message.contains("silent"), "{message}");
    running.status_with(|status| status["clients"].as_array().unwrap().is_empty()).await;
}

#[tokio::test]
async fn a_client_that_begins_nothing_is_disconnected() {
    let running = Running::with(|options| options.limits.header_timeout = Duration::from_millis(100)).await;
    let mut silent = Client::open(&running).await;
    let (code, message) = silent.refused().await;
    assert!(code == 0x101 && message.contains("setup"), "{message}");
    // Nor does a connection without streams stay.
    let mut idle = Client::of(&running, "u1").await;
    let (code, message) = idle.refused().await;
    assert!(code == 0x102 && message.contains("no stream"), "{message}");
    let mut done = Client::of(&running, "u1").await;
    done.ask(1, 100, json!({})).await;
    done.checkpoint(1).await;
    done.cancel(1).await;
    assert_eq!(done.refused().await.0, 0x102);
}

#[tokio::test]
async fn a_client_that_takes_nothing_is_cut() {
    let running = Running::with(|options| options.limits.stall_timeout = Duration::from_millis(200)).await;
    for number in 0..40 {
        put(&running.source, "lists", [&format!("n{number}"), "u1", &"x".repeat(60_000)]);
    }
    let mut client = Client::of(&running, "u1").await;
    client.ask(1, 1, json!({})).await;
    client.line(1).await;
    // The stream ends while the client takes nothing; the connection and its seat are free again.
    running.status_with(|status| status["clients"].as_array().unwrap().is_empty()).await;
    client.grant(1, 1000).await;
    loop {
        match client.receive().await {
            Received::Next(1, _) => {}
            Received::Error(1, 0x201, message) => break assert!(message.contains("cut"), "{message}"),
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn an_expired_token_ends_the_stream_with_a_line() {
    let running = Running::start().await;
    let mut client = Client::begin(&running, &Setup::of(&token("u1", -5))).await;
    client.ask(1, 100, json!({})).await;
    assert_eq!(client.line(1).await, json!({"token_expires_in": 0}));
    assert_eq!(client.receive().await, Received::Complete(1));
    // Shortly before, there is a line as well.
    let mut client = Client::begin(&running, &Setup::of(&token("u1", 15))).await;
    client.ask(1, 100, json!({})).await;
    loop {
        let line = client.line(1).await;
        if let Some(seconds) = line.get("token_expires_in") {
            break assert!(seconds.as_i64().unwrap() <= 15, "{line}");
        }
    }
}
