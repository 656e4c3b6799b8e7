//! `rowtide dev`.

use std::collections::BTreeSet;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::{Running, command, folder, operations, puts, rows, run, text, write};

fn dev(folder: &std::path::Path, more: &[&str]) -> Running {
    Running::start(command(folder, &[&["dev", "--port", "0", "--json"], more].concat()))
}

fn token_of(service: &Running, user: &str) -> String {
    service.get("/dev/token").query(&[("user", user)]).send().unwrap().text().unwrap()
}

#[test]
fn the_todo_app_syncs_follows_its_file_and_goes_back_to_its_seed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let mut service = dev(path, &[]);
    let todos = ["list-garden", "todo-6", "todo-7"];
    let bob = service.line["tokens"]["bob"].as_str().unwrap().to_owned();
    let mut stream = service.stream(&bob);
    assert_eq!(rows(&stream.checkpoint()), puts(&todos));
    assert_eq!(rows(&service.stream(&token_of(&service, "bob")).checkpoint()), puts(&todos));
    let printed = run(path, &["token", "--user", "bob"]);
    assert_eq!(rows(&service.stream(text(&printed.stdout).trim()).checkpoint()), puts(&todos));

    let source = path.join("rowtide-dev/source.db");
    write(&source, "INSERT INTO todos (id, list_id, description) VALUES ('new', 'list-garden', 'x')");
    assert_eq!(rows(&stream.checkpoint()), puts(&["new"]));
    let reset = service.post("/dev/reset").send().unwrap();
    assert_eq!(reset.status(), 200);
    // The answer comes when clients get the seed.
    let mut held = BTreeSet::new();
    for operation in operations(&service.stream(&bob).checkpoint()) {
        match (operation["op"].as_str(), operation["object_id"].as_str()) {
            (Some("PUT"), Some(id)) => drop(held.insert(id.to_owned())),
            (Some("REMOVE"), Some(id)) => drop(held.remove(id)),
            _ => {}
        }
    }
    assert_eq!(held, todos.map(str::to_owned).into());
    let gone = stream.operation(|operation| operation["object_id"] == "new");
    assert_eq!(gone["op"], "REMOVE");

    let config = path.join("rowtide-dev/sync.yaml");
    let yaml = fs::read_to_string(&config).unwrap();
    fs::write(&config, yaml.replace("FROM lists WHERE owner_id = auth.user_id()", "FROM lists")).unwrap();
    service.error_with("deployed");
    stream.operation(|operation| operation["object_id"] == "list-trip");

    service.signal("TERM");
    while stream.next().is_some() {}
    assert_eq!(service.ended().code(), Some(0));
}

#[test]
fn tokens_are_for_this_machine() {
    let folder = tempfile::tempdir().unwrap();
    let service = dev(folder.path(), &["--ephemeral"]);
    let status = |header: &str, value: &str| {
        let request = service.get("/dev/token?user=ann").header(header, value);
        request.send().unwrap().status().as_u16()
    };
    assert_eq!(status("origin", "https://example.com"), 401);
    assert_eq!(status("origin", "null"), 401);
    assert_eq!(status("host", "rebound.example.com"), 401);
    assert_eq!(status("origin", "http://localhost:5173"), 200);
    assert_eq!(status("host", "10.0.2.2:8080"), 200, "as an Android emulator calls this machine");
    let refused = service.post("/dev/reset").header("origin", "https://example.com").send().unwrap();
    assert_eq!(refused.status(), 401);
    assert_eq!(service.get("/dev/token").send().unwrap().status(), 400);
    let answer = service.get("/dev/token?user=ann").header("accept", "application/json").send().unwrap();
    let answer: Value = answer.json().unwrap();
    assert_eq!(answer["endpoint"].as_str(), Some(service.url.as_str()));
    assert_eq!(service.stream(answer["token"].as_str().unwrap()).checkpoint().len(), 2);
    let page = service.get("/").send().unwrap().text().unwrap();
    assert!(page.contains(&format!("{}/dev/token?user=NAME", service.url)), "{page}");
}

#[test]
fn it_serves_a_configuration_of_ones_own() {
    let folder = folder();
    let arguments = ["sync.yaml", "--seed", "seed.sql", "--ephemeral", "--user", "ann", "--deterministic"];
    let service = dev(folder.path(), &arguments);
    let ann = service.line["tokens"]["ann"].as_str().unwrap();
    assert_eq!(rows(&service.stream(ann).checkpoint()), puts(&["n1", "n2"]));
    let another = dev(folder.path(), &arguments);
    assert_eq!(rows(&another.stream(ann).checkpoint()), puts(&["n1", "n2"]), "the secret is the same each time");
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 2, "the configuration and the seed");
}

