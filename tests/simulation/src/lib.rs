//! The whole sync system in one thread, in an order that a seed decides: a source, the writer over a store that crashes,
//! connections, and clients that are the library itself in a real SQLite.
//!
//! A [`session`] is a number of random steps. After each of them must hold what the system promises, and in the end
//! everybody must have the same:
//! - what a client is sent and shows is what a naive evaluation of the configuration gives for its user, over the
//!   source's rows at exactly the checkpoint's position;
//! - operation ids and positions never go back, also over crashes, deploys and lost positions;
//! - no client ever finds a wrong checksum, and the library's own check finds nothing;
//! - a write is acknowledged only by checkpoints that include it;
//! - an update that changes nothing of a bucket gives no operation in it.
#![forbid(unsafe_code)]
#![allow(clippy::panic, clippy::indexing_slicing, clippy::expect_used, clippy::unwrap_used)]

mod audit;
mod backend;
mod catalog;
mod client;
mod driver;
mod expected;
mod fault;
mod link;
pub mod session;
mod settle;
mod trace;
mod uploads;
mod world;
mod writes;
