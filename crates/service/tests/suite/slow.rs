//! Clients that send slowly.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::support::{Running, soon, token};

async fn connect(running: &Running) -> TcpStream {
    TcpStream::connect(running.service.url().trim_start_matches("http://")).await.unwrap()
}

async fn rest(mut stream: TcpStream) -> String {
    let mut rest = Vec::new();
    // It may also be reset.
    let _ = soon(stream.read_to_end(&mut rest)).await;
    String::from_utf8(rest).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_does_not_come_ends_the_connection() {
    let running = Running::with(|options| options.limits.header_timeout = Duration::from_millis(200)).await;
    for beginning in ["", "P", "PRI * HTTP/2.0\r\n", "GET /probes/liveness HTTP/1.1\r\nhost: x\r\nx-slow: "] {
        let mut stream = connect(&running).await;
        stream.write_all(beginning.as_bytes()).await.unwrap();
        assert!(!rest(stream).await.contains("200 OK"), "{beginning}");
    }
    // Also the next request of a connection.
    let mut stream = connect(&running).await;
    stream.write_all(b"GET /probes/liveness HTTP/1.1\r\nhost: x\r\n\r\nGET /nope HT").await.unwrap();
    let answered = rest(stream).await;
    assert!(answered.starts_with("HTTP/1.1 200 OK") && !answered.contains("404"), "{answered}");
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_come_is_an_error() {
    let running = Running::with(|options| options.limits.body_timeout = Duration::from_millis(200)).await;
    for path in ["/sync/stream", "/sync/checkpoint-request"] {
        let mut stream = connect(&running).await;
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: Token {}\r\ncontent-length: 100\r\n\r\n{{",
            token("u1", 3600)
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        let answered = rest(stream).await;
        assert!(answered.starts_with("HTTP/1.1 408 "), "{answered}");
        assert!(answered.contains("PSYNC_S2001"), "{answered}");
    }
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_is_not_cut_by_these_times() {
    let running = Running::with(|options| {
        options.limits.header_timeout = Duration::from_millis(50);
        options.limits.body_timeout = Duration::from_millis(50);
        options.limits.stall_timeout = Duration::from_millis(50);
        options.limits.keep_alive = Duration::from_millis(200);
    })
    .await;
    let mut lines = running.stream("u1", serde_json::json!({})).await;
    lines.checkpoint().await;
    for _ in 0..4 {
        assert!(lines.next().await.unwrap()["token_expires_in"].is_i64());
    }
    running.service.stop().await;
}
