//! The sync client's state machine: events in, storage requests and instructions out. No SQL and no parsing.
//!
//! [`Engine::handle`] takes one [`Event`] per `powersync_control` call. A call that fails leaves the engine as it was:
//! handlers do everything that can fail before they change anything of their own (see `iteration`). A call that
//! succeeded and whose transaction is rolled back is noticed through [`Storage::iteration_is_current`]: the iteration
//! ends at its next event, and the SDK reconnects with what the database holds.
//!
//! Where the specification is silent: the status that `start` emits lists subscriptions as they are after expired ones
//! were removed. Data for a bucket outside the checkpoint are stored and not published; a later change of the checkpoint
//! may add the bucket. A bucket listed twice counts as listed last. A new checkpoint without a `count` for a bucket
//! contributes nothing to the progress.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

mod completion;
mod diagnostics;
mod event;
mod gate;
mod instruction;
mod iteration;
mod memory;
mod progress;
mod request;
mod requested;
mod slots;
mod status;
mod streams;
mod target;
#[cfg(test)]
mod tests;

use alloc::vec::Vec;

pub use event::{CheckpointMode, Event, Outcome, StartOptions, StreamKey, Subscribe, TargetChange};
pub use instruction::{
    BucketChange, BucketProgress, CheckpointRequest, Diagnostics, Instruction, Severity, ValueType, to_json,
};
pub use status::offline_status;

use crate::error::{Error, Result};
use crate::storage::Storage;
use iteration::{Iteration, Next, Reaction};

/// The sync client of one connection.
#[derive(Debug, Default)]
pub struct Engine {
    iteration: Option<Iteration>,
}

impl Engine {
    /// A client without an iteration.
    pub const fn new() -> Self {
        Self { iteration: None }
    }

    /// Whether an iteration is running.
    pub const fn has_iteration(&self) -> bool {
        self.iteration.is_some()
    }

    /// Fails if no iteration is running, in the words that SDKs look for.
    pub fn require_iteration(&self) -> Result<()> {
        self.iteration.as_ref().map(|_| ()).ok_or_else(no_iteration)
    }

    /// Handles one event.
    ///
    /// # Errors
    /// A call in the wrong state; a line that does not fit to those before it; what `storage` reports.
    pub fn handle(&mut self, event: Event<'_>, storage: &mut dyn Storage) -> Result<Outcome> {
        match event {
            Event::Start(options) => {
                let (iteration, instructions) = Iteration::start(options, storage)?;
                self.iteration = Some(iteration);
                Ok(Outcome::Instructions(instructions))
            }
            Event::Stop if self.iteration.is_none() => Ok(Outcome::Instructions(Vec::new())),
            Event::Stop | Event::ConnectionEnded => self.end(false, storage),
            Event::TokenRefreshed => self.end(true, storage),
            Event::Line { line, size } => self.react(storage, |iteration, storage| iteration.line(line, size, storage)),
            Event::ConnectionEstablished => self.react(storage, Iteration::connection_established),
            Event::UploadCompleted => self.react(storage, Iteration::upload_completed),
            Event::StreamsInUse(streams) => {
                self.react(storage, |iteration, storage| iteration.streams_in_use(streams, storage))
            }
            Event::Subscribe(command) => {
                streams::subscribe(&command, storage)?;
                self.adopt_subscriptions(storage)?;
                Ok(Outcome::Nothing)
            }
            Event::Unsubscribe(stream) => {
                if streams::unsubscribe(&stream, storage)? {
                    self.adopt_subscriptions(storage)?;
                }
                Ok(Outcome::Nothing)
            }
            Event::SeedRequestId(id) => {
                self.require_iteration()?;
                Ok(Outcome::RequestId(Some(gate::seed_request_id(id, storage)?)))
            }
            Event::NextRequestId => {
                self.require_iteration()?;
                Ok(Outcome::RequestId(Some(gate::next_request_id(storage)?)))
            }
            Event::CurrentRequestId => Ok(Outcome::RequestId(gate::current_request_id(storage)?)),
            Event::TargetRequestId(change) => Ok(Outcome::RequestId(gate::change_target(change, storage)?)),
        }
    }

    /// Lets the iteration handle an event, if stored data are still what it made of them.
    fn react(
        &mut self,
        storage: &mut dyn Storage,
        handler: impl FnOnce(&mut Iteration, &mut dyn Storage) -> Result<Reaction>,
    ) -> Result<Outcome> {
        let iteration = self.iteration.as_mut().ok_or_else(no_iteration)?;
        let reaction = if storage.iteration_is_current()? {
            handler(iteration, storage)?
        } else {
            iteration.forget_unstored(storage)?;
            Reaction::only(Next::Close { hide_disconnect: true })
        };
        self.conclude(reaction)
    }

    /// Ends the iteration because the SDK says so.
    fn end(&mut self, hide_disconnect: bool, storage: &mut dyn Storage) -> Result<Outcome> {
        let iteration = self.iteration.as_mut().ok_or_else(no_iteration)?;
        let is_current = storage.iteration_is_current();
        let looked_up = is_current.and_then(|is_current| match is_current {
            true => Ok(()),
            false => iteration.forget_unstored(storage),
        });
        // Ending works whatever the database holds; at worst the last status is not quite right then. But where SQLite
        // may have rolled the transaction back, success would end in a COMMIT that fails and does not say why.
        if let Err(error) = looked_up
            && error.may_end_transaction()
        {
            return Err(error);
        }
        self.conclude(Reaction::only(Next::Close { hide_disconnect }))
    }

    /// Puts instructions in their order, and ends the iteration if it has to end.
    fn conclude(&mut self, reaction: Reaction) -> Result<Outcome> {
        let iteration = self.iteration.as_mut().ok_or_else(no_iteration)?;
        let Reaction { mut instructions, diagnostics, next } = reaction;
        match next {
            Next::Continue => {}
            Next::Report => iteration.report(&mut instructions)?,
            Next::Close { .. } => iteration.report_end(&mut instructions)?,
        }
        instructions.extend(diagnostics);
        if let Next::Close { hide_disconnect } = next {
            instructions.push(Instruction::CloseSyncStream { hide_disconnect });
            self.iteration = None;
        }
        Ok(Outcome::Instructions(instructions))
    }

    fn adopt_subscriptions(&mut self, storage: &mut dyn Storage) -> Result<()> {
        match &mut self.iteration {
            Some(iteration) => iteration.adopt_subscriptions(storage),
            None => Ok(()),
        }
    }
}

fn no_iteration() -> Error {
    Error::state("No iteration is active")
}
