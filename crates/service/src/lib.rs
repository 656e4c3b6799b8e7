//! The sync service: HTTP around the sync engine, authentication, and the write path.
//!
//! [`Service::start`] opens the storage, starts the thread of the writer, and serves HTTP on an address until it is
//! stopped. Everything else is in `sync-engine`, which has no I/O; here are its edges:
//!
//! | module | what |
//! | --- | --- |
//! | `auth` | tokens and keys |
//! | `dev` | the development service |
//! | `http` | connections, routes, limits, compression |
//! | `processes` | several processes on one storage |
//! | `reload` | files that are used again when they change |
//! | `rules` | opens the write path by a file of rules |
//! | `storage` | storages by their URLs |
//! | `sync` | connected clients and their streams |
//! | `writer` | the threads that read the source and write the storage |

#![forbid(unsafe_code)]

mod auth;
mod clock;
mod dev;
mod error;
mod http;
mod options;
mod processes;
mod reload;
mod rsocket;
mod rules;
mod service;
mod sql;
mod storage;
mod sync;
mod writer;

pub use auth::{KeyError, Keys};
pub use dev::{Dev, DevOptions, TODO_SEED, TokenOptions, create_source, development_token};
pub use options::{OpenStore, ServiceLimits, ServiceOptions};
pub use processes::{NoSource, Processes, Role};
pub use reload::{ConfigFile, FileUse, Reload};
pub use rules::{WritesError, open_convex_persister, open_persister, open_writes, sqlite_path, writes_to};
pub use service::{BuildProgress, DeployError, Deployer, Service, StartError};
pub use storage::Storage;
