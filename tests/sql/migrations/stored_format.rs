//! Databases in each published format, and what to compare when they change format.

use rowtide_testkit::Host;
use rowtide_testkit::versions::quote;
use serde_json::{Map, Value, json};

/// The newest format of the published extension.
pub(crate) const PUBLISHED: i64 = 14;
/// The first format of our own.
pub(crate) const FIRST_OWN: i64 = 1001;
/// The format that the running code uses.
pub(crate) const NEWEST: i64 = 1004;
/// All formats of our own.
pub(crate) const OWN: [i64; 4] = [FIRST_OWN, 1002, 1003, NEWEST];

const FIXTURES: [&str; 14] = [
    include_str!("../../fixtures/formats/v01.sql"),
    include_str!("../../fixtures/formats/v02.sql"),
    include_str!("../../fixtures/formats/v03.sql"),
    include_str!("../../fixtures/formats/v04.sql"),
    include_str!("../../fixtures/formats/v05.sql"),
    include_str!("../../fixtures/formats/v06.sql"),
    include_str!("../../fixtures/formats/v07.sql"),
    include_str!("../../fixtures/formats/v08.sql"),
    include_str!("../../fixtures/formats/v09.sql"),
    include_str!("../../fixtures/formats/v10.sql"),
    include_str!("../../fixtures/formats/v11.sql"),
    include_str!("../../fixtures/formats/v12.sql"),
    include_str!("../../fixtures/formats/v13.sql"),
    include_str!("../../fixtures/formats/v14.sql"),
];

/// A database in memory in a published format, with rows in it.
pub(crate) fn in_format(format: i64) -> Host {
    let host = Host::open_in_memory();
    host.execute(FIXTURES[usize::try_from(format - 1).unwrap()]);
    host
}

/// Brings the database to a format.
#[track_caller]
pub(crate) fn migrate(host: &Host, format: i64) {
    host.transaction("SELECT powersync_test_migration(?)", [format]);
    assert_eq!(newest_migration(host), format);
}

/// The format that the database is in.
pub(crate) fn newest_migration(host: &Host) -> i64 {
    host.value("SELECT max(id) FROM ps_migration").as_i64().unwrap()
}

/// Names of the internal tables; data tables are not among them.
fn internal_tables(host: &Host) -> Vec<String> {
    names(
        host,
        "SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB 'ps_*' AND name NOT GLOB 'ps_data_*' ORDER BY name",
    )
}

fn names(host: &Host, sql: &str) -> Vec<String> {
    host.rows(sql).iter().map(|row| row[0].as_str().unwrap().to_owned()).collect()
}

/// Columns, kinds and indexes of all internal tables, as SQLite understands them.
pub(crate) fn schema(host: &Host) -> Value {
    let mut schema = Map::new();
    for table in internal_tables(host) {
        let name = quote(&table);
        let kind = host.table(&format!("SELECT type, wr, strict FROM pragma_table_list({name}) WHERE schema = 'main'"));
        let columns = host.table(&format!("SELECT * FROM pragma_table_xinfo({name})"));
        schema.insert(table, json!({"kind": kind, "columns": columns}));
        let indexes = format!("SELECT name, \"unique\", origin, partial FROM pragma_index_list({name}) ORDER BY name");
        for index in host.rows(&indexes) {
            let name = index[0].as_str().unwrap();
            let columns = host.table(&format!("SELECT * FROM pragma_index_xinfo({})", quote(name)));
            let sql = host.value(&format!("SELECT sql FROM sqlite_schema WHERE name = {}", quote(name)));
            schema.insert(name.to_owned(), json!({"index": index, "columns": columns, "sql": sql}));
        }
    }
    Value::Object(schema)
}

