//! Why data do not arrive, why a row looks as it does, and what can be repaired (docs/reference/functions.md).

mod app;
mod attempts;
mod costs;
mod diagnose;
mod explain;
mod log;
mod repair;
mod stuck_files;
mod unpublishable;
mod verify;
