//! Rows that a statement deletes without firing triggers.

use super::File;

fn checks(schema: &str, statements: &[&str]) {
    let mut file = File::new(&["t"], schema);
    for statement in statements {
        file.check_after(statement);
    }
    let findings = sync_engine::source::Source::test(&file.source, &crate::patterns(&["t"]));
    assert!(findings.iter().all(|check| check.ok), "{findings:?}");
}

#[test]
fn a_row_replaced_through_a_unique_index_is_gone() {
    checks(
        "CREATE TABLE t(id TEXT PRIMARY KEY, u UNIQUE, a, b, v, UNIQUE(b, a));
        INSERT INTO t VALUES ('1', 'x', 1, 1, 0), ('2', 'y', 1, 2, 0), ('3', NULL, NULL, 3, 0), ('4', NULL, NULL, 3, 0)",
        &[
            "INSERT OR REPLACE INTO t VALUES ('9', 'x', 5, 5, 1)",
            "UPDATE OR REPLACE t SET a = 5, b = 5 WHERE id = '2'",
            "REPLACE INTO t VALUES ('10', 'y', 5, 5, 1)",
            "INSERT OR REPLACE INTO t VALUES ('3', NULL, NULL, 3, 1)",
            "INSERT INTO t VALUES ('11', 'y', 8, 8, 1) ON CONFLICT DO UPDATE SET v = 7",
            "INSERT OR IGNORE INTO t VALUES ('12', 'y', 8, 8, 1)",
        ],
    );
}

#[test]
fn a_unique_column_can_replace_null_by_its_default() {
    checks(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, u TEXT NOT NULL DEFAULT 'x' UNIQUE); INSERT INTO t VALUES (1, 'x')",
        &["INSERT OR REPLACE INTO t VALUES (2, NULL)"],
    );
}

#[test]
fn a_row_replaced_through_a_partial_index_or_an_expression_is_gone() {
    checks(
        "CREATE TABLE t(id INTEGER PRIMARY KEY, mail TEXT, deleted, g AS (lower(mail)) VIRTUAL);
        CREATE UNIQUE INDEX \"by (mail\" ON t(lower(mail) COLLATE NOCASE DESC /* , */) WHERE deleted = 0 -- here
        ;
        CREATE UNIQUE INDEX g ON t(g, deleted);
        INSERT INTO t VALUES (1, 'A@x', 0), (2, 'B@x', 0), (3, 'a@X', 1)",
        &[
            "INSERT OR REPLACE INTO t VALUES (10, 'a@x', 0)",
            "UPDATE OR REPLACE t SET mail = 'b@X' WHERE id = 10",
            "UPDATE OR REPLACE t SET deleted = 0 WHERE id = 3",
            "INSERT OR REPLACE INTO t VALUES (11, 'a@x', 2), (12, 'A@x', 2)",
            "UPDATE OR REPLACE t SET deleted = 0 WHERE id = 12",
        ],
    );
}

#[test]
fn a_row_whose_key_is_equal_and_not_the_same_is_gone() {
    checks(
        "CREATE TABLE t(id TEXT COLLATE NOCASE PRIMARY KEY, v); INSERT INTO t VALUES ('a', 0), ('b', 0), ('c', 0)",
        &[
            "INSERT OR REPLACE INTO t VALUES ('A', 1)",
            "UPDATE t SET id = 'B' WHERE id = 'b'",
            "UPDATE OR REPLACE t SET id = 'C' WHERE id = 'b'",
            "DELETE FROM t WHERE id = 'a'",
        ],
    );
    checks(
        "CREATE TABLE t(id PRIMARY KEY, v) WITHOUT ROWID; INSERT INTO t VALUES (1, 0), (2, 0), (3, 0)",
        &[
            "INSERT OR REPLACE INTO t VALUES (1.0, 1)",
            "UPDATE t SET id = 2.0 WHERE id = 2",
            "UPDATE OR REPLACE t SET id = 3.0 WHERE id = 2",
        ],
    );
}

#[test]
fn a_row_replaced_through_its_rowid_is_gone() {
    checks(
        "CREATE TABLE t(id TEXT PRIMARY KEY, v); INSERT INTO t(rowid, id) VALUES (1, 'a'), (2, 'b'), (3, 'c')",
        &["INSERT OR REPLACE INTO t(rowid, id) VALUES (1, 'x')", "UPDATE OR REPLACE t SET rowid = 3 WHERE id = 'x'"],
    );
}

#[test]
fn cascades_and_the_apps_own_triggers_are_followed() {
    let mut file = File::new(
        &["t", "child"],
        "CREATE TABLE t(id INTEGER PRIMARY KEY, u UNIQUE, parent REFERENCES t ON DELETE CASCADE);
        CREATE TABLE child(id INTEGER PRIMARY KEY, t REFERENCES t ON DELETE CASCADE ON UPDATE CASCADE, n DEFAULT 0);
        CREATE TRIGGER count AFTER INSERT ON child BEGIN UPDATE child SET n = n + 1 WHERE id = NEW.id; END;
        INSERT INTO t VALUES (1, 'a', NULL), (2, 'b', 1), (3, 'c', 2), (4, 'd', NULL);
        INSERT INTO child VALUES (1, 1, 0), (2, 2, 0), (3, 4, 0)",
    );
    file.run("PRAGMA foreign_keys = ON");
    file.check_after("UPDATE t SET id = 40 WHERE id = 4");
    file.check_after("INSERT INTO child VALUES (9, 40, 0)");
    file.check_after("INSERT OR REPLACE INTO t VALUES (50, 'd', NULL)");
    file.check_after("DELETE FROM t WHERE id = 1");
    assert_eq!(file.app.query_row("SELECT count(*) FROM child", [], |row| row.get::<_, i64>(0)).unwrap(), 0);
}

#[test]
fn an_index_that_cannot_be_followed_does_not_stop_writes_and_is_reported() {
    let mut file = File::new(&["u"], "CREATE TABLE u(id INTEGER PRIMARY KEY)");
    file.app
        .create_scalar_function("of_the_app", 1, rusqlite::functions::FunctionFlags::SQLITE_DETERMINISTIC, |context| {
            context.get::<String>(0)
        })
        .unwrap();
    file.run("CREATE TABLE t(id INTEGER PRIMARY KEY, a, u UNIQUE); CREATE UNIQUE INDEX strange ON t(of_the_app(a))");
    file.follower = crate::follower::Follower::new(crate::patterns(&["t"]), Default::default());
    file.follower.start(&file.source).unwrap();
    file.check_after("INSERT INTO t VALUES (1, 'x', 'y')");
    file.check_after("INSERT OR REPLACE INTO t VALUES (2, 'y', 'y')");
    let findings = sync_engine::source::Source::test(&file.source, &crate::patterns(&["t"]));
    let wrong: Vec<_> = findings.iter().filter(|check| !check.ok).collect();
    assert_eq!(wrong.len(), 1, "{findings:?}");
    assert_eq!(wrong[0].name, "replaced rows");
    assert!(wrong[0].message.contains("strange"), "{wrong:?}");
    // As the fix says.
    file.run("PRAGMA recursive_triggers = ON");
    file.check_after("INSERT OR REPLACE INTO t VALUES (3, 'y', 'z')");
}
