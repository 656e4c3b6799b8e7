//! Errors and log lines name tables, rows and positions, and hold no row data, tokens or parameters. The one exception
//! is an error of a statement that the application gave for a raw table (SECURITY.md, docs/reliability.md#messages).

use rowtide_testkit::Host;
use rowtide_testkit::session::Session;
use serde_json::{Value, json};

/// Stands for what nobody must read in a message.
const SECRET: &str = "hunter2";

fn schema() -> Value {
    let columns = json!([{"name": "name", "type": "text"}]);
    json!({
        "tables": [{"name": "lists", "columns": columns}, {"name": "tags", "columns": columns, "direct": true}],
        "raw_tables": [
            {"name": "inferred", "table_name": "inferred_items"},
            {"name": "given", "table_name": "given_items", "put": {
                "sql": "INSERT INTO given_items(id, name) VALUES (?, ?)", "params": ["Id", {"Column": "name"}]}},
        ],
    })
}

const TABLES: &str = "CREATE TABLE inferred_items(id TEXT PRIMARY KEY, name TEXT);
    CREATE TABLE given_items(id TEXT PRIMARY KEY, name TEXT);";

fn row() -> String {
    json!({"name": SECRET, "other": [SECRET]}).to_string()
}

/// What may be in the way of a row that comes: conditions and triggers of the application.
fn refuse(host: &Host, table: &str) {
    host.execute(&format!(
        "CREATE TRIGGER refuse_{table} BEFORE INSERT ON {table} BEGIN SELECT RAISE(ABORT, 'refused'); END;
         CREATE TRIGGER keep_{table} BEFORE DELETE ON {table} BEGIN SELECT RAISE(ABORT, 'kept'); END"
    ));
}

fn allow(host: &Host, table: &str) {
    host.execute(&format!("DROP TRIGGER refuse_{table}"));
}

#[test]
fn rows_that_cannot_be_published_are_named_without_their_data() {
    for (row_type, table) in
        [("lists", "ps_data__lists"), ("tags", "tags"), ("inferred", "inferred_items"), ("unknown", "ps_untyped")]
    {
        let mut session = Session::with_tables(TABLES, &schema());
        refuse(&session.host, table);
        session.put(row_type, "r1", &row());
        let error = session.sync_error();
        assert!(error.message.contains("refused") && !error.message.contains(SECRET), "{row_type}: {error}");
        if ["tags", "inferred"].contains(&row_type) {
            assert!(error.message.ends_with(&format!("(context: replacing into {row_type}, id = r1)")), "{error}");
        }
        allow(&session.host, table);
        session.sync();
        session.remove(row_type, "r1");
        let error = session.sync_error();
        assert!(error.message.contains("kept") && !error.message.contains(SECRET), "{row_type}: {error}");
    }
}

#[test]
fn a_statement_of_the_application_is_shown_with_the_row_that_it_failed_on() {
    let mut session = Session::with_tables(TABLES, &schema());
    refuse(&session.host, "given_items");
    session.put("given", "r1", &row());
    let error = session.sync_error();
    let context = format!("(context: replacing into given, id = r1, data = {})", row());
    assert!(error.message.ends_with(&context), "{error}");
    allow(&session.host, "given_items");
    session.sync();
    session.remove("given", "r1");
    let error = session.sync_error();
    assert!(error.message.ends_with("(context: deleting from given, id = r1)"), "{error}");
}

#[test]
fn constraints_of_inferred_tables_name_no_values() {
    for constraint in ["CHECK (length(name) < 3)", "UNIQUE", "REFERENCES lists_of_others(id)"] {
        let session = &mut Session::with_schema(&schema());
        session.host.execute("PRAGMA foreign_keys = ON; CREATE TABLE lists_of_others(id TEXT PRIMARY KEY)");
        session.host.execute(&format!("CREATE TABLE inferred_items(id TEXT PRIMARY KEY, name TEXT {constraint})"));
        for id in ["r1", "r2"] {
            session.put("inferred", id, &json!({"name": SECRET}).to_string());
        }
        let error = session.sync_error();
        assert!(!error.message.contains(SECRET), "{error}");
    }
}

/// Lines that break the protocol around row data.
fn malformed_lines() -> Vec<String> {
    let data = row();
    let entry = |member: &str, value: Value| {
        let mut entry = json!({"op_id": "1", "op": "PUT", "object_type": "lists", "object_id": "r1", "checksum": 1,
            "data": data});
        entry[member] = value;
        json!({"data": {"bucket": "a", "data": [entry]}}).to_string()
    };
    let mut lines = vec![
        entry("op_id", json!({"value": SECRET})),
        entry("op", json!([SECRET])),
        entry("checksum", json!(SECRET)),
        entry("data", json!({"name": SECRET})),
        entry("data", json!([SECRET])),
        entry("object_id", json!({"id": SECRET})),
        entry("subkey", json!({"id": SECRET})),
    ];
    let good = entry("op", json!("PUT"));
    lines.extend((1..good.len()).step_by(7).map(|length| good[..length].to_owned()));
    lines
}

