//! `powersync_log` (docs/reference/functions.md#powersync_log).

use rowtide_testkit::Host;
use serde_json::{Value, json};

const LOG: &str = "SELECT id, severity, code, text FROM powersync_log";

fn texts(host: &Host) -> Vec<String> {
    host.rows("SELECT text FROM powersync_log").iter().map(|row| row[0].as_str().unwrap().to_owned()).collect()
}

#[test]
fn log_lines_and_errors_come_in_order() {
    let host = Host::open_in_memory();
    assert_eq!(host.table(LOG), json!([]), "works without internal tables");
    host.initialize();
    host.control("start", ());
    let line = host.line(&json!({"future": 1}));
    assert_eq!(line[1]["LogLine"]["line"].as_str().or(line[0]["LogLine"]["line"].as_str()), Some("Unknown sync line"));
    host.control_error("line_text", "{");
    host.error("INSERT INTO powersync_crud(op) VALUES ('x')");
    let log = host.table(LOG);
    assert_eq!(log[0], json!([1, "DEBUG", null, "Unknown sync line"]));
    assert_eq!(json!([log[1][1], log[1][2]]), json!(["ERROR", 4]));
    assert!(log[1][3].as_str().unwrap().starts_with("powersync_control: "), "{log}");
    assert!(log[2][3].as_str().unwrap().starts_with("powersync_crud: "), "{log}");
    assert_eq!(host.value("SELECT count(*) FROM powersync_log WHERE at > 1600000000000000"), 3);
    // It joins and filters as any table.
    let newest = "SELECT a.id FROM powersync_log AS a JOIN powersync_log AS b ON b.id = a.id + 1 ORDER BY a.id DESC";
    assert_eq!(host.table(newest), json!([[2], [1]]));
    assert_eq!(host.error("INSERT INTO powersync_log(id) VALUES (1)").code, 21);
    assert_eq!(host.error("DELETE FROM powersync_log").code, 21);
}

#[test]
fn only_the_newest_are_kept() {
    let host = Host::open_in_memory();
    for number in 0..300 {
        host.error(&format!("SELECT powersync_control('{number}', 1)"));
    }
    let range = "SELECT min(id), max(id), count(*) FROM powersync_log";
    assert_eq!(host.table(range), json!([[45, 300, 256]]));
}

#[test]
fn long_texts_are_cut_and_all_have_a_limit() {
    let host = Host::open_in_memory();
    host.initialize();
    host.control("start", ());
    let message = "ü".repeat(3000);
    let stream = json!({"name": "s", "is_default": true, "errors": [{"subscription": "default", "message": message}]});
    let line = json!({"checkpoint": {"last_op_id": "0", "buckets": [], "streams": [stream]}});
    let instructions = host.line(&line).to_string();
    assert!(instructions.contains(&message), "the SDK gets all of it");
    let text = texts(&host).pop().unwrap();
    assert!(text.len() <= 2003 && text.ends_with("ü…"), "{}", text.len());
    for _ in 0..100 {
        host.line(&line);
    }
    let kept: usize = texts(&host).iter().map(String::len).sum();
    assert!((60_000..=64 << 10).contains(&kept), "{kept}");
}

#[test]
fn log_lines_of_a_call_that_fails_are_not_there() {
    let host = Host::open_in_memory();
    host.initialize();
    host.control("start", ());
    host.connection().set_limit(rusqlite::limits::Limit::SQLITE_LIMIT_LENGTH, 90).unwrap();
    host.control_error("line_text", json!({"future": 1}));
    host.connection().set_limit(rusqlite::limits::Limit::SQLITE_LIMIT_LENGTH, 1_000_000).unwrap();
    let severities: Value = host.rows("SELECT DISTINCT severity FROM powersync_log").into();
    assert_eq!(severities, json!([["ERROR"]]));
}
