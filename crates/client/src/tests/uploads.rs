//! Uploads that cannot be acknowledged yet, in both modes.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;

use super::fake::{Answer, Chunk, Fake, Syncing, checkpoint};
use crate::options::{Mode, Options};
use crate::upload::{Batch, TransactionResult, WritePath};

/// A backend that takes everything.
fn taking_all(options: Options) -> Options {
    options.upload(|batch: &Batch| Ok(vec![TransactionResult::Success; batch.transactions.len()]))
}

fn write_checkpoint(id: &str) -> Answer {
    Answer::json(200, &json!({"data": {"write_checkpoint": id}}))
}

/// A checkpoint that acknowledges.
fn acknowledging(id: &str) -> Vec<serde_json::Value> {
    let mut lines = checkpoint(&["one"]);
    lines[0]["checkpoint"]["write_checkpoint"] = json!(id);
    lines
}

fn write(syncing: &Syncing) {
    syncing.app.execute("INSERT INTO lists (id, name) VALUES ('mine', 'x')", ()).unwrap();
}

#[tokio::test(start_paused = true)]
async fn an_acknowledgement_is_asked_for_until_it_is_there() {
    // A stream that is silent is opened again.
    let network = Fake::new((0..10).map(|_| Answer::stream(&acknowledging("7"), Some(Chunk::Silence))))
        .also("/write-checkpoint2.json", Answer::Fails("away"))
        .also("/write-checkpoint2.json", Answer::Silence)
        .also("/write-checkpoint2.json", Answer::json(500, &json!({})))
        .also("/write-checkpoint2.json", Answer::json(200, &json!({"nothing": 1})))
        .also("/write-checkpoint2.json", write_checkpoint("7"));
    let syncing = Syncing::with(network.clone(), taking_all);
    write(&syncing);
    let status = syncing.wait("it is told", |status| status.upload_error.is_some()).await;
    assert_eq!(status.upload_error.as_deref(), Some("cannot reach http://service.example: away"));
    assert_eq!(status.queued, 0, "uploaded, but not acknowledged");
    let status = syncing.wait("it is published", |status| status.checkpoints > 0).await;
    assert_eq!((status.upload_failures, status.upload_error.as_deref(), status.waits_for_upload), (0, None, false));
    assert_eq!(syncing.lists(), "l1:one");
    let asked = network.asked("/write-checkpoint2.json");
    assert_eq!(asked.len(), 5);
    let client_id: String = syncing.app.query_row("SELECT powersync_client_id()", (), |row| row.get(0)).unwrap();
    assert!(asked[0].0.url.ends_with(&format!("?client_id={client_id}")), "{}", asked[0].0.url);
    syncing.stop().await;
}

