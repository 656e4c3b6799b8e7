//! The instructions to the SDK, and their JSON (docs/reference/instructions.md).
//!
//! Members are in the order of the published library, because SDKs compare serialized statuses.

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::String;

use rowtide_json::Result;
use rowtide_json::writer::Json;
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
    fn write(&self, json: &mut Json) {
        match self {
            Self::LogLine { severity, line } => {
                json.json(r#"{"LogLine":{"severity":""#, severity.name());
                json.string(r#"","line":"#, line);
                json.raw("}}");
            }
            Self::UpdateSyncStatus { status } => {
                json.json(r#"{"UpdateSyncStatus":{"status":"#, status);
                json.raw("}}");
            }
            Self::EstablishSyncStream { request, checkpoint_request } => {
                json.json(r#"{"EstablishSyncStream":{"request":"#, request);
                if let Some(checkpoint_request) = checkpoint_request {
                    checkpoint_request.write(json);
                }
                json.raw("}}");
            }
            Self::FetchCredentials { did_expire } => {
                json.bool(r#"{"FetchCredentials":{"did_expire":"#, *did_expire);
                json.raw("}}");
            }
            Self::CloseSyncStream { hide_disconnect } => {
                json.bool(r#"{"CloseSyncStream":{"hide_disconnect":"#, *hide_disconnect);
                json.raw("}}");
            }
            Self::DidCompleteSync { applied_checkpoint_request_id } => {
                json.raw(r#"{"DidCompleteSync":{"#);
                if let Some(id) = applied_checkpoint_request_id {
                    json.id(r#""applied_checkpoint_request_id":"#, *id);
                }
                json.raw("}}");
            }
            Self::CheckpointDelayedDueToLocalData => json.raw(r#"{"CheckpointDelayedDueToLocalData":{}}"#),
            Self::HandleDiagnostics(diagnostics) => {
                json.raw(r#"{"HandleDiagnostics":"#);
                diagnostics.write(json);
                json.raw("}");
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
    fn write(&self, json: &mut Json) {
        json.string(r#","checkpoint_request":{"client_id":"#, &self.client_id);
        json.id(r#","checkpoint_request_id":"#, self.checkpoint_request_id);
        json.raw("}");
    }
}

impl Diagnostics {
    fn write(&self, json: &mut Json) {
        match self {
            Self::BucketStateChange { changes, incremental } => {
                json.raw(r#"{"BucketStateChange":{"changes":["#);
                for change in changes {
                    json.comma();
                    json.string(r#"{"name":"#, &change.name);
                    json.raw(r#","progress":"#);
                    change.progress.write(json);
                    json.raw("}");
                }
                json.bool(r#"],"incremental":"#, *incremental);
                json.raw("}}");
            }
            Self::SchemaChange { table, column, value_type } => {
                json.string(r#"{"SchemaChange":{"table":"#, table);
                json.string(r#","column":"#, column);
                json.json(r#","value_type":""#, value_type.name());
                json.raw(r#""}}"#);
            }
        }
    }
}

impl BucketProgress {
    /// Appends the progress as a JSON object.
    pub(super) fn write(self, json: &mut Json) {
        let Self { priority, at_last, since_last, target_count } = self;
        json.integer(r#"{"priority":"#, priority.into());
        json.integer(r#","at_last":"#, at_last);
        json.integer(r#","since_last":"#, since_last);
        json.integer(r#","target_count":"#, target_count);
        json.raw("}");
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

/// The JSON array of `instructions`.
///
/// # Errors
/// Out of memory.
pub(crate) fn to_json(instructions: &[Instruction]) -> Result<String> {
    let mut json = Json::with_room();
    json.raw("[");
    for instruction in instructions {
        json.comma();
        instruction.write(&mut json);
    }
    json.raw("]");
    json.finish()
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
