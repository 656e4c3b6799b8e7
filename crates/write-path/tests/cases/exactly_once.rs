//! A transaction that comes again.

use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use super::requests::{delete, outcome, patch, put, user_of};
use crate::support::{NOW, RESULTS, ROW_NUMBER, Tested, counted, trigger};

/// A database that counts how often rows were written.
fn counting() -> Tested {
    Tested::with(&format!("CREATE TABLE counted(id TEXT PRIMARY KEY, x TEXT); {}", counted(&["counted"])), RULE)
}

const RULE: &str = "writes: {tables: {counted: {check: \"x <> 'bad'\"}}}";

fn body(client: &str, queue: &str, id: Value, operations: Value) -> Value {
    json!({"client_id": client, "queue": queue, "transactions": [{"transaction_id": id, "crud": operations}]})
}

fn total(tested: &Tested) -> i64 {
    tested.number("SELECT n FROM total")
}

pub(crate) fn a_repeated_transaction_gives_its_result_and_runs_once() {
    let mut tested = counting();
    let one = body("c", "q", json!(1), json!([put("counted", "a", json!({"x": "1"}))]));
    for _ in 0..3 {
        assert_eq!(tested.upload("u", &one), [json!({"status": "success"})]);
        tested.restart(RULE);
    }
    assert_eq!(total(&tested), 1);
    // A number and its text are the same.
    let text = body("c", "q", json!("1"), json!([put("counted", "a", json!({"x": "1"}))]));
    tested.upload("u", &text);
    assert_eq!((total(&tested), tested.path.counters().repeated.load(Ordering::Relaxed)), (1, 1));
    // Each part of the key makes it another transaction.
    for other in [
        body("d", "q", json!(1), json!([put("counted", "a", json!({"x": "1"}))])),
        body("c", "r", json!(1), json!([put("counted", "a", json!({"x": "1"}))])),
        body("c", "q", json!(2), json!([put("counted", "a", json!({"x": "1"}))])),
    ] {
        tested.upload("u", &other);
    }
    tested.upload("v", &one);
    assert_eq!(total(&tested), 5);
    // So does a part that is missing: then nothing is known.
    for other in [
        json!({"client_id": "c", "transactions": one["transactions"]}),
        json!({"queue": "q", "transactions": one["transactions"]}),
        json!({"client_id": "c", "queue": "q", "transactions": [{"crud": [put("counted", "a", json!({"x": "1"}))]}]}),
    ] {
        tested.upload("u", &other);
    }
    assert_eq!(total(&tested), 8);
}

pub(crate) fn a_fatal_result_is_repeated_too() {
    let mut tested = counting();
    let bad = body("c", "q", json!(1), json!([put("counted", "a", json!({"x": "bad"}))]));
    let first = tested.upload("u", &bad);
    assert_eq!(outcome(&first[0]), "fatal_error UNAUTHORIZED");
    // Other rules would permit it now.
    tested.restart("writes: {tables: {counted: {check: 'TRUE'}}}");
    assert_eq!(tested.upload("u", &bad), first);
    assert_eq!(tested.letters(), 1, "it is one dead letter");
    assert_eq!(total(&tested), 0);
}

pub(crate) fn another_transaction_under_the_same_key_is_refused() {
    let tested = counting();
    let previous = |value: i64| json!([{"op": "PUT", "table": "counted", "id": "a", "op_data": {"x": "1"}, "previous_values": {"x": value}}]);
    tested.upload("u", &body("c", "q", json!(1), previous(1)));
    for operations in [
        previous(2),
        json!([put("counted", "a", json!({"x": "1"}))]),
        json!([put("counted", "a", json!({"x": 1}))]),
        json!([put("counted", "a", json!({}))]),
        json!([patch("counted", "a", json!({"x": "1"}))]),
        json!([put("counted", "b", json!({"x": "1"}))]),
        json!([{"op": "PUT", "table": "counteda", "id": "", "op_data": {"x": "1"}, "previous_values": {"x": 1}}]),
        json!([]),
    ] {
        let result = tested.upload("u", &body("c", "q", json!(1), operations)).remove(0);
        assert_eq!(outcome(&result), "fatal_error IDEMPOTENCY_MISMATCH");
        assert_eq!(result["failed_operation"].get("operation_index"), None);
    }
    assert_eq!(total(&tested), 1);
    assert_eq!(tested.letters(), 8, "no transaction is lost");
    // What does not matter: white space, the order of members, metadata.
    let text = r#"{"queue":"q","client_id":"c","transactions":[{"crud":[{"previous_values": {"x" : 1},"metadata":"m",
        "id":"a","op_data":{"x" :"1" },"table":"counted","op":"PUT"}],"transaction_id":"1"}]}"#;
    let answer = tested.path.apply(&user_of("u"), text.as_bytes(), NOW).unwrap();
    assert_eq!(serde_json::to_value(answer).unwrap()["results"][0]["status"], "success");
    assert_eq!(total(&tested), 1);
}

