//! Makes the captures right for the schema as it is.
//!
//! What has changed in the schema goes through the log, so that the stream gives it in order, also after a restart:
//! - A table that lost its triggers was dropped, or dropped and created again, or renamed away: it is gone, and a table of
//!   its name is another generation.
//! - A table whose key changed, likewise. So is a table without a primary key after `VACUUM`, which can change its rowids.
//! - A table with other columns is described again, and all its rows are logged, since `SELECT *` shows others now.
//! - A table that appears and matches a known pattern is captured, and all its rows are logged.

use std::collections::{HashMap, HashSet};

use rusqlite::Connection;
use sync_config::TablePattern;

use super::capture;
use super::failure::Result;
use super::file::Identity;
use super::log;
use super::registry::{self, Captured, Definition};
use super::schema::{self, Key, SCHEMA, TableInfo};
use crate::common::is_matched;

/// The patterns that are captured.
pub(crate) struct Wanted<'p> {
    /// Tables that appear are complete by the stream.
    pub(crate) known: &'p [TablePattern],
    /// Tables are read by a snapshot.
    pub(crate) new: &'p [TablePattern],
}

/// Our tables, created if they are missing, and begun again if the file is another one than they were made in. To be called
/// in a write transaction.
pub(crate) fn prepare(connection: &Connection, identity: &Identity) -> Result<log::Meta> {
    match log::meta(connection)? {
        None => log::create(connection, identity),
        Some(meta) if meta.identity == *identity => Ok(meta),
        Some(mut meta) => {
            log::begin_again(connection, identity, log::head(connection)?)?;
            meta.first = log::head(connection)?;
            Ok(meta)
        }
    }
}

/// To be called in a write transaction, after [`prepare`].
pub(crate) fn reconcile(connection: &Connection, wanted: &Wanted<'_>) -> Result<()> {
    let mut actual: HashMap<String, TableInfo> =
        schema::tables(connection)?.into_iter().map(|table| (table.name.clone(), table)).collect();
    let triggers = triggers(connection)?;
    let rowids_have_changed = log::rowids_have_changed(connection)?;
    let mut lost = HashSet::new();
    for captured in registry::all(connection)? {
        if captured.dropped_at.is_some() {
            continue;
        }
        let name = &captured.definition.table.name;
        let needed = capture::needed_names(captured.id);
        let is_there = needed.iter().all(|trigger| triggers.get(trigger) == Some(name));
        let found = actual.get(name).filter(|found| is_there && has_same_key(found, &captured, rowids_have_changed));
        match found {
            Some(found) => {
                if *found != captured.definition.table {
                    redefine(connection, &captured, found)?;
                }
                actual.remove(name);
            }
            None => {
                capture::drop_triggers(connection, captured.id)?;
                let at = log::note(connection, captured.id, log::DROPPED)?;
                registry::mark_dropped(connection, captured.id, at)?;
                lost.insert(name.clone());
            }
        }
    }
    let mut names: Vec<&String> = actual.keys().collect();
    names.sort_unstable();
    for (name, table) in names.into_iter().filter_map(|name| actual.get_key_value(name)) {
        let is_known = lost.contains(name) || is_matched(wanted.known, SCHEMA, name);
        if is_known || is_matched(wanted.new, SCHEMA, name) {
            let id = add(connection, table)?;
            if is_known {
                log::note(connection, id, log::DEFINED)?;
                capture::log_all(connection, id, table)?;
            }
        }
    }
    // After all that changes the schema.
    log::set_meta(connection, "schema", schema::version(connection)?)
}

fn has_same_key(found: &TableInfo, captured: &Captured, rowids_have_changed: bool) -> bool {
    let before = &captured.definition.table;
    let is_same = found.key_names() == before.key_names() && found.key_terms() == before.key_terms();
    is_same && !(rowids_have_changed && found.key == Key::Rowid)
}

/// The table of each of our triggers. SQLite changes it when the table is renamed.
fn triggers(connection: &Connection) -> Result<HashMap<String, String>> {
    let sql = "SELECT name, tbl_name FROM main.sqlite_master WHERE type = 'trigger' AND name GLOB '_sync_[0-9]*'";
    let mut statement = connection.prepare_cached(sql)?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn add(connection: &Connection, table: &TableInfo) -> Result<i64> {
    let generation = registry::next_generation(connection, &table.name)?;
    let id = registry::add(connection, table, generation)?;
    let unfollowed = capture::create(connection, id, table)?;
    registry::define(connection, id, &Definition { table: table.clone(), unfollowed })?;
    Ok(id)
}

fn redefine(connection: &Connection, captured: &Captured, table: &TableInfo) -> Result<()> {
    capture::drop_triggers(connection, captured.id)?;
    let unfollowed = capture::create(connection, captured.id, table)?;
    let definition = Definition { table: table.clone(), unfollowed };
    registry::define(connection, captured.id, &definition)?;
    if table.columns != captured.definition.table.columns {
        log::note(connection, captured.id, log::DEFINED)?;
        capture::log_all(connection, captured.id, table)?;
    }
    Ok(())
}
