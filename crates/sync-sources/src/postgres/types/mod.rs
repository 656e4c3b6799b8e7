//! Values: the text that the server writes, as values of SQLite.
//!
//! The text of logical replication and of `COPY` is the same, so a snapshot and the stream give the same values. It depends
//! on settings of the session ([`pg_connect::SESSION`]). A text that is not as expected stays a text.

mod json;
mod literal;
mod load;
mod time;

use std::sync::Arc;

use sync_config::{Settings, Value};
use sync_engine::row::SourceValue;

pub(crate) use literal::{array_literal, quote, quote_name};
pub(crate) use load::Types;

use json::Style;

/// How the text of a type is read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Integer,
    Real,
    Boolean,
    Text,
    Bytes,
    Date,
    /// With or without a zone.
    Time {
        digits: u8,
    },
    Timestamp {
        digits: u8,
        /// Whether it has a zone, which is UTC then.
        utc: bool,
    },
    Json,
    Lsn,
    Array(Arc<Element>),
    Domain(Arc<Kind>),
    Composite(Arc<[(String, Kind)]>),
    Range(Arc<Kind>),
    Multirange(Arc<Kind>),
}

/// What an array is of.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) kind: Kind,
    pub(crate) delimiter: u8,
    /// Whether its JSON depends on settings.
    varies: bool,
}

impl Element {
    pub(crate) fn new(kind: Kind, delimiter: u8) -> Self {
        let varies = kind.varies();
        Self { kind, delimiter, varies }
    }
}

impl Kind {
    /// Whether values within others depend on settings.
    fn varies(&self) -> bool {
        match self {
            Self::Timestamp { .. } | Self::Domain(_) | Self::Composite(_) | Self::Range(_) | Self::Multirange(_) => {
                true
            }
            Self::Array(element) => element.varies,
            _ => false,
        }
    }

    /// The value of a text.
    pub(crate) fn value(&self, text: &[u8]) -> SourceValue {
        let text = String::from_utf8_lossy(text);
        match self {
            Self::Timestamp { digits, utc } => match time::timestamp(&text, *utc) {
                Some(text) => SourceValue::Timestamp { text, utc: *utc, digits: *digits },
                None => SourceValue::Value(Value::Text(text.into_owned())),
            },
            Self::Array(element) if element.varies => {
                let structured = Value::Text(self.json_or_raw(&text, Style::Structured));
                SourceValue::Custom { raw: self.json_or_raw(&text, Style::Plain), structured }
            }
            Self::Domain(_) | Self::Composite(_) | Self::Range(_) | Self::Multirange(_) => {
                let structured = self.structured(&text);
                SourceValue::Custom { raw: text.into_owned(), structured }
            }
            _ => SourceValue::Value(self.structured(&text)),
        }
    }

    /// The value in a key, which does not depend on a configuration.
    pub(crate) fn key_value(&self, text: &[u8]) -> Value {
        self.value(text).to_value(&Settings::default()).unwrap_or(Value::Null)
    }

    /// The value with all settings on.
    fn structured(&self, text: &str) -> Value {
        let unread = || Value::Text(text.to_owned());
        match self {
            Self::Integer => text.parse().map_or_else(|_| unread(), Value::Integer),
            Self::Real => text.parse().map_or_else(|_| unread(), Value::real),
            Self::Boolean => match text {
                "t" => Value::Integer(1),
                "f" => Value::Integer(0),
                _ => unread(),
            },
            Self::Bytes => bytes(text).map_or_else(unread, Value::Blob),
            Self::Text | Self::Json => unread(),
            Self::Date => Value::text(time::date(text)),
            Self::Time { digits } => Value::Text(time::time(text, *digits)),
            Self::Timestamp { digits, utc } => Value::Text(time::iso(text, *utc, *digits)),
            Self::Lsn => super::place::Lsn::parse(text)
                .map_or_else(unread, |lsn| Value::Text(format!("{:08X}/{:08X}", lsn.0 >> 32, lsn.0 & 0xffff_ffff))),
            Self::Domain(base) => base.structured(text),
            Self::Array(_) | Self::Composite(_) | Self::Range(_) | Self::Multirange(_) => {
                Value::Text(self.json_or_raw(text, Style::Structured))
            }
        }
    }

    fn json_or_raw(&self, text: &str, style: Style) -> String {
        let mut json = String::with_capacity(text.len() + 16);
        match json::write(self, text, style, &mut json) {
            Some(()) => json,
            None => text.to_owned(),
        }
    }
}

/// Reads `\x0aff`.
fn bytes(text: &str) -> Option<Vec<u8>> {
    let digits = text.strip_prefix("\\x")?.as_bytes();
    let digit = |byte: u8| char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok());
    let (pairs, rest) = digits.as_chunks::<2>();
    if !rest.is_empty() {
        return None;
    }
    pairs.iter().map(|[high, low]| Some(digit(*high)? << 4 | digit(*low)?)).collect()
}

#[cfg(test)]
mod tests;
