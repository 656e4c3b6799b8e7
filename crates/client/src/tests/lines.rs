//! Streams that are cut, repeated, wrong, or no streams at all.

use std::time::Duration;

use serde_json::json;

use super::fake::{Answer, Chunk, Fake, Syncing, checkpoint, ndjson};
use crate::options::{Encoding, Timing};

#[tokio::test(start_paused = true)]
async fn a_stream_may_be_cut_at_any_byte() {
    let lines = checkpoint(&["one", "two"]);
    let bson: Vec<u8> = lines.iter().flat_map(rowtide_testkit::bson::encode).collect();
    for (encoding, kind, bytes) in [
        (Encoding::Json, "application/x-ndjson", ndjson(&lines)),
        (Encoding::Bson, "application/vnd.powersync.bson-stream", bson),
    ] {
        // Each cut but the last is within or behind a line that does not complete the checkpoint.
        let cuts = (0..bytes.len()).map(|cut| {
            let end = (cut % 2 == 0).then_some(Chunk::Cut);
            Answer::bytes(kind, &bytes[..cut], end)
        });
        let network = Fake::new(cuts.chain([Answer::bytes(kind, &bytes, Some(Chunk::Silence))]));
        let timing = Timing { longest_delay: Duration::from_secs(1), ..Timing::default() };
        let syncing = Syncing::with(network.clone(), |options| options.encoding(encoding).timing(timing));
        let status = syncing.wait("it syncs at last", |status| status.checkpoints > 0).await;
        assert_eq!(network.asked("/sync/stream").len(), bytes.len() + 1, "{encoding:?}");
        assert_eq!((syncing.lists().as_str(), status.operations), ("l1:one l2:two", 2), "{encoding:?}");
        assert_eq!(status.download_error, None);
        syncing.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn lines_may_come_twice() {
    let lines = checkpoint(&["one", "two"]);
    let twice: Vec<_> = lines.iter().flat_map(|line| [line.clone(), line.clone()]).collect();
    let again = [lines.clone(), lines.clone()].concat();
    for lines in [twice, again] {
        let syncing = Syncing::start(Fake::new([Answer::stream(&lines, Some(Chunk::Silence))]));
        syncing.wait("it syncs", |status| status.checkpoints > 1).await;
        assert_eq!(syncing.lists(), "l1:one l2:two");
        assert_eq!(syncing.stop().await.download_error, None);
    }
}

#[tokio::test(start_paused = true)]
async fn a_wrong_checksum_shows_nothing_and_is_told_until_it_is_right() {
    let good = checkpoint(&["one", "two"]);
    let mut bad = good.clone();
    bad[0]["checkpoint"]["buckets"][0]["checksum"] = json!(4);
    let streams = [
        Answer::stream(&bad, Some(Chunk::Silence)),
        Answer::stream(&bad[..1], Some(Chunk::Cut)),
        Answer::stream(&good, Some(Chunk::Silence)),
    ];
    let syncing = Syncing::start(Fake::new(streams));
    let status = syncing.wait("it is told", |status| status.download_error.is_some()).await;
    let error = status.download_error.as_deref().unwrap();
    assert!(error.contains("Checksums didn't match, failed for: a"), "{error}");
    assert_eq!((syncing.lists().as_str(), status.checkpoints, status.failures), ("", 0, 1));
    let status = syncing.wait("it syncs", |status| status.checkpoints > 0).await;
    assert_eq!((syncing.lists().as_str(), status.download_error.clone()), ("l1:one l2:two", None));
    assert_eq!((status.failures, status.operations), (0, 4), "downloaded again");
    syncing.stop().await;
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_used_ends_the_stream_and_says_why() {
    let good = checkpoint(&["one"]);
    let ndjson = "application/x-ndjson";
    let cases = [
        (Answer::bytes(ndjson, b"garbage\n", None), "the service has sent what cannot be used: powersync_control: "),
        (Answer::bytes(ndjson, b"{\"checkpoint\": {}}\n", None), "Sync protocol error: "),
        (Answer::bytes(ndjson, b"{}\n\xff\xfe\n", None), "Sync protocol error: "),
        (Answer::bytes(ndjson, b"{\"x\":1}\n\xff\xfe\n", None), "line 2 is no UTF-8"),
        (
            Answer::bytes("application/vnd.powersync.bson-stream", &[0; 9], None),
            "line 1 is a BSON document with a length of 0 bytes",
        ),
        (
            Answer::bytes("text/html", b"<html>", None),
            "the answer of http://service.example is not one of a sync service: it is text/html. Check the URL",
        ),
        (Answer::bytes(ndjson, b"{\"checkpoint", None), "the stream was cut within a line"),
        (Answer::bytes(ndjson, b"{\"x\":1}\n", Some(Chunk::Cut)), "the stream was cut: connection reset by peer"),
    ];
    for (bad, message) in cases {
        let network = Fake::new([bad, Answer::stream(&good, Some(Chunk::Silence))]);
        let syncing = Syncing::start(network);
        let status = syncing.wait(message, |status| status.download_error.is_some()).await;
        let error = status.download_error.as_deref().unwrap();
        assert!(error.contains(message), "{error}");
        let status = syncing.wait(message, |status| status.checkpoints > 0).await;
        assert_eq!((status.download_error.as_deref(), syncing.lists().as_str()), (None, "l1:one"));
        syncing.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn an_end_without_a_reason_is_no_error() {
    let lines = checkpoint(&["one"]);
    let streams = [Answer::stream(&lines, None), Answer::stream(&lines, Some(Chunk::Silence))];
    let syncing = Syncing::start(Fake::new(streams));
    let status = syncing.wait("it connects again", |status| status.checkpoints > 1).await;
    assert_eq!((status.download_error.clone(), status.failures), (None, 0));
    // Types that the schema does not have are a warning, and no reason for the end.
    syncing.stop().await;
}
