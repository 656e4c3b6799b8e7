//! The engine of the sync service: plain Rust without I/O, threads, async or a clock.
//!
//! Five interfaces meet here, and each has one file:
//!
//! | interface | file | between |
//! | --- | --- | --- |
//! | rows and values | [`row`] | sources and the writer |
//! | source events | [`source`] | a source and the writer |
//! | storage | [`store`] | the writer, connections, and a store |
//! | notices | [`notice`] | the writer and connections |
//! | the live plan | [`live`] | configurations as stored, the writer and connections |
//!
//! What clients send is read by [`request`], a [`connection`] answers it in [`lines`], and [`interests`] finds the
//! connections that a notice affects. [`explain`] says why a client has a row or not,
//! [`evaluate`] which buckets a request leads to, [`client_schema`] which tables and columns clients can have, and
//! [`preview`] what a deploy would change.
//! [`memory`] is a store for simulations and tests.
//!
//! The *writer* is one state machine for each deployment. It takes source events and gives batches that a
//! [`store::Store`] commits. A *connection* is one state machine for each client. It takes a request and notices of
//! commits, reads a [`store::Reader`], and gives sync lines.

#![forbid(unsafe_code)]

pub mod client_schema;
pub mod connection;
pub mod evaluate;
pub mod explain;
pub mod interests;
pub mod lines;
pub mod live;
pub mod memory;
pub mod notice;
pub mod preview;
pub mod request;
pub mod row;
pub mod source;
pub mod store;
pub mod writer;
