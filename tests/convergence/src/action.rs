//! A session as data: what the service, the source database behind it and the clients do, one action after the other.
//!
//! Actions mean something whatever happened before (numbers are taken modulo what there is, and what is not possible is
//! left out), so that any part of a session is a session too. They are written as one JSON value a line.
#![allow(missing_docs, reason = "the line of a variant says what its members are")]

use serde::{Deserialize, Serialize};

use crate::rows::{Schema, Table};

/// Values of column `name` that actions refer to by index.
pub const NAMES: [Option<&str>; 5] = [None, Some("one"), Some("it's \"two\""), Some(""), Some("{\"json\": [1]}")];
/// Values of column `n` that actions refer to by index.
pub const NUMBERS: [Option<i64>; 5] = [None, Some(0), Some(-1), Some(9_007_199_254_740_993), Some(i64::MIN)];

/// Indexes into [`NAMES`] and [`NUMBERS`].
pub type Values = (u8, u8);

/// One statement of a local transaction.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Statement {
    /// Inserts rows by one statement, with ids (None: NULL, which is refused) and values.
    Insert { table: Table, rows: Vec<(Option<u8>, Values)>, replace: bool },
    /// Updates columns of a row, if it is there, with or without metadata.
    Update { table: Table, id: u8, name: Option<u8>, n: Option<u8>, metadata: bool },
    /// Inserts a row or updates columns of it, with `powersync_upsert`.
    Upsert { table: Table, id: u8, name: Option<u8>, n: Option<u8> },
    /// Deletes a row, if it is there.
    Delete { table: Table, id: u8 },
    /// Changes the id of a row, which is refused if it is there.
    ChangeId { table: Table, id: u8 },
    /// Opens a savepoint.
    Savepoint,
    /// Rolls back to the last savepoint.
    RollbackTo,
    /// Releases the last savepoint.
    Release,
}

/// What becomes of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Upload {
    /// The source database takes it.
    Accept,
    /// The source database refuses it; the application gives it up.
    Reject,
    /// It does not arrive; the application tries again later.
    Fail,
    /// It arrives, but the answer does not; the application tries again later.
    LoseAnswer,
}

/// How a connection to the service ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Disconnect {
    /// The application stops.
    Stop,
    /// The stream ends.
    End,
    /// A new token came.
    Token,
    /// The service says that the token expired.
    Expired,
}

/// One step of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Action {
    /// Somebody writes a row to the source database (None: deletes it), and says in which buckets it belongs.
    Write { table: Table, id: u8, values: Option<Values>, places: Vec<(u8, bool)> },
    /// The service gets up to that many changes of the source database.
    Replicate { changes: u8 },
    /// The service compacts a bucket to MOVE operations, or also to a CLEAR.
    Compact { bucket: u8, clear: bool },
    /// A new definition: the rows of a bucket come in one with another name and priority.
    Redefine { bucket: u8, priority: u8 },
    /// A definition is dropped.
    DropBucket { bucket: u8 },
    /// A client gets a bucket, or gets it no longer.
    Toggle { bucket: u8, client: u8 },
    /// Everybody comes to show what the service has, which then compacts all buckets.
    Converge,

    /// The client starts an iteration on one of its two connections to the file: in addition to one on the other
    /// connection, or that one is left behind. From now on, local writes hold back rows or (by default) everything.
    Connect {
        client: u8,
        second: bool,
        #[serde(default)]
        beside: bool,
        #[serde(default)]
        by_rows: bool,
    },
    /// The iteration that was started last ends, or with `other` the one next to it; so in all that follow.
    Disconnect {
        client: u8,
        how: Disconnect,
        #[serde(default)]
        other: bool,
    },
    /// The service announces its present state, or a wrong checksum for one bucket.
    Announce {
        client: u8,
        wrong_checksum: Option<u8>,
        #[serde(default)]
        other: bool,
    },
    /// The service sends that many data lines of at most that many operations, perhaps each twice.
    Data {
        client: u8,
        lines: u8,
        size: u8,
        twice: bool,
        #[serde(default)]
        other: bool,
    },
    /// The service sends the rest (with bit 3 twice), says after which priorities (bits) a part is complete, and that
    /// all is.
    Complete {
        client: u8,
        partial: u8,
        #[serde(default)]
        other: bool,
    },
    /// The service sends a keep-alive.
    KeepAlive {
        client: u8,
        #[serde(default)]
        other: bool,
    },
    /// Connects if needed, then announces and completes.
    Sync {
        client: u8,
        partial: u8,
        #[serde(default)]
        other: bool,
    },

    /// The application writes in a transaction on one of its two connections, which commits or rolls back.
    Local { client: u8, second: bool, statements: Vec<Statement>, commit: bool },
    /// The application uploads that many transactions, all with the same result: one by one, as SDKs do, or together, by
    /// functions of the upload queue. With these, only the first one fails or is refused.
    Upload {
        client: u8,
        transactions: u8,
        result: Upload,
        mark: bool,
        #[serde(default)]
        together: bool,
    },
    /// The application gives up a transaction that waits for its upload.
    Reject { client: u8, transaction: u8 },
    /// The application tries a rejected transaction again, or forgets it.
    Retry { client: u8, transaction: u8, discard: bool },
    /// The application asks for a write checkpoint once its queue is empty, perhaps with a write just in between.
    Acknowledge {
        client: u8,
        write_between: bool,
        #[serde(default)]
        other: bool,
    },

    /// The process is killed before the client's n-th call of SQLite from now on.
    Kill { client: u8, after: u8 },
    /// The transaction of the client's n-th control call from now on is rolled back although the call succeeded, which
    /// may then be repeated at once.
    RollBack {
        client: u8,
        after: u8,
        #[serde(default)]
        repeat: bool,
    },
    /// Closes and opens the database.
    Reopen { client: u8 },
    /// Carries the file to the newest published format and back.
    Migrate { client: u8 },
    /// Stops, and clears with these flags; a hard clear perhaps on the second connection, behind the iteration's back.
    Clear { client: u8, flags: u8, behind: bool },
    /// Stops, and has everything published again.
    Resync { client: u8 },
    /// Once the client has converged, something changes its file, which is then repaired.
    Damage { client: u8, how: u8 },
    /// A new client begins in the client's place, with a copy or an export of a client's file.
    Replace { client: u8, from: u8, export: bool, with_local: bool },
    /// Stops, and changes the schema.
    ChangeSchema { client: u8, schema: Schema },
}

/// Reads actions as [`to_lines`] writes them; empty lines and lines that begin with `#` are skipped.
///
/// # Errors
/// The line that is no action.
pub fn from_lines(text: &str) -> Result<Vec<Action>, String> {
    let lines = text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'));
    lines.map(|line| serde_json::from_str(line).map_err(|error| format!("{error}: {line}"))).collect()
}

/// One line for each action.
pub fn to_lines(actions: &[Action]) -> String {
    actions.iter().filter_map(|action| serde_json::to_string(action).ok()).map(|line| line + "\n").collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generate::generate;

    #[test]
    fn sessions_are_written_and_read() {
        let session = generate(1);
        assert!(session.actions.len() > 10);
        let text = format!("# a comment\n\n{}", to_lines(&session.actions));
        assert_eq!(from_lines(&text), Ok(session.actions));
        assert!(from_lines("{\"Nothing\": 1}").unwrap_err().contains("Nothing"));
    }
}
