//! The JSON of an upload queue entry (docs/reference/schema.md#the-upload-queue-entry).

use alloc::string::String;

use rowtide_json::writer::{write_raw, write_string};
use rowtide_json::{ObjectMembers, RawValue};

use crate::error::{Error, Result};

/// What a local write did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Operation {
    /// A row was inserted.
    Put,
    /// Columns of a row were updated.
    Patch,
    /// A row was deleted.
    Delete,
}

impl Operation {
    /// Reads the name that triggers give.
    ///
    /// # Errors
    /// An argument error for any other name: no SDK could upload such an entry, nor those after it.
    pub(crate) fn parse(name: &str) -> Result<Self> {
        match name {
            "PUT" => Ok(Self::Put),
            "PATCH" => Ok(Self::Patch),
            "DELETE" => Ok(Self::Delete),
            _ => Err(Error::argument("op must be PUT, PATCH or DELETE")),
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// An upload queue entry, with JSON as the trigger built it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Entry<'e> {
    /// What was done.
    pub operation: Operation,
    /// The row's id.
    pub id: &'e str,
    /// The row's type.
    pub row_type: &'e str,
    /// New values: a JSON text.
    pub data: Option<&'e str>,
    /// Previous values: a JSON text.
    pub old_values: Option<&'e str>,
    /// What the application says about the write: any text.
    pub metadata: Option<&'e str>,
}

impl Entry<'_> {
    /// Whether it is an update that changes nothing and says nothing.
    pub(crate) fn is_empty_update(&self) -> bool {
        self.operation == Operation::Patch && self.metadata.is_none() && self.data.is_some_and(is_empty_object)
    }

    /// Writes the entry's JSON in place of what `json` holds.
    ///
    /// # Errors
    /// Out of memory.
    pub(crate) fn write(&self, json: &mut String) -> rowtide_json::Result<()> {
        json.clear();
        json.try_reserve(self.length())?;
        write_raw(json, "{\"op\":\"")?;
        write_raw(json, self.operation.name())?;
        write_raw(json, "\",\"id\":")?;
        write_string(json, self.id)?;
        write_raw(json, ",\"type\":")?;
        write_string(json, self.row_type)?;
        for (name, value) in [(",\"data\":", self.data), (",\"old\":", self.old_values)] {
            if let Some(value) = value {
                write_raw(json, name)?;
                write_raw(json, value)?;
            }
        }
        write_metadata(json, self.metadata)?;
        write_raw(json, "}")
    }

    /// The length of its JSON, but for escapes.
    fn length(&self) -> usize {
        let optional: usize = [self.data, self.old_values, self.metadata].into_iter().flatten().map(str::len).sum();
        self.id.len() + self.row_type.len() + optional + 72
    }
}

/// Whether the JSON text `entry` is that of an update that changes nothing and says nothing. Other text is none.
pub(crate) fn is_empty_update(entry: &str) -> bool {
    let (mut is_update, mut is_empty) = (false, false);
    for member in ObjectMembers::new(entry) {
        match member {
            Ok((name, value)) if name == "op" => {
                is_update = RawValue::classify(value) == Ok(RawValue::String("PATCH".into()));
            }
            Ok((name, value)) if name == "data" => is_empty = is_empty_object(value),
            Ok((name, value)) if name == "metadata" && RawValue::classify(value) != Ok(RawValue::Null) => return false,
            Ok(_) => {}
            Err(_) => return false,
        }
    }
    is_update && is_empty
}

fn is_empty_object(data: &str) -> bool {
    let inner = data.trim_ascii().strip_prefix('{').and_then(|rest| rest.strip_suffix('}'));
    inner.is_some_and(|members| members.trim_ascii().is_empty())
}

/// The entry of an insert into an insert-only table. Its members have another order.
///
/// # Errors
/// Out of memory.
pub(crate) fn insert_only_entry(row_type: &str, id: &str, data: &str, metadata: Option<&str>) -> Result<String> {
    let mut json = String::new();
    json.try_reserve(row_type.len() + id.len() + data.len() + metadata.map_or(0, str::len) + 56)?;
    write_raw(&mut json, "{\"op\":\"PUT\",\"type\":")?;
    write_string(&mut json, row_type)?;
    write_raw(&mut json, ",\"id\":")?;
    write_string(&mut json, id)?;
    write_raw(&mut json, ",\"data\":")?;
    write_raw(&mut json, data)?;
    write_metadata(&mut json, metadata)?;
    write_raw(&mut json, "}")?;
    Ok(json)
}

fn write_metadata(json: &mut String, metadata: Option<&str>) -> rowtide_json::Result<()> {
    if let Some(metadata) = metadata {
        write_raw(json, ",\"metadata\":")?;
        write_string(json, metadata)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const FULL: Entry<'_> = Entry {
        operation: Operation::Patch,
        id: "a\"b",
        row_type: "it's",
        data: Some(r#"{"x":1}"#),
        old_values: Some("{ }"),
        metadata: Some("line\n"),
    };

    fn json(entry: &Entry<'_>) -> String {
        let mut json = String::from("old");
        entry.write(&mut json).unwrap();
        json
    }

    #[test]
    fn members_are_in_order_and_absent_ones_are_left_out() {
        assert_eq!(
            json(&FULL),
            r#"{"op":"PATCH","id":"a\"b","type":"it's","data":{"x":1},"old":{ },"metadata":"line\n"}"#
        );
        let delete = Entry { operation: Operation::Delete, data: None, old_values: None, metadata: None, ..FULL };
        assert_eq!(json(&delete), r#"{"op":"DELETE","id":"a\"b","type":"it's"}"#);
        let put = Entry { operation: Operation::Put, ..delete };
        assert!(json(&put).starts_with(r#"{"op":"PUT","#));
    }

    #[test]
    fn insert_only_entries_have_their_own_order() {
        assert_eq!(insert_only_entry("t", "i", "{}", None).unwrap(), r#"{"op":"PUT","type":"t","id":"i","data":{}}"#);
        assert_eq!(
            insert_only_entry("t", "i", "{}", Some("m")).unwrap(),
            r#"{"op":"PUT","type":"t","id":"i","data":{},"metadata":"m"}"#
        );
    }

    #[test]
    fn only_updates_without_data_and_metadata_are_empty() {
        let empty = Entry { data: Some("{}"), metadata: None, ..FULL };
        assert!(empty.is_empty_update());
        assert!(Entry { data: Some(" { } "), ..empty }.is_empty_update());
        assert!(!Entry { metadata: Some(""), ..empty }.is_empty_update());
        assert!(!Entry { operation: Operation::Put, ..empty }.is_empty_update());
        assert!(!Entry { data: Some(r#"{"a":1}"#), ..empty }.is_empty_update());
        assert!(!Entry { data: None, ..empty }.is_empty_update());
    }

    #[test]
    fn finished_entries_are_empty_alike() {
        for (entry, is_empty) in [
            (r#"{"op":"PATCH","id":"i","type":"t","data":{}}"#, true),
            (r#" {"data": { } , "metadata":null, "op":"P\u0041TCH"} "#, true),
            (r#"{"op":"PATCH","data":{},"old":{"a":1}}"#, true),
            (r#"{"op":"PATCH","data":{},"metadata":""}"#, false),
            (r#"{"op":"PATCH","data":{"a":1}}"#, false),
            (r#"{"op":"PATCH","data":null}"#, false),
            (r#"{"op":"PATCH"}"#, false),
            (r#"{"op":"PUT","data":{}}"#, false),
            (r#"{"op":"PATCH","data":{},"#, false),
            (r#"["PATCH"]"#, false),
            ("PATCH", false),
            ("", false),
        ] {
            assert_eq!(is_empty_update(entry), is_empty, "{entry}");
        }
    }

    #[test]
    fn operations_are_read_back() {
        for operation in [Operation::Put, Operation::Patch, Operation::Delete] {
            assert_eq!(Operation::parse(operation.name()), Ok(operation));
        }
        assert!(Operation::parse("put").is_err());
    }
}
