//! What the store costs, compared with SQLite alone: CPU for each change, bytes for each operation, operations read.
//!
//! `cargo run --profile measured -p rowtide-sync-store --example measure [changes]`, and `… [changes] postgres` for PostgreSQL
//! instead, compared with SQLite by the time on the clock (needs `ROWTIDE_POSTGRES_BIN`). Absolute times depend on the machine;
//! compare the ratios. CPU time is that of the thread, with the system's part.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod postgres;
mod work;

use std::path::Path;

use rusqlite::Connection;
use sync_config::Value;
use sync_engine::live::IndexId;
use sync_engine::row::RowKey;
use sync_engine::store::{Batch, NewParameter, OpKind, ParameterPlace, Store, TableId};
use sync_store::{Options, SqliteStore};

use crate::work::{BUCKETS, batch, cpu, finish, read_all, uuid};

/// Microseconds of CPU for each change, for new rows and for changes of all of them.
fn write(path: &Path, changes: i64, size: i64) -> (SqliteStore, f64, f64) {
    let mut store = SqliteStore::open(path, Options::default()).unwrap();
    let mut times = [0.0, 0.0];
    for start in (0..2 * changes).step_by(size as usize) {
        let batch = batch(start..start + size, changes);
        let before = cpu();
        store.commit(&batch).unwrap();
        times[(start / changes) as usize] += cpu() - before;
    }
    (store, times[0] / changes as f64, times[1] / changes as f64)
}

/// The same rows in one table without anything else.
fn write_plain(path: &Path, changes: i64, size: i64) -> f64 {
    let mut connection = Connection::open(path).unwrap();
    connection
        .execute_batch(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 8192;
            CREATE TABLE op(op_id INTEGER PRIMARY KEY, bucket, kind, checksum, object_type, object_id, subkey, data)",
        )
        .unwrap();
    let mut time = 0.0;
    for start in (0..changes).step_by(size as usize) {
        let batch = batch(start..start + size, changes);
        let before = cpu();
        let transaction = connection.transaction().unwrap();
        let mut insert = transaction.prepare("INSERT INTO op VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)").unwrap();
        for operation in &batch.operations {
            let OpKind::Put { row, data } = &operation.kind else { continue };
            let (id, bucket, checksum) = (operation.op_id, operation.bucket.0, operation.checksum);
            insert.execute((id, bucket, 1, checksum, 1, &*row.object_id, &*row.subkey, &**data)).unwrap();
        }
        drop(insert);
        transaction.commit().unwrap();
        time += cpu() - before;
    }
    time / changes as f64
}

fn sizes(path: &Path, operations: i64) {
    let connection = Connection::open(path).unwrap();
    let sizes = "SELECT name, sum(pgsize), sum(payload) FROM dbstat GROUP BY name ORDER BY 2 DESC LIMIT 6";
    let mut sizes = connection.prepare(sizes).unwrap();
    let mut rows = sizes.query(()).unwrap();
    while let Some(row) = rows.next().unwrap() {
        let (name, size, payload): (String, i64, i64) = (row.get(0).unwrap(), row.get(1).unwrap(), row.get(2).unwrap());
        let each = |bytes: i64| bytes as f64 / operations as f64;
        println!("  {name}: {:.1} bytes an operation, payload {:.1}", each(size), each(payload));
    }
}

fn read(store: &SqliteStore) -> (i64, f64) {
    let before = cpu();
    let count = read_all(&*store.readers());
    (count, (cpu() - before) / count as f64)
}

fn read_plain(path: &Path) -> f64 {
    let connection = Connection::open(path).unwrap();
    let select =
        "SELECT op_id, kind, checksum, object_type, object_id, subkey, data FROM op WHERE bucket = ?1 AND op_id > 0";
    let mut select = connection.prepare(select).unwrap();
    let (mut count, mut bytes, before) = (0, 0, cpu());
    for bucket in 1..=BUCKETS {
        let mut rows = select.query((bucket,)).unwrap();
        while let Some(row) = rows.next().unwrap() {
            count += 1;
            for column in 4..7 {
                bytes += row.get_ref(column).unwrap().as_str().map_or(0, str::len);
            }
        }
    }
    assert!(bytes > 0);
    (cpu() - before) / f64::from(count)
}

