//! Connected clients: which of them a commit affects, and how they are woken.
//!
//! The writer's thread publishes notices; the task of each connection takes what concerns it from a mailbox. A commit
//! that concerns no client wakes nobody.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use sync_engine::connection::Ask;
use sync_engine::interests::{ConnectionId, Interests};
use sync_engine::live::LivePlan;
use sync_engine::notice::{CommitNotice, Wake};
use sync_engine::store::Readers;
use tokio::sync::{Notify, Semaphore, watch};

use super::counters::{Counters, add};
use super::seat::{ClientInfo, Seat};
use crate::error::{ApiError, ErrorKind};

/// All connections of the service.
pub(crate) struct Hub {
    state: Mutex<State>,
    /// The plan that requests are evaluated with.
    plan: watch::Sender<Option<Arc<LivePlan>>>,
    /// Counts the stores that were opened. Streams end when it changes, because they read through another store.
    generation: watch::Sender<u64>,
    /// How many connections there may be.
    limit: usize,
    /// A read of the storage blocks its thread, so it has one of the runtime's threads for blocking calls. These permits
    /// bound the number of such threads, also when a commit wakes all streams at once. The others wait without a thread, in
    /// the order in which they came. The threads of tasks never block.
    pub(super) reads: Semaphore,
    /// Told when a place becomes free.
    left: Notify,
    /// Whether the service is stopping.
    closing: watch::Sender<bool>,
    pub(crate) counters: Counters,
}

#[derive(Default)]
pub(super) struct State {
    pub(super) interests: Interests,
    readers: Option<Arc<dyn Readers>>,
    /// By the numbers of connections; free places are none.
    pub(super) seats: Vec<Option<Mailbox>>,
    /// Numbers of free places.
    free: Vec<usize>,
    opened: u64,
    /// Connections that can have several streams, or none.
    visitors: usize,
    pub(super) is_closing: bool,
}

/// What waits for a connection.
#[derive(Debug)]
pub(super) struct Mailbox {
    pub(super) wake: Wake,
    notify: Arc<Notify>,
    client: ClientInfo,
    /// What it asks for, once that is known.
    pub(super) ask: Option<Arc<Ask>>,
}

impl Hub {
    pub(crate) fn new(limit: usize, reads: usize) -> Self {
        Self {
            state: Mutex::default(),
            plan: watch::channel(None).0,
            generation: watch::channel(0).0,
            limit,
            reads: Semaphore::new(reads.max(1)),
            left: Notify::new(),
            closing: watch::channel(false).0,
            counters: Counters::default(),
        }
    }

    /// Tells which plan requests are evaluated with, and when it is another one.
    pub(crate) fn plan_changes(&self) -> watch::Receiver<Option<Arc<LivePlan>>> {
        self.plan.subscribe()
    }

    /// Whether streams can be opened.
    pub(crate) fn is_ready(&self) -> bool {
        let state = self.state();
        state.readers.is_some() && !state.is_closing && self.plan.borrow().is_some()
    }

    /// What connections read from now on, as the store is open.
    pub(crate) fn begin(&self, readers: Arc<dyn Readers>, plan: Option<Arc<LivePlan>>) {
        let mut state = self.state();
        state.readers = Some(readers);
        self.plan.send_replace(plan);
    }

    /// Ends all streams, and opens none before the next call of [`Hub::begin`].
    pub(crate) fn end_streams(&self) {
        let mut state = self.state();
        state.readers = None;
        state.interests = Interests::new();
        self.generation.send_modify(|generation| *generation += 1);
    }

    /// What connections read; none while the store is not open.
    pub(crate) fn readers(&self) -> Option<Arc<dyn Readers>> {
        self.state().readers.clone()
    }

    /// Wakes the connections that a commit affects.
    pub(crate) fn publish(&self, notice: &CommitNotice) {
        add(&self.counters.commits, 1);
        let mut state = self.state();
        if let Some(plan) = &notice.activated {
            self.plan.send_replace(Some(Arc::clone(plan)));
        }
        for (ConnectionId(number), wake) in state.interests.affected(notice) {
            if let Some(Some(mailbox)) = state.seats.get_mut(number as usize) {
                add(&self.counters.wakes, 1);
                mailbox.wake.merge(wake);
                mailbox.notify.notify_one();
            }
        }
    }

