//! Raw and direct tables in the oldest SQLite that we support (docs/reference/functions.md#loading).

use rowtide_testkit::service::Service;
use rowtide_testkit::versions::{ScriptHost, quote};
use serde_json::{Value, json};

fn call(operation: &str, payload: &str) -> String {
    format!("BEGIN; INSERT INTO instructions SELECT powersync_control({}, {payload}); COMMIT;\n", quote(operation))
}

fn replace(schema: &Value) -> String {
    format!("BEGIN; SELECT powersync_replace_schema({}); COMMIT;\n", quote(&schema.to_string()))
}

fn direct(columns: &[&str]) -> Value {
    let columns: Vec<Value> = columns.iter().map(|name| json!({"name": name, "type": "real"})).collect();
    let raw = json!({"name": "raw", "table_name": "raw", "clear": "DELETE FROM raw"});
    json!({"tables": [{"name": "direct", "columns": columns, "direct": true}], "raw_tables": [raw]})
}

#[test]
fn rows_are_published_recorded_and_moved() {
    let mut service = Service::new();
    for row_type in ["direct", "raw"] {
        service.put_text("a", row_type, "1", None, r#"{"a":0.30000000000000004,"b\"":[1, 2]}"#);
        service.put_text("a", row_type, "2", None, "{}");
    }
    let raw = json!({"name": "raw", "table_name": "raw", "include_old": true});
    let trigger = |write: &str| {
        let call =
            format!("powersync_create_raw_table_crud_trigger({}, 'raw {write}', '{write}')", quote(&raw.to_string()));
        format!("SELECT {call};\n")
    };
    let mut script =
        String::from("CREATE TEMP TABLE instructions(list); CREATE TABLE raw(id TEXT PRIMARY KEY, a, \"b\"\"\");\n");
    script += &replace(&direct(&["a", "b\""]));
    script += &[trigger("INSERT"), trigger("UPDATE"), trigger("DELETE"), call("start", "NULL")].concat();
    script.extend(service.lines(0).iter().map(|line| call("line_text", &quote(&line.to_string()))));
    script += "SELECT a = 0.30000000000000004, \"b\"\"\" FROM direct ORDER BY id;\n";
    script += "SELECT a = 0.30000000000000004, \"b\"\"\" FROM raw ORDER BY id;\n";
    for table in ["direct", "raw"] {
        script += &format!("UPDATE {table} SET a = 0.1 + 0.2 WHERE id = '2'; DELETE FROM {table} WHERE id = '1';\n");
        script += &format!("INSERT INTO {table} VALUES ('3', NULL, NULL);\n");
    }
    script += "SELECT data FROM ps_crud ORDER BY id;\n";
    script += &replace(&json!({"tables": [{"name": "direct", "columns": [{"name": "a", "type": "real"}]}]}));
    script += "SELECT data FROM ps_data__direct ORDER BY id;\n";
    script += &replace(&direct(&["a", "b\""]));
    script += &replace(&direct(&["c", "b\""]));
    script += "SELECT name FROM pragma_table_info('direct');\n";
    let output = ScriptHost::oldest_supported().run(":memory:", &script).unwrap();
    let lines: Vec<&str> = output.iter().map(String::as_str).filter(|line| !line.is_empty()).collect();
    assert_eq!(
        lines,
        [
            "1|[1, 2]",
            "|",
            "1|[1, 2]",
            "|",
            r#"{"op":"PATCH","id":"2","type":"direct","data":{"a":0.30000000000000004}}"#,
            r#"{"op":"DELETE","id":"1","type":"direct"}"#,
            r#"{"op":"PUT","id":"3","type":"direct","data":{}}"#,
            r#"{"op":"PATCH","id":"2","type":"raw","data":{"a":0.30000000000000004},"old":{"a":null,"b\"":null}}"#,
            r#"{"op":"DELETE","id":"1","type":"raw","old":{"a":0.30000000000000004,"b\"":"[1, 2]"}}"#,
            r#"{"op":"PUT","id":"3","type":"raw","data":{}}"#,
            r#"{"a":0.30000000000000004,"b\"":null}"#,
            r#"{"a":null,"b\"":null}"#,
            "id",
            "b\"",
            "c",
        ]
    );
}
