//! Transactions that were refused and that no client has any more.

use std::fmt;

use serde::Serialize;
use serde_json::Value;
use serde_json::value::RawValue;

use crate::persister::PersisterError;

/// A refused transaction.
#[derive(Clone, Debug, Serialize)]
pub struct DeadLetter {
    /// Its number.
    pub id: i64,
    /// When it was refused, in µs since 1970.
    pub at: i64,
    /// The user who sent it.
    pub user: String,
    /// The client, if it has said.
    pub client: Option<String>,
    /// Its number in the client's queue.
    pub transaction_id: Option<String>,
    /// As it was sent; none in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transaction: Option<Box<RawValue>>,
    /// The operation that failed, from 0; none if no single one has.
    pub failed_index: Option<i64>,
    /// Why it was refused last.
    pub error_code: String,
    /// The same as a sentence.
    pub message: String,
    /// More, for programs.
    pub details: Option<Value>,
    /// What became of it.
    pub state: State,
    /// What those who run the service have noted.
    pub note: Option<String>,
    /// The claims of the user's token that rules needed, as a JSON object.
    #[serde(skip)]
    pub claims: String,
}

/// What became of a dead letter.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum State {
    /// Nothing yet.
    Open,
    /// It was applied.
    Replayed,
    /// Somebody has decided against it.
    Discarded,
}

/// Which dead letters are listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Letters {
    /// Only those in this state.
    pub state: Option<State>,
    /// Only those with a smaller number.
    pub before: Option<i64>,
    /// At most as many.
    pub limit: usize,
}

impl Default for Letters {
    fn default() -> Self {
        Self { state: None, before: None, limit: 100 }
    }
}

/// Why a dead letter is not replayed or discarded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReplayError {
    /// There is no such letter.
    NotFound,
    /// It was replayed or discarded before.
    NotOpen(State),
    /// The database cannot do it now.
    Persister(PersisterError),
}

impl fmt::Display for ReplayError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotFound => formatter.write_str("There is no such dead letter."),
            Self::NotOpen(state) => {
                write!(formatter, "The dead letter is {}, and only open ones can change.", state.name())
            }
            Self::Persister(error) => error.fmt(formatter),
        }
    }
}

impl std::error::Error for ReplayError {}

impl From<PersisterError> for ReplayError {
    fn from(error: PersisterError) -> Self {
        Self::Persister(error)
    }
}
