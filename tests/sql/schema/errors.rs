//! What `powersync_replace_schema` refuses, and that it then changes nothing (docs/reference/schema.md#rules;
//! docs/reliability.md#traps, trap 15).

use rowtide_testkit::{Host, HostError};
use serde_json::{Value, json};

const ARGUMENT: i32 = 3091;

fn try_apply(host: &Host, schema: &str) -> Result<(), HostError> {
    host.try_transaction("SELECT powersync_replace_schema(?)", [schema]).map(|_| ())
}

#[track_caller]
fn assert_refused(host: &Host, schema: &Value, problem: &str) {
    let error = try_apply(host, &schema.to_string()).unwrap_err();
    assert_eq!(error.code, ARGUMENT, "{error}");
    assert!(error.message.starts_with("powersync_replace_schema: invalid argument: "), "{error}");
    assert!(error.message.contains(problem), "{error}");
}

#[test]
fn malformed_json_changes_nothing_and_is_placed() {
    let host = Host::open_in_memory();
    for (schema, problem) in [
        ("", "unexpected end at byte 0 of the schema"),
        ("[1]", "expected an object at byte 0 of the schema"),
        ("{\"tables\":[\n{\"name\": \"a\"}]}", "an object without \"columns\" ends at byte 25 of the schema"),
        (
            r#"{"tables":[{"name":"a","columns":[{"name":1}]}]}"#,
            "expected a string at byte 42 of the schema, member \"name\"",
        ),
    ] {
        host.execute("BEGIN");
        let error = host.try_rows("SELECT powersync_replace_schema(?)", [schema]).unwrap_err();
        host.execute("COMMIT");
        assert_eq!(error.code, ARGUMENT, "{error}");
        assert!(error.message.contains(problem), "{error}");
        assert_eq!(host.value("SELECT count(*) FROM sqlite_schema"), 0);
    }
    for argument in ["NULL", "1", "x'7b7d'"] {
        let error = host.try_transaction(&format!("SELECT powersync_replace_schema({argument})"), []).unwrap_err();
        assert_eq!(error.code, ARGUMENT, "{error}");
    }
    let error = host.try_transaction("SELECT powersync_replace_schema(CAST(x'7bff7d' AS TEXT))", []).unwrap_err();
    assert!(error.message.contains("not valid UTF-8"), "{error}");
}

