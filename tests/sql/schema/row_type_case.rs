//! Row types that differ only in case are different types, although SQLite takes such names for the same table
//! (docs/reference/schema.md#json-tables, docs/reference/sync-client.md#publishing).

use rowtide_testkit::Host;
use rowtide_testkit::invariants::assert_consistent;
use rowtide_testkit::session::Session;
use serde_json::{Value, json};

use crate::migrations::stored_format::migrate;

fn table(name: &str, options: Value) -> Value {
    let mut table = json!({"name": name, "columns": [{"name": "x", "type": "text"}]});
    table.as_object_mut().unwrap().extend(options.as_object().unwrap().clone());
    table
}

fn untyped(host: &Host) -> Value {
    host.table("SELECT type, id, data FROM ps_untyped ORDER BY type, id")
}

/// A session that has published rows of `lists` and `Lists`, of which the schema has the first.
fn with_both(options: Value) -> Session {
    let mut session = Session::with_schema(&json!({"tables": [table("lists", options)]}));
    session.put("lists", "1", r#"{"x":"lower"}"#);
    session.put("Lists", "1", r#"{"x":"upper"}"#);
    session.put("Lists", "2", r#"{"x":"upper too"}"#);
    session.sync();
    session
}

#[test]
fn only_the_type_of_the_schema_is_shown() {
    for options in [json!({}), json!({"direct": true}), json!({"view_name": "Lists"})] {
        let mut session = with_both(options.clone());
        assert_eq!(session.host.table("SELECT id, x FROM lists"), json!([["1", "lower"]]), "{options}");
        let upper = json!([["Lists", "1", r#"{"x":"upper"}"#], ["Lists", "2", r#"{"x":"upper too"}"#]]);
        assert_eq!(untyped(&session.host), upper, "{options}");
        session.remove("Lists", "1");
        session.sync();
        assert_eq!(session.host.table("SELECT id, x FROM lists"), json!([["1", "lower"]]), "{options}");
        assert_consistent(&session.host);
    }
}

#[test]
fn raw_tables_that_differ_in_case_are_different() {
    let raw = |name: &str, table: &str| json!({"name": name, "table_name": table});
    let ddl = "CREATE TABLE a(id TEXT PRIMARY KEY, x); CREATE TABLE b(id TEXT PRIMARY KEY, x)";
    let schema = json!({"tables": [table("LISTS", json!({}))], "raw_tables": [raw("lists", "a"), raw("Lists", "b")]});
    let mut session = Session::with_tables(ddl, &schema);
    for row_type in ["lists", "Lists", "LISTS", "lISTS"] {
        session.put(row_type, "1", &json!({"x": row_type}).to_string());
    }
    session.sync();
    for (table, row_type) in [("a", "lists"), ("b", "Lists"), ("LISTS", "LISTS")] {
        assert_eq!(session.host.table(&format!("SELECT * FROM {table}")), json!([["1", row_type]]));
    }
    assert_eq!(untyped(&session.host), json!([["lISTS", "1", r#"{"x":"lISTS"}"#]]));
}

#[test]
fn a_corrected_spelling_shows_the_rows_of_that_type() {
    let kinds = [json!({}), json!({"direct": true})];
    for (before, after) in kinds.iter().flat_map(|before| kinds.iter().map(move |after| (before, after))) {
        let session = with_both(before.clone());
        let lower = json!([["lists", "1", r#"{"x":"lower"}"#]]);
        session.host.replace_schema(&json!({"tables": [table("Lists", after.clone())]}));
        assert_eq!(
            session.host.table("SELECT id, x FROM lists ORDER BY id"),
            json!([["1", "upper"], ["2", "upper too"]])
        );
        assert_eq!(untyped(&session.host), lower, "{before} to {after}");
        session.host.replace_schema(&json!({"tables": [table("lists", before.clone())]}));
        assert_eq!(session.host.table("SELECT id, x FROM lists"), json!([["1", "lower"]]));
        assert_eq!(session.host.value("SELECT count(*) FROM ps_untyped"), 2, "{before} to {after}");
        assert_eq!(session.host.value("SELECT count(*) FROM ps_crud"), 0);
    }
}

#[test]
fn tables_change_kind_and_spelling_at_once() {
    // While one of the tables exists, no other of its name can be made.
    let both = |json_name: &str, direct_name: &str| json!({"tables": [table(json_name, json!({"view_name": "v"})), table(direct_name, json!({"direct": true}))]});
    let mut session = Session::with_schema(&both("Lists", "lists"));
    session.put("lists", "1", r#"{"x":"lower"}"#);
    session.put("Lists", "2", r#"{"x":"upper"}"#);
    session.sync();
    session.host.replace_schema(&json!({"tables": [table("Lists", json!({"direct": true}))]}));
    assert_eq!(session.host.table("SELECT id, x FROM Lists"), json!([["2", "upper"]]));
    assert_eq!(untyped(&session.host), json!([["lists", "1", r#"{"x":"lower"}"#]]));
    session.host.replace_schema(&both("Lists", "lists"));
    session.host.replace_schema(&both("lists", "Lists"));
    assert_eq!(session.host.table("SELECT id, x FROM v"), json!([["1", "lower"]]));
    assert_eq!(session.host.table("SELECT id, x FROM lists"), json!([["2", "upper"]]));
    assert_eq!(untyped(&session.host), json!([]));
}

#[test]
fn local_only_rows_stay_when_only_the_spelling_of_their_table_changes() {
    let kinds = [json!({"local_only": true}), json!({"local_only": true, "direct": true})];
    for (before, after) in kinds.iter().flat_map(|before| kinds.iter().map(move |after| (before, after))) {
        let host = Host::open_in_memory();
        host.replace_schema(&json!({"tables": [table("drafts", before.clone())]}));
        host.execute("INSERT INTO drafts(id, x) VALUES ('1', 'mine'), ('2', NULL)");
        host.replace_schema(&json!({"tables": [table("Drafts", after.clone())]}));
        assert_eq!(host.table("SELECT id, x FROM Drafts"), json!([["1", "mine"], ["2", null]]), "{before} to {after}");
        assert_eq!(untyped(&host), json!([]));
        let tables = "SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name LIKE '%drafts'";
        assert_eq!(host.value(tables), 1);
    }
    let host = Host::open_in_memory();
    host.replace_schema(&json!({"tables": [table("drafts", kinds[0].clone())]}));
    host.execute("INSERT INTO drafts(id, x) VALUES ('1', 'mine')");
    host.replace_schema(&json!({"tables": [table("Drafts", json!({}))]}));
    assert_eq!(host.table("SELECT id FROM Drafts"), json!([]), "never to a synced table");
}

#[test]
fn the_applications_triggers_stay_when_only_the_spelling_changes() {
    let host = Host::open_in_memory();
    host.replace_schema(&json!({"tables": [table("lists", json!({}))]}));
    host.execute(
        "CREATE TABLE log(entry);
         CREATE TRIGGER on_view INSTEAD OF INSERT ON lists BEGIN INSERT INTO log VALUES ('view ' || NEW.id); END;
         CREATE TRIGGER on_table AFTER INSERT ON ps_data__lists BEGIN INSERT INTO log VALUES ('table ' || NEW.id); END;
         CREATE TEMP TRIGGER in_temp AFTER INSERT ON ps_data__lists BEGIN INSERT INTO log VALUES ('temp'); END;
         CREATE INDEX of_the_app ON ps_data__lists(length(data));",
    );
    host.replace_schema(&json!({"tables": [table("Lists", json!({}))]}));
    host.execute("INSERT INTO Lists(id) VALUES ('1')");
    assert_eq!(host.table("SELECT entry FROM log ORDER BY 1"), json!([["table 1"], ["temp"], ["view 1"]]));
    assert_eq!(host.value("SELECT count(*) FROM sqlite_schema WHERE name = 'of_the_app'"), 1);
}

#[test]
fn rows_that_an_earlier_build_took_for_those_of_another_type_come_to_where_they_belong() {
    let mut session = with_both(json!({}));
    session.put("lists", "3", r#"{"x":"lower three"}"#);
    session.put("other", "1", "{}");
    session.sync();
    session.host.control("stop", ());
    // As format 1001 may hold it.
    session.host.execute(
        "DELETE FROM ps_data__lists WHERE id IN (SELECT id FROM ps_untyped WHERE type = 'Lists');
         INSERT INTO ps_data__lists(id, data) SELECT id, data FROM ps_untyped WHERE type = 'Lists';
         DELETE FROM ps_untyped WHERE type = 'Lists'",
    );
    migrate(&session.host, 1001);
    session.host.initialize();
    let marked = "SELECT row_type, row_id FROM ps_updated_rows ORDER BY 1, 2";
    assert_eq!(session.host.table(marked), json!([["Lists", "1"], ["Lists", "2"], ["lists", "1"], ["lists", "2"]]));
    session.host.control("start", ());
    session.put("other", "2", "{}");
    session.sync();
    assert_eq!(session.host.table("SELECT id, x FROM lists ORDER BY 1"), json!([["1", "lower"], ["3", "lower three"]]));
    let upper = json!([["Lists", "1", r#"{"x":"upper"}"#], ["Lists", "2", r#"{"x":"upper too"}"#]]);
    assert_eq!(session.host.table("SELECT type, id, data FROM ps_untyped WHERE type <> 'other' ORDER BY 1, 2"), upper);
    assert_consistent(&session.host);
}

#[test]
fn a_schema_cannot_have_two_tables_that_sqlite_takes_for_one() {
    let host = Host::open_in_memory();
    for second in
        [table("Lists", json!({})), table("Lists", json!({"direct": true})), table("a", json!({"view_name": "LISTS"}))]
    {
        let schema = json!({"tables": [table("lists", json!({})), second]});
        let error = host.try_transaction("SELECT powersync_replace_schema(?)", [schema.to_string()]).unwrap_err();
        assert_eq!(error.code, 3091);
        assert!(error.message.contains("duplicate table, view or index name"), "{error}");
    }
}
