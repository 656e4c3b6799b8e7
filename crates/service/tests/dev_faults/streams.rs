//! Faults that stay, and what streams make of them.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::{Service, WRITE};

#[tokio::test(flavor = "multi_thread")]
async fn offline_cuts_every_stream() {
    let service = Service::start().await;
    let mut streams = [service.synced().await, service.synced().await];
    service.set(json!({"offline": true})).await;
    for lines in &mut streams {
        assert!(lines.try_next().await.is_err());
    }
    service.set(json!({"offline": false})).await;
    service.synced().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn delayed_checkpoints_come_when_the_delay_ends() {
    let service = Service::start().await;
    let (mut ended, mut waiting) = (service.synced().await, service.synced().await);
    service.set(json!({"checkpoints_delayed": true})).await;
    service.write(WRITE).await;
    let mut new = service.stream().await;
    // Whatever has come to streams is held back; only their end is told.
    service.now("expire").await;
    for lines in [&mut ended, &mut new] {
        assert_eq!(lines.next().await, Some(json!({"token_expires_in": 0})));
        assert_eq!(lines.next().await, None);
    }
    assert_eq!(waiting.next().await, Some(json!({"token_expires_in": 0})));

    let mut waiting = service.stream().await;
    service.set(json!({"checkpoints_delayed": false})).await;
    let lines = serde_json::to_string(&waiting.checkpoint().await).unwrap();
    assert!(lines.contains("Bread!"), "{lines}");
    service.write(WRITE).await;
    let lines = serde_json::to_string(&waiting.checkpoint().await).unwrap();
    assert!(lines.contains("Bread!!"), "{lines}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_stream_takes_its_time() {
    let service = Service::start().await;
    service.set(json!({"slow": true})).await;
    let start = Instant::now();
    let lines = serde_json::to_string(&service.stream().await.checkpoint().await).unwrap();
    assert!(lines.len() > 1_500, "{}", lines.len());
    let expected = Duration::from_millis(u64::try_from(lines.len()).unwrap() / 2 - 300);
    assert!(start.elapsed() > expected, "{:?} for {} bytes", start.elapsed(), lines.len());
}
