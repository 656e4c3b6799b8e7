//! One process at a time syncs a file and uploads its queue.

use std::fs::{File, OpenOptions, TryLockError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};

/// A lock for all processes on this machine. It is on a file beside the database, and ends with the process that holds it,
/// however that ends. The file stays: to remove it would let two processes lock different files.
pub(crate) struct FileLock {
    path: PathBuf,
    held: Mutex<Weak<Held>>,
}

/// Holds the lock.
#[derive(Debug)]
pub(crate) struct Held {
    /// None on file systems without locks.
    _file: Option<File>,
}

impl FileLock {
    pub(crate) fn beside(database: &Path) -> Self {
        let mut path = database.to_owned().into_os_string();
        path.push("-sync-lock");
        Self { path: path.into(), held: Mutex::default() }
    }

    /// Takes the lock; none if another process has it. Within a client it can be taken more than once.
    pub(crate) fn take(&self) -> io::Result<Option<Arc<Held>>> {
        let mut held = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(held) = held.upgrade() {
            return Ok(Some(held));
        }
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(&self.path)?;
        let file = match file.try_lock() {
            Ok(()) => Some(file),
            Err(TryLockError::WouldBlock) => return Ok(None),
            // Several that sync are safe; only an upload may then be sent twice.
            Err(TryLockError::Error(error)) if error.kind() == io::ErrorKind::Unsupported => None,
            Err(TryLockError::Error(error)) => return Err(error),
        };
        let taken = Arc::new(Held { _file: file });
        *held = Arc::downgrade(&taken);
        Ok(Some(taken))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_has_it_until_all_of_its_holders_are_gone() {
        let folder = tempfile::tempdir().unwrap();
        let [one, other] = [(); 2].map(|()| FileLock::beside(&folder.path().join("app.db")));
        let held = one.take().unwrap().unwrap();
        let again = one.take().unwrap().unwrap();
        assert!(other.take().unwrap().is_none());
        drop(held);
        assert!(other.take().unwrap().is_none());
        drop(again);
        let held = other.take().unwrap();
        assert!(held.is_some() && one.take().unwrap().is_none());
    }
}
