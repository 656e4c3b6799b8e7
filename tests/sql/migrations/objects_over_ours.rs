//! Views and triggers of the application over our views and data tables stay, whatever the format changes to, and
//! whoever takes the file back (docs/reference/tables.md#formats-and-migrations).

use rowtide_testkit::Host;
use rusqlite::Connection;
use rusqlite::functions::{Context, FunctionFlags};
use serde_json::{Value, json};

use crate::migrations::stored_format::{NEWEST, OWN, PUBLISHED, in_format, migrate};

/// All formats that this library knows.
fn formats() -> impl Iterator<Item = i64> {
    (1..=PUBLISHED).chain(OWN)
}

fn schema() -> Value {
    let columns = json!([{"name": "name", "type": "text"}]);
    json!({"tables": [
        {"name": "lists", "columns": columns, "include_metadata": true},
        {"name": "drafts", "columns": columns, "local_only": true},
        {"name": "od\"d", "columns": columns, "view_name": "o'dd"},
    ]})
}

const OF_THE_APP: &str = r#"
    CREATE TABLE log(entry);
    CREATE VIEW over_view AS SELECT id, name FROM lists;
    CREATE VIEW over_both AS SELECT l.id FROM over_view AS l JOIN ps_data__lists AS d ON d.id = l.id;
    CREATE TRIGGER on_view INSTEAD OF INSERT ON lists BEGIN INSERT INTO log VALUES ('view ' || NEW.id); END;
    CREATE TRIGGER ps_view_insert_lists_audit INSTEAD OF DELETE ON lists BEGIN INSERT INTO log VALUES (OLD.name); END;
    CREATE TRIGGER on_own_view INSTEAD OF INSERT ON over_view BEGIN INSERT INTO lists(id) VALUES (NEW.id); END;
    CREATE TRIGGER on_table AFTER INSERT ON ps_data__lists BEGIN INSERT INTO log VALUES ('table ' || NEW.id); END;
"#;

fn objects_of_the_app(host: &Host) -> Value {
    host.table(
        "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name IN ('over_view', 'over_both', 'on_view',
         'ps_view_insert_lists_audit', 'on_own_view', 'on_table') ORDER BY name",
    )
}

fn our_triggers(host: &Host) -> Value {
    host.value("SELECT count(*) FROM sqlite_schema WHERE type = 'trigger' AND name GLOB 'ps_view_*' AND name <> 'ps_view_insert_lists_audit'")
}

/// That everything works again after the schema was applied.
#[track_caller]
fn assert_usable(host: &Host, id: &str) {
    host.replace_schema(&schema());
    assert_eq!(our_triggers(host), 10);
    host.execute("DELETE FROM log; DELETE FROM ps_crud");
    host.rows_with("INSERT INTO over_view(id) VALUES (?)", [id]);
    let log = json!([[format!("table {id}")], [format!("view {id}")]]);
    assert_eq!(host.table("SELECT entry FROM log ORDER BY 1"), log);
    assert_eq!(host.value_with("SELECT count(*) FROM over_both WHERE id = ?", [id]), 1);
    assert_eq!(host.value("SELECT json_extract(data, '$.op') FROM ps_crud"), "PUT");
}

#[test]
fn they_stay_on_every_way_down_and_up_again() {
    for format in formats() {
        let host = in_format(PUBLISHED);
        host.replace_schema(&schema());
        host.execute(OF_THE_APP);
        let before = objects_of_the_app(&host);
        let ours = "SELECT name, sql FROM sqlite_schema WHERE type = 'view' AND name IN ('lists', 'drafts', 'o''dd')";
        let views = host.table(ours);
        migrate(&host, format);
        assert_eq!(objects_of_the_app(&host), before, "format {format}");
        assert_eq!(host.table(ours), views, "format {format}");
        assert_eq!(our_triggers(&host), if format == NEWEST { 10 } else { 0 }, "format {format}");
        host.rows("SELECT * FROM over_both");
        assert_usable(&host, "new");
        assert_eq!(objects_of_the_app(&host), before, "format {format}, up again");
    }
}

