//! Local writes: what triggers record of them in the upload queue, inside the transaction of the write
//! (docs/reference/functions.md#powersync_crud).

mod entry;
mod gate;
mod queue;
mod transaction_id;
pub(crate) mod upload;
pub(crate) mod upsert;

pub(crate) use entry::{Entry, Operation, insert_only_entry, is_empty_update};
pub(crate) use queue::LocalWrites;
