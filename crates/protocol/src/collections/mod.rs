//! Collections whose code exists once, whatever they hold, and which can reserve memory fallibly.

mod by_name;
mod index;
mod names;
mod row_keys;

pub use by_name::ByName;
pub use index::{Index, Key, KeyFn};
pub use names::Names;
pub use row_keys::RowKeys;
