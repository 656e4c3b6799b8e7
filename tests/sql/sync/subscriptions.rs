//! Stream subscriptions that the app changes while an iteration runs, on the same or on another connection
//! (docs/reference/sync-client.md#stream-subscriptions).

use rowtide_testkit::Host;
use serde_json::{Value, json};
use tempfile::TempDir;

/// The connection that syncs and another one, both of one file.
struct App {
    syncing: Host,
    other: Host,
    _directory: TempDir,
}

impl App {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let [syncing, other] = [(); 2].map(|()| Host::open(directory.path().join("app.db")));
        syncing.initialize();
        Self { syncing, other, _directory: directory }
    }

    /// The rows by name and parameters, with what the app has a say in.
    fn rows(&self) -> Value {
        self.other.table(
            "SELECT stream_name, local_params, ttl, local_priority, expires_at FROM ps_stream_subscriptions ORDER BY id",
        )
    }

    /// Names and parameters of the rows that count as synced.
    fn synced(&self) -> Value {
        self.other.table(
            "SELECT stream_name, local_params FROM ps_stream_subscriptions WHERE last_synced_at IS NOT NULL ORDER BY id",
        )
    }
}

fn subscribe(host: &Host, name: &str, parameters: &Value, ttl: i64, priority: i64) {
    let stream = json!({"name": name, "params": parameters});
    host.control("subscriptions", json!({"subscribe": {"stream": stream, "ttl": ttl, "priority": priority}}));
}

fn unsubscribe(host: &Host, name: &str, parameters: &Value) {
    host.control("subscriptions", json!({"unsubscribe": {"name": name, "params": parameters}}));
}

fn checkpoint(buckets: &Value, streams: &Value) -> Value {
    json!({"checkpoint": {"last_op_id": "5", "buckets": buckets, "streams": streams}})
}

/// An empty bucket, of which nothing has to be downloaded.
fn bucket(name: &str, priority: i64, reasons: &Value) -> Value {
    json!({"bucket": name, "checksum": 0, "priority": priority, "count": 4, "subscriptions": reasons})
}

fn stream(name: &str, is_default: bool) -> Value {
    json!({"name": name, "is_default": is_default, "errors": []})
}

fn complete() -> Value {
    json!({"checkpoint_complete": {"last_op_id": "5"}})
}

fn partial(priority: i64) -> Value {
    json!({"partial_checkpoint_complete": {"last_op_id": "5", "priority": priority}})
}

/// The streams of the status in `instructions`.
fn streams(instructions: &Value) -> Vec<Value> {
    let mut statuses = instructions.as_array().unwrap().iter().filter_map(|one| one.get("UpdateSyncStatus"));
    let status = &statuses.next_back().unwrap_or_else(|| panic!("no status in {instructions}"))["status"];
    status["streams"].as_array().unwrap().clone()
}

#[test]
fn what_another_connection_stores_is_not_overwritten() {
    let ends: [fn() -> Value; 2] = [complete, || partial(3)];
    for end in ends {
        let app = App::new();
        subscribe(&app.syncing, "changed", &json!(1), 100, 3);
        subscribe(&app.syncing, "ended", &json!(2), 100, 3);
        app.syncing.control("start", ());
        let buckets = json!([bucket("a", 2, &json!([{"sub": 0}, {"sub": 1}]))]);
        app.syncing.line(&checkpoint(&buckets, &json!([stream("changed", false), stream("ended", false)])));
        subscribe(&app.other, "changed", &json!(1), 5000, 1);
        unsubscribe(&app.other, "ended", &json!(2));
        let stored = app.rows();
        assert_eq!((&stored[0][2], &stored[0][3], &stored[1][2]), (&json!(5000), &json!(1), &Value::Null));

        let told = streams(&app.syncing.line(&end()));
        assert_eq!(app.rows(), stored);
        assert_eq!(app.synced(), json!([["changed", "1"], ["ended", "2"]]));
        // The status shows what is stored.
        assert_eq!(told[0]["expires_at"], stored[0][4]);
        let is_explicit: Vec<_> = told.iter().map(|stream| &stream["has_explicit_subscription"]).collect();
        assert_eq!(is_explicit, [true, false]);
    }
}