#[test]
fn they_stay_on_every_way_up_and_down_again() {
    for format in formats() {
        let host = in_format(PUBLISHED);
        migrate(&host, format);
        // The objects that published versions make, but for what the triggers do.
        host.execute(&format!(
            r#"CREATE VIEW IF NOT EXISTS "lists"("id", "name") AS SELECT id, CAST(json_extract(data, '$.name') as text)
               FROM "ps_data__lists" -- powersync-auto-generated
               ; CREATE TRIGGER IF NOT EXISTS "ps_view_insert_lists" INSTEAD OF INSERT ON "lists" FOR EACH ROW BEGIN
               INSERT INTO powersync_operations(data) VALUES (powersync_diff('{{}}', NEW.name)); END; {OF_THE_APP}"#
        ));
        let before = objects_of_the_app(&host);
        host.initialize();
        assert_eq!(objects_of_the_app(&host), before, "from format {format}");
        assert_usable(&host, "new");
        // Replacing the view keeps them too.
        assert_eq!(objects_of_the_app(&host), before, "from format {format}, with the schema");
        migrate(&host, format);
        assert_eq!(objects_of_the_app(&host), before, "format {format}, down again");
        assert_usable(&host, "newer");
    }
}

/// Runs the statements that undo a format on a connection without this library, as a published version does. Its
/// functions do nothing.
#[track_caller]
fn undo_elsewhere(connection: &Connection) -> i64 {
    let version: i64 = connection.query_row("SELECT max(id) FROM ps_migration", [], |row| row.get(0)).unwrap();
    let sql = "SELECT value ->> 'sql' FROM ps_migration, json_each(down_migrations) WHERE ps_migration.id = ? ORDER BY json_each.id";
    let mut statement = connection.prepare(sql).unwrap();
    let statements: Vec<String> =
        statement.query_map([version], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
    for statement in statements {
        assert!(!statement.contains("powersync_drop_view") || version < PUBLISHED, "{statement}");
        connection.execute_batch(&statement).unwrap_or_else(|error| panic!("{version}: {error}, running {statement}"));
    }
    connection.query_row("SELECT max(id) FROM ps_migration", [], |row| row.get(0)).unwrap()
}

#[test]
fn a_published_version_takes_the_file_back_with_them() {
    for first in [PUBLISHED, 1001, 1002] {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("test.db");
        let host = Host::open(&file);
        migrate(&host, first);
        host.replace_schema(&schema());
        host.execute(OF_THE_APP);
        // Triggers that come later have to go too.
        let mut larger = schema();
        larger["tables"].as_array_mut().unwrap().push(json!({"name": "later", "columns": []}));
        host.replace_schema(&larger);
        let before = objects_of_the_app(&host);
        host.try_close().unwrap();

        let published = Connection::open(&file).unwrap();
        let nothing = |_: &Context<'_>| Ok(0);
        for (name, arguments) in [("powersync_in_sync_operation", 0), ("powersync_drop_view", 1)] {
            published.create_scalar_function(name, arguments, FunctionFlags::SQLITE_UTF8, nothing).unwrap();
        }
        // Below format 10 the views go, whoever made them.
        while undo_elsewhere(&published) > 10 {}
        let count = |sql: &str| published.query_row(sql, [], |row| row.get::<_, i64>(0)).unwrap();
        let left = "SELECT count(*) FROM sqlite_schema WHERE type = 'trigger' AND name GLOB 'ps_view_*'";
        assert_eq!(count(left), 1, "only that of the application");
        assert_eq!(count("SELECT count(*) FROM over_both"), 0);
        assert_eq!(count("SELECT count(*) FROM later"), 0);
        drop(published);

        let host = Host::open(&file);
        assert_eq!(objects_of_the_app(&host), before);
        assert_usable(&host, "new");
    }
}

#[test]
fn the_way_down_is_stored_again_only_when_triggers_change() {
    let host = Host::open_in_memory();
    host.replace_schema(&schema());
    let stored = format!("SELECT down_migrations FROM ps_migration WHERE id = {NEWEST}");
    let before = host.value(&stored);
    host.execute(
        "CREATE TABLE writes(id);
         CREATE TRIGGER app AFTER UPDATE ON ps_migration BEGIN INSERT INTO writes VALUES (NEW.id); END",
    );
    host.replace_schema(&schema());
    assert_eq!((host.value(&stored), host.table("SELECT * FROM writes")), (before, json!([])));
    host.replace_schema(&json!({"tables": []}));
    assert!(!host.value(&stored).as_str().unwrap().contains("DROP TRIGGER"));
    assert_eq!(host.table("SELECT * FROM writes"), json!([[NEWEST]]));
}
