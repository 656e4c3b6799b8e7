//! The write path of the sync service: what clients upload is checked by rules and applied to a database.
//!
//! The crate does no HTTP and no async. A service
//! 1. opens a [`Persister`], for instance [`sqlite::SqlitePersister`];
//! 2. loads the rules with [`Rules::load`], and shows the diagnostics;
//! 3. passes the body of each upload to [`WritePath::apply`], on a thread that may block.
//!
//! Each transaction of an upload is one transaction of the database. Its result is one of four: success, a fatal error,
//! an error after which the client tries again, or that it was not attempted because an earlier one failed.
//!
//! # Exactly once
//! A client that sends `client_id` and `queue` gets each transaction applied once, however often it sends it: the result
//! is stored in the same database transaction as the data. This holds within the persister's database; what triggers or
//! the app do elsewhere may happen again. Without the two members nothing is deduplicated, since two devices of a user
//! may send equal transactions; PUT, PATCH and DELETE then give the same rows again.
//!
//! # Write rules
//! ```yaml
//! writes:
//!   default: deny
//!   tables:
//!     todos:
//!       table: todo_items
//!       key: id
//!       ops: [PUT, PATCH, DELETE]
//!       columns: [description, done, list_id]
//!       set: {owner_id: auth.user_id()}
//!       check: list_id IN (SELECT id FROM lists WHERE owner_id = auth.user_id())
//!       on_conflict: column
//!       on_error: client
//! ```
//! - `columns`: what clients may write, as a list or as a mapping from their name to that of the database. Another
//!   column in an operation is refused by its name. Without it: all columns.
//! - `set`: what the server writes with each PUT and PATCH, or only with some: `{value: auth.user_id(), on: [PUT]}`. A
//!   value that a client sends for such a column is left out, since apps write it locally, too.
//! - `check` must be true for the row before and after the operation. So a row of somebody else is not changed, deleted
//!   or replaced, and none is moved to somebody else. What the database does by itself, such as `ON DELETE CASCADE` and
//!   triggers, is not checked. Names are those of the database, and the database evaluates it: columns have their
//!   affinity, `lower` maps ASCII.
//! - `on_conflict` decides what happens if the client sends previous values and a stored value differs: `last_write`
//!   overwrites it, `column` leaves the column as it is and reports it, `reject` refuses the operation.
//! - `on_error`: whether a fatal error is left to the app (`client`), or kept as a dead letter (`server`).

#![forbid(unsafe_code)]

mod conflicts;
pub mod convex;
mod dead_letter;
mod locks;
mod log;
mod path;
mod persister;
mod plan;
pub mod postgres;
mod request;
mod result;
mod rules;
mod schema;
pub mod sqlite;
mod value;

pub use dead_letter::{DeadLetter, Letters, ReplayError, State};
pub use log::{Attempt, AttemptOperation, Outcome};
pub use path::{Counters, OnFatal, Options, WritePath, WriteUser};
pub use persister::{Key, Persister, PersisterError, Stored, Turn, Work};
pub use plan::Planned;
pub use request::{BadRequest, Operation, OperationKind, Transaction};
pub use result::{Answer, Conflict, FailedOperation, Failure, TransactionResult, code};
pub use rules::{Claim, ClaimForm, Expression, Loaded, OnConflict, OnError, Part, Rules, SetColumn, TableRule};
pub use schema::{Column, ColumnType, Dialect, Schema, Table, TypeKind};
