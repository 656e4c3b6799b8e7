//! Writes a batch in one transaction: a few statements, however many rows it has.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use sync_engine::row::Position;
use sync_engine::store::{Batch, OpKind, Operation, StoreError};

use super::copy::Rows;
use super::error::{Doing, invalid};
use super::keys::StoredKey;
use super::news::News;
use super::open::PostgresStore;
use super::records;
use super::rows;
use super::schema::definition_tables;
use super::session::Session;
use super::shared::{Point, Visible};
use crate::encoding::Types;
use crate::schema::kind;

/// How many operations are worth a COPY, which takes one more exchange with the server than a statement that it knows.
const COPY_FROM: usize = 50;

impl PostgresStore {
    pub(super) fn write(&mut self, batch: &Batch) -> Result<(), StoreError> {
        let (seq, newest, oldest) = (self.seq + 1, self.shared.newest_seq(), self.shared.oldest());
        let mut types = self.types.clone();
        let (mut created, news, known) = (Vec::new(), &mut self.news, &self.definitions);
        news.add(batch);
        let what = "committing";
        let others = self.session.transaction(what, |session| {
            write_types(session, &mut types, batch)?;
            for new in &batch.new_buckets {
                let definition = i64::from(new.definition.0);
                if !known.contains(&definition) && !created.contains(&definition) {
                    session.batch(&definition_tables(definition), "creating the tables of a definition")?;
                    created.push(definition);
                }
            }
            let of_buckets = write_buckets(session, batch, news)?;
            write_operations(session, &types, batch, &of_buckets)?;
            rows::write_states(session, &types, &batch.row_states)?;
            rows::write_parameters(session, batch, seq)?;
            rows::write_touched(session, batch)?;
            records::write(session, batch, if batch.checkpoint.is_some() { seq } else { newest })?;
            rows::write_requests(session, batch, oldest.as_ref())?;
            write_state(session, batch, seq, newest, news)
        })?;
        self.seq = seq;
        self.types = types;
        self.definitions.extend(created);
        self.shared.set_types(Arc::clone(self.types.names()));
        self.shared.set_others(others);
        if let Some(checkpoint) = batch.checkpoint.clone() {
            self.news.told();
            self.shared.publish(Visible { seq, checkpoint });
        }
        Ok(())
    }
}

fn write_types(session: &mut Session, types: &mut Types, batch: &Batch) -> Result<(), StoreError> {
    let of_operations = batch.operations.iter().filter_map(|operation| match &operation.kind {
        OpKind::Put { row, .. } | OpKind::Remove { row } => Some(&row.object_type),
        OpKind::Move | OpKind::Clear => None,
    });
    let of_rows = batch.row_states.iter().flat_map(|(_, _, state)| state.places.iter().map(|place| &place.object_type));
    for name in of_operations.chain(of_rows) {
        let (number, is_new) = types.intern(name);
        if is_new {
            let insert = "INSERT INTO object_type VALUES ($1, $2)";
            let values = (number.cast_signed(), name.as_bytes());
            session.execute(insert, &[&values.0, &values.1], "writing names of client tables")?;
        }
    }
    Ok(())
}

/// New and cleared buckets, and what new operations change in them. Gives their definitions.
fn write_buckets(session: &mut Session, batch: &Batch, news: &mut News) -> Result<HashMap<i64, i64>, StoreError> {
    let what = "writing buckets";
    if !batch.new_buckets.is_empty() {
        let insert = "INSERT INTO bucket(id, definition, key, long_key)
            SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bytea[], $4::bytea[])";
        let ids: Vec<i64> = batch.new_buckets.iter().map(|new| new.id.0).collect();
        let definitions: Vec<i64> = batch.new_buckets.iter().map(|new| new.definition.0.into()).collect();
        let keys = batch.new_buckets.iter().map(|new| StoredKey::new(new.key.as_bytes()));
        let (short, long): (Vec<_>, Vec<_>) = keys.map(|key| (key.short, key.long)).unzip();
        session.execute(insert, &[&ids, &definitions, &short, &long], what)?;
    }
    if !batch.cleared_buckets.is_empty() {
        clear_buckets(session, batch)?;
    }
    if batch.buckets.is_empty() {
        return Ok(HashMap::new());
    }
    let change = "UPDATE bucket AS b SET last_op = c.last_op, op_count = b.op_count + c.count,
            checksum = (b.checksum + c.checksum) & 4294967295, size = b.size + c.size
        FROM unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[])
            AS c(id, last_op, count, checksum, size)
        WHERE b.id = c.id RETURNING b.id, b.definition, coalesce(b.long_key, b.key)";
    let changes = &batch.buckets;
    let ids: Vec<i64> = changes.iter().map(|change| change.bucket.0).collect();
    let last_ops: Vec<i64> = changes.iter().map(|change| change.last_op).collect();
    let counts: Vec<i64> = changes.iter().map(|change| change.count).collect();
    let checksums: Vec<i64> = changes.iter().map(|change| change.checksum.into()).collect();
    let sizes: Vec<i64> = changes.iter().map(|change| change.size).collect();
    let rows = session.query(change, &[&ids, &last_ops, &counts, &checksums, &sizes], what)?;
    if rows.len() != changes.len() {
        return Err(invalid("The storage lacks a bucket that new operations are of."));
    }
    let of_bucket = rows.iter().map(|row| {
        news.add_bucket(row.get(0), row.get(1), row.get(2));
        (row.get(0), row.get(1))
    });
    Ok(of_bucket.collect())
}

