//! Sessions that were recorded with a published service: the same rows, requests and changes give the same lines.
//!
//! The source is an SQLite file whose rows are those that the recorded client had; then each recorded change is made
//! again, as SQL or as a request. Compared is everything but ids that are ours to choose: see `lines`.
//!
//! Known differences, each with its reason in [`differs`]:
//!
//! - 20, step 6: a row is inserted and deleted in one transaction. The published service sends both, ours neither.
//! - 20, step 3: changes of one transaction come in another order within a bucket.
//! - 61 and 62: the published service knew no priorities in this edition, and did not share buckets between streams.
//! - 64: the published service has a lower limit and refuses the whole connection; with ours only the stream that is over
//!   the limit fails.
//! - `NaN` is `null`: SQLite, the source of these tests, has no `NaN`.
//!
//! Not compared: 25 (it takes 24 seconds; tests of connections do it with a clock of their own) and 41 (it begins in the
//! middle of a history that ours has not).

#![cfg(recorded_data)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod changes;
mod lines;
mod recorded;
mod stream;

use serde_json::{Value, json};

use changes::World;
use lines::Normal;
use recorded::{Recording, Step};
use stream::Lines;

/// Rows that lookups need, and that the recorded client had not.
const LISTS: &str = "INSERT OR IGNORE INTO lists (id, owner_id) VALUES
        ('11111111-1111-4111-8111-111111111111', 'u1'), ('22222222-2222-4222-8222-222222222222', 'u1'),
        ('33333333-3333-4333-8333-333333333333', 'u2'), ('55555555-5555-4555-8555-555555555555', 'u3'),
        ('66666666-6666-4666-8666-666666666666', 'u3');
    INSERT INTO list_members VALUES ('m1', '33333333-3333-4333-8333-333333333333', 'u1');";

/// The row that appears in 21 when its list does.
const HIDDEN: &str = "INSERT INTO todos (id, list_id, description, done, position, weight, big, price, meta) VALUES
        ('aaaaaaaa-0004-4000-8000-000000000004', '22222222-2222-4222-8222-222222222222', 'weight is integral', 0, 0, 2.0,
         9007199254740993, '99999999.5000', '\"str\"');
    UPDATE todos SET raw = x'', tags = '[null]', due = '0001-01-01' WHERE id = 'aaaaaaaa-0004-4000-8000-000000000004';";

/// What happens at a step whose SQL was not recorded.
fn made_up(recording: &str, step: &str) -> Option<&'static str> {
    match (recording, step) {
        ("22-write-checkpoint", "insert then GET /write-checkpoint2.json") => Some(
            "INSERT INTO lists (id, name, owner_id, archived, created_at)
             VALUES ('44444444-4444-4444-8444-444444444444', 'from upload', 'u1', 0, '2026-05-05T00:00:00.000000Z')",
        ),
        ("23-checkpoint-request", "insert then POST 11") => {
            Some("UPDATE lists SET name = 'from upload 2' WHERE id = '44444444-4444-4444-8444-444444444444'")
        }
        _ => None,
    }
}

/// Why our lines are others at this step, if they are.
fn differs(recording: &str, step: usize) -> Option<&'static str> {
    match (recording, step) {
        ("20-incremental", 5) => Some("inserted and deleted in one transaction: no operation"),
        _ => None,
    }
}

/// Replays a recording in one encoding.
async fn replay(name: &str, config: &str, is_bson: bool, setup: &str) {
    let recording = Recording::read(name);
    let world = World::start(config, &recording.rows(), setup).await;
    let mut stream = world.stream(&recording, is_bson).await;
    let (mut ours, mut theirs) = (Normal::default(), Normal::default());
    compare(name, "the first lines", &mut ours, &mut theirs, &mut stream, recording.initial()).await;
    for (number, step) in recording.steps.iter().enumerate() {
        let what = format!("step {number}: {}", step.what);
        make(&world, name, step).await;
        if let Some(reason) = differs(name, number) {
            println!("{name}, {what}: {reason}");
            theirs.skip(&step.lines);
            continue;
        }
        compare(name, &what, &mut ours, &mut theirs, &mut stream, &step.lines).await;
    }
    world.stop().await;
    assert_eq!(stream.next().await, None, "{name}: nothing comes after the recorded lines");
}

/// Makes the change of a step.
async fn make(world: &World, recording: &str, step: &Step) {
    let what = step.what.as_str();
    let is_sql = ["insert into", "update ", "delete ", "begin;"].iter().any(|word| what.starts_with(word));
    let sql = if is_sql { Some(what) } else { made_up(recording, what) };
    if let Some(sql) = sql {
        world.transaction(sql);
    }
    let answer = if what.contains("GET /write-checkpoint2.json") {
        world.get("/write-checkpoint2.json?client_id=lab-wc").await
    } else if what.contains("other client") {
        world.get("/write-checkpoint2.json?client_id=another").await
    } else if let Some(id) = what.split("POST ").nth(1).and_then(|rest| rest.split(' ').next_back()) {
        world.post("/sync/checkpoint-request", &json!({"client_id": "lab-cr", "checkpoint_request_id": id})).await
    } else if what.starts_with("large id") {
        let body = json!({"client_id": "lab-cr", "checkpoint_request_id": "9007199254740993"});
        world.post("/sync/checkpoint-request", &body).await
    } else {
        return;
    };
    let expected: Value = serde_json::from_str(step.answer.as_ref().unwrap()).unwrap();
    assert_eq!(answer, expected, "{recording}: {what}");
}

