//! Connecting, disconnecting, closing, and what happens in between.

use std::sync::{Arc, mpsc};

use rowtide_client::{Client, Error, Options};

use crate::support::{Device, PATIENCE, SCHEMA, Service, TODOS, impatient, text};

#[test]
fn a_client_goes_on_after_a_restart_of_the_service() {
    let mut service = Service::start();
    let device = service.client("alice.db", "alice").synced();
    service.stop();
    let status = device.wait(|status| !status.connected && status.download_error.is_some());
    let error = status.download_error.as_deref().unwrap();
    assert!(error.starts_with("cannot reach http://127.0.0.1:"), "{error}");
    assert!(!status.refused);
    service.start_again();
    let status = device.wait(|status| status.connected && status.download_error.is_none());
    assert_eq!(status.operations, 7, "nothing is downloaded again");
    service.source().execute("DELETE FROM todos WHERE id = 'todo-1'", ()).unwrap();
    device.wait_for("SELECT count(*) FROM todos", "4");
    assert_eq!(device.client.status().failures, 0);
}

#[test]
fn disconnecting_ends_the_stream_and_connecting_begins_again() {
    let service = Service::start();
    let device = service.client("alice.db", "alice").synced();
    device.client.connect();
    device.client.disconnect();
    let status = device.client.status();
    assert!(!status.connected && !status.connecting && status.download_error.is_none(), "{status:?}");
    device.client.disconnect();
    service.source().execute("DELETE FROM todos WHERE id = 'todo-1'", ()).unwrap();
    assert_eq!(device.text("SELECT count(*) FROM todos"), "5");
    device.client.connect();
    device.wait_for("SELECT count(*) FROM todos", "4");
}

#[test]
fn a_download_that_is_broken_off_goes_on_where_it_was() {
    let service = Service::start();
    let source = service.source();
    source
        .execute_batch(
            "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20000)
             INSERT INTO todos (id, list_id, description) SELECT 'many-' || i, 'list-trip', 'Todo ' || i FROM n",
        )
        .unwrap();
    // When the service has all of them, it sends them as one checkpoint.
    service.client("other.db", "alice").synced().wait_for("SELECT count(*) FROM todos", "20005");
    let device = service.client("alice.db", "alice");
    let mut rounds = 0;
    while device.client.status().checkpoints == 0 {
        let before = device.client.status().operations;
        device.client.connect();
        device.wait(|status| status.operations > before || status.checkpoints > 0);
        device.client.disconnect();
        rounds += 1;
    }
    assert!(rounds > 1, "it was not broken off");
    assert_eq!(device.text("SELECT count(*) FROM todos"), "20005");
    assert_eq!(device.client.status().operations, 20_007, "nothing is downloaded twice");
}

#[test]
fn a_closed_client_says_so() {
    let service = Service::start();
    let device = service.client("alice.db", "alice").synced();
    let statuses = device.client.statuses();
    let client = Arc::new(device.client);
    let waiting = {
        let client = Arc::clone(&client);
        std::thread::spawn(move || client.wait_until(|_| false, PATIENCE))
    };
    client.close().unwrap();
    client.close().unwrap();
    client.connect();
    client.disconnect();
    assert!(matches!(waiting.join().unwrap(), Err(Error::Closed)));
    assert!(client.status().closed && !client.status().connected);
    assert!(statuses.last().unwrap().closed, "it ends");
    assert!(matches!(client.subscribe(rowtide_client::Stream::new("x")), Err(Error::Closed)));
    drop(device.app);
    // Nothing is left open.
    assert_eq!(std::fs::exists(service.file("alice.db-wal")).ok(), Some(false));
}

#[test]
fn a_token_source_that_never_answers_holds_nothing_up() {
    let service = Service::start();
    let (asked, asks) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let released = std::sync::Mutex::new(released);
    let options = service.options("alice.db", "alice").token(move || {
        asked.send(()).unwrap();
        let _ = released.lock().unwrap().recv();
        Ok(String::new())
    });
    let device = Device::open(options);
    device.client.connect();
    asks.recv().unwrap();
    device.client.disconnect();
    device.client.connect();
    device.client.close().unwrap();
    drop(release);
}

#[test]
fn one_of_two_clients_of_a_file_syncs_and_the_other_takes_over() {
    let service = Service::start();
    let first = service.client("alice.db", "alice").synced();
    let second = service.client("alice.db", "alice");
    second.client.connect();
    let status = second.wait(|status| status.waits_for_lock && status.first_sync);
    assert!(!status.connected);
    assert_eq!(
        second.text(TODOS),
        text(
            &service.source(),
            "SELECT group_concat(id || ':' || description || ':' || done, ', ') FROM (SELECT * FROM todos WHERE list_id <> 'list-garden' ORDER BY id)"
        )
    );

    // What it writes is uploaded by the first, and what it subscribes to is asked for by the first.
    second.write("UPDATE todos SET done = 1 WHERE id = 'todo-1'");
    let stream = rowtide_client::Stream::new("list").parameters(r#"{"id": "list-trip"}"#);
    let subscription = second.client.subscribe(stream).unwrap();
    second.wait(|status| status.queued == 0 && subscription.status().is_some_and(|it| it.last_synced_at.is_some()));
    assert!(second.client.status().waits_for_lock);
    first.wait(|_| text(&service.source(), "SELECT done FROM todos WHERE id = 'todo-1'") == "1");

    first.client.close().unwrap();
    second.wait(|status| status.connected && !status.waits_for_lock);
    service.source().execute("DELETE FROM todos WHERE id = 'todo-1'", ()).unwrap();
    second.wait_for("SELECT count(*) FROM todos", "4");
}

#[test]
fn what_cannot_be_opened_says_why() {
    let folder = tempfile::tempdir().unwrap();
    let file = |name: &str| folder.path().join(name);
    let error = |options: Options| Client::open(options.timing(impatient())).unwrap_err().to_string();
    let url = "http://127.0.0.1:1";
    let missing = error(Options::new(file("no/such/folder.db"), url));
    assert!(missing.starts_with("cannot open ") && missing.contains("folder.db"), "{missing}");
    std::fs::write(file("text.db"), "This is no database at all, but long enough to be one. ".repeat(20)).unwrap();
    let text = error(Options::new(file("text.db"), url));
    assert!(text.contains("not a database"), "{text}");
    let schema = error(Options::new(file("a.db"), url).schema("{\"tables\": 1}"));
    assert!(schema.contains("the schema cannot be applied to ") && schema.contains("byte 11"), "{schema}");
    let parameters = error(Options::new(file("a.db"), url).schema(SCHEMA).parameters("[]"));
    assert!(parameters.starts_with("the parameters of the connection must be an object in JSON"), "{parameters}");
    for url in ["localhost:8080", "ftp://a", "not a url"] {
        let message = error(Options::new(file("a.db"), url));
        assert!(message.contains(" is no URL of a sync service: "), "{message}");
    }
}
