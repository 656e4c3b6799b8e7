//! The compiled configuration: plain data that can be stored, compared by content hashes, and bound to tables.

mod compare;
mod describe;
mod hash;
mod regroup;

use serde::{Deserialize, Serialize};

pub use compare::{Comparison, DefinitionCounts, StreamChange, StreamState};
pub use hash::{Hash, SEMANTIC_VERSION};
pub(crate) use hash::{definition_hash, evaluator_hash, index_hash, row_text, short_digest};
pub use regroup::{Standing, StoredDefinition};

use crate::expr::Expr;

/// Settings of `config` that influence evaluation.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Settings {
    /// Timestamps with `T` instead of a blank.
    pub timestamps_iso8601: bool,
    /// Most digits of the fraction of timestamps; none: those of the source.
    pub timestamp_max_precision: Option<Precision>,
    /// `->> 'a.b'` is one key.
    pub fixed_json_extract: bool,
    /// Domains, composites and ranges as structures.
    pub custom_postgres_types: bool,
    /// Names of legacy buckets begin with the number of the configuration.
    pub versioned_bucket_ids: bool,
}

impl Settings {
    /// The defaults of an edition.
    pub fn of_edition(edition: u8) -> Self {
        let on = edition >= 2;
        Self {
            timestamps_iso8601: on,
            timestamp_max_precision: None,
            fixed_json_extract: on,
            custom_postgres_types: on,
            versioned_bucket_ids: on,
        }
    }
}

/// Digits of the fraction of a timestamp.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "named as in the configuration")]
pub enum Precision {
    Seconds,
    Milliseconds,
    Microseconds,
    Nanoseconds,
}

impl Precision {
    /// The precision of a name of the configuration.
    pub fn from_name(name: &str) -> Option<Self> {
        match name {
            "seconds" => Some(Self::Seconds),
            "milliseconds" => Some(Self::Milliseconds),
            "microseconds" => Some(Self::Microseconds),
            "nanoseconds" => Some(Self::Nanoseconds),
            _ => None,
        }
    }
}

/// Which tables a rule is for.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct TablePattern {
    /// Named connection; none is the only or default one.
    pub connection: Option<String>,
    /// Schema; a trailing `%` matches anything.
    pub schema: String,
    /// Table; a trailing `%` matches anything.
    pub table: String,
}

impl TablePattern {
    /// What `%` stands for in the name of the table; none if the pattern is for other tables.
    pub fn suffix<'t>(&self, connection: Option<&str>, schema: &str, table: &'t str) -> Option<&'t str> {
        let part = |pattern: &str, name: &str| match pattern.strip_suffix('%') {
            Some(prefix) => name.starts_with(prefix),
            None => name == pattern,
        };
        if self.connection.as_deref() != connection || !part(&self.schema, schema) || !part(&self.table, table) {
            return None;
        }
        match self.table.strip_suffix('%') {
            Some(prefix) => table.strip_prefix(prefix),
            None => Some(""),
        }
    }

    /// Whether the name of the table ends with `%`.
    pub fn is_wildcard(&self) -> bool {
        self.table.ends_with('%')
    }
}

/// A leaf of an expression over the rows of one table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RowRef {
    /// A column of the table.
    Column(String),
    /// A column of the attached function of this number.
    Each(usize, EachColumn),
    /// `schema()`
    Schema,
    /// `table_name()`
    TableName,
    /// `table_suffix()`
    TableSuffix,
}

/// A column of `json_each`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum EachColumn {
    /// Index or member name.
    Key,
    /// The element.
    Value,
    /// Its type as of `json_type`.
    Type,
}

/// A leaf of an expression over a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum RequestRef {
    /// The claims of the JWT, as JSON text.
    Auth,
    /// The parameters of the subscription, as JSON text.
    Subscription,
    /// The parameters of the connection, as JSON text.
    Connection,
    /// An output of an earlier step.
    Slot(usize),
}

/// What is evaluated for each row of a table, besides outputs.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RowProgram {
    /// Which tables.
    pub table: TablePattern,
    /// Arguments of the `json_each` calls attached to the row; each multiplies the row.
    pub each: Vec<Expr<RowRef>>,
    /// Conditions; all must hold.
    pub filters: Vec<Expr<RowRef>>,
    /// Parts of the key, in canonical order.
    pub key: Vec<Expr<RowRef>>,
}

