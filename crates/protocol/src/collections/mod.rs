//! Collections whose code is there once, whatever they hold, and which can reserve memory fallibly.
//!
//! The collections and sorts of the standard library are made anew for each type that they are used with. Here that
//! would be a tenth of the whole library.

mod index;
mod names;
mod numbers;
mod row_keys;
mod sort;

pub use index::{Index, Key, KeyOf};
pub use names::Names;
pub use numbers::Numbers;
pub use row_keys::RowKeys;
pub use sort::sort_by;
