//! What a database has to do for the write path. All calls block, and can come from several threads.

use std::fmt;

use crate::dead_letter::{DeadLetter, Letters, State};
use crate::plan::Planned;
use crate::result::{Failure, TransactionResult};
use crate::rules::Rules;
use crate::schema::Schema;

/// A database that transactions are applied to.
pub trait Persister: Send + Sync {
    /// Its tables.
    ///
    /// # Errors
    /// They cannot be read now.
    fn schema(&self) -> Result<Schema, PersisterError>;

    /// The version of its tables, as [`Schema::version`].
    ///
    /// # Errors
    /// It cannot be read now.
    fn schema_version(&self) -> Result<i64, PersisterError>;

    /// Tries all statements that the rules can need, and gives the tables, as clients call them, for which the database
    /// refuses one, and why.
    ///
    /// # Errors
    /// The database cannot be asked now.
    fn refused(&self, rules: &Rules) -> Result<Vec<(String, String)>, PersisterError>;

    /// Waits until no other process applies something of a client, and keeps the others waiting until what this returns
    /// is dropped. Within this process nobody else does. Databases that only one process writes need not do anything.
    ///
    /// # Errors
    /// The client has to try again: the database cannot be reached, or others were waited for too long.
    fn turn(&self, _user: &str, _client: &str) -> Result<Box<dyn Turn + '_>, Box<TransactionResult>> {
        Ok(Box::new(()))
    }

    /// Applies a transaction in one transaction of the database, and stores its result there, too.
    ///
    /// - If `key` is stored, the result is the stored one and nothing runs; if it is stored with another hash, that is a
    ///   fatal error.
    /// - A fatal error is stored under the key and, if the client does not handle it, as a dead letter, before this
    ///   returns. If that fails, the error is a retryable one.
    /// - A replayed letter becomes [`State::Replayed`] in the same transaction, or gets the new error.
    fn apply(&self, work: &Work<'_>) -> Stored;

    /// Dead letters without their transactions, the newest first.
    ///
    /// # Errors
    /// They cannot be read now.
    fn letters(&self, which: &Letters) -> Result<Vec<DeadLetter>, PersisterError>;

    /// A dead letter with its transaction.
    ///
    /// # Errors
    /// It cannot be read now.
    fn letter(&self, id: i64) -> Result<Option<DeadLetter>, PersisterError>;

    /// Makes an open letter a discarded one. False if it is not open.
    ///
    /// # Errors
    /// The database cannot be written now.
    fn discard(&self, id: i64, note: Option<&str>) -> Result<bool, PersisterError>;
}

/// The right to apply something of a client, until it is dropped.
pub trait Turn {}

impl Turn for () {}

/// Identifies a transaction of a client's queue.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Key<'a> {
    /// The user.
    pub user: &'a str,
    /// The client.
    pub client: &'a str,
    /// The life of the client's queue.
    pub queue: &'a str,
    /// The transaction.
    pub transaction: &'a str,
}

/// A transaction to apply.
#[derive(Debug)]
pub struct Work<'a> {
    /// What identifies it, if the client has said.
    pub key: Option<Key<'a>>,
    /// What it does.
    pub hash: [u8; 32],
    /// Its operations, or why the rules refuse it.
    pub plan: Result<Vec<Planned<'a>>, Box<Failure>>,
    /// The role that its operations run as; none: that of the connection.
    pub role: Option<&'a str>,
    /// The user.
    pub user: &'a str,
    /// The claims of the user's token, as a JSON object.
    pub claims: &'a str,
    /// Those of them that the rules need, for a dead letter.
    pub kept_claims: &'a str,
    /// The client.
    pub client: Option<&'a str>,
    /// Its number in the client's queue.
    pub transaction: Option<&'a str>,
    /// As it was sent.
    pub json: &'a str,
    /// The dead letter that it comes from.
    pub replayed: Option<i64>,
    /// Now, in µs since 1970.
    pub now: i64,
}

/// What became of a transaction.
#[derive(Clone, Debug, PartialEq)]
pub struct Stored {
    /// Its result.
    pub result: TransactionResult,
    /// Whether it was there already.
    pub is_repeated: bool,
    /// Stored results that were deleted because of their age.
    pub deleted: u64,
}

impl Stored {
    pub(crate) fn new(result: TransactionResult) -> Self {
        Self { result, is_repeated: false, deleted: 0 }
    }
}

impl State {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Replayed => "replayed",
            Self::Discarded => "discarded",
        }
    }

    /// The state of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Open, Self::Replayed, Self::Discarded].into_iter().find(|state| state.name() == name)
    }
}

/// The database cannot do it now: what was being done, and why it failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PersisterError(pub String);

impl fmt::Display for PersisterError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for PersisterError {}