/// Older operations stay until no reader needs them, with the state that the bucket had.
fn clear_buckets(session: &mut Session, batch: &Batch) -> Result<(), StoreError> {
    let cleared: HashSet<_> = batch.cleared_buckets.iter().copied().collect();
    let mut first: BTreeMap<i64, i64> = BTreeMap::new();
    for operation in batch.operations.iter().filter(|operation| cleared.contains(&operation.bucket)) {
        first.entry(operation.bucket.0).or_insert(operation.op_id);
    }
    debug_assert_eq!(first.len(), cleared.len(), "a cleared bucket begins with a CLEAR");
    let clear = "WITH first AS (SELECT * FROM unnest($1::bigint[], $2::bigint[]) AS f(id, at_op)),
        kept AS (
            INSERT INTO cleared SELECT b.id, f.at_op, b.last_op, b.op_count, b.checksum
            FROM first AS f JOIN bucket AS b ON b.id = f.id
        )
        UPDATE bucket AS b SET last_op = 0, op_count = 0, checksum = 0, size = 0 FROM first AS f WHERE b.id = f.id";
    let (ids, ops): (Vec<i64>, Vec<i64>) = first.into_iter().unzip();
    session.execute(clear, &[&ids, &ops], "clearing buckets").map(drop)
}

/// Operations by the definition of their bucket, and in the order of the table, so that a bucket's are near each other.
fn write_operations(
    session: &mut Session,
    types: &Types,
    batch: &Batch,
    of_buckets: &HashMap<i64, i64>,
) -> Result<(), StoreError> {
    let definition = |bucket: i64| {
        let found = of_buckets.get(&bucket).copied();
        found.ok_or_else(|| invalid("The storage lacks a bucket that new operations are of."))
    };
    let mut operations: BTreeMap<i64, Vec<&Operation>> = BTreeMap::new();
    for operation in &batch.operations {
        operations.entry(definition(operation.bucket.0)?).or_default().push(operation);
    }
    for (definition, mut operations) in operations {
        operations.sort_by_key(|operation| operation.bucket);
        if operations.len() < COPY_FROM {
            insert_operations(session, types, definition, &operations)?;
        } else {
            copy_operations(session, types, definition, &operations)?;
        }
    }
    let mut superseded: BTreeMap<i64, BTreeMap<(i64, i64), i64>> = BTreeMap::new();
    for one in &batch.superseded {
        let of_definition = superseded.entry(definition(one.bucket.0)?).or_default();
        of_definition.insert((one.bucket.0, one.op_id), one.by);
    }
    for (definition, superseded) in superseded {
        let insert = format!(
            "INSERT INTO superseded_{definition} SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::bigint[])
            ON CONFLICT (bucket, op_id) DO UPDATE SET by_op = excluded.by_op"
        );
        let buckets: Vec<i64> = superseded.keys().map(|(bucket, _)| *bucket).collect();
        let ops: Vec<i64> = superseded.keys().map(|(_, op_id)| *op_id).collect();
        let by: Vec<i64> = superseded.values().copied().collect();
        session.execute(&insert, &[&buckets, &ops, &by], "writing operations")?;
    }
    Ok(())
}

/// An operation's columns that it may lack.
struct Columns<'a> {
    kind: i16,
    object_type: Option<i32>,
    object_id: Option<&'a [u8]>,
    subkey: Option<&'a [u8]>,
    data: Option<&'a [u8]>,
}

impl<'a> Columns<'a> {
    fn new(operation: &'a Operation, types: &Types) -> Self {
        let (kind, row, data) = match &operation.kind {
            OpKind::Put { row, data } => (kind::PUT, Some(row), Some(data.as_bytes())),
            OpKind::Remove { row } => (kind::REMOVE, Some(row), None),
            OpKind::Move => (kind::MOVE, None, None),
            OpKind::Clear => (kind::CLEAR, None, None),
        };
        Self {
            kind: kind as i16,
            object_type: row.and_then(|row| types.number(&row.object_type)).map(u32::cast_signed),
            object_id: row.map(|row| row.object_id.as_bytes()),
            subkey: row.map(|row| row.subkey.as_bytes()),
            data,
        }
    }
}

