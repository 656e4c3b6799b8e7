//! The sync client's state machine: events in, storage requests and instructions out. No SQL and no parsing.
//!
//! [`Engine::handle`] takes one [`Event`] per `powersync_control` call. A call that fails leaves the engine as it was:
//! handlers prepare the new state, and the engine adopts it when the SDK has its answer (see `change`). A call that
//! succeeded and whose transaction is then rolled back is noticed through [`Storage::iteration_state`]: the iteration
//! ends at its next event, and the SDK reconnects with what the database holds. The same way, an iteration notices that
//! another one on the same file has changed something, and loads it before the event is handled (see `others`).
//!
//! docs/reference/sync-client.md#what-a-line-does describes what each line does.
#![cfg_attr(not(test), deny(clippy::arithmetic_side_effects))]

mod attempt;
mod change;
mod completion;
mod diagnostics;
mod event;
mod gate;
mod instruction;
mod iteration;
mod memory;
mod others;
mod phase;
mod progress;
mod request;
mod requested;
mod status;
pub(crate) mod storage;
mod streams;
mod target;
#[cfg(test)]
mod tests;
mod tracked_buckets;

use alloc::boxed::Box;
use alloc::string::String;
use alloc::vec::Vec;

use rowtide_protocol::SyncLine;

use crate::error::{Error, Result};

pub(crate) use event::{
    Answer, CheckpointMode, Event, GateMode, Outcome, StartOptions, StreamKey, Subscribe, TargetChange,
};
pub(crate) use gate::change_target;
pub(crate) use instruction::{Instruction, to_json};
pub(crate) use status::offline_status;

use attempt::{EndedBy, ReceivedLine};
use change::{Change, PhaseChange};
use iteration::{Iteration, NextStep, Transition};
use others::{Others, Uses};

use crate::sync_client::storage::{IterationState, Storage, Timestamp};

/// The sync client of one connection.
#[derive(Debug, Default)]
pub(crate) struct Engine {
    state: State,
}

#[derive(Debug)]
enum State {
    /// No iteration is running.
    Idle {
        /// What the iteration before knew of others on the file.
        others: Option<Others>,
    },
    /// An iteration is running.
    Running(Box<Iteration>),
}

impl Default for State {
    fn default() -> Self {
        Self::Idle { others: None }
    }
}

impl State {
    /// The iteration. Fails if none is running, in the words that SDKs look for.
    fn require_iteration(&mut self) -> Result<&mut Iteration> {
        match self {
            Self::Idle { .. } => Err(Error::state("No iteration is active")),
            Self::Running(iteration) => Ok(iteration),
        }
    }

    /// What is known of others on the file, now or from the iteration before.
    const fn others(&self) -> Option<Others> {
        match self {
            Self::Idle { others } => *others,
            Self::Running(iteration) => Some(iteration.others),
        }
    }
}

/// An event that the iteration handles.
enum Input<'l> {
    /// See [`Event::Line`].
    Line {
        line: SyncLine<'l>,
        size: usize,
    },
    ConnectionEstablished,
    UploadCompleted,
    StreamsInUse(Vec<StreamKey>),
}

impl<'l> Input<'l> {
    /// What of memory it is handled with.
    fn uses(&self) -> Uses {
        match self {
            Self::Line { line, .. } => Uses::of(line),
            Self::UploadCompleted => Uses::WaitingCheckpoint,
            Self::ConnectionEstablished | Self::StreamsInUse(_) => Uses::Nothing,
        }
    }

    fn handle(self, iteration: &Iteration, storage: &mut dyn Storage) -> Result<Transition<'l>> {
        match self {
            Self::Line { line, size } => {
                // For each change on the service, this would cost too much.
                let is_frequent = matches!(line, SyncLine::Data(_) | SyncLine::CheckpointDiff(_));
                let at = if is_frequent { None } else { Some(storage.now()?) };
                let mut transition = iteration.line(line, size, storage)?;
                transition.change.line = Some(ReceivedLine { size, at });
                Ok(transition)
            }
            Self::ConnectionEstablished => iteration.connection_established(),
            Self::UploadCompleted => iteration.upload_completed(storage),
            Self::StreamsInUse(streams) => iteration.streams_in_use(streams, storage),
        }
    }
}

impl Engine {
    /// The running iteration.
    #[cfg(test)]
    fn iteration(&self) -> Option<&Iteration> {
        match &self.state {
            State::Idle { .. } => None,
            State::Running(iteration) => Some(iteration),
        }
    }

