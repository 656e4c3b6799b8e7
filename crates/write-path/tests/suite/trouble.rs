//! A full disk, and files that cannot be opened.

use serde_json::{Value, json};
use write_path::sqlite::{Options, SqlitePersister};

use crate::support::{Tested, outcome, put};

const TABLES: &str = "CREATE TABLE t(id TEXT PRIMARY KEY, x TEXT)";
const RULES: &str = "writes: {tables: {t: {check: \"length(x) > 10\"}}}";

fn body(id: usize, size: usize) -> Value {
    json!({"client_id": "c", "queue": "q", "transactions": [
        {"transaction_id": id, "crud": [put("t", &id.to_string(), json!({"x": "x".repeat(size)}))]}]})
}

#[test]
fn a_full_disk_loses_nothing() {
    let mut tested = Tested::with_file_options(
        TABLES,
        RULES,
        &Default::default(),
        &Options { max_pages: Some(100), ..Options::default() },
    );
    let mut last = 0;
    let result = loop {
        let result = tested.upload("u", &body(last, 20_000)).remove(0);
        if outcome(&result) != "success" {
            break result;
        }
        last += 1;
    };
    assert!(last > 3);
    assert_eq!(
        (outcome(&result).as_str(), result["message"].as_str()),
        ("retryable_error", Some("The database's disk is full."))
    );
    let ids = |count: usize| (0..count).map(|id| id.to_string()).collect::<Vec<_>>();
    assert_eq!(tested.rows("SELECT id FROM t ORDER BY CAST(id AS INTEGER)"), ids(last));
    // A refused transaction that cannot be kept as a dead letter stays with the client, too.
    let mut refused = body(last, 5);
    let padding = json!({"op": "DELETE", "table": "t", "id": "x".repeat(50_000)});
    refused["transactions"][0]["crud"].as_array_mut().unwrap().push(padding);
    assert_eq!(outcome(&tested.upload("u", &refused)[0]), "retryable_error");
    assert_eq!(tested.rows("SELECT id FROM _rowtide_dead_letter"), [""; 0]);
    // With room again, the same upload is applied, and those before are known.
    tested.restart(RULES);
    assert_eq!(outcome(&tested.upload("u", &refused)[0]), "fatal_error UNAUTHORIZED");
    for id in 0..last {
        assert_eq!(outcome(&tested.upload("u", &body(id, 20_000))[0]), "success");
    }
    assert_eq!(outcome(&tested.upload("u", &body(last + 1, 20_000))[0]), "success");
    assert_eq!(tested.rows("SELECT CAST(count(*) AS TEXT) FROM t"), [(last + 1).to_string()]);
}

#[test]
fn a_file_that_cannot_be_opened() {
    let folder = tempfile::tempdir().unwrap();
    let error = SqlitePersister::open(&folder.path().join("none.db"), &Options::default()).unwrap_err();
    assert!(error.0.contains("none.db") && error.0.contains("unable to open"), "{error}");
    assert!(!folder.path().join("none.db").exists(), "it is not created");
    std::fs::write(folder.path().join("text.db"), "no database, but a text that is long enough to be one".repeat(20))
        .unwrap();
    let error = SqlitePersister::open(&folder.path().join("text.db"), &Options::default()).unwrap_err();
    assert!(error.0.contains("not a database"), "{error}");
}
