//! Changes of the schema, while a stream runs and while none does.

use sync_engine::source::{Source, SourceEvent};

use super::File;

/// Each statement is followed by a running stream, and by one that begins after it.
fn both(names: &[&str], schema: &str, statements: &[(&str, &[&str])]) {
    for restarts in [false, true] {
        let mut file = File::new(names, schema);
        for (statement, tables) in statements {
            file.run(statement);
            if restarts {
                file.restart();
            }
            file.check();
            assert_eq!(file.tables(), *tables, "{statement}");
        }
    }
}

const TABLE: &str = "CREATE TABLE t(id TEXT PRIMARY KEY, a, b); CREATE TABLE other(id INTEGER PRIMARY KEY);
    INSERT INTO t VALUES ('1', 2, 3), ('2', 3, 4)";

#[test]
fn columns_come_and_go() {
    both(
        &["t"],
        TABLE,
        &[
            ("ALTER TABLE t ADD COLUMN c DEFAULT 'x'", &["t"]),
            ("UPDATE t SET c = 'y' WHERE id = '1'", &["t"]),
            ("ALTER TABLE t RENAME COLUMN c TO d", &["t"]),
            ("ALTER TABLE t DROP COLUMN a", &["t"]),
            ("INSERT INTO t VALUES ('3', 1, 2); ALTER TABLE t ADD COLUMN e AS (b + 1)", &["t"]),
            ("ALTER TABLE t RENAME COLUMN id TO key; UPDATE t SET key = '4' WHERE key = '3'", &["t"]),
        ],
    );
}

#[test]
fn tables_are_dropped_renamed_and_created_again() {
    both(
        &["t", "u"],
        TABLE,
        &[
            ("INSERT INTO t VALUES ('9', 1, 1); DROP TABLE t", &[]),
            ("CREATE TABLE t(id TEXT PRIMARY KEY, a); INSERT INTO t VALUES ('1', 2)", &["t"]),
            ("DROP TABLE t; CREATE TABLE t(id TEXT PRIMARY KEY, a); INSERT INTO t VALUES ('1', 2), ('5', 2)", &["t"]),
            ("ALTER TABLE t RENAME TO u; UPDATE u SET a = 3", &["u"]),
            ("ALTER TABLE u RENAME TO elsewhere", &[]),
            ("ALTER TABLE elsewhere RENAME TO t; INSERT INTO t VALUES ('6', 1)", &["t"]),
            ("DROP TABLE t; CREATE TABLE t(id INTEGER PRIMARY KEY, a); INSERT INTO t VALUES (1, 2)", &["t"]),
        ],
    );
}

#[test]
fn a_migration_that_copies_the_table_is_followed() {
    both(
        &["t"],
        TABLE,
        &[
            (
                "BEGIN; CREATE TABLE new_t(id TEXT PRIMARY KEY, b, c); INSERT INTO new_t SELECT id, b, a FROM t;
                DROP TABLE t; ALTER TABLE new_t RENAME TO t; COMMIT",
                &["t"],
            ),
            (
                "BEGIN; ALTER TABLE t RENAME TO old_t; CREATE TABLE t(id TEXT PRIMARY KEY, b);
                INSERT INTO t SELECT id, b FROM old_t WHERE id > '1'; DROP TABLE old_t; COMMIT",
                &["t"],
            ),
            ("UPDATE t SET b = 100", &["t"]),
        ],
    );
}

#[test]
fn two_tables_that_change_names_are_followed() {
    both(
        &["a", "b"],
        "CREATE TABLE a(id PRIMARY KEY); CREATE TABLE b(id PRIMARY KEY); INSERT INTO a VALUES (1); INSERT INTO b VALUES (2)",
        &[(
            "BEGIN; ALTER TABLE a RENAME TO c; ALTER TABLE b RENAME TO a; ALTER TABLE c RENAME TO b; COMMIT",
            &["a", "b"],
        )],
    );
}

