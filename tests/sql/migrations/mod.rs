//! Formats on disk and the ways between them.

mod formats;
mod interop;
mod not_migrated;
mod objects_over_ours;
pub mod own_format;
pub mod stored_format;
mod unknown;
mod unknown_subkeys;
mod unreadable_rows;
