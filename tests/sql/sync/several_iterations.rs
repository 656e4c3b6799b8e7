//! Several iterations on one file (docs/reference/sync-client.md#several-iterations-on-one-file): they share the work,
//! none ends or slows another, and with nothing happening nothing happens.

use rowtide_testkit::Host;
use rowtide_testkit::invariants::assert_consistent;
use serde_json::{Value, json};

use crate::sync::shared_file::{Client, File, closes, completes, published, service, status};

#[test]
fn a_start_does_not_end_another_iteration() {
    let file = File::new();
    let [mut first, mut second] = file.clients();
    let mut service = service(2);
    assert!(completes(&first.sync(&service)));
    second.start();
    assert_eq!(closes(&first.keep_alive()), None);
    assert!(completes(&second.sync(&service)));
    for round in 0..3 {
        service.put("a", "lists", "changed", &json!({ "name": round.to_string() }));
        assert!(completes(&first.sync(&service)));
        second.start();
        assert!(completes(&second.sync(&service)));
        assert_eq!(closes(&first.keep_alive()), None);
    }
    assert_eq!((first.starts, second.starts), (1, 4));
    assert_consistent(&first.host);
}

#[test]
fn both_finish_a_first_sync_and_each_row_is_stored_and_published_once() {
    for (first_size, second_size) in [(3, 3), (1, 7), (7, 1)] {
        let file = File::new();
        let mut clients: [Client; 2] = file.clients();
        let service = service(10);
        for client in &mut clients {
            client.start();
            client.announce(&service);
        }
        loop {
            let done = [(0, first_size), (1, second_size)].map(|(index, size)| clients[index].data(size).is_none());
            if done == [true, true] {
                break;
            }
        }
        assert_eq!(clients[0].host.value("SELECT count(*) FROM ps_operations"), 20);
        let size = clients[0].host.value("SELECT sum(count_since_last) FROM ps_buckets");
        assert_eq!(size, 20, "each operation counts once");
        for client in &mut clients {
            let completed = client.complete();
            assert!(completes(&completed), "{completed}");
            assert_eq!(status(&completed)["downloading"], Value::Null);
            assert_eq!((client.starts, client.received()), (1, 20));
        }
        assert_eq!(published(&clients[0].host).as_array().unwrap().len(), 20);
        assert_consistent(&clients[0].host);
    }
}

#[test]
fn a_client_reports_the_progress_that_others_make() {
    let file = File::new();
    let [mut first, mut second] = file.clients();
    let service = service(10);
    for client in [&mut first, &mut second] {
        client.start();
        client.announce(&service);
    }
    while first.data(5).is_some() {}
    let progress =
        |instructions: &Value| status(instructions)["downloading"]["buckets"]["prio_3"]["since_last"].clone();
    // All of the first bucket is there, whichever part of it this client has been sent.
    assert_eq!(progress(&second.data(1).unwrap()), 10);
    second.data(9);
    assert_eq!(progress(&second.data(1).unwrap()), 20);
    first.complete();
    let instructions = second.data(1).unwrap();
    assert_eq!(status(&instructions)["priority_status"][0]["has_synced"], true, "{instructions}");
}

#[test]
fn with_nothing_happening_nothing_is_returned_or_written() {
    let file = File::new();
    let mut clients: [Client; 3] = file.clients();
    let service = service(2);
    clients.iter_mut().for_each(|client| assert!(completes(&client.sync(&service))));
    // What the others wrote last is noticed once.
    clients.iter_mut().for_each(|client| assert_eq!(closes(&client.keep_alive()), None));
    let observer = file.open();
    let before = observer.value("PRAGMA data_version");
    for _ in 0..5 {
        for client in &mut clients {
            assert_eq!(client.keep_alive(), json!([]));
        }
    }
    assert_eq!(observer.value("PRAGMA data_version"), before);
}

#[test]
fn each_change_is_published_once_by_whoever_is_first() {
    let file = File::new();
    let mut clients: [Client; 2] = file.clients();
    let mut service = service(1);
    clients.iter_mut().for_each(|client| assert!(completes(&client.sync(&service))));
    published(&clients[0].host);
    for round in 0..4 {
        service.put("a", "lists", "a000", &json!({ "name": round.to_string() }));
        service.put("b", "lists", "new", &json!({ "name": "new" }));
        service.remove("b", "lists", "new");
        clients.iter_mut().for_each(|client| assert!(completes(&client.sync(&service))));
        assert_eq!(published(&clients[0].host), json!([["a000", "update"]]));
        clients.reverse();
    }
    assert_eq!((clients[0].starts, clients[1].starts), (1, 1));
    assert_consistent(&clients[0].host);
}