#[test]
fn extending_the_expiry_leaves_the_priority_alone() {
    let app = App::new();
    subscribe(&app.syncing, "s", &Value::Null, 100, 3);
    let in_use = json!([{"name": "s"}]);
    app.syncing.control("start", json!({"active_streams": in_use}));
    app.syncing.control("connection", "established");
    subscribe(&app.other, "s", &Value::Null, 5000, 1);
    let closed = app.syncing.line(&json!({"token_expires_in": 3600})).to_string();
    assert!(closed.contains(r#"{"hide_disconnect":true}"#), "the request has another priority now: {closed}");
    let stored = app.rows();
    assert_eq!((&stored[0][2], &stored[0][3]), (&json!(5000), &json!(1)));
}

/// A row that another connection deletes and stores again has another id, or that of another row.
#[test]
fn ids_that_are_used_again_are_not_confused() {
    let app = App::new();
    subscribe(&app.syncing, "requested", &Value::Null, 100, 3);
    subscribe(&app.syncing, "last", &Value::Null, 100, 3);
    app.syncing.control("start", ());
    let buckets = json!([bucket("a", 1, &json!([{"sub": 0}])), bucket("b", 2, &json!([{"sub": 1}]))]);
    let line = checkpoint(&buckets, &json!([]));
    app.syncing.line(&line);
    // As a start does for subscriptions that expired.
    app.other.execute("DELETE FROM ps_stream_subscriptions");
    subscribe(&app.other, "other", &Value::Null, 100, 3);
    subscribe(&app.other, "requested", &Value::Null, 100, 3);
    let told = streams(&app.syncing.line(&partial(1)));
    assert_eq!((&told[0]["name"], &told[0]["priority"]), (&json!("other"), &Value::Null));
    assert_eq!((&told[1]["name"], &told[1]["priority"]), (&json!("requested"), &json!(1)));
    assert_eq!(app.synced(), json!([["requested", "null"]]));
    app.syncing.line(&complete());
    assert_eq!(app.synced(), json!([["requested", "null"]]));
    let told = streams(&app.syncing.line(&line));
    assert_eq!((&told[0]["priority"], &told[1]["priority"]), (&Value::Null, &json!(1)));
    // The same on this connection.
    app.other.execute("DELETE FROM ps_stream_subscriptions WHERE stream_name = 'requested'");
    subscribe(&app.syncing, "third", &Value::Null, 100, 3);
    let told = streams(&app.syncing.line(&json!({"data": {"bucket": "x", "data": []}})));
    assert_eq!((&told[1]["name"], &told[1]["priority"]), (&json!("third"), &Value::Null));
}

#[test]
fn a_stream_is_synced_when_its_least_urgent_bucket_is() {
    let app = App::new();
    subscribe(&app.syncing, "s", &Value::Null, 100, 3);
    app.syncing.control("start", ());
    let buckets = json!([
        bucket("a", 0, &json!([{"sub": 0}])),
        bucket("b", 2, &json!([{"default": 1}, {"sub": 0}])),
        bucket("c", 1, &json!([{"default": 1}])),
    ]);
    let told = streams(&app.syncing.line(&checkpoint(&buckets, &json!([stream("s", false), stream("d", true)]))));
    let priorities: Vec<_> = told.iter().map(|stream| &stream["priority"]).collect();
    assert_eq!(priorities, [2, 2]);
    for priority in [0, 1] {
        app.syncing.line(&partial(priority));
        assert_eq!(app.synced(), json!([]), "{priority}");
    }
    app.syncing.line(&partial(2));
    assert_eq!(app.synced(), json!([["s", "null"], ["d", "null"]]));
}

/// How the app changes its subscriptions between a checkpoint and its completion.
type Change = fn(&Host);

#[test]
fn what_was_not_requested_does_not_count_as_synced() {
    let changes: [(&str, Change); 4] = [
        ("a subscription", |host| subscribe(host, "s", &json!("late"), 100, 0)),
        ("one that ended again", |host| {
            subscribe(host, "s", &json!("late"), 100, 0);
            unsubscribe(host, "s", &json!("late"));
        }),
        ("one to another stream", |host| {
            subscribe(host, "t", &Value::Null, 100, 0);
            unsubscribe(host, "t", &Value::Null);
        }),
        ("one of a default stream with parameters", |host| {
            subscribe(host, "d", &json!("late"), 100, 0);
            unsubscribe(host, "d", &json!("late"));
        }),
    ];
    for (what, change) in changes {
        for is_other in [false, true] {
            for is_before in [false, true] {
                let app = App::new();
                subscribe(&app.syncing, "s", &json!("early"), 100, 3);
                app.syncing.control("start", ());
                let buckets = json!([bucket("a", 1, &json!([{"sub": 0}])), bucket("b", 1, &json!([{"default": 1}]))]);
                let line = checkpoint(&buckets, &json!([stream("s", false), stream("d", true)]));
                app.syncing.line(&line);
                let host = if is_other { &app.other } else { &app.syncing };
                change(host);
                if is_before {
                    app.syncing.line(&line);
                }
                app.syncing.line(&partial(3));
                app.syncing.line(&complete());
                let expected = json!([["s", "\"early\""], ["d", "null"]]);
                assert_eq!(app.synced(), expected, "{what}, other connection {is_other}, before {is_before}");
            }
        }
    }
}

#[test]
fn an_ended_subscription_that_the_service_still_lists_is_not_synced() {
    let app = App::new();
    subscribe(&app.syncing, "s", &Value::Null, 100, 3);
    app.syncing.control("start", ());
    app.syncing.line(&checkpoint(&json!([]), &json!([stream("s", false)])));
    unsubscribe(&app.syncing, "s", &Value::Null);
    // It is active, and so it stays, but is not requested.
    app.syncing.control("start", ());
    app.syncing.line(&checkpoint(&json!([]), &json!([stream("s", false)])));
    app.syncing.line(&complete());
    assert_eq!(app.synced(), json!([]));
}

#[test]
fn a_default_stream_that_is_subscribed_meanwhile_keeps_its_buckets() {
    for repeated in [false, true] {
        let app = App::new();
        app.syncing.control("start", ());
        let buckets = json!([bucket("a", 1, &json!([{"default": 0}]))]);
        let line = checkpoint(&buckets, &json!([stream("d", true)]));
        app.syncing.line(&line);
        subscribe(&app.other, "d", &Value::Null, 100, 0);
        if repeated {
            app.syncing.line(&line);
        }
        let told = streams(&app.syncing.line(&partial(1)));
        assert_eq!((&told[0]["priority"], &told[0]["progress"]["total"]), (&json!(1), &json!(4)));
        assert_eq!(app.synced(), json!([["d", "null"]]), "these are its data, whoever asked for them");
    }
}

#[test]
fn a_requested_stream_keeps_its_buckets_while_the_iteration_lives() {
    let named = json!([stream("s", false)]);
    for listed in [&named, &json!([])] {
        for is_other in [false, true] {
            let app = App::new();
            subscribe(&app.syncing, "first", &Value::Null, 100, 3);
            subscribe(&app.syncing, "s", &json!({"a": 1}), 100, 3);
            app.syncing.control("start", ());
            let line = checkpoint(&json!([bucket("b", 2, &json!([{"sub": 1}]))]), listed);
            unsubscribe(if is_other { &app.other } else { &app.syncing }, "s", &json!({"a": 1}));
            let told = streams(&app.syncing.line(&line));
            assert_eq!((&told[1]["name"], &told[1]["priority"]), (&json!("s"), &json!(2)), "{listed} {is_other}");
            assert_eq!(told[1]["progress"], json!({"total": 4, "downloaded": 0}));
            assert_eq!(app.syncing.line(&line), json!([]), "nothing changes with the next checkpoint");
            app.syncing.line(&partial(2));
            assert_eq!(app.synced(), json!([["s", "{\"a\":1}"]]));
            // Subscribed again, it is still the one that was requested, wherever it is stored now.
            app.other.execute("DELETE FROM ps_stream_subscriptions WHERE stream_name = 's'");
            subscribe(&app.other, "t", &Value::Null, 100, 3);
            subscribe(&app.other, "s", &json!({"a": 1}), 100, 3);
            let told = streams(&app.syncing.line(&line));
            assert_eq!((&told[2]["name"], &told[2]["priority"]), (&json!("s"), &json!(2)));
            unsubscribe(&app.syncing, "s", &json!({"a": 1}));
            app.syncing.line(&complete());
            // The next request no longer asks for it.
            let started = streams(&app.syncing.control("start", ()));
            let is_kept = *listed == named;
            assert_eq!(started.iter().any(|stream| stream["name"] == "s"), is_kept, "as long as the service lists it");
        }
    }
}
