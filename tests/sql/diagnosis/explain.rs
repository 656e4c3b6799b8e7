//! `powersync_explain` (docs/reference/functions.md#powersync_explain).

use rowtide_testkit::Host;
use rowtide_testkit::service::Service;
use serde_json::{Value, json};

const ONE: [&str; 2] = ["lists", "1"];

fn host() -> Host {
    let host = Host::open_in_memory();
    host.replace_schema(&json!({"tables": [
        {"name": "lists", "columns": [{"name": "name", "type": "text"}]},
        {"name": "notes", "columns": [{"name": "name", "type": "text"}], "local_only": true},
    ]}));
    host
}

fn service() -> Service {
    let mut service = Service::new();
    service.put("a", "lists", "1", &json!({"name": "x"}));
    service
}

fn sync(host: &Host, service: &Service) {
    host.control("start", ());
    service.lines(0).iter().for_each(|line| drop(host.line(line)));
    host.control("stop", ());
}

#[track_caller]
fn explain(host: &Host, row: [&str; 2]) -> Value {
    let text = host.value_with("SELECT powersync_explain(?, ?)", row);
    let explanation: Value = serde_json::from_str(text.as_str().unwrap()).unwrap();
    assert!(explanation["text"].as_str() > Some(""));
    explanation
}

#[track_caller]
fn assert_state(host: &Host, row: [&str; 2], expected: &str) {
    let explanation = explain(host, row);
    assert_eq!(explanation["state"], expected, "{explanation}");
}

#[test]
fn a_row_is_as_downloaded_or_absent() {
    let (host, mut service) = (host(), service());
    assert_state(&host, ONE, "absent");
    service.put("b", "lists", "1", &json!({"name": "y"}));
    sync(&host, &service);
    let explanation = explain(&host, ONE);
    let expected = json!({"type": "lists", "id": "1", "table": {"name": "ps_data__lists", "kind": "json"},
        "shown": {"name": "y"}, "versions": [
            {"bucket": "b", "op_id": "2", "published": true, "pending": false, "data": {"name": "y"}},
            {"bucket": "a", "op_id": "1", "published": false, "pending": false, "data": {"name": "x"}},
        ], "local": [], "rejected": [], "state": "as downloaded", "text": explanation["text"]});
    assert_eq!(explanation, expected);
    assert_state(&host, ["lists", "2"], "absent");
    service.remove("a", "lists", "1");
    service.remove("b", "lists", "1");
    sync(&host, &service);
    assert_state(&host, ONE, "absent");
}

#[test]
fn local_writes_are_shown_until_they_are_acknowledged() {
    let (host, mut service) = (host(), service());
    sync(&host, &service);
    host.execute("UPDATE lists SET name = 'mine' WHERE id = '1'; INSERT INTO lists(id, name) VALUES ('2', 'other')");
    let explanation = explain(&host, ONE);
    assert_eq!(explanation["shown"], json!({"name": "mine"}));
    let entry = json!({"entry_id": "1", "transaction_id": "1", "op": "PATCH", "data": {"name": "mine"}, "old": null});
    assert_eq!(explanation["local"], json!([entry]));
    assert_state(&host, ONE, "changed locally");
    host.execute("DELETE FROM ps_crud");
    assert_state(&host, ONE, "changed locally");
    host.control("target_checkpoint_request_id", 1);
    service.write_checkpoint = Some(1);
    sync(&host, &service);
    assert_state(&host, ONE, "as downloaded");
    host.execute("UPDATE lists SET name = 'mine' WHERE id = '1'");
    host.transaction("SELECT powersync_crud_reject(tx_id, 'no', 'refused') FROM ps_crud", []);
    let rejected = json!([{"transaction_id": "3", "code": "no", "message": "refused"}]);
    assert_eq!(explain(&host, ONE)["rejected"], rejected);
}

#[test]
fn a_newer_version_waits() {
    let (host, mut service) = (host(), service());
    sync(&host, &service);
    service.put("a", "lists", "1", &json!({"name": "y"}));
    host.control("start", ());
    host.line(&service.checkpoint());
    host.line(&service.data("a", 1));
    assert_state(&host, ONE, "newer version waits for its checkpoint");
    let versions = &explain(&host, ONE)["versions"];
    let flags =
        |index: usize| json!([versions[index]["op_id"], versions[index]["pending"], versions[index]["published"]]);
    assert_eq!([flags(0), flags(1)], [json!(["2", true, false]), json!(["1", false, true])]);
    host.execute("INSERT INTO lists(id, name) VALUES ('2', 'mine')");
    host.line(&service.complete());
    assert_state(&host, ONE, "newer version waits for the gate");
}

#[test]
fn other_causes_are_told_apart() {
    let (host, mut service) = (host(), service());
    service.put("a", "todos", "t", &json!({"done": 1}));
    sync(&host, &service);
    assert_state(&host, ["todos", "t"], "type not in the schema");
    assert_eq!(explain(&host, ["todos", "t"])["shown"], json!({"done": 1}));
    host.execute(r#"UPDATE ps_data__lists SET data = '{"name":"changed"}'"#);
    assert_state(&host, ONE, "differs from what was downloaded");
    host.execute("DELETE FROM ps_data__lists");
    assert_state(&host, ONE, "differs from what was downloaded");
    host.execute("INSERT INTO notes(id, name) VALUES ('1', 'mine')");
    assert_state(&host, ["notes", "1"], "changed locally");
    assert_eq!(explain(&host, ["notes", "1"])["table"]["name"], "ps_data_local__notes");
}

#[test]
fn rows_of_raw_tables_are_compared_by_their_existence() {
    let (host, service) = (host(), service());
    host.execute("CREATE TABLE mine(id TEXT PRIMARY KEY, name TEXT, size REAL, image BLOB) STRICT");
    host.replace_schema(&json!({"tables": [], "raw_tables": [{"name": "lists", "table_name": "mine",
        "put": {"sql": "INSERT INTO mine VALUES (?, ?, 1.5, x'00')", "params": ["Id", {"Column": "name"}]},
        "delete": {"sql": "DELETE FROM mine WHERE id = ?", "params": ["Id"]}}]}));
    sync(&host, &service);
    let explanation = explain(&host, ONE);
    assert_eq!(explanation["table"], json!({"name": "mine", "kind": "raw"}));
    assert_eq!(explanation["shown"], json!({"name": "x", "size": 1.5, "image": null}));
    assert_eq!(explanation["state"], "as downloaded");
    host.execute("DELETE FROM mine");
    assert_state(&host, ONE, "differs from what was downloaded");
}

#[test]
fn wrong_arguments_and_missing_tables_are_errors() {
    let host = Host::open_in_memory();
    assert_eq!(host.error("SELECT powersync_explain('a', 1)").code, 3091);
    assert_eq!(host.error("SELECT powersync_explain(NULL, 'a')").code, 3091);
    assert!(host.error("SELECT powersync_explain('a', 'b')").message.contains("There are no internal tables"));
}
