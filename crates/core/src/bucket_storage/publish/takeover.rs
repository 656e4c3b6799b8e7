//! Publishing data that wait in a table (docs/reference/sync-client.md#publishing), without looking at each row.
//!
//! If the app's table is empty, the one in which they wait takes its place: the rows of a first download are shown without
//! being written again. Only the key is made, sorted, so that it is written in sequence. Otherwise rows are appended to the
//! app's table in the order of their operations. Rows with more than one operation get their data back before, and are
//! published one by one; so do all where neither can be done.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use rowtide_protocol::Checksum;

use crate::bucket_storage::operation_id::operations_after;
use crate::bucket_storage::publish::pending::Pending;
use crate::connection::Database;
use crate::error::Result;
use crate::in_place::pending_table;
use crate::migrations::note_way_down;
use crate::packed_sql::{self, PackedSql, Place};
use crate::schema::{
    TableChange, Taken, append_without_key, data_table_name, has_foreign_triggers, is_in_our_form, take_place,
};
use crate::sync_client::storage::{BucketId, Scope};
use crate::text::{identifier, literal};

/// With fewer rows, writing them again costs less than changing tables.
const LARGE: i64 = 1000;

/// So many rows are appended whatever the size of the key.
const FEW: i64 = 1000;

/// The key is made again if at least one in this many rows is new.
const KEY_SHARE: i64 = 4;

/// Publishes what waits of the buckets of `pending` in tables for `types`, or gives the operations their data. Afterwards
/// every operation of these buckets that has no data is in place.
pub(super) fn publish_waiting(
    database: &Database<'_>,
    pending: &mut Pending,
    types: &[String],
    scope: Scope<'_>,
    may_be_shown: bool,
) -> Result<()> {
    let change = TableChange::begin(database)?;
    let sql = PackedSql::unpack()?;
    let (mut is_published, mut has_changed) = (false, false);
    for row_type in types {
        let table = Waiting::load(database, &sql, row_type, pending)?;
        if table.inside == 0 {
            continue;
        }
        has_changed = true;
        if matches!(scope, Scope::Partial { .. }) {
            table.set_removed_aside(database, pending)?;
        }
        let shown = if may_be_shown { table.show(database, pending)? } else { Shown::No };
        is_published |= shown != Shown::No;
        if shown == Shown::No {
            table.set_aside(database, pending, true)?;
        }
        if shown != Shown::AsItIs {
            table.drop_if_empty(database)?;
        }
    }
    if has_changed {
        note_way_down(database)?;
        change.finish(database)?;
    }
    if is_published { count_settled(database, pending) } else { Ok(()) }
}

/// What became of the rows that are published.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Shown {
    /// The table in which they waited is the app's now.
    AsItIs,
    /// They were appended to the app's table.
    Appended,
    /// Nothing.
    No,
}

/// The table in which data of a type wait.
struct Waiting<'t> {
    sql: &'t PackedSql,
    row_type: &'t str,
    /// Its name, quoted.
    name: String,
    /// That of the app's table.
    shown: String,
    /// Buckets of which it has rows, and whether they are published.
    buckets: Vec<(BucketId, bool)>,
    /// How many rows it has of these, and of others.
    inside: i64,
    outside: i64,
}

impl<'t> Waiting<'t> {
    fn load(database: &Database<'_>, sql: &'t PackedSql, row_type: &'t str, pending: &Pending) -> Result<Self> {
        let name = identifier(&pending_table(row_type)?);
        let shown = identifier(&data_table_name(row_type));
        let mut table = Self { sql, row_type, name, shown, buckets: Vec::new(), inside: 0, outside: 0 };
        let mut statement = database.prepare(&table.filled(packed_sql::TAKEOVER_BUCKETS))?;
        let mut found = statement.query(&[])?;
        while let Some(row) = found.next()? {
            let (bucket, count) = (BucketId(row.integer(0)), row.integer(1));
            let is_published = pending.has_bucket(bucket);
            let sum = if is_published { &mut table.inside } else { &mut table.outside };
            *sum = sum.saturating_add(count);
            table.buckets.try_reserve(1)?;
            table.buckets.push((bucket, is_published));
        }
        Ok(table)
    }

    /// SQL of `sql/takeover`, with the names of the tables.
    fn filled(&self, place: Place) -> String {
        let Self { sql, row_type, name, shown, .. } = self;
        sql.filled(place, &[("waiting", name), ("shown", shown), ("type", &literal(row_type))])
    }

    /// Shows all rows that are published and have no other operation, if that can be done.
    fn show(&self, database: &Database<'_>, pending: &Pending) -> Result<Shown> {
        if has_foreign_triggers(database, self.row_type)? {
            return Ok(Shown::No);
        }
        let held = database.count(&self.shown)?;
        let is_large = held == 0 && self.inside >= LARGE.max(self.outside);
        if is_large && !self.has_entries(database)? && is_in_our_form(database, self.row_type)? {
            self.set_aside(database, pending, false)?;
            if self.take(database)? == Taken::Yes {
                return Ok(Shown::AsItIs);
            }
        }
        let fits = self.inside <= FEW || pending.index_fits_cache(database, held.saturating_add(self.inside))?;
        let makes_key_again = self.inside >= LARGE && self.inside.saturating_mul(KEY_SHARE) >= held;
        if !fits && !makes_key_again {
            return Ok(Shown::No);
        }
        self.set_shared_aside(database)?;
        if makes_key_again {
            append_without_key(database, self.row_type, &mut || self.append(database, pending))?;
        } else {
            self.append(database, pending)?;
        }
        Ok(Shown::Appended)
    }