/// A column of synced rows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum Output {
    /// All columns of the table; a legacy one skips names with `_` and keeps earlier columns of the same name.
    Star {
        /// As in bucket definitions.
        legacy: bool,
    },
    /// One named value.
    Column {
        /// Its name.
        name: String,
        /// Its value.
        expr: Expr<RowRef>,
    },
}

/// Turns rows of a table into synced rows.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct RowEvaluator {
    /// Table, filters, key.
    pub program: RowProgram,
    /// The name that clients see; none: that of the table.
    pub output_table: Option<String>,
    /// Columns in order; a later one replaces an earlier one of the same name.
    pub outputs: Vec<Output>,
    /// Content hash.
    pub hash: Hash,
}

/// Turns rows of a table into entries that requests look up.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct ParameterIndex {
    /// Table, filters, key.
    pub program: RowProgram,
    /// Values of an entry, in canonical order.
    pub outputs: Vec<Expr<RowRef>>,
    /// Content hash.
    pub hash: Hash,
}

/// A set of buckets: one for each key.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct BucketDefinition {
    /// The start of the names of its buckets, before the key.
    pub name: String,
    /// Number of key parts.
    pub key_parts: usize,
    /// Indexes of the plan's evaluators, in the order of the configuration.
    pub evaluators: Vec<usize>,
    /// Content hash: of the evaluators' hashes.
    pub hash: Hash,
}

/// A step of finding the buckets of a request. All steps together are a join: what one row of a step gives belongs
/// together in all later steps.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Step {
    /// Where rows come from.
    pub source: StepSource,
    /// The slots that the row's outputs fill, in their order.
    pub outputs: Vec<usize>,
    /// Conditions over the slots so far.
    pub filters: Vec<Expr<RequestRef>>,
}

/// Where the rows of a step come from.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub enum StepSource {
    /// `json_each` of a value of the request.
    Each {
        /// Its argument.
        arg: Expr<RequestRef>,
        /// The columns that are outputs.
        columns: Vec<EachColumn>,
    },
    /// The entries of a parameter index.
    Lookup {
        /// Number of the plan's index.
        index: usize,
        /// The key, as long as that of the index.
        key: Vec<Expr<RequestRef>>,
    },
}

/// One way from a request to buckets of a definition.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Querier {
    /// Number of the plan's definition.
    pub definition: usize,
    /// Replaces the stream's priority (legacy `_priority`).
    pub priority: Option<u8>,
    /// Conditions over the request alone.
    pub filters: Vec<Expr<RequestRef>>,
    /// Steps in order.
    pub steps: Vec<Step>,
    /// The key of a bucket.
    pub key: Vec<Expr<RequestRef>>,
    /// Whether NULL is permitted in the key (legacy definitions).
    pub null_keys: bool,
}

/// What clients subscribe to.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Stream {
    /// Its name.
    pub name: String,
    /// Whether clients get it without asking.
    pub auto_subscribe: bool,
    /// 0 (most urgent) to 3.
    pub priority: u8,
    /// All ways to buckets; their results are united.
    pub queriers: Vec<Querier>,
}

/// A compiled configuration.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Plan {
    /// What influences evaluation.
    pub settings: Settings,
    /// Streams in the order of the configuration.
    pub streams: Vec<Stream>,
    /// Bucket definitions.
    pub definitions: Vec<BucketDefinition>,
    /// Row evaluators, each once however many definitions use it.
    pub evaluators: Vec<RowEvaluator>,
    /// Parameter indexes, each once.
    pub indexes: Vec<ParameterIndex>,
}

impl Plan {
    /// The tables that it reads, each once.
    pub fn patterns(&self) -> Vec<TablePattern> {
        let evaluators = self.evaluators.iter().map(|evaluator| &evaluator.program.table);
        let mut patterns: Vec<TablePattern> =
            evaluators.chain(self.indexes.iter().map(|index| &index.program.table)).cloned().collect();
        patterns.sort();
        patterns.dedup();
        patterns
    }
}
