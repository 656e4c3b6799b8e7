//! Warnings: the plan is complete, but probably not what was meant.

use std::collections::BTreeMap;

use super::support::{codes, stream};
use sync_config::{Code, ColumnKind, CompileOptions, Severity, SourceColumn, SourceSchema, compile};

fn schema() -> CompileOptions {
    let column = |name: &str, kind| SourceColumn { name: name.to_owned(), kind };
    let columns =
        vec![column("id", ColumnKind::Text), column("n", ColumnKind::Number), column("owner", ColumnKind::Text)];
    let tables = BTreeMap::from([(("public".to_owned(), "t".to_owned()), columns)]);
    CompileOptions { source_schema: Some(SourceSchema { tables }), ..CompileOptions::default() }
}

/// Codes and places with the source's schema known.
fn findings(query: &str) -> Vec<(&'static str, String)> {
    let yaml = stream(&[query]);
    let result = compile(&yaml, &schema());
    assert!(result.plan.is_some(), "{:?}", result.diagnostics);
    result.diagnostics.iter().map(|d| (d.code.id(), d.span.text(&yaml).to_owned())).collect()
}

#[test]
fn names_that_the_source_does_not_have() {
    assert_eq!(findings("SELECT * FROM t WHERE owner = auth.user_id()"), []);
    assert_eq!(findings("SELECT * FROM tt WHERE owner = auth.user_id()"), [("C105", "tt".to_owned())]);
    assert_eq!(findings("SELECT * FROM T WHERE ownr = auth.user_id()"), [("C106", "ownr".to_owned())]);
    assert_eq!(findings("SELECT * FROM \"T\"")[0].0, "C105");
    assert_eq!(findings("SELECT * FROM \"t%\" WHERE owner = auth.user_id()"), []);
}

#[test]
fn texts_and_numbers() {
    let place = |text: &str| vec![("C107", text.to_owned())];
    assert_eq!(findings("SELECT * FROM t WHERE n = auth.user_id()"), place("n = auth.user_id()"));
    assert_eq!(findings("SELECT * FROM t WHERE '1' = n"), place("'1' = n"));
    assert_eq!(findings("SELECT * FROM t WHERE cast(n AS text) = auth.user_id()"), []);
}

#[test]
fn select_lists() {
    for (query, expected) in [
        ("SELECT owner FROM t", "C112"),
        ("SELECT owner AS id, * FROM t", "C109"),
        ("SELECT id, upper(owner) FROM t", "C108"),
        ("SELECT x.* FROM t x JOIN t y ON x.id = y.id", "C110"),
        ("SELECT * FROM t WHERE 1 = 2", "C114"),
    ] {
        assert_eq!(codes(&stream(&[query])), [expected], "{query}");
    }
    for query in [
        "SELECT *, owner AS id FROM t",
        "SELECT \"x\".* FROM t \"x\" JOIN t y ON \"x\".id = y.id",
        "SELECT x.* FROM t x",
    ] {
        assert_eq!(codes(&stream(&[query])), [""; 0], "{query}");
    }
}

#[test]
fn codes_are_distinct_and_severities_follow_them() {
    let ids: std::collections::BTreeSet<&str> = Code::ALL.iter().map(|code| code.id()).collect();
    assert_eq!(ids.len(), Code::ALL.len());
    for code in Code::ALL {
        assert_eq!(code.severity() == Severity::Warning, code.id() >= "C100", "{code:?}");
        assert!(!code.hint().is_empty());
    }
}
