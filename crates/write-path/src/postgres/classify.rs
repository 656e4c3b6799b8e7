//! What errors of PostgreSQL mean for a transaction, by their SQLSTATE.

use crate::result::{Failure, TransactionResult, code};

/// After others were waited for, or when the connection has to be made again.
const BUSY_RETRY_MS: u64 = 1_000;

/// After an error that a person has to end, for instance a full disk.
const BROKEN_RETRY_MS: u64 = 10_000;

/// An error of PostgreSQL, as far as it matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Trouble {
    /// The SQLSTATE; none if the server has not answered.
    pub(super) code: Option<String>,
    /// The server's primary message, which has no details of rows.
    pub(super) message: String,
    /// Whether the connection cannot be used any more.
    pub(super) is_disconnected: bool,
}

/// What to do after an error.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Class {
    /// The transaction can be tried again.
    Retryable(TransactionResult),
    /// It can not.
    Fatal(Box<Failure>),
}

impl From<pg_connect::postgres::Error> for Trouble {
    fn from(error: pg_connect::postgres::Error) -> Self {
        pg_connect::Failure::new(&error).into()
    }
}

impl From<pg_connect::Failure> for Trouble {
    fn from(failure: pg_connect::Failure) -> Self {
        Self { code: failure.code, message: failure.message, is_disconnected: failure.is_disconnected }
    }
}

impl Trouble {
    fn class(&self) -> &str {
        self.code.as_deref().and_then(|code| code.get(..2)).unwrap_or_default()
    }

    /// Whether another transaction was in the way, so that the same can work at once.
    pub(super) fn is_collision(&self) -> bool {
        matches!(self.code.as_deref(), Some("40001" | "40P01"))
    }

    /// Whether an expression cannot be evaluated with the values that it has.
    pub(super) fn is_data(&self) -> bool {
        self.class() == "22"
    }

    /// For logs: what the server says can have values in it only if those are the trouble.
    pub(super) fn log(&self) -> String {
        match (&self.code, self.class()) {
            (None, _) => self.message.clone(),
            (Some(code), "22" | "23" | "P0") => format!("SQLSTATE {code}"),
            (Some(code), _) => format!("{} (SQLSTATE {code})", self.message),
        }
    }

    /// An error after which clients try again.
    pub(super) fn retryable(&self) -> TransactionResult {
        let code = self.code.as_deref().unwrap_or_default();
        let (message, after) = match self.class() {
            "40" | "55" => ("The database is busy.", BUSY_RETRY_MS),
            _ if code == "57014" => ("The database was too slow.", BUSY_RETRY_MS),
            "" | "08" | "57" => ("The connection to the database was lost.", BUSY_RETRY_MS),
            "53" => ("The database has no resources left.", BROKEN_RETRY_MS),
            _ => ("The database cannot be written now.", BROKEN_RETRY_MS),
        };
        TransactionResult::retryable(message, after)
    }

    /// What it means for the operation with the number.
    pub(super) fn classify(&self, index: Option<usize>) -> Class {
        let Some(state) = &self.code else { return Class::Retryable(self.retryable()) };
        // A server that takes no writes, for instance while another one takes over.
        if pg_connect::is_transient_code(state) || state == "25006" {
            return Class::Retryable(self.retryable());
        }
        let fatal = |code: &str| Class::Fatal(Box::new(Failure::new(code, self.message.clone(), index)));
        match (state.as_str(), self.class()) {
            ("23502", _) => fatal(code::NOT_NULL_VIOLATION),
            ("23503", _) => fatal(code::FOREIGN_KEY_VIOLATION),
            ("23505", _) => fatal(code::UNIQUE_VIOLATION),
            ("23514", _) => fatal(code::CHECK_VIOLATION),
            (_, "23") => fatal(code::CONSTRAINT_VIOLATION),
            (_, "22") => fatal(code::INVALID_DATA),
            ("42501", _) => fatal(code::UNAUTHORIZED),
            (_, "42") => fatal(code::SCHEMA_MISMATCH),
            // What a function of the app says is for the client.
            (_, "P0") => fatal(code::UNCLASSIFIED_ERROR),
            _ => {
                let message = format!("The database reports the error {state}.");
                let failure = Failure::new(code::UNCLASSIFIED_ERROR, message, index);
                Class::Fatal(Box::new(Failure { internal: Some(self.message.clone()), ..failure }))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn classified(state: Option<&str>) -> String {
        let trouble = Trouble { code: state.map(str::to_owned), message: "the message".into(), is_disconnected: false };
        match trouble.classify(Some(3)) {
            Class::Retryable(TransactionResult::RetryableError { retry_after_ms, .. }) => {
                format!("retry {}", retry_after_ms.unwrap_or_default())
            }
            Class::Retryable(other) => panic!("{other:?}"),
            Class::Fatal(failure) => {
                assert_eq!(failure.failed_operation.operation_index, Some(3));
                failure.failed_operation.error_code
            }
        }
    }

    #[test]
    fn each_state_has_its_class() {
        for (states, expected) in [
            (&["23502"][..], "NOT_NULL_VIOLATION"),
            (&["23503"], "FOREIGN_KEY_VIOLATION"),
            (&["23505"], "UNIQUE_VIOLATION"),
            (&["23514"], "CHECK_VIOLATION"),
            (&["23000", "23001", "23P01"], "CONSTRAINT_VIOLATION"),
            (&["22001", "22P02", "22007", "22021"], "INVALID_DATA"),
            (&["42P01", "42703", "42804"], "SCHEMA_MISMATCH"),
            (&["42501"], "UNAUTHORIZED"),
            (&["40001", "40P01", "55P03", "57014", "08006", "57P01", "57P03"], "retry 1000"),
            (&["53100", "53300", "58030", "25006"], "retry 10000"),
            (&["P0001", "XX000", "0A000", "", "ü"], "UNCLASSIFIED_ERROR"),
        ] {
            for state in states {
                assert_eq!(classified(Some(state)), expected, "{state}");
            }
        }
        assert_eq!(classified(None), "retry 1000");
    }

    #[test]
    fn what_nobody_knows_is_for_those_who_run_the_service() {
        let trouble = Trouble { code: Some("XX000".into()), message: "secret".into(), is_disconnected: false };
        let Class::Fatal(failure) = trouble.classify(None) else { panic!("it is fatal") };
        assert_eq!(failure.internal.as_deref(), Some("secret"));
        assert!(!serde_json::to_string(&failure).unwrap_or_default().contains("secret"));
        let of_values = Trouble { code: Some("22P02".into()), ..trouble };
        assert_eq!(of_values.log(), "SQLSTATE 22P02");
    }
}
