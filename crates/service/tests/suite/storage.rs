//! Storage that fails, and storage that is opened again.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rowtide_service::Service;
use serde_json::{Value, json};
use sync_engine::live::DefinitionId;
use sync_engine::row::RowKey;
use sync_engine::store::{
    Batch, BucketId, Compacted, JobId, OpId, Readers, RowState, Store, StoreError, Stored, TableId,
};
use sync_sources::memory::MemorySource;
use sync_store::{Options, SqliteStore};

use crate::gated::Gate;
use crate::support::{Lines, Running, operations, options, pairs, positions, put, soon, source, todos_of};

/// Commits fail while the flag is set.
struct Failing(SqliteStore, Arc<AtomicBool>);

impl Store for Failing {
    fn load(&mut self) -> Result<Stored, StoreError> {
        self.0.load()
    }

    fn row_states(&mut self, keys: &[(TableId, RowKey)]) -> Result<Vec<RowState>, StoreError> {
        self.0.row_states(keys)
    }

    fn rows_of_table(
        &mut self,
        table: TableId,
        after: Option<&RowKey>,
        limit: usize,
    ) -> Result<Vec<(RowKey, RowState)>, StoreError> {
        self.0.rows_of_table(table, after, limit)
    }

    fn find_buckets(&mut self, keys: &[(DefinitionId, Arc<str>)]) -> Result<Vec<Option<BucketId>>, StoreError> {
        self.0.find_buckets(keys)
    }

    fn bucket_keys(&mut self, buckets: &[BucketId]) -> Result<Vec<Option<Arc<str>>>, StoreError> {
        self.0.bucket_keys(buckets)
    }

    fn touched(&mut self, job: JobId, keys: &[RowKey]) -> Result<Vec<bool>, StoreError> {
        self.0.touched(job, keys)
    }

    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError> {
        if self.1.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable("the test has filled the disk".to_owned()));
        }
        self.0.commit(batch)
    }

    fn compact(&mut self, oldest_pin: OpId, budget: usize) -> Result<Compacted, StoreError> {
        self.0.compact(oldest_pin, budget)
    }

    fn readers(&self) -> Arc<dyn Readers> {
        self.0.readers()
    }
}

/// A service on a SQLite file.
async fn on_file(source: &MemorySource, path: &Path, fails: &Arc<AtomicBool>) -> Running {
    let (path, fails) = (path.to_owned(), Arc::clone(fails));
    let open = move || {
        let store = SqliteStore::open(&path, Options::default())?;
        Ok(Box::new(Failing(store, Arc::clone(&fails))) as Box<dyn Store>)
    };
    let service = Service::start(options(Arc::new(source.clone()), Box::new(open))).await.unwrap();
    soon(service.ready()).await;
    Running { service, source: source.clone(), http: reqwest::Client::new() }
}

