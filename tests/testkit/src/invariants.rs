//! What must hold for a database at any time between transactions, and a dump to compare databases with.

use serde_json::{Value, json};

use crate::host::Host;

/// Checks everything below that applies to the state the database is in.
///
/// # Panics
/// With the rows that break an invariant.
#[track_caller]
pub fn assert_consistent(host: &Host) {
    if let Err(message) = check_consistent(host) {
        panic!("{message}");
    }
}

/// Like [`assert_consistent`], with the failure as a value.
///
/// # Errors
/// The rows that break an invariant.
pub fn check_consistent(host: &Host) -> Result<(), String> {
    expect("SQLite's own check", &host.table("PRAGMA integrity_check"), &json!([["ok"]]))?;
    check_checksums(host)?;
    check_entries(host)?;
    check_published_rows(host)?;
    check_findings(host)
}

/// The library's own check of what is stored finds nothing, if it has one. The upload queue may hold what the
/// application has put there.
fn check_findings(host: &Host) -> Result<(), String> {
    let has_check =
        host.value("SELECT count(*) FROM pragma_function_list WHERE name = 'powersync_diagnose' AND narg = 1");
    if has_check == 0 || !has_own_format(host) {
        return Ok(());
    }
    let findings = host.table(
        "SELECT value FROM json_each(powersync_diagnose('verify'), '$.verification.findings')
         WHERE value ->> '$.code' <> 'queue-entry-invalid'",
    );
    expect("findings of powersync_diagnose('verify')", &findings, &json!([]))
}

fn expect(what: &str, found: &Value, expected: &Value) -> Result<(), String> {
    if found == expected { Ok(()) } else { Err(format!("{what}: {found}, expected {expected}")) }
}

/// Whether the database has our own storage format rather than the published one.
fn has_own_format(host: &Host) -> bool {
    host.value("SELECT count(*) FROM sqlite_schema WHERE type = 'table' AND name = 'ps_operations'") == 1
}

/// Checks only the checksums.
///
/// # Panics
/// With the buckets whose checksum is wrong.
#[track_caller]
pub fn assert_checksums(host: &Host) {
    if let Err(message) = check_checksums(host) {
        panic!("{message}");
    }
}

/// `op_checksum` is the sum over the PUT operations that a bucket holds: in our own format over those that are settled
/// (docs/reference/tables.md#ps_buckets).
fn check_checksums(host: &Host) -> Result<(), String> {
    let held = if has_own_format(host) {
        "SELECT b.id AS bucket, hash FROM ps_operations AS o JOIN ps_buckets AS b ON b.id = (o.id >> 34) & 4194303
         WHERE removed <> 1 AND o.id & 17179869183 <= b.settled"
    } else {
        "SELECT bucket, hash FROM ps_oplog"
    };
    let wrong = host.table(&format!(
        "WITH held AS ({held})
         SELECT name, op_checksum & 0xffffffff, (SELECT coalesce(sum(hash), 0) & 0xffffffff FROM held WHERE bucket = id)
         FROM ps_buckets WHERE op_checksum & 0xffffffff <>
             (SELECT coalesce(sum(hash), 0) & 0xffffffff FROM held WHERE bucket = id)"
    ));
    expect("buckets whose op_checksum is not the sum over their operations", &wrong, &json!([]))
}

/// In our own format, every entry of an operation by its row is of a settled operation, and each of these has one unless
/// its data are in its row.
fn check_entries(host: &Host) -> Result<(), String> {
    if !has_own_format(host) {
        return Ok(());
    }
    let entries = "SELECT row_type, row_id, operation FROM ps_row_operations";
    let settled =
        "SELECT row_type, row_id, o.id FROM ps_operations AS o JOIN ps_buckets AS b ON b.id = (o.id >> 34) & 4194303
         WHERE o.id & 17179869183 <= b.settled AND data IS NOT NULL";
    let difference = |left: &str, right: &str| host.table(&format!("{left} EXCEPT {right}"));
    expect("entries without a settled operation", &difference(entries, settled), &json!([]))?;
    expect("settled operations without an entry", &difference(settled, entries), &json!([]))?;
    let knows_them = "SELECT count(*) FROM pragma_function_list WHERE name = 'powersync_operation_data'";
    if host.value(knows_them) == 0 {
        return Ok(());
    }
    let lost = "SELECT row_type, row_id FROM ps_operations WHERE data IS NULL AND removed <> 1
        AND powersync_operation_data(row_type, row_id, id) IS NULL";
    expect("operations whose data are nowhere", &host.table(lost), &json!([]))
}

/// When everything downloaded is published and no local write is queued, each data table shows exactly the newest
/// operation of each of its rows.
fn check_published_rows(host: &Host) -> Result<(), String> {
    let pending = host.value(
        "SELECT (SELECT count(*) FROM ps_crud) + (SELECT count(*) FROM ps_updated_rows)
              + (SELECT count(*) FROM ps_buckets WHERE last_applied_op <> last_op)",
    );
    if pending != 0 {
        return Ok(());
    }
    for table in data_tables(host) {
        let differences = host.table(&format!(
            "WITH stored AS (SELECT row_id AS id, data, max(op_id) FROM ps_oplog WHERE row_type = substr({0}, 10) GROUP BY row_id)
             SELECT 'not stored', id FROM \"{1}\" WHERE id NOT IN (SELECT id FROM stored)
             UNION ALL SELECT 'not published', id FROM stored WHERE id NOT IN (SELECT id FROM \"{1}\")
             UNION ALL SELECT 'different', id FROM stored JOIN \"{1}\" AS shown USING (id) WHERE shown.data IS NOT stored.data",
            crate::versions::quote(&table),
            table.replace('"', "\"\""),
        ));
        expect(&format!("{table} against the stored operations"), &differences, &json!([]))?;
    }
    Ok(())
}

/// Names of the tables of synced rows.
fn data_tables(host: &Host) -> Vec<String> {
    let names =
        host.rows("SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB 'ps_data__*' ORDER BY name");
    names.into_iter().flatten().filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

/// Everything downloaded and published, in a form that does not depend on ids that SQLite gives, on the clock, or on
/// how many bytes lines had.
pub fn dump(host: &Host) -> Value {
    let mut dump = json!({
        "buckets": host.table(
            "SELECT name, last_op, last_applied_op, (add_checksum + op_checksum) & 0xffffffff, count_at_last, count_since_last
             FROM ps_buckets ORDER BY name"),
        "operations": host.table(
            "SELECT b.name, o.op_id, o.row_type, o.row_id, o.key, o.data, o.hash
             FROM ps_oplog AS o JOIN ps_buckets AS b ON b.id = o.bucket ORDER BY b.name, o.op_id"),
        "untyped": host.table("SELECT type, id, data FROM ps_untyped ORDER BY type, id"),
        "queue": host.table("SELECT tx_id, data FROM ps_crud ORDER BY id"),
        "state": host.table("SELECT priority FROM ps_sync_state ORDER BY priority"),
        "keys": host.table("SELECT key, value FROM ps_kv WHERE key <> 'client_id' ORDER BY key"),
        "streams": host.table(
            "SELECT stream_name, local_params, active, is_default, local_priority FROM ps_stream_subscriptions ORDER BY 1, 2"),
    });
    for table in data_tables(host) {
        let rows = host.table(&format!("SELECT id, data FROM \"{}\" ORDER BY id", table.replace('"', "\"\"")));
        dump[table] = rows;
    }
    dump
}
