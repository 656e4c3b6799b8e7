//! Keeps the buckets, parameters and positions of the sync service in one SQLite file, or in PostgreSQL.
//!
//! [`SqliteStore`] is a [`Store`](sync_engine::store::Store): one connection writes, and readers on other threads share a
//! pool of read-only connections. All content is versioned by operation ids and commit numbers, so a reader needs no
//! transaction between its calls, and a slow client never keeps the write-ahead log from being reused. [`PostgresStore`] does
//! the same in a schema of a PostgreSQL database, for several processes.
//!
//! | file | subject |
//! | --- | --- |
//! | `open` | opening, settings, format |
//! | `schema` | tables |
//! | `store` | what the writer reads |
//! | `records` | tables, configurations, definitions and jobs as they are stored |
//! | `commit` | what a batch writes |
//! | `compact`, `dropped` | what is made smaller or deleted in the background |
//! | `reader` | what connections read |
//! | `shared` | the newest checkpoint, and which ones readers need |
//! | `encoding` | values and states of rows as bytes |
//! | `error` | errors of SQLite as those of a store |
//! | `postgres` | the store in PostgreSQL |

#![forbid(unsafe_code)]

mod commit;
mod compact;
mod dropped;
mod encoding;
mod error;
mod open;
mod postgres;
mod reader;
mod records;
mod schema;
mod shared;
mod sizes;
mod store;

pub use open::{Options, SqliteStore};
pub use postgres::{
    PostgresDesk, PostgresFollower, PostgresOptions, PostgresStore, StoreEvent, StoreQuestion, StoreRequest,
};
