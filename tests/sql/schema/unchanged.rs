//! An unchanged schema is recognised without a look at the database, on any connection, and whatever somebody else
//! changed in the database is noticed (docs/reference/schema.md#when-the-schema-changes).
//!
//! Whether the library has looked is seen from a trigger that was damaged behind SQLite's back: it repairs what it sees.

use rowtide_testkit::Host;
use rowtide_testkit::service::Service;
use rusqlite::limits::Limit;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::migrations::stored_format::{NEWEST, PUBLISHED, migrate};

struct File(TempDir);

impl File {
    /// A file with the schema.
    fn new() -> Self {
        let file = Self(tempfile::tempdir().unwrap());
        file.open().replace_schema(&schema("a"));
        file
    }

    fn open(&self) -> Host {
        Host::open(self.0.path().join("app.db"))
    }

    /// Damages a trigger so that nobody notices. Connections that are open go on with what they have read.
    fn damage(&self) {
        let host = self.open();
        host.execute("PRAGMA writable_schema = ON");
        host.execute(
            "UPDATE sqlite_schema SET sql = replace(sql, 'ps_data__t', 'damaged') WHERE name GLOB 'ps_view_*'",
        );
    }

    fn is_damaged(&self) -> bool {
        self.open().value("SELECT count(*) FROM sqlite_schema WHERE type = 'trigger' AND sql GLOB '*damaged*'") != 0
    }
}

fn schema(column: &str) -> Value {
    json!({"tables": [{"name": "t", "columns": [{"name": column, "type": "text"}]}]})
}

fn views(host: &Host) -> Value {
    host.table("SELECT name FROM sqlite_schema WHERE type = 'view' AND name NOT GLOB 'ps_*' AND name != 'powersync_rejected' ORDER BY 1")
}

#[test]
fn an_unchanged_schema_is_recognised_by_other_connections() {
    let file = File::new();
    file.damage();
    let host = file.open();
    host.replace_schema(&schema("a"));
    assert!(file.is_damaged(), "the database was looked at");
    host.replace_schema(&schema("a"));
    assert!(file.is_damaged(), "the database was looked at the second time");
}

#[test]
fn another_schema_is_not_taken_for_the_same() {
    let file = File::new();
    let host = file.open();
    host.replace_schema(&schema("b"));
    assert_eq!(host.table("SELECT name FROM pragma_table_info('t')"), json!([["id"], ["b"]]));
    file.open().replace_schema(&schema("a"));
    assert_eq!(host.table("SELECT name FROM pragma_table_info('t')"), json!([["id"], ["a"]]));
}

#[test]
fn changes_by_others_are_noticed() {
    for change in [
        "CREATE TABLE other(id)",
        "DROP VIEW t",
        "DROP TRIGGER ps_view_insert_t",
        "BEGIN; CREATE VIEW v AS SELECT 1; DROP VIEW v; COMMIT",
        "VACUUM",
        "UPDATE ps_schema SET fingerprint = x'00'",
        "DELETE FROM ps_schema",
        "INSERT INTO ps_migration(id, down_migrations) \
            VALUES (2000, '[{\"sql\":\"DELETE FROM ps_migration WHERE id = 2000\"}]')",
    ] {
        let file = File::new();
        file.open().execute(change);
        file.damage();
        let host = file.open();
        host.replace_schema(&schema("a"));
        assert!(!file.is_damaged(), "not looked at after: {change}");
        assert_eq!(views(&host), json!([["t"]]), "{change}");
        host.execute("INSERT INTO t(id, a) VALUES ('1', 'x')");
        file.damage();
        file.open().replace_schema(&schema("a"));
        assert!(file.is_damaged(), "not known again after: {change}");
    }
}

#[test]
fn what_this_connection_knows_counts_less_than_what_others_did() {
    let file = File::new();
    let host = file.open();
    host.replace_schema(&schema("a"));
    file.open().replace_schema(&schema("b"));
    host.replace_schema(&schema("a"));
    assert_eq!(host.table("SELECT name FROM pragma_table_info('t')"), json!([["id"], ["a"]]));
    file.open().execute("DROP VIEW t");
    host.replace_schema(&schema("a"));
    assert_eq!(views(&host), json!([["t"]]));
}

