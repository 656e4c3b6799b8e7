//! `rowtide serve`.

use std::fs;

use serde_json::{Value, json};

use crate::support::{CONFIG, Running, SECRET, command, folder, puts, rows, run, text, token, write};

const SOURCE: [&str; 4] = ["--source", "sqlite:app.db", "--seed", "seed.sql"];

#[test]
fn a_client_syncs_until_a_signal_ends_the_service() {
    let folder = folder();
    let path = folder.path();
    let mut service = Running::serve(path, &[&SOURCE[..], &["--ready-file", "ready.json"]].concat());
    let ready: Value = serde_json::from_str(&fs::read_to_string(path.join("ready.json")).unwrap()).unwrap();
    assert_eq!(ready, service.line, "file and line say the same");
    assert!(ready["pid"].is_u64(), "{ready}");

    let mut stream = service.stream(&token(path, "ann"));
    assert_eq!(rows(&stream.checkpoint()), puts(&["n1", "n2"]));
    write(&path.join("app.db"), "INSERT INTO notes VALUES ('n4', 'ann', 'four')");
    assert_eq!(rows(&stream.checkpoint()), puts(&["n4"]));

    service.signal("TERM");
    assert_eq!(stream.next(), None, "the stream ends cleanly");
    assert_eq!(service.ended().code(), Some(0));
    assert!(!path.join("ready.json").exists());
    assert!(path.join("rowtide-data/storage.db").exists(), "the default storage");
}

#[test]
fn a_killed_service_goes_on_with_its_storage() {
    let folder = folder();
    let path = folder.path();
    let arguments = [&SOURCE[..], &["--storage", "sqlite:data/here/storage.db"]].concat();
    let before = {
        let mut service = Running::serve(path, &arguments);
        let mut stream = service.stream(&token(path, "ann"));
        let lines = stream.checkpoint();
        service.signal("KILL");
        assert_eq!(service.ended().code(), None);
        lines
    };
    write(&path.join("app.db"), "INSERT INTO notes VALUES ('n5', 'ben', 'five')");
    let service = Running::serve(path, &arguments);
    let mut stream = service.stream(&token(path, "ann"));
    let after = stream.checkpoint();
    let data = |lines: &[Value]| lines.iter().filter(|line| line.get("data").is_some()).cloned().collect::<Vec<_>>();
    assert_eq!(data(&before), data(&after), "the same buckets, operation ids and checksums");
    // What was written meanwhile may come in a later checkpoint.
    let missed = service.stream(&token(path, "ben")).operation(|operation| operation["object_id"] == "n5");
    assert_eq!(missed["op"], "PUT");
}

#[test]
fn a_hangup_has_the_configuration_read_again() {
    let folder = folder();
    let path = folder.path();
    let mut service = Running::serve(path, &SOURCE);
    let mut stream = service.stream(&token(path, "ann"));
    stream.checkpoint();

    fs::write(path.join("sync.yaml"), CONFIG.replace("WHERE", "WHER")).unwrap();
    service.signal("HUP");
    let place = service.error_with("error[C020]");
    assert!(place.starts_with("sync.yaml:5:"), "{place}");
    service.error_with("what was there before stays");

    fs::write(path.join("sync.yaml"), CONFIG.replace("= auth.user_id()", "= 'ben'")).unwrap();
    service.signal("HUP");
    service.error_with("sync.yaml: deployed");
    let put = stream.operation(|operation| operation["op"] == "PUT");
    assert_eq!(put["object_id"], "n3", "the stream goes on with the new configuration");
}

#[test]
fn a_watched_configuration_is_deployed_when_it_changes() {
    let folder = folder();
    let path = folder.path();
    let mut service = Running::serve(path, &[&SOURCE[..], &["--watch"]].concat());
    fs::write(path.join("sync.yaml"), CONFIG.replace("= auth.user_id()", "= 'ben'")).unwrap();
    service.error_with("sync.yaml: deployed");
}

#[test]
fn a_configuration_with_errors_ends_it_with_their_places() {
    let folder = folder();
    fs::write(folder.path().join("sync.yaml"), CONFIG.replace("WHERE", "WHER")).unwrap();
    fs::write(folder.path().join("ready.json"), "of a run before").unwrap();
    let arguments = ["serve", "--config", "sync.yaml", "--source", "memory:", "--jwt-secret", SECRET, "--port", "0"];
    let output = run(folder.path(), &[&arguments[..], &["--ready-file", "ready.json"]].concat());
    assert_eq!(output.status.code(), Some(2));
    let errors = text(&output.stderr);
    let lines: Vec<&str> = errors.lines().collect();
    assert!(lines[0].starts_with("sync.yaml:5:37: error[C020]: "), "{errors}");
    assert_eq!(lines[1], " 5 |     query: SELECT * FROM notes WHER owner = auth.user_id()");
    assert_eq!(lines[2], "   |                                     ^^^^^", "{errors}");
    assert_eq!(lines.last(), Some(&"sync.yaml: 1 error"));
    assert!(!folder.path().join("rowtide-data").exists(), "nothing was begun");
    assert!(!folder.path().join("ready.json").exists(), "it would say something wrong");
}

