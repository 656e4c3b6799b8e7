//! One state machine for each client: a request and commits in, lines of the sync stream out.
//!
//! Whoever runs connections
//! 1. calls [`Connection::next`] and writes the line, or waits until the time given or until a wake;
//! 2. gives it what [`Interests::affected`](crate::interests::Interests::affected) finds for it ([`Connection::wake`]); the
//!    plan of a wake may be given some seconds later, so that not all clients switch at once;
//! 3. registers it with [`Interests::register`](crate::interests::Interests::register) before its first line and whenever
//!    [`Connection::take_interest_change`] says that what it uses has changed.
//!
//! Nothing happens between calls: a client that reads slowly is asked for fewer lines, and a commit that changes nothing
//! of a client costs it nothing.
//!
//! # Order of lines
//! Each checkpoint begins with its `checkpoint` or `checkpoint_diff` line. Data follow by priority, buckets by name, and
//! operations by id. After each priority that had data and is not the last one comes `partial_checkpoint_complete`, and at
//! the end `checkpoint_complete`. After 1,000 operations, a newer checkpoint that affects the client interrupts the data
//! at the end of a line: its `checkpoint_diff` comes next, and what was not sent yet continues where it stopped.
//!
//! # Positions that the storage does not know
//! A client can have positions above the last operation, after the storage was restored from a backup. It then holds
//! operations that the storage has lost, and other ones will get their ids. The first line leaves such buckets out, so that
//! the client drops them, and a `checkpoint_diff` adds them right after it, from the beginning. Both come before any
//! complete line, so the client shows its rows until the new ones are there. Waiting for the client to find a wrong
//! checksum would not do: a client can hold back its judgement while it has operations above those of the checkpoint.

mod clock;
mod evaluation;
mod held;
mod refresh;
mod send;
mod step;

pub(crate) use evaluation::Lookups;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use sync_config::{Limits, Request, Subscription};

use self::clock::Clock;
use self::held::{Buckets, Held};
use self::send::Target;
use crate::lines::{Line, StreamSummary};
use crate::live::{IndexId, LivePlan};
use crate::notice::{ClientName, CommitNotice, Wake};
use crate::request::{ClientBucket, StreamRequest, StreamSelection};
use crate::store::{Checkpoint, OpId, Operation, Readers, StoreError};

/// Who asks.
#[derive(Clone, Debug)]
pub struct User {
    /// The claim `sub` of the token.
    pub id: Arc<str>,
    /// All claims, as the JSON text of an object.
    pub claims: Box<str>,
    /// When the token expires, in µs since 1970.
    pub expires_at: i64,
}

/// How a connection behaves.
#[derive(Clone, Debug)]
pub struct ConnectionOptions {
    /// How much a request may use.
    pub limits: Limits,
    /// Whether the stream ends when another configuration becomes active, instead of going on under it.
    pub ends_at_activation: bool,
    /// Time between keep-alive lines in µs, ± 10 %; none for transports with their own. Those about the expiry come in any
    /// case.
    pub keep_alive: Option<i64>,
    /// Where the random part of the time between keep-alive lines begins: another one for each connection.
    pub seed: u64,
    /// Time from the end of a checkpoint to the next one, in µs, which makes one checkpoint of close commits.
    pub pause: i64,
}

impl Default for ConnectionOptions {
    fn default() -> Self {
        Self {
            limits: Limits::default(),
            ends_at_activation: false,
            keep_alive: Some(20_000_000),
            seed: 0,
            pause: 10_000,
        }
    }
}

/// What to do next for a client.
#[derive(Debug, PartialEq, Eq)]
pub enum Step<'a> {
    /// Send this, then ask again.
    Line(Line<'a>),
    /// There is nothing to send until a wake, or until this time in µs since 1970.
    Wait {
        /// When to ask again.
        until: i64,
    },
    /// The stream ends here.
    End(EndReason),
}

