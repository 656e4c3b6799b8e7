//! The instructions to the SDK, and their JSON (docs/reference/instructions.md).
//!
//! Members are in the order of the published library, because SDKs compare serialized statuses.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::String;

use rowtide_json::Result;
use rowtide_json::writer::{self, write_bool, write_integer, write_raw, write_string};
use rowtide_protocol::Priority;

/// One instruction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Instruction {
    /// Log this line.
    LogLine {
        /// How important it is.
        severity: Severity,
        /// The text.
        line: String,
    },
    /// The status changed.
    UpdateSyncStatus {
        /// Its JSON text, shared with the state machine, which compares the next one with it.
        status: Rc<String>,
    },
    /// Connect to the service.
    EstablishSyncStream {
        /// JSON text of the request's body.
        request: String,
        /// The checkpoint request to send along.
        checkpoint_request: Option<CheckpointRequest>,
    },
    /// Get a new token.
    FetchCredentials {
        /// Whether the one in use is no longer valid.
        did_expire: bool,
    },
    /// Close the connection; the iteration has ended.
    CloseSyncStream {
        /// Whether to reconnect at once without telling the app.
        hide_disconnect: bool,
    },
    /// A full checkpoint was published.
    DidCompleteSync {
        /// The write checkpoint that it acknowledges.
        applied_checkpoint_request_id: Option<i64>,
    },
    /// A checkpoint is complete, but local writes hold it back.
    CheckpointDelayedDueToLocalData,
    /// Something for developer tools.
    HandleDiagnostics(Diagnostics),
}

/// How important a log line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Severity {
    /// Of interest to developers.
    Debug,
    /// Of interest to operators.
    Info,
    /// Something needs attention.
    Warning,
}

/// A checkpoint request to post to the service (docs/reference/sync-client.md#checkpoint-requests).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CheckpointRequest {
    /// This client.
    pub client_id: String,
    /// The number by which the service will acknowledge the request.
    pub checkpoint_request_id: i64,
}

/// What developer tools are shown (docs/reference/instructions.md#handlediagnostics).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Diagnostics {
    /// Buckets were announced or received data.
    BucketStateChange {
        /// The buckets, ordered by name.
        changes: Box<[BucketChange]>,
        /// Whether `changes` adds to what was reported before.
        incremental: bool,
    },
    /// A member of a table's rows is new or changed its type.
    SchemaChange {
        /// The type of the rows.
        table: Box<str>,
        /// The name of the member.
        column: Box<str>,
        /// Its type from now on.
        value_type: ValueType,
    },
}

/// One bucket in [`Diagnostics::BucketStateChange`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BucketChange {
    /// The bucket's name.
    pub name: Box<str>,
    /// How far it is downloaded.
    pub progress: BucketProgress,
}

/// How far a bucket is downloaded: `at_last + since_last <= target_count`, none is negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct BucketProgress {
    /// The bucket's priority.
    pub priority: Priority,
    /// Operations at the last full checkpoint.
    pub at_last: i64,
    /// Operations received since.
    pub since_last: i64,
    /// Operations that the bucket will have.
    pub target_count: i64,
}

/// The type of a member of a row, as far as developer tools distinguish types.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ValueType {
    /// A string.
    String,
    /// A number without fraction or exponent.
    Integer,
    /// Any other number.
    Real,
}

impl Instruction {
    /// A log line of severity DEBUG.
    pub(crate) fn debug(line: impl Into<String>) -> Self {
        Self::LogLine { severity: Severity::Debug, line: line.into() }
    }

    /// A log line of severity INFO.
    pub(crate) fn info(line: impl Into<String>) -> Self {
        Self::LogLine { severity: Severity::Info, line: line.into() }
    }

    /// A log line of severity WARNING.
    pub(crate) fn warning(line: impl Into<String>) -> Self {
        Self::LogLine { severity: Severity::Warning, line: line.into() }
    }

