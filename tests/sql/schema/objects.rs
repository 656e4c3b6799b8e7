//! What `powersync_replace_schema` makes, keeps, replaces and drops (docs/reference/schema.md#json-tables).

use rowtide_testkit::Host;
use serde_json::{Value, json};

fn lists() -> Value {
    json!({"name": "lists", "columns": [{"name": "name", "type": "text"}, {"name": "rank", "type": "integer"}],
        "indexes": [{"name": "by_name", "columns": [{"name": "name", "ascending": true, "type": "text"},
                                                    {"name": "rank", "ascending": false, "type": "integer"}]}]})
}

fn with(table: Value, member: &str, value: Value) -> Value {
    let mut table = table;
    table[member] = value;
    table
}

fn schema(tables: &[Value]) -> Value {
    json!({"tables": tables})
}

fn host(tables: &[Value]) -> Host {
    let host = Host::open_in_memory();
    host.replace_schema(&schema(tables));
    host
}

fn sql(host: &Host, name: &str) -> Value {
    host.value_with("SELECT sql FROM sqlite_schema WHERE name = ?", [name])
}

/// Where objects are in `sqlite_schema`, which changes when they are created again.
fn places(host: &Host) -> Value {
    host.table("SELECT rowid, name FROM sqlite_schema ORDER BY rowid")
}

#[test]
fn a_table_gets_a_data_table_a_view_and_indexes() {
    let host = host(&[lists()]);
    assert_eq!(
        sql(&host, "ps_data__lists"),
        r#"CREATE TABLE "ps_data__lists"(id TEXT NOT NULL UNIQUE, data TEXT, operation INTEGER PRIMARY KEY)"#
    );
    assert_eq!(
        sql(&host, "lists"),
        "CREATE VIEW \"lists\"(\"id\", \"name\", \"rank\") AS SELECT id, \
         CAST(json_extract(data, '$.name') as text), CAST(json_extract(data, '$.rank') as integer) \
         FROM \"ps_data__lists\" -- powersync-auto-generated"
    );
    assert_eq!(
        sql(&host, "ps_data__lists__by_name"),
        "CREATE INDEX \"ps_data__lists__by_name\" ON \"ps_data__lists\"\
         (CAST(json_extract(data, '$.name') as text), CAST(json_extract(data, '$.rank') as integer) DESC)"
    );
    let triggers = "SELECT name FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'lists' ORDER BY name";
    assert_eq!(
        host.table(triggers),
        json!([["ps_view_delete_lists"], ["ps_view_insert_lists"], ["ps_view_update_lists"]])
    );
    assert_eq!(host.value("SELECT count(*) FROM sqlite_schema WHERE sql GLOB '*-- powersync-auto-generated'"), 1);
}

