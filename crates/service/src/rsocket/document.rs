//! Documents of clients, in BSON or JSON: who the client is, and what it asks for.

use bson::{RawArray, RawBsonRef, RawDocument};
use serde_json::{Map, Number, Value};

/// The most documents in documents.
const MAX_DEPTH: usize = 64;

/// The largest integer that a JavaScript number is exact for.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;

/// How documents are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Json,
    Bson,
}

impl Format {
    /// The format of a MIME type.
    pub(super) fn of_type(name: &str) -> Option<Self> {
        match name.split(';').next().unwrap_or_default().trim() {
            "application/json" => Some(Self::Json),
            "application/bson" => Some(Self::Bson),
            _ => None,
        }
    }

    /// A document as JSON text. An empty one has no members.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(super) fn to_json(self, document: &[u8]) -> Result<Vec<u8>, String> {
        match self {
            _ if document.is_empty() => Ok(b"{}".to_vec()),
            Self::Json => Ok(document.to_vec()),
            Self::Bson => {
                let parsed = RawDocument::from_bytes(document).map_err(|error| format!("not BSON: {error}"))?;
                let members = members(parsed, 0)?;
                serde_json::to_vec(&members).map_err(|error| error.to_string())
            }
        }
    }
}

fn members(document: &RawDocument, depth: usize) -> Result<Map<String, Value>, String> {
    let mut members = Map::new();
    for member in document {
        let (name, member) = member.map_err(|error| format!("not BSON: {error}"))?;
        members.insert(name.as_str().to_owned(), value(member, depth)?);
    }
    Ok(members)
}

fn items(array: &RawArray, depth: usize) -> Result<Vec<Value>, String> {
    array.into_iter().map(|item| value(item.map_err(|error| format!("not BSON: {error}"))?, depth)).collect()
}

fn value(bson: RawBsonRef<'_>, depth: usize) -> Result<Value, String> {
    let deeper = depth.checked_add(1).filter(|depth| *depth <= MAX_DEPTH);
    let deeper = deeper.ok_or_else(|| format!("BSON with more than {MAX_DEPTH} documents in documents"));
    Ok(match bson {
        RawBsonRef::Null | RawBsonRef::Undefined => Value::Null,
        RawBsonRef::Boolean(value) => Value::Bool(value),
        RawBsonRef::Int32(number) => number.into(),
        RawBsonRef::Int64(number) => number.into(),
        // JavaScript writes large integers so.
        #[allow(clippy::cast_possible_truncation, reason = "it is a whole number that fits")]
        RawBsonRef::Double(number) if number.fract() == 0.0 && number.abs() < MAX_EXACT => (number as i64).into(),
        RawBsonRef::Double(number) => Number::from_f64(number).map_or(Value::Null, Value::Number),
        RawBsonRef::String(text) => Value::String(text.to_owned()),
        RawBsonRef::Document(document) => Value::Object(members(document, deeper?)?),
        RawBsonRef::Array(array) => Value::Array(items(array, deeper?)?),
        other => {
            return Err(format!("BSON with a member of type {:?}, which requests do not have", other.element_type()));
        }
    })
}

/// Who a client is, by the metadata of its setup.
#[derive(Clone, Debug, Default, serde::Deserialize)]
pub(super) struct Identity {
    /// As the header `Authorization`.
    pub(super) token: Option<String>,
    /// How the client calls itself.
    pub(super) user_agent: Option<String>,
}

/// What a request is for.
#[derive(Clone, Debug, Default, serde::Deserialize)]
pub(super) struct Target {
    pub(super) path: Option<String>,
}

/// How a request wants its lines.
#[derive(Clone, Copy, Debug, Default, serde::Deserialize)]
pub(super) struct Lines {
    /// As BSON, whatever the request is written in.
    #[serde(default)]
    pub(super) binary_data: bool,
}

#[cfg(test)]
mod tests {
    use bson::{Document, doc};

    use super::*;

    fn json(document: Document) -> Result<String, String> {
        let bytes = document.to_vec().unwrap();
        Format::Bson.to_json(&bytes).map(|json| String::from_utf8(json).unwrap())
    }

    #[test]
    fn bson_requests_are_the_same_as_json_ones() {
        let document = doc! {
            "raw_data": true, "buckets": [{"name": "b", "after": "5"}], "n": 5_i32, "large": 1_099_511_627_776.0, "i": i64::MAX,
            "half": 0.5, "none": null,
        };
        let expected = serde_json::json!({
            "raw_data": true, "buckets": [{"name": "b", "after": "5"}], "n": 5, "large": 1_099_511_627_776_i64, "i": i64::MAX,
            "half": 0.5, "none": null,
        });
        let read: Value = serde_json::from_str(&json(document).unwrap()).unwrap();
        assert_eq!(read, expected);
        assert_eq!(Format::Bson.to_json(b"").unwrap(), b"{}");
        assert_eq!(Format::Json.to_json(b"{\"a\": 1}").unwrap(), b"{\"a\": 1}");
        assert!(json(doc! {"id": bson::oid::ObjectId::new()}).unwrap_err().contains("ObjectId"));
    }

    #[test]
    fn what_is_no_document_is_refused() {
        assert!(Format::Bson.to_json(b"{}").is_err());
        let mut deep = doc! {};
        for _ in 0..100 {
            deep = doc! {"a": deep};
        }
        assert!(json(deep).unwrap_err().contains("64"));
        assert_eq!(Format::of_type("application/json; charset=utf-8"), Some(Format::Json));
        assert_eq!(Format::of_type("text/plain"), None);
    }

    #[test]
    fn any_bytes_are_read_or_refused() {
        let mut state = 5_u64;
        let mut random = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize
        };
        let whole = doc! {"a": [1, {"b": "text"}], "c": 2.5, "d": null}.to_vec().unwrap();
        for _ in 0..50_000 {
            let mut bytes = whole.clone();
            for _ in 0..random() % 4 {
                let at = random() % bytes.len();
                bytes[at] = random() as u8;
            }
            bytes.truncate(bytes.len() - random() % 3);
            let _ = Format::Bson.to_json(&bytes);
        }
    }
}