/// All rows of all tables but the list of migrations, in an order that does not depend on how they were written.
pub(crate) fn rows(host: &Host) -> Value {
    let tables =
        names(host, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name <> 'ps_migration' ORDER BY 1");
    let sorted = |table: &String| {
        let mut rows = host.rows(&format!("SELECT * FROM \"{table}\""));
        rows.sort_by_key(|row| Value::from(row.clone()).to_string());
        (table.clone(), Value::from(rows))
    };
    tables.iter().map(sorted).collect::<Map<_, _>>().into()
}

fn has_column(host: &Host, table: &str, column: &str) -> bool {
    let sql = format!("SELECT count(*) FROM pragma_table_info({}) WHERE name = {}", quote(table), quote(column));
    host.value(&sql) == 1
}

/// What apps and the service would miss: rows shown, the upload queue, what is stored of each bucket, and from the
/// formats that have them, keys, subscriptions and sync times.
///
/// Comparable between all formats, of which some lack some members.
pub(crate) fn content(host: &Host) -> Map<String, Value> {
    let mut content = Map::new();
    let mut add = |name: &str, sql: &str| content.insert(name.to_owned(), host.table(sql));
    for table in names(host, "SELECT name FROM sqlite_schema WHERE type = 'table' AND name GLOB 'ps_data_*'") {
        add(&table, &format!("SELECT * FROM \"{table}\" ORDER BY id"));
    }
    add("untyped", "SELECT * FROM ps_untyped ORDER BY 1, 2");
    add("queue", "SELECT id, data FROM ps_crud ORDER BY id");
    add("sequence", "SELECT * FROM sqlite_sequence ORDER BY name");
    add("buckets", "SELECT name, last_op, last_applied_op FROM ps_buckets WHERE name <> '$local' ORDER BY name");
    if has_column(host, "ps_crud", "tx_id") {
        add("transactions", "SELECT id, tx_id FROM ps_crud ORDER BY id");
        add("next_transaction", "SELECT id, next_tx FROM ps_tx");
    }
    if has_column(host, "ps_kv", "key") {
        add("client_id", "SELECT value FROM ps_kv WHERE key = 'client_id'");
    }
    if has_column(host, "ps_oplog", "superseded") {
        let held = "FROM ps_oplog WHERE bucket = ps_buckets.name";
        let in_bucket = format!("(SELECT coalesce(sum(hash), 0) {held})");
        let sum = if has_column(host, "ps_buckets", "op_checksum") { "op_checksum" } else { &in_bucket };
        add(
            "checksums",
            &format!(
                "SELECT name, (add_checksum + {sum}) & 0xffffffff FROM ps_buckets WHERE name <> '$local' ORDER BY 1"
            ),
        );
        add(
            "operations",
            "SELECT bucket, op_id, row_type, row_id, key, data, hash FROM ps_oplog
            WHERE op = 3 AND superseded = 0 ORDER BY 1, 2",
        );
        add("updated_rows", "SELECT DISTINCT row_type, row_id FROM ps_oplog WHERE op <> 3 ORDER BY 1, 2");
    } else {
        add(
            "checksums",
            "SELECT name, (add_checksum + op_checksum) & 0xffffffff FROM ps_buckets WHERE name <> '$local' ORDER BY 1",
        );
        add(
            "operations",
            "SELECT name, op_id, row_type, row_id, key, data, hash
            FROM ps_oplog JOIN ps_buckets ON id = bucket ORDER BY 1, 2",
        );
        add("updated_rows", "SELECT DISTINCT row_type, row_id FROM ps_updated_rows ORDER BY 1, 2");
    }
    if has_column(host, "ps_buckets", "count_at_last") {
        add("counts", "SELECT name, count_at_last, count_since_last FROM ps_buckets WHERE name <> '$local' ORDER BY 1");
    }
    if has_column(host, "ps_buckets", "downloaded_size") {
        add("sizes", "SELECT name, downloaded_size FROM ps_buckets WHERE name <> '$local' ORDER BY 1");
    }
    add_times(host, &mut add);
    content
}

/// Sync times and subscriptions, with times in whole seconds, as some formats hold no more.
fn add_times(host: &Host, add: &mut impl FnMut(&str, &str) -> Option<Value>) {
    let is_text =
        host.value("SELECT type FROM pragma_table_info('ps_sync_state') WHERE name = 'last_synced_at'") == "TEXT";
    let unit = if is_text { 1 } else { 1_000_000 };
    if has_column(host, "ps_sync_state", "priority") {
        let time = if is_text { "unixepoch(last_synced_at)" } else { "last_synced_at / 1000000" };
        add("sync_times", &format!("SELECT priority, {time} FROM ps_sync_state ORDER BY 1"));
    } else if has_column(host, "ps_kv", "key") {
        add("sync_times", "SELECT 2147483647, unixepoch(value) FROM ps_kv WHERE key = 'last_synced_at'");
    }
    if has_column(host, "ps_stream_subscriptions", "id") {
        add(
            "subscriptions",
            &format!(
                "SELECT id, stream_name, active, is_default, local_priority, local_params, ttl, expires_at / {unit},
                 last_synced_at / {unit} FROM ps_stream_subscriptions ORDER BY id"
            ),
        );
    }
}

/// Checks that `after` holds everything that `before` holds.
#[track_caller]
pub(crate) fn assert_kept(before: &Map<String, Value>, after: &Map<String, Value>, what: &str) {
    for (name, value) in before {
        assert_eq!(Some(value), after.get(name), "{what}: {name}");
    }
}
