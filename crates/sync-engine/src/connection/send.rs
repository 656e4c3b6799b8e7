//! The data of a checkpoint: by priority, a page of a bucket in each line.

use std::fmt;

use super::{Action, Connection, EndReason, Sending, State};
use crate::store::{OpId, PageLimit, Reader};

/// What one line holds at most. A single larger operation is a line, too.
const LINE: PageLimit = PageLimit { operations: 1000, bytes: 1 << 20 };

/// After this many operations a newer checkpoint interrupts.
const UNINTERRUPTED: usize = 1000;

/// A checkpoint that is being sent.
pub(super) struct Target {
    op_id: OpId,
    reader: Box<dyn Reader>,
    /// Buckets with something to fetch; the next one is the last.
    queue: Vec<u32>,
    /// Buckets that the line of the checkpoint has left out, so that the client drops them.
    restarted: Vec<usize>,
    /// The priority that has just been completed, unless it was the last one.
    completed: Option<u8>,
    /// Operations sent so far.
    sent: usize,
}

impl fmt::Debug for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Target").field("op_id", &self.op_id).field("queue", &self.queue).finish_non_exhaustive()
    }
}

impl Target {
    pub(super) fn new(reader: Box<dyn Reader>, queue: Vec<u32>, restarted: Vec<usize>) -> Self {
        Self { op_id: reader.checkpoint().op_id, reader, queue, restarted, completed: None, sent: 0 }
    }

    pub(super) fn op_id(&self) -> OpId {
        self.op_id
    }

    pub(super) fn may_be_interrupted(&self) -> bool {
        self.sent >= UNINTERRUPTED
    }
}

impl Connection {
    /// The next line of the checkpoint that is being sent, or how long there is nothing to do.
    pub(super) fn send(&mut self, now: i64) -> Result<Action, EndReason> {
        let State::Open(open) = &mut self.state else {
            debug_assert!(false, "sending begins with a checkpoint");
            return Ok(Action::Wait(self.clock.next()));
        };
        loop {
            let target = match &mut open.sending {
                Sending::Checkpoint(target) => target,
                Sending::Idle { next_at } => {
                    let clock = self.clock.next();
                    let waits = !self.pending.is_empty() && *next_at > now;
                    return Ok(Action::Wait(if waits { clock.min(*next_at) } else { clock }));
                }
            };
            if !target.restarted.is_empty() {
                return Ok(Action::Diff { removed: Vec::new(), updated: std::mem::take(&mut target.restarted) });
            }
            if let Some(priority) = target.completed.take() {
                return Ok(Action::Partial(target.op_id, priority));
            }
            let Some(number) = target.queue.last().map(|number| *number as usize) else {
                let op_id = target.op_id;
                open.sending = Sending::Idle { next_at: now.saturating_add(self.options.pause) };
                return Ok(Action::Complete(op_id));
            };
            let Some((held, id)) = open.buckets.get_mut(number).and_then(|held| held.id.map(|id| (held, id))) else {
                debug_assert!(false, "only buckets that exist are queued");
                target.queue.pop();
                continue;
            };
            let page = target.reader.operations(id, held.position, LINE).map_err(EndReason::Store)?;
            let after = held.position;
            let next_after = page.operations.last().map_or(held.last_op, |operation| operation.op_id);
            let has_more = page.has_more && !page.operations.is_empty() && next_after < held.last_op;
            held.position = if has_more { next_after } else { held.last_op };
            if !has_more {
                let priority = held.priority;
                target.queue.pop();
                let next = target.queue.last().and_then(|next| open.buckets.get(*next as usize));
                target.completed = next.is_some_and(|next| next.priority > priority).then_some(priority);
            }
            if page.operations.is_empty() {
                continue;
            }
            target.sent += page.operations.len();
            let operations = page.operations;
            return Ok(Action::Data { bucket: number, after, has_more, operations, next_after });
        }
    }
}