    /// A place for another connection.
    ///
    /// # Errors
    /// There are as many connections as may be, there is nothing to read yet, or the service is stopping.
    pub(crate) fn open(self: &Arc<Self>, client: ClientInfo) -> Result<Seat, ApiError> {
        let mut state = self.state();
        if state.is_closing {
            return Err(shutting_down());
        }
        let readers = state.readers.clone();
        let readers = readers.ok_or_else(|| {
            ApiError::new(ErrorKind::Unavailable, "The service cannot use its storage at the moment. Try again later.")
        })?;
        let plan = self.plan.borrow().clone();
        let plan = plan.ok_or_else(|| ApiError::new(ErrorKind::NoConfig, "No sync configuration is active yet."))?;
        if state.free.is_empty() {
            if state.seats.len() >= self.limit {
                return Err(ApiError::new(
                    ErrorKind::TooManyConnections,
                    format!("The service has {} streams, as many as it may have. Try again later.", self.limit),
                ));
            }
            state.seats.push(None);
            let last = state.seats.len().saturating_sub(1);
            state.free.push(last);
        }
        let number = state.free.pop().unwrap_or_default();
        let notify = Arc::new(Notify::new());
        if let Some(seat) = state.seats.get_mut(number) {
            *seat = Some(Mailbox { wake: Wake::default(), notify: Arc::clone(&notify), client, ask: None });
        }
        state.opened += 1;
        let (opened, generation) = (state.opened, self.generation.subscribe());
        drop(state);
        add(&self.counters.connections_opened, 1);
        // Fewer than the limit, which is a small number.
        let id = ConnectionId(u32::try_from(number).unwrap_or(u32::MAX));
        Ok(Seat { hub: Arc::clone(self), id, notify, generation, opened, readers, plan })
    }

    /// Frees a place.
    pub(super) fn leave(&self, id: ConnectionId) {
        let mut state = self.state();
        state.interests.unregister(id);
        let number = id.0 as usize;
        if let Some(seat) = state.seats.get_mut(number) {
            *seat = None;
            state.free.push(number);
        }
        drop(state);
        self.left.notify_waiters();
        add(&self.counters.connections_closed, 1);
    }

    /// Has all streams end, and refuses new ones.
    pub(crate) fn close(&self) {
        let mut state = self.state();
        state.is_closing = true;
        self.closing.send_replace(true);
        for mailbox in state.seats.iter().flatten() {
            mailbox.notify.notify_one();
        }
    }

    /// Tells when the service begins to stop.
    pub(crate) fn closing(&self) -> watch::Receiver<bool> {
        self.closing.subscribe()
    }

    /// Notes a connection that is there beside its streams, until this is dropped. The service waits for its end.
    pub(crate) fn visit(hub: &Arc<Self>) -> Visit {
        let mut state = hub.state();
        state.visitors = state.visitors.saturating_add(1);
        Visit(Arc::clone(hub))
    }

    /// Waits until nobody is connected.
    pub(crate) async fn is_empty(&self) {
        loop {
            let left = self.left.notified();
            if self.connections() == 0 && self.state().visitors == 0 {
                return;
            }
            left.await;
        }
    }

    /// Who is connected.
    pub(crate) fn clients(&self) -> Vec<Client> {
        let client = |mailbox: &Mailbox| Client { info: mailbox.client.clone(), ask: mailbox.ask.clone() };
        self.state().seats.iter().flatten().map(client).collect()
    }

    /// What connected clients ask for.
    pub(crate) fn asks(&self) -> Vec<Arc<Ask>> {
        self.state().seats.iter().flatten().filter_map(|mailbox| mailbox.ask.clone()).collect()
    }

    /// How many clients are connected.
    pub(crate) fn connections(&self) -> usize {
        let state = self.state();
        state.seats.len().saturating_sub(state.free.len())
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who is connected, and what for.
pub(crate) struct Client {
    pub(crate) info: ClientInfo,
    /// None until it is known.
    pub(crate) ask: Option<Arc<Ask>>,
}

/// A connection that is there beside its streams.
pub(crate) struct Visit(Arc<Hub>);

impl Drop for Visit {
    fn drop(&mut self) {
        let mut state = self.0.state();
        state.visitors = state.visitors.saturating_sub(1);
        drop(state);
        self.0.left.notify_waiters();
    }
}

/// The answer to requests while the service stops.
pub(crate) fn shutting_down() -> ApiError {
    ApiError::new(ErrorKind::Unavailable, "The service is shutting down.")
}