#[test]
fn a_transaction_is_needed() {
    let host = Host::open_in_memory();
    let error = host.error(r#"SELECT powersync_replace_schema('{"tables":[]}')"#);
    assert_eq!(error.code, 21);
    assert_eq!(
        error.message,
        "powersync_replace_schema: This function may only be called in transactions. Run BEGIN IMMEDIATE first."
    );
}

#[test]
fn schemas_that_cannot_be_are_argument_errors() {
    let host = Host::open_in_memory();
    let columns: Vec<Value> = (0..2000).map(|index| json!({"name": format!("c{index}")})).collect();
    for (table, problem) in [
        (json!({"name": "a", "columns": columns}), "too many parameters to json_object_fragment"),
        (json!({"name": "a", "columns": [{"name": "id"}]}), "must not be named id"),
        (json!({"name": "a", "columns": [{"name": "x", "type": "text); DROP TABLE ps_crud"}]}), "is no column type"),
        (
            json!({"name": "a", "columns": [], "direct": true, "view_name": "b"}),
            "Direct tables can't have custom view names",
        ),
        (json!({"name": "a", "columns": [{"name": "x"}, {"name": "x"}]}), "duplicate column"),
        (json!({"name": "b", "view_name": "ok", "columns": []}), "duplicate table, view or index name \"ok\""),
        (json!({"name": "OK", "columns": []}), "duplicate table, view or index name"),
        (json!({"name": "a", "columns": [], "indexes": [{"name": "i", "columns": []}]}), "has no columns"),
        (json!({"name": "a\u{0}", "columns": []}), "NUL"),
    ] {
        assert_refused(&host, &json!({"tables": [{"name": "ok", "columns": []}, table]}), problem);
    }
}

#[test]
fn a_failure_in_the_middle_leaves_everything_as_it_was() {
    let host = Host::open_in_memory();
    let lists = json!({"name": "lists", "columns": [{"name": "x"}]});
    host.replace_schema(&json!({"tables": [lists, {"name": "old", "columns": []}]}));
    host.execute("INSERT INTO old(id) VALUES ('1')");
    let before = host.table("SELECT rowid, name, sql FROM sqlite_schema");
    // SQLite refuses the last view, when the first changes are made.
    let changed = json!({"name": "lists", "columns": [{"name": "y"}]});
    let schema = json!({"tables": [changed, {"name": "z", "columns": [{"name": "x", "type": "select"}]}]});
    host.execute("BEGIN; INSERT INTO lists(id, x) VALUES ('1', 'kept')");
    let error = host.try_rows("SELECT powersync_replace_schema(?)", [schema.to_string()]).unwrap_err();
    host.execute("COMMIT");
    assert!(error.message.contains("syntax error"), "{error}");
    assert_eq!(host.table("SELECT rowid, name, sql FROM sqlite_schema"), before);
    assert_eq!(host.table("SELECT * FROM lists"), json!([["1", "kept"]]));
    assert_eq!(host.table("SELECT * FROM old"), json!([["1"]]));
}

#[test]
fn objects_of_the_application_that_look_like_ours_stay() {
    let host = Host::open_in_memory();
    host.replace_schema(&json!({"tables": [{"name": "lists", "columns": [{"name": "x"}]}]}));
    host.execute(
        r#"CREATE TABLE app(a, b);
           CREATE INDEX ps_data_x ON app(a);
           CREATE INDEX ps_data__x__y ON app(b);
           CREATE INDEX ps_data__lists__mine ON ps_data__lists(id, data);
           CREATE VIEW report AS SELECT * FROM lists -- powersync-auto-generated
           ;
           CREATE VIEW ps_data__report("id", "x") AS SELECT id, x FROM "lists" -- powersync-auto-generated
           ;
           CREATE TABLE ps_data__mine(id INTEGER PRIMARY KEY, data TEXT, more TEXT);
           CREATE TABLE "ps_data_local__mine"(id TEXT PRIMARY KEY, data TEXT);
           CREATE TABLE managed(id TEXT, x TEXT /* ps-managed */);
           CREATE TRIGGER ps_view_insert_app AFTER INSERT ON app BEGIN SELECT 1; END;
           CREATE TRIGGER ps_view_insert_lists_audit INSTEAD OF INSERT ON lists BEGIN SELECT 1; END;
           INSERT INTO app VALUES (1, 2); INSERT INTO ps_data__mine VALUES (1, 'd', 'm');
           INSERT INTO ps_data_local__mine VALUES ('1', 'd'); INSERT INTO managed VALUES ('1', 'x')"#,
    );
    let before = host.table("SELECT rowid, name, sql FROM sqlite_schema");
    host.replace_schema(&json!({"tables": [{"name": "lists", "columns": [{"name": "x"}]}], "raw_tables": []}));
    assert_eq!(host.table("SELECT rowid, name, sql FROM sqlite_schema"), before);
    host.replace_schema(&json!({"tables": []}));
    let left = host.table(
        "SELECT name FROM sqlite_schema WHERE name NOT IN (SELECT name FROM sqlite_schema WHERE name GLOB 'ps_[abce-z]*' OR name IN ('ps_diagnostics', 'powersync_rejected'))
         AND name NOT GLOB 'sqlite_*' ORDER BY name",
    );
    let expected = json!([
        ["app"],
        ["managed"],
        ["ps_data__mine"],
        ["ps_data__report"],
        ["ps_data__x__y"],
        ["ps_data_local__mine"],
        ["ps_data_x"],
        ["report"]
    ]);
    assert_eq!(left, expected);
    assert_eq!(host.value("SELECT count(*) FROM sqlite_schema WHERE name = 'ps_view_insert_app'"), 1);
    for table in ["app", "ps_data__mine", "ps_data_local__mine", "managed"] {
        assert_eq!(host.value(&format!("SELECT count(*) FROM {table}")), 1, "{table}");
    }
}

#[test]
fn names_that_the_application_has_taken_are_refused_and_kept() {
    let lists = json!({"tables": [{"name": "lists", "columns": [{"name": "x"}],
        "indexes": [{"name": "i", "columns": [{"name": "x"}]}]}]});
    for (object, problem) in [
        ("CREATE TABLE lists(x)", "cannot create view \"lists\": the database has a table of that name"),
        ("CREATE VIEW lists AS SELECT 1 -- powersync-auto-generated", "the database has a view of that name"),
        ("CREATE TABLE ps_data__lists(x)", "cannot use table \"ps_data__lists\""),
        (
            "CREATE TABLE a(x); CREATE TRIGGER ps_view_insert_lists AFTER INSERT ON a BEGIN SELECT 1; END",
            "cannot create trigger",
        ),
    ] {
        let host = Host::open_in_memory();
        host.execute(object);
        host.initialize();
        let before = host.table("SELECT rowid, name, sql FROM sqlite_schema");
        assert_refused(&host, &lists, problem);
        assert_eq!(host.table("SELECT rowid, name, sql FROM sqlite_schema"), before);
    }
}

#[test]
fn an_index_name_that_is_taken_costs_only_the_index() {
    let host = Host::open_in_memory();
    let table = |indexes: Value| json!({"tables": [{"name": "a", "columns": [{"name": "x"}], "indexes": indexes}]});
    host.replace_schema(&table(json!([])));
    host.execute("CREATE INDEX ps_data__a__i ON ps_data__a(data)");
    host.replace_schema(&table(json!([{"name": "i", "columns": [{"name": "x"}]}])));
    assert_eq!(
        host.value("SELECT sql FROM sqlite_schema WHERE name = 'ps_data__a__i'"),
        "CREATE INDEX ps_data__a__i ON ps_data__a(data)"
    );
}

#[test]
fn a_data_table_with_more_columns_serves_and_is_never_dropped() {
    let host = Host::open_in_memory();
    let schema = json!({"tables": [{"name": "a", "columns": [{"name": "x"}]}]});
    host.replace_schema(&schema);
    host.execute("ALTER TABLE ps_data__a ADD COLUMN note; INSERT INTO a(id, x) VALUES ('1', 'one')");
    host.replace_schema(&schema);
    host.execute("INSERT INTO a(id, x) VALUES ('2', 'two')");
    host.replace_schema(&json!({"tables": []}));
    assert_eq!(host.value("SELECT count(*) FROM ps_data__a"), 2);
    host.replace_schema(&schema);
    assert_eq!(host.table("SELECT * FROM a"), json!([["1", "one"], ["2", "two"]]));
}