async fn compare(
    recording: &str,
    what: &str,
    ours: &mut Normal,
    theirs: &mut Normal,
    stream: &mut Lines,
    expected: &[Value],
) {
    for line in expected {
        let line = theirs.line(line);
        let got = stream.next().await.unwrap_or_else(|| panic!("{recording}, {what}: the stream has ended"));
        let got = ours.line(&got);
        assert_eq!(got, line, "{recording}, {what}");
    }
}

/// A test that replays a recording in both encodings.
macro_rules! recordings {
    ($($test:ident: $name:literal, $config:literal, $setup:expr;)*) => {
        $(
            #[tokio::test(flavor = "multi_thread")]
            async fn $test() {
                for is_bson in [false, true] {
                    replay($name, $config, is_bson, $setup).await;
                }
            }
        )*
    };
}

recordings! {
    initial_defaults: "01-initial-defaults", "config-1.yaml", "";
    initial_without_streams: "02-initial-no-streams-member", "config-1.yaml", "";
    initial_subscriptions: "03-initial-subscriptions", "config-1.yaml", LISTS;
    initial_without_defaults: "04-initial-no-defaults", "config-1.yaml", LISTS;
    nothing_asked_for: "07-empty-no-streams", "config-1.yaml", "";
    another_user: "08-other-user", "config-1.yaml", LISTS;
    changes: "20-incremental", "config-1.yaml", LISTS;
    buckets_come_and_go: "21-bucket-membership", "config-1.yaml", &format!("{LISTS} {HIDDEN}");
    write_checkpoints: "22-write-checkpoint", "config-1.yaml", "";
    checkpoint_requests: "23-checkpoint-request", "config-1.yaml", "";
    many_operations: "30-many-ops", "config-1.yaml", LISTS;
    wide_rows: "31-wide-rows", "config-1.yaml", LISTS;
    a_history: "40-before-compact", "config-1.yaml", LISTS;
    a_compacted_history: "42-after-compact", "config-1.yaml", LISTS;
    a_compacted_history_and_a_change: "44-after-compact-and-change", "config-1.yaml", LISTS;
    typed_parameters: "61-default-stream-error", "config-3.yaml", "";
    parameters_of_the_connection: "62-default-stream-parameters", "config-3.yaml", "";
    bucket_definitions: "63-sync-rules", "config-4.yaml", "";
    bucket_definitions_without_defaults: "65-sync-rules-include-defaults-false", "config-4.yaml", "";
}

/// Operations nested in the lines exist in JSON only.
#[tokio::test(flavor = "multi_thread")]
async fn data_as_nested_objects() {
    replay("06-legacy-nested-data", "config-1.yaml", false, LISTS).await;
}

/// A client whose write checkpoint was acknowledged on another connection.
#[tokio::test(flavor = "multi_thread")]
async fn an_acknowledged_write_checkpoint_is_repeated() {
    let recording = Recording::read("24-write-checkpoint-reconnect");
    let world = World::start("config-1.yaml", &recording.rows(), "").await;
    for _ in 0..2 {
        world.get("/write-checkpoint2.json?client_id=lab-wc").await;
    }
    let mut stream = world.stream(&recording, false).await;
    let (mut ours, mut theirs) = (Normal::default(), Normal::default());
    compare("24", "all", &mut ours, &mut theirs, &mut stream, recording.initial()).await;
    world.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_buckets() {
    let recording = Recording::read_request("64-too-many-buckets");
    let setup = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10100)
        INSERT INTO lists (id, owner_id) SELECT 'list' || i, 'u9' FROM n";
    let world = World::start("config-4.yaml", &[], setup).await;
    let mut stream = world.stream(&recording, false).await;
    let first = stream.next().await.unwrap();
    let names: Vec<&str> =
        first["checkpoint"]["buckets"].as_array().unwrap().iter().map(|b| b["bucket"].as_str().unwrap()).collect();
    assert!(names.len() == 1 && names[0].starts_with("global"), "{names:?}");
    let errors = &first["checkpoint"]["streams"][1];
    assert_eq!((&errors["name"], errors["errors"].as_array().unwrap().len()), (&json!("user_lists"), 1), "{first}");
    world.stop().await;
}

/// Answers of all routes to good and bad requests.
#[tokio::test(flavor = "multi_thread")]
async fn answers() {
    let world = World::start("config-1.yaml", &[], "").await;
    for answer in recorded::answers() {
        let (status, body) = world.ask(&answer).await;
        assert_eq!((status, body), (answer.status, answer.response.clone()), "{}", answer.name);
    }
    world.stop().await;
}
