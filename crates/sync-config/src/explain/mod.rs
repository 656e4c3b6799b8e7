//! Why a row is in a bucket or not, and why a user has that bucket or not, for people who ask.
//!
//! Nothing here decides anything: [`Plan::bind`](crate::Plan::bind) and [`evaluate_request`](crate::evaluate_request) do.
//! Rows are followed through the programs of a plan by a [`RowTracer`], requests by a
//! [`QuerierTrace`](crate::QuerierTrace). From the key of a bucket, [`links`] goes back through the steps of a querier to
//! the rows and the values of the request that would have to fit.
//!
//! What is shown of rows are the columns of conditions and keys, and of what they are compared with.

mod condition;
mod links;
mod row;
mod sql;

pub(crate) use condition::request_conditions;
pub use condition::{Condition, NamedValue, Origin, Verdict};
pub use links::{IndexRow, IndexRows, IndexTable, Link, Match, RowLink, links};
pub use row::{EntryTrace, NoTracer, RowTrace, RowTracer};
pub use sql::value_sql;
