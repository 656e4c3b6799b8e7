//! Random sessions of a model service and 1 to 4 clients on files, with local transactions, uploads, rejected
//! transactions, either gate, lost connections, clears, copies of files and killed processes. After each action a client must show a state that the service had plus its own writes;
//! in the end, everybody must have converged (docs/reliability.md#what-random-sessions-found).
#![forbid(unsafe_code)]
#![allow(clippy::indexing_slicing)]

pub mod action;
pub mod backend;
pub mod campaign;
pub mod client;
pub mod compare;
pub mod concurrent;
pub mod crowd;
pub mod generate;
pub mod local;
pub mod processes;
pub mod queue;
pub mod replica;
pub mod rows;
pub mod session;
pub mod shrink;
pub mod soak;
pub mod stream;
mod sync;
mod upload;
pub mod worker;
