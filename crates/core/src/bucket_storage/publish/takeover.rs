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

use crate::bucket_storage::operation_id::{bucket_of, range_of};
use crate::bucket_storage::publish::pending::{Pending, index_rows_in_cache};
use crate::connection::{Database, first_integer};
use crate::error::Result;
use crate::in_place::pending_table;
use crate::migrations::note_way_down;
use crate::packed_sql::{self, PackedSql, Place};
use crate::schema::{
    TableChange, Taken, append_without_key, data_table_name, has_foreign_triggers, is_in_our_form, take_place,
};
use crate::sync_client::storage::Scope;
use crate::text::{identifier, literal};

/// With fewer rows, writing them again costs less than changing tables.
const LARGE: i64 = 1000;

/// Fewer rows are appended whatever the size of the key.
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
        if !table.has_rows(true) {
            continue;
        }
        has_changed = true;
        if matches!(scope, Scope::Partial { .. }) {
            table.set_removed_aside(database)?;
        }
        let shown = if may_be_shown { table.show(database)? } else { Shown::No };
        is_published |= shown != Shown::No;
        if shown == Shown::No {
            table.set_aside(database, true)?;
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

/// How rows can be appended to the app's table.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Appending {
    /// The key is dropped before, and made again.
    WithoutKey,
    /// With their entries in the key, which fits the cache.
    ToKey,
    /// Their entries would be written all over a key that does not fit the cache.
    Scattered,
}

/// The table in which data of a type wait.
struct Waiting<'t> {
    sql: &'t PackedSql,
    row_type: &'t str,
    /// Its name, quoted.
    name: String,
    /// That of the app's table.
    shown: String,
    /// The ranges of operations of the buckets of which it has rows.
    ranges: Vec<Range>,
}

/// The operations of a bucket.
struct Range {
    first: i64,
    last: i64,
    is_published: bool,
}

impl<'t> Waiting<'t> {
    fn load(database: &Database<'_>, sql: &'t PackedSql, row_type: &'t str, pending: &Pending) -> Result<Self> {
        let name = identifier(&pending_table(row_type)?);
        let shown = identifier(&data_table_name(row_type));
        // From bucket to bucket, not from row to row.
        let mut next =
            database.prepare(&format!("SELECT rowid FROM main.{name} WHERE rowid > ?1 ORDER BY rowid LIMIT 1"))?;
        let (mut ranges, mut last) = (Vec::new(), i64::MIN);
        while let Some(operation) = first_integer(&mut next, &[last.into()])? {
            let range = range_of(operation);
            ranges.try_reserve(1)?;
            ranges.push(Range {
                first: range.0,
                last: range.1,
                is_published: pending.has_bucket(bucket_of(operation)),
            });
            last = range.1;
        }
        Ok(Self { sql, row_type, name, shown, ranges })
    }

    /// Whether it has rows of the buckets that are published, or of others.
    fn has_rows(&self, are_published: bool) -> bool {
        self.ranges(are_published).next().is_some()
    }

    /// How many rows it has of the buckets that are published, or of the others.
    fn count(&self, database: &Database<'_>, are_published: bool) -> Result<i64> {
        let sql = format!("SELECT count(*) FROM main.{} WHERE rowid BETWEEN ?1 AND ?2", self.name);
        let (mut count, mut sum) = (database.prepare(&sql)?, 0_i64);
        for Range { first, last, .. } in self.ranges(are_published) {
            let counted = first_integer(&mut count, &[(*first).into(), (*last).into()])?;
            sum = sum.saturating_add(counted.unwrap_or(0));
        }
        Ok(sum)
    }

    /// Whether the rows that are published are many, and no fewer than the others.
    fn is_large(&self, database: &Database<'_>) -> Result<bool> {
        // All rows of a first download need not be read.
        if !self.has_rows(false) {
            return Ok(database.count_up_to(&self.name, LARGE)? >= LARGE);
        }
        Ok(self.count(database, true)? >= self.count(database, false)?.max(LARGE))
    }