    /// Whether operations of rows of the type are known by their row.
    fn has_entries(&self, database: &Database<'_>) -> Result<bool> {
        const HAS_ENTRIES: &str = "SELECT 1 FROM main.ps_row_operations WHERE row_type = ?1 LIMIT 1";
        Ok(database.integer(HAS_ENTRIES, &[self.row_type.into()])?.is_some())
    }

    fn take(&self, database: &Database<'_>) -> Result<Taken> {
        take_place(database, self.row_type, &pending_table(self.row_type)?, &mut || self.set_repeated_aside(database))
    }

    /// Moves the rows that are published to the app's table.
    fn append(&self, database: &Database<'_>, pending: &Pending) -> Result<()> {
        self.move_ranges(database, pending, true, packed_sql::TAKEOVER_APPEND)
    }

    /// Moves the rows of the buckets that are published, or of the others: `copy` copies those from ?1 to ?2.
    fn move_ranges(&self, database: &Database<'_>, pending: &Pending, are_published: bool, copy: Place) -> Result<()> {
        let mut copy = database.prepare(&self.filled(copy))?;
        let mut delete = database.prepare(&format!("DELETE FROM main.{} WHERE rowid BETWEEN ?1 AND ?2", self.name))?;
        for (first, last) in self.ranges(pending, are_published) {
            copy.execute(&[first.into(), last.into()])?;
            delete.execute(&[first.into(), last.into()])?;
        }
        Ok(())
    }

    /// The ranges of operations of the buckets that are published, or of the others.
    fn ranges(&self, pending: &Pending, are_published: bool) -> impl Iterator<Item = (i64, i64)> {
        let meant = self.buckets.iter().filter(move |(_, is_published)| *is_published == are_published);
        let region = pending.newest_region();
        meant.map(move |(bucket, _)| operations_after(region, *bucket, 0))
    }

    /// Gives the operations of the buckets that are published, or of the others, their data.
    fn set_aside(&self, database: &Database<'_>, pending: &Pending, are_published: bool) -> Result<()> {
        self.move_ranges(database, pending, are_published, packed_sql::TAKEOVER_SET_ASIDE)
    }

    /// Gives those operations their data whose rows have pending REMOVEs. A part of a checkpoint deletes no rows, so these
    /// must not be shown.
    fn set_removed_aside(&self, database: &Database<'_>, pending: &Pending) -> Result<()> {
        let mut update = database.prepare(&self.filled(packed_sql::TAKEOVER_SET_REMOVED_ASIDE))?;
        let mut is_any = false;
        for (first, last) in self.ranges(pending, true) {
            update.execute(&[first.into(), last.into()])?;
            is_any |= database.connection().changes() > 0;
        }
        if is_any { self.delete_set_aside(database) } else { Ok(()) }
    }

    /// Gives those operations their data that are not the only one of their row, as far as this table shows.
    fn set_repeated_aside(&self, database: &Database<'_>) -> Result<()> {
        self.set_rows_aside(database, packed_sql::TAKEOVER_SET_REPEATED_ASIDE)
    }

    /// Gives those operations their data whose rows are shown already, have other operations, or cannot get the rowid.
    fn set_shared_aside(&self, database: &Database<'_>) -> Result<()> {
        self.set_repeated_aside(database)?;
        self.set_rows_aside(database, packed_sql::TAKEOVER_SET_SHOWN_ASIDE)?;
        if self.has_entries(database)? {
            self.set_rows_aside(database, packed_sql::TAKEOVER_SET_ENTERED_ASIDE)?;
        }
        Ok(())
    }

    /// Gives operations their data.
    fn set_rows_aside(&self, database: &Database<'_>, update: Place) -> Result<()> {
        database.execute_batch(&self.filled(update))?;
        if database.connection().changes() == 0 { Ok(()) } else { self.delete_set_aside(database) }
    }

    /// Deletes the data that operations have got.
    fn delete_set_aside(&self, database: &Database<'_>) -> Result<()> {
        database.execute_batch(&self.filled(packed_sql::TAKEOVER_DELETE_SET_ASIDE))
    }

    /// Drops the table if nothing waits in it: what comes next is published one by one anyway.
    fn drop_if_empty(&self, database: &Database<'_>) -> Result<()> {
        let has_rows = format!("SELECT 1 FROM main.{} LIMIT 1", self.name);
        if database.prepare(&has_rows)?.query(&[])?.next()?.is_some() {
            return Ok(());
        }
        match database.execute_batch(&format!("DROP TABLE main.{}", self.name)) {
            // The application reads from the connection.
            Err(error) if error.code().primary() == sqlite_nostd::ResultCode::LOCKED => Ok(()),
            dropped => dropped,
        }
    }
}

/// Counts the operations that were published without being looked at.
fn count_settled(database: &Database<'_>, pending: &mut Pending) -> Result<()> {
    const SUM: &str = "SELECT coalesce(sum(hash & 4294967295), 0), count(*) FROM main.ps_operations \
        WHERE id BETWEEN ?1 AND ?2 AND data IS NULL AND removed <> 1";
    let mut statement = database.cached(SUM)?;
    for (first, last) in pending.unsettled().collect::<Vec<_>>() {
        let mut rows = statement.query(&[first.into(), last.into()])?;
        if let Some(row) = rows.next()? {
            pending.count_published(first, Checksum::from_stored(row.integer(0)), row.integer(1));
        }
    }
    Ok(())
}