    /// Whether an iteration is running.
    pub(crate) const fn has_iteration(&self) -> bool {
        matches!(self.state, State::Running(_))
    }

    /// Fails if no iteration is running.
    pub(crate) fn require_iteration(&mut self) -> Result<()> {
        self.state.require_iteration().map(|_| ())
    }

    /// Remembers that a call failed, for [`Self::describe`] and the end of the iteration.
    pub(crate) fn note_failure(&mut self, error: &Error, at: Option<Timestamp>) {
        if let State::Running(iteration) = &mut self.state {
            iteration.attempt.note_failure(error, at);
        }
    }

    /// The running iteration as JSON (docs/reference/functions.md#powersync_diagnose); None if none is running.
    ///
    /// # Errors
    /// Out of memory.
    pub(crate) fn describe(&self) -> Result<Option<String>> {
        match &self.state {
            State::Idle { .. } => Ok(None),
            State::Running(iteration) => iteration.describe().map(Some),
        }
    }

    /// Handles one event. The outcome is given to `answer`, whose failure makes the call fail, before anything of memory
    /// changes; after that the call succeeds.
    ///
    /// # Errors
    /// A call in the wrong state; a line that does not fit to those before it; what `storage` and `answer` report.
    pub(crate) fn handle(
        &mut self,
        event: Event<'_>,
        storage: &mut dyn Storage,
        answer: &mut Answer<'_>,
    ) -> Result<Outcome> {
        match event {
            Event::Start(options) => {
                if let State::Running(iteration) = &mut self.state {
                    iteration.record_end(EndedBy::Stop, &Change::default(), storage)?;
                }
                let (iteration, instructions) = Iteration::start(options, self.state.others(), storage)?;
                let outcome = Outcome::Instructions(instructions);
                answer(&outcome)?;
                storage.adopt_iteration();
                self.state = State::Running(iteration);
                Ok(outcome)
            }
            Event::Stop if !self.has_iteration() => answered(Outcome::Instructions(Vec::new()), answer),
            Event::Stop => self.end(EndedBy::Stop, NextStep::Close { hide_disconnect: false }, storage, answer),
            Event::ConnectionEnded => {
                self.end(EndedBy::Service, NextStep::Close { hide_disconnect: false }, storage, answer)
            }
            Event::TokenRefreshed => {
                self.end(EndedBy::Instruction, NextStep::Close { hide_disconnect: true }, storage, answer)
            }
            Event::Line { line, size } => self.react(Input::Line { line, size }, storage, answer),
            Event::ConnectionEstablished => self.react(Input::ConnectionEstablished, storage, answer),
            Event::UploadCompleted => self.react(Input::UploadCompleted, storage, answer),
            Event::StreamsInUse(streams) => self.react(Input::StreamsInUse(streams), storage, answer),
            Event::Subscribe(command) => {
                self.observe(storage)?;
                streams::subscribe(&command, storage)?;
                self.subscriptions_changed(storage, answer)
            }
            Event::Unsubscribe(stream) => {
                self.observe(storage)?;
                match streams::unsubscribe(&stream, storage)? {
                    true => self.subscriptions_changed(storage, answer),
                    false => answered(Outcome::Nothing, answer),
                }
            }
            Event::SeedRequestId(id) => {
                self.require_iteration()?;
                answered(Outcome::RequestId(Some(gate::seed_request_id(id, storage)?)), answer)
            }
            Event::NextRequestId => {
                self.require_iteration()?;
                answered(Outcome::RequestId(Some(gate::next_request_id(storage)?)), answer)
            }
            Event::CurrentRequestId => answered(Outcome::RequestId(gate::current_request_id(storage)?), answer),
            Event::TargetRequestId(change) => {
                answered(Outcome::RequestId(gate::change_target(change, storage)?), answer)
            }
        }
    }

    /// Lets the iteration handle an event, if stored data are still what it made of them.
    fn react(&mut self, input: Input<'_>, storage: &mut dyn Storage, answer: &mut Answer<'_>) -> Result<Outcome> {
        let iteration = self.state.require_iteration()?;
        let transition = match storage.iteration_state()? {
            // Whoever ended it may have to end for what it does next: the SDK waits before it reconnects.
            IterationState::Ended { for_other } => Transition::only(NextStep::Close { hide_disconnect: !for_other })
                .changing(iteration.as_stored(storage)?),
            state => {
                let next = iteration.follow(state, input.uses(), storage)?;
                let mut transition = input.handle(iteration, storage)?;
                if transition.next == NextStep::Continue {
                    transition.next = next;
                }
                transition
            }
        };
        self.conclude(transition, EndedBy::Instruction, storage, answer)
    }