#[test]
fn undone_schemas_are_not_recognised() {
    for undo in ["ROLLBACK", "ROLLBACK TO s; COMMIT"] {
        let file = File::new();
        let host = file.open();
        host.execute("BEGIN IMMEDIATE; SAVEPOINT s");
        host.rows_with("SELECT powersync_replace_schema(?)", [schema("b").to_string()]);
        host.execute(undo);
        for host in [&host, &file.open()] {
            host.replace_schema(&schema("b"));
            assert_eq!(host.table("SELECT name FROM pragma_table_info('t')"), json!([["id"], ["b"]]), "{undo}");
            host.replace_schema(&schema("a"));
        }
    }
}

#[test]
fn a_schema_recognised_in_a_transaction_that_is_rolled_back_is_checked_again() {
    let file = File::new();
    let host = file.open();
    host.execute("BEGIN IMMEDIATE");
    host.rows_with("SELECT powersync_replace_schema(?)", [schema("b").to_string()]);
    host.rows_with("SELECT powersync_replace_schema(?)", [schema("a").to_string()]);
    host.rows_with("SELECT powersync_replace_schema(?)", [schema("a").to_string()]);
    host.execute("ROLLBACK");
    host.replace_schema(&schema("b"));
    host.replace_schema(&schema("a"));
    host.execute("INSERT INTO t(id, a) VALUES ('1', 'x')");
    assert_eq!(host.table("SELECT * FROM t"), json!([["1", "x"]]));
}

#[test]
fn what_else_decides_on_the_objects_is_part_of_it() {
    let file = File::new();
    file.damage();
    let host = file.open();
    host.connection().set_limit(Limit::SQLITE_LIMIT_FUNCTION_ARG, 8).unwrap();
    host.replace_schema(&schema("a"));
    assert!(!file.is_damaged());
}

#[test]
fn raw_tables_of_a_recognised_schema_are_known() {
    let schema = json!({"tables": [], "raw_tables": [{"name": "thing", "table_name": "things"}]});
    let file = File(tempfile::tempdir().unwrap());
    let host = file.open();
    host.execute("CREATE TABLE things(id TEXT PRIMARY KEY, a)");
    host.replace_schema(&schema);
    drop(host);
    let host = file.open();
    host.replace_schema(&schema);
    host.control("start", ());
    let mut service = Service::new();
    service.put("bucket", "thing", "1", &json!({"a": 5}));
    service.lines(0).iter().for_each(|line| drop(host.line(line)));
    assert_eq!(host.table("SELECT id, a FROM things"), json!([["1", 5]]));
    host.control("stop", ());
    host.transaction("SELECT powersync_clear(1)", []);
    assert_eq!(host.value("SELECT count(*) FROM things"), 1, "without `clear`, rows of raw tables stay");
}

#[test]
fn after_a_journey_to_a_published_format_everything_is_made_again() {
    let file = File::new();
    let host = file.open();
    let triggers = "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 't'";
    migrate(&host, PUBLISHED);
    assert_eq!(host.value("SELECT count(*) FROM sqlite_schema WHERE name = 'ps_schema'"), 0);
    assert_eq!((views(&host), host.value(triggers)), (json!([["t"]]), json!(0)));
    migrate(&host, NEWEST);
    host.replace_schema(&schema("a"));
    assert_eq!((views(&host), host.value(triggers)), (json!([["t"]]), json!(3)));
}

#[test]
fn databases_that_cannot_be_written_take_their_schema() {
    let file = File::new();
    file.open().execute("CREATE TABLE other(id)");
    let host = file.open();
    host.execute("PRAGMA query_only = ON");
    host.rows_with("BEGIN", []);
    host.rows_with("SELECT powersync_replace_schema(?)", [schema("a").to_string()]);
    host.execute("COMMIT");
}
