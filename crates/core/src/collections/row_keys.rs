//! Sorting many stored operations by their row, so that they are entered into a b-tree in its order.

use alloc::string::String;
use alloc::vec::Vec;
use core::cmp::Ordering::{self, Equal};

use super::names::Names;
use crate::error::{Error, ErrorKind, Result};

/// Operations with the type and id of their row. Memory for one: 32 bytes and the id.
#[derive(Debug, Default)]
pub(crate) struct RowKeys {
    keys: Vec<RowKey>,
    row_types: Names,
    row_ids: String,
}

#[derive(Debug, Clone, Copy)]
struct RowKey {
    /// Index in `row_types`.
    row_type: u32,
    /// The first bytes of the row id, which nearly always decide a comparison.
    prefix: u64,
    start: u32,
    length: u32,
    operation: i64,
}

impl RowKeys {
    /// How many operations there are.
    pub(crate) fn len(&self) -> usize {
        self.keys.len()
    }

    /// The bytes of all row ids. Fewer than 2³² fit.
    pub(crate) fn size(&self) -> usize {
        self.row_ids.len()
    }

    /// Adds an operation.
    ///
    /// # Errors
    /// Out of memory, also when row ids do not fit.
    pub(crate) fn push(&mut self, row_type: &str, row_id: &str, operation: i64) -> Result<()> {
        let row_type = self.type_index(row_type)?;
        let (start, length) = (position(self.row_ids.len())?, position(row_id.len())?);
        self.row_ids.try_reserve(row_id.len())?;
        self.keys.try_reserve(1)?;
        self.row_ids.push_str(row_id);
        self.keys.push(RowKey { row_type, prefix: prefix(row_id), start, length, operation });
        Ok(())
    }

    fn type_index(&mut self, row_type: &str) -> Result<u32> {
        // Operations mostly come sorted by type, and of few types.
        let last = self.keys.last().map(|key| key.row_type);
        if let Some(last) = last.filter(|last| self.type_name(*last) == row_type) {
            return Ok(last);
        }
        position(match self.row_types.position(row_type) {
            Some(index) => index,
            None => self.row_types.add(row_type)?,
        })
    }

    fn type_name(&self, index: u32) -> &str {
        type_name(&self.row_types, index)
    }

    /// Sorts by type, row id and operation, and visits all in that order.
    ///
    /// # Errors
    /// The first one of `visit`.
    pub(crate) fn visit_sorted(&mut self, visit: &mut dyn FnMut(&str, &str, i64) -> Result<()>) -> Result<()> {
        let (row_types, row_ids) = (&self.row_types, self.row_ids.as_str());
        let type_name = |key: &RowKey| type_name(row_types, key.row_type);
        let row_id = |key: &RowKey| {
            let start = key.start as usize;
            let row_id = row_ids.get(start..start + key.length as usize);
            debug_assert!(row_id.is_some(), "a row id was lost");
            row_id.unwrap_or_default()
        };
        let compare_texts = |a: &RowKey, b: &RowKey| {
            let by_type = if a.row_type == b.row_type { Equal } else { type_name(a).cmp(type_name(b)) };
            let by_row = by_type.then(a.prefix.cmp(&b.prefix)).then_with(|| row_id(a).cmp(row_id(b)));
            by_row.then(a.operation.cmp(&b.operation))
        };
        // Behind a pointer, so that what nearly always decides is small enough to be inlined.
        let compare_texts: &dyn Fn(&RowKey, &RowKey) -> Ordering = &compare_texts;
        self.keys.sort_unstable_by(|a, b| {
            if a.row_type == b.row_type && a.prefix != b.prefix { a.prefix.cmp(&b.prefix) } else { compare_texts(a, b) }
        });
        self.keys.iter().try_for_each(|key| visit(type_name(key), row_id(key), key.operation))
    }

    /// Forgets all operations. The memory stays, for the next ones.
    pub(crate) fn clear(&mut self) {
        self.keys.clear();
        self.row_types.clear();
        self.row_ids.clear();
    }
}

fn type_name(row_types: &Names, index: u32) -> &str {
    debug_assert!(row_types.get(index as usize).is_some(), "a row type was lost");
    row_types.get(index as usize).unwrap_or_default()
}

/// The first eight bytes of a text as a number that sorts as they do; shorter texts sort before their continuations.
fn prefix(text: &str) -> u64 {
    let mut bytes = [0; 8];
    for (byte, first) in bytes.iter_mut().zip(text.bytes()) {
        *byte = first;
    }
    u64::from_be_bytes(bytes)
}

fn position(length: usize) -> Result<u32> {
    u32::try_from(length).map_err(|_| Error::new(ErrorKind::OutOfMemory, "too many rows to sort at once"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::collections::index::compared;
    use proptest::prelude::*;

    fn sorted(keys: &mut RowKeys) -> Vec<(String, String, i64)> {
        let mut sorted = Vec::new();
        keys.visit_sorted(&mut |row_type, row_id, operation| {
            sorted.push((row_type.into(), row_id.into(), operation));
            Ok(())
        })
        .unwrap();
        sorted
    }

    proptest! {
        #[test]
        fn operations_come_by_type_and_row_and_number(
            operations in proptest::collection::vec(("[ab]{0,2}", "[a\u{0}é]{0,10}", -3_i64..3), 0..60)
        ) {
            let mut keys = RowKeys::default();
            for round in 0..2 {
                for (row_type, row_id, operation) in &operations {
                    keys.push(row_type, row_id, *operation + round).unwrap();
                }
                prop_assert_eq!(keys.len(), operations.len());
                prop_assert_eq!(keys.size(), operations.iter().map(|(_, row_id, _)| row_id.len()).sum::<usize>());
                let mut expected: Vec<_> =
                    operations.iter().map(|(t, id, operation)| (t.clone(), id.clone(), *operation + round)).collect();
                expected.sort();
                prop_assert_eq!(sorted(&mut keys), expected);
                keys.clear();
                prop_assert_eq!(keys.len(), 0);
            }
        }
    }

    #[test]
    fn many_types_are_distinguished_with_few_comparisons() {
        const TYPES: usize = 5_000;
        let mut keys = RowKeys::default();
        let before = compared();
        for number in (0..TYPES).chain(0..TYPES) {
            keys.push(&std::format!("type {number:06}"), "1", 0).unwrap();
        }
        assert!((TYPES..2 * TYPES).contains(&(compared() - before)), "{}", compared() - before);
        let sorted = sorted(&mut keys);
        assert!(sorted.is_sorted() && sorted.len() == 2 * TYPES && sorted[1].0 == "type 000000");
    }

    #[test]
    fn the_first_error_ends_the_visit() {
        let mut keys = RowKeys::default();
        for operation in [3, 1, 2] {
            keys.push("t", "1", operation).unwrap();
        }
        let mut visited = 0;
        let result = keys.visit_sorted(&mut |_, _, operation| {
            visited += 1;
            if operation == 2 { Err(Error::argument("two")) } else { Ok(()) }
        });
        assert!(result.is_err());
        assert_eq!(visited, 2);
    }
}
