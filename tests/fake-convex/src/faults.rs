//! What can go wrong, on request.

use std::collections::VecDeque;

/// A route of the deployment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is its own name")]
pub enum Route {
    JsonSchemas,
    ListSnapshot,
    DocumentDeltas,
    Mutation,
    DataSync,
    CursorFromDeltas,
}

/// What happens to the next request of a route; each fault happens once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// This status, with the body `{"code", "message"}`, and perhaps `Retry-After` in seconds.
    Status(u16, &'static str, Option<u64>),
    /// The body of the answer stops after half of it, and nothing more comes.
    Stall,
    /// The connection is closed after half of the body.
    Cut,
    /// The body is not what it should be.
    Garbage,
    /// The mutation does its work, and its answer is lost.
    AnswerLost,
}

/// The faults that wait.
#[derive(Debug, Default)]
pub(crate) struct Faults {
    queued: VecDeque<(Route, Fault)>,
    /// The key is refused.
    pub(crate) is_revoked: bool,
    /// The deployment has no such functions.
    pub(crate) no_functions: bool,
    /// The plan does not have streaming export.
    pub(crate) no_export: bool,
}

impl Faults {
    pub(crate) fn push(&mut self, route: Route, fault: Fault) {
        self.queued.push_back((route, fault));
    }

    pub(crate) fn take(&mut self, route: Route) -> Option<Fault> {
        let at = self.queued.iter().position(|(of, _)| *of == route)?;
        self.queued.remove(at).map(|(_, fault)| fault)
    }
}