/// Why a stream ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// The token has expired, which the client was told.
    TokenExpired,
    /// Another configuration is active.
    ConfigurationChanged,
    /// No stream of the request is within the limits; the message names the limit.
    LimitExceeded(String),
    /// The store cannot be read.
    Store(StoreError),
}

impl EndReason {
    /// Whether the stream is complete. If not, an error is answered before the first line, and after it the stream is cut.
    pub fn is_clean(&self) -> bool {
        matches!(self, Self::TokenExpired | Self::ConfigurationChanged)
    }
}

/// What the buckets of a client are evaluated from.
#[derive(Debug)]
pub struct Ask {
    claims: Box<str>,
    parameters: Option<Box<str>>,
    streams: StreamSelection,
}

impl Ask {
    /// The streams that the client wants.
    pub fn streams(&self) -> &StreamSelection {
        &self.streams
    }

    pub(crate) fn subscriptions(&self) -> Vec<Subscription<'_>> {
        let subscriptions = self.streams.subscriptions.iter();
        subscriptions
            .map(|subscription| Subscription {
                stream: &subscription.stream,
                parameters: subscription.parameters.as_deref(),
                priority: subscription.override_priority,
            })
            .collect()
    }

    pub(crate) fn request<'a>(&'a self, subscriptions: &'a [Subscription<'a>]) -> Request<'a> {
        Request {
            claims: &self.claims,
            parameters: self.parameters.as_deref().unwrap_or("{}"),
            include_defaults: self.streams.include_defaults,
            subscriptions,
        }
    }
}

/// The stream of one client.
#[derive(Debug)]
pub struct Connection {
    ask: Arc<Ask>,
    client: ClientName,
    plan: Arc<LivePlan>,
    options: ConnectionOptions,
    clock: Clock,
    /// What may have changed since the last checkpoint was read.
    pending: Wake,
    /// Whether what the connection uses has changed since somebody asked.
    uses_changed: bool,
    state: State,
}

#[derive(Debug)]
enum State {
    /// Nothing was sent. The positions are those of the request.
    New(Vec<ClientBucket>),
    /// The client knows a checkpoint.
    Open(Box<Open>),
    Ended(EndReason),
}

/// What the client knows.
#[derive(Debug)]
struct Open {
    /// The checkpoint that was read last. What the client was told is equal to it.
    checkpoint: Checkpoint,
    write_checkpoint: Option<i64>,
    buckets: Buckets,
    streams: Vec<StreamSummary>,
    /// In order.
    lookups: Vec<(IndexId, Arc<str>)>,
    sending: Sending,
}

/// Where the connection is within a checkpoint.
#[derive(Debug)]
enum Sending {
    /// Data or a complete line are still to come.
    Checkpoint(Target),
    /// The client has everything. The next checkpoint begins at this time or later.
    Idle { next_at: i64 },
}

/// What [`Connection::next`] decided, before the line is put together.
#[derive(Debug)]
enum Action {
    Checkpoint { without: Vec<usize> },
    Diff { removed: Vec<Held>, updated: Vec<usize> },
    Data { bucket: usize, after: OpId, has_more: bool, operations: Vec<Operation>, next_after: OpId },
    Complete(OpId),
    Partial(OpId, u8),
    TokenExpiresIn(i64),
    Wait(i64),
    End(EndReason),
}

/// How long a new connection waits if there is no checkpoint at all.
const NO_CHECKPOINT: i64 = 1_000_000;

impl Connection {
    /// A connection that has sent nothing yet. `plan` is that of
    /// [`Interests::plan`](crate::interests::Interests::plan), or the active one if no activation was routed yet; `now`
    /// is in µs since 1970.
    pub fn new(request: StreamRequest, user: User, plan: Arc<LivePlan>, options: ConnectionOptions, now: i64) -> Self {
        let client = Arc::from(request.client_id.unwrap_or_default());
        Self {
            ask: Arc::new(Ask { claims: user.claims, parameters: request.parameters, streams: request.streams }),
            client: ClientName { user: user.id, client },
            plan,
            clock: Clock::new(now, user.expires_at, options.keep_alive, options.seed),
            options,
            pending: Wake::default(),
            uses_changed: true,
            state: State::New(request.buckets),
        }
    }

