//! Kinds of tables, keys and values.

use sync_config::Value;
use sync_engine::source::Source;

use super::File;
use crate::patterns;

#[test]
fn all_kinds_of_tables_are_followed() {
    let mut file = File::new(
        &["%"],
        "CREATE TABLE \"we\"\"ird table\"(\"the \"\"key\" TEXT PRIMARY KEY, \"select\", [a b] DEFAULT 1);
        CREATE TABLE descending(a, b, c, PRIMARY KEY(a DESC, b)) WITHOUT ROWID;
        CREATE TABLE strict_one(id ANY PRIMARY KEY, v ANY) STRICT;
        CREATE TABLE generated(id INTEGER PRIMARY KEY, v, virt AS (v || '!'), stor AS (v + 1) STORED);
        CREATE TABLE shadowed(rowid TEXT, v);
        CREATE TABLE counted(id INTEGER PRIMARY KEY AUTOINCREMENT, v);
        CREATE TABLE \"integer key with index\"(id INTEGER PRIMARY KEY DESC, v);
        CREATE TABLE all_shadowed(rowid, _rowid_, oid);
        CREATE VIEW a_view AS SELECT * FROM generated;
        CREATE VIRTUAL TABLE search USING fts5(v);
        CREATE TEMP TABLE passing(id PRIMARY KEY);",
    );
    let tables =
        ["counted", "descending", "generated", "integer key with index", "shadowed", "strict_one", "we\"ird table"];
    assert_eq!(file.tables(), tables);
    file.check_after(
        "INSERT INTO \"we\"\"ird table\" VALUES ('a', 1, 2), ('b', x'00ff', 1.5);
        INSERT INTO descending VALUES (1, 2, 3), (1, 3, 4), (2, 1, NULL), (x'', '', 0);
        INSERT INTO strict_one VALUES (1, 1), (1.5, 'x'), ('1', x'01');
        INSERT INTO generated(id, v) VALUES (1, 5), (2, 'x');
        INSERT INTO shadowed VALUES ('a', 1), ('a', 1), (NULL, NULL);
        INSERT INTO counted(v) VALUES (1), (2);
        INSERT INTO \"integer key with index\" VALUES (2, 1), (1, 2);
        INSERT INTO all_shadowed VALUES (1, 2, 3); INSERT INTO search VALUES ('words')",
    );
    file.check_after(
        "UPDATE descending SET a = a + 1, b = b + 1; UPDATE generated SET v = v || 'y'; DELETE FROM counted WHERE id = 2;
        UPDATE shadowed SET v = 3 WHERE _rowid_ = 2; UPDATE \"integer key with index\" SET id = -id;
        DELETE FROM strict_one",
    );
    file.check_after("INSERT INTO counted(v) SELECT value FROM json_each('[1,2,3]')");
    // A second one reads all of it by snapshots.
    file.follower = crate::follower::Follower::new(patterns(&["%"]), Default::default());
    file.follower.start(&file.source).unwrap();
    while !file.follower.is_consistent() {
        file.follower.chunk(&file.source, 1).unwrap();
        file.follower.step().unwrap();
    }
    file.check();
}

#[test]
fn rows_without_a_key_are_left_out_and_reported() {
    let mut file = File::new(&["t"], "CREATE TABLE t(id TEXT PRIMARY KEY, v); INSERT INTO t VALUES ('a', 2)");
    file.run("INSERT INTO t VALUES (NULL, 1), (NULL, 2); UPDATE t SET id = NULL WHERE id = 'a'");
    file.follower.catch_up(&file.source).unwrap();
    assert!(file.follower.content()["t"].is_empty());
    let findings = file.source.test(&patterns(&["t"]));
    assert!(findings.iter().any(|check| !check.ok && check.message.contains("NULL")), "{findings:?}");
    file.check_after("UPDATE t SET id = 'b' || rowid");
}

#[test]
fn texts_that_are_no_utf8_do_not_stop_pages() {
    let mut file = File::new(&["t"], "CREATE TABLE t(id TEXT PRIMARY KEY)");
    file.run(
        "INSERT INTO t VALUES ('a'), (CAST(x'ff01' AS TEXT)), (CAST(x'ff02' AS TEXT)), (CAST(x'ff03' AS TEXT)), ('\u{10ffff}')",
    );
    for limit in 1..6 {
        let mut follower = crate::follower::Follower::new(patterns(&["t"]), Default::default());
        follower.start(&file.source).unwrap();
        while !follower.is_consistent() {
            follower.chunk(&file.source, limit).unwrap();
            follower.step().unwrap();
        }
        assert!(follower.content()["t"].len() >= 3);
    }
    file.follower.catch_up(&file.source).unwrap();
    file.check_after("DELETE FROM t WHERE id > 'b'");
}

