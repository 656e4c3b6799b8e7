//! Databases recorded from the published extension, and the schema they were made with: views, indexes and rows stay,
//! triggers become ours (docs/reference/schema.md#json-tables, docs/reference/tables.md#formats-and-migrations).

use rowtide_testkit::Host;
use rowtide_testkit::recordings::data_directory;
use serde_json::{Value, json};

/// The schema that the recorded databases have.
fn recorded_schema() -> Value {
    let columns = |columns: &[(&str, &str)]| -> Value {
        columns.iter().map(|(name, column_type)| json!({"name": name, "type": column_type})).collect()
    };
    let by_list = json!([{"name": "by_list", "columns": [{"name": "list_id", "ascending": true, "type": "text"}]}]);
    let todos = [("list_id", "text"), ("description", "text"), ("completed", "integer"), ("points", "real")];
    json!({"tables": [
        {"name": "lists", "columns": columns(&[("name", "text"), ("owner_id", "text"), ("created_at", "text")])},
        {"name": "todos", "columns": columns(&todos), "indexes": by_list},
        {"name": "drafts", "columns": columns(&[("body", "text")]), "local_only": true},
        {"name": "events", "columns": columns(&[("kind", "text")]), "insert_only": true},
    ]})
}

fn format_of(name: &str) -> i64 {
    name[1..3].parse().unwrap()
}

fn each_database(mut work: impl FnMut(&str, &Host)) {
    for format in 1..=14 {
        for variant in ["pending", "acknowledged"] {
            let name = format!("v{format:02}-{variant}");
            let directory = tempfile::tempdir().unwrap();
            let copy = directory.path().join("copy.db");
            std::fs::copy(data_directory().join(format!("databases/{name}.db")), &copy).unwrap();
            let mut permissions = std::fs::metadata(&copy).unwrap().permissions();
            #[expect(clippy::permissions_set_readonly_false, reason = "a temporary copy of a read-only file")]
            permissions.set_readonly(false);
            std::fs::set_permissions(&copy, permissions).unwrap();
            let host = Host::open(&copy);
            host.execute("PRAGMA synchronous = OFF");
            work(&name, &host);
        }
    }
}

#[test]
#[cfg_attr(not(recorded_data), ignore = "needs POWERSYNC_INTEROP_DATA")]
fn published_views_and_indexes_are_kept_as_they_are() {
    let objects = "SELECT rowid, type, name, sql FROM sqlite_schema
        WHERE name GLOB 'ps_data*' OR type = 'view' AND name NOT IN ('ps_oplog', 'powersync_rejected') ORDER BY name";
    each_database(|name, host| {
        host.initialize();
        let before = host.rows(objects);
        let rows = host.table(
            "SELECT 'lists', * FROM ps_data__lists UNION ALL SELECT 'todos', * FROM ps_data__todos
            UNION ALL SELECT 'drafts', * FROM ps_data_local__drafts UNION ALL SELECT type, id, data FROM ps_untyped",
        );
        host.replace_schema(&recorded_schema());
        // Below format 10 the recorded files have lost their views.
        let after = host.rows(objects);
        assert!(before.iter().all(|object| after.contains(object)), "{name}: {before:?}, then {after:?}");
        assert_eq!(before.len(), if format_of(name) < 10 { 5 } else { 9 }, "{name}");
        assert_eq!(after.len(), 9, "{name}");
        let now = host.table(
            "SELECT 'lists', * FROM ps_data__lists UNION ALL SELECT 'todos', * FROM ps_data__todos
            UNION ALL SELECT 'drafts', * FROM ps_data_local__drafts UNION ALL SELECT type, id, data FROM ps_untyped",
        );
        assert_eq!(now, rows, "{name}");
    });
}

#[test]
#[cfg_attr(not(recorded_data), ignore = "needs POWERSYNC_INTEROP_DATA")]
fn published_triggers_become_ours_and_continue_the_queue() {
    each_database(|name, host| {
        let queued = host.value("SELECT count(*) FROM ps_crud").as_i64().unwrap();
        host.replace_schema(&recorded_schema());
        let published = "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger' AND sql LIKE '%strip_subtype%'";
        assert_eq!(host.value(published), 0, "{name}");
        assert_eq!(
            host.value("SELECT count(*) FROM sqlite_schema WHERE type = 'trigger' AND name LIKE 'ps_view_%'"),
            10,
            "{name}"
        );
        let next = host.value("SELECT next_tx FROM ps_tx");
        host.execute("UPDATE lists SET name = 'mine' WHERE id = 'l1'; INSERT INTO events(id, kind) VALUES ('e9', 'x')");
        assert_eq!(host.value("SELECT count(*) FROM ps_crud"), queued + 2, "{name}");
        let last = host.table("SELECT tx_id - (SELECT next_tx FROM ps_tx), data FROM ps_crud ORDER BY id DESC LIMIT 2");
        assert_eq!(
            last,
            json!([
                [-1, r#"{"op":"PUT","type":"events","id":"e9","data":{"kind":"x"}}"#],
                [-2, r#"{"op":"PATCH","id":"l1","type":"lists","data":{"name":"mine"}}"#]
            ]),
            "{name}"
        );
        assert!(next.as_i64() > Some(0), "{name}");
    });
}

#[test]
#[cfg_attr(not(recorded_data), ignore = "needs POWERSYNC_INTEROP_DATA")]
fn published_objects_go_when_the_schema_drops_them() {
    each_database(|name, host| {
        host.initialize();
        let rows = host.value(
            "SELECT (SELECT count(*) FROM ps_data__lists) + (SELECT count(*) FROM ps_data__todos)
            + (SELECT count(*) FROM ps_untyped)",
        );
        host.replace_schema(&json!({"tables": []}));
        let left = "SELECT name FROM sqlite_schema WHERE name GLOB 'ps_data*' OR name GLOB 'ps_view*' OR type = 'view' ORDER BY name";
        assert_eq!(host.table(left), json!([["powersync_rejected"], ["ps_oplog"]]), "{name}");
        assert_eq!(host.value("SELECT count(*) FROM ps_untyped"), rows, "{name}");
    });
}