    /// SQL of `sql/takeover`, with the names of the tables.
    fn filled(&self, place: Place) -> String {
        let Self { sql, row_type, name, shown, .. } = self;
        sql.filled(place, &[("waiting", name), ("shown", shown), ("type", &literal(row_type))])
    }

    /// Shows all rows that are published and have no other operation, if that can be done.
    fn show(&self, database: &Database<'_>) -> Result<Shown> {
        if has_foreign_triggers(database, self.row_type)? {
            return Ok(Shown::No);
        }
        if database.count_up_to(&self.shown, 1)? == 0
            && self.is_large(database)?
            && !self.has_entries(database)?
            && is_in_our_form(database, self.row_type)?
        {
            self.set_aside(database, false)?;
            if self.take(database)? == Taken::Yes {
                return Ok(Shown::AsItIs);
            }
        }
        let appending = self.appending(database)?;
        if appending == Appending::Scattered {
            return Ok(Shown::No);
        }
        self.set_shared_aside(database)?;
        if appending == Appending::WithoutKey {
            append_without_key(database, self.row_type, &mut || self.append(database))?;
        } else {
            self.append(database)?;
        }
        Ok(Shown::Appended)
    }

    /// What appending the rows that are published takes. The app's table may be much larger, so it is not counted to its
    /// end.
    fn appending(&self, database: &Database<'_>) -> Result<Appending> {
        let rows = self.count(database, true)?;
        if rows < FEW {
            return Ok(Appending::ToKey);
        }
        let fitting = index_rows_in_cache(database)?;
        let remade = rows.saturating_mul(KEY_SHARE);
        let held = database.count_up_to(&self.shown, remade.max(fitting).saturating_add(1))?;
        Ok(match (remade >= held, held.saturating_add(rows) <= fitting) {
            (true, _) => Appending::WithoutKey,
            (false, true) => Appending::ToKey,
            (false, false) => Appending::Scattered,
        })
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
    fn append(&self, database: &Database<'_>) -> Result<()> {
        self.move_ranges(database, true, packed_sql::TAKEOVER_APPEND)
    }

    /// Moves the rows of the buckets that are published, or of the others: `copy` copies those from ?1 to ?2.
    fn move_ranges(&self, database: &Database<'_>, are_published: bool, copy: Place) -> Result<()> {
        let mut copy = database.prepare(&self.filled(copy))?;
        let mut delete = database.prepare(&format!("DELETE FROM main.{} WHERE rowid BETWEEN ?1 AND ?2", self.name))?;
        for Range { first, last, .. } in self.ranges(are_published) {
            copy.execute(&[(*first).into(), (*last).into()])?;
            delete.execute(&[(*first).into(), (*last).into()])?;
        }
        Ok(())
    }

    /// The ranges of operations of the buckets that are published, or of the others.
    fn ranges(&self, are_published: bool) -> impl Iterator<Item = &Range> {
        self.ranges.iter().filter(move |range| range.is_published == are_published)
    }

    /// Gives the operations of the buckets that are published, or of the others, their data.
    fn set_aside(&self, database: &Database<'_>, are_published: bool) -> Result<()> {
        self.move_ranges(database, are_published, packed_sql::TAKEOVER_SET_ASIDE)
    }

    /// Gives those operations their data whose rows have pending REMOVEs. A part of a checkpoint deletes no rows, so these
    /// must not be shown.
    fn set_removed_aside(&self, database: &Database<'_>) -> Result<()> {
        let mut update = database.prepare(&self.filled(packed_sql::TAKEOVER_SET_REMOVED_ASIDE))?;
        let mut is_any = false;
        for Range { first, last, .. } in self.ranges(true) {
            update.execute(&[(*first).into(), (*last).into()])?;
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
        if database.made_integer(&has_rows, &[])?.is_some() {
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
