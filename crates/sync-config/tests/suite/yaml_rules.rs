//! The document: YAML rules and the keys of a configuration.

use super::support::{codes, compiled};

const STREAM: &str = "streams:\n  s:\n    query: SELECT * FROM a WHERE x = auth.user_id()\n";

fn edition3(rest: &str) -> String {
    format!("config:\n  edition: 3\n{rest}")
}

fn accepted(yaml: &str) {
    let result = compiled(yaml);
    assert!(result.plan.is_some(), "{yaml}\n{:#?}", result.diagnostics);
}

#[test]
fn duplicate_keys() {
    assert_eq!(codes(&edition3("streams: {}\nstreams: {}\n")), ["C002"]);
    assert_eq!(
        codes(&edition3("streams:\n  a: {query: SELECT * FROM a}\n  \"a\": {query: SELECT * FROM a}\n")),
        ["C002"]
    );
}

#[test]
fn booleans_of_the_core_schema() {
    for (text, ok) in [
        ("true", true),
        ("True", true),
        ("FALSE", true),
        ("yes", false),
        ("on", false),
        ("\"true\"", false),
        ("1", false),
    ] {
        let yaml = edition3(&format!("{STREAM}    auto_subscribe: {text}\n"));
        assert_eq!(compiled(&yaml).plan.is_some(), ok, "{text}");
    }
}

#[test]
fn unknown_keys() {
    assert_eq!(codes(&edition3(&format!("{STREAM}other: 1\n"))), ["C003"]);
    assert_eq!(codes(&edition3(&format!("{STREAM}    autosubscribe: true\n"))), ["C003"]);
    assert_eq!(codes(&format!("config:\n  edition: 3\n  editoin: 3\n{STREAM}")), ["C003"]);
    let finding = &compiled(&edition3(&format!("{STREAM}    autosubscribe: true\n"))).diagnostics[0];
    assert_eq!(finding.fix.as_ref().unwrap().replacement, "auto_subscribe");
}

#[test]
fn editions() {
    assert_eq!(codes(STREAM), ["C007"]);
    assert_eq!(codes(&format!("config: {{edition: 2}}\n{STREAM}")), ["C103"]);
    assert_eq!(codes(&format!("config: {{edition: 4}}\n{STREAM}")), ["C007", "C007"]);
    assert_eq!(codes("config: {edition: 3}\n"), ["C005"]);
    assert_eq!(codes(&edition3(&format!("{STREAM}bucket_definitions: {{}}\n"))), ["C007"]);
    assert_eq!(codes(&edition3(&format!("{STREAM}event_definitions: {{}}\n"))), ["C022"]);
}

#[test]
fn settings() {
    let settings = |text: &str| format!("config:\n  edition: 3\n{text}{STREAM}");
    accepted(&settings("  timestamp_max_precision: milliseconds\n"));
    assert_eq!(codes(&settings("  timestamp_max_precision: hours\n")), ["C008"]);
    assert_eq!(codes(&settings("  timestamps_iso8601: false\n  timestamp_max_precision: seconds\n")), ["C006"]);
    assert_eq!(codes(&settings("  unstable_sqlite_expression_engine: true\n  storage_version: 3\n")), ["C104", "C104"]);
}

#[test]
fn streams() {
    assert_eq!(codes(&edition3("streams:\n  s: {}\n")), ["C005"]);
    assert_eq!(codes(&edition3("streams:\n  s: {queries: []}\n")), ["C008"]);
    assert_eq!(codes(&edition3("streams:\n  s: {query: \"SELECT * FROM a\", queries: [SELECT * FROM b]}\n")), ["C006"]);
    assert_eq!(codes(&edition3("streams:\n  s: {query: SELECT * FROM a, priority: 4}\n")), ["C008"]);
    assert_eq!(codes(&edition3("streams:\n  s: [1]\n")), ["C004"]);
    accepted(&edition3("streams:\n  orgs/{org_id}/refs: {query: SELECT * FROM a, priority: 0}\n"));
}

#[test]
fn names_are_shared_with_legacy_definitions() {
    let yaml = "config: {edition: 2}\nstreams: {s: {query: SELECT * FROM a}}\nbucket_definitions: {s: {data: [SELECT * FROM a]}}\n";
    assert_eq!(codes(yaml), ["C103", "C009"]);
}

#[test]
fn syntax_errors_and_features() {
    assert_eq!(codes("a: [1\nb"), ["C001"]);
    assert_eq!(codes("--- {}\n--- {}\n"), ["C001"]);
    assert_eq!(codes("a: !env X\n"), ["C010"]);
    assert_eq!(codes(""), ["C004"]);
    accepted(&edition3("streams:\n  a: &q\n    query: SELECT * FROM a\n  b: *q\n"));
    // Aliases that would grow without bound.
    let mut bomb = String::from("a: &a [1,1,1,1,1,1,1,1,1,1]\n");
    for (from, to) in "abcdefgh".chars().zip("bcdefghi".chars()) {
        bomb.push_str(&format!("{to}: &{to} [{}]\n", vec![format!("*{from}"); 10].join(",")));
    }
    assert_eq!(codes(&bomb), ["C024"]);
    assert_eq!(codes(&"[".repeat(5000)).len(), 1);
}

#[test]
fn common_table_expressions() {
    let with = |query: &str| {
        edition3(&format!(
            "with:\n  mine: SELECT id, owner FROM lists WHERE owner = auth.user_id()\nstreams:\n  s:\n    query: {query}\n"
        ))
    };
    accepted(&with("SELECT * FROM todos WHERE list_id IN (SELECT id FROM mine)"));
    accepted(&with("SELECT todos.* FROM todos, mine AS m WHERE todos.list_id = m.id"));
    accepted(&with("SELECT mine.* FROM mine"));
    assert_eq!(codes(&with("SELECT * FROM todos WHERE list_id IN mine")), ["C037"]);
    assert_eq!(codes(&with("SELECT * FROM todos WHERE o = auth.user_id()")), ["C101"]);
    assert_eq!(codes(&with("SELECT mine.nope FROM mine")), ["C036"]);
    // A local one hides the global one.
    let yaml = with(
        "SELECT * FROM todos WHERE list_id IN mine\n    with:\n      mine: SELECT id FROM l2 WHERE o = auth.user_id()",
    );
    let result = compiled(&yaml);
    let plan = result.plan.unwrap();
    assert_eq!(plan.indexes[0].program.table.table, "l2");
    assert_eq!(result.diagnostics[0].code.id(), "C101");
    // No stars, and no other CTE inside.
    let cte = |text: &str| {
        edition3(&format!(
            "with:\n  one: {text}\n  two: SELECT id FROM one\nstreams:\n  s:\n    query: SELECT * FROM todos WHERE l IN two AND m IN one\n"
        ))
    };
    assert_eq!(codes(&cte("SELECT id FROM lists")), ["C022"]);
}
