//! `rowtide dead-letters`.

use std::path::Path;
use std::process::Output;

use serde_json::{Value, json};

use crate::support::{Running, command, run, text};

fn dev(folder: &Path, more: &[&str]) -> Running {
    Running::start(command(folder, &[&["dev", "--port", "0", "--json"], more].concat()))
}

/// Has a write refused: bob's todo in a list of alice.
fn refuse(service: &Running) {
    let token = service.line["tokens"]["bob"].as_str().unwrap();
    let todo =
        json!({"id": "t", "op": "PUT", "table": "todos", "op_data": {"list_id": "list-trip", "description": "x"}});
    let body = json!({"transactions": [{"transaction_id": 7, "crud": [todo]}]});
    let request = service.post("/api/data").header("authorization", format!("Bearer {token}"));
    let answer: Value = request.json(&body).send().unwrap().json().unwrap();
    assert_eq!(answer["results"][0]["status"], "fatal_error", "{answer}");
}

#[track_caller]
fn fine(output: &Output) -> String {
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    text(&output.stdout)
}

#[test]
fn refused_writes_are_listed_shown_replayed_and_discarded() {
    let folder = tempfile::tempdir().unwrap();
    let service = dev(folder.path(), &[]);
    let url = service.url.clone();
    let letters = |arguments: &[&str]| run(folder.path(), &[&["dead-letters"], arguments, &["--url", &url]].concat());
    assert_eq!(fine(&letters(&["list"])), "There are no open dead letters.\n");
    refuse(&service);
    refuse(&service);
    let listed: Value = serde_json::from_str(&fine(&letters(&["list", "--json"]))).unwrap();
    let ids: Vec<String> = listed["dead_letters"].as_array().unwrap().iter().map(|one| one["id"].to_string()).collect();
    let [second, first] = ids.as_slice() else { panic!("{listed}") };
    let page = fine(&letters(&["list"]));
    assert!(page.lines().count() == 3 && page.contains("bob") && page.contains("UNAUTHORIZED"), "{page}");
    let shown = fine(&letters(&["show", first]));
    assert!(shown.contains("transaction 7 of bob") && shown.contains("1. inserts todos t: "), "{shown}");
    assert!(shown.contains("\"list_id\":\"list-trip\"") && shown.contains("(this one was refused)"), "{shown}");

    let unasked = letters(&["replay", first]);
    assert_eq!(unasked.status.code(), Some(2));
    assert!(text(&unasked.stderr).contains("give --yes"), "{}", text(&unasked.stderr));
    let refused = letters(&["replay", first, "--yes"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stdout).contains("was refused again, and stays open"), "{}", text(&refused.stdout));
    let source = folder.path().join("rowtide-dev/source.db");
    crate::support::write(&source, "UPDATE lists SET owner_id = 'bob' WHERE id = 'list-trip'");
    assert_eq!(fine(&letters(&["replay", first, "--yes"])), format!("Dead letter {first} is applied.\n"));
    let discarded: Value =
        serde_json::from_str(&fine(&letters(&["discard", second, "--note", "twice", "--yes", "--json"]))).unwrap();
    assert_eq!(discarded["dead_letter"]["state"], "discarded");
    assert_eq!(discarded["dead_letter"]["note"], "twice");
    assert_eq!(fine(&letters(&["list"])), "There are no open dead letters.\n");
    assert_eq!(fine(&letters(&["list", "--state", "all"])).lines().count(), 3);
    let again = letters(&["discard", first, "--yes"]);
    assert_eq!(again.status.code(), Some(1));
    assert!(text(&again.stderr).contains("only open ones can change"), "{}", text(&again.stderr));
    assert_eq!(letters(&["show", "99"]).status.code(), Some(1));
}

#[test]
fn the_folder_of_a_stopped_service_has_them_too() {
    let folder = tempfile::tempdir().unwrap();
    let mut service = dev(folder.path(), &[]);
    refuse(&service);
    service.signal("TERM");
    assert_eq!(service.ended().code(), Some(0));
    let letters = |arguments: &[&str]| run(folder.path(), &[&["dead-letters"], arguments].concat());
    let listed: Value = serde_json::from_str(&fine(&letters(&["list", "--dir", "rowtide-dev", "--json"]))).unwrap();
    let id = listed["dead_letters"][0]["id"].to_string();
    assert!(fine(&letters(&["show", &id, "--dir", "rowtide-dev"])).contains("of bob"));
    assert_eq!(letters(&["replay", &id, "--yes", "--dir", "rowtide-dev"]).status.code(), Some(1), "by the same rules");
    assert!(fine(&letters(&["discard", &id, "--yes", "--dir", "rowtide-dev"])).contains("is discarded"));
    assert_eq!(letters(&["list", "--dir", "."]).status.code(), Some(2), "it is no such folder");
    assert_eq!(letters(&["list"]).status.code(), Some(2), "it needs a place");
}

#[test]
fn without_an_admin_token_a_development_service_is_administered_from_this_machine() {
    let folder = tempfile::tempdir().unwrap();
    let open = dev(folder.path(), &["--ephemeral"]);
    let status = |service: &Running, header: Option<(&str, &str)>| {
        let request = service.get("/api/admin/v1/status");
        let request = header.into_iter().fold(request, |request, (name, value)| request.header(name, value));
        request.send().unwrap().status().as_u16()
    };
    assert_eq!(status(&open, None), 200);
    assert_eq!(status(&open, Some(("origin", "http://localhost:5173"))), 200);
    assert_eq!(status(&open, Some(("origin", "https://example.com"))), 401);
    assert_eq!(status(&open, Some(("host", "rebound.example.com"))), 401);
    let schema = |origin: &str| open.get("/dev/schema").header("origin", origin).send().unwrap().status().as_u16();
    assert_eq!((schema("http://localhost"), schema("https://example.com")), (200, 401));
    let closed = dev(folder.path(), &["--ephemeral", "--admin-token", "a-token"]);
    assert_eq!(status(&closed, None), 401);
    assert_eq!(status(&closed, Some(("authorization", "Bearer a-token"))), 200);
}