    /// Lets the iteration, if there is one, follow what others changed, before something else is changed.
    fn observe(&mut self, storage: &mut dyn Storage) -> Result<()> {
        let State::Running(iteration) = &mut self.state else { return Ok(()) };
        let state = storage.iteration_state()?;
        iteration.follow(state, Uses::Nothing, storage).map(|_| ())
    }

    /// Ends the iteration because the SDK says so; `next` is a way to close it.
    fn end(
        &mut self,
        by: EndedBy,
        next: NextStep,
        storage: &mut dyn Storage,
        answer: &mut Answer<'_>,
    ) -> Result<Outcome> {
        debug_assert!(matches!(next, NextStep::Close { .. }), "the iteration does not end");
        let iteration = self.state.require_iteration()?;
        let looked_up = storage.iteration_state().and_then(|state| match state {
            IterationState::Ended { .. } => iteration.as_stored(storage),
            state => iteration.follow(state, Uses::Nothing, storage).map(|_| Change::default()),
        });
        let change = match looked_up {
            Ok(change) => change,
            // Where SQLite may have rolled the transaction back, success would end in a COMMIT that fails and does not
            // say why.
            Err(error) if error.may_end_transaction() => return Err(error),
            // Ending works whatever else the database holds; at worst the last status is not quite right then.
            Err(_) => Change::default(),
        };
        self.conclude(Transition::only(next).changing(change), by, storage, answer)
    }

    /// Puts instructions in their order and gives them to the SDK; then changes memory, or ends the iteration, which is
    /// ended `by` that.
    fn conclude(
        &mut self,
        transition: Transition<'_>,
        by: EndedBy,
        storage: &mut dyn Storage,
        answer: &mut Answer<'_>,
    ) -> Result<Outcome> {
        let iteration = self.state.require_iteration()?;
        let Transition { mut instructions, diagnostics, mut change, next } = transition;
        match next {
            NextStep::Continue => {}
            NextStep::Report => iteration.report(&mut change, &mut instructions)?,
            NextStep::Close { .. } => iteration.report_end(&change, &mut instructions)?,
        }
        instructions.try_reserve(diagnostics.len().saturating_add(1))?;
        instructions.extend(diagnostics);
        let ends = match next {
            NextStep::Close { hide_disconnect } => {
                instructions.push(Instruction::CloseSyncStream { hide_disconnect });
                true
            }
            NextStep::Continue | NextStep::Report => false,
        };
        let outcome = Outcome::Instructions(instructions);
        if ends {
            iteration.record_end(by, &change, storage)?;
            answer(&outcome)?;
            self.state = State::Idle { others: Some(iteration.others) };
        } else {
            iteration.reserve(&change)?;
            let (line, completes) = (change.line, matches!(change.phase, Some(PhaseChange::Publish(_))));
            answer_and_apply(iteration, change, &outcome, storage, answer)?;
            iteration.attempt.note_success(line, completes);
        }
        Ok(outcome)
    }

    /// The app has changed its subscriptions.
    fn subscriptions_changed(&mut self, storage: &mut dyn Storage, answer: &mut Answer<'_>) -> Result<Outcome> {
        match &mut self.state {
            State::Running(iteration) => {
                let change = iteration.subscriptions_changed(storage)?;
                answer_and_apply(iteration, change, &Outcome::Nothing, storage, answer)?;
                Ok(Outcome::Nothing)
            }
            State::Idle { .. } => answered(Outcome::Nothing, answer),
        }
    }
}

/// Gives the outcome to the SDK, and then makes a change for which there is room.
fn answer_and_apply(
    iteration: &mut Iteration,
    change: Change<'_>,
    outcome: &Outcome,
    storage: &mut dyn Storage,
    answer: &mut Answer<'_>,
) -> Result<()> {
    let is_noted = change.depends_on_transaction();
    if is_noted {
        storage.prepare_to_note_change()?;
    }
    answer(outcome)?;
    if is_noted {
        storage.track_change();
    }
    iteration.apply(change);
    Ok(())
}

/// Gives the outcome of a call to the SDK that changes nothing in memory.
fn answered(outcome: Outcome, answer: &mut Answer<'_>) -> Result<Outcome> {
    answer(&outcome)?;
    Ok(outcome)
}
