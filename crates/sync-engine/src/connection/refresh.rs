//! From one checkpoint to the next: what has changed for the client, read with as little work as the wakes permit.

use std::collections::HashMap;
use std::sync::Arc;

use super::evaluation::evaluate;
use super::held::{Buckets, Replaced};
use super::send::Target;
use super::{Action, Connection, EndReason, Open, Sending, State};
use crate::notice::{ClientName, Wake};
use crate::request::ClientBucket;
use crate::store::{Checkpoint, OpId, Reader, Readers};

impl Connection {
    /// Ends the stream at an activation if it is to. One of the same plan says that not all changes are known.
    pub(super) fn take_plan(&mut self) -> Result<(), EndReason> {
        match &self.pending.plan {
            Some(plan) if Arc::ptr_eq(plan, &self.plan) => {
                self.pending.plan = None;
                self.pending.merge(Wake { everything: true, ..Wake::default() });
            }
            Some(_) if self.options.ends_at_activation => return Err(EndReason::ConfigurationChanged),
            _ => {}
        }
        Ok(())
    }

    /// The first checkpoint; none if the store has none.
    pub(super) fn begin(
        &mut self,
        positions: &[ClientBucket],
        readers: &dyn Readers,
    ) -> Result<Option<Action>, EndReason> {
        let Some(reader) = readers.latest().map_err(EndReason::Store)? else { return Ok(None) };
        if let Some(plan) = std::mem::take(&mut self.pending).plan {
            self.plan = plan;
        }
        let evaluated = evaluate(&self.plan, &self.ask, &*reader, &self.options.limits)?;
        let checkpoint = reader.checkpoint().clone();
        let mut open = Open {
            write_checkpoint: write_checkpoint(&*reader, &self.client)?,
            buckets: Buckets::default(),
            streams: evaluated.streams,
            lookups: evaluated.lookups,
            sending: Sending::Idle { next_at: 0 },
            checkpoint,
        };
        open.buckets.replace(evaluated.buckets);
        open.read(&*reader, &(0..open.buckets.len()).collect::<Vec<_>>())?;
        let positions: HashMap<&str, OpId> = positions.iter().map(|bucket| (&*bucket.name, bucket.after)).collect();
        let mut restarted = Vec::new();
        for (number, held) in open.buckets.iter_mut().enumerate() {
            let name = held.name(&self.plan);
            let position = positions.get(format!("{}{}", name.prefix, name.key).as_str()).copied().unwrap_or_default();
            if position > open.checkpoint.op_id {
                restarted.push(number);
            } else {
                held.position = position;
            }
        }
        let queue = open.buckets.to_fetch(&self.plan);
        open.sending = Sending::Checkpoint(Target::new(reader, queue, restarted.clone()));
        self.state = State::Open(Box::new(open));
        self.uses_changed = true;
        Ok(Some(Action::Checkpoint { without: restarted }))
    }

    /// The next checkpoint; none if it is the same for this client.
    pub(super) fn refresh(
        &mut self,
        readers: &dyn Readers,
        routed: Option<&Checkpoint>,
    ) -> Result<Option<Action>, EndReason> {
        let State::Open(open) = &mut self.state else { return Ok(None) };
        let Some(reader) = readers.latest().map_err(EndReason::Store)? else { return Ok(None) };
        let Wake { buckets: woken, lookups, everything, plan, .. } = std::mem::take(&mut self.pending);
        let is_switched = plan.is_some();
        if let Some(plan) = plan {
            self.plan = plan;
        }
        // Commits after the last notice are in the reader too, and nothing is known of them. Nor do notices name what
        // only a plan uses that is not active any more: this connection may have missed a plan between two others.
        let is_partial = !everything
            && !is_switched
            && routed == Some(reader.checkpoint())
            && self.plan.config == reader.checkpoint().config;
        let mut replaced = Replaced::default();
        let mut has_other_streams = false;
        if is_switched || lookups || (!is_partial && !open.lookups.is_empty()) {
            let evaluated = evaluate(&self.plan, &self.ask, &*reader, &self.options.limits)?;
            has_other_streams = evaluated.streams != open.streams;
            open.streams = evaluated.streams;
            replaced = open.buckets.replace(evaluated.buckets);
            self.uses_changed |=
                !replaced.new.is_empty() || !replaced.removed.is_empty() || evaluated.lookups != open.lookups;
            open.lookups = evaluated.lookups;
        }
        let mut updated = if is_partial {
            let woken = woken.iter().filter_map(|(definition, key)| open.buckets.find(*definition, key));
            let mut numbers: Vec<usize> = woken.chain(replaced.new.iter().copied()).collect();
            numbers.sort_unstable();
            numbers.dedup();
            open.read(&*reader, &numbers)?
        } else {
            open.read(&*reader, &(0..open.buckets.len()).collect::<Vec<_>>())?
        };
        updated.extend(replaced.new);
        updated.extend(replaced.changed);
        updated.sort_unstable();
        updated.dedup();
        // What was acknowledged once stays acknowledged, also when the store has forgotten the request.
        let write_checkpoint = write_checkpoint(&*reader, &self.client)?.max(open.write_checkpoint);
        let is_acknowledged = write_checkpoint != open.write_checkpoint;
        open.write_checkpoint = write_checkpoint;
        open.checkpoint = reader.checkpoint().clone();
        let is_full = is_switched || has_other_streams;
        if !is_full && !is_acknowledged && updated.is_empty() && replaced.removed.is_empty() {
            return Ok(None);
        }
        let queue = open.buckets.to_fetch(&self.plan);
        open.sending = Sending::Checkpoint(Target::new(reader, queue, Vec::new()));
        Ok(Some(if is_full {
            Action::Checkpoint { without: Vec::new() }
        } else {
            Action::Diff { removed: replaced.removed, updated }
        }))
    }
}

impl Open {
    /// Reads the states of these buckets. Returns the numbers of those that have changed.
    fn read(&mut self, reader: &dyn Reader, numbers: &[usize]) -> Result<Vec<usize>, EndReason> {
        let held = numbers.iter().filter_map(|number| self.buckets.get(*number));
        let keys: Vec<_> = held.map(|held| (held.definition, held.key.clone())).collect();
        if keys.is_empty() {
            return Ok(Vec::new());
        }
        let states = reader.buckets(&keys).map_err(EndReason::Store)?;
        debug_assert_eq!(states.len(), keys.len(), "one state for each bucket");
        Ok(self.buckets.update(numbers, &states))
    }
}

fn write_checkpoint(reader: &dyn Reader, client: &ClientName) -> Result<Option<i64>, EndReason> {
    reader.write_checkpoint(&client.user, &client.client).map_err(EndReason::Store)
}