#[test]
fn malformed_lines_are_described_by_positions() {
    let session = Session::with_schema(&schema());
    let mut errors = 0;
    for line in malformed_lines() {
        if let Err(error) = session.host.try_control("line_text", line.as_str()) {
            assert!(!error.message.contains(SECRET), "{line}: {error}");
            errors += 1;
        }
        if let Ok(value) = serde_json::from_str(&line)
            && let Err(error) = session.host.try_control("line_binary", rowtide_testkit::bson::encode(&value))
        {
            assert!(!error.message.contains(SECRET), "{line}: {error}");
        }
    }
    assert!(errors > 20, "{errors}");
}

#[test]
fn unreadable_rows_are_warned_of_without_their_data() {
    let mut session = Session::with_schema(&schema());
    for (id, data) in [("1", SECRET.to_owned()), ("2", format!("[\"{SECRET}\"]")), ("3", format!("{{\"a\":\"{SECRET}"))]
    {
        session.put("lists", id, &data);
    }
    let lines: String = session.service.lines(0).iter().map(|line| session.host.line(line).to_string()).collect();
    assert!(lines.contains("WARNING") && !lines.contains(SECRET), "{lines}");
}

#[test]
fn arguments_are_described_by_positions() {
    let host = Host::open_in_memory();
    host.replace_schema(&schema());
    let secret = json!({"token": SECRET});
    for options in [
        json!({"parameters": [secret]}),
        json!({"parameters": secret, "active_streams": [{"params": secret}]}),
        json!({"parameters": secret, "app_metadata": secret, "include_defaults": SECRET}),
        json!({"app_metadata": secret, "schema": {"tables": SECRET}}),
        json!({"checkpoint_mode": SECRET}),
    ] {
        for text in [options.to_string(), options.to_string().replace('}', "")] {
            let error = host.control_error("start", text.as_str());
            assert!(!error.message.contains(SECRET), "{text}: {error}");
        }
    }
    host.control("start", ());
    for (operation, payload) in [
        ("subscriptions", json!({"subscribe": {"stream": {"name": 1, "params": secret}}})),
        ("subscriptions", json!({"subscribe": {"stream": {"name": "s", "params": secret}, "ttl": SECRET}})),
        ("update_subscriptions", json!([{"params": secret}])),
        ("update_subscriptions", secret.clone()),
        ("target_checkpoint_request_id", json!(SECRET)),
        ("connection", json!(SECRET)),
    ] {
        let error = host.control_error(operation, payload.to_string());
        assert!(!error.message.contains(SECRET), "{operation}: {error}");
    }
}

#[test]
fn refused_local_writes_are_described_without_their_values() {
    let host = Host::open_in_memory();
    host.execute(TABLES);
    host.replace_schema(&schema());
    for write in ["INSERT", "UPDATE", "DELETE"] {
        let table = json!({"name": "inferred", "table_name": "inferred_items"}).to_string();
        host.rows_with("SELECT powersync_create_raw_table_crud_trigger(?1, 'trigger_' || ?2, ?2)", [&table, write]);
    }
    host.execute(&format!("INSERT INTO lists(id, name) VALUES ('1', '{SECRET}')"));
    host.execute(&format!("INSERT INTO tags(id, name) VALUES ('1', '{SECRET}')"));
    host.execute(&format!("INSERT INTO inferred_items(id, name) VALUES ('1', '{SECRET}')"));
    for sql in [
        "INSERT INTO lists(id, name) VALUES (NULL, '#')",
        "INSERT INTO lists(id, name) VALUES (5, '#')",
        "INSERT INTO lists(id, name) VALUES ('1', '#')",
        "INSERT INTO lists(id, name) VALUES ('2', CAST('#' AS BLOB))",
        "UPDATE lists SET id = '#'",
        "UPDATE tags SET id = '#'",
        "UPDATE inferred_items SET id = '#'",
        "INSERT INTO powersync_crud(op, id, type, data) VALUES ('#', '1', 'lists', '{}')",
        "INSERT INTO powersync_crud(op, id, type, data) VALUES ('PUT', '1', 'lists', '#')",
        "INSERT INTO powersync_crud(op, id, type, data, old_values) VALUES ('PUT', '1', 'lists', '{}', '{\"a\":\"#')",
        "INSERT INTO powersync_crud(op, id, type, metadata) VALUES ('PUT', '1', 'lists', CAST('#' AS BLOB))",
        "SELECT powersync_diff('#', '{}')",
        "SELECT powersync_diff('{\"a\":\"#', '{}')",
        "SELECT powersync_json_merge('{}', '#')",
        "SELECT powersync_row_json('#', '#')",
        "SELECT powersync_row_put('{\"name\":}', 9e999)",
    ] {
        // As an application binds values: what is in its own SQL is not ours to hide.
        let (sql, is_bound) = (sql.replace("'#'", "?"), sql.contains("'#'"));
        let sql = sql.replace('#', SECRET);
        let parameters = vec![SECRET; sql.matches('?').count()];
        let result = host.try_rows(&sql, rusqlite::params_from_iter(parameters));
        let error = result.expect_err(&sql);
        assert!(is_bound || !error.message.contains(&sql), "{sql}");
        assert!(!error.message.contains(SECRET), "{sql}: {error}");
    }
}
