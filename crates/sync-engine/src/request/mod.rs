//! The body of `POST /sync/stream`: what a client has, and what it asks for.
//!
//! Unknown members are permitted everywhere. A member that is optional may be null.

mod parse;
#[cfg(test)]
mod tests;

use std::fmt;

use crate::store::OpId;

/// A request for a sync stream.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StreamRequest {
    /// The buckets that the client has.
    pub buckets: Vec<ClientBucket>,
    /// JSON only: the data of operations as strings instead of objects.
    pub raw_data: bool,
    /// Parameters of the connection, as the JSON text of an object.
    pub parameters: Option<Box<str>>,
    /// For the log, as the JSON text that the client sent.
    pub app_metadata: Option<Box<str>>,
    /// Whose write checkpoints are wanted: one of several clients of a user.
    pub client_id: Option<Box<str>>,
    /// Which streams are wanted.
    pub streams: StreamSelection,
}

/// A bucket that a client has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientBucket {
    /// Its name.
    pub name: Box<str>,
    /// The last operation that the client knows of. It wants those after it.
    pub after: OpId,
}

/// The streams that a client wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StreamSelection {
    /// Whether default streams are among them.
    pub include_defaults: bool,
    /// Explicit subscriptions, which lines name by their number.
    pub subscriptions: Vec<ClientSubscription>,
}

impl Default for StreamSelection {
    fn default() -> Self {
        Self { include_defaults: true, subscriptions: Vec::new() }
    }
}

/// A subscription of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClientSubscription {
    /// Name of the stream.
    pub stream: Box<str>,
    /// Its parameters, as the JSON text of an object.
    pub parameters: Option<Box<str>>,
    /// Replaces the priority of the stream, 0 (most urgent) to 3.
    pub override_priority: Option<u8>,
}

/// Why a body is not a request. It is shown as the published service does: `/buckets/0: type must be object`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestError {
    /// The member, as a JSON pointer; empty for the body itself.
    pub path: String,
    /// What is wrong with it.
    pub problem: RequestProblem,
}

/// What is wrong with a member of a request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RequestProblem {
    /// It is not JSON; where in the body, and why.
    Syntax(String),
    /// It lacks a member.
    Missing(&'static str),
    /// It has another type than this.
    Type(&'static str),
    /// It has the right type and another value than this.
    Value(&'static str),
}

impl fmt::Display for RequestError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = &self.path;
        match &self.problem {
            RequestProblem::Syntax(message) => write!(formatter, "{path}: must be JSON ({message})"),
            RequestProblem::Missing(member) => write!(formatter, "{path} must have required property '{member}'"),
            RequestProblem::Type(expected) => write!(formatter, "{path}: type must be {expected}"),
            RequestProblem::Value(expected) => write!(formatter, "{path}: must be {expected}"),
        }
    }
}

impl std::error::Error for RequestError {}
