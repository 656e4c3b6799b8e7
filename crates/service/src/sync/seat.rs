//! The place of one connection among all: what it is told, and when it has to end.

use std::sync::Arc;

use sync_engine::connection::{Ask, Connection};
use sync_engine::interests::ConnectionId;
use sync_engine::live::LivePlan;
use sync_engine::notice::Wake;
use sync_engine::store::{Checkpoint, Readers};
use tokio::sync::{Notify, SemaphorePermit, watch};

use super::hub::Hub;
use super::progress::Progress;

/// A connected client, as the status shows it.
#[derive(Clone, Debug)]
pub(crate) struct ClientInfo {
    pub(crate) user: Arc<str>,
    pub(crate) client_id: Option<Box<str>>,
    pub(crate) user_agent: Box<str>,
    /// In µs since 1970.
    pub(crate) since: i64,
    /// How far it is.
    pub(crate) progress: Arc<Progress>,
}

/// The place of one connection, which is given back when it is dropped.
pub(crate) struct Seat {
    pub(super) hub: Arc<Hub>,
    pub(super) id: ConnectionId,
    pub(super) notify: Arc<Notify>,
    pub(super) generation: watch::Receiver<u64>,
    /// Which connection this is since the service was started, from 1 on.
    pub(crate) opened: u64,
    /// What the connection reads.
    pub(crate) readers: Arc<dyn Readers>,
    /// The plan that it begins with.
    pub(crate) plan: Arc<LivePlan>,
}

/// What a connection is told.
#[derive(Debug)]
pub(crate) struct Mail {
    pub(crate) wake: Wake,
    /// The checkpoint of the newest notice.
    pub(crate) newest: Option<Checkpoint>,
    /// Whether the stream has to end.
    pub(crate) is_closing: bool,
}

impl Seat {
    /// Says what the connection uses from now on.
    pub(crate) fn register(&self, connection: &mut Connection) {
        let mut state = self.hub.state();
        // The interests of a store that is gone are not kept.
        if self.generation.has_changed().unwrap_or(true) {
            return;
        }
        if let Some(wake) = state.interests.register(self.id, connection) {
            connection.wake(wake);
        }
    }

    /// Says what the client asks for.
    pub(super) fn note_ask(&self, ask: Arc<Ask>) {
        if let Some(Some(mailbox)) = self.hub.state().seats.get_mut(self.id.0 as usize) {
            mailbox.ask = Some(ask);
        }
    }

    /// What has come since the last call.
    pub(crate) fn take(&self) -> Mail {
        let mut state = self.hub.state();
        let mailbox = state.seats.get_mut(self.id.0 as usize).and_then(Option::as_mut);
        let wake = mailbox.map(|mailbox| std::mem::take(&mut mailbox.wake)).unwrap_or_default();
        let is_closing = state.is_closing || self.generation.has_changed().unwrap_or(true);
        Mail { wake, newest: state.interests.newest().cloned(), is_closing }
    }

    /// Waits until there is something to take.
    pub(crate) async fn mail(&mut self) {
        tokio::select! {
            () = self.notify.notified() => {}
            _ = self.generation.changed() => self.generation.mark_changed(),
        }
    }

    /// Waits until what the connection reads is gone.
    pub(crate) async fn gone(&mut self) {
        let _ = self.generation.changed().await;
        self.generation.mark_changed();
    }

    /// Waits for the permission to read the storage on this thread.
    pub(crate) async fn may_read(hub: &Hub) -> Option<SemaphorePermit<'_>> {
        // It is never closed.
        hub.reads.acquire().await.ok()
    }

    pub(crate) fn hub(&self) -> Arc<Hub> {
        Arc::clone(&self.hub)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.hub.leave(self.id);
    }
}