/// Bytes for each entry of a parameter index, with as many entries for each key.
fn parameters(path: &Path, entries: i64) {
    let mut store = SqliteStore::open(path, Options::default()).unwrap();
    let mut batch = Batch::default();
    for number in 0..100_000 {
        let key = format!("[\"{}\"]", uuid(number / entries)).into();
        let row = (TableId(1), RowKey::new(&[Value::text(uuid(number + 7_000_000))]));
        let place = ParameterPlace { index: IndexId(1), key, row, hash: number as u64 * 0x9E37_79B9_7F4A_7C15 };
        batch.new_parameters.push(NewParameter { place, outputs: vec![Value::text(uuid(number + 9_000_000))] });
    }
    finish(&mut batch, 0);
    store.commit(&batch).unwrap();
    drop(store);
    let connection = Connection::open(path).unwrap();
    let interned = "
        CREATE TABLE lookup(id INTEGER PRIMARY KEY, index_id, key, UNIQUE (index_id, key));
        INSERT INTO lookup SELECT NULL, index_id, key FROM parameter GROUP BY 2, 3;
        CREATE TABLE interned(lookup, source_table, row_key, hash, from_seq, to_seq, outputs,
            PRIMARY KEY (lookup, source_table, row_key, hash, from_seq)) WITHOUT ROWID;
        INSERT INTO interned SELECT lookup.id, source_table, row_key, hash, from_seq, to_seq, outputs
            FROM parameter JOIN lookup USING (index_id, key) ORDER BY 1, 2, 3";
    connection.execute_batch(interned).unwrap();
    let size = |names: &str| {
        let sql = format!("SELECT sum(payload) FROM dbstat WHERE name IN ({names})");
        connection.query_row(&sql, (), |row| row.get::<_, i64>(0)).unwrap() as f64 / 100_000.0
    };
    let (plain, interned) = (size("'parameter'"), size("'interned', 'lookup', 'sqlite_autoindex_lookup_1'"));
    println!("parameters, {entries} entries a key: {plain:.1} bytes an entry, with interned keys {interned:.1}");
}

fn main() {
    let changes: i64 = std::env::args().nth(1).map_or(200_000, |text| text.parse().unwrap());
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    if std::env::args().nth(2).is_some_and(|kind| kind == "postgres") {
        return postgres::measure(folder.path(), changes);
    }
    for size in [20_000, 2_000] {
        let (store, new, changed) = write(&path(&format!("store {size}")), changes, size);
        let plain = write_plain(&path(&format!("plain {size}")), changes, size);
        println!("{size} changes a transaction, microseconds of CPU for each: plain insert {plain:.1}");
        println!(
            "  new rows {new:.1} ({:.2} times), changed rows {changed:.1} ({:.2} times)",
            new / plain,
            changed / plain
        );
        let (count, time) = read(&store);
        let plain = read_plain(&path(&format!("store {size}")));
        println!("  {count} operations read, half of them superseded: {time:.2} each, SELECT {plain:.2}");
        sizes(&path(&format!("store {size}")), 2 * changes);
        let mut store = store;
        let (mut operations, before) = (0, cpu());
        loop {
            let compacted = store.compact(2 * changes, 2_000).unwrap();
            operations += compacted.operations;
            if !compacted.has_more {
                break;
            }
        }
        println!("  {operations} operations compacted: {:.1} each", (cpu() - before) / operations as f64);
        let (count, time) = read(&store);
        let plain = read_plain(&path(&format!("store {size}")));
        println!("  {count} operations read, none superseded: {time:.2} each, SELECT {plain:.2}");
        sizes(&path(&format!("store {size}")), changes);
    }
    for entries in [1, 3, 10] {
        parameters(&path(&format!("parameters {entries}")), entries);
    }
}