    /// Appends the instruction as a JSON object.
    fn write(&self, json: &mut String) -> Result<()> {
        match self {
            Self::LogLine { severity, line } => {
                write_raw(json, r#"{"LogLine":{"severity":""#)?;
                write_raw(json, severity.name())?;
                write_raw(json, r#"","line":"#)?;
                write_string(json, line)?;
                write_raw(json, "}}")
            }
            Self::UpdateSyncStatus { status } => {
                write_raw(json, r#"{"UpdateSyncStatus":{"status":"#)?;
                write_raw(json, status)?;
                write_raw(json, "}}")
            }
            Self::EstablishSyncStream { request, checkpoint_request } => {
                write_raw(json, r#"{"EstablishSyncStream":{"request":"#)?;
                write_raw(json, request)?;
                if let Some(checkpoint_request) = checkpoint_request {
                    checkpoint_request.write(json)?;
                }
                write_raw(json, "}}")
            }
            Self::FetchCredentials { did_expire } => {
                write_raw(json, r#"{"FetchCredentials":{"did_expire":"#)?;
                write_bool(json, *did_expire)?;
                write_raw(json, "}}")
            }
            Self::CloseSyncStream { hide_disconnect } => {
                write_raw(json, r#"{"CloseSyncStream":{"hide_disconnect":"#)?;
                write_bool(json, *hide_disconnect)?;
                write_raw(json, "}}")
            }
            Self::DidCompleteSync { applied_checkpoint_request_id } => {
                write_raw(json, r#"{"DidCompleteSync":{"#)?;
                if let Some(id) = applied_checkpoint_request_id {
                    write_raw(json, r#""applied_checkpoint_request_id":"#)?;
                    write_decimal_string(json, *id)?;
                }
                write_raw(json, "}}")
            }
            Self::CheckpointDelayedDueToLocalData => write_raw(json, r#"{"CheckpointDelayedDueToLocalData":{}}"#),
            Self::HandleDiagnostics(diagnostics) => {
                write_raw(json, r#"{"HandleDiagnostics":"#)?;
                diagnostics.write(json)?;
                write_raw(json, "}")
            }
        }
    }
}

impl Severity {
    /// Its name, as in the instruction.
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Debug => "DEBUG",
            Self::Info => "INFO",
            Self::Warning => "WARNING",
        }
    }
}

impl CheckpointRequest {
    fn write(&self, json: &mut String) -> Result<()> {
        write_raw(json, r#","checkpoint_request":{"client_id":"#)?;
        write_string(json, &self.client_id)?;
        write_raw(json, r#","checkpoint_request_id":"#)?;
        write_decimal_string(json, self.checkpoint_request_id)?;
        write_raw(json, "}")
    }
}

impl Diagnostics {
    fn write(&self, json: &mut String) -> Result<()> {
        match self {
            Self::BucketStateChange { changes, incremental } => {
                write_raw(json, r#"{"BucketStateChange":{"changes":["#)?;
                for (index, change) in changes.iter().enumerate() {
                    write_raw(json, if index == 0 { r#"{"name":"# } else { r#",{"name":"# })?;
                    write_string(json, &change.name)?;
                    write_raw(json, r#","progress":"#)?;
                    change.progress.write(json)?;
                    write_raw(json, "}")?;
                }
                write_raw(json, r#"],"incremental":"#)?;
                write_bool(json, *incremental)?;
                write_raw(json, "}}")
            }
            Self::SchemaChange { table, column, value_type } => {
                write_raw(json, r#"{"SchemaChange":{"table":"#)?;
                write_string(json, table)?;
                write_raw(json, r#","column":"#)?;
                write_string(json, column)?;
                write_raw(json, r#","value_type":""#)?;
                write_raw(json, value_type.name())?;
                write_raw(json, r#""}}"#)
            }
        }
    }
}

impl BucketProgress {
    /// Appends the progress as a JSON object.
    pub(super) fn write(self, json: &mut String) -> Result<()> {
        let Self { priority, at_last, since_last, target_count } = self;
        write_raw(json, r#"{"priority":"#)?;
        write_integer(json, priority.into())?;
        write_raw(json, r#","at_last":"#)?;
        write_integer(json, at_last)?;
        write_raw(json, r#","since_last":"#)?;
        write_integer(json, since_last)?;
        write_raw(json, r#","target_count":"#)?;
        write_integer(json, target_count)?;
        write_raw(json, "}")
    }
}

impl ValueType {
    const fn name(self) -> &'static str {
        match self {
            Self::String => "String",
            Self::Integer => "Integer",
            Self::Real => "Real",
        }
    }
}

/// Appends an integer as a JSON string: a number in JSON loses digits above 2⁵³ in many readers.
pub(super) fn write_decimal_string(json: &mut String, integer: i64) -> Result<()> {
    write_raw(json, "\"")?;
    write_integer(json, integer)?;
    write_raw(json, "\"")
}

/// The JSON array of `instructions`.
///
/// # Errors
/// Out of memory.
pub(crate) fn to_json(instructions: &[Instruction]) -> Result<String> {
    let mut json = writer::begin()?;
    write_raw(&mut json, "[")?;
    for (index, instruction) in instructions.iter().enumerate() {
        if index > 0 {
            write_raw(&mut json, ",")?;
        }
        instruction.write(&mut json)?;
    }
    write_raw(&mut json, "]")?;
    Ok(json)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec;

    #[test]
    fn instructions_are_written_as_the_published_library_writes_them() {
        let progress = BucketProgress { priority: Priority::LOWEST, at_last: 1, since_last: 2, target_count: 4 };
        let instructions = vec![
            Instruction::warning("a \"b\""),
            Instruction::info("i"),
            Instruction::debug("d"),
            Instruction::UpdateSyncStatus { status: Rc::new("{}".into()) },
            Instruction::EstablishSyncStream { request: r#"{"buckets":[]}"#.into(), checkpoint_request: None },
            Instruction::EstablishSyncStream {
                request: "{}".into(),
                checkpoint_request: Some(CheckpointRequest { client_id: "c".into(), checkpoint_request_id: i64::MAX }),
            },
            Instruction::FetchCredentials { did_expire: true },
            Instruction::CloseSyncStream { hide_disconnect: false },
            Instruction::DidCompleteSync { applied_checkpoint_request_id: Some(9_007_199_254_740_993) },
            Instruction::DidCompleteSync { applied_checkpoint_request_id: None },
            Instruction::CheckpointDelayedDueToLocalData,
            Instruction::HandleDiagnostics(Diagnostics::BucketStateChange {
                changes: Box::new([
                    BucketChange { name: "a".into(), progress },
                    BucketChange { name: "b".into(), progress },
                ]),
                incremental: true,
            }),
            Instruction::HandleDiagnostics(Diagnostics::SchemaChange {
                table: "t".into(),
                column: "c".into(),
                value_type: ValueType::Real,
            }),
        ];
        let expected = [
            r#"[{"LogLine":{"severity":"WARNING","line":"a \"b\""}}"#,
            r#"{"LogLine":{"severity":"INFO","line":"i"}}"#,
            r#"{"LogLine":{"severity":"DEBUG","line":"d"}}"#,
            r#"{"UpdateSyncStatus":{"status":{}}}"#,
            r#"{"EstablishSyncStream":{"request":{"buckets":[]}}}"#,
            r#"{"EstablishSyncStream":{"request":{},"checkpoint_request":{"client_id":"c","checkpoint_request_id":"9223372036854775807"}}}"#,
            r#"{"FetchCredentials":{"did_expire":true}}"#,
            r#"{"CloseSyncStream":{"hide_disconnect":false}}"#,
            r#"{"DidCompleteSync":{"applied_checkpoint_request_id":"9007199254740993"}}"#,
            r#"{"DidCompleteSync":{}}"#,
            r#"{"CheckpointDelayedDueToLocalData":{}}"#,
            r#"{"HandleDiagnostics":{"BucketStateChange":{"changes":[{"name":"a","progress":{"priority":3,"at_last":1,"since_last":2,"target_count":4}},{"name":"b","progress":{"priority":3,"at_last":1,"since_last":2,"target_count":4}}],"incremental":true}}}"#,
            r#"{"HandleDiagnostics":{"SchemaChange":{"table":"t","column":"c","value_type":"Real"}}}]"#,
        ]
        .join(",");
        assert_eq!(to_json(&instructions).unwrap(), expected);
        assert_eq!(to_json(&[]).unwrap(), "[]");
    }
}
