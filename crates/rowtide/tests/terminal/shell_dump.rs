//! `.dump`: SQL that makes the same database, in SQLite without the extension too.

use rusqlite::Connection;
use serde_json::Value;

use crate::app::{App, out, run_with};

const SCHEMA: &str =
    "SELECT type, name, tbl_name, sql FROM sqlite_schema WHERE name <> 'sqlite_stat4' ORDER BY type, name";

/// All rows of all tables, and the schema.
fn content(app: &App) -> Vec<String> {
    let rows = |sql: &str| out(&["shell", &app.file(), "--mode", "quote", sql]);
    // Not all builds of SQLite have the table of samples of ANALYZE.
    let tables =
        app.rows("SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'sqlite_stat4' ORDER BY name");
    let names = tables.as_array().unwrap().iter().map(|table| table["name"].as_str().unwrap().to_owned());
    let mut all = vec![rows(SCHEMA), rows("PRAGMA user_version")];
    all.extend(names.map(|name| rows(&format!("SELECT * FROM \"{name}\" ORDER BY 1"))));
    all
}

#[test]
fn an_app_s_database_is_the_same_after_it_was_loaded() {
    let app = App::synced();
    app.sql(
        "PRAGMA user_version = 7;
         INSERT INTO lists(id, name, size) VALUES ('l2', 'line
break ''quoted''', -9223372036854775808);
         CREATE TABLE mine(a PRIMARY KEY, b AS (a || '!') STORED, \"c d\" REAL, e BLOB);
         INSERT INTO mine(a, \"c d\", e) VALUES (1, 1e300, x'00ff'), (2, 9e999, 'zero' || char(0) || 'x'), (3, 0.1, NULL), (4, -1.0, '');
         CREATE VIEW about AS SELECT a FROM mine -- ends with a comment
         ;
         CREATE TRIGGER on_mine AFTER INSERT ON mine BEGIN SELECT raise(ABORT, 'runs'); END;
         CREATE VIRTUAL TABLE words USING fts5(text); INSERT INTO words VALUES ('find me');
         ANALYZE;",
    );
    let dump = out(&["shell", &app.file(), ".dump"]);
    // SQLite without the extension: views can be made, and rows read.
    let plain = Connection::open_in_memory().unwrap();
    plain.execute_batch(&dump).unwrap();
    let number: i64 = plain.query_row("SELECT count(*) FROM ps_data__lists", [], |row| row.get(0)).unwrap();
    assert_eq!(number, 2);
    let copy = App::empty();
    let path = copy.path();
    std::fs::remove_file(&path).unwrap();
    Connection::open(&path).unwrap().execute_batch(&dump).unwrap();
    for (copied, original) in content(&copy).iter().zip(content(&app)) {
        assert_eq!(copied, &original);
    }
    // And an app can go on with it.
    let check = copy.inspect(&["--verify", "--json"]);
    let report: Value = serde_json::from_str(&check.out).unwrap();
    assert_eq!(report["problems"][0]["code"], "uploads-waiting", "{report}");
    assert_eq!(report["problems"].as_array().unwrap().len(), 1, "{report}");
    assert_eq!(report["verification"]["findings"], serde_json::json!([]));
    assert_eq!(copy.rows("SELECT text FROM words('find')"), serde_json::json!([{"text": "find me"}]));
    copy.sql("INSERT INTO lists(id) VALUES ('l3');");
    assert_eq!(copy.rows("SELECT max(id) AS id FROM ps_crud"), serde_json::json!([{"id": 2}]), "ids go on");
}

#[test]
fn single_tables_can_be_dumped() {
    let ran = run_with(
        &["shell", ":memory:"],
        "CREATE TABLE one(a); CREATE INDEX one_a ON one(a); CREATE TABLE two(a); INSERT INTO one VALUES (1);\n.dump one\n",
    );
    let expected = "PRAGMA foreign_keys=OFF;\nBEGIN TRANSACTION;\nCREATE TABLE one(a);\nINSERT INTO \"one\" VALUES(1);\nCREATE INDEX one_a ON one(a);\nCOMMIT;\n";
    assert_eq!(ran.out, expected, "{ran:?}");
}
