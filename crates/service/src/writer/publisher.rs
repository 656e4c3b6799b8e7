//! Who is told of new checkpoints.

use std::sync::Arc;
use std::time::Duration;

use sync_engine::notice::CommitNotice;
use sync_engine::writer::Writer;
use sync_store::PostgresDesk;

use super::trouble::LONGEST_PAUSE;
use crate::sync::Hub;

/// Who is told of new checkpoints.
pub(super) enum Publisher {
    /// Clients of this process, which read through the writer's store.
    Here(Arc<Hub>),
    /// Clients of all processes. The storage tells them, and they do not read through the writer's store.
    Everywhere(PostgresDesk),
}

impl Publisher {
    /// There is a writer.
    pub(super) fn begin(&self, writer: &Writer) {
        match self {
            Self::Here(hub) => hub.begin(writer.readers(), writer.active_plan()),
            Self::Everywhere(desk) => desk.set_writing(true),
        }
    }

    /// There is none, and its store will be closed.
    pub(super) fn end(&self) {
        match self {
            // A store that one process at a time can have open is closed only when nobody reads through it.
            Self::Here(hub) => hub.end_streams(),
            Self::Everywhere(desk) => desk.set_writing(false),
        }
    }

    /// The longest time between two attempts to open the storage. A server is back soon after it is restarted.
    pub(super) fn longest_pause(&self) -> Duration {
        match self {
            Self::Here(_) => LONGEST_PAUSE,
            Self::Everywhere(_) => Duration::from_secs(2),
        }
    }

    pub(super) fn publish(&self, notice: &CommitNotice) {
        if let Self::Here(hub) = self {
            hub.publish(notice);
        }
    }

    /// What the writer says of itself, for other processes.
    pub(super) fn post(&self, status: impl FnOnce() -> Vec<u8>) {
        if let Self::Everywhere(desk) = self
            && let Err(error) = desk.post(&status())
        {
            tracing::warn!(%error, "noting the status for other processes");
        }
    }
}
