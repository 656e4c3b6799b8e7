//! The same file as the source of sync: our tables in it are none of the app's.

use sync_config::TablePattern;
use sync_engine::source::Source;
use sync_sources::sqlite::SqliteSource;

use crate::support::{RULES, TABLES, Tested, delete, outcome, put};

#[test]
fn the_source_does_not_see_our_tables() {
    let tested = Tested::with(&format!("{TABLES} CREATE TABLE _private(id TEXT PRIMARY KEY);"), RULES);
    assert!(tested.rows("SELECT name FROM sqlite_master").iter().any(|name| name == "_rowtide_write_result"));
    let source = SqliteSource::open(tested.file()).unwrap();
    let pattern = |table: &str| TablePattern { connection: None, schema: "main".into(), table: table.into() };
    let every = source.tables(&[pattern("%")]).unwrap();
    let names: Vec<&str> = every.iter().map(|table| table.name.as_str()).collect();
    assert_eq!(names, ["_private", "lists", "todos"]);
    let found = source.tables(&[pattern("_rowtide_dead_letter")]).unwrap();
    assert!(found.is_empty());
    let checks = source.test(&[pattern("_rowtide_dead_letter")]);
    let check = checks.iter().find(|check| !check.ok).unwrap();
    assert!(check.message.contains("reserved"), "{}", check.message);
    let triggers = "SELECT DISTINCT tbl_name FROM sqlite_master WHERE type = 'trigger' ORDER BY tbl_name";
    assert_eq!(tested.rows(triggers), ["_private", "lists", "todos"]);
}

#[test]
fn writes_are_captured_and_the_log_is_not_written_by_clients() {
    let mut tested = Tested::new();
    let source = SqliteSource::open(tested.file()).unwrap();
    let pattern = TablePattern { connection: None, schema: "main".into(), table: "lists".into() };
    source.tables(&[pattern]).unwrap();
    tested.restart(&RULES.replace("  tables:", "  default: allow\n  tables:"));
    let body = serde_json::json!({"client_id": "c", "queue": "q", "transactions": [
        {"transaction_id": 1, "crud": [put("lists", "n", serde_json::json!({"name": "x"}))]},
        {"transaction_id": 2, "crud": [put("lists", "a", serde_json::json!({"name": "y"}))]}]});
    let results = tested.upload("alice", &body);
    assert!(results.iter().all(|result| outcome(result) == "success"), "{results:?}");
    assert_eq!(tested.rows("SELECT k1 FROM _sync_log WHERE k1 IS NOT NULL ORDER BY seq"), ["n", "a"]);
    for table in ["_sync_log", "_sync_meta", "_rowtide_dead_letter"] {
        let result = tested.send("alice", serde_json::json!([delete(table, "1")]));
        assert_eq!(outcome(&result), "fatal_error UNAUTHORIZED");
    }
}
