//! A network that answers what a test wants, and a client on it.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;

use crate::database::Database;
use crate::network::{Body, BoxFuture, Network, NetworkError, Request, Response};
use crate::options::Options;
use crate::service::{Credentials, Service};
use crate::shared::Shared;
use crate::status::Status;
use crate::sync::session;
use crate::upload;

pub(super) const SCHEMA: &str = r#"{"tables": [{"name": "lists", "columns": [{"name": "name", "type": "text"}]}]}"#;

/// What comes of a body.
#[derive(Clone)]
pub(super) enum Chunk {
    Bytes(Vec<u8>),
    Wait(Duration),
    /// Nothing more, and no end.
    Silence,
    /// The connection breaks.
    Cut,
}

/// An answer.
#[derive(Clone)]
pub(super) enum Answer {
    Is(u16, &'static str, Vec<Chunk>),
    /// It cannot be reached.
    Fails(&'static str),
    /// It never answers.
    Silence,
}

impl Answer {
    /// A stream of JSON lines that ends as the last chunk says.
    pub(super) fn stream(lines: &[Value], end: Option<Chunk>) -> Self {
        let chunks = lines.iter().map(|line| Chunk::Bytes(format!("{line}\n").into_bytes())).chain(end);
        Self::Is(200, "application/x-ndjson", chunks.collect())
    }

    /// The bytes of a stream, and its end.
    pub(super) fn bytes(kind: &'static str, bytes: &[u8], end: Option<Chunk>) -> Self {
        Self::Is(200, kind, [Chunk::Bytes(bytes.to_vec())].into_iter().chain(end).collect())
    }

    pub(super) fn json(status: u16, body: &Value) -> Self {
        Self::Is(status, "application/json", vec![Chunk::Bytes(body.to_string().into_bytes())])
    }
}

/// A network. What it answers to streams comes from a list; when that is empty, it answers with silence.
#[derive(Clone, Default)]
pub(super) struct Fake {
    pub(super) streams: Arc<Mutex<VecDeque<Answer>>>,
    /// Answers to other routes, by a part of their URL.
    pub(super) others: Arc<Mutex<VecDeque<(&'static str, Answer)>>>,
    /// What was asked, and when.
    pub(super) asked: Arc<Mutex<Vec<(Request, Instant)>>>,
    /// Bytes of bodies that were taken.
    pub(super) taken: Arc<AtomicUsize>,
    /// Bodies that are being read.
    pub(super) open: Arc<AtomicUsize>,
}

impl Fake {
    pub(super) fn new(streams: impl IntoIterator<Item = Answer>) -> Self {
        Self { streams: Arc::new(Mutex::new(streams.into_iter().collect())), ..Self::default() }
    }

    pub(super) fn also(self, part: &'static str, answer: Answer) -> Self {
        self.others.lock().unwrap().push_back((part, answer));
        self
    }

    /// Requests to a route.
    pub(super) fn asked(&self, part: &str) -> Vec<(Request, Instant)> {
        self.asked.lock().unwrap().iter().filter(|(request, _)| request.url.contains(part)).cloned().collect()
    }

    fn answer(&self, url: &str) -> Answer {
        if url.ends_with("/sync/stream") {
            return self.streams.lock().unwrap().pop_front().unwrap_or(Answer::Silence);
        }
        let mut others = self.others.lock().unwrap();
        let at = others.iter().position(|(part, _)| url.contains(part));
        at.and_then(|at| others.remove(at)).map_or(Answer::Silence, |(_, answer)| answer)
    }
}

impl Network for Fake {
    fn send(&self, request: Request) -> BoxFuture<'static, Result<Response, NetworkError>> {
        let answer = self.answer(&request.url);
        self.asked.lock().unwrap().push((request, Instant::now()));
        let (taken, open) = (Arc::clone(&self.taken), Arc::clone(&self.open));
        Box::pin(async move {
            match answer {
                Answer::Is(status, kind, chunks) => {
                    open.fetch_add(1, Ordering::SeqCst);
                    let body = Box::new(FakeBody { chunks: chunks.into(), taken, open });
                    Ok(Response { status, content_type: Some(kind.to_owned()), body })
                }
                Answer::Fails(why) => Err(NetworkError(why.to_owned())),
                Answer::Silence => std::future::pending().await,
            }
        })
    }
}

struct FakeBody {
    chunks: VecDeque<Chunk>,
    taken: Arc<AtomicUsize>,
    open: Arc<AtomicUsize>,
}

impl Body for FakeBody {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, NetworkError>> {
        Box::pin(async {
            loop {
                match self.chunks.pop_front() {
                    Some(Chunk::Bytes(bytes)) => {
                        self.taken.fetch_add(bytes.len(), Ordering::SeqCst);
                        return Ok(Some(bytes.into()));
                    }
                    Some(Chunk::Wait(time)) => sleep(time).await,
                    Some(Chunk::Silence) => std::future::pending().await,
                    Some(Chunk::Cut) => return Err(NetworkError("connection reset by peer".to_owned())),
                    None => return Ok(None),
                }
            }
        })
    }
}

impl Drop for FakeBody {
    fn drop(&mut self) {
        self.open.fetch_sub(1, Ordering::SeqCst);
    }
}

/// A client on a network, in the runtime of the test.
pub(super) struct Syncing {
    pub(super) shared: Arc<Shared>,
    pub(super) network: Fake,
    pub(super) app: rusqlite::Connection,
    stop: CancellationToken,
    session: JoinHandle<()>,
    uploads: JoinHandle<()>,
    _folder: tempfile::TempDir,
}

impl Syncing {
    pub(super) fn start(network: Fake) -> Self {
        Self::with(network, |options| options)
    }

    pub(super) fn with(network: Fake, change: impl FnOnce(Options) -> Options) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let options = Options::new(folder.path().join("app.db"), "http://service.example");
        let options = change(options.schema(SCHEMA).token(|| Ok("a token".to_owned())));
        let credentials = Credentials::new(options.token.clone());
        let service = Service::new(&options.url, Arc::new(network.clone()), credentials).unwrap();
        let database = Database::open(&options.file, options.schema.clone()).unwrap();
        let app = database.connect().unwrap();
        let shared = Arc::new(Shared::new(options, database, service));
        let stop = CancellationToken::new();
        let session = tokio::spawn(session(Arc::clone(&shared), stop.clone()));
        let uploads = tokio::spawn(upload::run(Arc::clone(&shared)));
        Self { shared, network, app, stop, session, uploads, _folder: folder }
    }

    /// Waits until the status is so.
    pub(super) async fn wait(&self, what: &str, wanted: impl Fn(&Status) -> bool) -> Arc<Status> {
        let waiting = async {
            loop {
                let status = self.status();
                if wanted(&status) {
                    return status;
                }
                sleep(Duration::from_millis(10)).await;
            }
        };
        // An hour of the clock that is paused.
        let done = timeout(Duration::from_secs(3600), waiting).await;
        done.unwrap_or_else(|_| panic!("{what}: {:?}", self.status()))
    }

    pub(super) fn status(&self) -> Arc<Status> {
        self.shared.status.current().0
    }

    /// The names of all lists.
    pub(super) fn lists(&self) -> String {
        let sql = "SELECT coalesce(group_concat(id || ':' || name, ' '), '') FROM (SELECT * FROM lists ORDER BY id)";
        self.app.query_row(sql, (), |row| row.get(0)).unwrap()
    }

    /// Disconnects.
    pub(super) async fn stop(self) -> Arc<Status> {
        self.stop.cancel();
        self.session.await.unwrap();
        assert_eq!(self.network.open.load(Ordering::SeqCst), 0, "a stream is still open");
        self.shared.uploads.end();
        self.uploads.await.unwrap();
        self.shared.status.current().0
    }
}

/// The lines of a checkpoint with these lists, the newest last. Its operations are numbered from 1.
pub(super) fn checkpoint(names: &[&str]) -> Vec<Value> {
    let count = names.len();
    let checksum: usize = (1..=count).sum();
    let bucket = json!({"bucket": "a", "checksum": checksum, "count": count, "priority": 3, "subscriptions": []});
    let mut lines = vec![json!({"checkpoint": {"last_op_id": count.to_string(), "buckets": [bucket], "streams": []}})];
    lines.extend(names.iter().enumerate().map(|(at, name)| {
        let data = json!({"name": name}).to_string();
        let operation = json!({"op_id": (at + 1).to_string(), "op": "PUT", "object_type": "lists",
            "object_id": format!("l{}", at + 1), "subkey": "s", "checksum": at + 1, "data": data});
        json!({"data": {"bucket": "a", "data": [operation]}})
    }));
    lines.push(json!({"checkpoint_complete": {"last_op_id": count.to_string()}}));
    lines
}

/// The lines as the bytes of a stream.
pub(super) fn ndjson(lines: &[Value]) -> Vec<u8> {
    lines.iter().map(|line| format!("{line}\n")).collect::<String>().into_bytes()
}
