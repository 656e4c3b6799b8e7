//! Errors of PostgreSQL as those of a store: what was being done, what failed, and what to do.

use pg_connect::{Failure, postgres};
use sync_engine::store::StoreError;

/// Says what was being done when something failed.
pub(super) trait Doing<T> {
    /// `what` completes "The storage failed while …".
    fn doing(self, what: &str) -> Result<T, StoreError>;
}

impl<T> Doing<T> for Result<T, postgres::Error> {
    fn doing(self, what: &str) -> Result<T, StoreError> {
        self.map_err(|error| failed(what, &Failure::new(&error)))
    }
}

impl<T> Doing<T> for Result<T, Failure> {
    fn doing(self, what: &str) -> Result<T, StoreError> {
        self.map_err(|failure| failed(what, &failure))
    }
}

impl<T> Doing<T> for std::io::Result<T> {
    fn doing(self, what: &str) -> Result<T, StoreError> {
        self.map_err(|error| {
            let failure = error.get_ref().and_then(|inner| inner.downcast_ref::<postgres::Error>()).map(Failure::new);
            match failure {
                Some(failure) => failed(what, &failure),
                None => StoreError::Unavailable(format!("The storage failed while {what}: {error}.")),
            }
        })
    }
}

impl<T> Doing<T> for serde_json::Result<T> {
    fn doing(self, what: &str) -> Result<T, StoreError> {
        self.map_err(|error| {
            let place = format!("line {}, column {}", error.line(), error.column());
            invalid(&format!("The storage failed while {what}: the JSON is not of this format ({place})."))
        })
    }
}

/// What is stored is not what this version writes.
pub(super) fn invalid(message: &str) -> StoreError {
    StoreError::Invalid(format!(
        "{message} Restore its schema from a backup, or drop the schema and let the service build it again."
    ))
}

fn failed(what: &str, failure: &Failure) -> StoreError {
    let advice = match failure.code.as_deref() {
        None | Some("57P01" | "57P02" | "57P03") => "Check that the server runs and can be reached.",
        Some("28000" | "28P01") => "Check the role and the password of the storage URL.",
        Some("3D000") => "Create the database of the storage URL.",
        Some("42501") => "Give the role the right to it: it has to own the schema, or may create one in the database.",
        Some("25006") => "The server is a replica or read-only: name the primary in the storage URL.",
        Some("53100") => "Free space on the server's disk.",
        Some("53300") => "Raise max_connections of the server, or run fewer processes.",
        _ if failure.is_transient => "It can be tried again.",
        _ => return invalid(&format!("The storage failed while {what}: {failure}.")),
    };
    StoreError::Unavailable(format!("The storage failed while {what}: {failure}. {advice}"))
}
