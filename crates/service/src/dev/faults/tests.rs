//! What faults do to lines, with a clock that stands still unless everything waits.

use std::io;

use sync_engine::lines::{BucketName, BucketSummary, Line};
use tokio::time::timeout;

use super::*;

const JSON: Encoding = Encoding::Json { raw_data: false };
const ENCODINGS: [Encoding; 2] = [JSON, Encoding::Bson];

/// A stream: what writes to it, what tells it of faults, and what the client gets.
struct Faulty {
    faults: Arc<Faults>,
    source: Option<crate::sync::ChunkSender>,
    client: Chunks,
    encoding: Encoding,
}

impl Faulty {
    fn new(encoding: Encoding, change: &str) -> Self {
        let faults = Faults::new();
        faults.change(&serde_json::from_str(change).unwrap());
        let (source, chunks) = body();
        let client = faults.through(chunks, encoding, false).unwrap();
        Self { faults, source: Some(source), client, encoding }
    }

    fn change(&self, change: &str) {
        self.faults.change(&serde_json::from_str(change).unwrap());
    }

    async fn write(&self, lines: &[Bytes]) {
        self.source.as_ref().unwrap().chunks.send(lines.concat().into()).await.unwrap();
    }

    /// Everything that comes within a time, and whether the stream has ended, and how.
    async fn read(&mut self, millis: u64) -> (Vec<u8>, Option<io::Result<()>>) {
        let mut read = Vec::new();
        let until = tokio::time::Instant::now() + std::time::Duration::from_millis(millis);
        loop {
            match tokio::time::timeout_at(until, tokio_stream::StreamExt::next(&mut self.client)).await {
                Ok(Some(Ok(chunk))) => read.extend(chunk),
                Ok(Some(Err(error))) => return (read, Some(Err(error))),
                Ok(None) => return (read, Some(Ok(()))),
                Err(_) => return (read, None),
            }
        }
    }

    /// Reads exactly this, and no end.
    async fn reads(&mut self, expected: &[Bytes]) {
        let (read, end) = self.read(10).await;
        assert_eq!(String::from_utf8_lossy(&read), String::from_utf8_lossy(&expected.concat()));
        assert!(end.is_none(), "{end:?}");
    }

    fn line(&self, line: &Line<'_>) -> Bytes {
        let mut bytes = Vec::new();
        self.encoding.write(line, &mut bytes).unwrap();
        bytes.into()
    }

    fn checkpoint(&self, id: i64, checksums: &[u32]) -> Bytes {
        // A name that looks like a checksum is none.
        let name = || BucketName { prefix: "b|\"checksum\":", key: "[\"checksum\"]".into() };
        let bucket =
            |checksum: &u32| BucketSummary { name: name(), checksum: *checksum, count: 1, priority: 3, reasons: &[] };
        let updated_buckets = checksums.iter().map(bucket).collect();
        self.line(&Line::CheckpointDiff {
            last_op_id: id,
            write_checkpoint: None,
            removed_buckets: Vec::new(),
            updated_buckets,
        })
    }

    fn complete(&self, id: i64) -> Bytes {
        self.line(&Line::CheckpointComplete { last_op_id: id })
    }

    fn keep_alive(&self) -> Bytes {
        line::keep_alive(100, self.encoding)
    }
}

#[tokio::test(start_paused = true)]
async fn without_faults_lines_are_as_they_were() {
    for encoding in ENCODINGS {
        let mut stream = Faulty::new(encoding, "{}");
        let lines = [stream.checkpoint(1, &[7]), stream.complete(1), stream.keep_alive()];
        stream.write(&lines).await;
        stream.reads(&lines).await;
        stream.source = None;
        assert!(matches!(stream.read(10).await, (rest, Some(Ok(()))) if rest.is_empty()));
    }
}

#[tokio::test(start_paused = true)]
async fn a_source_that_is_cut_is_cut_for_the_client() {
    let mut stream = Faulty::new(JSON, "{}");
    stream.source.take().unwrap().cut();
    assert!(matches!(stream.read(10).await, (_, Some(Err(_)))));
}

#[tokio::test(start_paused = true)]
async fn a_client_that_leaves_ends_the_source() {
    let Faulty { source, client, .. } = Faulty::new(JSON, "{}");
    drop(client);
    source.unwrap().chunks.closed().await;
}

#[tokio::test(start_paused = true)]
async fn a_cut_happens_in_the_middle_of_the_next_line() {
    for encoding in ENCODINGS {
        let mut stream = Faulty::new(encoding, "{}");
        assert_eq!(stream.faults.order(Order::Cut), 1);
        stream.reads(&[]).await;
        let line = stream.checkpoint(1, &[7]);
        stream.write(&[line.clone(), stream.complete(1)]).await;
        let (read, end) = stream.read(200).await;
        assert_eq!(read, line[..line.len() / 2]);
        assert!(matches!(end, Some(Err(_))), "{end:?}");
        assert_eq!(stream.faults.order(Order::Cut), 0, "it is over");
    }
}

