//! `--once`.

use std::io::{Read, Write};
use std::net::TcpListener;

use serde_json::Value;

use crate::support::{SCHEMA, Service, command, run, text};

#[test]
fn a_file_is_synced_and_what_is_written_to_it_uploaded() {
    let service = Service::start();
    let first = run(&mut service.as_alice(&["--once", "app.db"]));
    assert_eq!((first.code, first.errors.as_str()), (Some(0), ""));
    assert_eq!(first.lines, ["connected", "checkpoint 1: 7 operations", "app.db is in sync"]);
    let app = service.app("app.db");
    assert_eq!(text(&app, "SELECT count(*) FROM todos"), "5");

    app.execute("UPDATE todos SET done = 1 WHERE id = 'todo-1'", ()).unwrap();
    service.source().execute("DELETE FROM todos WHERE id = 'todo-2'", ()).unwrap();
    // The file has its schema now.
    let second =
        run(&mut service.sync(&["--dev-user", "alice", "--once", "--bson", "--checkpoint-requests", "app.db"]));
    assert_eq!((second.code, second.errors.as_str()), (Some(0), ""));
    assert!(second.lines.contains(&"uploaded 1 write".to_owned()), "{:?}", second.lines);
    assert_eq!(text(&service.source(), "SELECT done FROM todos WHERE id = 'todo-1'"), "1");
    assert_eq!(text(&app, "SELECT count(*) || ' ' || sum(done) FROM todos"), "4 2");
    assert_eq!(text(&app, "SELECT powersync_diagnose() ->> '$.gate.open'"), "1");
}

