//! Downloads: what clients get, and how.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rowtide_client::{BoxError, Encoding, Mode, Stream};

use crate::support::{Device, Service, TODOS, text};

const ALICE: &str =
    "todo-1:Bread:0, todo-2:Apples:1, todo-3:Coffee:0, todo-4:Book the train:1, todo-5:Find the swimming things:0";

#[test]
fn a_client_gets_the_rows_of_its_user_and_says_how_far_it_is() {
    let service = Service::start();
    let device = service.client("alice.db", "alice");
    let status = device.client.status();
    assert!(!status.first_sync && status.last_synced_at.is_none() && !status.connected);
    let device = device.synced();
    assert_eq!(device.text(TODOS), ALICE);
    let status = device.client.status();
    assert!(status.connected && status.first_sync && status.last_synced_at.is_some());
    assert_eq!((status.checkpoints, status.operations, status.failures), (1, 7, 0));
    assert_eq!(status.download_error, None);
    assert!(status.streams.iter().any(|stream| stream.name == "todos" && stream.is_default));

    service.source().execute("UPDATE todos SET description = 'Rye bread' WHERE id = 'todo-1'", ()).unwrap();
    device.wait(|status| status.checkpoints == 2);
    assert_eq!(device.text("SELECT description FROM todos WHERE id = 'todo-1'"), "Rye bread");
    assert_eq!(device.client.status().operations, 8);
}

#[test]
fn what_was_synced_is_there_after_a_restart_without_a_network() {
    let service = Service::start();
    let device = service.client("alice.db", "alice").synced();
    device.client.close().unwrap();
    let device = service.client("alice.db", "alice");
    let status = device.client.status();
    assert!(status.first_sync && !status.connected, "{status:?}");
    assert_eq!(device.text(TODOS), ALICE);
    // Without a schema the file keeps its own.
    drop(device);
    let url = service.url();
    let device = Device::open(rowtide_client::Options::new(service.file("alice.db"), url));
    assert_eq!(device.text(TODOS), ALICE);
}

#[test]
fn all_encodings_and_modes_give_the_same() {
    let service = Service::start();
    for (encoding, mode) in [
        (Encoding::Json, Mode::Legacy),
        (Encoding::Json, Mode::Requests),
        (Encoding::Bson, Mode::Legacy),
        (Encoding::Bson, Mode::Requests),
    ] {
        let id = format!("{encoding:?}-{mode:?}");
        let options = service.options(&id, "bob").encoding(encoding).checkpoint_mode(mode);
        let device = Device::open(options).synced();
        device.write(&format!(
            "INSERT INTO todos (id, list_id, description, done) VALUES ('{id}', 'list-garden', '{id}', 0)"
        ));
        // Uploaded, acknowledged and published again.
        device.wait(|status| status.checkpoints > 1 && status.queued == 0 && !status.waits_for_upload);
        device.wait_for("SELECT powersync_diagnose() ->> '$.gate.open'", "1");
        device.wait_for(&format!("SELECT created_at IS NOT NULL FROM todos WHERE id = '{id}'"), "1");
        assert_eq!(text(&service.source(), &format!("SELECT description FROM todos WHERE id = '{id}'")), id);
    }
}

#[test]
fn an_expired_token_is_replaced_and_the_new_one_used() {
    let service = Service::start();
    let asked = Arc::new(AtomicUsize::new(0));
    let (good, asks) = (service.dev().token("alice").unwrap(), Arc::clone(&asked));
    let secret = service.dev().secret().to_owned();
    let options = service.options("alice.db", "alice").token(move || -> Result<String, BoxError> {
        // The first one expires while the stream is open, the second one is none, and then there is none for a while.
        match asks.fetch_add(1, Ordering::SeqCst) {
            0 => Ok(rowtide_service::development_token(&secret, lifetime(2))?),
            1 => Ok("nonsense".into()),
            2 => Err("the app's backend is down".into()),
            _ => Ok(good.clone()),
        }
    });
    let device = Device::open(options).synced();
    let mut messages = Vec::new();
    for status in device.client.statuses() {
        if let Some(error) = &status.download_error
            && messages.last() != Some(error)
        {
            messages.push(error.clone());
        }
        if asked.load(Ordering::SeqCst) > 3 && status.connected && status.download_error.is_none() {
            break;
        }
    }
    assert!(messages.iter().any(|message| message.contains("PSYNC_S2101")), "{messages:?}");
    assert!(messages.iter().any(|message| message.contains("the app's backend is down")), "{messages:?}");
    service.source().execute("DELETE FROM todos WHERE id = 'todo-1'", ()).unwrap();
    device.wait_for("SELECT count(*) FROM todos", "4");
}

fn lifetime(seconds: u32) -> rowtide_service::TokenOptions {
    rowtide_service::TokenOptions { user: "alice".into(), lifetime: seconds, ..Default::default() }
}

#[test]
fn streams_are_subscribed_to_until_the_subscription_is_dropped() {
    let service = Service::configured(
        "config: {edition: 3}
streams:
  lists:
    auto_subscribe: true
    query: SELECT * FROM lists WHERE owner_id = auth.user_id()
  list:
    query: SELECT * FROM todos WHERE list_id = subscription.parameter('id')
",
    );
    let device = service.client("alice.db", "alice").synced();
    assert_eq!(device.text("SELECT count(*) FROM todos"), "0");
    let trip = Stream::new("list").parameters(r#"{"id": "list-trip"}"#).priority(1);
    let subscription = device.client.subscribe(trip.clone()).unwrap();
    device.wait(|_| subscription.status().is_some_and(|stream| stream.last_synced_at.is_some()));
    assert_eq!(device.text("SELECT count(*) FROM todos"), "2");
    assert!(device.client.status().failures == 0, "nobody sees a disconnect");

    // Two users of one stream: it stays until both are gone.
    let again = device.client.subscribe(trip).unwrap();
    let groceries = Stream::new("list").parameters(r#"{"id": "list-groceries"}"#).ttl(std::time::Duration::ZERO);
    let groceries = device.client.subscribe(groceries).unwrap();
    device.wait(|_| groceries.status().is_some_and(|stream| stream.last_synced_at.is_some()));
    drop(subscription);
    assert_eq!(device.text("SELECT count(*) FROM todos"), "5");
    assert_eq!((again.name(), again.parameters()), ("list", Some(r#"{"id": "list-trip"}"#)));

    // One without a time to live ends at the next connection that does not use it.
    drop(groceries);
    device.client.disconnect();
    device.client.connect();
    device.wait_for("SELECT count(*) FROM todos", "2");
    let error = device.client.subscribe(Stream::new("list").parameters("{")).unwrap_err();
    assert!(error.to_string().starts_with("the parameters of stream list must be an object in JSON: "), "{error}");
}

#[test]
fn parameters_of_the_connection_reach_the_service() {
    let service = Service::configured(
        "config: {edition: 3}
streams:
  lists:
    auto_subscribe: true
    query: SELECT * FROM lists WHERE name = connection.parameter('name')
",
    );
    let options = service.options("a.db", "alice").parameters(r#"{"name": "Garden"}"#);
    let device = Device::open(options).synced();
    assert_eq!(device.text("SELECT group_concat(name) FROM lists"), "Garden");
    let device = Device::open(service.options("b.db", "alice").include_defaults(false)).synced();
    assert_eq!(device.text("SELECT count(*) FROM lists"), "0");
}
