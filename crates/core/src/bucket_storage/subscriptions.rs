//! Rows of `ps_stream_subscriptions` (docs/reference/sync-client.md#stream-subscriptions).

use alloc::format;
use alloc::vec::Vec;

use rowtide_json::check_standard;
use sqlite_nostd::Row;

use crate::connection::Database;
use crate::error::{Error, ErrorKind, Result};
use crate::sync_client::storage::{NewSubscription, StoredSubscription, Timestamp};
use crate::text;

const COLUMNS: &str =
    "id, stream_name, local_params, active, is_default, local_priority, ttl, expires_at, last_synced_at";

fn read(row: &Row<'_>) -> Result<StoredSubscription> {
    let id = row.integer(0);
    let in_row = |error: Error| error.with_context(format_args!("ps_stream_subscriptions, id {id}"));
    let text = |column| row.text(column).map_err(|error| in_row(error.into()));
    let (stream_name, parameters) = (text(1)?, text(2)?);
    // It becomes a part of other JSON as it is.
    check_standard(parameters)
        .map_err(|error| in_row(Error::local_data(format!("column local_params holds no JSON: {error}"))))?;
    Ok(StoredSubscription {
        id,
        stream_name: text::copy(stream_name)?,
        parameters: text::copy(parameters)?,
        active: row.integer(3) != 0,
        is_default: row.integer(4) != 0,
        local_priority: row.optional_integer(5),
        ttl: row.optional_integer(6),
        expires_at: row.optional_integer(7),
        last_synced_at: row.optional_integer(8),
    })
}

/// All subscriptions in id order.
pub(super) fn all(database: &Database<'_>) -> Result<Vec<StoredSubscription>> {
    const SQL: &str = const_format::formatcp!("SELECT {COLUMNS} FROM main.ps_stream_subscriptions ORDER BY id");
    let mut rows = database.query(SQL, &[])?;
    let mut subscriptions = Vec::new();
    while let Some(row) = rows.next()? {
        subscriptions.try_reserve(1)?;
        subscriptions.push(read(&row)?);
    }
    Ok(subscriptions)
}

/// Deletes the subscriptions whose stream or parameters cannot be read, and says why of each.
pub(super) fn delete_unreadable(database: &Database<'_>) -> Result<Vec<Error>> {
    const SQL: &str = const_format::formatcp!("SELECT {COLUMNS} FROM main.ps_stream_subscriptions ORDER BY id");
    let (mut ids, mut reasons) = (Vec::new(), Vec::new());
    let mut rows = database.query(SQL, &[])?;
    while let Some(row) = rows.next()? {
        match read(&row) {
            Err(error) if error.kind() == ErrorKind::LocalData => {
                ids.try_reserve(1)?;
                ids.push(row.integer(0));
                reasons.try_reserve(1)?;
                reasons.push(error);
            }
            result => drop(result?),
        }
    }
    drop(rows);
    ids.into_iter().try_for_each(|id| delete(database, id))?;
    Ok(reasons)
}

/// The subscription with this name and these parameters.
pub(super) fn find(database: &Database<'_>, wanted: NewSubscription<'_>) -> Result<Option<StoredSubscription>> {
    const SELECT: &str = const_format::formatcp!(
        "SELECT {COLUMNS} FROM main.ps_stream_subscriptions WHERE stream_name = ?1 AND local_params = ?2"
    );
    let mut rows = database.query(SELECT, &[wanted.stream_name.into(), wanted.parameters.into()])?;
    rows.next()?.map(|row| read(&row)).transpose()
}

/// The subscription with this name and these parameters, made if there is none.
pub(super) fn find_or_insert(database: &Database<'_>, new: NewSubscription<'_>) -> Result<StoredSubscription> {
    const INSERT: &str = "INSERT INTO main.ps_stream_subscriptions(stream_name, local_params) VALUES (?1, ?2) \
        ON CONFLICT(stream_name, local_params) DO NOTHING";
    database.execute(INSERT, &[new.stream_name.into(), new.parameters.into()])?;
    find(database, new)?.ok_or_else(|| Error::local_data("a stream subscription vanished while it was stored"))
}

/// Writes what the app decides of the subscription with that id.
pub(super) fn update_explicit(database: &Database<'_>, subscription: &StoredSubscription) -> Result<()> {
    const SQL: &str =
        "UPDATE main.ps_stream_subscriptions SET local_priority = ?2, ttl = ?3, expires_at = ?4 WHERE id = ?1";
    let StoredSubscription { id, local_priority, ttl, expires_at, .. } = *subscription;
    database.execute(SQL, &[id.into(), local_priority.into(), ttl.into(), expires_at.into()])
}

/// Writes what a checkpoint says of the subscription with that id.
pub(super) fn describe(database: &Database<'_>, id: i64, active: bool, is_default: bool) -> Result<()> {
    const SQL: &str = "UPDATE main.ps_stream_subscriptions SET active = ?2, is_default = ?3 WHERE id = ?1";
    database.execute(SQL, &[id.into(), i64::from(active).into(), i64::from(is_default).into()])
}

/// Sets when the subscription with that id was synced.
pub(super) fn record_sync(database: &Database<'_>, id: i64, time: Timestamp) -> Result<()> {
    const SQL: &str = "UPDATE main.ps_stream_subscriptions SET last_synced_at = ?2 WHERE id = ?1";
    database.execute(SQL, &[id.into(), time.into()])
}

/// Deletes a subscription.
pub(super) fn delete(database: &Database<'_>, id: i64) -> Result<()> {
    database.execute("DELETE FROM main.ps_stream_subscriptions WHERE id = ?1", &[id.into()])
}
