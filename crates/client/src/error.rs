//! What can go wrong in a call of this crate. What goes wrong while syncing is in the [status](crate::Status) instead.

use std::path::PathBuf;

use crate::database::Failure;

/// Any error that an app's own code returns.
pub type BoxError = Box<dyn std::error::Error + Send + Sync + 'static>;

/// Why a call failed. No error holds rows or tokens.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The extension cannot be loaded.
    #[error("SQLite does not take the extension: {0}")]
    Extension(#[source] rusqlite::Error),
    /// The database cannot be opened.
    #[error("cannot open {}: {source}", path.display())]
    Open {
        /// The file.
        path: PathBuf,
        /// SQLite's error.
        source: rusqlite::Error,
    },
    /// The schema is not one, or cannot be applied.
    #[error("the schema cannot be applied to {}: {reason}", path.display())]
    Schema {
        /// The file.
        path: PathBuf,
        /// Why, with the position in the schema.
        reason: String,
    },
    /// A call of the database failed.
    #[error("{what}: {reason}")]
    Database {
        /// What was being done.
        what: &'static str,
        /// Why it failed.
        reason: String,
    },
    /// A text that must be JSON is not.
    #[error("{what} must be {wanted} in JSON: {reason}")]
    Json {
        /// Which text.
        what: String,
        /// What kind of value it must be.
        wanted: &'static str,
        /// Why it is not.
        reason: String,
    },
    /// The URL of the service cannot be used.
    #[error("{url} is no URL of a sync service: {reason}. Give one like https://sync.example.com")]
    Url {
        /// The URL.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The network of this machine cannot be used.
    #[error("cannot use the network: {0}")]
    Network(String),
    /// The thread of the client cannot be started.
    #[error("cannot start the thread that syncs: {0}")]
    Thread(#[source] std::io::Error),
    /// What was waited for did not come in time.
    #[error("it did not come to this within {0:?}")]
    Timeout(std::time::Duration),
    /// The client is closed.
    #[error("the client is closed")]
    Closed,
}

impl Error {
    pub(crate) fn database(what: &'static str, failure: &Failure) -> Self {
        match failure {
            Failure::Closed => Self::Closed,
            failure => Self::Database { what, reason: failure.to_string() },
        }
    }
}
