//! The bindings in a real SQLite: the one bundled with rusqlite, reached through its API table, or linked with the
//! feature `static`.
#![allow(clippy::unwrap_used, clippy::indexing_slicing)]

mod backup;
mod entry;
mod functions;
mod hooks;
mod host;
mod memory;
mod statements;
mod tables;
