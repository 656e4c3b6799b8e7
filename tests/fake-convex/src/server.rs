//! The deployment: its state, and the server that others reach it by.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::{Query, State as Shared};
use axum::http::{HeaderMap, Uri};
use axum::response::Response;
use serde_json::Value as Json;
use tokio::sync::oneshot;

use crate::database::{Database, Write};
use crate::faults::{Fault, Faults, Route};
use crate::pages::Limits;
use crate::routes::{self, Delivery, Request};
use crate::value::Document;

/// Fields of each table with the kinds of their values, as `schema.ts` defines them; optional ones end with `?`.
pub(crate) type Schema = BTreeMap<String, BTreeMap<String, String>>;

/// What a deployment is like.
#[derive(Clone, Debug, Default)]
pub struct Options {
    /// Whether it has the newer sync API.
    pub has_sync_api: bool,
    /// Documents of a page of `list_snapshot`; 1,024 without it.
    pub snapshot_rows: Option<usize>,
    /// Rows of the log of a page of `document_deltas`; 128 without it.
    pub delta_rows: Option<usize>,
    /// Values of a page of the sync API; 16,384 without it.
    pub sync_rows: Option<usize>,
    /// The port; a free one without it.
    pub port: u16,
}

/// Everything that requests see.
pub(crate) struct State {
    pub(crate) database: Database,
    pub(crate) faults: Faults,
    pub(crate) limits: Limits,
    pub(crate) schema: Schema,
    pub(crate) key: String,
    pub(crate) has_sync_api: bool,
    pub(crate) epoch: u64,
    pub(crate) requests: Vec<(Route, String, BTreeMap<String, String>)>,
}

/// A status with a JSON body.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) body: Json,
}

/// An answer with an error's code.
pub(crate) struct Refusal {
    pub(crate) status: u16,
    pub(crate) code: &'static str,
    pub(crate) message: String,
}

struct Inner {
    state: Mutex<State>,
    asked: Condvar,
}

