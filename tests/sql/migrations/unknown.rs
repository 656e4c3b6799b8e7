//! Migrations that the library does not know, taken by a newer or another version, are undone with the statements that
//! this version stored (docs/reference/tables.md#formats-and-migrations).

use rowtide_testkit::{Host, HostError};
use serde_json::{Value, json};

use crate::migrations::stored_format::{NEWEST, migrate, newest_migration, rows};

/// A current database with one more migration, undone by `down` (JSON text, or None for NULL).
fn with_migration(id: i64, down: Option<&str>) -> Host {
    let host = Host::open_in_memory();
    host.initialize();
    add_migration(&host, id, down);
    host
}

fn add_migration(host: &Host, id: i64, down: Option<&str>) {
    host.rows_with("INSERT INTO ps_migration VALUES (?, ?)", (id, down));
}

/// Statements in the form in which they are stored.
fn stored(statements: &[&str]) -> String {
    let steps: Vec<Value> = statements.iter().map(|sql| json!({"sql": sql})).collect();
    Value::from(steps).to_string()
}

/// The error of an initialization that must fail, after which nothing may have changed.
#[track_caller]
fn refusal(host: &Host) -> HostError {
    let before = (rows(host), host.table("SELECT * FROM ps_migration"));
    let error = host.try_transaction("SELECT powersync_init()", []).unwrap_err();
    assert_eq!((rows(host), host.table("SELECT * FROM ps_migration")), before);
    error
}

#[test]
fn they_are_undone_highest_first() {
    let host = Host::open_in_memory();
    host.initialize();
    host.execute("CREATE TABLE undone(id INTEGER)");
    for id in [2001, 2002, 5000] {
        let down = stored(&[
            &format!("INSERT INTO undone VALUES ({id})"),
            &format!("DELETE FROM ps_migration WHERE id >= {id}"),
        ]);
        add_migration(&host, id, Some(&down));
    }
    host.initialize();
    assert_eq!(host.table("SELECT id FROM undone ORDER BY rowid"), json!([[5000], [2002], [2001]]));
    assert_eq!(newest_migration(&host), NEWEST);
}

#[test]
fn those_taken_after_an_unknown_one_are_undone_with_it() {
    let host = Host::open_in_memory();
    migrate(&host, 14);
    host.execute("ALTER TABLE ps_tx ADD COLUMN novelty");
    add_migration(
        &host,
        15,
        Some(&stored(&["ALTER TABLE ps_tx DROP COLUMN novelty", "DELETE FROM ps_migration WHERE id >= 15"])),
    );
    host.execute("CREATE TABLE undone(id INTEGER)");
    add_migration(
        &host,
        NEWEST,
        Some(&stored(&["INSERT INTO undone VALUES (1001)", "DELETE FROM ps_migration WHERE id >= 1001"])),
    );
    host.initialize();
    assert_eq!(host.table("SELECT id FROM undone"), json!([[1001]]));
    assert_eq!(host.value("SELECT count(*) FROM pragma_table_info('ps_tx') WHERE name = 'novelty'"), 0);
    assert_eq!(host.value("SELECT count(*) FROM ps_migration WHERE id = 15"), 0);
    assert_eq!(newest_migration(&host), NEWEST);
    assert_eq!(host.value("SELECT count(*) FROM ps_operations"), 0);
}

#[test]
fn going_to_a_lower_format_undoes_them_too() {
    let host = with_migration(2000, Some(&stored(&["DELETE FROM ps_migration WHERE id >= 2000"])));
    migrate(&host, 9);
}

#[test]
fn other_members_of_a_stored_statement_mean_nothing() {
    let down = r#"[{"params":[],"sql":"SELECT 1"},{"sql":"SELECT 2; DELETE FROM ps_migration WHERE id >= 2000","params":[1],"x":{}}]"#;
    let host = with_migration(2000, Some(down));
    host.initialize();
    assert_eq!(newest_migration(&host), NEWEST);
}

#[test]
fn a_migration_that_stays_is_reported() {
    for down in [
        None,
        Some("[]".to_owned()),
        Some(stored(&["SELECT 1"])),
        Some(stored(&["DELETE FROM ps_migration WHERE id < 5"])),
    ] {
        let host = with_migration(2000, down.as_deref());
        let error = refusal(&host);
        assert_eq!(error.code, 4, "{down:?}");
        assert_eq!(error.message, "powersync_init: Down migration failed - version not updated from 2000");
    }
}

#[test]
fn a_failing_statement_is_reported_with_the_migration() {
    let host =
        with_migration(2000, Some(&stored(&["DELETE FROM ps_migration WHERE id >= 2000", "DROP TABLE no_such_table"])));
    let error = refusal(&host);
    assert_eq!(error.code, 1);
    assert!(error.message.contains("no such table: no_such_table"), "{error}");
    assert!(error.message.ends_with("(context: Down migration failed from 2000)"), "{error}");
}

#[test]
fn damaged_statements_are_reported() {
    for down in [
        "no json",
        "",
        r#"["DELETE FROM ps_migration"]"#,
        r#"[{"SQL": "DELETE FROM ps_migration"}]"#,
        r#"[{"sql": null}]"#,
        r#"{"sql": "DELETE FROM ps_migration"}"#,
        r#"[{"sql": "DELETE FROM ps_migration WHERE id >= 2000"}, 1]"#,
    ] {
        let error = refusal(&with_migration(2000, Some(down)));
        assert_eq!(error.code, 11, "{down}");
        assert!(error.message.contains("ps_migration.down_migrations of id 2000"), "{error}");
        assert!(error.message.ends_with("(context: Down migration failed from 2000)"), "{error}");
    }
}

#[test]
fn a_known_migration_without_stored_statements_cannot_be_undone() {
    let host = Host::open_in_memory();
    migrate(&host, 9);
    host.execute("UPDATE ps_migration SET down_migrations = NULL WHERE id = 9");
    let error = host.try_transaction("SELECT powersync_test_migration(3)", []).unwrap_err();
    assert_eq!(error.message, "powersync_test_migration: Down migration failed - version not updated from 9");
    host.initialize();
}

#[test]
fn a_gap_in_the_list_is_no_reason_to_migrate() {
    let host = Host::open_in_memory();
    host.initialize();
    host.execute("DELETE FROM ps_migration WHERE id IN (1, 7)");
    host.initialize();
    assert_eq!(host.value("SELECT count(*) FROM ps_migration"), 16);
}
