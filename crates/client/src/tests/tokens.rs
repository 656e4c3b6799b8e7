//! Tokens that expire, and those that are refused.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use super::fake::{Answer, Chunk, Fake, Syncing, checkpoint};
use crate::options::Options;

/// Tokens with numbers, from 0.
fn numbered(options: Options) -> Options {
    let next = AtomicUsize::new(0);
    options.token(move || Ok(format!("token-{}", next.fetch_add(1, Ordering::SeqCst))))
}

fn expires_in(seconds: i64) -> Value {
    json!({"token_expires_in": seconds})
}

fn tokens(network: &Fake) -> Vec<String> {
    network.asked("/sync/stream").into_iter().filter_map(|(request, _)| request.authorization).collect()
}

#[tokio::test(start_paused = true)]
async fn a_token_that_expires_soon_is_replaced_without_showing_it() {
    let mut lines = checkpoint(&["one"]);
    lines.push(expires_in(20));
    // Asked only once, however often the service says it.
    lines.push(expires_in(10));
    let streams = [Answer::stream(&lines, Some(Chunk::Silence)), Answer::Silence];
    let network = Fake::new(streams);
    let syncing = Syncing::with(network.clone(), numbered);
    syncing.wait("it syncs", |status| status.checkpoints > 0).await;
    let (_, version) = syncing.shared.status.current();
    while tokens(&network).len() < 2 {
        assert!(syncing.status().connected, "{:?}", syncing.status());
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(tokens(&network), ["Token token-0", "Token token-1"]);
    tokio::time::sleep(Duration::from_secs(1)).await;
    let (status, now) = syncing.shared.status.current();
    assert!(status.connected && now == version, "nothing was shown: {status:?}");
    // It does show if the service then does not answer.
    syncing.wait("it is told", |status| !status.connected && status.download_error.is_some()).await;
    syncing.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_app_with_only_one_token_keeps_its_stream_until_that_expires() {
    let mut lines = checkpoint(&["one"]);
    lines.push(expires_in(20));
    let bytes = |line: Value| Chunk::Bytes(format!("{line}\n").into_bytes());
    let Answer::Is(status, kind, mut chunks) = Answer::stream(&lines, None) else { unreachable!() };
    chunks.extend([Chunk::Wait(Duration::from_secs(20)), bytes(expires_in(0)), Chunk::Silence]);
    let network = Fake::new([Answer::Is(status, kind, chunks), Answer::json(401, &json!({}))]);
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    let syncing = Syncing::with(network.clone(), |options| {
        options.token(move || {
            count.fetch_add(1, Ordering::SeqCst);
            Ok("the only one".to_owned())
        })
    });
    syncing.wait("it syncs", |status| status.checkpoints > 0).await;
    tokio::time::sleep(Duration::from_secs(15)).await;
    assert_eq!(
        (asked.load(Ordering::SeqCst), tokens(&network).len()),
        (2, 1),
        "asked for another one, which is the same"
    );
    let status = syncing.wait("it is refused", |status| status.refused).await;
    assert!(status.download_error.as_deref().unwrap().contains("Check that the token is"), "{status:?}");
    assert_eq!(status.checkpoints, 1);
    assert_eq!(tokens(&network).len(), 2);
    syncing.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_is_not_used_again() {
    let refused = || Answer::json(401, &json!({"error": {"code": "PSYNC_S2101"}}));
    let streams = [refused(), refused(), Answer::stream(&checkpoint(&["one"]), Some(Chunk::Silence))];
    let network = Fake::new(streams);
    let syncing = Syncing::with(network.clone(), numbered);
    syncing.wait("it syncs", |status| status.checkpoints > 0).await;
    assert_eq!(tokens(&network), ["Token token-0", "Token token-1", "Token token-2"]);
    syncing.stop().await;
}

#[tokio::test(start_paused = true)]
async fn tokens_that_are_always_about_to_expire_make_no_storm() {
    let lines = || {
        let mut lines = checkpoint(&["one"]);
        lines.push(expires_in(1));
        Answer::stream(&lines, Some(Chunk::Silence))
    };
    let network = Fake::new((0..1000).map(|_| lines()));
    let syncing = Syncing::with(network.clone(), numbered);
    tokio::time::sleep(Duration::from_secs(60)).await;
    let streams = network.asked("/sync/stream").len();
    assert!((5..=13).contains(&streams), "{streams} streams in a minute");
    syncing.stop().await;
}

#[tokio::test(start_paused = true)]
async fn an_app_without_a_token_says_so() {
    let syncing = Syncing::with(Fake::new([]), |options| options.token(|| Err("nobody is signed in".into())));
    let status = syncing.wait("it is told", |status| status.download_error.is_some()).await;
    assert_eq!(status.download_error.as_deref(), Some("the app has no token: nobody is signed in"));
    assert!(syncing.network.asked("").is_empty(), "nothing is sent without a token");
    syncing.stop().await;
}