#[test]
fn tables_that_appear_are_complete_by_the_stream() {
    let mut file = File::new(&["t%"], "CREATE TABLE t1(id PRIMARY KEY)");
    file.check_after(
        "CREATE TABLE t2(id PRIMARY KEY, v); INSERT INTO t2 VALUES (1, 2), (2, 3); CREATE TABLE z(id PRIMARY KEY)",
    );
    assert_eq!(file.tables(), ["t1", "t2"]);
    file.check_after("ALTER TABLE z RENAME TO t3; INSERT INTO t3 VALUES (1)");
    assert_eq!(file.tables(), ["t1", "t2", "t3"]);
}

#[test]
fn unique_indexes_that_come_later_are_followed() {
    let mut file = File::new(&["t"], TABLE);
    file.run("CREATE UNIQUE INDEX i ON t(a)");
    file.check();
    file.check_after("INSERT OR REPLACE INTO t VALUES ('3', 2, 0)");
    file.run("DROP INDEX i");
    file.check();
    file.check_after("ALTER TABLE t DROP COLUMN a");
}

#[test]
fn rowids_that_vacuum_changes_are_followed() {
    let mut file = File::new(&["t", "u"], "CREATE TABLE t(v); CREATE TABLE u(id PRIMARY KEY)");
    file.check_after("INSERT INTO t VALUES (1), (2), (3); INSERT INTO u VALUES (1); DELETE FROM t WHERE v = 1");
    let ids = |file: &File| file.follower.state.tables.keys().cloned().collect::<Vec<_>>();
    let before = ids(&file);
    // Other changes of the schema do not compare all rows.
    file.check_after("CREATE INDEX i ON u(id)");
    assert_eq!(ids(&file), before);
    file.check_after("VACUUM");
    let rowids: i64 = file.app.query_row("SELECT max(rowid) FROM t", [], |row| row.get(0)).unwrap();
    assert_eq!(rowids, 2, "this version of SQLite keeps rowids: the test shows nothing");
    assert_ne!(ids(&file), before);
    let after = ids(&file);
    file.check_after("INSERT INTO t VALUES (9); VACUUM");
    // Nothing had to change, and nobody can know that.
    assert!(ids(&file).iter().zip(&after).filter(|(a, b)| a != b).count() <= 1);
}

#[test]
fn triggers_that_somebody_dropped_come_back() {
    let mut file = File::new(&["t"], TABLE);
    let trigger: String = file
        .app
        .query_row("SELECT name FROM sqlite_master WHERE name LIKE '\\_sync\\_%\\_insert' ESCAPE '\\'", [], |row| {
            row.get(0)
        })
        .unwrap();
    file.run(&format!("DROP TRIGGER \"{trigger}\"; INSERT INTO t VALUES ('7', 1, 1)"));
    file.check();
    file.check_after("INSERT INTO t VALUES ('8', 1, 1)");
}

#[test]
fn a_table_that_changes_and_is_dropped_ends_with_its_generation() {
    let file = File::new(&["t"], TABLE);
    let mut stream = file.source.stream(file.follower.state.position.as_ref()).unwrap();
    file.run("INSERT INTO t VALUES ('9', 1, 1); DROP TABLE t; CREATE TABLE t(id TEXT PRIMARY KEY); INSERT INTO t VALUES ('0')");
    let events = stream.next(std::time::Duration::ZERO).unwrap();
    let shown: Vec<String> = events
        .iter()
        .map(|event| match event {
            SourceEvent::Relation { number, table } => format!("{number} is {}", table.physical_id),
            SourceEvent::Begin => "begin".into(),
            SourceEvent::Row(change) => format!("row of {}", change.table),
            SourceEvent::Dropped(number) => format!("{number} is dropped"),
            SourceEvent::Commit { .. } => "commit".into(),
            other => format!("{other:?}"),
        })
        .collect();
    assert_eq!(shown, ["begin", "0 is t(id)#1", "0 is dropped", "1 is t(id)#2", "row of 1", "commit"]);
}
