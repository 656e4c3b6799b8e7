//! Formats on disk and the ways between them.

mod formats;
mod interop;
mod not_migrated;
mod objects_over_ours;
pub(crate) mod own_format;
pub(crate) mod stored_format;
mod unknown;
mod unknown_subkeys;
mod unreadable_rows;
