//! Collections whose code exists once, whatever they hold, and which can reserve memory fallibly.

mod by_hash;
mod by_name;
mod hashing;
mod index;
mod names;
mod row_keys;

pub(crate) use by_hash::{ByHash, Numbers};
pub(crate) use by_name::ByName;
pub(crate) use hashing::hash;
pub(crate) use index::{Index, Key};
pub(crate) use names::Names;
pub(crate) use row_keys::RowKeys;
pub(crate) use rowtide_json::sort::{sort_by, sort_names};
