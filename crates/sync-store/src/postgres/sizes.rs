//! How much there is of definitions and buckets, for people.

use std::sync::Arc;

use sync_engine::live::DefinitionId;
use sync_engine::store::{BucketSize, DefinitionSize, MOST_COUNTED, StoreError};

use super::error::invalid;
use super::session::Session;
use crate::schema::kind;

/// Of all definitions.
pub(super) fn of_definitions(session: &mut Session) -> Result<Vec<DefinitionSize>, StoreError> {
    let sizes = "SELECT definition, count(*), sum(op_count)::bigint, sum(size)::bigint FROM bucket WHERE last_op > 0
        GROUP BY definition ORDER BY definition";
    let mut found = Vec::new();
    for row in session.query(sizes, &[], "counting buckets")? {
        let (definition, operations): (i64, i64) = (row.get(0), row.get(2));
        let buckets = "SELECT id FROM bucket WHERE definition = $1 AND last_op > 0";
        let rows = if operations > MOST_COUNTED {
            None
        } else {
            let buckets = session.query(buckets, &[&definition], "counting buckets")?;
            let buckets: Vec<i64> = buckets.iter().map(|row| row.get(0)).collect();
            count_rows(session, definition, &buckets)?.map(|counts| counts.into_iter().sum())
        };
        let definition = DefinitionId(u32::try_from(definition).unwrap_or(u32::MAX));
        found.push(DefinitionSize { definition, buckets: row.get(1), operations, bytes: row.get(3), rows });
    }
    Ok(found)
}

/// Of some buckets of a definition, the largest first.
pub(super) fn of_buckets(
    session: &mut Session,
    definition: DefinitionId,
    (skipped, limit): (usize, usize),
) -> Result<Vec<BucketSize>, StoreError> {
    let number = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
    let sizes = "SELECT id, coalesce(long_key, key), last_op, op_count, size FROM bucket
        WHERE definition = $1 AND last_op > 0 ORDER BY size DESC, key LIMIT $3 OFFSET $2";
    let definition = i64::from(definition.0);
    let found = session.query(sizes, &[&definition, &number(skipped), &number(limit)], "measuring buckets")?;
    let small = |operations: &i64| *operations <= MOST_COUNTED;
    let counted: Vec<i64> = found.iter().filter(|row| small(&row.get(3))).map(|row| row.get(0)).collect();
    let counts = count_rows(session, definition, &counted)?.unwrap_or_default();
    let buckets = found.iter().map(|row| {
        let key = std::str::from_utf8(row.get(1)).map_err(|_| invalid("The storage has a damaged bucket."))?;
        let rows = counted.iter().position(|id| *id == row.get::<_, i64>(0)).and_then(|at| counts.get(at)).copied();
        Ok(BucketSize { key: Arc::from(key), last_op: row.get(2), operations: row.get(3), bytes: row.get(4), rows })
    });
    buckets.collect()
}

/// Rows that are in each of these buckets now; none if the definition is gone meanwhile.
fn count_rows(session: &mut Session, definition: i64, buckets: &[i64]) -> Result<Option<Vec<i64>>, StoreError> {
    let rows = format!(
        "SELECT (SELECT count(*) FROM op_{definition} AS o
                LEFT JOIN superseded_{definition} AS s ON s.bucket = o.bucket AND s.op_id = o.op_id
            WHERE o.bucket = b.id AND o.kind = {put}::smallint AND s.op_id IS NULL
                AND o.op_id >= coalesce((SELECT max(at_op) FROM cleared WHERE bucket = b.id), 0))
        FROM unnest($1::bigint[]) WITH ORDINALITY AS b(id, n) ORDER BY b.n",
        put = kind::PUT,
    );
    match session.query(&rows, &[&buckets], "counting rows") {
        Ok(rows) => Ok(Some(rows.iter().map(|row| row.get(0)).collect())),
        Err(StoreError::Invalid(_)) => Ok(None),
        Err(error) => Err(error),
    }
}
