//! Networks that are slow, silent, or away, and services that refuse.

use std::sync::atomic::Ordering;
use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::fake::{Answer, Chunk, Fake, Syncing, checkpoint};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test(start_paused = true)]
async fn a_stream_that_sends_something_each_minute_is_kept() {
    let keep_alive = || Chunk::Bytes(b"{\"token_expires_in\": 3600}\n".to_vec());
    let slow: Vec<Chunk> =
        (0..100).flat_map(|_| [Chunk::Wait(MINUTE - Duration::from_secs(1)), keep_alive()]).collect();
    let Answer::Is(status, kind, chunks) = Answer::stream(&checkpoint(&["one"]), None) else { unreachable!() };
    let network = Fake::new([Answer::Is(status, kind, [slow, chunks, vec![Chunk::Silence]].concat())]);
    let syncing = Syncing::start(network.clone());
    // More than an hour of the clock: two waits.
    let began = Instant::now();
    while began.elapsed() < 98 * MINUTE {
        tokio::time::sleep(MINUTE).await;
    }
    syncing.wait("it syncs", |status| status.checkpoints > 0).await;
    assert_eq!(network.asked("/sync/stream").len(), 1);
    syncing.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_is_silent_for_a_minute_is_given_up() {
    let lines = checkpoint(&["one"]);
    let streams = [
        // Before the answer, and within a line.
        Answer::Silence,
        Answer::bytes("application/x-ndjson", b"{\"check", Some(Chunk::Silence)),
        Answer::stream(&lines, Some(Chunk::Silence)),
    ];
    let network = Fake::new(streams);
    let syncing = Syncing::start(network.clone());
    let status = syncing.wait("the first one is given up", |status| status.failures == 1).await;
    assert_eq!(status.download_error.as_deref(), Some("http://service.example has sent nothing for 60 s"));
    let status = syncing.wait("the second one is given up", |status| status.failures == 2).await;
    assert_eq!(status.download_error.as_deref(), Some("the service has sent nothing for 60 s"));
    syncing.wait("it syncs", |status| status.checkpoints > 0).await;
    let times: Vec<Instant> = network.asked("/sync/stream").iter().map(|(_, at)| *at).collect();
    for pair in times.windows(2) {
        let time = pair[1] - pair[0];
        assert!(time > MINUTE && time < MINUTE + Duration::from_secs(3), "{time:?}");
    }
    syncing.stop().await;
}

#[tokio::test(start_paused = true)]
async fn pauses_after_failures_grow_until_a_checkpoint_completes() {
    let failures = (0..9).map(|_| Answer::Fails("connection refused"));
    let works = Answer::stream(&checkpoint(&["one"]), Some(Chunk::Cut));
    let then = [works, Answer::Fails("connection refused"), Answer::Silence];
    let network = Fake::new(failures.chain(then));
    let syncing = Syncing::start(network.clone());
    let status = syncing.wait("it fails", |status| status.failures == 9).await;
    assert_eq!(status.download_error.as_deref(), Some("cannot reach http://service.example: connection refused"));
    assert!(!status.refused && !status.connected && !status.connecting);
    syncing.wait("it works, and fails again", |status| status.checkpoints == 1 && status.failures == 2).await;
    syncing.wait("it tries again", |status| status.connecting).await;
    let times: Vec<Instant> = network.asked("/sync/stream").iter().map(|(_, at)| *at).collect();
    let pauses: Vec<u64> = times.windows(2).map(|pair| (pair[1] - pair[0]).as_secs()).collect();
    for (pause, least) in pauses.iter().zip([1, 2, 4, 8, 16, 32, 60, 60, 60, 1, 2]) {
        assert!(*pause >= least && *pause <= least * 5 / 4 + 1, "{pauses:?}");
    }
    syncing.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_the_service_says_is_told_with_what_can_be_done() {
    let described = |status: u16, code: &str, description: &str| {
        Answer::json(status, &json!({"error": {"code": code, "status": status, "description": description}}))
    };
    let cases = [
        (described(401, "PSYNC_S2103", "The token has expired"), "PSYNC_S2103: The token has expired. Check", true),
        (described(400, "PSYNC_S2001", "wrong"), "was answered with 400: PSYNC_S2001: wrong", true),
        (Answer::Is(404, "text/html", vec![Chunk::Bytes(b"<html>".to_vec())]), "404. Check the URL", true),
        (Answer::Is(429, "", vec![]), "429. Too many clients", false),
        (described(500, "PSYNC_S2302", "no configuration"), "500: PSYNC_S2302: no configuration", false),
        (Answer::Is(503, "", vec![Chunk::Cut]), "was answered with 503", false),
    ];
    for (answer, message, is_refusal) in cases {
        let network = Fake::new([answer, Answer::stream(&checkpoint(&["one"]), Some(Chunk::Silence))]);
        let syncing = Syncing::start(network);
        let status = syncing.wait(message, |status| status.download_error.is_some()).await;
        let error = status.download_error.as_deref().unwrap();
        assert!(error.starts_with("POST http://service.example/sync/stream was answered with "), "{error}");
        assert!(error.contains(message) && status.refused == is_refusal, "{error}, {}", status.refused);
        let status = syncing.wait("it syncs", |status| status.checkpoints > 0).await;
        assert_eq!((status.download_error.as_deref(), status.refused), (None, false));
        syncing.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn no_more_is_read_from_the_network_than_there_is_room_for() {
    // 64 MiB of lines, and a database that another connection keeps locked.
    let line = format!("{{\"x\":\"{}\"}}\n", "x".repeat(64 * 1024));
    let chunks = vec![Chunk::Bytes(line.clone().into_bytes()); 1024];
    let chunks = [vec![Chunk::Wait(MINUTE / 2)], chunks, vec![Chunk::Silence]].concat();
    let network = Fake::new([Answer::Is(200, "application/x-ndjson", chunks)]);
    let syncing = Syncing::start(network.clone());
    syncing.wait("it connects", |status| status.connected).await;
    syncing.app.execute_batch("BEGIN IMMEDIATE").unwrap();
    tokio::time::advance(MINUTE / 2).await;
    let full = 4 * 1024 * 1024 / line.len();
    let taken = || network.taken.load(Ordering::SeqCst) / line.len();
    for _ in 0..100_000 {
        tokio::task::yield_now().await;
        assert!(taken() <= full + 2, "{} lines", taken());
    }
    assert!(taken() >= full, "{} lines", taken());
    syncing.app.execute_batch("ROLLBACK").unwrap();
    syncing.wait("all of it is read", |_| taken() == 1024).await;
    syncing.stop().await;
}

#[tokio::test(start_paused = true)]
async fn disconnecting_ends_whatever_is_waited_for() {
    let lines = checkpoint(&["one"]);
    for answer in [
        Answer::Silence,
        Answer::Fails("away"),
        Answer::bytes("application/x-ndjson", b"{\"check", Some(Chunk::Silence)),
        Answer::stream(&lines, Some(Chunk::Silence)),
        Answer::Is(503, "", vec![Chunk::Silence]),
    ] {
        let network = Fake::new([answer]);
        let syncing = Syncing::start(network.clone());
        while network.asked("/sync/stream").is_empty() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        let before = Instant::now();
        let status = syncing.stop().await;
        assert!(before.elapsed() < Duration::from_secs(1), "{:?}", before.elapsed());
        assert!(!status.connected && !status.connecting && status.downloading.is_none(), "{status:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_another_process_subscribes_to_is_asked_for() {
    let network = Fake::new([Answer::stream(&checkpoint(&["one"]), Some(Chunk::Silence))]);
    let syncing = Syncing::start(network.clone());
    syncing.wait("it syncs", |status| status.checkpoints > 0).await;
    let subscribe = r#"BEGIN IMMEDIATE;
        SELECT powersync_control('subscriptions', '{"subscribe": {"stream": {"name": "todos", "params": {"list": "l1"}}}}');
        COMMIT"#;
    syncing.app.execute_batch(subscribe).unwrap();
    let began = Instant::now();
    while network.asked("/sync/stream").len() < 2 {
        assert!(syncing.status().connected, "nobody sees a disconnect");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
    let body = network.asked("/sync/stream")[1].0.body.clone().unwrap();
    assert!(body.contains(r#""stream":"todos","parameters":{"list": "l1"}"#), "{body}");
    syncing.stop().await;
}
