//! Any schema JSON: it is refused as an argument, or applied, and then its tables can be written and read, applying it
//! again changes nothing, and taking it away leaves nothing but what was there before.

use rowtide_testkit::Host;
use serde_json::{Value, json};

use crate::invariants::{assert_refusal, assert_undamaged, assert_views_readable};

/// Tables of a schema that are written; applying one takes SQLite more than linear time in their number.
const MOST_TABLES: usize = 20;

/// Runs the target.
pub(crate) fn run(input: &[u8]) {
    let schema = String::from_utf8_lossy(input);
    let host = crate::open();
    host.execute("CREATE TABLE canary(id TEXT PRIMARY KEY, song TEXT); INSERT INTO canary VALUES ('1', 'la')");
    host.initialize();
    host.execute("INSERT INTO ps_untyped(type, id, data) VALUES ('lists', 'l1', '{\"name\":1}')");
    let before = objects(&host);
    let replace = |schema: &str| host.try_transaction("SELECT powersync_replace_schema(?)", [schema]);
    if let Err(error) = replace(&schema) {
        assert_refusal(&error);
        assert_eq!(objects(&host), before, "a refused schema changed something");
        return;
    }
    write_views(&host);
    write_raw_tables(&host, &schema);
    assert_views_readable(&host);
    let applied = objects(&host);
    replace(&schema).expect("a schema that was applied can be applied again");
    assert_eq!(objects(&host), applied, "applying a schema again changed something");
    replace("{\"tables\":[]}").expect("a schema without tables");
    let mut left = objects(&host);
    left.retain(|object| !object[0].as_str().is_some_and(|name| name.starts_with("raw ")));
    assert_eq!(left, before, "a schema left something behind");
    assert_eq!(host.table("SELECT * FROM canary"), json!([["1", "la"]]));
    assert_eq!(host.table("PRAGMA integrity_check"), json!([["ok"]]));
}

fn objects(host: &Host) -> Vec<Vec<Value>> {
    host.rows("SELECT name, sql FROM sqlite_schema WHERE name NOT GLOB 'sqlite_*' ORDER BY type, name")
}

/// Writes through all views and tables of the schema. A write may be refused, but each recorded entry is JSON.
fn write_views(host: &Host) {
    let names = host.rows(
        "SELECT name FROM sqlite_schema WHERE name <> 'canary' AND (type = 'view' AND name <> 'ps_oplog'
            OR type = 'table' AND name NOT GLOB 'ps_*' AND name NOT GLOB 'sqlite_*') ORDER BY name",
    );
    for name in names.iter().flatten().take(MOST_TABLES) {
        let table = identifier(name.as_str().unwrap_or_default());
        let columns = host.rows(&format!("SELECT name FROM pragma_table_info({table})"));
        let last = columns.last().map_or("id".to_owned(), |column| identifier(column[0].as_str().unwrap_or_default()));
        for sql in [
            format!("INSERT INTO {table} (id) VALUES ('x''1')"),
            format!("UPDATE {table} SET {last} = 'a\"b'"),
            format!("UPDATE {table} SET {last} = 5 WHERE id = 'x''1'"),
            format!("DELETE FROM {table} WHERE id = 'x''1'"),
        ] {
            if let Err(error) = host.try_execute(&sql) {
                assert_undamaged(&error);
            }
        }
    }
    assert_eq!(host.table("SELECT id FROM ps_crud WHERE NOT json_valid(data)"), json!([]));
}

/// Makes a table and triggers for each raw table, as an application would.
fn write_raw_tables(host: &Host, schema: &str) {
    let Ok(schema) = serde_json::from_str::<Value>(schema) else { return };
    for (index, raw) in schema["raw_tables"].as_array().into_iter().flatten().take(MOST_TABLES).enumerate() {
        let Some(name) = raw["table_name"].as_str().filter(|name| !name.contains('\0')) else { continue };
        let created = host.try_execute(&format!("CREATE TABLE {}(id TEXT PRIMARY KEY, a, b)", identifier(name)));
        let Ok(()) = created else { continue };
        for write in ["INSERT", "UPDATE", "DELETE"] {
            let sql = "SELECT powersync_create_raw_table_crud_trigger(?1, 'raw ' || ?2 || ?3, ?3)";
            if let Err(error) = host.try_rows(sql, [raw.to_string(), index.to_string(), write.to_owned()]) {
                assert_refusal(&error);
            }
        }
        for sql in ["INSERT INTO {} VALUES ('1', 2, NULL)", "UPDATE {} SET a = 3", "DELETE FROM {}"] {
            if let Err(error) = host.try_execute(&sql.replace("{}", &identifier(name))) {
                assert_undamaged(&error);
            }
        }
        host.execute(&format!("DROP TABLE {}", identifier(name)));
    }
}

fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}
