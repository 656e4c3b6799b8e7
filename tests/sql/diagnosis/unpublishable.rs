//! Operations that cannot be published (docs/reference/functions.md#problems).

use rowtide_testkit::session::Session;
use serde_json::{Value, json};

use super::app::{diagnose, problems};

fn session() -> Session {
    let schema = json!({"tables": [], "raw_tables": [{"name": "r", "table_name": "mine"}]});
    let mut session = Session::with_tables("CREATE TABLE mine(id TEXT PRIMARY KEY, x INTEGER CHECK (x < 5))", &schema);
    session.put("r", "1", r#"{"x":1}"#);
    session.sync();
    session
}

fn unpublishable(session: &Session) -> Vec<Value> {
    let report = diagnose(&session.host);
    problems(&report);
    let problems = report["problems"].as_array().unwrap().iter();
    problems.filter(|each| each["code"] == "unpublishable-operation").cloned().collect()
}

#[test]
fn an_operation_that_its_table_refuses_is_named_until_something_is_published() {
    let mut session = session();
    session.put("r", "2", r#"{"x":2}"#);
    session.put("r", "3", r#"{"x":5,"note":"secret"}"#);
    session.sync_error();
    assert!(unpublishable(&session).is_empty(), "the failed call was rolled back, and the iteration goes on");
    session.host.control("stop", ());
    let found = unpublishable(&session);
    assert_eq!(found.len(), 1);
    assert_eq!(found[0]["subject"], "r/3");
    let text = found[0]["text"].as_str().unwrap();
    assert!(text.starts_with("Operation 3 of bucket a could not be published: SQLITE_CONSTRAINT"), "{text}");
    // It stays while later attempts do not get as far.
    session.host.control("start", ());
    session.host.control("stop", ());
    assert_eq!(unpublishable(&session), found);
    let left =
        session.host.transaction("SELECT powersync_repair('unpublishable-operation') -> '$.left[0].subject'", []);
    assert_eq!(left[0][0], "\"r/3\"");
    session.host.execute("ALTER TABLE mine RENAME TO old; CREATE TABLE mine(id TEXT PRIMARY KEY, x INTEGER)");
    session.host.control("start", ());
    session.host.line(&session.service.checkpoint());
    session.host.line(&session.service.complete());
    session.host.control("stop", ());
    assert!(unpublishable(&session).is_empty());
}

#[test]
fn a_failure_that_the_same_iteration_overcomes_is_no_problem() {
    let mut session = session();
    session.put("r", "2", r#"{"x":5}"#);
    session.sync_error();
    session.put("r", "2", r#"{"x":4}"#);
    session.host.line(&session.service.checkpoint());
    session.host.line(&session.service.data("a", 2));
    session.host.line(&session.service.complete());
    session.host.control("stop", ());
    assert!(unpublishable(&session).is_empty());
}

#[test]
fn a_failure_that_no_row_has_caused_names_none() {
    let mut session = session();
    session.put("r", "2", r#"{"x":2}"#);
    session.host.execute("PRAGMA max_page_count = 1");
    session.put("r", "3", &json!({"x": 1, "y": "z".repeat(100_000)}).to_string());
    session.sync_error();
    session.host.control("stop", ());
    assert!(unpublishable(&session).is_empty());
}

#[test]
fn a_row_that_is_published_again_is_named_too() {
    let mut session = session();
    session.host.execute("CREATE TRIGGER keep BEFORE DELETE ON mine BEGIN SELECT RAISE(ABORT, 'kept'); END");
    session.remove("r", "1");
    session.sync_error();
    session.host.control("stop", ());
    assert_eq!(unpublishable(&session)[0]["subject"], "r/1");
}
