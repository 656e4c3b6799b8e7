//! What SQLite's errors become.

use serde_json::{Value, json};

use crate::support::{Tested, delete, outcome, patch, put};

const TABLES: &str = "
    CREATE TABLE parent(id TEXT PRIMARY KEY);
    CREATE TABLE t(id TEXT PRIMARY KEY, needed TEXT NOT NULL DEFAULT 'x', one TEXT UNIQUE, small INTEGER CHECK (small < 10),
        parent TEXT REFERENCES parent(id), later TEXT REFERENCES parent(id) DEFERRABLE INITIALLY DEFERRED, word TEXT);
    CREATE TABLE numbered(id INTEGER PRIMARY KEY, x TEXT);
    CREATE TABLE strict(id TEXT PRIMARY KEY, n INTEGER) STRICT;
    CREATE TABLE lost(id TEXT PRIMARY KEY, x TEXT, y TEXT);
    CREATE TABLE gone(id TEXT PRIMARY KEY, x TEXT);
    CREATE TRIGGER aborts BEFORE UPDATE OF word ON t WHEN NEW.word = 'abort' BEGIN SELECT raise(ABORT, 'no such word'); END;
    CREATE TRIGGER rolls BEFORE UPDATE OF word ON t WHEN NEW.word = 'rollback' BEGIN SELECT raise(ROLLBACK, 'all of it'); END;
    CREATE TRIGGER fails BEFORE UPDATE OF word ON t WHEN NEW.word = 'fail' BEGIN SELECT raise(FAIL, 'only this'); END;
    CREATE TRIGGER ignores BEFORE UPDATE OF word ON t WHEN NEW.word = 'ignore' BEGIN SELECT raise(IGNORE); END;
    CREATE TRIGGER breaks BEFORE UPDATE OF word ON t WHEN NEW.word LIKE 'json%' BEGIN SELECT json_extract(NEW.word, '$'); END;
    INSERT INTO parent VALUES ('p');
    INSERT INTO t(id, one, parent) VALUES ('1', 'first', 'p'), ('2', 'other secret', 'p');
";

const RULES: &str = "writes: {tables: {parent: {check: 'TRUE'}, t: {check: 'TRUE'}, numbered: {check: 'TRUE'},
    strict: {check: 'TRUE'}, lost: {check: 'TRUE'}, gone: {check: 'TRUE'}}}";

#[test]
fn each_error_has_its_code() {
    let tested = Tested::with(TABLES, RULES);
    // The schema is another one than at the start.
    tested.app.execute_batch("ALTER TABLE lost DROP COLUMN y; DROP TABLE gone").unwrap();
    let cases: [(Value, &str, Value); 18] = [
        (patch("t", "1", json!({"needed": null})), "NOT_NULL_VIOLATION", json!(1)),
        (put("t", "3", json!({"needed": null})), "NOT_NULL_VIOLATION", json!(1)),
        (patch("t", "1", json!({"one": "other secret"})), "UNIQUE_VIOLATION", json!(1)),
        (put("t", "3", json!({"one": "other secret"})), "UNIQUE_VIOLATION", json!(1)),
        (patch("t", "1", json!({"small": 10})), "CHECK_VIOLATION", json!(1)),
        (patch("t", "1", json!({"parent": "none"})), "FOREIGN_KEY_VIOLATION", json!(1)),
        (delete("parent", "p"), "FOREIGN_KEY_VIOLATION", json!(1)),
        // Only the commit fails, so no operation is named.
        (patch("t", "1", json!({"later": "none"})), "FOREIGN_KEY_VIOLATION", Value::Null),
        (patch("t", "1", json!({"word": "abort"})), "CONSTRAINT_VIOLATION", json!(1)),
        (patch("t", "1", json!({"word": "rollback"})), "CONSTRAINT_VIOLATION", json!(1)),
        (patch("t", "1", json!({"word": "fail"})), "CONSTRAINT_VIOLATION", json!(1)),
        (patch("t", "1", json!({"word": "json secret"})), "UNCLASSIFIED_ERROR", json!(1)),
        (put("numbered", "no number", json!({})), "INVALID_DATA", json!(1)),
        (put("strict", "1", json!({"n": "no number"})), "INVALID_DATA", json!(1)),
        (put("strict", "1", json!({"n": {"a": 1}})), "INVALID_DATA", json!(1)),
        (put("lost", "1", json!({"y": "1"})), "SCHEMA_MISMATCH", json!(1)),
        (put("gone", "1", json!({"x": "1"})), "SCHEMA_MISMATCH", json!(1)),
        (patch("t", "1", json!({"word": "ignore"})), "", Value::Null),
    ];
    for (number, (operation, code, index)) in cases.iter().enumerate() {
        let first = put("numbered", "7", json!({"x": "first"}));
        let body = json!({"client_id": "c", "queue": "q", "transactions": [
            {"transaction_id": number, "crud": [first, operation]}]});
        let result = tested.upload("u", &body).remove(0);
        if code.is_empty() {
            assert_eq!(result, json!({"status": "success"}));
            continue;
        }
        assert_eq!(outcome(&result), format!("fatal_error {code}"), "{operation}: {result}");
        assert_eq!(result["failed_operation"]["operation_index"], *index, "{operation}");
        assert_eq!(result["requires_client_handling"], false);
        let text = result.to_string();
        assert!(!text.contains("secret") && !text.contains("first"), "values of rows are not named: {text}");
        assert_eq!(
            tested.rows("SELECT id FROM numbered"),
            [""; 0],
            "{operation}: nothing of the transaction is applied"
        );
        // It is stored, also if a trigger has rolled back everything.
        assert_eq!(tested.upload("u", &body).remove(0), result, "{operation}");
    }
    let letters = tested.rows("SELECT error_code FROM _rowtide_dead_letter ORDER BY id");
    let codes: Vec<&str> = cases.iter().map(|(_, code, _)| *code).filter(|code| !code.is_empty()).collect();
    assert_eq!(letters, codes);
    // What the app says is for the client, what SQLite says of values for those who run the service.
    assert_eq!(
        tested.rows("SELECT message FROM _rowtide_dead_letter WHERE error_code = 'UNCLASSIFIED_ERROR'"),
        ["malformed JSON"]
    );
}

#[test]
fn a_busy_database_is_no_fault_of_the_transaction() {
    let file = write_path::sqlite::Options { busy_timeout: std::time::Duration::ZERO, ..Default::default() };
    let tested = Tested::with_file_options(TABLES, RULES, &Default::default(), &file);
    tested.app.execute_batch("BEGIN IMMEDIATE").unwrap();
    let body = json!({"client_id": "c", "queue": "q", "transactions": [
        {"transaction_id": 1, "crud": [put("numbered", "1", json!({}))]},
        {"transaction_id": 2, "crud": [put("numbered", "2", json!({}))]}]});
    let results = tested.upload("u", &body);
    assert_eq!(results[0]["status"], "retryable_error");
    assert!(results[0]["retry_after_ms"].is_u64() && results[0]["message"].is_string());
    assert_eq!(results[1], json!({"status": "not_attempted"}));
    tested.app.execute_batch("ROLLBACK").unwrap();
    assert_eq!(tested.upload("u", &body), vec![json!({"status": "success"}); 2], "nothing was stored for the retry");
    assert_eq!(tested.rows("SELECT CAST(id AS TEXT) FROM numbered"), ["1", "2"]);
}