#[tokio::test(start_paused = true)]
async fn in_request_mode_uploads_are_acknowledged_by_the_clients_own_numbers() {
    let seeded = |id: &str| Answer::json(200, &json!({"data": {"checkpoint_request_id": id}}));
    let network = Fake::new([Answer::stream(&acknowledging("42"), Some(Chunk::Silence))])
        .also("/sync/checkpoint-request", Answer::json(503, &json!({})))
        .also("/sync/checkpoint-request", seeded("41"))
        .also("/sync/checkpoint-request", seeded("42"));
    let syncing = Syncing::with(network.clone(), |options| taking_all(options).checkpoint_mode(Mode::Requests));
    write(&syncing);
    syncing.wait("it is published", |status| status.checkpoints > 0).await;
    assert_eq!(syncing.lists(), "l1:one");
    let bodies: Vec<String> =
        network.asked("/sync/checkpoint-request").into_iter().filter_map(|(request, _)| request.body).collect();
    let ids: Vec<_> = bodies.iter().map(|body| serde_json::from_str::<serde_json::Value>(body).unwrap()).collect();
    let ids: Vec<_> = ids.iter().map(|body| body["checkpoint_request_id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["1", "1", "42"]);
    syncing.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_write_path_is_sent_the_queue_with_the_token() {
    let results = json!({"results": [{"status": "success"}]});
    let network = Fake::new([Answer::stream(&acknowledging("1"), Some(Chunk::Silence))])
        .also("/api/data", Answer::json(401, &json!({"message": "no"})))
        .also("/api/data", Answer::json(200, &results))
        .also("/write-checkpoint2.json", write_checkpoint("1"));
    let asked = Arc::new(Mutex::new(0));
    let count = Arc::clone(&asked);
    let syncing = Syncing::with(network.clone(), |options| {
        options.upload(WritePath::new("http://backend.example/")).token(move || {
            let mut asked = count.lock().unwrap();
            *asked += 1;
            Ok(format!("token-{asked}"))
        })
    });
    write(&syncing);
    syncing.wait("it is published", |status| status.checkpoints > 0).await;
    let uploads = network.asked("http://backend.example/api/data");
    assert_eq!(uploads.len(), 2);
    assert_eq!(uploads[1].0.authorization.as_deref(), Some("Token token-2"), "the first one was refused");
    let body: serde_json::Value = serde_json::from_str(uploads[1].0.body.as_deref().unwrap()).unwrap();
    assert_eq!(body["transactions"][0]["crud"][0]["id"], "mine");
    syncing.stop().await;
}

#[tokio::test(start_paused = true)]
async fn uploads_that_failed_are_tried_again_as_soon_as_the_service_answers() {
    // The backend and the service come back after half an hour, within which the pauses have grown to a minute.
    let away = (0..40).map(|_| Answer::Fails("away"));
    let network = Fake::new(away.chain([Answer::stream(&acknowledging("1"), Some(Chunk::Silence))]))
        .also("/write-checkpoint2.json", write_checkpoint("1"));
    let asked = network.clone();
    let syncing = Syncing::with(network.clone(), |options| {
        options.upload(move |batch: &Batch| {
            let is_back = asked.streams.lock().unwrap().is_empty();
            if is_back { Ok(vec![TransactionResult::Success; batch.transactions.len()]) } else { Err("away".into()) }
        })
    });
    write(&syncing);
    syncing.wait("it is away", |status| status.upload_failures > 6 && status.failures > 6).await;
    syncing.wait("it is published", |status| status.checkpoints > 0).await;
    let (_, answered) = network.asked("/sync/stream").last().cloned().unwrap();
    assert!(answered.elapsed() < Duration::from_secs(1), "{:?}", answered.elapsed());
    syncing.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_acknowledgement_does_not_cover_what_is_written_while_it_is_asked_for() {
    let Answer::Is(status, kind, chunks) = write_checkpoint("7") else { unreachable!() };
    let slow = Answer::Is(status, kind, [vec![Chunk::Wait(Duration::from_secs(10))], chunks].concat());
    let network = Fake::new([Answer::stream(&acknowledging("7"), Some(Chunk::Silence))])
        .also("/write-checkpoint2.json", slow)
        .also("/write-checkpoint2.json", write_checkpoint("8"));
    let syncing = Syncing::with(network.clone(), taking_all);
    write(&syncing);
    while network.asked("/write-checkpoint2.json").is_empty() {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    syncing.app.execute("UPDATE lists SET name = 'y' WHERE id = 'mine'", ()).unwrap();
    let target = "SELECT CAST(value AS TEXT) FROM ps_kv WHERE key = 'target_checkpoint_request_id'";
    let target = || syncing.app.query_row(target, (), |row| row.get::<_, String>(0)).unwrap();
    syncing.wait("it is acknowledged", |_| target() != i64::MAX.to_string()).await;
    assert_eq!(target(), "8", "7 was asked for before the second write");
    assert_eq!(syncing.status().checkpoints, 0, "a checkpoint with 7 does not have it");
    assert_eq!(syncing.lists(), "mine:y");
    syncing.stop().await;
}
