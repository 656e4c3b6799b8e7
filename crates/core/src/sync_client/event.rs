//! What happens to the state machine: one event per `powersync_control` command, already checked and parsed.

use alloc::string::String;
use alloc::vec::Vec;

use rowtide_protocol::{Priority, SyncLine};

use super::instruction::Instruction;
use crate::error::Result;

/// One call of `powersync_control` (docs/reference/control.md#all-commands).
#[derive(Debug)]
pub(crate) enum Event<'e> {
    /// `start`: ends a running iteration silently and starts a new one.
    Start(StartOptions),
    /// `stop`: ends the iteration, if there is one.
    Stop,
    /// `line_text`, `line_binary`: the service sent a line.
    Line {
        /// The decoded line.
        line: SyncLine<'e>,
        /// Its size as received, in bytes.
        size: usize,
    },
    /// `connection`, `established`.
    ConnectionEstablished,
    /// `connection`, `end`.
    ConnectionEnded,
    /// `refreshed_token`: the SDK has a new token, for which it has to reconnect.
    TokenRefreshed,
    /// `completed_upload`: the upload queue was sent.
    UploadCompleted,
    /// `update_subscriptions`: the streams that the app uses now.
    StreamsInUse(Vec<StreamKey>),
    /// `subscriptions`, `subscribe`.
    Subscribe(Subscribe),
    /// `subscriptions`, `unsubscribe`.
    Unsubscribe(StreamKey),
    /// `seed_checkpoint_request_id`: sets the counter, to a positive number.
    SeedRequestId(i64),
    /// `next_checkpoint_request_id`: counts on.
    NextRequestId,
    /// `current_checkpoint_request_id`: reads the counter.
    CurrentRequestId,
    /// `target_checkpoint_request_id`.
    TargetRequestId(TargetChange),
}

/// What an event gives back to the SDK.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// What the SDK has to do, in this order.
    Instructions(Vec<Instruction>),
    /// A request id, None if it is not set.
    RequestId(Option<i64>),
    /// Nothing (`subscriptions`).
    Nothing,
}

/// Gives an outcome to the SDK. It is the last that can fail of a call, which changes memory only afterwards.
pub(crate) type Answer<'a> = dyn FnMut(&Outcome) -> Result<()> + 'a;

/// What `target_checkpoint_request_id` does in addition to returning the previous target.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TargetChange {
    /// Nothing.
    Keep,
    /// Removes the target.
    Clear,
    /// Stores a new target, a positive number.
    Set(i64),
}

/// What names a stream subscription: the stream, and the text of its parameters.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct StreamKey {
    /// The stream's name.
    pub name: String,
    /// Exact JSON text of the parameters as the SDK gave it, `null` without.
    pub parameters: String,
}

/// A subscription to make or to renew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Subscribe {
    /// Which one.
    pub stream: StreamKey,
    /// How many seconds it lives after its last use, not negative; None for the default of a day.
    pub ttl: Option<i64>,
    /// The priority asked for.
    pub priority: Option<Priority>,
}

/// How checkpoints are requested after local writes (docs/reference/sync-client.md#the-gate).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum CheckpointMode {
    /// The SDK asks the service for write checkpoints.
    #[default]
    Legacy,
    /// The SDK sends request ids that this client counts.
    Requests,
}

/// What local writes that are not acknowledged hold back (docs/reference/sync-client.md#the-row-wise-gate).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum GateMode {
    /// Everything that is downloaded.
    #[default]
    All,
    /// The rows written to.
    Rows,
}

/// The options of `start` (docs/reference/control.md#start-options) that concern the state machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StartOptions {
    /// JSON text of an object passed on to the service.
    pub parameters: Option<String>,
    /// Whether to receive the streams that the service considers default.
    pub include_defaults: bool,
    /// The streams that the app uses now.
    pub active_streams: Vec<StreamKey>,
    /// JSON text passed on to the service.
    pub app_metadata: Option<String>,
    /// How checkpoints are requested.
    pub checkpoint_mode: CheckpointMode,
    /// What local writes hold back.
    pub gate: GateMode,
    /// Whether diagnostic instructions are wanted.
    pub diagnostics: bool,
}

impl Default for StartOptions {
    fn default() -> Self {
        Self {
            parameters: None,
            include_defaults: true,
            active_streams: Vec::new(),
            app_metadata: None,
            checkpoint_mode: CheckpointMode::default(),
            gate: GateMode::default(),
            diagnostics: false,
        }
    }
}
