//! Values and states of rows as bytes.
//!
//! Numbers are variable-length, 7 bits a byte; texts have their length first. The object id of a place is left out if it is
//! the text of the row's key or the same as in the place before, which nearly all are.

use std::collections::HashMap;
use std::sync::Arc;

use sync_config::Value;
use sync_engine::live::{DefinitionId, IndexId};
use sync_engine::row::RowKey;
use sync_engine::store::{BucketId, Place, RowState, StoredParameter};

/// The numbers of interned names of client tables.
#[derive(Clone, Default)]
pub(crate) struct Types {
    numbers: HashMap<Arc<str>, u32>,
    names: Arc<Vec<Arc<str>>>,
}

impl Types {
    pub(crate) fn number(&self, name: &str) -> Option<u32> {
        self.numbers.get(name).copied()
    }

    pub(crate) fn names(&self) -> &Arc<Vec<Arc<str>>> {
        &self.names
    }

    /// The number of a name, and whether it is new.
    pub(crate) fn intern(&mut self, name: &Arc<str>) -> (u32, bool) {
        if let Some(number) = self.number(name) {
            return (number, false);
        }
        let number = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        Arc::make_mut(&mut self.names).push(Arc::clone(name));
        self.numbers.insert(Arc::clone(name), number);
        (number, true)
    }
}

/// The name with this number.
pub(crate) fn type_name(names: &[Arc<str>], number: i64) -> Option<Arc<str>> {
    names.get(usize::try_from(number).ok()?).cloned()
}

const ID_OF_KEY: u64 = 0;
const ID_OF_PREVIOUS: u64 = 1;
const ID_LENGTHS_FROM: u64 = 2;

/// The bytes of a row's state; none if a type is not interned, which does not happen.
pub(crate) fn write_row_state(state: &RowState, key: &RowKey, types: &Types, bytes: &mut Vec<u8>) -> Option<()> {
    write_number(bytes, state.places.len() as u64);
    let mut previous: Option<&str> = None;
    for place in &state.places {
        write_number(bytes, u64::from(place.definition.0));
        write_number(bytes, place.bucket.0.cast_unsigned());
        write_number(bytes, u64::from(types.number(&place.object_type)?));
        if key_text(key) == Some(place.object_id.as_bytes()) {
            write_number(bytes, ID_OF_KEY);
        } else if previous == Some(&place.object_id) {
            write_number(bytes, ID_OF_PREVIOUS);
        } else {
            write_number(bytes, ID_LENGTHS_FROM + place.object_id.len() as u64);
            bytes.extend_from_slice(place.object_id.as_bytes());
        }
        previous = Some(&place.object_id);
        write_number(bytes, place.op_id.cast_unsigned());
        bytes.extend_from_slice(&place.hash.to_le_bytes());
    }
    write_number(bytes, state.parameters.len() as u64);
    for parameter in &state.parameters {
        write_number(bytes, u64::from(parameter.index.0));
        write_text(bytes, &parameter.key);
        bytes.extend_from_slice(&parameter.hash.to_le_bytes());
    }
    write_number(bytes, state.unsent.len() as u64);
    for (column, value) in &state.unsent {
        write_number(bytes, u64::from(*column));
        write_value(bytes, value);
    }
    Some(())
}

/// The state in these bytes; none if they are damaged.
pub(crate) fn read_row_state(bytes: &[u8], key: &RowKey, names: &[Arc<str>]) -> Option<RowState> {
    let mut bytes = Bytes(bytes);
    let mut state = RowState::default();
    for _ in 0..bytes.number()? {
        let definition = DefinitionId(bytes.small_number()?);
        let bucket = BucketId(bytes.number()?.cast_signed());
        let object_type = type_name(names, i64::from(bytes.small_number()?))?;
        let object_id: Arc<str> = match bytes.number()? {
            ID_OF_KEY => std::str::from_utf8(key_text(key)?).ok()?.into(),
            ID_OF_PREVIOUS => Arc::clone(&state.places.last()?.object_id),
            length => bytes.text_of(length.checked_sub(ID_LENGTHS_FROM)?)?.into(),
        };
        let op_id = bytes.number()?.cast_signed();
        state.places.push(Place { definition, bucket, object_type, object_id, op_id, hash: bytes.fixed()? });
    }
    for _ in 0..bytes.number()? {
        let index = IndexId(bytes.small_number()?);
        state.parameters.push(StoredParameter { index, key: bytes.text()?.into(), hash: bytes.fixed()? });
    }
    for _ in 0..bytes.number()? {
        state.unsent.push((bytes.small_number()?, bytes.value()?));
    }
    bytes.0.is_empty().then_some(state)
}

/// The bytes of a list of values.
pub(crate) fn write_values(values: &[Value]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for value in values {
        write_value(&mut bytes, value);
    }
    bytes
}

/// The values in these bytes; none if they are damaged.
pub(crate) fn read_values(bytes: &[u8]) -> Option<Vec<Value>> {
    let mut bytes = Bytes(bytes);
    let mut values = Vec::new();
    while !bytes.0.is_empty() {
        values.push(bytes.value()?);
    }
    Some(values)
}

/// The text of a key that is one text: after a tag and a length of 8 bytes.
fn key_text(key: &RowKey) -> Option<&[u8]> {
    let (header, text) = key.0.split_at_checked(9)?;
    let (tag, length) = header.split_first()?;
    let length = u64::from_be_bytes(length.try_into().ok()?);
    (*tag == 3 && length == text.len() as u64).then_some(text)
}

