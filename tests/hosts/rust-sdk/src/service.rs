//! A sync service inside of the program, which the SDK reaches through its own interface for HTTP clients.

use std::sync::{Arc, Mutex};

use bytes::Bytes;
use futures_lite::stream;
use powersync::error::PowerSyncError;
use powersync::http::{HttpClient, Request, Response, ResponseBody};
use serde_json::{Value, json};
use tokio::sync::watch;

/// Every row's operation has this checksum: the library does not look behind it.
const CHECKSUM: u64 = 10;

/// The service; clones share everything.
#[derive(Clone, Default)]
pub struct Service {
    state: Arc<Mutex<State>>,
    changed: Arc<watch::Sender<()>>,
}

#[derive(Default)]
struct State {
    operations: Vec<Value>,
    write_checkpoint: u64,
}

impl Service {
    /// Changes a row.
    pub fn put(&self, id: &str, name: &str) {
        let mut state = self.state.lock().unwrap();
        let op_id = (state.operations.len() + 1).to_string();
        let data = json!({ "name": name }).to_string();
        state.operations.push(json!({
            "op_id": op_id, "op": "PUT", "object_type": "lists", "object_id": id, "data": data, "checksum": CHECKSUM,
        }));
        self.changed.send_replace(());
    }

    /// Names a write checkpoint, which the next checkpoint confirms.
    fn create_write_checkpoint(&self) -> Value {
        let mut state = self.state.lock().unwrap();
        state.write_checkpoint += 1;
        self.changed.send_replace(());
        json!({ "data": { "write_checkpoint": state.write_checkpoint.to_string() } })
    }

    /// A checkpoint with all operations from `sent` on; gives the lines, and how many operations there are.
    fn checkpoint(&self, sent: usize) -> (String, usize) {
        let state = self.state.lock().unwrap();
        let count = state.operations.len();
        let last = count.to_string();
        let checksum = CHECKSUM * count as u64;
        let bucket = json!({ "bucket": "all", "checksum": checksum, "count": count, "priority": 3 });
        let mut checkpoint = json!({ "last_op_id": last, "buckets": [bucket] });
        if state.write_checkpoint > 0 {
            checkpoint["write_checkpoint"] = json!(state.write_checkpoint.to_string());
        }
        let lines = [
            json!({ "checkpoint": checkpoint }),
            json!({ "data": { "bucket": "all", "data": state.operations[sent..] } }),
            json!({ "checkpoint_complete": { "last_op_id": last } }),
        ];
        (lines.iter().map(|line| format!("{line}\n")).collect(), count)
    }
}

#[async_trait::async_trait]
impl HttpClient for Service {
    async fn send(&self, request: Request) -> Result<Response, PowerSyncError> {
        let path = request.url.path();
        if path.ends_with("/sync/stream") {
            let changed = self.changed.subscribe();
            // The first checkpoint is sent at once, each other one after a change.
            let lines = stream::unfold((self.clone(), changed, None), |(service, mut changed, sent)| async move {
                if sent.is_some() {
                    changed.changed().await.ok()?;
                }
                let (lines, count) = service.checkpoint(sent.unwrap_or(0));
                Some((Ok(Bytes::from(lines)), (service, changed, Some(count))))
            });
            let body = ResponseBody { reader: Box::pin(lines), length: None };
            return Ok(Response { status: 200, content_type: Some("application/x-ndjson".to_owned()), body });
        }
        let (status, answer) = match path.contains("write-checkpoint") {
            true => (200, self.create_write_checkpoint()),
            false => (404, json!({ "error": path })),
        };
        let answer = Bytes::from(answer.to_string());
        let length = u64::try_from(answer.len()).ok();
        let body = ResponseBody { reader: Box::pin(stream::once(Ok(answer))), length };
        Ok(Response { status, content_type: Some("application/json".to_owned()), body })
    }
}
