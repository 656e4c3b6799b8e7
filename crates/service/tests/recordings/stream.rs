//! A client that reads lines in either encoding, and tokens for it.

use std::time::Duration;

use jsonwebtoken::{Algorithm, EncodingKey, Header, encode};
use serde_json::{Value, json};

/// The key of tokens, as Base64.
pub(super) const SECRET: &str = "MDEyMzQ1Njc4OWFiY2RlZg";

pub(super) fn token(user: &str, lifetime: i64) -> String {
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap().as_secs();
    let now = i64::try_from(now).unwrap();
    let claims = json!({"sub": user, "iat": now - 10, "exp": now + lifetime});
    encode(&Header::new(Algorithm::HS256), &claims, &EncodingKey::from_secret(b"0123456789abcdef")).unwrap()
}

/// The lines of a stream.
pub(super) struct Lines {
    response: reqwest::Response,
    is_bson: bool,
    rest: Vec<u8>,
}

impl Lines {
    pub(super) fn new(response: reqwest::Response, is_bson: bool) -> Self {
        Self { response, is_bson, rest: Vec::new() }
    }

    /// The next line; none at the end.
    pub(super) async fn next(&mut self) -> Option<Value> {
        loop {
            if let Some(line) = if self.is_bson { self.document() } else { self.text() } {
                return Some(line);
            }
            // Only a defect takes this long.
            let chunk = tokio::time::timeout(Duration::from_secs(20), self.response.chunk()).await;
            self.rest.extend(chunk.expect("there is a line").unwrap()?);
        }
    }

    fn text(&mut self) -> Option<Value> {
        let end = self.rest.iter().position(|byte| *byte == b'\n')?;
        let line: Vec<u8> = self.rest.drain(..=end).collect();
        Some(serde_json::from_slice(&line).unwrap())
    }

    fn document(&mut self) -> Option<Value> {
        let length = u32::from_le_bytes(self.rest.get(..4)?.try_into().unwrap()) as usize;
        self.rest.get(..length)?;
        let document: Vec<u8> = self.rest.drain(..length).collect();
        let document = bson::Document::from_reader(document.as_slice()).unwrap();
        Some(whole(serde_json::to_value(document).unwrap()))
    }
}

/// Checksums above 2³¹ are doubles.
fn whole(value: Value) -> Value {
    match value {
        #[allow(clippy::cast_possible_truncation, reason = "checked")]
        Value::Number(number) if number.is_f64() && number.as_f64().unwrap().fract() == 0.0 => {
            json!(number.as_f64().unwrap() as i64)
        }
        Value::Array(values) => Value::Array(values.into_iter().map(whole).collect()),
        Value::Object(members) => members.into_iter().map(|(name, value)| (name, whole(value))).collect(),
        other => other,
    }
}
