//! Rows of a source as they reach the writer: values, keys, and what identifies a table.

use std::fmt;

use serde::{Deserialize, Serialize};
use sync_config::{Precision, Settings, Value};

/// A place in the source's history. Positions of one source compare by their bytes.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Default, Serialize, Deserialize)]
pub struct Position(pub Vec<u8>);

impl Position {
    /// The position of a source that counts.
    pub fn from_number(number: u64) -> Self {
        Self(number.to_be_bytes().to_vec())
    }

    /// The number of [`Position::from_number`]; none for other positions.
    pub fn number(&self) -> Option<u64> {
        self.0.as_slice().try_into().ok().map(u64::from_be_bytes)
    }
}

impl fmt::Debug for Position {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (self.number(), std::str::from_utf8(&self.0)) {
            (Some(number), _) => write!(formatter, "Position({number})"),
            (None, Ok(text)) => write!(formatter, "Position({text:?})"),
            (None, Err(_)) => write!(formatter, "Position({:?})", self.0),
        }
    }
}

/// A value of a source, before the settings of a configuration are applied.
#[derive(Clone, Debug)]
pub enum SourceValue {
    /// The same with all settings.
    Value(Value),
    /// A date with a time: `YYYY-MM-DD HH:MM:SS` with a fraction as long as the source gives it.
    Timestamp {
        /// With a blank between date and time, without a zone.
        text: String,
        /// Whether it has a zone, which then is UTC.
        utc: bool,
        /// Digits that the source's type has, if the fraction is padded.
        digits: u8,
    },
    /// A value of a type of the database's own: domains, composites, ranges.
    Custom {
        /// Without `custom_postgres_types`.
        raw: String,
        /// With it.
        structured: Value,
    },
    /// The source has not sent it, since it is unchanged and large.
    Missing,
}

impl SourceValue {
    /// The value under the settings of a configuration; none if it is missing.
    pub fn to_value(&self, settings: &Settings) -> Option<Value> {
        match self {
            Self::Value(value) => Some(value.clone()),
            Self::Timestamp { text, utc, digits } => Some(Value::Text(timestamp(text, *utc, *digits, settings))),
            Self::Custom { raw, structured } if !settings.custom_postgres_types => {
                let _ = structured;
                Some(Value::Text(raw.clone()))
            }
            Self::Custom { structured, .. } => Some(structured.clone()),
            Self::Missing => None,
        }
    }
}

/// A timestamp as the settings want it: `T` or a blank, and a fraction of a fixed number of digits.
fn timestamp(text: &str, utc: bool, digits: u8, settings: &Settings) -> String {
    let zone = if utc { "Z" } else { "" };
    if !settings.timestamps_iso8601 {
        return format!("{text}{zone}");
    }
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = usize::from(match settings.timestamp_max_precision {
        Some(Precision::Seconds) => 0,
        Some(Precision::Milliseconds) => digits.min(3),
        Some(Precision::Microseconds) => digits.min(6),
        Some(Precision::Nanoseconds) => digits.min(9),
        None => digits,
    });
    let whole = whole.replacen(' ', "T", 1);
    if digits == 0 {
        return format!("{whole}{zone}");
    }
    let fraction: String = fraction.chars().chain(std::iter::repeat('0')).take(digits).collect();
    format!("{whole}.{fraction}{zone}")
}

/// The key of a row within its table: the values of the key columns, in one byte string that is equal if and only if
/// they are the same values of the same types.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RowKey(pub Vec<u8>);

impl RowKey {
    /// The key of these values.
    pub fn new(values: &[Value]) -> Self {
        let mut bytes = Vec::new();
        for value in values {
            let (tag, content): (u8, &[u8]) = match value {
                Value::Null => (0, &[]),
                Value::Integer(integer) => (1, &integer.to_be_bytes()),
                Value::Real(real) => (2, &real.to_bits().to_be_bytes()),
                Value::Text(text) => (3, text.as_bytes()),
                Value::Blob(blob) => (4, blob),
            };
            bytes.push(tag);
            bytes.extend_from_slice(&(content.len() as u64).to_be_bytes());
            bytes.extend_from_slice(content);
        }
        Self(bytes)
    }
}

/// A table of the source, in one generation: another key or another physical table is another generation.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SourceTable {
    /// What the source calls this generation, stable over restarts (an oid with a hash of the key columns, a name).
    pub physical_id: String,
    /// Schema.
    pub schema: String,
    /// Name.
    pub name: String,
    /// All columns, in the order of values of a row.
    pub columns: Vec<Column>,
    /// Numbers of the columns that identify a row.
    pub key: Vec<usize>,
    /// Whether rows are documents: a column that a configuration names and the table has not is then NULL, else a mistake.
    pub is_schemaless: bool,
}

/// A column of a source table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Column {
    /// Its name.
    pub name: String,
    /// Its type, as the source spells it; empty if there is none.
    pub type_name: String,
}