#[tokio::test(start_paused = true)]
async fn a_cut_without_lines_happens_in_a_keep_alive() {
    for encoding in ENCODINGS {
        let mut stream = Faulty::new(encoding, "{}");
        stream.faults.order(Order::Cut);
        assert!(matches!(stream.read(900).await, (read, None) if read.is_empty()));
        let (read, end) = stream.read(300).await;
        let line = line::keep_alive(i64::from(u32::MAX), encoding);
        assert_eq!(read, line[..line.len() / 2]);
        assert!(matches!(end, Some(Err(_))), "{end:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn transports_with_frames_get_no_half_lines() {
    let faults = Faults::new();
    let (source, chunks) = body();
    let mut client = faults.through(chunks, JSON, true).unwrap();
    faults.order(Order::Cut);
    source.chunks.send(line::keep_alive(1, JSON)).await.unwrap();
    assert!(tokio_stream::StreamExt::next(&mut client).await.unwrap().is_err());
}

#[tokio::test(start_paused = true)]
async fn an_expired_token_is_the_last_line() {
    for encoding in ENCODINGS {
        let mut stream = Faulty::new(encoding, r#"{"checkpoints_delayed":true}"#);
        stream.write(&[stream.checkpoint(1, &[7])]).await;
        stream.reads(&[]).await;
        stream.faults.order(Order::Expire);
        let (read, end) = stream.read(10).await;
        assert_eq!(read, line::keep_alive(0, encoding));
        assert!(matches!(end, Some(Ok(()))), "{end:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn one_checksum_is_wrong_once() {
    for encoding in ENCODINGS {
        let mut stream = Faulty::new(encoding, "{}");
        stream.faults.order(Order::Checksum);
        // There is nothing to be wrong in some lines.
        let lines = [stream.checkpoint(1, &[]), stream.complete(1)];
        stream.write(&lines).await;
        stream.reads(&lines).await;
        for checksum in [6, u32::MAX - 1] {
            let right = [stream.checkpoint(2, &[checksum, 7]), stream.complete(2)];
            let wrong = [stream.checkpoint(2, &[checksum + 1, 7]), stream.complete(2)];
            stream.write(&right).await;
            stream.reads(&wrong).await;
            stream.write(&right).await;
            stream.reads(&right).await;
            stream.faults.order(Order::Checksum);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn delayed_checkpoints_come_later_and_keep_alives_do_not() {
    for encoding in ENCODINGS {
        let mut stream = Faulty::new(encoding, "{}");
        stream.write(&[stream.checkpoint(1, &[7])]).await;
        stream.reads(&[stream.checkpoint(1, &[7])]).await;
        stream.change(r#"{"checkpoints_delayed":true}"#);
        // What has begun is completed.
        let held = [stream.checkpoint(2, &[8]), stream.complete(2)];
        stream.write(&[stream.complete(1), held[0].clone()]).await;
        stream.reads(&[stream.complete(1)]).await;
        stream.write(&[stream.keep_alive(), held[1].clone()]).await;
        stream.reads(&[stream.keep_alive()]).await;
        assert!(matches!(stream.read(600_000).await, (read, None) if read.is_empty()));
        stream.change(r#"{"checkpoints_delayed":false}"#);
        stream.reads(&held).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_slow_stream_gives_2_kb_each_second() {
    let mut stream = Faulty::new(JSON, r#"{"slow":true}"#);
    let line = stream.checkpoint(1, &[7; 100]);
    assert!(line.len() > 5_000);
    stream.write(std::slice::from_ref(&line)).await;
    let (read, _) = stream.read(2_050).await;
    assert_eq!(read.len(), 4_200, "the first piece comes at once");
    stream.change(r#"{"slow":false}"#);
    let (rest, _) = stream.read(10).await;
    assert_eq!([read, rest].concat(), line);
}

#[tokio::test(start_paused = true)]
async fn a_slow_stream_is_cut_at_once() {
    let mut stream = Faulty::new(JSON, r#"{"slow":true}"#);
    stream.write(&[stream.checkpoint(1, &[7; 100])]).await;
    stream.read(500).await;
    stream.faults.order(Order::Cut);
    assert!(matches!(stream.read(10).await, (_, Some(Err(_)))));
}

#[tokio::test(start_paused = true)]
async fn offline_cuts_streams_and_opens_none() {
    let mut stream = Faulty::new(JSON, "{}");
    stream.change(r#"{"offline":true}"#);
    assert!(matches!(stream.read(10).await, (_, Some(Err(_)))));
    assert!(stream.faults.through(body().1, JSON, true).is_err());
    stream.faults.end();
    assert!(stream.faults.through(body().1, JSON, true).is_ok());
}

#[tokio::test(start_paused = true)]
async fn what_is_held_back_does_not_grow_for_ever() {
    let stream = Faulty::new(JSON, r#"{"checkpoints_delayed":true}"#);
    let mut taken = 0;
    let chunk = vec![stream.checkpoint(1, &[7; 1_000])];
    while timeout(std::time::Duration::from_secs(1), stream.write(&chunk)).await.is_ok() {
        taken += chunk[0].len();
        assert!(taken < 8 * 1024 * 1024);
    }
    assert!(taken > 4 * 1024 * 1024);
}
