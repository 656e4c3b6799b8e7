//! Publishing: making downloaded rows visible in the app's tables (sync client, Publishing).
//!
//! The pending operations of the involved buckets are *settled*: entered into `ps_row_operations`, so that all operations
//! of a row can be found, or put in the place of an older one there. Each row that they name is looked at: superseded
//! operations and REMOVEs go, and the operation with the highest op id among those left is written to where the row's
//! type lives. A part of a checkpoint writes only rows of which it has new PUTs: what REMOVEs leave is for the whole one.

mod destination;
mod few;
mod pending;
mod rows;
mod target;
mod versions;

use crate::connection::Database;
use crate::error::Result;
use crate::storage::{ChangedBucket, Extent};
use crate::updated_rows;
use pending::Pending;
use rows::Publisher;

pub use destination::Destinations;
pub use target::Targets;

/// See [`crate::storage::Storage::publish`].
pub fn publish(
    database: &Database<'_>,
    targets: Targets<'_, '_>,
    changed: &[ChangedBucket],
    extent: Extent<'_>,
) -> Result<()> {
    let _publishing = database.state().enter_sync_operation();
    let pending = Pending::load(database, changed)?;
    let is_few = pending.is_few();
    if !is_few {
        pending.enter_row_operations(database)?;
    }
    let mut publisher = Publisher::new(database, targets, pending, extent);
    if is_few {
        publisher.publish_few()?
    } else {
        publisher.publish_pending()?
    }
    match extent {
        Extent::Full => publisher.publish_updated_rows()?,
        Extent::Partial { .. } => updated_rows::limit(database)?,
    }
    publisher.finish(changed)
}
