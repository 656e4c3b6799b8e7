//! Connections for statements, and what their errors mean.

use std::sync::{Mutex, PoisonError};

use pg_connect::postgres::{self, Client};
use pg_connect::{Failure, Target};
use sync_engine::source::SourceError;

use crate::error::{configuration, retry};

/// Settings beyond those of [`pg_connect::SESSION`]: names in texts have their schema, and a policy that would hide rows is
/// an error, since the stream does not know policies.
const SETTINGS: &str = "SET search_path = pg_catalog; SET row_security = off";

/// A connection that is opened when it is needed.
pub(crate) struct Database {
    target: Target,
    session: Mutex<Option<Session>>,
}

/// An open connection.
pub(crate) struct Session {
    pub(crate) client: Client,
    /// For instance 150018.
    pub(crate) version: i32,
}

/// Why statements failed.
#[derive(Debug)]
pub(crate) enum Problem {
    Server(Failure),
    Source(SourceError),
}

pub(crate) type Result<T> = std::result::Result<T, Problem>;

impl From<postgres::Error> for Problem {
    fn from(error: postgres::Error) -> Self {
        Self::Server(Failure::new(&error))
    }
}

impl From<SourceError> for Problem {
    fn from(error: SourceError) -> Self {
        Self::Source(error)
    }
}

/// Reading a copy fails with an error of the server inside.
impl From<std::io::Error> for Problem {
    fn from(error: std::io::Error) -> Self {
        match error.get_ref().and_then(|inner| inner.downcast_ref::<postgres::Error>()) {
            Some(error) => Self::Server(Failure::new(error)),
            None => Self::Source(retry(error.to_string())),
        }
    }
}

impl Problem {
    /// The SQLSTATE.
    pub(crate) fn code(&self) -> Option<&str> {
        match self {
            Self::Server(failure) => failure.code.as_deref(),
            Self::Source(_) => None,
        }
    }

    fn is_disconnected(&self) -> bool {
        matches!(self, Self::Server(failure) if failure.is_disconnected)
    }

    fn into_error(self, what: &str) -> SourceError {
        match self {
            Self::Server(failure) => failed(what, &failure),
            Self::Source(error) => error,
        }
    }
}

/// An error of the server, by what the service does about it.
pub(crate) fn failed(what: &str, failure: &Failure) -> SourceError {
    let message = match failure.code.as_deref() {
        // These messages name values.
        Some(code) if code.starts_with("22") || code.starts_with("23") => {
            format!("{what}: the server does not accept a value (SQLSTATE {code})")
        }
        _ => format!("{what}: {failure}"),
    };
    if failure.is_transient { retry(message) } else { configuration(message) }
}

impl Database {
    pub(crate) fn new(target: Target) -> Self {
        Self { target, session: Mutex::default() }
    }

    pub(crate) fn target(&self) -> &Target {
        &self.target
    }

    /// Runs statements, on a new connection if there is none that works. They may run twice.
    pub(crate) fn run<T>(
        &self,
        what: &str,
        statements: impl Fn(&mut Session) -> Result<T>,
    ) -> std::result::Result<T, SourceError> {
        let mut session = self.session.lock().unwrap_or_else(PoisonError::into_inner);
        let was_open = session.as_ref().is_some_and(|session| !session.client.is_closed());
        let done = self.attempt(&mut session, &statements);
        match done {
            // The connection was idle, and nobody has noticed that it was cut.
            Err(problem) if was_open && problem.is_disconnected() => self.attempt(&mut session, &statements),
            done => done,
        }
        .map_err(|problem| problem.into_error(what))
    }

    fn attempt<T>(&self, slot: &mut Option<Session>, statements: impl Fn(&mut Session) -> Result<T>) -> Result<T> {
        if slot.as_ref().is_none_or(|session| session.client.is_closed()) {
            *slot = Some(self.connect()?);
        }
        let Some(session) = slot else { return Err(retry("there is no connection").into()) };
        let done = statements(session);
        if done.as_ref().is_err_and(Problem::is_disconnected) {
            *slot = None;
        }
        done
    }

    /// Another connection.
    pub(crate) fn connect(&self) -> Result<Session> {
        let mut client = self.target.connect("rowtide").map_err(Problem::Server)?;
        client.batch_execute(SETTINGS)?;
        let version = client.query_one("SELECT current_setting('server_version_num')::int4", &[])?.get(0);
        Ok(Session { client, version })
    }
}
