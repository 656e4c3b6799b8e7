//! The library in other versions of SQLite than the newest: each runs a small sync and a local write, the oldest ones
//! are refused (docs/reference/functions.md#loading).

use rowtide_testkit::service::Service;
use rowtide_testkit::versions::{ScriptHost, quote};
use serde_json::json;

/// A sync of two checkpoints with a local write, in SQL; prints the rows of `lists`, twice, the queued operation, and
/// whether an export to a file was made, which becomes a new client.
fn small_sync(export: &str) -> String {
    let schema = json!({"tables": [{"name": "lists", "columns": [{"name": "name", "type": "text"}]}]});
    let mut service = Service::new();
    service.put("a", "lists", "l1", &json!({"name": "it's one"}));
    service.put("a", "lists", "l2", &json!({"name": "two"}));
    let mut script = format!(
        "SELECT sqlite_version();\nBEGIN;\nSELECT powersync_replace_schema({});\nCOMMIT;\n",
        quote(&schema.to_string())
    );
    script += "CREATE TEMP TABLE instructions(list TEXT);\n";
    let call = |operation: &str, payload: &str| {
        let select = format!("INSERT INTO instructions SELECT powersync_control({}, {payload});\n", quote(operation));
        format!("BEGIN IMMEDIATE;\n{select}COMMIT;\n")
    };
    script += &call("start", "NULL");
    let feed = |service: &Service, after| -> String {
        service.lines(after).iter().map(|line| call("line_text", &quote(&line.to_string()))).collect()
    };
    script += &feed(&service, 0);
    script += "SELECT id, name FROM lists ORDER BY id;\n";
    let before = service.last_op_id;
    service.remove("a", "lists", "l1");
    service.put("a", "lists", "l3", &json!({"name": "three"}));
    script += &feed(&service, before);
    script += "SELECT id, name FROM lists ORDER BY id;\n";
    script += "UPDATE lists SET name = 'mine' WHERE id = 'l2';\n";
    script += "SELECT data FROM ps_crud;\n";
    script += &call("stop", "NULL");
    script += &format!("SELECT json_extract(powersync_export({}), '$.bytes') > 0;\n", quote(export));
    script
}

fn syncs(host: &ScriptHost, version: &str) {
    let directory = tempfile::tempdir().unwrap();
    let (database, export) = (directory.path().join("small.db"), directory.path().join("export.db"));
    let output = host.run(database.to_str().unwrap(), &small_sync(export.to_str().unwrap())).unwrap();
    let lines: Vec<&str> = output.iter().map(String::as_str).filter(|line| !line.is_empty()).collect();
    let queued = r#"{"op":"PATCH","id":"l2","type":"lists","data":{"name":"mine"}}"#;
    assert!(lines[0].starts_with(version), "SQLite {} instead of {version}", lines[0]);
    assert_eq!(lines[1..5], ["l1|it's one", "l2|two", "l2|two", "l3|three"]);
    let actual: serde_json::Value = serde_json::from_str(lines[5]).unwrap();
    assert_eq!(actual, serde_json::from_str::<serde_json::Value>(queued).unwrap());
    assert_eq!(lines[6..], ["1"]);
    let adopting = "BEGIN;\nSELECT powersync_init();\nCOMMIT;\nSELECT length(powersync_client_id());\n";
    assert_eq!(host.run(export.to_str().unwrap(), adopting).unwrap(), ["", "36"]);
}

#[test]
fn the_systems_shell_syncs() {
    syncs(&ScriptHost::system(), "3.");
}

#[test]
fn the_oldest_supported_version_syncs() {
    syncs(&ScriptHost::oldest_supported(), "3.38.");
}

#[test]
fn an_older_version_is_refused_with_a_message_that_helps() {
    let error = ScriptHost::too_old().run(":memory:", "SELECT 'loaded';").unwrap_err();
    for part in [env!("CARGO_PKG_VERSION"), "3.38.0", "3.37.0"] {
        assert!(error.contains(part), "no {part} in: {error}");
    }
}