#[test]
fn the_view_reads_stored_json_through_its_types() {
    let columns =
        json!([{"name": "t", "type": "text"}, {"name": "i", "type": "integer"}, {"name": "r", "type": "real"}]);
    let host = host(&[json!({"name": "a", "columns": columns})]);
    host.execute(
        r#"INSERT INTO ps_data__a(id, data) VALUES
           ('1', '{"t":12,"i":"9007199254740993","r":"1.5"}'), ('2', '{"i":9223372036854775807,"r":2}'),
           ('3', '{"t":null,"extra":1}'), ('4', '{"t":{"a":[1]},"i":"12x","r":1}')"#,
    );
    assert_eq!(
        host.table("SELECT * FROM a ORDER BY id"),
        json!([
            ["1", "12", 9007199254740993_i64, 1.5],
            ["2", null, 9223372036854775807_i64, 2.0],
            ["3", null, null, null],
            ["4", r#"{"a":[1]}"#, 12, 1.0]
        ])
    );
}

#[test]
fn queries_find_the_index_and_the_data_table() {
    let host = host(&[lists()]);
    let plan = |query: &str| host.table(&format!("EXPLAIN QUERY PLAN {query}")).to_string();
    let by_name = plan("SELECT * FROM lists WHERE name = 'a' ORDER BY rank DESC");
    assert!(by_name.contains("USING INDEX ps_data__lists__by_name") && !by_name.contains("TEMP B-TREE"), "{by_name}");
    assert!(plan("SELECT * FROM lists WHERE id = 'a'").contains("SEARCH ps_data__lists USING INDEX"));
}

#[test]
fn an_identical_schema_touches_nothing() {
    let other = json!({"name": "b", "view_name": "the b", "columns": [], "local_only": true});
    let host = host(&[lists(), other.clone()]);
    host.execute("CREATE TRIGGER mine INSTEAD OF INSERT ON lists BEGIN SELECT 1; END");
    let before = places(&host);
    let version = host.value("PRAGMA schema_version");
    // Once recognised as the text applied before, then compared, in another order.
    host.replace_schema(&schema(&[lists(), other.clone()]));
    host.replace_schema(&schema(&[other, lists()]));
    assert_eq!(places(&host), before);
    assert_eq!(host.value("PRAGMA schema_version"), version);
}

#[test]
fn changed_columns_replace_the_view_and_its_triggers_and_keep_the_rows() {
    let host = host(&[lists()]);
    host.execute("INSERT INTO lists(id, name) VALUES ('1', 'one')");
    host.execute("CREATE TRIGGER mine INSTEAD OF INSERT ON lists BEGIN INSERT INTO log VALUES (NEW.name); END");
    host.execute("CREATE TEMP TRIGGER fleeting INSTEAD OF DELETE ON lists BEGIN DELETE FROM log; END");
    host.execute("CREATE TABLE log(entry)");
    let columns = json!([{"name": "name", "type": "text"}, {"name": "extra", "type": "text"}]);
    host.replace_schema(&schema(&[with(lists(), "columns", columns)]));
    host.execute("INSERT INTO lists(id, name, extra) VALUES ('2', 'two', 'x')");
    assert_eq!(host.table("SELECT id, name, extra FROM lists"), json!([["1", "one", null], ["2", "two", "x"]]));
    // Dropping a view drops triggers on it, also those of the application: they come back.
    assert_eq!(host.table("SELECT entry FROM log"), json!([["two"]]));
    host.execute("DELETE FROM lists WHERE id = '1'");
    assert_eq!(host.value("SELECT count(*) FROM log"), 0);
}

#[test]
fn a_trigger_that_the_new_view_cannot_have_does_not_stop_the_schema() {
    let host = host(&[lists()]);
    host.execute("CREATE TRIGGER mine INSTEAD OF UPDATE OF rank ON lists BEGIN SELECT 1; END");
    host.replace_schema(&schema(&[with(lists(), "columns", json!([{"name": "name", "type": "text"}]))]));
    host.execute("INSERT INTO lists(id, name) VALUES ('1', 'one')");
    assert_eq!(host.value("SELECT name FROM lists"), "one");
}

#[test]
fn options_replace_triggers_and_not_the_view() {
    let host = host(&[lists()]);
    let view = host.value("SELECT rowid FROM sqlite_schema WHERE name = 'lists'");
    host.replace_schema(&schema(&[with(lists(), "include_old", json!(true))]));
    assert_eq!(host.value("SELECT rowid FROM sqlite_schema WHERE name = 'lists'"), view);
    host.execute("INSERT INTO lists(id, name) VALUES ('1', 'one'); DELETE FROM lists");
    assert_eq!(
        host.value("SELECT data ->> 'old' FROM ps_crud ORDER BY id DESC"),
        json!(r#"{"name":"one","rank":null}"#)
    );
}

#[test]
fn triggers_that_an_option_no_longer_needs_are_dropped() {
    let count = "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger' AND name LIKE 'ps_view_%'";
    let host = host(&[with(lists(), "include_metadata", json!(true))]);
    assert_eq!(host.value(count), 4);
    host.replace_schema(&schema(&[lists()]));
    assert_eq!(host.value(count), 3);
    let before = host.value("SELECT rowid FROM sqlite_schema WHERE name = 'lists'");
    host.replace_schema(&schema(&[with(lists(), "insert_only", json!(true))]));
    assert_eq!(host.value(count), 1);
    assert_eq!(host.value("SELECT rowid FROM sqlite_schema WHERE name = 'lists'"), before);
}

#[test]
fn indexes_follow_the_schema() {
    let host = host(&[lists()]);
    let indexes = "SELECT name FROM sqlite_schema WHERE type = 'index' AND name LIKE 'ps\\_data\\_\\_%' ESCAPE '\\'";
    let other = json!([{"name": "by_rank", "columns": [{"name": "rank", "ascending": true, "type": "integer"}]}]);
    host.replace_schema(&schema(&[with(lists(), "indexes", other.clone())]));
    assert_eq!(host.table(indexes), json!([["ps_data__lists__by_rank"]]));
    let mut descending = other;
    descending[0]["columns"][0]["ascending"] = json!(false);
    host.replace_schema(&schema(&[with(lists(), "indexes", descending)]));
    assert!(sql(&host, "ps_data__lists__by_rank").as_str().unwrap().ends_with(" DESC)"));
    host.replace_schema(&schema(&[with(lists(), "indexes", json!(null))]));
    assert_eq!(host.table(indexes), json!([]));
}

#[test]
fn indexes_of_local_only_tables_are_named_after_their_data_table() {
    let host = host(&[with(lists(), "local_only", json!(true))]);
    assert!(sql(&host, "ps_data_local__lists__by_name").is_string());
}

#[test]
fn views_can_be_renamed_and_exchanged() {
    let a = json!({"name": "a", "view_name": "first", "columns": []});
    let b = json!({"name": "b", "view_name": "second", "columns": []});
    let host = host(&[a.clone(), b.clone()]);
    host.execute("INSERT INTO first(id) VALUES ('in a'); INSERT INTO second(id) VALUES ('in b')");
    host.replace_schema(&schema(&[
        with(a.clone(), "view_name", json!("second")),
        with(b, "view_name", json!("first")),
    ]));
    assert_eq!(host.table("SELECT (SELECT id FROM first), (SELECT id FROM second)"), json!([["in b", "in a"]]));
    host.replace_schema(&schema(&[with(a, "view_name", json!(null))]));
    assert_eq!(
        host.table(
            "SELECT name FROM sqlite_schema WHERE type = 'view' AND name NOT IN ('ps_oplog', 'powersync_rejected')"
        ),
        json!([["a"]])
    );
}

#[test]
fn what_someone_else_changed_is_noticed_and_repaired() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("shared.db");
    let (host, other) = (Host::open(&file), Host::open(&file));
    host.replace_schema(&schema(&[lists()]));
    let before = host.table("SELECT name, sql FROM sqlite_schema ORDER BY name");
    for damage in [
        "DROP VIEW lists",
        "DROP TRIGGER ps_view_insert_lists",
        "DROP INDEX ps_data__lists__by_name",
        "DROP TRIGGER ps_view_delete_lists;
         CREATE TRIGGER ps_view_delete_lists INSTEAD OF DELETE ON lists BEGIN SELECT 1; END",
    ] {
        other.execute(damage);
        host.replace_schema(&schema(&[lists()]));
        assert_eq!(host.table("SELECT name, sql FROM sqlite_schema ORDER BY name"), before, "{damage}");
    }
}

#[test]
fn a_schema_that_was_rolled_back_is_applied_again() {
    let host = host(&[]);
    let apply = || host.rows_with("SELECT powersync_replace_schema(?)", [schema(&[lists()]).to_string()]);
    host.execute("BEGIN");
    apply();
    host.execute("ROLLBACK; BEGIN; SAVEPOINT s");
    apply();
    host.execute("ROLLBACK TO s");
    assert_eq!(host.value("SELECT count(*) FROM sqlite_schema WHERE name = 'lists'"), 0);
    apply();
    apply();
    host.execute("COMMIT");
    host.execute("INSERT INTO lists(id, name) VALUES ('1', 'one')");
    assert_eq!(host.value("SELECT name FROM lists"), "one");
}

#[test]
fn a_rollback_is_noticed_although_the_schema_version_comes_again() {
    let host = host(&[lists()]);
    let renamed = schema(&[with(lists(), "view_name", json!("renamed"))]);
    host.execute("BEGIN");
    host.rows_with("SELECT powersync_replace_schema(?)", [renamed.to_string()]);
    let version = host.value("PRAGMA schema_version").as_i64().unwrap();
    host.execute("ROLLBACK");
    // The application changes its tables until the number is the same again.
    for number in 0.. {
        if host.value("PRAGMA schema_version").as_i64().unwrap() >= version {
            break;
        }
        host.execute(&format!("CREATE TABLE app{number}(x)"));
    }
    assert_eq!(host.value("PRAGMA schema_version"), version);
    host.replace_schema(&renamed);
    host.execute("INSERT INTO renamed(id) VALUES ('1')");
}

#[test]
fn it_runs_the_migrations_first() {
    let host = Host::open_in_memory();
    host.transaction("SELECT powersync_test_migration(3)", []);
    host.replace_schema(&schema(&[lists()]));
    assert!(host.value("SELECT max(id) FROM ps_migration").as_i64().unwrap() > 1000);
    host.transaction("SELECT powersync_test_migration(14)", []);
    host.replace_schema(&schema(&[lists()]));
    host.execute("INSERT INTO lists(id, name) VALUES ('1', 'one')");
    assert!(host.value("SELECT max(id) FROM ps_migration").as_i64().unwrap() > 1000);
}

#[test]
fn defensive_untrusted_and_attached_databases_do_not_matter() {
    let host = Host::open_in_memory();
    let defensive = rusqlite::config::DbConfig::SQLITE_DBCONFIG_DEFENSIVE;
    host.connection().set_db_config(defensive, true).unwrap();
    host.execute(
        "PRAGMA trusted_schema = OFF; ATTACH ':memory:' AS other; CREATE TABLE other.lists(id, name);
         CREATE TABLE other.ps_data__lists(id, data); CREATE TABLE other.ps_crud(tx_id, data);
         CREATE TABLE other.ps_untyped(type, id, data); INSERT INTO other.ps_untyped VALUES ('lists', 'wrong', '{}');
         CREATE TEMP TABLE ps_updated_rows(row_type, row_id); CREATE TEMP TABLE lists(id, name)",
    );
    host.replace_schema(&schema(&[lists()]));
    host.execute("INSERT INTO main.lists(id, name) VALUES ('1', 'one'); UPDATE main.lists SET name = 'two'");
    assert_eq!(host.table("SELECT id, name FROM main.lists"), json!([["1", "two"]]));
    assert_eq!(host.value("SELECT count(*) FROM main.ps_crud"), 2);
    host.replace_schema(&schema(&[with(lists(), "columns", json!([{"name": "rank", "type": "real"}]))]));
    host.replace_schema(&schema(&[]));
    assert_eq!(host.table("SELECT type, id FROM main.ps_untyped"), json!([["lists", "1"]]));
    for table in ["other.ps_data__lists", "other.ps_crud", "temp.ps_updated_rows", "other.lists", "temp.lists"] {
        assert_eq!(host.value(&format!("SELECT count(*) FROM {table}")), 0, "{table}");
    }
}

#[test]
fn small_limits_of_the_connection_do_not_matter() {
    use rusqlite::limits::Limit;
    let columns: Vec<Value> = (0..60).map(|index| json!({"name": format!("c{index}"), "type": "text"})).collect();
    let table = json!({"name": "wide", "columns": columns, "include_old": true});
    let host = Host::open_in_memory();
    host.connection().set_limit(Limit::SQLITE_LIMIT_FUNCTION_ARG, 8).unwrap();
    host.replace_schema(&schema(&[table]));
    host.execute("INSERT INTO wide(id, c0, c59) VALUES ('1', 'first', 'last'); UPDATE wide SET c30 = 'middle'");
    assert_eq!(host.table("SELECT c0, c30, c59 FROM wide"), json!([["first", "middle", "last"]]));
    assert_eq!(host.value("SELECT data ->> 'data' FROM ps_crud"), r#"{"c0":"first","c59":"last"}"#);
    assert_eq!(host.value("SELECT data ->> 'data' FROM ps_crud WHERE id = 2"), r#"{"c30":"middle"}"#);
}

#[test]
fn it_is_refused_while_rows_are_cleared_or_published() {
    let host = host(&[lists()]);
    host.execute("INSERT INTO lists(id) VALUES ('1')");
    host.execute(
        r#"CREATE TRIGGER nested AFTER DELETE ON ps_data__lists BEGIN
           SELECT powersync_replace_schema('{"tables":[]}'); END"#,
    );
    let error = host.try_transaction("SELECT powersync_clear(0)", []).unwrap_err();
    assert_eq!(error.code, 21, "{error}");
    assert_eq!(host.table("SELECT id FROM lists"), json!([["1"]]));
}