/// Whoever has started it may be killed, or be unable to send signals; its end of a pipe closes all the same.
#[test]
fn it_stops_with_its_standard_input_if_that_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["dev", "--port", "0", "--json", "--ephemeral"];
    let asked = command(folder.path(), &[&arguments[..], &["--stop-with-stdin"]].concat());
    let (mut service, mut input) = Running::start_with_input(asked);
    let kept = std::path::PathBuf::from(service.line["folder"].as_str().unwrap());
    input.write_all(b"anything\n").unwrap();
    let mut stream = service.stream(&token_of(&service, "bob"));
    stream.checkpoint();
    assert!(kept.exists());
    drop(input);
    while stream.next().is_some() {}
    assert_eq!(service.ended().code(), Some(0));
    assert!(!kept.exists(), "what is ephemeral is removed");

    let service = Running::start(command(folder.path(), &arguments));
    assert_eq!(service.stream(&token_of(&service, "bob")).checkpoint().len(), 5, "otherwise its input does not matter");
}

#[test]
fn its_screen_fits_a_terminal() {
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["dev", "--port", "0", "--ready-file", "ready.json"];
    let mut child = command(folder.path(), &arguments).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    let screen: Vec<String> = lines.by_ref().take_while(|line| line != "Ctrl-C stops it.").collect();
    child.kill().unwrap();
    child.wait().unwrap();
    let too_wide: Vec<&String> = screen.iter().filter(|line| line.chars().count() > 80).collect();
    assert!(too_wide.is_empty(), "{too_wide:?}");
    let screen = screen.join("\n");
    assert!(!screen.contains('\u{1b}'), "it is plain when it is piped");
    for part in [
        "/dev/token?user=alice",
        "rowtide-dev/sync.yaml",
        "--dev-user alice alice.db",
        "shell --write rowtide-dev/source.db",
        "/dev/reset",
    ] {
        assert!(screen.contains(part), "{part}: {screen}");
    }
}

#[test]
fn a_configuration_with_errors_ends_it() {
    let folder = folder();
    fs::write(folder.path().join("sync.yaml"), "config: {edition: 3}\nstreams: {}\nextra: 1\n").unwrap();
    let output = run(folder.path(), &["dev", "sync.yaml", "--port", "0", "--ephemeral"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(text(&output.stderr).starts_with("sync.yaml:3:1: error[C003]"), "{}", text(&output.stderr));
    assert_eq!(run(folder.path(), &["dev", "no.yaml"]).status.code(), Some(2));
}

/// Uploads one operation; gives its result.
fn upload(service: &Running, user: &str, operation: &Value) -> Value {
    let request = service.post("/api/data").header("authorization", format!("Bearer {}", token_of(service, user)));
    let answer = request.json(&json!({"transactions": [{"crud": [operation]}]})).send().unwrap();
    assert_eq!(answer.status(), 200);
    answer.json::<Value>().unwrap()["results"][0].clone()
}

#[test]
fn the_todo_app_can_be_written_to() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = dev(folder.path(), &[]);
    let mut stream = service.stream(&token_of(&service, "alice"));
    stream.checkpoint();
    let list = json!({"id": "l", "op": "PUT", "table": "lists", "op_data": {"name": "New", "owner_id": "bob"}});
    assert_eq!(upload(&service, "alice", &list)["status"], "success");
    let arrived = stream.operation(|operation| operation["object_id"] == "l");
    assert!(arrived["data"].as_str().unwrap().contains("\"owner_id\":\"alice\""), "{arrived}");
    let todo = json!({"id": "t", "op": "PUT", "table": "todos", "op_data": {"list_id": "l", "description": "x"}});
    assert_eq!(upload(&service, "bob", &todo)["status"], "fatal_error", "it is alice's list");
    assert_eq!(upload(&service, "alice", &todo)["status"], "success");
    stream.operation(|operation| operation["object_id"] == "t");
    let done = json!({"id": "t", "op": "PATCH", "table": "todos", "op_data": {"done": 1}});
    assert_eq!(upload(&service, "alice", &done)["status"], "success");

    fs::write(folder.path().join("rowtide-dev/writes.yaml"), "writes: {default: deny}\n").unwrap();
    service.error_with("writes.yaml: deployed");
    assert_eq!(upload(&service, "alice", &done)["status"], "fatal_error", "by the new rules");
    fs::write(folder.path().join("rowtide-dev/writes.yaml"), "writes: {default: perhaps}\n").unwrap();
    service.error_with("writes.yaml: has errors");
    assert_eq!(service.post("/dev/reset").send().unwrap().status(), 200);
    stream.operation(|operation| operation["op"] == "REMOVE" && operation["object_id"] == "l");
}
