//! What a process asks of the one that writes, and what that one says of itself: rows that both read.

use std::collections::{HashMap, HashSet};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Arc, Mutex};

use pg_connect::Target;
use sync_engine::store::StoreError;

use super::open::{PostgresOptions, has_writer};
use super::shared::{Place, Shared, lock};

/// What a process asks of the one that writes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct StoreRequest {
    pub(super) lease: i64,
    pub(super) number: i64,
    /// The question.
    pub body: Vec<u8>,
}

/// A question that waits for its answer while this exists.
pub struct StoreQuestion {
    inner: Arc<Inner>,
    number: i64,
}

impl Drop for StoreQuestion {
    fn drop(&mut self) {
        lock(&self.inner.pending).remove(&self.number);
    }
}

/// Takes the answer to a question.
pub(super) type Reply = Box<dyn FnOnce(Vec<u8>) + Send>;

/// The half of a [`PostgresFollower`](super::PostgresFollower) that other threads use.
#[derive(Clone)]
pub struct PostgresDesk(pub(super) Arc<Inner>);

/// What the thread that follows shares with others.
pub(super) struct Inner {
    pub(super) place: Place,
    pub(super) instance: Option<String>,
    pub(super) shared: Mutex<Option<Arc<Shared>>>,
    /// Questions of this process, by their numbers.
    pub(super) pending: Mutex<HashMap<i64, Reply>>,
    /// Questions of all processes that this one was told, as the one that writes: by lease and number.
    pub(super) taken: Mutex<HashSet<(i64, i64)>>,
    pub(super) next: AtomicI64,
    pub(super) is_writing: AtomicBool,
    pub(super) is_stopping: AtomicBool,
}

impl PostgresDesk {
    /// Of a process on a store, which is created if it does not exist when it is followed.
    pub fn new(target: &Target, options: &PostgresOptions) -> Self {
        Self(Arc::new(Inner {
            place: options.place(target),
            instance: options.instance.clone(),
            shared: Mutex::default(),
            pending: Mutex::default(),
            taken: Mutex::default(),
            next: AtomicI64::new(1),
            is_writing: AtomicBool::new(false),
            is_stopping: AtomicBool::new(false),
        }))
    }

    /// Asks the process that writes, now or later. `reply` is dropped without a call if there will be no answer, or if nobody
    /// waits for it any more. Blocks.
    ///
    /// # Errors
    /// The server cannot be reached.
    pub fn ask(&self, body: &[u8], reply: impl FnOnce(Vec<u8>) + Send + 'static) -> Result<StoreQuestion, StoreError> {
        let shared = self.shared()?;
        let number = self.0.next.fetch_add(1, Ordering::Relaxed);
        lock(&self.0.pending).insert(number, Box::new(reply));
        let question = StoreQuestion { inner: Arc::clone(&self.0), number };
        let insert = "WITH r AS (
                INSERT INTO request(lease, number, body) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING
            ) SELECT pg_notify(current_schema(), 'request')";
        let what = "asking the process that writes";
        shared.read(|session| Ok(session.query(insert, &[&shared.lease, &number, &body], what)?))?;
        Ok(question)
    }

    /// Leaves what [`StoreEvent::Asked`](super::StoreEvent::Asked) has told to whoever writes next.
    pub fn release(&self, request: &StoreRequest) {
        lock(&self.0.taken).remove(&(request.lease, request.number));
    }

    /// Answers what [`StoreEvent::Asked`](super::StoreEvent::Asked) has told. Blocks.
    ///
    /// # Errors
    /// The server cannot be reached.
    pub fn answer(&self, request: &StoreRequest, body: &[u8]) -> Result<(), StoreError> {
        let update = "WITH a AS (UPDATE request SET answer = $3 WHERE lease = $1 AND number = $2)
            SELECT pg_notify(current_schema(), 'answer')";
        let (lease, number) = (request.lease, request.number);
        let shared = self.shared()?;
        shared.read(|session| Ok(session.query(update, &[&lease, &number, &body], "answering a process")?)).map(drop)
    }

    /// Whether this process writes: then it is told what others ask, from the oldest on.
    pub fn set_writing(&self, is_writing: bool) {
        self.0.is_writing.store(is_writing, Ordering::Release);
    }

    /// Whether this process writes.
    pub fn is_writing(&self) -> bool {
        self.0.is_writing.load(Ordering::Acquire)
    }

    /// Notes something for all processes: what the one that writes says of itself. Blocks.
    ///
    /// # Errors
    /// The server cannot be reached.
    pub fn post(&self, status: &[u8]) -> Result<(), StoreError> {
        let update = "UPDATE state SET writer_status = $1";
        self.shared()?.read(|session| Ok(session.execute(update, &[&status], "noting a status")?)).map(drop)
    }

    /// Whether a process writes, and what it has noted last. Blocks.
    ///
    /// # Errors
    /// The server cannot be reached.
    pub fn writer(&self) -> Result<(bool, Option<Vec<u8>>), StoreError> {
        self.shared()?.read(|session| {
            let is_there = has_writer(session, &self.0.place.schema)?;
            let status = "SELECT writer_status FROM state";
            Ok((is_there, session.query_one(status, &[], "reading the status of the process that writes")?.get(0)))
        })
    }

    fn shared(&self) -> Result<Arc<Shared>, StoreError> {
        let unavailable = || StoreError::Unavailable("The storage could not be reached so far.".to_owned());
        lock(&self.0.shared).clone().ok_or_else(unavailable)
    }
}
