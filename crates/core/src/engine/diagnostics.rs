//! What developer tools get to know about downloaded rows: which members the rows of a table have, and of which type
//! (sync client, Diagnostics).

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

use super::instruction::{Diagnostics, ValueType};
use crate::collections::{Index, Key};
use crate::error::Result;
use crate::json::ObjectMembers;
use crate::protocol::{DataLine, Operation};

/// The types of members seen so far.
#[derive(Debug, Default)]
pub struct SchemaObserver {
    columns: Vec<Column>,
    index: Index,
}

#[derive(Debug)]
struct Column {
    table: String,
    name: String,
    value_type: ValueType,
}

impl SchemaObserver {
    /// Reports every member of the line's rows that is new or changes its type.
    ///
    /// Members without a type of their own (null, booleans, arrays and objects) are passed over. Of a row that is no
    /// readable object, only what comes before the fault is seen.
    ///
    /// # Errors
    /// Out of memory.
    pub fn observe(&mut self, line: &DataLine<'_>, mut report: impl FnMut(Diagnostics)) -> Result<()> {
        for entry in line.entries.iter().filter(|entry| entry.operation == Operation::Put) {
            let (Some(table), Some(data)) = (entry.row_type, entry.data) else { continue };
            for (name, value) in ObjectMembers::new(data).map_while(Result::ok) {
                let Some(value_type) = value_type(value).filter(|_| name != "id") else { continue };
                if self.is_new(table, &name, value_type)? {
                    let (table, column) = (String::from(table), Cow::into_owned(name));
                    report(Diagnostics::SchemaChange { table, column, value_type });
                }
            }
        }
        Ok(())
    }

    /// Remembers the type. Returns whether it has to be reported.
    fn is_new(&mut self, table: &str, name: &str, value_type: ValueType) -> Result<bool> {
        let columns = &mut self.columns;
        let key = Key::Part(table, name);
        let known = self.index.find(key, &key_at(columns));
        if let Some(position) = known {
            let Some(column) = columns.get_mut(position) else { return Ok(false) };
            let is_new = column.value_type != value_type && column.value_type != ValueType::String;
            if is_new {
                column.value_type = value_type;
            }
            return Ok(is_new);
        }
        columns.try_reserve(1)?;
        self.index.reserve(1)?;
        columns.push(Column { table: table.into(), name: name.into(), value_type });
        self.index.insert(key, columns.len().saturating_sub(1));
        Ok(true)
    }
}

fn key_at<'c>(columns: &'c [Column]) -> impl Fn(usize) -> Key<'c> {
    |position| columns.get(position).map_or(Key::Id(0), |column| Key::Part(&column.table, &column.name))
}

/// The type of a JSON value, told from its text.
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
    use crate::protocol::{Checksum, OplogEntry};
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
        let mut seen = vec![];
        let line = DataLine { bucket: "b", entries: vec![entry(Operation::Put, data)] };
        observer
            .observe(&line, |change| match change {
                Diagnostics::SchemaChange { table, column, value_type } => {
                    assert_eq!(table, "t");
                    seen.push((column, value_type));
                }
                other => panic!("{other:?}"),
            })
            .unwrap();
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
        let mut observer = SchemaObserver::default();
        let untyped = OplogEntry { row_type: None, ..entry(Operation::Put, r#"{"a":1}"#) };
        let line = DataLine { bucket: "b", entries: vec![entry(Operation::Remove, r#"{"a":1}"#), untyped] };
        observer.observe(&line, |change| panic!("{change:?}")).unwrap();
    }
}
