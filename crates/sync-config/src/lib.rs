//! The compiler of sync configurations: YAML with SQL in, a [`Plan`] out, and the evaluation of that plan.
//!
//! The crate does no I/O and knows no source or store. A service
//! 1. calls [`compile`] and shows the [`Diagnostic`]s, or stores the [`Plan`];
//! 2. binds each table of the source with [`Plan::bind`] and feeds its rows to [`BoundTable::evaluate`], which gives
//!    entries of buckets and of parameter indexes;
//! 3. answers a client with [`evaluate_request`], which reads parameter indexes through a [`LookupSource`] and gives the
//!    buckets of the client, why it has them, and which lookups the answer depends on.
//!
//! # Frozen interfaces
//! - [`Diagnostic`]: `code` (`C001`, stable), `severity`, `message`, `hint`, `fix`, `span` in bytes of the YAML file;
//!   [`position`] turns offsets into lines and columns.
//! - [`compile`] gives [`Compiled`]: `plan` is there if and only if no diagnostic is an error.
//! - [`Plan`]: plain data. [`BucketDefinition`]s are sets of [`RowEvaluator`]s with as many key parts each; a [`Stream`]
//!   has [`Querier`]s: request filters, [`Step`]s (a join over the request), and the key of a bucket.
//! - [`struct@Hash`]: SHA-256 of the canonical form of an evaluator, index or definition. Names of streams and aliases, the order
//!   of queries, conditions and OR terms, and common table expressions do not influence it.
//! - [`Value`] has SQLite's semantics; deviations are listed in [`deviations`].
//!
//! # The way of a query
//! `yaml` (places) → `document` (keys) → `sql` (syntax) → `compile`: `scope` and `lower` inline and resolve names,
//! `condition` makes an OR of ANDs, `graph` sorts the conditions of a branch, `resolve` finds the order of lookups,
//! `group` shares equal parts.

#![forbid(unsafe_code)]

mod compile;
mod diagnostic;
mod document;
mod evaluate;
pub mod explain;
mod expr;
mod options;
mod plan;
mod sql;
mod value;
mod yaml;

pub use compile::{Compiled, compile};
pub use diagnostic::{Code, Diagnostic, Fix, Position, Severity, Span, position};
pub use evaluate::*;
pub use expr::{Affinity, CastType, EvalError, Expr, Function, Operator};
pub use options::{ColumnKind, CompileOptions, SourceColumn, SourceSchema};
pub use plan::{
    BucketDefinition, Comparison, DefinitionCounts, EachColumn, Hash, Output, ParameterIndex, Plan, Precision, Querier,
    RequestRef, RowEvaluator, RowProgram, RowRef, SEMANTIC_VERSION, Settings, Standing, Step, StepSource,
    StoredDefinition, Stream, StreamChange, StreamState, TablePattern,
};
pub use value::{Value, key_text};

/// The syntax of a configuration, for other files that hold expressions of the same language: YAML whose nodes know
/// their place, and the tree of an expression.
pub mod syntax {
    pub use crate::sql::ast::{Expr, ExprKind, FromItem, FromSource, InRight, Name, Operator, Query, SelectItem};
    pub use crate::sql::parse_expression;
    pub use crate::yaml::{Node, Text, Yaml, load};
}

/// Where expressions differ from SQLite on purpose.
///
/// - `lower` and `upper` map all of Unicode one character to one; SQLite maps ASCII.
/// - Text that is to be JSON and is not gives NULL (`json_each`: no rows, `NOT IN`: unknown) and is counted; SQLite raises an error.
/// - `json_each` of a scalar has no rows; SQLite has one.
/// - JSON is RFC 8259; SQLite also reads JSON5 and its binary form.
/// - The text of a real has SQLite's 17 digits, but the last one can differ by one, because SQLite's own digits are not
///   always the nearest ones (about one in a million random values).
/// - `substr` with a position near -2^63, where SQLite's arithmetic overflows.
/// - An error of an operand that does not decide the result may be raised in one and not in the other.
/// - `base64` encodes; bytes that are no UTF-8 become U+FFFD where a blob is read as text.
pub mod deviations {}

#[cfg(test)]
mod differential;
