//! What the writer and readers of one process share: the newest checkpoint, which ones readers need, and idle connections.

use std::collections::BTreeMap;
use std::fs::File;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use rusqlite::{Connection, OpenFlags};
use sync_engine::store::{Checkpoint, StoreError};

use crate::error::Doing;
use crate::open::Options;

/// How many connections of readers are kept open while nobody uses them.
const IDLE_CONNECTIONS: usize = 8;

pub(crate) struct Shared {
    pub(crate) path: PathBuf,
    options: Options,
    /// Keeps other processes out, and this one from opening the file again while readers exist that it would not know.
    _lock: File,
    pins: Mutex<Pins>,
    idle: Mutex<Vec<Connection>>,
}

/// A checkpoint and what is needed to read it.
pub(crate) struct Visible {
    /// The number of the commit that made it.
    pub(crate) seq: i64,
    pub(crate) checkpoint: Checkpoint,
    /// Names of client tables by their numbers.
    pub(crate) types: Arc<Vec<Arc<str>>>,
}

#[derive(Default)]
struct Pins {
    newest: Option<Arc<Visible>>,
    /// How many readers there are at each checkpoint, by its commit.
    readers: BTreeMap<i64, (Arc<Visible>, usize)>,
}

impl Shared {
    pub(crate) fn new(path: PathBuf, options: Options, lock: File) -> Self {
        Self { path, options, _lock: lock, pins: Mutex::default(), idle: Mutex::default() }
    }

    /// From now on, new readers see this.
    pub(crate) fn publish(&self, visible: Visible) {
        lock(&self.pins).newest = Some(Arc::new(visible));
    }

    /// The newest checkpoint, which is needed until the pin is dropped.
    pub(crate) fn pin(self: &Arc<Self>) -> Option<Pin> {
        let mut pins = lock(&self.pins);
        let visible = Arc::clone(pins.newest.as_ref()?);
        pins.readers.entry(visible.seq).or_insert_with(|| (Arc::clone(&visible), 0)).1 += 1;
        Some(Pin { visible, shared: Arc::clone(self) })
    }

    /// The commit of the newest checkpoint; 0 if there is none.
    pub(crate) fn newest_seq(&self) -> i64 {
        lock(&self.pins).newest.as_ref().map_or(0, |newest| newest.seq)
    }

    /// The oldest checkpoint that is needed: of a reader, or else the newest.
    pub(crate) fn oldest(&self) -> Option<Arc<Visible>> {
        let pins = lock(&self.pins);
        pins.readers.values().next().map(|(visible, _)| visible).or(pins.newest.as_ref()).cloned()
    }

    /// Calls with a connection that can only read, in one transaction: all statements see the same commit, and locks are
    /// taken once.
    pub(crate) fn read_consistently<T>(
        &self,
        read: impl FnOnce(&Connection) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        self.read(|connection| {
            let what = "reading in a transaction";
            connection.prepare_cached("BEGIN").and_then(|mut begin| begin.execute(())).doing(what)?;
            // After an error, the connection is closed.
            let result = read(connection)?;
            connection.prepare_cached("COMMIT").and_then(|mut commit| commit.execute(())).doing(what)?;
            Ok(result)
        })
    }

    /// Calls with a connection that can only read.
    pub(crate) fn read<T>(&self, read: impl FnOnce(&Connection) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let idle = lock(&self.idle).pop();
        let connection = idle.map_or_else(|| self.connect(), Ok)?;
        let result = read(&connection)?;
        let mut idle = lock(&self.idle);
        if idle.len() < IDLE_CONNECTIONS {
            idle.push(connection);
        }
        Ok(result)
    }

    fn connect(&self) -> Result<Connection, StoreError> {
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let what = "opening the file for a reader";
        let connection = Connection::open_with_flags(&self.path, flags).doing(what)?;
        connection.busy_timeout(self.options.busy_timeout).doing(what)?;
        connection.pragma_update(None, "cache_size", -i64::from(self.options.reader_cache_kib)).doing(what)?;
        Ok(connection)
    }
}

/// Keeps what is needed to read a checkpoint from being compacted.
pub(crate) struct Pin {
    pub(crate) visible: Arc<Visible>,
    pub(crate) shared: Arc<Shared>,
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

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