pub(crate) fn concurrent_repeats_run_once() {
    let tested = counting();
    let bodies: Vec<String> = (0..10)
        .map(|id| body("c", "q", json!(id), json!([put("counted", "a", json!({"x": id.to_string()}))])).to_string())
        .collect();
    let path = &tested.path;
    // A second service on the same file, as while one is being replaced.
    let other = tested.another(RULE);
    std::thread::scope(|scope| {
        for number in 0..8 {
            let (bodies, path) = (&bodies, if number % 2 == 0 { path } else { &other });
            scope.spawn(move || {
                for body in bodies {
                    let answer = path.apply(&user_of("u"), body.as_bytes(), NOW).unwrap();
                    assert_eq!(serde_json::to_value(answer).unwrap(), json!({"results": [{"status": "success"}]}));
                }
            });
        }
    });
    assert_eq!(total(&tested), 10);
}

pub(crate) fn results_are_kept_for_a_thousand_transactions_and_thirty_days() {
    let tested = counting();
    let send = |client: &str, id: i64, now: i64| {
        let transactions: Vec<Value> =
            (0..50).map(|number| json!({"transaction_id": id + number, "crud": [delete("counted", "a")]})).collect();
        let body = json!({"client_id": client, "queue": "q", "transactions": transactions});
        tested.path.apply(&user_of("u"), body.to_string().as_bytes(), now).unwrap();
    };
    let kept = |client: &str| {
        let sql = format!(
            "SELECT count(*) || ' ' || max(CAST(transaction_id AS INTEGER)) FROM {RESULTS} WHERE client = '{client}'"
        );
        tested.rows(&sql).remove(0)
    };
    send("other", 0, NOW);
    for id in 0..30 {
        send("c", id * 50, NOW);
    }
    let count: i64 = kept("c").split(' ').next().unwrap().parse().unwrap();
    assert!((1000..1050).contains(&count), "{count}");
    assert!(kept("c").ends_with(" 1499"), "the newest are kept");
    assert_eq!(kept("other"), "50 49");
    let deleted = tested.path.counters().results_deleted.load(Ordering::Relaxed);
    assert_eq!(i64::try_from(deleted).unwrap(), 1500 - count);
    // 30 days and a second later.
    send("new", 0, NOW + (30 * 24 * 3600 + 1) * 1_000_000);
    send("new", 50, NOW + (30 * 24 * 3600 + 1) * 1_000_000);
    assert_eq!(kept("new"), "100 99");
    assert_eq!(tested.rows(&format!("SELECT client FROM {RESULTS} WHERE client = 'other'")), [""; 0]);
}

pub(crate) fn a_client_keeps_its_order() {
    // Of two uploads of a client one runs after the other, whole: no transaction of the other comes between.
    let tested = Tested::with(
        &format!(
            "CREATE TABLE log(id TEXT PRIMARY KEY, n INTEGER); CREATE TABLE entry(seq {ROW_NUMBER}, id TEXT); {}",
            trigger("t", "AFTER INSERT", "log", "INSERT INTO entry(id) VALUES (NEW.id)")
        ),
        "writes: {tables: {log: {check: 'TRUE'}}}",
    );
    // A second service, as while one is being replaced, if the database is one that several can write.
    let (path, other) = (&tested.path, &tested.second("writes: {tables: {log: {check: 'TRUE'}}}"));
    std::thread::scope(|scope| {
        for thread in 0..4 {
            let path = if thread % 2 == 0 { path } else { other.as_ref().unwrap_or(path) };
            scope.spawn(move || {
                let transactions: Vec<Value> = (0..20)
                    .map(|number| json!({"crud": [put("log", &format!("{thread} {number:02}"), json!({"n": 1}))]}))
                    .collect();
                let body = json!({"client_id": "c", "transactions": transactions}).to_string();
                path.apply(&user_of("u"), body.as_bytes(), NOW).unwrap();
            });
        }
    });
    let entries = tested.rows("SELECT id FROM entry ORDER BY seq");
    assert_eq!(entries.len(), 80);
    for upload in entries.chunks(20) {
        let thread = &upload[0][..1];
        let expected: Vec<String> = (0..20).map(|number| format!("{thread} {number:02}")).collect();
        assert_eq!(upload, expected);
    }
}

pub(crate) fn rules_are_not_asked_again() {
    // The list was given away in the meantime; the answer is still that of the first time.
    let tested = Tested::new();
    let body = body("c", "q", json!(1), json!([patch("todos", "ta", json!({"done": 1}))]));
    assert_eq!(outcome(&tested.upload("alice", &body)[0]), "success");
    tested.execute("UPDATE lists SET owner_id = 'bob' WHERE id = 'a'").unwrap();
    assert_eq!(outcome(&tested.upload("alice", &body)[0]), "success");
}
