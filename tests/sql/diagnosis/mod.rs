//! Why data do not arrive, and why a row looks as it does (docs/reference/functions.md).

mod attempts;
mod diagnose;
mod explain;
mod log;
