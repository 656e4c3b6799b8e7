//! Writes JSON values as BSON and reads BSON as JSON, for tests that feed the same line in both encodings.
//!
//! Numbers are written as the reference service does: 32-bit integers where they fit, doubles above up to 2⁵³, and
//! 64-bit integers where only those are exact. The reader knows the types that occur in sync lines and nothing else.

use serde_json::{Map, Value};

/// One BSON document for a JSON object.
///
/// # Panics
/// If `value` is no object.
pub fn encode(value: &Value) -> Vec<u8> {
    match value {
        Value::Object(members) => document(members.iter().map(|(name, value)| (name.as_str(), value))),
        other => panic!("a BSON document is an object, not {other}"),
    }
}

fn document<'v>(members: impl Iterator<Item = (&'v str, &'v Value)>) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, value) in members {
        let (kind, content) = element(value);
        body.push(kind);
        body.extend(name.as_bytes());
        body.push(0);
        body.extend(content);
    }
    let length = i32::try_from(body.len() + 5).expect("a document has less than 2 GiB");
    [&length.to_le_bytes(), body.as_slice(), &[0]].concat()
}

fn element(value: &Value) -> (u8, Vec<u8>) {
    match value {
        Value::Null => (0x0a, Vec::new()),
        Value::Bool(value) => (0x08, vec![u8::from(*value)]),
        Value::Number(number) => match number.as_i64() {
            Some(integer) => number_element(integer),
            None => (0x01, number.as_f64().unwrap_or_default().to_le_bytes().to_vec()),
        },
        Value::String(text) => {
            let length = i32::try_from(text.len() + 1).expect("a string has less than 2 GiB");
            (0x02, [&length.to_le_bytes(), text.as_bytes(), &[0]].concat())
        }
        Value::Array(items) => {
            let names: Vec<String> = (0..items.len()).map(|index| index.to_string()).collect();
            (0x04, document(names.iter().map(String::as_str).zip(items)))
        }
        Value::Object(_) => (0x03, encode(value)),
    }
}

fn number_element(integer: i64) -> (u8, Vec<u8>) {
    const EXACT_IN_DOUBLE: u64 = 1 << 53;
    match i32::try_from(integer) {
        Ok(small) => (0x10, small.to_le_bytes().to_vec()),
        Err(_) if integer.unsigned_abs() <= EXACT_IN_DOUBLE => (0x01, (integer as f64).to_le_bytes().to_vec()),
        Err(_) => (0x12, integer.to_le_bytes().to_vec()),
    }
}

/// The JSON object that a BSON document holds. Whole doubles become integers.
///
/// # Panics
/// If the document is damaged or holds types that sync lines do not have.
pub fn decode(document: &[u8]) -> Value {
    try_decode(document).expect("an undamaged BSON document of the types that sync lines have")
}

/// Like [`decode`]; None if the document is damaged, nested deeper than `serde_json` reads, or holds types or numbers
/// that JSON lacks.
pub fn try_decode(document: &[u8]) -> Option<Value> {
    let mut reader = Reader { bytes: document, position: 0, depth: 0 };
    let members = reader.document()?;
    (reader.position == document.len()).then(|| Value::Object(members.into_iter().collect()))
}

/// Deepest nesting that is read.
const DEPTH: usize = 128;

struct Reader<'b> {
    bytes: &'b [u8],
    position: usize,
    depth: usize,
}

impl<'b> Reader<'b> {
    fn take<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.slice(N)?.try_into().ok()
    }

    fn slice(&mut self, length: usize) -> Option<&'b [u8]> {
        let end = self.position.checked_add(length)?;
        let slice = self.bytes.get(self.position..end)?;
        self.position = end;
        Some(slice)
    }

    fn name(&mut self) -> Option<String> {
        let length = self.bytes.get(self.position..)?.iter().position(|byte| *byte == 0)?;
        let name = String::from_utf8(self.slice(length)?.to_vec()).ok()?;
        self.position += 1;
        Some(name)
    }

    fn length(&mut self) -> Option<usize> {
        usize::try_from(i32::from_le_bytes(self.take()?)).ok()
    }

    fn document(&mut self) -> Option<Vec<(String, Value)>> {
        let start = self.position;
        let end = self.length()?.checked_add(start)?;
        self.depth += 1;
        if self.depth > DEPTH {
            return None;
        }
        let mut members = Vec::new();
        loop {
            let [kind] = self.take()?;
            if kind == 0 {
                self.depth -= 1;
                return (self.position == end).then_some(members);
            }
            let name = self.name()?;
            members.push((name, self.value(kind)?));
        }
    }

    fn value(&mut self, kind: u8) -> Option<Value> {
        Some(match kind {
            0x01 => Some(f64::from_le_bytes(self.take()?)).filter(|real| real.is_finite()).map(double)?,
            0x02 => {
                let length = self.length()?.checked_sub(1)?;
                let text = String::from_utf8(self.slice(length)?.to_vec()).ok()?;
                (self.take()? == [0]).then(|| text.into())?
            }
            0x03 => Value::Object(self.document()?.into_iter().collect::<Map<_, _>>()),
            0x04 => self.document()?.into_iter().map(|(_, value)| value).collect(),
            0x08 => match self.take()? {
                [0] => Value::Bool(false),
                [1] => Value::Bool(true),
                _ => return None,
            },
            0x0a => Value::Null,
            0x10 => i32::from_le_bytes(self.take()?).into(),
            0x12 => i64::from_le_bytes(self.take()?).into(),
            _ => return None,
        })
    }
}

fn double(value: f64) -> Value {
    if value.fract() == 0.0 && value.abs() < 9e15 { (value as i64).into() } else { value.into() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        let value = json!({
            "text": "é\u{0}", "null": null, "yes": true, "no": false, "small": -5, "large": 4_294_967_295_i64,
            "exact": i64::MAX, "real": 1.5, "list": [1, "two", [3]], "object": {"a": {}}, "": "empty name",
        });
        assert_eq!(decode(&encode(&value)), value);
    }

    #[test]
    fn damaged_documents_are_recognised() {
        let good = encode(&json!({"a": [1, {"b": "c"}], "d": 1.5}));
        assert!(try_decode(&good).is_some());
        for length in 0..good.len() {
            assert_eq!(try_decode(&good[..length]), None);
        }
        for (index, wrong) in [(0, 0), (0, 255), (3, 255), (4, 0x7f), (good.len() - 1, 1)] {
            let mut damaged = good.clone();
            damaged[index] = wrong;
            assert_eq!(try_decode(&damaged), None, "{index}");
        }
        let deep = (0..200).fold(json!({}), |inner, _| json!({ "a": inner }));
        assert_eq!(try_decode(&encode(&deep)), None);
    }

    #[test]
    fn numbers_are_written_as_the_service_writes_them() {
        assert_eq!(encode(&json!({"a": 1}))[4], 0x10);
        assert_eq!(encode(&json!({"a": 1_i64 << 31}))[4], 0x01);
        assert_eq!(encode(&json!({"a": i64::MAX}))[4], 0x12);
    }
}
