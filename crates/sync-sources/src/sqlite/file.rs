//! Connections to the file, and whether it still is the file that they have open.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use sync_engine::source::SourceError;

use super::failure::{Failure, Result};
use crate::error::retry;

/// How long a call waits for a lock.
const BUSY: Duration = Duration::from_millis(500);

/// A file on the disk. A replaced file has the same path and another identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identity(pub(crate) String);

impl Identity {
    /// Of the file that has the path now.
    pub(crate) fn of(path: &Path) -> std::result::Result<Self, SourceError> {
        let metadata = fs::metadata(path);
        let metadata =
            metadata.map_err(|error| retry(format!("{} cannot be found: {}", path.display(), error.kind())))?;
        Ok(Self(number(&metadata)))
    }
}

#[cfg(unix)]
fn number(metadata: &fs::Metadata) -> String {
    format!("inode {}", std::os::unix::fs::MetadataExt::ino(metadata))
}

#[cfg(not(unix))]
fn number(metadata: &fs::Metadata) -> String {
    let created = metadata.created().ok().and_then(|time| time.duration_since(std::time::UNIX_EPOCH).ok());
    format!("created {}", created.unwrap_or_default().as_nanos())
}

/// A connection, and the file that it is to.
pub(crate) struct Opened {
    pub(crate) connection: Connection,
    pub(crate) identity: Identity,
}

/// Opens the file, which must exist.
pub(crate) fn open(path: &Path, flags: OpenFlags) -> std::result::Result<Opened, SourceError> {
    let identity = Identity::of(path)?;
    let connection = Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)
        .and_then(|connection| {
            connection.busy_timeout(BUSY)?;
            connection.set_prepared_statement_cache_capacity(128);
            Ok(connection)
        })
        .map_err(|error| Failure::from(error).while_doing("opening the source", path))?;
    Ok(Opened { connection, identity })
}

/// A connection that is opened when it is needed, and again when the file was replaced.
pub(crate) struct Slot {
    path: PathBuf,
    opened: Mutex<Option<Opened>>,
}

impl Slot {
    pub(crate) fn new(path: &Path) -> Self {
        Self { path: path.to_owned(), opened: Mutex::new(None) }
    }

    /// Uses the connection. Of concurrent calls one waits for the other.
    pub(crate) fn with<T>(
        &self,
        what: &str,
        work: impl FnOnce(&mut Opened) -> Result<T>,
    ) -> std::result::Result<T, SourceError> {
        let mut slot = self.opened.lock().unwrap_or_else(PoisonError::into_inner);
        let identity = Identity::of(&self.path)?;
        let opened = match slot.take() {
            Some(opened) if opened.identity == identity => opened,
            _ => open(&self.path, OpenFlags::SQLITE_OPEN_READ_WRITE)?,
        };
        let opened = slot.insert(opened);
        work(opened).map_err(|failure| failure.while_doing(what, &self.path))
    }
}