#[test]
fn a_service_that_cannot_be_reached_is_named_once() {
    let folder = tempfile::tempdir().unwrap();
    // Nobody listens there any more.
    let url = format!("http://{}", TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
    let ended = run(&mut command(folder.path(), &["sync", "--url", &url, "--token", "x", "--once", "app.db"]));
    assert_eq!(ended.code, Some(1));
    assert_eq!(ended.errors.matches(&format!("error: cannot reach {url}: ")).count(), 1, "{}", ended.errors);
    assert!(ended.errors.ends_with("check the URL, and that the service is running and can be reached.\n"));
    assert_eq!(ended.errors.lines().count(), 3, "with the line about the schema: {}", ended.errors);
    assert!(ended.lines.is_empty(), "{:?}", ended.lines);
    let ended = run(&mut command(folder.path(), &["sync", "--url", &url, "--dev-user", "x", "--once", "app.db"]));
    assert_eq!(ended.code, Some(1));
    assert!(ended.errors.contains(&format!("error: the app has no token: cannot reach {url}: ")), "{}", ended.errors);
}

#[test]
fn a_service_that_refuses_is_quoted() {
    let service = Service::start();
    let ended = run(&mut service.sync(&["--token", "nonsense", "--schema", "schema.json", "--once", "app.db"]));
    assert_eq!(ended.code, Some(1));
    let message = format!("error: POST {}/sync/stream was answered with 401: PSYNC_S2101: ", service.url);
    assert!(ended.errors.starts_with(&message), "{}", ended.errors);
    assert!(ended.errors.ends_with(". Check that the token is of this service, and not expired\n"), "{}", ended.errors);
    assert_eq!(ended.errors.lines().count(), 1, "{}", ended.errors);
}

#[test]
fn writes_that_nobody_uploads_are_counted() {
    let service = Service::start();
    assert_eq!(run(&mut service.as_alice(&["--once", "app.db"])).code, Some(0));
    service.app("app.db").execute_batch("UPDATE todos SET done = 1; DELETE FROM lists").unwrap();
    let ended = run(&mut service.sync(&["--token-command", &service.token_command(), "--once", "app.db"]));
    assert_eq!(ended.code, Some(1));
    let message = "error: 7 writes wait in the upload queue, and downloads wait behind them: say with --upload-url URL where to \
                   upload them\n";
    assert_eq!(ended.errors, message);
    let url = format!("{}/api/data", service.url);
    let uploads = ["--token-command", &service.token_command(), "--upload-url", &url, "--once", "app.db"];
    let ended = run(&mut service.sync(&uploads));
    assert_eq!((ended.code, ended.errors.as_str()), (Some(0), ""));
    assert!(ended.lines.contains(&"uploaded 7 writes".to_owned()), "{:?}", ended.lines);
}

#[test]
fn writes_that_are_refused_are_an_error() {
    let service = Service::start();
    assert_eq!(run(&mut service.as_alice(&["--once", "app.db"])).code, Some(0));
    let sql = "INSERT INTO todos (id, list_id, description, done) VALUES ('bad', 'list-garden', 'Weeds', 0)";
    service.app("app.db").execute(sql, ()).unwrap();
    let ended = run(&mut service.as_alice(&["--once", "app.db"]));
    assert_eq!(ended.code, Some(1));
    let message =
        "error: the backend has refused 1 transaction: it is in the view powersync_rejected, with the reason\n";
    assert_eq!(ended.errors, message);
    assert_eq!(text(&service.app("app.db"), "SELECT code FROM powersync_rejected"), "UNAUTHORIZED");
}

#[test]
fn streams_and_parameters_are_asked_for() {
    let service = Service::start();
    let ended = run(&mut service.as_alice(&[
        "--stream",
        r#"list={"id": "list-trip"}"#,
        "--parameters",
        r#"{"a": 1}"#,
        "--json",
        "--once",
        "app.db",
    ]));
    assert_eq!((ended.code, ended.errors.as_str()), (Some(0), ""));
    let statuses: Vec<Value> = ended.lines.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
    let last = statuses.last().unwrap();
    let streams = last["streams"].as_array().unwrap();
    let list = streams.iter().find(|stream| stream["name"] == "list").unwrap();
    assert_eq!(list["parameters"]["id"], "list-trip");
    assert!(list["last_synced_at"].is_u64() && list["has_subscription"] == true, "{list}");
    assert_eq!((&last["first_sync"], &last["queued"], &last["checkpoints"]), (&true.into(), &0.into(), &1.into()));
    assert!(statuses.iter().any(|status| status["connecting"] == true));
}

#[test]
fn wrong_use_is_told_apart() {
    let service = Service::start();
    let usage = |arguments: &[&str]| {
        let ended = run(&mut service.sync(arguments));
        assert_eq!(ended.code, Some(2), "{}", ended.errors);
        assert!(!service.path("app.db").exists(), "a file was made");
        ended.errors
    };
    let tokens = usage(&["app.db"]);
    assert!(tokens.starts_with("error: There is no token: give one with --token TOKEN, "), "{tokens}");
    assert!(usage(&["--token", "a", "--dev-user", "b", "app.db"]).contains("cannot be used with"));
    assert!(usage(&["--token", "a", "--stream", "={}", "app.db"]).contains("write NAME or NAME=JSON"));
    assert!(usage(&["--token", "a", "--parameters", "[]", "app.db"]).contains("must be an object in JSON"));
    let folder = tempfile::tempdir().unwrap();
    let ended = run(&mut command(folder.path(), &["sync", "--url", "localhost:1", "--token", "a", "app.db"]));
    assert_eq!(ended.code, Some(2));
    assert!(ended.errors.contains("localhost:1 is no URL of a sync service"), "{}", ended.errors);
    let ended = run(&mut service.sync(&["--token", "a", "--schema", "none.json", "app.db"]));
    assert!(ended.code == Some(1) && ended.errors.contains("cannot read none.json: "), "{}", ended.errors);
}

#[test]
fn a_new_file_without_a_schema_is_told_of_and_keeps_its_rows() {
    let service = Service::start();
    let arguments = ["--token-command", &service.token_command(), "--once", "app.db"];
    let ended = run(&mut service.sync(&arguments));
    assert_eq!(ended.code, Some(0));
    assert!(ended.errors.starts_with("app.db has no schema: what is downloaded goes to the table ps_untyped"));
    assert!(ended.errors.contains("--schema FILE"), "{}", ended.errors);
    assert_eq!(text(&service.app("app.db"), "SELECT count(*) FROM ps_untyped"), "7");
    // Still none, so it is said again; with one the rows are there.
    assert!(!run(&mut service.sync(&arguments)).errors.is_empty());
    let with_schema = [&["--schema", "schema.json"], &arguments[..]].concat();
    assert_eq!(run(&mut service.sync(&with_schema)).errors, "");
    assert_eq!(text(&service.app("app.db"), "SELECT count(*) FROM todos"), "5");
}

#[test]
fn a_new_file_gets_the_schema_of_a_development_service() {
    // Only the routes that are asked for first.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let mut request = [0; 4096];
            let length = stream.read(&mut request).unwrap_or(0);
            let request = String::from_utf8_lossy(&request[..length]).into_owned();
            let (status, body) = match request.split(' ').nth(1) {
                Some("/dev/schema") => ("200 OK", SCHEMA),
                Some("/dev/token?user=a%26b") => ("200 OK", "token"),
                _ => ("403 Forbidden", ""),
            };
            let answer =
                format!("HTTP/1.1 {status}\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}", body.len());
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    let folder = tempfile::tempdir().unwrap();
    let ended = run(&mut command(folder.path(), &["sync", "--url", &url, "--dev-user", "a&b", "--once", "app.db"]));
    assert_eq!(ended.code, Some(1));
    let message =
        format!("error: POST {url}/sync/stream was answered with 403. The service does not let this user in\n");
    assert_eq!(ended.errors, message);
    rowtide_client::load_extension().unwrap();
    let app = rusqlite::Connection::open(folder.path().join("app.db")).unwrap();
    assert_eq!(text(&app, "SELECT count(*) FROM lists"), "0");
}
