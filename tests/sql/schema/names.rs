//! Names with any character, values of any type and size: nothing injected, nothing lost
//! (docs/reference/schema.md#rules; docs/reliability.md#traps, trap 12).

use rowtide_testkit::Host;
use rowtide_testkit::versions::{ScriptHost, quote};
use serde_json::{Value, json};

const NAMES: [&str; 19] = [
    "a",
    "a b",
    "a.b",
    "$.x",
    "[a]",
    "a\"b",
    "it's",
    "",
    "1a",
    "é😀",
    "a\\b",
    "a\nb",
    ".",
    "\"",
    "select",
    "a]b",
    "--",
    "x');DROP TABLE ps_crud;--",
    "/*",
];

fn identifier(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

fn all_columns() -> Vec<Value> {
    NAMES.iter().map(|name| json!({"name": name, "type": "text"})).collect()
}

#[test]
fn columns_can_have_any_name() {
    let host = Host::open_in_memory();
    let indexes: Vec<Value> = NAMES
        .iter()
        .map(|name| json!({"name": name, "columns": [{"name": name, "ascending": true, "type": "text"}]}))
        .collect();
    let table = json!({"name": "t", "columns": all_columns(), "indexes": indexes, "include_old": true});
    host.replace_schema(&json!({"tables": [table]}));
    let list = NAMES.map(identifier).join(", ");
    let values = NAMES.map(|name| quote(&format!("value of {name}"))).join(", ");
    host.execute(&format!("INSERT INTO t(id, {list}) VALUES ('1', {values})"));
    let expected: Vec<String> = NAMES.iter().map(|name| format!("value of {name}")).collect();
    assert_eq!(host.table(&format!("SELECT {list} FROM t")), json!([expected]));
    for name in NAMES {
        let quoted = identifier(name);
        host.execute(&format!(
            "UPDATE t SET {quoted} = 'changed' WHERE {quoted} = {}",
            quote(&format!("value of {name}"))
        ));
        let entry: Value =
            serde_json::from_str(host.value("SELECT data FROM ps_crud ORDER BY id DESC LIMIT 1").as_str().unwrap())
                .unwrap();
        assert_eq!(entry["data"], json!({name: "changed"}));
        assert_eq!(entry["old"][name], format!("value of {name}"));
        let plan = host.table(&format!("EXPLAIN QUERY PLAN SELECT * FROM t WHERE {quoted} = 'x'")).to_string();
        assert!(plan.contains("USING INDEX ps_data__t__"), "{name}: {plan}");
    }
    let stored: Value = serde_json::from_str(host.value("SELECT data FROM ps_data__t").as_str().unwrap()).unwrap();
    assert_eq!(stored, NAMES.iter().map(|name| (name.to_string(), json!("changed"))).collect::<Value>());
}

#[test]
fn tables_and_views_can_have_any_name() {
    let host = Host::open_in_memory();
    let tables: Vec<Value> = NAMES
        .iter()
        .enumerate()
        .map(|(index, name)| {
            json!({"name": name, "local_only": index % 5 == 4, "include_metadata": true,
                "columns": [{"name": "x", "type": "text"}],
                "indexes": [{"name": name, "columns": [{"name": "x", "ascending": false, "type": "text"}]}]})
        })
        .collect();
    let schema = json!({"tables": tables});
    host.replace_schema(&schema);
    let before = host.table("SELECT rowid, name, sql FROM sqlite_schema");
    for name in NAMES {
        let view = identifier(name);
        host.execute(&format!(
            "INSERT INTO {view}(id, x) VALUES ('1', {0}), ('2', 'b'); UPDATE {view} SET x = x || '!';
             DELETE FROM {view} WHERE id = '2'",
            quote(name)
        ));
        assert_eq!(host.table(&format!("SELECT id, x FROM {view}")), json!([["1", format!("{name}!")]]));
    }
    let types: Vec<Value> =
        NAMES.iter().enumerate().filter(|(index, _)| index % 5 != 4).map(|(_, name)| json!([name])).collect();
    assert_eq!(host.table("SELECT data ->> 'type' FROM ps_crud WHERE data ->> 'op' = 'DELETE'"), json!(types));
    // All are recognised as ours.
    host.replace_schema(&json!({"tables": schema["tables"], "raw_tables": []}));
    assert_eq!(host.table("SELECT rowid, name, sql FROM sqlite_schema"), before);
    host.replace_schema(&json!({"tables": []}));
    let ours = "SELECT name FROM sqlite_schema WHERE name GLOB 'ps_data*' OR type IN ('view', 'trigger') AND name NOT GLOB 'ps_oplog*'
        AND name != 'powersync_rejected'";
    assert_eq!(host.table(ours), json!([]));
    assert_eq!(host.value("SELECT count(*) FROM ps_untyped"), types.len());
}

/// Before SQLite 3.45, JSON paths cannot name a member with a quote in its name.
#[test]
fn columns_can_have_any_name_in_old_versions() {
    for host in [ScriptHost::oldest_supported(), ScriptHost::system()] {
        let columns: Vec<Value> = all_columns();
        let quote_index = json!([{"name": "i", "columns": [{"name": "a\"b", "ascending": true, "type": "text"}]}]);
        let schema = json!({"tables": [{"name": "t", "columns": columns, "indexes": quote_index}]});
        let list = NAMES.map(identifier).join(", ");
        let script = format!(
            "BEGIN;\nSELECT powersync_replace_schema({});\nCOMMIT;\n\
             INSERT INTO t(id, {list}) VALUES ('1', {});\n\
             UPDATE t SET \"a\"\"b\" = 'changed' WHERE \"a\"\"b\" = 'v';\n\
             SELECT json_array({list}) FROM t;\nSELECT data FROM ps_crud WHERE id = 2;\n",
            quote(&schema.to_string()),
            NAMES.map(|_| "'v'").join(", ")
        );
        let output: Vec<String> =
            host.run(":memory:", &script).unwrap().into_iter().filter(|line| !line.is_empty()).collect();
        let expected: Vec<&str> = NAMES.map(|name| if name == "a\"b" { "changed" } else { "v" }).into();
        assert_eq!(serde_json::from_str::<Value>(&output[0]).unwrap(), json!(expected));
        let entry: Value = serde_json::from_str(&output[1]).unwrap();
        assert_eq!(entry["data"], json!({"a\"b": "changed"}));
    }
}

#[test]
fn types_are_words_with_numbers() {
    let host = Host::open_in_memory();
    let columns = json!([{"name": "a", "type": "varchar(10)"}, {"name": "b", "type": "DECIMAL (10, 5)"},
        {"name": "c", "type": "double precision"}, {"name": "d", "type": ""}, {"name": "e"}, {"name": "f", "type": null}]);
    host.replace_schema(&json!({"tables": [{"name": "t", "columns": columns}]}));
    host.execute("INSERT INTO t(id, a, b, c, e, f) VALUES ('1', 1, '2', 3, 4, 5)");
    assert_eq!(host.table("SELECT a, b, c, e, f FROM t"), json!([["1", 2, 3.0, "4", "5"]]));
}

#[test]
fn values_of_every_type_and_size_come_back() {
    let host = Host::open_in_memory();
    let columns =
        json!([{"name": "t", "type": "text"}, {"name": "i", "type": "integer"}, {"name": "r", "type": "real"}]);
    host.replace_schema(&json!({"tables": [{"name": "v", "columns": columns}]}));
    let long = "long \u{0}\"\\\u{1f}é".repeat(100_000);
    for (number, (text, integer, real)) in [
        ("", 0, 0.0),
        ("q\"\\\n\t\u{1}\u{7f}/é😀\u{2028}", i64::MAX, f64::MAX),
        ("null", i64::MIN, 5e-324),
        ("{\"a\":1}", 9_007_199_254_740_993, 0.1 + 0.2),
        (&long, -1, -1e22),
    ]
    .into_iter()
    .enumerate()
    {
        let insert = "INSERT INTO v(id, t, i, r) VALUES (?, ?, ?, ?)";
        host.rows_with(insert, (number.to_string(), text, integer, real));
        let row = host.rows_with("SELECT t, i, r FROM v WHERE id = ?", [number.to_string()]);
        assert_eq!(json!(row), json!([[text, integer, real]]));
        let entry = host.value("SELECT data FROM ps_crud ORDER BY id DESC LIMIT 1");
        let entry: Value = serde_json::from_str(entry.as_str().unwrap()).unwrap();
        assert_eq!(entry["data"], json!({"t": text, "i": integer, "r": real}));
    }
}

#[test]
fn databases_in_utf16_hold_the_same() {
    let host = Host::open_in_memory();
    host.execute("PRAGMA encoding = 'UTF-16le'");
    let table = json!({"name": "é\u{1F600}", "columns": [{"name": "ü\"x", "type": "text"}], "include_old": true});
    host.replace_schema(&json!({"tables": [table]}));
    host.execute("INSERT INTO \"é😀\"(id, \"ü\"\"x\") VALUES ('ï', 'ö\"😀'); UPDATE \"é😀\" SET \"ü\"\"x\" = 'ä'");
    assert_eq!(host.table("SELECT * FROM \"é😀\""), json!([["ï", "ä"]]));
    assert_eq!(
        host.table("SELECT data FROM ps_crud"),
        json!([
            [r#"{"op":"PUT","id":"ï","type":"é😀","data":{"ü\"x":"ö\"😀"}}"#],
            [r#"{"op":"PATCH","id":"ï","type":"é😀","data":{"ü\"x":"ä"},"old":{"ü\"x":"ö\"😀"}}"#]
        ])
    );
}

#[test]
fn as_many_columns_as_a_view_can_have() {
    let host = Host::open_in_memory();
    let columns: Vec<Value> = (0..1999).map(|index| json!({"name": format!("c{index}"), "type": "text"})).collect();
    let table = json!({"name": "wide", "columns": columns, "include_old": true, "include_old_only_when_changed": true});
    host.replace_schema(&json!({"tables": [table]}));
    host.execute("INSERT INTO wide(id, c0, c1000, c1998) VALUES ('1', 'a', 'b', 'c')");
    host.execute("UPDATE wide SET c1998 = 'd', c0 = NULL, c5 = 'e'");
    assert_eq!(host.table("SELECT c0, c5, c1000, c1998 FROM wide"), json!([[null, "e", "b", "d"]]));
    assert_eq!(
        host.table("SELECT data FROM ps_crud"),
        json!([
            [r#"{"op":"PUT","id":"1","type":"wide","data":{"c0":"a","c1000":"b","c1998":"c"}}"#],
            [
                r#"{"op":"PATCH","id":"1","type":"wide","data":{"c0":null,"c1998":"d","c5":"e"},"old":{"c0":"a","c1998":"c","c5":null}}"#
            ]
        ])
    );
    let names: Vec<String> = (0..1999).map(|index| format!("c{index}")).collect();
    let stored = host.table("SELECT key FROM ps_data__wide, json_each(data) ORDER BY json_each.id");
    assert_eq!(stored, json!(names.iter().map(|name| [name]).collect::<Vec<_>>()), "in column order");
}