/// Opens a stream as soon as the service gives one.
async fn stream_soon(running: &Running, user: &str, body: &Value) -> Lines {
    soon(async {
        loop {
            let response = running.ask(user, body).send().await.unwrap();
            match response.status().as_u16() {
                200 => return Lines::of(response),
                status => assert_eq!(status, 503),
            }
        }
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_goes_on_after_a_restart_without_downloading_again() {
    let folder = tempfile::tempdir().unwrap();
    let (source, fails) = (source(), Arc::default());
    let path = folder.path().join("storage.db");
    let running = on_file(&source, &path, &fails).await;
    let first = running.stream("u1", todos_of(&["l1"])).await.checkpoint().await;
    assert_eq!(operations(&first).len(), 3);
    let id = running.get("u1", "/write-checkpoint2.json?client_id=a").await;
    running.service.stop().await;
    put(&source, "todos", ["t9", "l1", "while it was off"]);
    let running = on_file(&source, &path, &fails).await;
    running.get("u1", "/write-checkpoint.json").await;
    let mut request = todos_of(&["l1"]);
    request["buckets"] = positions(&first);
    let second = running.stream("u1", request.clone()).await.checkpoint().await;
    assert_eq!(operations(&second), pairs(&[("PUT", "t9")]));
    request["buckets"] = positions(&second);
    assert!(operations(&running.stream("u1", request).await.checkpoint().await).is_empty());
    assert_eq!(id["data"]["write_checkpoint"], "1");
    let id = running.get("u1", "/write-checkpoint2.json?client_id=a").await;
    assert_eq!(id["data"]["write_checkpoint"], "2", "the service counts on");
    assert!(running.status().await["storage"]["bytes"].as_u64().unwrap() > 10_000);
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_the_storage_cannot_be_written_for_a_while() {
    let folder = tempfile::tempdir().unwrap();
    let (source, fails) = (source(), Arc::new(AtomicBool::new(false)));
    let running = on_file(&source, &folder.path().join("storage.db"), &fails).await;
    let mut lines = running.stream("u1", todos_of(&["l1"])).await;
    let mut all = lines.checkpoint().await;
    fails.store(true, Ordering::SeqCst);
    put(&source, "todos", ["t4", "l1", "first"]);
    assert_eq!(lines.next().await, None, "the stream ends at a line");
    let status = running.status_with(|status| status["storage"]["error"].is_string()).await;
    assert!(status["storage"]["error"].as_str().unwrap().contains("filled the disk"), "{status}");
    put(&source, "todos", ["t5", "l1", "second"]);
    fails.store(false, Ordering::SeqCst);
    let mut got = Vec::new();
    while got.len() < 2 {
        let mut request = todos_of(&["l1"]);
        request["buckets"] = positions(&all);
        let mut lines = stream_soon(&running, "u1", &request).await;
        while let (true, Some(line)) = (got.len() < 2, lines.next().await) {
            got.extend(operations(std::slice::from_ref(&line)));
            all.push(line);
        }
    }
    assert_eq!(got, pairs(&[("PUT", "t4"), ("PUT", "t5")]));
    running.status_with(|status| status["storage"]["error"].is_null()).await;
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_for_a_checkpoint_is_answered_only_when_it_is_stored() {
    let folder = tempfile::tempdir().unwrap();
    let (source, fails) = (source(), Arc::new(AtomicBool::new(true)));
    fails.store(false, Ordering::SeqCst);
    let running = on_file(&source, &folder.path().join("storage.db"), &fails).await;
    fails.store(true, Ordering::SeqCst);
    let body = json!({"client_id": "a", "checkpoint_request_id": "5"});
    let (status, answer) = running.request_checkpoint("u1", &body).await;
    assert_eq!((status.as_u16(), &answer["error"]["code"]), (503, &json!("PSYNC_S2003")));
    fails.store(false, Ordering::SeqCst);
    let mut lines = stream_soon(&running, "u1", &json!({"client_id": "a"})).await;
    assert_eq!(lines.checkpoint().await[0]["checkpoint"]["write_checkpoint"], Value::Null);
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_service_writes_nothing() {
    let gate = Gate::default();
    let running = Running::with(|options| options.open_store = gate.store()).await;
    running.get("u1", "/write-checkpoint2.json").await;
    running.status_with(|status| status["source"]["lag_seconds"] == 0.0).await;
    let before = gate.commits();
    // Longer than the pause between two flushes.
    tokio::time::sleep(std::time::Duration::from_millis(2500)).await;
    assert_eq!(gate.commits(), before);
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_dropped_ends() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("storage.db");
    let running = on_file(&source(), &path, &Arc::default()).await;
    let mut lines = running.stream("u1", json!({})).await;
    lines.checkpoint().await;
    drop(running.service);
    assert_eq!(lines.next().await, None);
    // It has given up its file.
    soon(async {
        while SqliteStore::open(&path, Options::default()).is_err() {
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    })
    .await;
}
