//! Values of documents, and the two ways in which Convex writes them as JSON.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};

/// The fields of a document, or of an object in it.
pub type Document = BTreeMap<String, Value>;

/// A value of a document.
#[derive(Clone, Debug)]
#[allow(missing_docs, reason = "each is its own name")]
pub enum Value {
    Null,
    Boolean(bool),
    Int64(i64),
    Float64(f64),
    String(String),
    Bytes(Vec<u8>),
    Array(Vec<Value>),
    Object(Document),
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::String(text.to_owned())
    }
}

impl Value {
    /// As streaming export writes it with `format=json`: readable, but the types of some values are lost.
    pub fn clean(&self) -> Json {
        match self {
            Self::Null => Json::Null,
            Self::Boolean(boolean) => json!(boolean),
            Self::Int64(integer) => json!(integer.to_string()),
            // Always with a fraction or an exponent.
            Self::Float64(float) if float.is_finite() => json!(float),
            Self::Float64(float) if float.is_nan() => json!("NaN"),
            Self::Float64(float) if *float > 0.0 => json!("Infinity"),
            Self::Float64(_) => json!("-Infinity"),
            Self::String(text) => json!(text),
            Self::Bytes(bytes) => json!(STANDARD.encode(bytes)),
            Self::Array(items) => items.iter().map(Self::clean).collect(),
            Self::Object(document) => clean(document),
        }
    }

    /// As it is written where nothing may be lost.
    pub fn lossless(&self) -> Json {
        match self {
            Self::Int64(integer) => json!({"$integer": STANDARD.encode(integer.to_le_bytes())}),
            Self::Float64(float) if !float.is_finite() || (*float == 0.0 && float.is_sign_negative()) => {
                json!({"$float": STANDARD.encode(float.to_le_bytes())})
            }
            Self::Bytes(bytes) => json!({"$bytes": STANDARD.encode(bytes)}),
            Self::Array(items) => items.iter().map(Self::lossless).collect(),
            Self::Object(document) => lossless(document),
            other => other.clean(),
        }
    }

    /// Reads what [`Value::lossless`] writes. Numbers are floats, as in JavaScript.
    ///
    /// # Errors
    /// It is no value.
    pub fn from_lossless(json: &Json) -> Result<Self, String> {
        Ok(match json {
            Json::Null => Self::Null,
            Json::Bool(boolean) => Self::Boolean(*boolean),
            Json::Number(number) => Self::Float64(number.as_f64().ok_or("a number out of range")?),
            Json::String(text) => Self::String(text.clone()),
            Json::Array(items) => Self::Array(items.iter().map(Self::from_lossless).collect::<Result<_, _>>()?),
            Json::Object(members) => match members.iter().next() {
                Some((name, Json::String(text))) if name.starts_with('$') && members.len() == 1 => special(name, text)?,
                _ => Self::Object(document(json)?),
            },
        })
    }

    /// Whether it is the same, bit by bit.
    pub fn same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Float64(left), Self::Float64(right)) => left.to_bits() == right.to_bits(),
            _ => self.lossless() == other.lossless(),
        }
    }
}

fn special(name: &str, text: &str) -> Result<Value, String> {
    let bytes = STANDARD.decode(text).map_err(|_| format!("{name} has no base64"))?;
    let eight = |bytes: Vec<u8>| <[u8; 8]>::try_from(bytes).map_err(|_| format!("{name} has not eight bytes"));
    Ok(match name {
        "$integer" => Value::Int64(i64::from_le_bytes(eight(bytes)?)),
        "$float" => Value::Float64(f64::from_le_bytes(eight(bytes)?)),
        "$bytes" => Value::Bytes(bytes),
        _ => return Err(format!("{name} is no type")),
    })
}

/// Reads the fields of a document.
pub(crate) fn document(json: &Json) -> Result<Document, String> {
    let members = json.as_object().ok_or("a document is an object")?;
    let field = |(name, value): (&String, &Json)| match name.starts_with('$') {
        true => Err(format!("a field cannot be called {name}")),
        false => Ok((name.clone(), Value::from_lossless(value)?)),
    };
    members.iter().map(field).collect()
}

pub(crate) fn clean(document: &Document) -> Json {
    document.iter().map(|(name, value)| (name.clone(), value.clean())).collect()
}

pub(crate) fn lossless(document: &Document) -> Json {
    document.iter().map(|(name, value)| (name.clone(), value.lossless())).collect()
}