#[test]
fn two_connections_of_one_process_are_two_clients() {
    let file = File::new();
    let [mut first, mut second] = file.clients();
    let mut service = service(1);
    first.start();
    second.start();
    first.announce(&service);
    second.announce(&service);
    first.data(1);
    assert!(completes(&second.complete()));
    assert!(completes(&first.complete()));
    service.put("a", "lists", "l", &json!({"name": "x"}));
    assert!(completes(&first.sync(&service)) && completes(&second.sync(&service)));
    first.host.control("stop", ());
    service.put("a", "lists", "l", &json!({"name": "y"}));
    assert!(completes(&second.sync(&service)));
    assert_eq!(first.names()[2], json!(["l", "y"]));
    assert_eq!((first.starts, second.starts), (1, 1));
}

#[test]
fn local_writes_of_both_arrive_once_and_the_gate_is_judged_from_the_database() {
    let file = File::new();
    let [mut first, mut second] = file.clients();
    let mut service = service(1);
    assert!(completes(&first.sync(&service)) && completes(&second.sync(&service)));
    first.host.execute("INSERT INTO lists(id, name) VALUES ('first', 'x')");
    second.host.execute("INSERT INTO lists(id, name) VALUES ('second', 'y')");
    service.put("a", "lists", "a000", &json!({"name": "changed"}));
    for client in [&mut first, &mut second] {
        assert!(client.sync(&service).to_string().contains("due to local data"));
    }
    // One uploads what both wrote, and stores what the service has to acknowledge.
    assert_eq!(second.host.value("SELECT count(*) FROM ps_crud"), 2);
    service.put("a", "lists", "first", &json!({"name": "x"}));
    service.put("a", "lists", "second", &json!({"name": "y"}));
    second.host.execute("DELETE FROM ps_crud");
    second.host.control("target_checkpoint_request_id", 7);
    assert_eq!(closes(&second.host.control("completed_upload", ())), None);
    service.write_checkpoint = Some(7);
    assert!(completes(&first.sync(&service)));
    let seen = "SELECT value FROM ps_kv WHERE key = 'last_seen_checkpoint_request_id'";
    assert_eq!(second.host.value(seen), 7);
    assert!(completes(&second.sync(&service)));
    assert_eq!(second.names(), json!([["a000", "changed"], ["b000", "of b"], ["first", "x"], ["second", "y"]]));
    assert_eq!((first.starts, second.starts), (1, 1));
}

#[test]
fn an_acknowledgement_that_one_has_seen_is_not_forgotten_by_the_other() {
    let file = File::new();
    let [mut first, mut second] = file.clients();
    let mut service = service(1);
    service.write_checkpoint = Some(4);
    assert!(completes(&first.sync(&service)) && completes(&second.sync(&service)));
    let before = service.clone();
    service.write_checkpoint = Some(5);
    assert!(completes(&first.sync(&service)));
    // The other one's stream is a step behind: it announces an older one.
    assert!(completes(&second.sync(&before)));
    for key in ["last_seen_checkpoint_request_id", "last_applied_checkpoint_request_id"] {
        assert_eq!(first.host.value(&format!("SELECT value FROM ps_kv WHERE key = '{key}'")), 5, "{key}");
    }
}

#[test]
fn a_waiting_checkpoint_that_the_other_publishes_is_reported_at_the_next_keep_alive() {
    let file = File::new();
    let [mut first, mut second] = file.clients();
    let mut service = service(1);
    assert!(completes(&first.sync(&service)) && completes(&second.sync(&service)));
    first.host.execute("INSERT INTO lists(id, name) VALUES ('l', 'x')");
    service.put("a", "lists", "l", &json!({"name": "x"}));
    service.write_checkpoint = Some(3);
    for client in [&mut first, &mut second] {
        assert!(client.sync(&service).to_string().contains("due to local data"));
    }
    assert_eq!(first.keep_alive(), json!([]));
    second.host.execute("DELETE FROM ps_crud");
    second.host.control("target_checkpoint_request_id", 3);
    assert!(completes(&second.host.control("completed_upload", ())));
    let told = first.keep_alive();
    assert!(completes(&told), "{told}");
    assert_eq!(status(&told)["downloading"], Value::Null);
    assert_eq!(status(&told)["internal_last_applied_checkpoint_request_id"], "3");
    assert_eq!(first.keep_alive(), json!([]));
}

