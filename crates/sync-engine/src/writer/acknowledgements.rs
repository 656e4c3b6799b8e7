//! Write checkpoints: a client learns that its own writes are in what it has downloaded.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::{Writer, WriterError};
use crate::notice::ClientName;
use crate::row::Position;
use crate::store::WriteCheckpoint;

/// Acknowledgements that no checkpoint has shown yet.
#[derive(Debug, Default)]
pub(super) struct Acknowledgements {
    /// Stored, waiting for their position.
    waiting: Vec<WriteCheckpoint>,
    /// Not stored yet.
    requested: Vec<WriteCheckpoint>,
    forget_before: Option<i64>,
}

impl Acknowledgements {
    pub(super) fn new(waiting: Vec<WriteCheckpoint>) -> Self {
        Self { waiting, ..Self::default() }
    }

    pub(super) fn has_requests(&self) -> bool {
        !self.requested.is_empty() || self.forget_before.is_some()
    }

    pub(super) fn requested(&self) -> Vec<WriteCheckpoint> {
        self.requested.clone()
    }

    pub(super) fn forgotten(&self) -> Option<i64> {
        self.forget_before
    }

    /// What was requested is in the store.
    pub(super) fn stored(&mut self) {
        self.waiting.append(&mut self.requested);
        self.forget_before = None;
    }

    pub(super) fn are_due_at(&self, position: &Position) -> bool {
        self.waiting.iter().chain(&self.requested).any(|waiting| waiting.head <= *position)
    }

    /// The position that all wait for.
    pub(super) fn last_head(&self) -> Option<&Position> {
        self.waiting.iter().chain(&self.requested).map(|waiting| &waiting.head).max()
    }

    /// Clients that are acknowledged at the position, each once.
    pub(super) fn passed(&mut self, position: &Position) -> Vec<ClientName> {
        let mut clients = BTreeSet::new();
        self.waiting.retain(|waiting| {
            let is_passed = waiting.head <= *position;
            if is_passed {
                let (user, client) = (Arc::from(&*waiting.user), Arc::from(&*waiting.client));
                clients.insert(ClientName { user, client });
            }
            !is_passed
        });
        clients.into_iter().collect()
    }

    fn newest(&self, user: &str, client: &str) -> Option<i64> {
        let all = self.waiting.iter().chain(&self.requested);
        all.filter(|waiting| waiting.user == user && waiting.client == client).map(|waiting| waiting.id).max()
    }
}

impl Writer {
    /// A client asks to be told when everything up to `head` is in a checkpoint: the source's head, asked for after the
    /// request came. Gives the id that it will be told: `id`, or one that it has asked for before if that is larger, or
    /// without an `id` the next one. Answer the client when [`Writer::flush`] has stored the request.
    ///
    /// # Errors
    /// The store cannot be read. The writer can go on.
    pub fn request_write_checkpoint(
        &mut self,
        user: &str,
        client: &str,
        id: Option<i64>,
        head: Position,
        now: i64,
    ) -> Result<i64, WriterError> {
        let waiting = self.acknowledgements.newest(user, client);
        let passed = match self.readers.latest()? {
            Some(reader) => reader.write_checkpoint(user, client)?,
            None => None,
        };
        let newest = waiting.max(passed);
        let is_counted = id.is_none();
        let id = match id {
            Some(id) if newest.is_none_or(|newest| id > newest) => id,
            Some(_) => {
                // Nothing new; but if the first request still waits, perhaps its mark was lost.
                self.marked = None;
                return Ok(newest.unwrap_or_default());
            }
            None => newest.unwrap_or_default().saturating_add(1),
        };
        // A client that leaves the counting to the service compares ids over a long time, so its count may not begin again:
        // an id that was acknowledged before would acknowledge writes that came later.
        let requested_at = if is_counted { i64::MAX } else { now };
        let (user, client) = (user.to_owned(), client.to_owned());
        self.acknowledgements.requested.push(WriteCheckpoint { user, client, id, head, requested_at });
        Ok(id)
    }

    /// Whether requests are not stored yet, so that a crash would lose them.
    pub fn has_unstored_requests(&self) -> bool {
        !self.acknowledgements.requested.is_empty()
    }

    /// Forgets requests with an id of the client made before this time, with the next flush. The client repeats them.
    pub fn forget_requests_before(&mut self, time: i64) {
        self.acknowledgements.forget_before = Some(time);
    }
}