    /// What to do next. A line must be sent before the next call; the call may read from the store.
    ///
    /// `routed` is [`Interests::newest`](crate::interests::Interests::newest), read before the wakes that came with it and
    /// before it were given to this connection. With it, only what has changed is read; none is right, too.
    pub fn next(&mut self, readers: &dyn Readers, routed: Option<&Checkpoint>, now: i64) -> Step<'_> {
        let action = self.decide(readers, routed, now).unwrap_or_else(Action::End);
        match &action {
            Action::End(reason) => self.state = State::Ended(reason.clone()),
            Action::TokenExpiresIn(0) => self.state = State::Ended(EndReason::TokenExpired),
            _ => {}
        }
        self.step(action)
    }

    /// Takes what notices mean for this connection.
    pub fn wake(&mut self, wake: Wake) {
        self.pending.merge(wake);
    }

    /// Takes a notice without a map of interests. Returns whether it affects this connection.
    pub fn notice(&mut self, notice: &CommitNotice) -> bool {
        let State::Open(open) = &self.state else { return matches!(self.state, State::New(_)) };
        let buckets =
            notice.buckets.iter().filter(|changed| open.buckets.find(changed.definition, &changed.key).is_some());
        let uses = |index: IndexId, key: &Arc<str>| {
            open.lookups.binary_search_by(|(other, text)| (*other, &**text).cmp(&(index, &**key))).is_ok()
        };
        let wake = Wake {
            buckets: buckets.map(|changed| (changed.definition, changed.key.clone())).collect(),
            lookups: notice.lookups.iter().any(|changed| uses(changed.index, &changed.key)),
            write_checkpoint: notice.write_checkpoints.contains(&self.client),
            everything: notice.everything,
            plan: notice.activated.clone(),
        };
        let is_affected = !wake.is_empty();
        self.pending.merge(wake);
        is_affected
    }

    /// What the client asks for.
    pub fn ask(&self) -> Arc<Ask> {
        Arc::clone(&self.ask)
    }

    /// Whether what the connection uses has changed since this was asked.
    pub fn take_interest_change(&mut self) -> bool {
        std::mem::take(&mut self.uses_changed)
    }

    /// How many buckets the client has; for metrics.
    pub fn buckets(&self) -> usize {
        match &self.state {
            State::Open(open) => open.buckets.len(),
            _ => 0,
        }
    }

    fn decide(&mut self, readers: &dyn Readers, routed: Option<&Checkpoint>, now: i64) -> Result<Action, EndReason> {
        if let State::Ended(reason) = &self.state {
            return Ok(Action::End(reason.clone()));
        }
        if self.clock.is_expired(now) {
            return Ok(Action::TokenExpiresIn(0));
        }
        self.take_plan()?;
        let open = match &mut self.state {
            State::New(positions) => {
                let positions = std::mem::take(positions);
                let begun = self.begin(&positions, readers)?;
                return Ok(begun.unwrap_or_else(|| {
                    self.state = State::New(positions);
                    Action::Wait(self.clock.expiry().min(now.saturating_add(NO_CHECKPOINT)))
                }));
            }
            State::Open(open) => open,
            State::Ended(reason) => return Ok(Action::End(reason.clone())),
        };
        if let Some(seconds) = self.clock.due(now) {
            return Ok(Action::TokenExpiresIn(seconds));
        }
        let is_due = match &open.sending {
            Sending::Checkpoint(target) => target.may_be_interrupted() || self.pending.plan.is_some(),
            Sending::Idle { next_at } => now >= *next_at,
        };
        if is_due
            && !self.pending.is_empty()
            && let Some(action) = self.refresh(readers, routed)?
        {
            return Ok(action);
        }
        self.send(now)
    }
}
