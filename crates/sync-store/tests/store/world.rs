//! The kinds of stores that are tested here: in memory, and in a SQLite file.

use std::path::PathBuf;
use std::time::Duration;

use sync_engine::memory::MemoryStore;
use sync_engine::store::Store;
use sync_store::{Options, SqliteStore};
use tempfile::TempDir;

/// Each test for each kind of store.
macro_rules! kinds {
    ($($case:ident)*) => {
        mod memory { $(#[test] fn $case() { super::$case(crate::world::Kind::Memory); })* }
        mod sqlite { $(#[test] fn $case() { super::$case(crate::world::Kind::Sqlite); })* }
    };
}

/// A kind of store.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Memory,
    Sqlite,
}

impl Kind {
    /// How many random sessions are worth their time.
    pub(crate) fn sessions(self) -> u64 {
        match self {
            Self::Memory => 150,
            Self::Sqlite => 15,
        }
    }
}

/// Where stores are.
pub(crate) struct World {
    memory: Option<MemoryStore>,
    folder: TempDir,
    clear_from: usize,
}

impl World {
    pub(crate) fn new(kind: Kind, clear_from: usize) -> Self {
        let memory = matches!(kind, Kind::Memory).then(|| MemoryStore::new("memory"));
        if let Some(memory) = &memory {
            memory.set_clear_from(clear_from);
        }
        Self { memory, folder: folder(), clear_from }
    }

    pub(crate) fn open(&self) -> Box<dyn Store> {
        match &self.memory {
            Some(memory) => Box::new(memory.clone()),
            None => Box::new(SqliteStore::open(&self.file(), options(self.clear_from)).unwrap()),
        }
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.folder.path().join("store")
    }
}

/// In memory where that is possible: syncing takes most of the time otherwise.
pub(crate) fn folder() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

pub(crate) fn options(clear_from: usize) -> Options {
    Options { clear_from, busy_timeout: Duration::from_secs(60), ..Options::default() }
}
