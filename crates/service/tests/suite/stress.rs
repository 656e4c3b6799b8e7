//! Clients that read slowly or vanish, and a service that stops or changes its configuration meanwhile.

use std::time::Duration;

use reqwest::StatusCode;
use serde_json::{Value, json};
use sync_config::Value as Cell;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpSocket, TcpStream};

use crate::gated::Gate;
use crate::support::{CONFIG_WITH_NOTES, Lines, Running, answer, operations, pairs, put, soon, todos_of, token};

/// More than the buffers between the service and a client hold.
fn put_much(running: &Running) {
    for number in 0..64 {
        let row = [format!("big{number}"), "u1".to_owned(), "x".repeat(500_000)];
        running.source.begin().put("lists", row.map(Cell::text).to_vec()).commit().unwrap();
    }
}

/// A client with a small buffer that has asked for a stream and reads nothing.
async fn lazy_client(running: &Running) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let address = running.service.url().trim_start_matches("http://").parse().unwrap();
    let mut stream = socket.connect(address).await.unwrap();
    let request = format!(
        "POST /sync/stream HTTP/1.1\r\nhost: x\r\nauthorization: Token {}\r\ncontent-length: 2\r\n\r\n{{}}",
        token("u1", 3600)
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

async fn clients(running: &Running, count: usize) {
    running.status_with(|status| status["clients"].as_array().unwrap().len() == count).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_takes_nothing_is_disconnected() {
    let running = Running::with(|options| options.limits.stall_timeout = Duration::from_millis(300)).await;
    put_much(&running);
    running.get("u1", "/write-checkpoint.json").await;
    let mut lazy = lazy_client(&running).await;
    clients(&running, 1).await;
    clients(&running, 0).await;
    let mut rest = Vec::new();
    // However it ends, it does not look complete.
    let _ = soon(lazy.read_to_end(&mut rest)).await;
    assert!(rest.starts_with(b"HTTP/1.1 200 OK"));
    assert!(!rest.ends_with(b"\r\n0\r\n\r\n"));
    // Others are served as ever.
    assert_eq!(operations(&running.stream("u2", json!({})).await.checkpoint().await).len(), 1);
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_socket_of_a_client_that_takes_nothing_is_closed() {
    let running = Running::with(|options| options.limits.stall_timeout = Duration::from_millis(300)).await;
    put_much(&running);
    running.get("u1", "/write-checkpoint.json").await;
    let mut lazy = lazy_client(&running).await;
    clients(&running, 1).await;
    // It reads nothing, so the service has buffered all it can. A closed socket takes nothing more from the client.
    soon(async {
        while lazy.write_all(&[b'x'; 1000]).await.is_ok() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await;
    clients(&running, 0).await;
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_vanishes_frees_its_place() {
    let running = Running::with(|options| options.limits.max_connections = 1).await;
    put_much(&running);
    running.get("u1", "/write-checkpoint.json").await;
    for _ in 0..3 {
        let mut lazy = lazy_client(&running).await;
        lazy.read_exact(&mut [0; 1000]).await.unwrap();
        clients(&running, 1).await;
        drop(lazy);
        clients(&running, 0).await;
        let mut idle = running.stream("u1", json!({"client_id": "idle"})).await;
        idle.checkpoint().await;
        drop(idle);
        clients(&running, 0).await;
    }
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_ends_streams_cleanly_and_refuses_new_ones() {
    let gate = Gate::default();
    let running = Running::with(|options| options.open_store = gate.store()).await;
    let mut idle = running.stream("u2", json!({})).await;
    idle.checkpoint().await;
    // One stream holds the service up, as it reads.
    gate.hold(true);
    let held = tokio::spawn(running.ask("u1", &json!({})).send());
    soon(async {
        while gate.inside() == 0 {
            tokio::task::yield_now().await
        }
    })
    .await;
    let Running { service, http, .. } = running;
    let url = service.url();
    let stopping = tokio::spawn(service.stop());
    assert_eq!(idle.next().await, None, "the stream ends cleanly");
    let request = http.post(format!("{url}/sync/stream")).body("{}");
    let request = request.header("authorization", format!("Token {}", token("u2", 3600)));
    let (status, body) = answer(request.send().await.unwrap()).await;
    assert_eq!((status, &body["error"]["code"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("PSYNC_S2003")));
    assert_eq!(http.get(format!("{url}/probes/readiness")).send().await.unwrap().status(), 503);
    gate.hold(false);
    let mut lines = Lines::of(soon(held).await.unwrap().unwrap());
    while lines.next().await.is_some() {}
    soon(stopping).await.unwrap();
    assert!(http.get(format!("{url}/probes/liveness")).send().await.is_err());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_cannot_be_read_is_cut() {
    let gate = Gate::default();
    let running = Running::with(|options| options.open_store = gate.store()).await;
    for encoding in ["identity", "gzip", "zstd"] {
        let request = running.ask("u1", &json!({})).header("accept-encoding", encoding);
        let mut response = request.send().await.unwrap();
        soon(response.chunk()).await.unwrap();
        gate.fail(true);
        put(&running.source, "lists", ["l1", "u1", encoding]);
        let cut = loop {
            match soon(response.chunk()).await {
                Ok(Some(_)) => {}
                other => break other,
            }
        };
        assert!(cut.is_err(), "{encoding}");
        // Before the first byte it is an error.
        let (status, body) = answer(running.ask("u1", &json!({})).send().await.unwrap()).await;
        assert_eq!(status.as_u16(), 500, "{body}");
        assert!(!body.to_string().contains("disk"), "the log says more: {body}");
        gate.fail(false);
    }
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn streams_that_wait_to_read_hold_no_thread() {
    let gate = Gate::default();
    let running = Running::with(|options| {
        options.open_store = gate.store();
        options.limits.max_reads = 3;
        options.limits.keep_alive = Duration::from_millis(200);
    })
    .await;
    let mut streams = Vec::new();
    for number in 0..100 {
        let mut lines = running.stream("u1", json!({"client_id": number.to_string()})).await;
        lines.checkpoint().await;
        streams.push(lines);
    }
    gate.hold(true);
    put(&running.source, "lists", ["l1", "u1", "for all"]);
    soon(async {
        while gate.inside() < 3 {
            tokio::task::yield_now().await
        }
    })
    .await;
    // All have to read, three do, and other requests are answered meanwhile.
    for _ in 0..20 {
        assert_eq!(running.http.get(running.url("/probes/liveness")).send().await.unwrap().status(), 200);
        running.get("u2", "/write-checkpoint.json").await;
    }
    gate.hold(false);
    for lines in &mut streams {
        assert_eq!(operations(&lines.checkpoint().await), pairs(&[("PUT", "l1")]));
    }
    assert_eq!(gate.most(), 3);
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_goes_on_under_another_configuration() {
    let running = Running::start().await;
    let mut lines = running.stream("u1", todos_of(&["l1"])).await;
    let first = lines.checkpoint().await;
    let (status, body) = running.send_config("deploy", CONFIG_WITH_NOTES).await;
    assert_eq!((status, &body["deployed"]), (StatusCode::OK, &json!(true)), "{body}");
    let line = lines.next().await.unwrap();
    let names = |line: &Value| -> Vec<String> {
        let buckets = line["checkpoint"]["buckets"].as_array().expect("a full checkpoint");
        buckets.iter().map(|bucket| bucket["bucket"].as_str().unwrap().to_owned()).collect()
    };
    let (before, after) = (names(&first[0]), names(&line));
    assert!(before.iter().all(|name| after.contains(name)) && after.len() == before.len() + 1, "{before:?} {after:?}");
    assert_eq!(line["checkpoint"]["streams"].as_array().unwrap().len(), 3);
    assert_eq!(operations(&lines.checkpoint().await), pairs(&[("PUT", "n1")]), "nothing is downloaded again");
    // The way back is as short.
    running.send_config("deploy", crate::support::CONFIG).await;
    assert_eq!(names(&lines.next().await.unwrap()), before);
    assert!(operations(&lines.checkpoint().await).is_empty());
    put(&running.source, "lists", ["l1", "u1", "changed"]);
    assert_eq!(operations(&lines.checkpoint().await), pairs(&[("PUT", "l1")]));
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn many_streams_switch_to_another_configuration_one_after_another() {
    let running = Running::with(|options| options.limits.activation_spread = Duration::from_millis(300)).await;
    let mut streams = Vec::new();
    for _ in 0..40 {
        let mut lines = running.stream("u1", json!({})).await;
        lines.checkpoint().await;
        streams.push(lines);
    }
    running.send_config("deploy", CONFIG_WITH_NOTES).await;
    // What changes before a stream has switched reaches it as well.
    put(&running.source, "lists", ["l1", "u1", "changed"]);
    for lines in &mut streams {
        let mut got = Vec::new();
        while got.len() < 2 {
            got.extend(operations(&lines.checkpoint().await));
        }
        got.sort();
        assert_eq!(got, pairs(&[("PUT", "l1"), ("PUT", "n1")]));
    }
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_configuration_with_errors_changes_nothing() {
    let running = Running::start().await;
    let mut lines = running.stream("u1", json!({})).await;
    lines.checkpoint().await;
    let before = running.status().await["config"].clone();
    for bad in ["streams: [", "config: {edition: 3}\nstreams:\n  a:\n    query: SELECT FROM"] {
        let (status, body) = running.send_config("deploy", bad).await;
        assert_eq!((status.as_u16(), &body["deployed"]), (422, &json!(false)));
        let finding = &body["diagnostics"][0];
        assert!(finding["line"].as_u64().unwrap() >= 1 && finding["code"].is_string(), "{finding}");
    }
    let (status, body) = running.send_config("deploy", "").await;
    assert_eq!((status.as_u16(), &body["deployed"]), (422, &json!(false)), "nothing is no configuration");
    assert_eq!(running.status().await["config"], before);
    put(&running.source, "lists", ["l1", "u1", "changed"]);
    assert_eq!(operations(&lines.checkpoint().await), pairs(&[("PUT", "l1")]));
    running.service.stop().await;
}
