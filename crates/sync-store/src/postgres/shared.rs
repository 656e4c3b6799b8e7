//! What readers of one process share: the newest checkpoint that it knows, which ones they are pinned at, the process's lease,
//! and idle connections.
//!
//! The lease is a row that says what this process may read. Whoever compacts leaves that, and deletes leases that were not
//! refreshed for long. Each read looks for the row in the snapshot that it reads from: without it, what was read may be
//! compacted too far, and is not used.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use pg_connect::Target;
use sync_engine::row::Position;
use sync_engine::store::{Checkpoint, OpId, StoreError};

use super::session::Session;

/// How many connections are kept open while nobody uses them.
const IDLE_CONNECTIONS: usize = 8;

/// How long reads are repeated while the server cannot be reached, and the pauses between.
const PATIENCE: Duration = Duration::from_secs(15);
const FIRST_PAUSE: Duration = Duration::from_millis(50);
const LONGEST_PAUSE: Duration = Duration::from_secs(1);

/// Where a schema is.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) target: Target,
    pub(super) schema: String,
    /// What the server shows of the connections.
    pub(super) name: String,
}

impl Place {
    pub(super) fn connect(&self) -> Result<Session, StoreError> {
        Session::connect(&self.target, &self.schema, &self.name)
    }
}

pub(super) struct Shared {
    pub(super) place: Place,
    /// The number of the lease.
    pub(super) lease: i64,
    pins: Mutex<Pins>,
    idle: Mutex<Vec<Session>>,
    /// Names of client tables by their numbers.
    types: Mutex<Arc<Vec<Arc<str>>>>,
    /// Bytes of the schema; 0 if that is not known.
    size: AtomicU64,
}

/// A checkpoint that can be read.
#[derive(Debug)]
pub(super) struct Visible {
    /// The number of the commit that made it.
    pub(super) seq: i64,
    pub(super) checkpoint: Checkpoint,
}

/// What has to stay readable.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Point {
    pub(super) seq: i64,
    pub(super) op_id: OpId,
    pub(super) position: Position,
}

#[derive(Default)]
struct Pins {
    newest: Option<Arc<Visible>>,
    /// How many readers there are at each checkpoint, by its commit.
    readers: BTreeMap<i64, (Arc<Visible>, usize)>,
    /// The oldest of other processes.
    others: Option<Point>,
}

/// Why a read gave nothing.
pub(super) enum ReadError {
    Store(StoreError),
    /// The lease is gone.
    LeaseLost,
}

impl From<StoreError> for ReadError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

impl Shared {
    pub(super) fn new(place: Place, lease: i64) -> Self {
        Self {
            place,
            lease,
            pins: Mutex::default(),
            idle: Mutex::default(),
            types: Mutex::default(),
            size: AtomicU64::new(0),
        }
    }

    /// From now on, new readers see this.
    pub(super) fn publish(&self, visible: Visible) {
        lock(&self.pins).newest = Some(Arc::new(visible));
    }

    /// The newest checkpoint, which is needed until the pin is dropped.
    pub(super) fn pin(self: &Arc<Self>) -> Option<Pin> {
        let mut pins = lock(&self.pins);
        let visible = Arc::clone(pins.newest.as_ref()?);
        pins.readers.entry(visible.seq).or_insert_with(|| (Arc::clone(&visible), 0)).1 += 1;
        Some(Pin { visible, shared: Arc::clone(self) })
    }

    /// The commit of the newest checkpoint; 0 if there is none.
    pub(super) fn newest_seq(&self) -> i64 {
        lock(&self.pins).newest.as_ref().map_or(0, |newest| newest.seq)
    }

    /// What readers of this process need: the oldest checkpoint of one, or else the newest.
    pub(super) fn oldest_here(&self) -> Option<Point> {
        let pins = lock(&self.pins);
        let oldest = pins.readers.values().next().map(|(visible, _)| visible).or(pins.newest.as_ref())?;
        let Checkpoint { op_id, position, .. } = &oldest.checkpoint;
        Some(Point { seq: oldest.seq, op_id: *op_id, position: position.clone() })
    }

    /// What readers of all processes need, as far as is known.
    pub(super) fn oldest(&self) -> Option<Point> {
        let here = self.oldest_here()?;
        match lock(&self.pins).others.clone() {
            Some(other) if other.seq < here.seq => Some(other),
            _ => Some(here),
        }
    }

    /// Notes what other processes need.
    pub(super) fn set_others(&self, others: Option<Point>) {
        lock(&self.pins).others = others;
    }

    pub(super) fn types(&self) -> Arc<Vec<Arc<str>>> {
        Arc::clone(&lock(&self.types))
    }

    pub(super) fn set_types(&self, types: Arc<Vec<Arc<str>>>) {
        let mut known = lock(&self.types);
        if types.len() > known.len() {
            *known = types;
        }
    }

    pub(super) fn size(&self) -> Option<u64> {
        Some(self.size.load(Ordering::Relaxed)).filter(|size| *size > 0)
    }

    pub(super) fn set_size(&self, size: i64) {
        self.size.store(u64::try_from(size).unwrap_or(0), Ordering::Relaxed);
    }

    /// Calls with a connection of the pool; again with another one if the server could not be reached.
    pub(super) fn read<T>(&self, mut read: impl FnMut(&mut Session) -> Result<T, ReadError>) -> Result<T, StoreError> {
        let (until, mut pause) = (Instant::now() + PATIENCE, FIRST_PAUSE);
        loop {
            let idle = lock(&self.idle).pop();
            let was_idle = idle.is_some();
            let mut session = idle.map_or_else(|| self.place.connect(), Ok);
            let result = session.as_mut().map_err(|error| ReadError::Store(error.clone())).and_then(&mut read);
            match result {
                Ok(value) => {
                    self.put_back(session);
                    return Ok(value);
                }
                Err(ReadError::LeaseLost) => return Err(lease_lost()),
                Err(ReadError::Store(StoreError::Unavailable(message))) => {
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Err(StoreError::Unavailable(message));
                    }
                    // Others that were idle may be broken, too; each is tried without a pause.
                    if !was_idle {
                        std::thread::sleep(pause.min(left));
                        pause = (pause * 2).min(LONGEST_PAUSE);
                    }
                }
                Err(ReadError::Store(error)) => return Err(error),
            }
        }
    }

    fn put_back(&self, session: Result<Session, StoreError>) {
        let Ok(session) = session else { return };
        let mut idle = lock(&self.idle);
        if idle.len() < IDLE_CONNECTIONS && !session.is_closed() {
            idle.push(session);
        }
    }
}

impl Drop for Shared {
    /// Closing a connection blocks, and the last reader may be dropped where that is not allowed.
    fn drop(&mut self) {
        let idle = std::mem::take(&mut *lock(&self.idle));
        if !idle.is_empty() {
            let _ = std::thread::Builder::new().name("closing".into()).spawn(move || drop(idle));
        }
    }
}

fn lease_lost() -> StoreError {
    StoreError::Unavailable(
        "The storage was compacted while this process could not say that it reads an older checkpoint. Read again."
            .to_owned(),
    )
}

/// Keeps what is needed to read a checkpoint from being compacted.
pub(super) struct Pin {
    pub(super) visible: Arc<Visible>,
    pub(super) shared: Arc<Shared>,
}

impl Drop for Pin {
    fn drop(&mut self) {
        let mut pins = lock(&self.shared.pins);
        if let Some((_, readers)) = pins.readers.get_mut(&self.visible.seq) {
            *readers = readers.saturating_sub(1);
            if *readers == 0 {
                pins.readers.remove(&self.visible.seq);
            }
        }
    }
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