fn write_number(bytes: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        bytes.push((number as u8) | 0x80);
        number >>= 7;
    }
    bytes.push(number as u8);
}

fn write_text(bytes: &mut Vec<u8>, text: &str) {
    write_number(bytes, text.len() as u64);
    bytes.extend_from_slice(text.as_bytes());
}

fn write_value(bytes: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => bytes.push(0),
        Value::Integer(integer) => {
            bytes.push(1);
            // Small negative numbers are short too.
            write_number(bytes, ((integer << 1) ^ (integer >> 63)).cast_unsigned());
        }
        Value::Real(real) => {
            bytes.push(2);
            bytes.extend_from_slice(&real.to_bits().to_le_bytes());
        }
        Value::Text(text) => {
            bytes.push(3);
            write_text(bytes, text);
        }
        Value::Blob(blob) => {
            bytes.push(4);
            write_number(bytes, blob.len() as u64);
            bytes.extend_from_slice(blob);
        }
    }
}

/// What is left to read.
struct Bytes<'a>(&'a [u8]);

impl<'a> Bytes<'a> {
    fn take(&mut self, length: u64) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(usize::try_from(length).ok()?)?;
        self.0 = rest;
        Some(taken)
    }

    fn byte(&mut self) -> Option<u8> {
        self.take(1)?.first().copied()
    }

    fn number(&mut self) -> Option<u64> {
        let mut number = 0_u64;
        for shift in (0..64).step_by(7) {
            let byte = self.byte()?;
            number |= u64::from(byte & 0x7F).checked_shl(shift)?;
            if byte & 0x80 == 0 {
                return Some(number);
            }
        }
        None
    }

    fn small_number(&mut self) -> Option<u32> {
        self.number()?.try_into().ok()
    }

    fn fixed(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    fn text_of(&mut self, length: u64) -> Option<&'a str> {
        std::str::from_utf8(self.take(length)?).ok()
    }

    fn text(&mut self) -> Option<&'a str> {
        let length = self.number()?;
        self.text_of(length)
    }

    fn value(&mut self) -> Option<Value> {
        Some(match self.byte()? {
            0 => Value::Null,
            1 => {
                let number = self.number()?;
                Value::Integer((number >> 1).cast_signed() ^ -(number & 1).cast_signed())
            }
            2 => Value::Real(f64::from_bits(self.fixed()?)),
            3 => Value::Text(self.text()?.to_owned()),
            4 => {
                let length = self.number()?;
                Value::Blob(self.take(length)?.to_vec())
            }
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(object_id: &str, bucket: i64, op_id: i64) -> Place {
        let (object_type, object_id) = ("todos".into(), object_id.into());
        Place {
            definition: DefinitionId(3),
            bucket: BucketId(bucket),
            object_type,
            object_id,
            op_id,
            hash: u64::MAX - 1,
        }
    }

    fn state() -> RowState {
        let unsent = vec![
            (0, Value::Null),
            (1, Value::Integer(i64::MIN)),
            (2, Value::Integer(i64::MAX)),
            (3, Value::Real(-0.5)),
            (4, Value::text("ä")),
            (u32::MAX, Value::Blob(vec![0, 255])),
        ];
        let parameter = StoredParameter { index: IndexId(9), key: "[\"u\"]".into(), hash: 5 };
        let places =
            vec![place("key", 1, 1), place("other", i64::MAX, i64::MAX), place("other", 300, 2), place("", 1, 3)];
        RowState { places, parameters: vec![parameter], unsent }
    }

    fn types() -> Types {
        let mut types = Types::default();
        assert_eq!(types.intern(&"lists".into()), (0, true));
        assert_eq!(types.intern(&"todos".into()), (1, true));
        assert_eq!(types.intern(&"lists".into()), (0, false));
        types
    }

    #[test]
    fn states_are_read_as_they_were_written() {
        let types = types();
        for key in
            [vec![Value::text("key")], vec![Value::text("ke"), Value::text("y")], vec![Value::Integer(1)], vec![]]
        {
            let key = RowKey::new(&key);
            let mut bytes = Vec::new();
            write_row_state(&state(), &key, &types, &mut bytes).unwrap();
            let read = read_row_state(&bytes, &key, types.names()).unwrap();
            assert_eq!(read.places, state().places);
            assert_eq!(read.parameters, state().parameters);
            assert_eq!(format!("{:?}", read.unsent), format!("{:?}", state().unsent));
        }
    }

    #[test]
    fn the_id_of_a_place_is_not_stored_if_it_is_the_key() {
        let types = types();
        let written = |key: &str| {
            let state = RowState { places: vec![place("0123456789", 1, 1)], ..RowState::default() };
            let mut bytes = Vec::new();
            write_row_state(&state, &RowKey::new(&[Value::text(key)]), &types, &mut bytes).unwrap();
            bytes.len()
        };
        assert_eq!(written("0123456789") + 10, written("another"));
    }

    #[test]
    fn damaged_bytes_are_no_state() {
        let (types, key) = (types(), RowKey::new(&[Value::text("key")]));
        let mut bytes = Vec::new();
        write_row_state(&state(), &key, &types, &mut bytes).unwrap();
        for length in 0..bytes.len() {
            assert!(read_row_state(&bytes[..length], &key, types.names()).is_none(), "{length}");
        }
        bytes.push(0);
        assert!(read_row_state(&bytes, &key, types.names()).is_none());
        assert!(read_row_state(&[0xFF; 20], &key, types.names()).is_none());
        assert!(read_values(&[9]).is_none());
    }
}
