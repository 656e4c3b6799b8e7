//! A store in a schema of a PostgreSQL database: one process writes, any number of processes read.
//!
//! | file | subject |
//! | --- | --- |
//! | `open` | opening, the format, the lock of the process that writes |
//! | `schema` | tables |
//! | `session` | a connection, its settings and its prepared statements |
//! | `copy`, `keys` | rows for COPY, keys that can be indexed |
//! | `store` | what the writer reads |
//! | `records` | tables, configurations, definitions and jobs as they are stored |
//! | `commit`, `rows` | what a batch writes |
//! | `news` | what a checkpoint changes, as other processes are told |
//! | `compact`, `dropped` | what is made smaller or deleted in the background |
//! | `reader` | what connections read |
//! | `shared` | the newest checkpoint, which ones readers need, and their connections |
//! | `follow` | what processes that do not write are told |
//! | `desk` | what they ask of the one that writes |
//! | `error` | errors of PostgreSQL as those of a store |

mod commit;
mod compact;
mod copy;
mod desk;
mod dropped;
mod error;
mod follow;
mod keys;
mod news;
mod open;
mod reader;
mod records;
mod rows;
mod schema;
mod session;
mod shared;
mod sizes;
mod store;

pub use desk::{PostgresDesk, StoreQuestion, StoreRequest};
pub use follow::{PostgresFollower, StoreEvent};
pub use open::{PostgresOptions, PostgresStore};