fn copy_operations(
    session: &mut Session,
    types: &Types,
    definition: i64,
    operations: &[&Operation],
) -> Result<(), StoreError> {
    let mut rows = Rows::new(8);
    for operation in operations {
        let Columns { kind, object_type, object_id, subkey, data } = Columns::new(operation, types);
        let row = rows.begin().bigint(operation.bucket.0).bigint(operation.op_id);
        row.int(operation.checksum.cast_signed()).smallint(kind);
        match object_type {
            Some(number) => row.int(number),
            None => row.null(),
        };
        for bytes in [object_id, subkey, data] {
            match bytes {
                Some(bytes) => row.bytes(bytes),
                None => row.null(),
            };
        }
    }
    let columns = format!("op_{definition}(bucket, op_id, checksum, kind, object_type, object_id, subkey, data)");
    session.copy(&columns, rows, "writing operations")
}

fn insert_operations(
    session: &mut Session,
    types: &Types,
    definition: i64,
    operations: &[&Operation],
) -> Result<(), StoreError> {
    let insert = format!(
        "INSERT INTO op_{definition}(bucket, op_id, checksum, kind, object_type, object_id, subkey, data)
        SELECT * FROM unnest($1::bigint[], $2::bigint[], $3::int[], $4::smallint[], $5::int[], $6::bytea[], $7::bytea[],
            $8::bytea[])"
    );
    let columns: Vec<Columns<'_>> = operations.iter().map(|operation| Columns::new(operation, types)).collect();
    let buckets: Vec<i64> = operations.iter().map(|operation| operation.bucket.0).collect();
    let ops: Vec<i64> = operations.iter().map(|operation| operation.op_id).collect();
    let checksums: Vec<i32> = operations.iter().map(|operation| operation.checksum.cast_signed()).collect();
    let kinds: Vec<i16> = columns.iter().map(|one| one.kind).collect();
    let object_types: Vec<Option<i32>> = columns.iter().map(|one| one.object_type).collect();
    let ids: Vec<Option<&[u8]>> = columns.iter().map(|one| one.object_id).collect();
    let subkeys: Vec<Option<&[u8]>> = columns.iter().map(|one| one.subkey).collect();
    let data: Vec<Option<&[u8]>> = columns.iter().map(|one| one.data).collect();
    let values: [&(dyn pg_connect::postgres::types::ToSql + Sync); 8] =
        [&buckets, &ops, &checksums, &kinds, &object_types, &ids, &subkeys, &data];
    session.execute(&insert, &values, "writing operations").map(drop)
}

/// The position and the checkpoint; other processes are told of it. Gives what these read.
fn write_state(
    session: &mut Session,
    batch: &Batch,
    seq: i64,
    newest: i64,
    news: &mut News,
) -> Result<Option<Point>, StoreError> {
    let what = "writing the position";
    let next_ids = serde_json::to_string(&batch.next_ids).doing(what)?;
    let position = batch.position.as_ref().map(|position| &position.0);
    let others =
        "LEFT JOIN (SELECT seq, op_id, position FROM lease WHERE NOT is_writer ORDER BY seq LIMIT 1) AS l ON true";
    let state = "UPDATE state SET seq = $1, next_op_id = $2, next_ids = $3, position = coalesce($4, position)
        WHERE seq + 1 = $1 RETURNING 1 AS one";
    let row = match &batch.checkpoint {
        None => {
            let update = format!("WITH s AS ({state}) SELECT l.seq, l.op_id, l.position FROM s {others}");
            session.query_opt(&update, &[&seq, &batch.next_op_id, &next_ids, &position], what)?
        }
        Some(checkpoint) => {
            // Clients whose requests this checkpoint reaches, and the one before did not.
            let sql = format!(
                "WITH s AS ({state}),
                c AS (INSERT INTO checkpoint VALUES ($1, $5, $6, $7, $8, $9)),
                r AS (
                    SELECT array_agg(user_name) AS users, array_agg(client) AS clients FROM write_checkpoint
                    WHERE head <= $6 AND head > coalesce((SELECT position FROM checkpoint WHERE seq = $10::bigint), '')
                ),
                n AS (INSERT INTO notice SELECT $1, $10::bigint, $11::bytea, users, clients FROM r)
                SELECT l.seq, l.op_id, l.position, pg_notify(current_schema(), 'commit') FROM s {others}"
            );
            let changes = news.encoded(&checkpoint.position)?;
            let (reached, config) = (&checkpoint.position.0, i64::from(checkpoint.config.0));
            let (op_id, time, source_time) = (checkpoint.op_id, checkpoint.time, checkpoint.source_time);
            let values: [&(dyn pg_connect::postgres::types::ToSql + Sync); 11] = [
                &seq,
                &batch.next_op_id,
                &next_ids,
                &position,
                &op_id,
                reached,
                &time,
                &source_time,
                &config,
                &newest,
                &changes,
            ];
            session.query_opt(&sql, &values, what)?
        }
    };
    let row = row.ok_or_else(|| invalid("The storage was written by another process meanwhile."))?;
    let seq: Option<i64> = row.get(0);
    Ok(seq.map(|seq| Point { seq, op_id: row.get(1), position: Position(row.get(2)) }))
}
