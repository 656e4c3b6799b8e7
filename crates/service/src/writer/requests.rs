//! Requests for checkpoints: what they wait for, and when they are answered.

use sync_engine::row::Position;
use sync_engine::store::{Checkpoint, OpId};
use sync_engine::writer::{Writer, WriterError};

use super::{Acknowledge, Reply};
use crate::clock;

/// What is answered while the source cannot be reached.
pub(super) const NO_SOURCE: &str = "The source database cannot be reached. Try again later.";
/// What is answered while the storage cannot be written.
pub(super) const NO_STORAGE: &str = "The service cannot write to its storage. Try again later.";

/// The client that requests without an id are stored for. No app can have it, as it is no text that JSON or a URL gives
/// easily, and whoever uses it disturbs only their own requests.
const NOBODY: &str = "\u{1}write-checkpoint.json";

/// Requests that came while nothing was done about them.
#[derive(Default)]
pub(super) struct Asked {
    pub(super) acknowledge: Vec<Acknowledge>,
    /// By user.
    pub(super) reach: Vec<(String, Reply<OpId>)>,
}

/// Requests that wait.
#[derive(Default)]
pub(super) struct Unanswered {
    /// For their ids to be stored.
    stored: Vec<(Reply<i64>, i64)>,
    /// For a checkpoint at a position.
    reached: Vec<(Reply<OpId>, Position)>,
}

impl Asked {
    pub(super) fn is_empty(&self) -> bool {
        self.acknowledge.is_empty() && self.reach.is_empty()
    }

    /// Refuses all.
    pub(super) fn refuse(self, message: &str) {
        self.acknowledge.into_iter().for_each(|request| drop(request.reply.send(Err(message.to_owned()))));
        self.reach.into_iter().for_each(|(_, reply)| drop(reply.send(Err(message.to_owned()))));
    }

    /// Hands the requests to the writer, with a head of the source that was read after they came.
    pub(super) fn give(self, writer: &mut Writer, head: &Position, unanswered: &mut Unanswered) {
        let now = clock::now();
        let failed = |error: WriterError| {
            tracing::error!(%error, "reading write checkpoints");
            Err(NO_STORAGE.to_owned())
        };
        for Acknowledge { user, client, id, reply } in self.acknowledge {
            match writer.request_write_checkpoint(&user, &client, id, head.clone(), now) {
                Ok(id) => unanswered.stored.push((reply, id)),
                Err(error) => drop(reply.send(failed(error).map(|()| 0))),
            }
        }
        for (user, reply) in self.reach {
            // Times are larger than all ids before.
            match writer.request_write_checkpoint(&user, NOBODY, Some(now), head.clone(), now) {
                Ok(_) => unanswered.reached.push((reply, head.clone())),
                Err(error) => drop(reply.send(failed(error).map(|()| 0))),
            }
        }
    }
}

impl Unanswered {
    /// Whether somebody waits for something to be stored.
    pub(super) fn is_urgent(&self) -> bool {
        !self.stored.is_empty()
    }

    /// All ids are stored.
    pub(super) fn answer_stored(&mut self) {
        self.stored.drain(..).for_each(|(reply, id)| drop(reply.send(Ok(id))));
    }

    /// There is this checkpoint.
    pub(super) fn answer_reached(&mut self, checkpoint: &Checkpoint) {
        let waiting = std::mem::take(&mut self.reached);
        for (reply, position) in waiting {
            if position <= checkpoint.position {
                let _ = reply.send(Ok(checkpoint.op_id));
            } else if !reply.is_closed() {
                self.reached.push((reply, position));
            }
        }
    }

    /// Refuses all.
    pub(super) fn refuse(self, message: &str) {
        self.stored.into_iter().for_each(|(reply, _)| drop(reply.send(Err(message.to_owned()))));
        self.reached.into_iter().for_each(|(reply, _)| drop(reply.send(Err(message.to_owned()))));
    }
}
