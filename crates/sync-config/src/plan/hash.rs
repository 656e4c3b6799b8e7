//! Content hashes: the identity of evaluators, parameter indexes and bucket definitions across configurations.
//! What is not in the canonical text (names of streams, order of conditions, aliases) can change without a re-sync.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use super::{EachColumn, Output, RowProgram, RowRef, Settings, TablePattern};
use crate::expr::{Expr, canonical};

/// Raised when the same canonical form begins to give other results; everything is then built again.
pub const SEMANTIC_VERSION: u32 = 1;

/// SHA-256 of a canonical form.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Hash(pub [u8; 32]);

impl Hash {
    fn of(text: &str) -> Self {
        Hash(Sha256::digest(text.as_bytes()).into())
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut bytes = [0; 32];
        if text.len() != 64 {
            return Err(serde::de::Error::custom("a hash has 64 hexadecimal digits"));
        }
        for (index, byte) in bytes.iter_mut().enumerate() {
            let digits = text.get(2 * index..2 * index + 2).unwrap_or_default();
            *byte = u8::from_str_radix(digits, 16).map_err(serde::de::Error::custom)?;
        }
        Ok(Hash(bytes))
    }
}

/// A leaf of a row expression. Names are in quotes, so that none can be mistaken for another form.
pub(crate) fn row_leaf(leaf: &RowRef) -> String {
    match leaf {
        RowRef::Column(name) => quoted(name),
        RowRef::Each(number, column) => format!("each{number}.{}", each_column(*column)),
        RowRef::Schema => "schema()".to_owned(),
        RowRef::TableName => "table_name()".to_owned(),
        RowRef::TableSuffix => "table_suffix()".to_owned(),
    }
}

pub(crate) fn each_column(column: EachColumn) -> &'static str {
    match column {
        EachColumn::Key => "key",
        EachColumn::Value => "value",
        EachColumn::Type => "type",
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

pub(crate) fn row_text(expr: &Expr<RowRef>) -> String {
    canonical(expr, &row_leaf)
}

fn pattern(table: &TablePattern) -> String {
    let connection = table.connection.as_deref().map_or("default".to_owned(), quoted);
    format!("{connection}.{}.{}", quoted(&table.schema), quoted(&table.table))
}

fn settings(settings: &Settings) -> String {
    // Names of buckets are not part of it.
    format!(
        "version={SEMANTIC_VERSION} iso8601={} precision={:?} fixed_json={} custom_types={}",
        settings.timestamps_iso8601,
        settings.timestamp_max_precision,
        settings.fixed_json_extract,
        settings.custom_postgres_types
    )
}

fn program(program: &RowProgram) -> String {
    let texts = |exprs: &[Expr<RowRef>]| exprs.iter().map(row_text).collect::<Vec<_>>().join(" ");
    let mut filters: Vec<String> = program.filters.iter().map(row_text).collect();
    filters.sort();
    filters.dedup();
    format!(
        "table {}\neach {}\nfilters {}\nkey {}",
        pattern(&program.table),
        texts(&program.each),
        filters.join(" "),
        texts(&program.key)
    )
}

/// The hash of a row evaluator.
pub(crate) fn evaluator_hash(
    rows: &RowProgram,
    output_table: Option<&str>,
    outputs: &[Output],
    config: &Settings,
) -> Hash {
    let outputs: Vec<String> = outputs
        .iter()
        .map(|output| match output {
            Output::Star { legacy: false } => "*".to_owned(),
            Output::Star { legacy: true } => "*legacy".to_owned(),
            Output::Column { name, expr } => format!("{}={}", quoted(name), row_text(expr)),
        })
        .collect();
    let name = output_table.map_or("table".to_owned(), quoted);
    Hash::of(&format!("evaluator\n{}\n{}\nname {name}\noutputs {}", settings(config), program(rows), outputs.join(" ")))
}

/// The hash of a parameter index.
pub(crate) fn index_hash(rows: &RowProgram, outputs: &[Expr<RowRef>], config: &Settings) -> Hash {
    let outputs: Vec<String> = outputs.iter().map(row_text).collect();
    Hash::of(&format!("index\n{}\n{}\noutputs {}", settings(config), program(rows), outputs.join(" ")))
}

/// The hash of a bucket definition, whatever the order of its evaluators.
pub(crate) fn definition_hash(evaluators: impl IntoIterator<Item = Hash>) -> Hash {
    let mut texts: Vec<String> = evaluators.into_iter().map(|hash| hash.to_string()).collect();
    texts.sort();
    Hash::of(&format!("definition\n{}", texts.join("\n")))
}

/// A short digest for ordering while compiling; it is not stored.
pub(crate) fn short_digest(text: &str) -> String {
    let digest: [u8; 32] = Sha256::digest(text.as_bytes()).into();
    let first = digest.first_chunk::<8>().copied().unwrap_or_default();
    format!("{:016x}", u64::from_be_bytes(first))
}
