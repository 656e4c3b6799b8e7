//! What developer tools are shown of downloaded rows: which members the rows of a table have, and of which type
//! (docs/reference/sync-client.md#diagnostics).

use alloc::boxed::Box;
use alloc::vec::Vec;

use rowtide_json::ObjectMembers;
use rowtide_protocol::{DataLine, Operation};

use super::instruction::{Diagnostics, ValueType};
use super::memory::copy;
use crate::collections::{Index, Key};
use crate::error::Result;

/// The types of members seen so far.
#[derive(Debug, Default)]
pub(super) struct SchemaObserver {
    columns: Vec<Column>,
    index: Index,
}

#[derive(Debug)]
struct Column {
    table: Box<str>,
    name: Box<str>,
    value_type: ValueType,
}

/// What a line adds to the types seen.
#[derive(Default)]
pub(super) struct Observed {
    /// Members that are new or have another type, each once.
    seen: SchemaObserver,
}

impl SchemaObserver {
    /// Reports every member of the line's rows that is new or changes its type; None if there is none.
    ///
    /// Members without a reported type (null, booleans, arrays and objects) are passed over. Of a row that is no
    /// readable object, only what comes before the fault is seen.
    ///
    /// # Errors
    /// Out of memory.
    pub(super) fn observe(
        &self,
        line: &DataLine<'_>,
        mut report: impl FnMut(Diagnostics) -> Result<()>,
    ) -> Result<Option<Observed>> {
        let mut observed = Observed::default();
        for entry in line.entries.iter().filter(|entry| entry.operation == Operation::Put) {
            let (Some(table), Some(data)) = (entry.row_type, entry.data) else { continue };
            for (name, value) in ObjectMembers::new(data).map_while(Result::ok) {
                let Some(value_type) = value_type(value).filter(|_| name != "id") else { continue };
                let known = observed.seen.type_of(table, &name).or_else(|| self.type_of(table, &name));
                if known.is_none_or(|known| known != value_type && known != ValueType::String) {
                    observed.seen.reserve(1)?;
                    observed.seen.set(Column { table: copy(table)?, name: copy(&name)?, value_type });
                    report(Diagnostics::SchemaChange { table: copy(table)?, column: copy(&name)?, value_type })?;
                }
            }
        }
        Ok(Some(observed).filter(|observed| !observed.seen.columns.is_empty()))
    }

    /// Makes room for what was observed.
    pub(super) fn reserve_for(&mut self, observed: &Observed) -> Result<()> {
        self.reserve(observed.seen.columns.len())
    }

    /// Remembers what was observed; there is room for it.
    pub(super) fn adopt(&mut self, observed: Observed) {
        for column in observed.seen.columns {
            self.set(column);
        }
    }

    fn reserve(&mut self, additional: usize) -> Result<()> {
        self.columns.try_reserve(additional)?;
        self.index.reserve(additional)
    }

    fn find(&self, table: &str, name: &str) -> Option<usize> {
        self.index.find(Key::Part(table, name), &key_at(&self.columns))
    }

    fn type_of(&self, table: &str, name: &str) -> Option<ValueType> {
        Some(self.columns.get(self.find(table, name)?)?.value_type)
    }

    /// Adds a column, or changes its type; there is room for it.
    fn set(&mut self, column: Column) {
        match self.find(&column.table, &column.name) {
            Some(position) => {
                if let Some(known) = self.columns.get_mut(position) {
                    known.value_type = column.value_type;
                }
            }
            None => {
                self.index.insert(Key::Part(&column.table, &column.name), self.columns.len());
                self.columns.push(column);
            }
        }
    }
}

fn key_at<'c>(columns: &'c [Column]) -> impl Fn(usize) -> Key<'c> {
    |position| {
        debug_assert!(position < columns.len(), "the index is of other columns");
        columns.get(position).map_or(Key::Id(0), |column| Key::Part(&column.table, &column.name))
    }
}

/// The type of a JSON value, by its text.
fn value_type(value: &str) -> Option<ValueType> {
    let mut bytes = value.bytes();
    match bytes.next()? {
        b'"' => Some(ValueType::String),
        b'0'..=b'9' | b'-' if bytes.clone().all(|byte| byte.is_ascii_digit()) => Some(ValueType::Integer),
        b'0'..=b'9' => Some(ValueType::Real),
        b'-' if bytes.next()?.is_ascii_digit() => Some(ValueType::Real),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rowtide_protocol::{Checksum, OplogEntry};
    use std::string::String;
    use std::vec;
    use std::vec::Vec;

    fn entry<'a>(operation: Operation, data: &'a str) -> OplogEntry<'a> {
        OplogEntry {
            op_id: 1,
            operation,
            checksum: Checksum::ZERO,
            row_type: Some("t"),
            row_id: Some("1"),
            subkey: None,
            data: Some(data),
        }
    }

    fn observe(observer: &mut SchemaObserver, data: &str) -> Vec<(String, ValueType)> {
        let line = DataLine { bucket: "b", entries: vec![entry(Operation::Put, data)] };
        let look = |observer: &SchemaObserver| {
            let mut seen = vec![];
            let observed = observer
                .observe(&line, |change| match change {
                    Diagnostics::SchemaChange { table, column, value_type } => {
                        assert_eq!(&*table, "t");
                        seen.push((column.into_string(), value_type));
                        Ok(())
                    }
                    other => panic!("{other:?}"),
                })
                .unwrap();
            (seen, observed)
        };
        let (seen, observed) = look(observer);
        assert_eq!(look(observer).0, seen, "only seen, not remembered");
        if let Some(observed) = observed {
            observer.reserve_for(&observed).unwrap();
            observer.adopt(observed);
        }
        seen
    }

    #[test]
    fn members_are_reported_when_new_or_changed() {
        let mut observer = SchemaObserver::default();
        let first =
            r#"{"id":1,"s":"a","i":-1,"r":1e3,"n":null,"b":true,"a":[1],"o":{"s":1},"x":NaN,"y":-Infinity,"z":-0.5}"#;
        let names = |seen: Vec<(String, ValueType)>| {
            seen.into_iter().map(|(c, t)| std::format!("{c} {t:?}")).collect::<Vec<_>>()
        };
        assert_eq!(names(observe(&mut observer, first)), ["s String", "i Integer", "r Real", "z Real"]);
        assert!(observe(&mut observer, first).is_empty());
        let second = r#"{"s":1,"i":1.5,"r":18446744073709551616,"n":"text","b":false}"#;
        assert_eq!(names(observe(&mut observer, second)), ["i Real", "r Integer", "n String"]);
        assert_eq!(
            names(observe(&mut observer, r#"{"d":1,"d":"s","e" : 5 , "broken"}"#)),
            ["d Integer", "d String", "e Integer"]
        );
        assert!(observe(&mut observer, "[1]").is_empty());
    }

    #[test]
    fn only_rows_that_are_put_are_looked_at() {
        let observer = SchemaObserver::default();
        let untyped = OplogEntry { row_type: None, ..entry(Operation::Put, r#"{"a":1}"#) };
        let line = DataLine { bucket: "b", entries: vec![entry(Operation::Remove, r#"{"a":1}"#), untyped] };
        assert!(observer.observe(&line, |change| panic!("{change:?}")).unwrap().is_none());
    }
}
