//! How much there is of definitions and buckets, for people.

use std::sync::Arc;

use rusqlite::{Connection, Row};
use sync_engine::live::DefinitionId;
use sync_engine::store::{BucketId, BucketSize, DefinitionSize, MOST_COUNTED};

use crate::schema::kind;

/// Of all definitions.
pub(crate) fn of_definitions(connection: &Connection) -> rusqlite::Result<Vec<DefinitionSize>> {
    let sizes = "SELECT definition, count(*), sum(op_count), sum(size) FROM bucket WHERE last_op > 0
        GROUP BY definition ORDER BY definition";
    let size = |row: &Row<'_>| {
        let (definition, buckets) = (DefinitionId(row.get(0)?), row.get(1)?);
        Ok(DefinitionSize { definition, buckets, operations: row.get(2)?, bytes: row.get(3)?, rows: None })
    };
    let sizes = connection.prepare_cached(sizes)?.query_map((), size)?.collect::<rusqlite::Result<Vec<_>>>()?;
    let buckets = "SELECT id FROM bucket WHERE definition = ?1 AND last_op > 0";
    let mut buckets = connection.prepare_cached(buckets)?;
    let counted = sizes.into_iter().map(|size| {
        if size.operations > MOST_COUNTED {
            return Ok(size);
        }
        let mut rows = 0;
        for bucket in buckets.query_map([size.definition.0], |row| row.get(0).map(BucketId))? {
            rows += count_rows(connection, bucket?)?;
        }
        Ok(DefinitionSize { rows: Some(rows), ..size })
    });
    counted.collect()
}

/// Of some buckets of a definition, the largest first.
pub(crate) fn of_buckets(
    connection: &Connection,
    definition: DefinitionId,
    (skipped, limit): (usize, usize),
) -> rusqlite::Result<Vec<BucketSize>> {
    let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let sizes = "SELECT id, key, last_op, op_count, size FROM bucket WHERE definition = ?1 AND last_op > 0
        ORDER BY size DESC, key LIMIT ?3 OFFSET ?2";
    let mut sizes = connection.prepare_cached(sizes)?;
    let sizes = sizes.query_map((definition.0, number(skipped), number(limit)), |row| {
        let (id, key, operations) = (BucketId(row.get(0)?), row.get::<_, Arc<str>>(1)?, row.get(3)?);
        Ok((id, BucketSize { key, last_op: row.get(2)?, operations, bytes: row.get(4)?, rows: None }))
    })?;
    let sizes = sizes.map(|size| {
        let (id, size) = size?;
        let rows = if size.operations > MOST_COUNTED { None } else { Some(count_rows(connection, id)?) };
        Ok(BucketSize { rows, ..size })
    });
    sizes.collect()
}

/// Rows that are in a bucket now.
fn count_rows(connection: &Connection, bucket: BucketId) -> rusqlite::Result<i64> {
    let rows = "SELECT count(*) FROM op LEFT JOIN superseded USING (bucket, op_id)
        WHERE bucket = ?1 AND kind = ?2 AND by_op IS NULL
            AND op_id >= ifnull((SELECT max(at_op) FROM cleared WHERE bucket = ?1), 0)";
    connection.prepare_cached(rows)?.query_row((bucket.0, kind::PUT), |row| row.get(0))
}