#[test]
fn values_are_exact() {
    let file = File::new(
        &["t"],
        "PRAGMA encoding = 'UTF-16le'; CREATE TABLE t(id TEXT PRIMARY KEY, v);
        INSERT INTO t VALUES ('a' || char(0) || '\u{1f980}', 9007199254740993), ('b', -9223372036854775808),
        ('c', 0.1), ('d', 9e999), ('e', x'00ff'), ('f', 'x' || char(0)), ('g', ''), ('h', NULL), ('i', 4.9406564584124654e-324)",
    );
    let table = &file.source.tables(&patterns(&["t"])).unwrap()[0];
    let chunk = file.source.snapshot_chunk(table, None, 100).unwrap();
    let rows: Vec<(Value, Value)> = chunk
        .rows
        .iter()
        .map(|row| match row.as_slice() {
            [sync_engine::row::SourceValue::Value(a), sync_engine::row::SourceValue::Value(b)] => {
                (a.clone(), b.clone())
            }
            other => panic!("{other:?}"),
        })
        .collect();
    let shown: Vec<String> = rows.iter().map(|(a, b)| format!("{a:?} {b:?}")).collect();
    assert_eq!(
        shown,
        [
            "Text(\"a\\0\u{1f980}\") Integer(9007199254740993)",
            "Text(\"b\") Integer(-9223372036854775808)",
            "Text(\"c\") Real(0.1)",
            "Text(\"d\") Real(inf)",
            "Text(\"e\") Blob([0, 255])",
            "Text(\"f\") Text(\"x\\0\")",
            "Text(\"g\") Text(\"\")",
            "Text(\"h\") Null",
            "Text(\"i\") Real(5e-324)",
        ]
    );
    let key = vec![rows[0].0.clone()];
    assert!(file.source.refetch(table, &[key, vec![Value::text("a")]]).unwrap().rows[1].is_none());
}

#[test]
fn keys_of_many_columns_are_logged() {
    let columns: Vec<String> = (0..12).map(|number| format!("c{number}")).collect();
    let columns = columns.join(", ");
    let mut file = File::new(
        &["t", "u"],
        &format!("CREATE TABLE u(id PRIMARY KEY); CREATE TABLE t({columns}, PRIMARY KEY({columns}))"),
    );
    file.check_after("INSERT INTO t VALUES (1,2,3,4,5,6,7,8,9,10,11,12), (1,2,3,4,5,6,7,8,9,10,11,x'12')");
    file.check_after("DELETE FROM t WHERE c11 = 12; UPDATE t SET c5 = c11");
}

#[test]
fn a_transaction_larger_than_a_chunk_is_one_transaction() {
    let mut file = File::new(&["t"], "CREATE TABLE t(id INTEGER PRIMARY KEY, v)");
    file.run("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000) INSERT INTO t SELECT i, 0 FROM n");
    // Rows that were read already change before the end.
    assert!(file.follower.step().unwrap());
    assert!(!file.follower.is_consistent());
    let before = file.follower.content();
    file.run("UPDATE t SET v = 1 WHERE id IN (1, 5000); DELETE FROM t WHERE id IN (2, 4999)");
    assert!(file.follower.step().unwrap());
    assert_eq!(file.follower.content(), before, "a part of the transaction shows");
    file.check();
    assert_eq!(file.follower.content()["t"].len(), 4998);
    file.check_after("DELETE FROM t");
}

#[test]
fn an_update_of_what_is_not_unique_logs_its_row_once() {
    let file = File::new(
        &["t"],
        "CREATE TABLE t(id TEXT PRIMARY KEY, u UNIQUE, v); INSERT INTO t VALUES ('a', 1, 1), ('b', 2, 2)",
    );
    let count = || file.app.query_row("SELECT count(*) FROM _sync_log", [], |row| row.get::<_, i64>(0)).unwrap();
    let before = count();
    file.run("UPDATE t SET v = 5");
    assert_eq!(count() - before, 2);
    file.run("INSERT INTO t VALUES ('c', 3, 3)");
    assert_eq!(count() - before, 3);
    file.run("UPDATE t SET u = u + 10, id = id WHERE id = 'a'");
    assert_eq!(count() - before, 4);
}
