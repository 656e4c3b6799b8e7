//! A client of the sync service: it keeps the rows of a user in an SQLite file, and uploads what is written to it.
//!
//! The app reads and writes the file like any other, online or not. The client downloads what changes at the service in the
//! background, and uploads the app's writes in the order in which they were made.
//!
//! ```no_run
//! use std::time::Duration;
//!
//! use rowtide_client::{BoxError, Client, Options, WritePath};
//!
//! fn main() -> Result<(), BoxError> {
//!     let url = "http://127.0.0.1:8080";
//!     let options = Options::new("todos.db", url)
//!         .schema(r#"{"tables": [{"name": "todos", "columns": [{"name": "description", "type": "text"}]}]}"#)
//!         .token(|| -> Result<String, BoxError> { Ok(std::fs::read_to_string("token")?.trim().to_owned()) })
//!         .upload(WritePath::new(url));
//!     let client = Client::open(options)?;
//!     client.connect();
//!     client.wait_until(|status| status.first_sync, Duration::from_secs(30))?;
//!
//!     let app = client.connection()?;
//!     app.execute("INSERT INTO todos (id, description) VALUES (uuid(), 'Bread')", ())?;
//!     let count: i64 = app.query_row("SELECT count(*) FROM todos", (), |row| row.get(0))?;
//!     println!("{count} todos");
//!
//!     // The write is uploaded at once, or in a later run.
//!     client.wait_until(|status| status.queued == 0, Duration::from_secs(30))?;
//!     client.close()?;
//!     Ok(())
//! }
//! ```
//!
//! - [`Options`]: what a client is opened with. [`TokenSource`] and [`Upload`] are the app's part.
//! - [`Client`]: connects, disconnects, subscribes to streams, and opens further connections to the file.
//! - [`Status`]: what the client is doing, and what is wrong. Nothing that goes wrong while syncing is an error of a call.
//!
//! Several clients, also of several processes, may have one file open: one of them syncs, and the others take over when it
//! ends. It is known by a lock on a file beside the database.
//!
//! The extension is linked in: nothing has to be loaded. The crate is also the reference for SDKs in other languages: its
//! modules follow `docs/write-an-sdk.md`. `sync` is the sync loop, `upload` the upload loop, `service` has tokens and routes,
//! `database` the calls of the extension.

#![deny(unsafe_code)]

mod backoff;
mod client;
mod database;
mod error;
mod extension;
mod instruction;
mod lines;
mod lock;
mod network;
mod options;
mod runtime;
mod service;
mod shared;
mod status;
mod subscription;
mod sync;
#[cfg(test)]
mod tests;
mod token;
mod upload;

pub use client::Client;
pub use error::{BoxError, Error};
pub use extension::load_extension;
pub use network::{Body, BoxFuture, Method, Network, NetworkError, Request, Response};
pub use options::{Encoding, Gate, Mode, Options, Timing};
pub use status::{BlockedUpload, Download, PriorityDownload, Status, Statuses, StreamStatus, SyncedPriority};
pub use subscription::{Stream, Subscription};
pub use token::TokenSource;
pub use upload::{
    Batch, FailedOperation, Operation, OperationKind, Refusal, Transaction, TransactionResult, Upload, WritePath,
};