#[test]
fn a_checkpoint_published_by_one_is_in_the_status_of_the_other() {
    let file = File::new();
    let [mut first, mut second] = file.clients();
    let mut service = service(1);
    assert!(completes(&first.sync(&service)));
    second.start();
    second.host.control("connection", "established");
    service.put("a", "lists", "l", &json!({"name": "x"}));
    service.write_checkpoint = Some(9);
    assert!(completes(&first.sync(&service)));
    let told = second.keep_alive();
    assert_eq!(status(&told)["priority_status"][0]["priority"], 2_147_483_647);
    assert_eq!(status(&told)["internal_last_applied_checkpoint_request_id"], "9");
    assert_eq!(second.keep_alive(), json!([]));
}

#[test]
fn a_subscription_made_elsewhere_is_in_the_status_and_in_the_next_request() {
    let file = File::new();
    let [mut first, second] = file.clients();
    let service = service(1);
    assert!(completes(&first.sync(&service)));
    let subscribe = json!({"subscribe": {"stream": {"name": "s", "params": {"x": 1}}}}).to_string();
    second.host.control("subscriptions", subscribe.as_str());
    let told = first.line(&json!({"token_expires_in": 20}));
    assert_eq!(status(&told)["streams"][0]["name"], "s");
    // As on one connection: the request is renewed at the next keep-alive.
    assert_eq!(closes(&first.keep_alive()), Some(true));
    first.start();
    assert_eq!(closes(&first.keep_alive()), None);
}

/// A change that no iteration can follow, and its name.
type Change = (&'static str, fn(&Host));

#[test]
fn what_an_iteration_cannot_follow_ends_it_and_the_sdk_waits_before_it_reconnects() {
    let changes: [Change; 4] = [
        ("a clear", |host| drop(host.transaction("SELECT powersync_clear(0)", []))),
        ("a soft clear", |host| drop(host.transaction("SELECT powersync_clear(2)", []))),
        ("a resync", |host| drop(host.transaction("SELECT powersync_trigger_resync(1)", []))),
        ("a migration", |host| {
            host.transaction("SELECT powersync_test_migration(14)", []);
            host.initialize();
        }),
    ];
    for (what, change) in changes {
        let file = File::new();
        let [mut first, mut second] = file.clients();
        let service = service(1);
        assert!(completes(&first.sync(&service)) && completes(&second.sync(&service)));
        change(&file.open());
        for client in [&mut first, &mut second] {
            assert_eq!(closes(&client.keep_alive()), Some(false), "{what}");
        }
        for client in [&mut first, &mut second] {
            assert!(completes(&client.sync(&service)), "{what}");
        }
        assert_consistent(&first.host);
    }
}

#[test]
fn a_start_that_is_rolled_back_does_not_run_and_does_not_disturb_others() {
    let file = File::new();
    let [mut first, mut second] = file.clients();
    let service = service(1);
    first.host.execute("BEGIN IMMEDIATE");
    first.host.try_control_within("start", ()).unwrap();
    first.host.execute("ROLLBACK");
    assert!(completes(&second.sync(&service)));
    assert_eq!(closes(&first.host.line(&service.checkpoint())), Some(true), "it has never been started");
    assert_eq!(closes(&second.keep_alive()), None);
    assert!(completes(&first.sync(&service)));
    assert_eq!(closes(&second.keep_alive()), None);
}

#[test]
fn what_ends_iterations_is_not_repeated_after_a_rollback() {
    let file = File::new();
    let [mut first, second] = file.clients();
    let service = service(1);
    let generation = "SELECT generation FROM ps_checkpoint";
    first.host.execute("BEGIN IMMEDIATE; SELECT powersync_trigger_resync(0)");
    let lost = first.host.value(generation);
    // The iteration begins in the transaction that made this generation, which is then given up.
    first.host.try_control_within("start", ()).unwrap();
    first.host.execute("ROLLBACK");
    second.host.transaction("SELECT powersync_trigger_resync(0)", []);
    assert_ne!(second.host.value(generation), lost);
    assert_eq!(closes(&first.host.line(&service.checkpoint())), Some(true));
    assert!(completes(&first.sync(&service)));
}

#[test]
fn a_rolled_back_call_ends_only_its_own_iteration() {
    let file = File::new();
    let [mut first, mut second] = file.clients();
    let service = service(3);
    for client in [&mut first, &mut second] {
        client.start();
        client.announce(&service);
    }
    let line = first.stream.as_mut().unwrap().next_data(2).unwrap();
    first.host.execute("BEGIN IMMEDIATE");
    first.host.try_control_within("line_text", line.to_string()).unwrap();
    first.host.execute("ROLLBACK");
    assert!(completes(&second.complete()));
    assert_eq!(closes(&first.line(&line)), Some(true));
    assert!(completes(&first.sync(&service)));
    assert_eq!(closes(&second.keep_alive()), None);
    assert_consistent(&first.host);
}