#[test]
fn an_ephemeral_service_leaves_nothing() {
    let folder = folder();
    let temporary = tempfile::tempdir().unwrap();
    let arguments = ["serve", "--config", "sync.yaml", "--port", "0", "--json", "--ephemeral", "--seed", "seed.sql"];
    let mut command = command(folder.path(), &arguments);
    command.env("TMPDIR", temporary.path()).env("ROWTIDE_JWT_SECRET", SECRET);
    let mut service = Running::start(command);
    assert_eq!(rows(&service.stream(&token(folder.path(), "ben")).checkpoint()), puts(&["n3"]));
    assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 1);
    service.signal("INT");
    assert_eq!(service.ended().code(), Some(0));
    assert_eq!(fs::read_dir(temporary.path()).unwrap().count(), 0);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "the configuration and the seed");
}

#[test]
fn deterministic_storages_name_buckets_the_same() {
    let buckets = |more: &[&str]| {
        let folder = folder();
        let service = Running::serve(folder.path(), &[&["--ephemeral", "--seed", "seed.sql"], more].concat());
        let lines = service.stream(&token(folder.path(), "ann")).checkpoint();
        lines[0]["checkpoint"]["buckets"].clone()
    };
    assert_eq!(buckets(&["--deterministic"]), buckets(&["--deterministic"]));
    assert_ne!(buckets(&[]), buckets(&[]));
    let memory = ["--deterministic", "--storage", "memory:"];
    let in_memory = || {
        let folder = folder();
        let service = Running::serve(folder.path(), &[&SOURCE[..], &memory].concat());
        service.stream(&token(folder.path(), "ann")).checkpoint()[0]["checkpoint"]["buckets"].clone()
    };
    assert_eq!(in_memory(), in_memory());
}

#[test]
fn what_is_wrong_with_the_source_is_said_with_the_remedy() {
    let folder = folder();
    fs::write(folder.path().join("seed.sql"), "CREATE TABLE Notes (id TEXT PRIMARY KEY)").unwrap();
    let mut service = Running::serve(folder.path(), &SOURCE);
    let warning = service.error_with("warning: source");
    assert!(warning.contains("there is no table notes, but Notes"), "{warning}");
    let fix = service.error_with("   = ");
    assert!(fix.contains("Write Notes in the configuration."), "{fix}");
}

#[test]
fn an_address_that_others_can_reach_is_warned_of() {
    let folder = folder();
    let mut service = Running::serve(folder.path(), &[&SOURCE[..], &["--host", "0.0.0.0"]].concat());
    let warning = service.error_with("warning: ");
    assert!(warning.contains("put a proxy with TLS in front"), "{warning}");
}

#[test]
fn logs_can_be_json() {
    let folder = folder();
    let mut service = Running::serve(folder.path(), &[&SOURCE[..], &["--json-logs"]].concat());
    service.signal("TERM");
    let line: Value = serde_json::from_str(&service.error_with("stopping")).unwrap();
    assert_eq!((line["level"].as_str(), line["message"].as_str()), (Some("INFO"), Some("stopping")));
}

#[test]
fn a_port_that_is_taken_is_an_error() {
    let (first, second) = (folder(), folder());
    let service = Running::serve(first.path(), &SOURCE);
    let port = service.url.rsplit(':').next().unwrap();
    let arguments = ["serve", "--config", "sync.yaml", "--jwt-secret", SECRET, "--port", port];
    let output = run(second.path(), &[&arguments[..], &SOURCE].concat());
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stderr).contains("Address already in use"), "{}", text(&output.stderr));
}

#[test]
fn write_rules_open_the_write_path() {
    let folder = folder();
    let path = folder.path();
    let upload = |service: &Running| {
        let operation = json!({"id": "n9", "op": "PUT", "table": "notes", "op_data": {"owner": "ann", "text": "new"}});
        let request = service.post("/api/data").header("authorization", format!("Bearer {}", token(path, "ann")));
        request.json(&json!({"transactions": [{"crud": [operation]}]})).send().unwrap()
    };
    assert_eq!(upload(&Running::serve(path, &SOURCE)).status(), 404);

    fs::write(path.join("writes.yaml"), "writes: {tables: {notes: {ops: [PUT], check: owner = auth.user_id()}}}\n")
        .unwrap();
    let arguments = [&SOURCE[..], &["--writes", "writes.yaml"]].concat();
    let mut service = Running::serve(path, &arguments);
    let mut stream = service.stream(&token(path, "ann"));
    assert_eq!(upload(&service).json::<Value>().unwrap()["results"][0]["status"], "success");
    stream.operation(|operation| operation["object_id"] == "n9");
    fs::write(path.join("writes.yaml"), "writes: {}\n").unwrap();
    service.signal("HUP");
    service.error_with("writes.yaml: deployed");
    assert_eq!(upload(&service).json::<Value>().unwrap()["results"][0]["status"], "fatal_error");
    drop(service);

    fs::write(path.join("writes.yaml"), "writes:\n  tables: {nots: {}}\n").unwrap();
    let all = ["serve", "--config", "sync.yaml", "--port", "0", "--jwt-secret", SECRET];
    let output = run(path, &[&all[..], &arguments].concat());
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).starts_with("writes.yaml:2:"), "{}", text(&output.stderr));
    let output = run(path, &[&all[..], &["--source", "memory:", "--writes", "writes.yaml"]].concat());
    assert_eq!(output.status.code(), Some(2));
}
