//! From decisions to lines that borrow from the connection, and what a connection uses.

use std::sync::Arc;

use super::send::Target;
use super::{Action, Connection, Open, Sending, State, Step};
use crate::interests::Interested;
use crate::lines::Line;
use crate::live::{DefinitionId, IndexId, LivePlan};
use crate::notice::ClientName;
use crate::store::Checkpoint;

impl Connection {
    /// The step of a decision.
    pub(super) fn step(&self, action: Action) -> Step<'_> {
        match (action, &self.state) {
            (Action::End(reason), _) => Step::End(reason),
            (Action::Wait(until), _) => Step::Wait { until },
            (Action::TokenExpiresIn(seconds), _) => Step::Line(Line::TokenExpiresIn(seconds)),
            (action, State::Open(open)) => self.line(action, open),
            (action, _) => {
                debug_assert!(false, "without a checkpoint there is no {action:?}");
                Step::Wait { until: self.clock.next() }
            }
        }
    }

    fn line<'a>(&'a self, action: Action, open: &'a Open) -> Step<'a> {
        let plan = &*self.plan;
        let last_op_id = open.target().map_or(open.checkpoint.op_id, Target::op_id);
        let write_checkpoint = open.write_checkpoint;
        Step::Line(match action {
            Action::Checkpoint { without } => {
                let numbers = (0..open.buckets.len()).filter(|number| without.binary_search(number).is_err());
                let buckets = open.buckets.summaries(numbers, plan);
                Line::Checkpoint { last_op_id, write_checkpoint, buckets, streams: &open.streams }
            }
            Action::Diff { removed, updated } => Line::CheckpointDiff {
                last_op_id,
                write_checkpoint,
                removed_buckets: removed.iter().map(|held| held.name(plan)).collect(),
                updated_buckets: open.buckets.summaries(updated.into_iter(), plan),
            },
            Action::Data { bucket, after, has_more, operations, next_after } => {
                let Some(bucket) = open.buckets.get(bucket).map(|held| held.name(plan)) else {
                    debug_assert!(false, "data are of a bucket");
                    return Step::Wait { until: self.clock.next() };
                };
                Line::Data { bucket, after, has_more, operations, next_after }
            }
            Action::Complete(last_op_id) => Line::CheckpointComplete { last_op_id },
            Action::Partial(last_op_id, priority) => Line::PartialCheckpointComplete { last_op_id, priority },
            Action::TokenExpiresIn(seconds) => Line::TokenExpiresIn(seconds),
            Action::Wait(until) => return Step::Wait { until },
            Action::End(reason) => return Step::End(reason),
        })
    }
}

impl Open {
    fn target(&self) -> Option<&Target> {
        match &self.sending {
            Sending::Checkpoint(target) => Some(target),
            Sending::Idle { .. } => None,
        }
    }
}

impl Interested for Connection {
    fn client(&self) -> &ClientName {
        &self.client
    }

    fn visit_buckets(&mut self, note: &mut dyn FnMut(DefinitionId, &mut Arc<str>)) {
        if let State::Open(open) = &mut self.state {
            open.buckets.iter_mut().for_each(|held| note(held.definition, &mut held.key));
        }
    }

    fn visit_lookups(&mut self, note: &mut dyn FnMut(IndexId, &mut Arc<str>)) {
        if let State::Open(open) = &mut self.state {
            open.lookups.iter_mut().for_each(|(index, key)| note(*index, key));
        }
    }

    fn checkpoint(&self) -> Option<&Checkpoint> {
        match &self.state {
            State::Open(open) => Some(&open.checkpoint),
            _ => None,
        }
    }

    fn plan(&self) -> &Arc<LivePlan> {
        &self.plan
    }
}
