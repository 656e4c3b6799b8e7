//! Notices what an app's connection writes to the upload queue.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use rusqlite::Connection;
use tokio::sync::Notify;

use super::Failure;

/// The table of the queue.
const QUEUE: &str = "ps_crud";

/// Wakes when this connection commits entries of the queue.
///
/// SQLite calls the hook just before the commit, which holds the lock for writing. Whoever is woken begins with that lock, so
/// it sees the entries.
///
/// A rollback leaves the mark of what was written, so that the next commit wakes for nothing. There is no hook for rollbacks:
/// SQLite calls it when a connection is closed within a transaction, and rusqlite (0.41) has freed it by then.
pub(crate) fn wake_at_writes(connection: &mut Connection, wake: Arc<Notify>) -> Result<(), Failure> {
    let has_written = Arc::new(AtomicBool::new(false));
    let (at_update, at_commit) = (Arc::clone(&has_written), has_written);
    connection.update_hook(Some(move |_, _: &str, table: &str, _| {
        if table == QUEUE {
            at_update.store(true, Ordering::Relaxed);
        }
    }))?;
    connection.commit_hook(Some(move || {
        if at_commit.swap(false, Ordering::Relaxed) {
            wake.notify_one();
        }
        false
    }))?;
    Ok(())
}
