//! A session that makes the library give every instruction and every member of a status.

use std::collections::{BTreeMap, BTreeSet};

use rowtide_testkit::{Host, HostError};
use serde_json::{Value, json};

/// What a session has seen. The contents of objects whose members somebody else names are left out.
#[derive(Debug, Clone, Default)]
pub struct Seen {
    /// By instruction, the names of its members at any depth but for those of a status.
    pub instructions: BTreeMap<String, BTreeSet<String>>,
    /// The names of a status's members at any depth.
    pub status: BTreeSet<String>,
    /// The keys of `ps_kv`.
    pub keys: BTreeSet<String>,
}

/// Members whose content is not the library's: a stream's parameters, and what the app passes on.
const FOREIGN: &[&str] = &["parameters", "app_metadata"];

impl Seen {
    /// Runs the session.
    ///
    /// # Errors
    /// What SQLite reports for a call.
    pub fn run() -> Result<Self, HostError> {
        let host = Host::open_in_memory();
        let mut seen = Self::default();
        let schema = json!({"tables": [{"name": "lists", "columns": [{"name": "name"}]}]});
        host.try_transaction("SELECT powersync_replace_schema(?)", [schema.to_string()])?;
        host.try_control("subscriptions", json!({"subscribe": {"stream": {"name": "s"}}}))?;
        let options = json!({"checkpoint_mode": "requests", "diagnostics": {}, "app_metadata": {"a": 1}});
        seen.note(&host.try_control("start", options)?);
        let complete = json!({"checkpoint_complete": {"last_op_id": "1"}});
        for line in [
            json!({"checkpoint": {"last_op_id": "1", "write_checkpoint": "1",
                "buckets": [{"bucket": "b", "checksum": 1, "count": 1, "subscriptions": [{"sub": 0}]}],
                "streams": [{"name": "s", "is_default": false, "errors": []}]}}),
            json!({"data": {"bucket": "b", "data": [{"op_id": "1", "op": "PUT", "object_type": "lists",
                "object_id": "l1", "checksum": 1, "data": "{\"name\":\"one\"}"}]}}),
            complete.clone(),
        ] {
            seen.note(&host.try_control("line_text", line)?);
        }
        seen.note_keys(&host)?;
        host.try_control("seed_checkpoint_request_id", 1)?;
        host.try_execute("INSERT INTO lists(id, name) VALUES ('l2', 'two')")?;
        seen.note(&host.try_control("line_text", complete)?);
        seen.note(&host.try_control("line_text", json!({"token_expires_in": 0}))?);
        seen.note_keys(&host)?;
        Ok(seen)
    }

    fn note(&mut self, instructions: &Value) {
        for (name, content) in instructions.as_array().into_iter().flatten().filter_map(Value::as_object).flatten() {
            let members = self.instructions.entry(name.clone()).or_default();
            if name == "UpdateSyncStatus" {
                members.insert("status".to_owned());
                note_members(&content["status"], &mut self.status);
            } else {
                note_members(content, members);
            }
        }
    }

    fn note_keys(&mut self, host: &Host) -> Result<(), HostError> {
        let keys = host.try_rows("SELECT key FROM ps_kv", [])?.into_iter().flatten();
        self.keys.extend(keys.filter_map(|key| key.as_str().map(str::to_owned)));
        Ok(())
    }
}

/// Collects the names of all members in `value`. Those of priorities are one: `prio_3` counts as `prio_`.
fn note_members(value: &Value, names: &mut BTreeSet<String>) {
    match value {
        Value::Array(items) => items.iter().for_each(|item| note_members(item, names)),
        Value::Object(members) => {
            for (name, content) in members {
                names.insert(name.trim_end_matches(|last: char| last.is_ascii_digit()).to_owned());
                if !FOREIGN.contains(&name.as_str()) {
                    note_members(content, names);
                }
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::source;

    #[test]
    fn the_session_sees_every_instruction() {
        let seen = Seen::run().unwrap();
        let all = source::variants("crates/core/src/sync_client/instruction.rs", "Instruction").unwrap();
        assert_eq!(seen.instructions.keys().cloned().collect::<BTreeSet<_>>(), all);
        let diagnostics = source::variants("crates/core/src/sync_client/instruction.rs", "Diagnostics").unwrap();
        assert!(diagnostics.is_subset(&seen.instructions["HandleDiagnostics"]));
        assert!(seen.instructions["EstablishSyncStream"].contains("checkpoint_request"));
        assert!(seen.instructions["DidCompleteSync"].contains("applied_checkpoint_request_id"));
        for member in
            ["prio_", "target_count", "has_explicit_subscription", "internal_last_applied_checkpoint_request_id"]
        {
            assert!(seen.status.contains(member), "{member}");
        }
        assert!(!seen.instructions["EstablishSyncStream"].contains("a"), "app_metadata is the app's");
    }
}
