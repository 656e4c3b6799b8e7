//! Loading, connections, rollback, clearing, closing, and the other functions.

mod clear_tables;
mod clearing;
mod clearing_iterations;
mod clock;
pub(crate) mod closing;
mod connections;
mod identity;
mod json_functions;
mod loading;
mod rollback;
mod sqlite_versions;
mod update_hooks;
