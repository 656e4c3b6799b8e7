//! Format 1001: what it makes of format 14, and what format 14 gets back (docs/reference/tables.md#format-1001).

use rowtide_testkit::Host;
use rowtide_testkit::invariants::assert_consistent;
use rowtide_testkit::versions::ScriptHost;
use rusqlite::config::DbConfig;
use serde_json::{Value, json};

use crate::migrations::stored_format::{FIRST_OWN, NEWEST, PUBLISHED, content, in_format, migrate};

/// An operation in `ps_oplog` of format 14: bucket, op id, type, id, key, data, hash.
pub(crate) type Stored<'s> = (i64, i64, Option<&'s str>, Option<&'s str>, Option<&'s str>, &'s str, i64);

/// A database in format 14 with one bucket per `(id, last_applied_op)`, holding `operations`.
pub(crate) fn published(buckets: &[(i64, i64)], operations: &[Stored<'_>]) -> Host {
    let host = Host::open_in_memory();
    migrate(&host, PUBLISHED);
    for (id, applied) in buckets {
        let sql = "INSERT INTO ps_buckets(id, name, last_applied_op, last_op) VALUES (?1, 'bucket ' || ?1, ?2, 1000)";
        host.rows_with(sql, (id, applied));
    }
    for operation in operations {
        host.rows_with("INSERT INTO ps_oplog VALUES (?, ?, ?, ?, ?, ?, ?)", *operation);
    }
    host.execute(
        "UPDATE ps_buckets SET add_checksum = 4000000000, op_checksum =
         (SELECT coalesce(sum(hash), 0) & 4294967295 FROM ps_oplog WHERE bucket = ps_buckets.id)",
    );
    host
}

fn sums(host: &Host) -> Value {
    host.table("SELECT name, (add_checksum + op_checksum) & 0xffffffff FROM ps_buckets ORDER BY name")
}

#[test]
fn operations_are_clustered_by_bucket_in_order_of_their_ids() {
    let host = published(
        &[(1, 1000), (2, 1000)],
        &[
            (2, 9, Some("t"), Some("b"), Some("t/b/s"), "{}", -5),
            (1, 8, Some("t"), Some("a"), Some("t/a/null"), r#"{"n":1}"#, 6),
            (1, 3, Some("u"), Some("c"), Some("u/c/"), r#"{"n":2}"#, 7),
        ],
    );
    migrate(&host, NEWEST);
    let operations = "SELECT id >> 34, id & 17179869183, op_id, row_type, row_id, subkey, data, hash, removed
        FROM ps_operations ORDER BY id";
    assert_eq!(
        host.table(operations),
        json!([
            [1, 1, 3, "u", "c", "", r#"{"n":2}"#, 7, 0],
            [1, 2, 8, "t", "a", null, r#"{"n":1}"#, 6, 0],
            [2, 1, 9, "t", "b", "s", "{}", -5, 0]
        ])
    );
    let by_row = "SELECT row_type, row_id, operation >> 34, operation & 17179869183 FROM ps_row_operations";
    assert_eq!(host.table(by_row), json!([["t", "a", 1, 2], ["t", "b", 2, 1], ["u", "c", 1, 1]]));
    assert_consistent(&host);
}

#[test]
fn operations_after_the_applied_one_are_pending() {
    let operation = |op_id, id| (1, op_id, Some("t"), Some(id), None, "{}", 4_000_000_000 + op_id);
    let operations = [operation(3, "a"), operation(9, "b"), operation(4, "c")];
    for (applied, settled) in [(0, 0), (3, 1), (8, 2), (9, 3)] {
        let host = published(&[(1, applied)], &operations);
        let before = sums(&host);
        migrate(&host, NEWEST);
        let bucket = "SELECT settled, in_checkpoint, (SELECT count(*) FROM ps_row_operations) FROM ps_buckets";
        assert_eq!(host.table(bucket), json!([[settled, 0, settled]]), "applied up to {applied}");
        assert_eq!(sums(&host), before);
        assert_consistent(&host);
    }
}

#[test]
fn an_operation_without_data_shows_a_row_without_values() {
    let host = published(&[(1, 0)], &[(1, 8, Some("t"), Some("a"), None, "", 6)]);
    host.execute("UPDATE ps_oplog SET data = NULL");
    migrate(&host, NEWEST);
    assert_eq!(host.table("SELECT row_id, data FROM ps_operations"), json!([["a", "{}"]]));
    assert_consistent(&host);
}

#[test]
fn bucket_ids_that_do_not_fit_are_replaced() {
    let operation = |bucket, id| (bucket, 1, Some("t"), Some(id), None, "{}", 1);
    let names = "SELECT id, name, (SELECT row_id FROM ps_operations WHERE id >> 34 = ps_buckets.id) FROM ps_buckets ORDER BY id";
    let host = published(&[(3, 1), (4_194_303, 1)], &[operation(3, "a"), operation(4_194_303, "b")]);
    migrate(&host, NEWEST);
    assert_eq!(host.table(names), json!([[3, "bucket 3", "a"], [4_194_303, "bucket 4194303", "b"]]));

    for outside in [-1, 0, 4_194_304, i64::MAX] {
        let host = published(&[(3, 1), (outside, 1)], &[operation(3, "a"), operation(outside, "b")]);
        migrate(&host, NEWEST);
        let mut expected = [(3, "a"), (outside, "b")];
        expected.sort_unstable();
        let rows: Vec<Value> =
            (1..).zip(expected).map(|(id, (old, row))| json!([id, format!("bucket {old}"), row])).collect();
        assert_eq!(host.table(names), json!(rows));
        assert_consistent(&host);
    }
}

#[test]
fn what_cannot_be_shown_lives_on_as_a_checksum() {
    let host = published(
        &[(1, 1000)],
        &[
            (1, 1, None, Some("a"), Some(""), "{}", 11),
            (1, 2, Some("t"), None, Some(""), "{}", -12),
            (1, 3, Some("t"), Some("a"), Some("t/a/null"), "{}", 13),
            (99, 4, Some("t"), Some("no bucket"), Some("t/no bucket/null"), "{}", 14),
        ],
    );
    let before = sums(&host);
    migrate(&host, NEWEST);
    assert_eq!(host.table("SELECT op_id FROM ps_operations"), json!([[3]]));
    assert_eq!(sums(&host), before);
    assert_eq!(host.value("SELECT op_checksum FROM ps_buckets"), 13);
    assert_eq!(host.table("SELECT row_type, row_id FROM ps_updated_rows"), json!([["t", "no bucket"]]));
}

#[test]
fn keys_are_taken_apart_into_their_parts() {
    let host = published(
        &[(1, 1000)],
        &[
            (1, 1, Some("a/b"), Some("c"), Some("a/b/c/k"), "1", 1),
            (1, 2, Some("a"), Some("b/c"), Some("a/b/c/k"), "2", 2),
            (1, 3, Some("nul\0type"), Some("x"), Some("nul\0type/x/nul\0key"), "3", 3),
            (1, 4, Some("ü"), Some("ö"), Some("ü/ö/ä/ß"), "4", 4),
            (1, 5, Some("t"), Some("odd"), Some("elsewhere"), "5", 5),
        ],
    );
    migrate(&host, NEWEST);
    let parts = "SELECT op_id, subkey, key FROM ps_oplog JOIN ps_operations USING (op_id) ORDER BY op_id";
    assert_eq!(
        host.table(parts),
        json!([
            [1, "k", "a/b/c/k"],
            [2, "k", "a/b/c/k"],
            [3, "nul\0key", "nul\0type/x/nul\0key"],
            [4, "ä/ß", "ü/ö/ä/ß"],
            [5, null, "t/odd/null"]
        ])
    );
}

#[test]
fn of_operations_with_equal_keys_the_newest_stays() {
    // The JavaScript SDK erased keys with published versions.
    let host = published(
        &[(1, 1000)],
        &[
            (1, 5, Some("t"), Some("a"), Some("t/a/null"), r#"{"n":"new"}"#, 1),
            (1, 2, Some("t"), Some("a"), None, r#"{"n":"old"}"#, 2),
            (1, 3, Some("t"), Some("a"), Some("t/a/other"), r#"{"n":"other"}"#, 4),
        ],
    );
    let before = sums(&host);
    migrate(&host, NEWEST);
    assert_eq!(
        host.table("SELECT op_id, data FROM ps_operations"),
        json!([[3, r#"{"n":"other"}"#], [5, r#"{"n":"new"}"#]])
    );
    assert_eq!(host.value("SELECT op_checksum FROM ps_buckets"), 5);
    assert_eq!(sums(&host), before);
    assert_consistent(&host);
}

/// A database in our format with one bucket that has two settled operations, and operations of every kind pending.
pub(crate) fn with_pending_operations() -> Host {
    let host = published(
        &[(1, 10), (2, 500)],
        &[
            (1, 1, Some("t"), Some("replaced"), Some("t/replaced/null"), r#"{"n":"settled"}"#, 1),
            (1, 2, Some("t"), Some("removed"), Some("t/removed/k"), r#"{"n":"settled"}"#, 2),
            (1, 3, Some("t"), Some("kept"), Some("t/kept/null"), r#"{"n":"settled"}"#, 4),
        ],
    );
    migrate(&host, NEWEST);
    // Operations overwritten in place are before older ones.
    host.execute(
        "INSERT INTO ps_operations(id, op_id, row_type, row_id, subkey, data, hash, removed)
         SELECT (1 << 34) + column1, column2, 't', column3, column4, column5, column6, column7 FROM (VALUES
            (10, 105, 'replaced', NULL, '{\"n\":\"newest\"}', 8, 0),
            (11, 103, 'replaced', NULL, '{\"n\":\"older\"}', 16, 0),
            (12, 106, 'removed', 'k', NULL, 32, 1),
            (13, 107, 'removed', 'other key', '{\"n\":\"stays\"}', 64, 0),
            (14, 108, 'returned', NULL, '{\"n\":\"first\"}', 128, 0),
            (15, 109, 'returned', NULL, NULL, 256, 1),
            (16, 110, 'returned', NULL, '{\"n\":\"second\"}', -512, 0),
            (17, 111, 'gone', NULL, '{\"n\":\"never shown\"}', 1024, 0),
            (18, 112, 'gone', NULL, NULL, 2048, 1));
         UPDATE ps_buckets SET add_checksum = (add_checksum + 8+16+32+64+128+256-512+1024+2048) & 4294967295, last_op = 112
          WHERE id = 1;
         INSERT INTO ps_updated_rows(row_type, row_id) VALUES ('t', 'written'), ('t', 'written'), ('t', 'removed');",
    );
    host
}

#[test]
fn going_down_publishes_nothing_and_loses_nothing() {
    let host = with_pending_operations();
    let before = sums(&host);
    let shown =
        host.table("SELECT bucket, op_id, row_type, row_id, key, data, hash FROM ps_oplog ORDER BY bucket, op_id");
    migrate(&host, PUBLISHED);
    assert_eq!(host.table("SELECT * FROM ps_oplog ORDER BY rowid"), shown);
    assert_eq!(sums(&host), before);
    assert_eq!(
        host.table("SELECT row_type, row_id FROM ps_updated_rows"),
        json!([["t", "gone"], ["t", "removed"], ["t", "returned"], ["t", "written"]])
    );
    assert_eq!(
        host.table("SELECT id, last_applied_op, last_op FROM ps_buckets"),
        json!([[1, 10, 112], [2, 500, 1000]])
    );
    assert_consistent(&host);
    migrate(&host, NEWEST);
    assert_eq!(host.value("SELECT settled FROM ps_buckets WHERE id = 1"), 1, "only what is published and current");
    assert_eq!(
        host.table("SELECT bucket, op_id, row_type, row_id, key, data, hash FROM ps_oplog ORDER BY 1, 2"),
        shown
    );
}

#[test]
fn going_down_after_a_resync_has_rows_shown_looked_at_again() {
    // A REMOVE that the published extension receives then would else leave its row for ever.
    let host = with_pending_operations();
    host.execute("DELETE FROM ps_updated_rows; UPDATE ps_buckets SET last_applied_op = 0");
    migrate(&host, PUBLISHED);
    let marked = host.table("SELECT row_id FROM ps_updated_rows");
    assert_eq!(marked, json!([["gone"], ["kept"], ["removed"], ["replaced"], ["returned"]]));
}

#[test]
fn going_down_writes_the_last_checkpoint_into_each_of_its_buckets() {
    let host = published(&[(1, 1000), (2, 1000), (3, 7), (4, 1000), (5, 0)], &[]);
    migrate(&host, NEWEST);
    host.execute(
        "UPDATE ps_checkpoint SET last_op = 2000;
         UPDATE ps_buckets SET in_checkpoint = (id <> 2);
         UPDATE ps_buckets SET last_applied_op = 3000, last_op = 3000 WHERE id = 4;",
    );
    migrate(&host, PUBLISHED);
    assert_eq!(
        host.table("SELECT id, last_applied_op, last_op FROM ps_buckets"),
        json!([[1, 2000, 2000], [2, 1000, 1000], [3, 7, 2000], [4, 3000, 3000], [5, 0, 2000]])
    );
}

#[test]
fn strict_connections_migrate_read_and_repair() {
    let host = in_format(1);
    host.execute("PRAGMA trusted_schema = OFF; PRAGMA foreign_keys = ON; PRAGMA recursive_triggers = ON");
    for config in [
        (DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true),
        (DbConfig::SQLITE_DBCONFIG_DQS_DDL, false),
        (DbConfig::SQLITE_DBCONFIG_DQS_DML, false),
    ] {
        host.connection().set_db_config(config.0, config.1).unwrap();
    }
    host.initialize();
    assert_eq!(host.value("SELECT count(*) FROM ps_oplog"), 8);
    host.execute("UPDATE ps_oplog SET key = key || 'x' WHERE row_id = 't1'");
    assert_eq!(host.value("SELECT key FROM ps_oplog WHERE row_id = 't1'"), "todos/t1/row1x");
    migrate(&host, 1);
}

#[test]
fn tables_of_equal_names_elsewhere_are_left_alone() {
    let host = in_format(9);
    let tables = [
        "ps_migration",
        "ps_oplog",
        "ps_buckets",
        "ps_updated_rows",
        "ps_operations",
        "ps_checkpoint",
        "ps_schema",
        "ps_kv",
    ];
    host.execute("ATTACH ':memory:' AS other");
    for table in tables {
        host.execute(&format!(
            "CREATE TABLE other.{table}(x); CREATE TABLE temp.{table}(x); INSERT INTO temp.{table} VALUES (1)"
        ));
    }
    host.initialize();
    for table in tables {
        assert_eq!(host.value(&format!("SELECT count(*) FROM temp.{table}")), 1, "{table}");
        host.execute(&format!("DROP TABLE temp.{table}"));
    }
    assert_eq!(host.value("SELECT count(*) FROM ps_operations"), 8);
    for table in ["ps_oplog", "ps_buckets", "ps_operations", "ps_updated_rows"] {
        host.execute(&format!("CREATE TABLE temp.{table}(x); INSERT INTO temp.{table} VALUES (1)"));
    }
    migrate(&host, PUBLISHED);
    assert_eq!(host.value("SELECT count(*) FROM main.ps_oplog"), 8);
    assert_eq!(host.value("SELECT count(*) FROM temp.ps_oplog"), 1);
}

#[test]
fn utf_16_databases_migrate() {
    let host = Host::open_in_memory();
    host.execute("PRAGMA encoding = 'UTF-16le'");
    host.execute(include_str!("../../fixtures/formats/v04.sql"));
    let before = content(&host);
    host.initialize();
    let mut after = content(&host);
    after.retain(|name, _| before.contains_key(name));
    assert_eq!(after, before);
    migrate(&host, 1);
}

#[test]
fn old_versions_of_sqlite_migrate() {
    let script = format!(
        "{}\nBEGIN; SELECT powersync_init(); COMMIT;
         SELECT count(*), sum(hash) FROM ps_oplog; SELECT count(*) FROM ps_row_operations;
         UPDATE ps_oplog SET key = key || 'x' WHERE row_id = 't1'; SELECT key FROM ps_oplog WHERE row_id = 't1';
         BEGIN; SELECT powersync_test_migration(1); COMMIT;
         BEGIN; SELECT powersync_init(); COMMIT;
         SELECT count(*), sum(hash) FROM ps_oplog; PRAGMA integrity_check;",
        include_str!("../../fixtures/formats/v01.sql")
    );
    for host in [ScriptHost::system(), ScriptHost::oldest_supported()] {
        let output = host.run(":memory:", &script).unwrap();
        let lines: Vec<&str> = output.iter().map(String::as_str).filter(|line| !line.is_empty()).collect();
        assert_eq!(lines, ["8|-3576222743", "7", "todos/t1/row1x", "8|-3576222743", "ok"]);
    }
}

#[test]
fn each_of_our_formats_is_as_it_was_after_a_way_up_and_down() {
    let schema =
        "SELECT type, name, tbl_name, replace(replace(sql, 'main.', ''), ' IF NOT EXISTS', '') FROM sqlite_schema
        ORDER BY type, name";
    for format in FIRST_OWN..NEWEST {
        let host = Host::open_in_memory();
        migrate(&host, format);
        let before = host.table(schema);
        migrate(&host, NEWEST);
        migrate(&host, format);
        assert_eq!(host.table(schema), before, "format {format}");
    }
}

#[test]
fn format_1002_goes_back_to_1001_as_that_was() {
    let schema =
        "SELECT type, name, tbl_name, replace(replace(sql, 'main.', ''), ' IF NOT EXISTS', '') FROM sqlite_schema
        WHERE tbl_name IN ('ps_buckets', 'ps_checkpoint') ORDER BY type, name";
    let rows = |host: &Host| {
        (
            host.table("SELECT * FROM ps_buckets ORDER BY id"),
            host.table("SELECT id, last_op, region FROM ps_checkpoint"),
        )
    };
    let host = published(&[(1, 1000), (2, 0)], &[(1, 8, Some("t"), Some("a"), None, "{}", 6)]);
    migrate(&host, 1001);
    host.execute("UPDATE ps_checkpoint SET last_op = 2000; UPDATE ps_buckets SET in_checkpoint = 1 WHERE id = 1");
    // Neither way needs all views to be sound.
    host.execute("CREATE VIEW broken AS SELECT * FROM missing; CREATE VIEW over AS SELECT absent FROM ps_buckets");
    let before = (host.table(schema), rows(&host));
    migrate(&host, NEWEST);
    host.execute("UPDATE ps_checkpoint SET writer = 1, removed_op = 2; UPDATE ps_buckets SET requested_by = 3");
    migrate(&host, 1001);
    assert_eq!((host.table(schema), rows(&host)), before);
    migrate(&host, NEWEST);
    assert_eq!(host.table("SELECT writer, removed_op FROM ps_checkpoint"), json!([[0, 0]]));
    host.execute("DROP VIEW over");
    assert_consistent(&host);
}

/// Formats before 1003 have no place for rejected uploads.
#[test]
fn rejected_uploads_are_counted_on_the_way_down() {
    let host = Host::open_in_memory();
    host.initialize();
    let dropped = "SELECT value FROM ps_kv WHERE key = 'powersync_rejected_dropped'";
    migrate(&host, 1002);
    assert_eq!(host.table(dropped), json!([]));
    migrate(&host, NEWEST);
    host.execute(
        r#"INSERT INTO ps_rejected(transaction_id, entry_id, at, data, code) VALUES
            (1, 1, 10, '{"op":"PUT","type":"lists","id":"a","data":{"x":1},"old":{"x":0},"metadata":"m"}', 'c'),
            (1, 2, 10, '{"op":"DELETE","type":"lists","id":"b"}', 'c'), (2, 3, 10, 'not JSON', NULL)"#,
    );
    assert_eq!(
        host.table(
            "SELECT transaction_id, entry_id, at, op, type, id, data, old, metadata, code FROM powersync_rejected"
        ),
        json!([
            [1, 1, 10, "PUT", "lists", "a", r#"{"x":1}"#, r#"{"x":0}"#, "m", "c"],
            [1, 2, 10, "DELETE", "lists", "b", null, null, null, "c"],
            [2, 3, 10, null, null, null, null, null, null, null],
        ])
    );
    migrate(&host, PUBLISHED);
    assert_eq!(host.table(dropped), json!([[2]]));
    migrate(&host, NEWEST);
    assert_eq!(host.table("SELECT * FROM ps_rejected"), json!([]));
}
