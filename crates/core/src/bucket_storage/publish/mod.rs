//! Publishing: making downloaded rows visible in the app's tables (docs/reference/sync-client.md#publishing).
//!
//! The pending operations of the involved buckets are *settled*: entered into `ps_row_operations`, so that all
//! operations of a row can be found, or put in the place of an older one there. Each row that they name is checked:
//! superseded operations and REMOVEs go, and the operation with the highest op id among those left is written to where
//! the row's type lives. A part of a checkpoint writes only rows of which it has new PUTs: what REMOVEs leave is for
//! the whole one.

mod held_rows;
mod ordered;
mod pending;
mod row_location;
mod row_sink;
mod rows;
mod takeover;
mod versions;
mod waiting;

use alloc::vec::Vec;

use crate::bucket_storage::StoreMemory;
use crate::error::Result;
use crate::schema::KnownSchemas;

use held_rows::HeldRows;
use pending::{Order, Pending};
use rows::Publisher;

use crate::connection::Database;
use crate::sync_client::storage::{ChangedBucket, Scope};
use crate::updated_rows;

pub(super) use row_location::{PendingTable, RowLocation, RowLocations};
pub(super) use row_sink::RowSinks;
pub(super) use versions::Kind;

/// See [`crate::sync_client::storage::Storage::publish`], and `publish_around_local_writes` there if `holds_back`.
pub(super) fn publish(
    database: &Database<'_>,
    memory: &StoreMemory,
    schemas: &KnownSchemas,
    changed: &[ChangedBucket],
    scope: Scope<'_>,
    holds_back: bool,
) -> Result<()> {
    let _publishing = database.state().enter_sync_operation();
    let mut pending = Pending::load(database, changed)?;
    let mut sinks = RowSinks::new(database, memory, schemas)?;
    let types = if pending.is_empty() { Vec::new() } else { memory.locations.pending_types(database)? };
    if !types.is_empty() {
        takeover::publish_waiting(database, &mut pending, &types, scope, !holds_back)?;
        // Tables have changed.
        memory.locations.refresh(database, schemas)?;
    }
    if holds_back {
        if pending.is_empty() && !updated_rows::has_downloaded(database)? {
            return Ok(());
        }
        sinks.hold_back(HeldRows::load(database)?);
    }
    let order = match pending.first_type(database)? {
        // Each of its rows has to be looked for anyway.
        Some(first) if sinks.may_hold_operations(&first)? => Order::OfRows(pending.superseded()),
        _ => pending.order(database)?,
    };
    if order == Order::OfArrival {
        pending.enter_row_operations(database)?;
    }
    let mut publisher = Publisher::new(database, sinks, pending, scope);
    match order {
        Order::OfArrival => publisher.publish_pending()?,
        Order::OfRows(superseded) => publisher.publish_in_order(superseded)?,
    }
    match scope {
        Scope::Full => publisher.publish_updated_rows()?,
        Scope::Partial { .. } => updated_rows::limit(database)?,
    }
    publisher.finish(changed)
}
