//! Several iterations on one file that ask for different data: with other parameters, or before and after a subscription was
//! made. Each keeps what it asks for, and nobody downloads for ever what the other deletes.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use rowtide_testkit::invariants::assert_consistent;
use rowtide_testkit::service::Service;
use rusqlite::functions::FunctionFlags;
use serde_json::json;

use crate::sync::shared_file::{Client, File, closes, completes, service};

/// The service as a client with only these buckets sees it.
fn only(service: &Service, names: &[&str]) -> Service {
    let mut service = service.clone();
    service.buckets.retain(|name, _| names.contains(&name.as_str()));
    service
}

fn with_parameters(file: &File, parameters: &str) -> Client {
    let mut client = file.client();
    client.options = json!({"parameters": {"of": parameters}});
    client
}

/// As SDKs do, connects again when it has to.
fn sync_until_complete(client: &mut Client, service: &Service) {
    let is_complete = (0..3).any(|_| completes(&client.sync(service)));
    assert!(is_complete);
}

#[test]
fn different_parameters_add_up_after_one_conflict() {
    let file = File::new();
    let (mut first, mut second) = (with_parameters(&file, "a"), with_parameters(&file, "b"));
    let mut service = service(5);
    service.put("both", "lists", "shared", &json!({"name": "shared"}));
    for round in 0..6 {
        let (for_first, for_second) = (only(&service, &["a", "both"]), only(&service, &["b", "both"]));
        sync_until_complete(&mut first, &for_first);
        sync_until_complete(&mut second, &for_second);
        sync_until_complete(&mut first, &for_first);
        assert_eq!(first.names().as_array().unwrap().len(), service.rows().len(), "round {round}");
        let (row, bucket) = if round % 2 == 0 { ("a000", "a") } else { ("b000", "b") };
        service.put(bucket, "lists", row, &json!({ "name": round.to_string() }));
        service.put("both", "lists", "shared", &json!({ "name": round.to_string() }));
    }
    assert!(first.starts <= 2 && second.starts <= 2, "{} and {} starts", first.starts, second.starts);
    // Tokens expire: they connect again and again, and now they know of each other.
    let before = first.received() + second.received();
    for _ in 0..5 {
        for (client, names) in [(&mut first, ["a", "both"]), (&mut second, ["b", "both"])] {
            client.end("refreshed_token");
            assert!(completes(&client.sync(&only(&service, &names))));
            assert_eq!(closes(&client.keep_alive()), None);
        }
    }
    assert!(first.received() + second.received() - before <= 3, "what was new, and not everything again");
    assert_eq!(first.names().as_array().unwrap().len(), service.rows().len());
    assert_consistent(&first.host);
}

#[test]
fn a_client_that_knows_of_no_other_deletes_what_it_does_not_ask_for() {
    let file = File::new();
    let service = service(2);
    let mut before = with_parameters(&file, "a");
    assert!(completes(&before.sync(&only(&service, &["a"]))));
    // Its process is killed.
    drop(before);
    let mut after = with_parameters(&file, "b");
    assert!(completes(&after.sync(&only(&service, &["b"]))));
    assert_eq!(after.names(), json!([["b000", "of b"], ["b001", "of b"]]));
    // On one connection too.
    after.end("stop");
    after.options = json!({"parameters": {"of": "a"}});
    after.start();
    assert!(completes(&after.sync(&only(&service, &["a"]))));
    assert_eq!(after.names(), json!([["a000", "of a"], ["a001", "of a"]]));
}

#[test]
fn what_another_client_left_behind_goes_when_it_is_no_longer_noticed() {
    let file = File::new();
    let service = service(2);
    let (mut stays, mut goes) = (with_parameters(&file, "a"), with_parameters(&file, "b"));
    let hours = Arc::new(AtomicU32::new(0));
    let clock = Arc::clone(&hours);
    // SQLite's clock, as far as the library asks for it.
    let julian_day =
        move |_: &rusqlite::functions::Context<'_>| Ok(2_461_000.5 + f64::from(clock.load(Ordering::SeqCst)) / 24.0);
    stays.host.connection().create_scalar_function("julianday", 1, FunctionFlags::SQLITE_UTF8, julian_day).unwrap();
    stays.start();
    goes.start();
    stays.announce(&only(&service, &["a"]));
    assert!(completes(&goes.sync(&only(&service, &["b"]))));
    assert!(completes(&stays.complete()));
    assert_eq!(stays.names().as_array().unwrap().len(), 4);
    goes.end("stop");
    drop(goes);
    for (hour, expected) in [(0, 4), (0, 4), (2, 2)] {
        stays.end("refreshed_token");
        hours.store(hour, Ordering::SeqCst);
        assert!(completes(&stays.sync(&only(&service, &["a"]))));
        assert_eq!(stays.names().as_array().unwrap().len(), expected);
    }
    assert_consistent(&stays.host);
}

#[test]
fn a_bucket_of_a_newer_subscription_keeps_its_place_when_an_older_request_completes() {
    let file = File::new();
    let [mut old, mut new] = file.clients();
    let mut service = service(1);
    service.put("sub", "lists", "s1", &json!({"name": "one"}));
    assert!(completes(&old.sync(&only(&service, &["a", "b"]))));
    let subscribe = json!({"subscribe": {"stream": {"name": "sub"}}}).to_string();
    new.host.control("subscriptions", subscribe.as_str());
    assert!(completes(&new.sync(&service)));
    // An operation of the new bucket is older than the checkpoint that the old request completes.
    service.put("sub", "lists", "s2", &json!({"name": "two"}));
    service.put("a", "lists", "l", &json!({"name": "x"}));
    assert!(completes(&old.sync(&only(&service, &["a", "b"]))));
    new.end("refreshed_token");
    let completed = new.sync(&service);
    assert!(completes(&completed), "{completed}");
    assert_eq!(new.names(), json!([["a000", "of a"], ["b000", "of b"], ["l", "x"], ["s1", "one"], ["s2", "two"]]));
    assert_consistent(&new.host);
    // And on a stream that was open all the time.
    service.put("sub", "lists", "s3", &json!({"name": "three"}));
    service.put("a", "lists", "l", &json!({"name": "y"}));
    assert!(completes(&old.sync(&only(&service, &["a", "b"]))));
    let completed = new.sync(&service);
    assert!(completes(&completed), "{completed}");
    assert_eq!(new.host.value("SELECT name FROM lists WHERE id = 's3'"), "three");
    assert_eq!((old.starts, new.starts), (1, 2));
}

#[test]
fn the_first_checkpoint_of_an_older_request_deletes_nothing_of_a_newer_one() {
    let file = File::new();
    let [mut old, mut new] = file.clients();
    let mut service = service(1);
    service.put("sub", "lists", "s1", &json!({"name": "one"}));
    // The answer of the service takes its time.
    old.start();
    let subscribe = json!({"subscribe": {"stream": {"name": "sub"}}}).to_string();
    new.host.control("subscriptions", subscribe.as_str());
    assert!(completes(&new.sync(&service)));
    assert!(completes(&old.sync(&only(&service, &["a", "b"]))));
    assert_eq!(new.names().as_array().unwrap().len(), 3);
    service.put("sub", "lists", "s1", &json!({"name": "two"}));
    assert!(completes(&new.sync(&service)));
    assert_eq!((new.starts, new.received()), (1, 4));
    // Connected again, it asks for the same.
    assert_eq!(closes(&old.keep_alive()), Some(true));
    let received = old.received();
    assert!(completes(&old.sync(&service)));
    assert_eq!(old.received(), received, "all of it is there");
    assert_consistent(&new.host);
}
