//! Faults that happen once.

use serde_json::{Value, json};

use crate::support::{Lines, soon};
use crate::{Service, WRITE};

/// Checksums by the names of buckets.
fn checksums(lines: &[Value]) -> Vec<(String, i64)> {
    let checkpoint = lines.iter().filter_map(|line| line.get("checkpoint").or(line.get("checkpoint_diff"))).next();
    let checkpoint = checkpoint.expect("there is a checkpoint");
    let buckets = checkpoint.get("buckets").or(checkpoint.get("updated_buckets")).and_then(Value::as_array).unwrap();
    let of = |bucket: &Value| (bucket["bucket"].as_str().unwrap().to_owned(), bucket["checksum"].as_i64().unwrap());
    buckets.iter().map(of).collect()
}

/// The body of a stream until its end, and whether that was a clean one.
async fn rest(service: &Service, accept: &str) -> impl Future<Output = (Vec<u8>, bool)> {
    let request = service.http.post(service.url("/sync/stream")).header("accept", accept).json(&json!({}));
    let mut response = service.as_alice(request).send().await.unwrap();
    let mut read = Vec::new();
    // So that there is a stream to cut.
    while read.is_empty() {
        read.extend(soon(response.chunk()).await.unwrap().expect("the stream has begun"));
    }
    async move {
        loop {
            match soon(response.chunk()).await {
                Ok(Some(chunk)) => read.extend(chunk),
                Ok(None) => return (read, true),
                Err(_) => return (read, false),
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cut_leaves_half_a_line() {
    let service = Service::start().await;
    for accept in ["application/x-ndjson", "application/vnd.powersync.bson-stream"] {
        let rest = rest(&service, accept).await;
        assert_eq!(service.now("cut").await, 1, "{accept}");
        let (read, is_clean) = rest.await;
        assert!(!is_clean, "{accept}");
        let is_whole = match accept.ends_with("ndjson") {
            true => read.ends_with(b"\n"),
            false => {
                let mut left = &read[..];
                while let Some(length) = left.first_chunk::<4>() {
                    left = left.get(u32::from_le_bytes(*length) as usize..).unwrap_or_default();
                }
                !left.is_empty() && left.len() < 4
            }
        };
        assert!(!is_whole, "{accept}: {}", String::from_utf8_lossy(&read));
    }
    assert_eq!(service.now("cut").await, 0);
    service.synced().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expired_token_is_told_and_ends_the_stream() {
    let service = Service::start().await;
    let mut lines = service.synced().await;
    assert_eq!(service.now("expire").await, 1);
    assert_eq!(lines.next().await, Some(json!({"token_expires_in": 0})));
    assert_eq!(lines.next().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_checkpoint_has_one_wrong_checksum() {
    let service = Service::start().await;
    let mut lines = service.synced().await;
    assert_eq!(service.now("checksum").await, 1);
    service.write(WRITE).await;
    let wrong = checksums(&lines.checkpoint().await);
    let right = checksums(&service.stream().await.checkpoint().await);
    let differing = wrong.iter().filter(|bucket| !right.contains(bucket)).count();
    assert_eq!(differing, 1, "{wrong:?} {right:?}");
    service.write(WRITE).await;
    let after = checksums(&lines.checkpoint().await);
    let right = checksums(&service.stream().await.checkpoint().await);
    assert!(after.iter().all(|bucket| right.contains(bucket)), "{after:?} {right:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn compaction_happens_at_once() {
    let service = Service::start().await;
    let insert = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 200)
        INSERT INTO todos (id, list_id, description) SELECT 'many-' || i, 'list-trip', 'Todo ' || i FROM n";
    // After this the service may compact by itself, and then not again within a second.
    service.write(insert).await;
    service.write(WRITE).await;
    service.now("compact").await;
    let lines = service.stream().await.checkpoint().await;
    // All that was superseded in the large bucket is one operation.
    let kinds: Vec<String> = crate::support::operations(&lines).into_iter().map(|(kind, _)| kind).collect();
    assert_eq!(kinds.iter().filter(|kind| *kind == "CLEAR").count(), 1, "{kinds:?}");
    assert_eq!(kinds.iter().filter(|kind| *kind == "PUT").count(), 207);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configuration_is_deployed_as_a_new_one_each_time() {
    let service = Service::start().await;
    let mut lines: Lines = service.stream().await;
    let mut seen: Vec<String> = Vec::new();
    for round in 0..3 {
        if round > 0 {
            assert_eq!(service.now("redeploy").await, 1);
        }
        let checkpoint = lines.checkpoint().await;
        let names: Vec<String> = checksums(&checkpoint).into_iter().map(|(name, _)| name).collect();
        assert!(names.len() == 3 && !names.iter().any(|name| seen.contains(name)), "{names:?} {seen:?}");
        assert_eq!(crate::support::operations(&checkpoint).len(), 7, "round {round}");
        seen.extend(names);
    }
    service.write(WRITE).await;
    assert!(serde_json::to_string(&lines.checkpoint().await).unwrap().contains("Bread!"));
}