/// A deployment that runs while this exists.
pub struct Convex {
    inner: Arc<Inner>,
    address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Convex {
    /// Starts one on a free port of the loopback interface.
    pub fn start(options: Options) -> Self {
        let defaults = Limits::default();
        let limits = Limits {
            snapshot_rows: options.snapshot_rows.unwrap_or(defaults.snapshot_rows),
            delta_rows: options.delta_rows.unwrap_or(defaults.delta_rows),
            sync_rows: options.sync_rows.unwrap_or(defaults.sync_rows),
        };
        let state = State {
            database: Database::new(),
            faults: Faults::default(),
            limits,
            schema: Schema::new(),
            key: "prod:fake-double-123|ZmFrZS1rZXk=".to_owned(),
            has_sync_api: options.has_sync_api,
            epoch: 0,
            requests: Vec::new(),
        };
        let inner = Arc::new(Inner { state: Mutex::new(state), asked: Condvar::new() });
        let router = Router::new().fallback(handle).with_state(Arc::clone(&inner));
        let (stop, stopped) = oneshot::channel::<()>();
        let (bound, at) = std::sync::mpsc::channel();
        // All of it on a thread without a runtime, so that tests may have one.
        let thread = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
            runtime.block_on(async {
                let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, options.port)).await;
                let listener = listener.expect("the port is free");
                bound.send(listener.local_addr().unwrap()).unwrap();
                tokio::select! {
                    served = axum::serve(listener, router) => served.unwrap(),
                    _ = stopped => {}
                }
            });
            runtime.shutdown_background();
        });
        let address = at.recv().unwrap();
        Self { inner, address, stop: Some(stop), thread: Some(thread) }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.inner.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where it is: `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Its deploy key.
    pub fn key(&self) -> String {
        self.state().key.clone()
    }

    /// Commits a mutation, and returns its timestamp.
    pub fn commit(&self, writes: Vec<Write>) -> i64 {
        self.state().database.commit(writes)
    }

    /// The newest timestamp.
    pub fn now(&self) -> i64 {
        self.state().database.now
    }

    /// The documents of a table by their ids.
    pub fn documents(&self, table: &str) -> BTreeMap<String, Document> {
        let state = self.state();
        let database = &state.database;
        let tablet = database.active(table, database.now);
        let all = tablet.iter().flat_map(|tablet| database.at(*tablet, database.now));
        all.map(|(id, _, document)| (id.clone(), (**document).clone())).collect()
    }

    /// Drops a table, as the dashboard does.
    pub fn drop_table(&self, table: &str) {
        self.state().database.drop_table(table);
    }

    /// Replaces all documents of a table, as `npx convex import --replace` does.
    pub fn import_replace(&self, table: &str, documents: Vec<Document>) {
        self.state().database.import_replace(table, documents);
    }

    /// Defines a table with its fields, `name: kind`, as `schema.ts` does; a field is optional if its kind ends with `?`.
    /// The table exists from then on.
    pub fn define(&self, table: &str, fields: &[(&str, &str)]) {
        let mut state = self.state();
        state.database.declared.insert(table.to_owned());
        let fields = fields.iter().map(|(name, kind)| ((*name).to_owned(), (*kind).to_owned()));
        state.schema.insert(table.to_owned(), fields.collect());
    }

    /// The log up to now is not kept any more.
    pub fn forget_deltas(&self) {
        let mut state = self.state();
        state.database.first_delta = state.database.now;
    }

    /// Snapshots up to now are not kept any more.
    pub fn forget_snapshots(&self) {
        let mut state = self.state();
        state.database.first_snapshot = state.database.now + 1;
        // So that there is one that can be read.
        state.database.now += 1;
    }

    /// Cursors of the sync API from before are too old.
    pub fn expire_sync_cursors(&self) {
        self.state().epoch += 1;
    }

    /// Makes something go wrong once.
    pub fn fail(&self, route: Route, fault: Fault) {
        self.state().faults.push(route, fault);
    }

    /// Whether the key is refused.
    pub fn revoke_key(&self, is_revoked: bool) {
        self.state().faults.is_revoked = is_revoked;
    }

    /// Whether the app's functions are missing.
    pub fn remove_functions(&self, are_missing: bool) {
        self.state().faults.no_functions = are_missing;
    }

    /// Whether the plan has no streaming export.
    pub fn disable_export(&self, is_disabled: bool) {
        self.state().faults.no_export = is_disabled;
    }

    /// Whether it has the newer sync API.
    pub fn set_sync_api(&self, has_it: bool) {
        self.state().has_sync_api = has_it;
    }

    /// The requests of a route since the start.
    pub fn requests(&self, route: Route) -> Vec<BTreeMap<String, String>> {
        let state = self.state();
        state.requests.iter().filter(|(of, ..)| *of == route).map(|(_, _, query)| query.clone()).collect()
    }

    /// Waits until a route was asked so often.
    pub fn wait_for(&self, route: Route, count: usize) {
        let mut state = self.state();
        while state.requests.iter().filter(|(of, ..)| *of == route).count() < count {
            state = self.inner.asked.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Convex {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

async fn handle(
    Shared(inner): Shared<Arc<Inner>>,
    uri: Uri,
    Query(query): Query<BTreeMap<String, String>>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let authorization = headers.get("authorization").and_then(|value| value.to_str().ok());
    let request = Request { path: uri.path(), query, authorization, body: &body };
    let (answer, delivery, retry_after) = {
        let mut state = inner.state.lock().unwrap_or_else(PoisonError::into_inner);
        routes::answer(&mut state, &request)
    };
    inner.asked.notify_all();
    let text = answer.body.to_string();
    let mut response = Response::builder().status(answer.status).header("content-type", "application/json");
    if let Some((_, seconds)) = retry_after {
        response = response.header("retry-after", seconds.to_string());
    }
    let body = match delivery {
        Delivery::Whole => Body::from(text),
        Delivery::Lost => parted(String::new(), text.len(), true, &mut response),
        Delivery::Cut => parted(text[..text.len() / 2].to_owned(), text.len(), true, &mut response),
        Delivery::Stalled => parted(text[..text.len() / 2].to_owned(), text.len(), false, &mut response),
    };
    response.body(body).unwrap()
}

/// The beginning of a body that is said to be longer; then an error, or nothing for ever.
fn parted(begin: String, length: usize, is_cut: bool, response: &mut axum::http::response::Builder) -> Body {
    response.headers_mut().unwrap().insert("content-length", length.into());
    Body::new(Parted { begin: Some(begin.into()).filter(|begin: &Bytes| !begin.is_empty()), is_cut })
}

struct Parted {
    begin: Option<Bytes>,
    is_cut: bool,
}

impl axum::body::HttpBody for Parted {
    type Data = Bytes;
    type Error = std::io::Error;

    fn poll_frame(
        mut self: std::pin::Pin<&mut Self>,
        _context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Result<http_body::Frame<Bytes>, Self::Error>>> {
        use std::task::Poll;
        match self.begin.take() {
            Some(begin) => Poll::Ready(Some(Ok(http_body::Frame::data(begin)))),
            None if self.is_cut => Poll::Ready(Some(Err(std::io::Error::other("cut by a test")))),
            None => Poll::Pending,
        }
    }
}
