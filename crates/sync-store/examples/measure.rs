//! What the store costs, compared with SQLite alone: CPU for each change, bytes for each operation, operations read.
//!
//! `cargo run --profile measured -p rowtide-sync-store --example measure [changes]`. Absolute times depend on the machine;
//! compare the ratios. CPU time is that of the thread, with the system's part.

#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

use std::path::Path;
use std::sync::Arc;

use rusqlite::Connection;
use sync_config::Value;
use sync_engine::live::{ConfigId, DefinitionId, IndexId};
use sync_engine::row::{Position, RowKey};
use sync_engine::store::{
    Batch, BucketChange, BucketId, Checkpoint, NewBucket, NewParameter, OpId, OpKind, Operation, OutputRow, PageLimit,
    ParameterPlace, Place, RowState, Store, Superseded, TableId,
};
use sync_store::{Options, SqliteStore};

const BUCKETS: i64 = 500;

fn cpu() -> f64 {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap();
    text.split(' ').next().unwrap().parse::<f64>().unwrap() / 1e3
}

/// A uuid that looks random.
fn uuid(number: i64) -> String {
    let mixed =
        |salt: u64| (number as u64 + salt).wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let (a, b) = (mixed(1) ^ (mixed(1) >> 29), mixed(2) ^ (mixed(2) >> 31));
    let hex = format!("{a:016x}{b:016x}");
    format!("{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..32])
}

fn data(id: &str, version: i64) -> String {
    format!("{{\"id\":\"{id}\",\"version\":{version:06},\"text\":\"{}\"}}", "x".repeat(144))
}

/// Change number `change` of `rows` rows: each one is written again and again.
fn batch(changes: std::ops::Range<i64>, rows: i64) -> Batch {
    let mut batch = Batch::default();
    let mut sums = vec![(0_i64, 0_i64, 0_u32, 0_i64); BUCKETS as usize + 1];
    for change in changes.clone() {
        let (row, op_id, object_type) = (change % rows, change + 1, Arc::<str>::from("todos"));
        let bucket = BucketId(1 + row % BUCKETS);
        let object_id: Arc<str> = uuid(row).into();
        let data = data(&object_id, change / rows);
        let checksum = (op_id as u32).wrapping_mul(0x9E37_79B9);
        let sum = &mut sums[bucket.0 as usize];
        *sum = (op_id, sum.1 + 1, sum.2.wrapping_add(checksum), sum.3 + data.len() as i64);
        let subkey = format!("17/{}", uuid(row + 1_000_000_000)).into();
        let output = OutputRow { object_type: object_type.clone(), object_id: object_id.clone(), subkey };
        let kind = OpKind::Put { row: output, data: data.into() };
        batch.operations.push(Operation { bucket, op_id, kind, checksum });
        if change >= rows {
            batch.superseded.push(Superseded { bucket, op_id: op_id - rows, by: op_id });
        }
        let key = RowKey::new(&[Value::text(&*object_id)]);
        let place =
            Place { definition: DefinitionId(1), bucket, object_type, object_id, op_id, hash: op_id as u64 * 77 };
        batch.row_states.push((TableId(1), key, RowState { places: vec![place], ..RowState::default() }));
    }
    if changes.start == 0 {
        batch.new_buckets = (1..=BUCKETS)
            .map(|id| NewBucket { id: BucketId(id), definition: DefinitionId(1), key: format!("[\"{id}\"]").into() })
            .collect();
    }
    let changed = sums.into_iter().enumerate().filter(|(_, sum)| sum.1 > 0);
    batch.buckets = changed
        .map(|(id, (last_op, count, checksum, size))| BucketChange {
            bucket: BucketId(id as i64),
            last_op,
            count,
            checksum,
            size,
        })
        .collect();
    finish(&mut batch, changes.end);
    batch
}

fn finish(batch: &mut Batch, op_id: OpId) {
    let position = Position::from_number(op_id as u64);
    batch.next_op_id = op_id + 1;
    batch.position = Some(position.clone());
    batch.checkpoint = Some(Checkpoint { op_id, position, time: op_id, source_time: None, config: ConfigId(1) });
}

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
    let reader = store.readers().latest().unwrap().unwrap();
    let limit = PageLimit { operations: 1000, bytes: 1 << 20 };
    let (mut count, before) = (0, cpu());
    for bucket in 1..=BUCKETS {
        let mut after = 0;
        loop {
            let page = reader.operations(BucketId(bucket), after, limit).unwrap();
            count += page.operations.len() as i64;
            after = page.operations.last().map_or(after, |operation| operation.op_id);
            if !page.has_more {
                break;
            }
        }
    }
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
