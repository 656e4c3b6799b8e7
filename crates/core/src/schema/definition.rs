//! The schema as SDKs give it: what the JSON may hold, with all its leniencies (schema, Schema JSON).

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};

use crate::error::{Error, Result};

/// The application's schema.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub struct Schema {
    /// JSON and direct tables.
    pub tables: Vec<Table>,
    /// Tables that the application makes itself.
    #[serde(default, deserialize_with = "null_as_default")]
    pub raw_tables: Vec<RawTable>,
}

/// A JSON table (a view over stored JSON) or, with [`Table::direct`], a real table that we manage.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "TableJson")]
pub struct Table {
    /// The type of the rows, and the name of the view or table.
    pub name: String,
    /// Another name for the view.
    pub view_name: Option<String>,
    /// All columns but `id`.
    pub columns: Vec<Column>,
    /// Indexes over the columns.
    pub indexes: Vec<Index>,
    /// Whether rows are stored in real columns instead of JSON.
    pub direct: bool,
    /// How rows are stored and local writes recorded.
    pub options: TableOptions,
}

/// A column of a [`Table`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Column {
    /// Its name in the view and in stored JSON.
    pub name: String,
    /// What its values are cast to.
    #[serde(rename = "type", default = "text_type", deserialize_with = "column_type")]
    pub column_type: String,
}

/// An index over columns of a [`Table`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Index {
    /// Its name within the table.
    pub name: String,
    /// What it sorts by.
    pub columns: Vec<IndexColumn>,
}

/// A column of an [`Index`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct IndexColumn {
    /// The column's name.
    pub name: String,
    /// False to sort descending. Absent or null means ascending.
    #[serde(default = "ascending", deserialize_with = "null_as_ascending")]
    pub ascending: bool,
    /// What values are cast to; without it what the table's column of that name is cast to.
    #[serde(rename = "type", default)]
    pub column_type: Option<String>,
}

/// A table that the application makes itself, and how downloaded rows reach it (schema, Raw tables).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(from = "RawTableJson")]
pub struct RawTable {
    /// The type of the rows.
    pub name: String,
    /// The SQL table, needed to infer statements and to make triggers.
    pub table_name: Option<String>,
    /// The columns that are synced; all if None.
    pub synced_columns: Option<Vec<String>>,
    /// How a row is written; inferred if None.
    pub put: Option<RawStatement>,
    /// How a row is removed; inferred if None.
    pub delete: Option<RawStatement>,
    /// SQL that removes all rows.
    pub clear: Option<String>,
    /// How local writes are recorded.
    pub options: TableOptions,
}

/// SQL with values for its parameters, by position.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct RawStatement {
    /// One statement.
    pub sql: String,
    /// What is bound to each parameter.
    pub params: Vec<RawParameter>,
}

/// The value bound to a parameter of a [`RawStatement`].
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub enum RawParameter {
    /// The row's id.
    Id,
    /// A member of the row's JSON.
    Column(String),
    /// The members that no `Column` and no `Id` names, as a JSON object; NULL if there are none.
    Rest,
    /// The row's whole JSON.
    Row,
}

/// How rows are stored and local writes recorded.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TableOptions {
    /// Rows stay on this device.
    pub local_only: bool,
    /// Rows are recorded for the upload only; use [`TableOptions::is_insert_only`].
    pub insert_only: bool,
    /// Writes can carry a text for the upload queue in a column `_metadata`.
    pub include_metadata: bool,
    /// The old values recorded with updates and deletes.
    pub include_old: IncludeOld,
    /// Updates record only those old values that changed.
    pub include_old_only_when_changed: bool,
    /// Updates that change nothing are not recorded.
    pub ignore_empty_update: bool,
}

/// The old values that the upload queue records with updates and deletes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum IncludeOld {
    /// None.
    #[default]
    Nothing,
    /// Those of all columns.
    AllColumns,
    /// Those of the listed columns.
    Columns(Vec<String>),
}

impl Schema {
    /// Reads and checks a schema.
    ///
    /// # Errors
    /// An argument error that says what is wrong, and for malformed JSON where.
    pub fn parse(json: &str) -> Result<Self> {
        let schema: Self =
            serde_json::from_str(json).map_err(|error| Error::argument(alloc::format!("malformed schema: {error}")))?;
        schema.check()?;
        Ok(schema)
    }
}

impl Table {
    /// The name under which SQL sees the table.
    pub fn view_name(&self) -> &str {
        self.view_name.as_deref().unwrap_or(&self.name)
    }
}

impl TableOptions {
    /// Whether inserts are only recorded for the upload, which needs an upload.
    pub fn is_insert_only(&self) -> bool {
        self.insert_only && !self.local_only
    }

    /// The bit set that triggers pass to `powersync_crud` (schema, powersync_crud and powersync_crud_).
    pub fn bits(&self) -> i64 {
        [
            (self.local_only, 1),
            (self.insert_only, 2),
            (self.include_metadata, 4),
            (self.include_old_only_when_changed, 8),
            (self.ignore_empty_update, Self::IGNORE_EMPTY_UPDATE),
        ]
        .into_iter()
        .filter_map(|(is_set, bit)| is_set.then_some(bit))
        .sum()
    }

    /// The bit of [`TableOptions::bits`] that makes `powersync_crud` skip updates that change nothing.
    pub const IGNORE_EMPTY_UPDATE: i64 = 16;
}

/// A [`Table`] as it is written: options stand among the other members.
#[derive(Deserialize)]
struct TableJson {
    name: String,
    #[serde(default)]
    view_name: Option<String>,
    columns: Vec<Column>,
    #[serde(default, deserialize_with = "null_as_default")]
    indexes: Vec<Index>,
    #[serde(default, deserialize_with = "null_as_default")]
    direct: bool,
    #[serde(default, deserialize_with = "null_as_default")]
    local_only: bool,
    #[serde(default, deserialize_with = "null_as_default")]
    insert_only: bool,
    #[serde(default, deserialize_with = "null_as_default")]
    include_metadata: bool,
    #[serde(default)]
    include_old: IncludeOld,
    #[serde(default, deserialize_with = "null_as_default")]
    include_old_only_when_changed: bool,
    #[serde(default, deserialize_with = "null_as_default")]
    ignore_empty_update: bool,
}

impl From<TableJson> for Table {
    fn from(json: TableJson) -> Self {
        Self {
            name: json.name,
            view_name: json.view_name,
            columns: json.columns,
            indexes: json.indexes,
            direct: json.direct,
            options: TableOptions {
                local_only: json.local_only,
                insert_only: json.insert_only,
                include_metadata: json.include_metadata,
                include_old: json.include_old,
                include_old_only_when_changed: json.include_old_only_when_changed,
                ignore_empty_update: json.ignore_empty_update,
            },
        }
    }
}

/// A [`RawTable`] as it is written: options stand among the other members.
#[derive(Deserialize)]
struct RawTableJson {
    name: String,
    #[serde(default)]
    table_name: Option<String>,
    #[serde(default)]
    synced_columns: Option<Vec<String>>,
    #[serde(default)]
    put: Option<RawStatement>,
    #[serde(default)]
    delete: Option<RawStatement>,
    #[serde(default)]
    clear: Option<String>,
    #[serde(default, deserialize_with = "null_as_default")]
    local_only: bool,
    #[serde(default, deserialize_with = "null_as_default")]
    insert_only: bool,
    #[serde(default, deserialize_with = "null_as_default")]
    include_metadata: bool,
    #[serde(default)]
    include_old: IncludeOld,
    #[serde(default, deserialize_with = "null_as_default")]
    include_old_only_when_changed: bool,
    #[serde(default, deserialize_with = "null_as_default")]
    ignore_empty_update: bool,
}

impl From<RawTableJson> for RawTable {
    fn from(json: RawTableJson) -> Self {
        Self {
            name: json.name,
            table_name: json.table_name,
            synced_columns: json.synced_columns,
            put: json.put,
            delete: json.delete,
            clear: json.clear,
            options: TableOptions {
                local_only: json.local_only,
                insert_only: json.insert_only,
                include_metadata: json.include_metadata,
                include_old: json.include_old,
                include_old_only_when_changed: json.include_old_only_when_changed,
                ignore_empty_update: json.ignore_empty_update,
            },
        }
    }
}

fn text_type() -> String {
    String::from("text")
}

fn ascending() -> bool {
    true
}

fn null_as_default<'de, D: Deserializer<'de>, T: Deserialize<'de> + Default>(json: D) -> Result<T, D::Error> {
    Ok(Option::deserialize(json)?.unwrap_or_default())
}

fn column_type<'de, D: Deserializer<'de>>(json: D) -> Result<String, D::Error> {
    Ok(Option::deserialize(json)?.unwrap_or_else(text_type))
}

fn null_as_ascending<'de, D: Deserializer<'de>>(json: D) -> Result<bool, D::Error> {
    Ok(Option::deserialize(json)?.unwrap_or(true))
}

impl<'de> Deserialize<'de> for IncludeOld {
    fn deserialize<D: Deserializer<'de>>(json: D) -> Result<Self, D::Error> {
        json.deserialize_any(IncludeOldVisitor)
    }
}

struct IncludeOldVisitor;

impl<'de> Visitor<'de> for IncludeOldVisitor {
    type Value = IncludeOld;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a boolean or an array of column names")
    }

    fn visit_unit<E>(self) -> Result<IncludeOld, E> {
        Ok(IncludeOld::Nothing)
    }

    fn visit_bool<E>(self, all: bool) -> Result<IncludeOld, E> {
        Ok(if all { IncludeOld::AllColumns } else { IncludeOld::Nothing })
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut names: A) -> Result<IncludeOld, A::Error> {
        let mut columns = Vec::new();
        while let Some(name) = names.next_element()? {
            columns.push(name);
        }
        Ok(IncludeOld::Columns(columns))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::string::ToString;

    fn table(json: &str) -> Table {
        let schema = Schema::parse(&alloc::format!(r#"{{"tables":[{json}]}}"#)).unwrap();
        schema.tables.into_iter().next().unwrap()
    }

    fn message(json: &str) -> String {
        Schema::parse(json).unwrap_err().to_string()
    }

    #[test]
    fn optional_members_may_be_absent_or_null() {
        let absent = table(r#"{"name":"a","columns":[{"name":"x"}]}"#);
        let null = r#"{"name":"a","columns":[{"name":"x","type":null}],"view_name":null,"indexes":null,"direct":null,
            "local_only":null,"insert_only":null,"include_metadata":null,"include_old":null,
            "include_old_only_when_changed":null,"ignore_empty_update":null}"#;
        assert_eq!(table(null), absent);
        assert_eq!(absent.columns[0].column_type, "text");
        assert_eq!(absent.options, TableOptions::default());
        assert_eq!(table(r#"{"name":"a","columns":[{"name":"x"}],"include_old":false}"#), absent);
    }

    #[test]
    fn unknown_members_are_ignored_and_order_does_not_matter() {
        let plain = Schema::parse(r#"{"tables":[{"name":"a","columns":[{"name":"x","type":"real"}]}]}"#);
        let other = r#"{"raw_tables":null,"extra":[{"deep":{"er":[1e400]}}],
            "tables":[{"table_name":7,"columns":[{"type":"real","hint":{},"name":"x"}],"name":"a"}]}"#;
        assert_eq!(Schema::parse(other), plain);
    }

    #[test]
    fn options_are_read() {
        let all = r#"{"name":"a","view_name":"v","columns":[],"local_only":true,"insert_only":true,
            "include_metadata":true,"include_old":["x","y"],"include_old_only_when_changed":true,
            "ignore_empty_update":true}"#;
        let table = table(all);
        assert_eq!(table.view_name(), "v");
        assert_eq!(table.options.include_old, IncludeOld::Columns(["x", "y"].map(String::from).into()));
        assert_eq!(table.options.bits(), 31);
        assert!(!table.options.is_insert_only(), "has no effect on a local-only table");
    }

    #[test]
    fn each_option_has_its_bit() {
        let bits = |name: &str| table(&alloc::format!(r#"{{"name":"a","columns":[],"{name}":true}}"#)).options.bits();
        assert_eq!(bits("local_only"), 1);
        assert_eq!(bits("insert_only"), 2);
        assert_eq!(bits("include_metadata"), 4);
        assert_eq!(bits("include_old_only_when_changed"), 8);
        assert_eq!(bits("ignore_empty_update"), 16);
        assert_eq!(bits("include_old"), 0);
    }

    #[test]
    fn old_values_are_none_all_or_listed() {
        let include_old = |json: &str| {
            table(&alloc::format!(r#"{{"name":"a","columns":[],"include_old":{json}}}"#)).options.include_old
        };
        assert_eq!(include_old("true"), IncludeOld::AllColumns);
        assert_eq!(include_old("[]"), IncludeOld::Columns(Vec::new()));
        let message = message(r#"{"tables":[{"name":"a","columns":[],"include_old":1}]}"#);
        assert!(message.contains("expected a boolean or an array of column names at line 1 column 51"), "{message}");
    }

    #[test]
    fn indexes_default_to_ascending_and_the_type_of_the_column() {
        let columns = r#"{"name":"a","columns":[{"name":"x"}],"indexes":[{"name":"i","columns":[
            {"name":"x"},{"name":"x","ascending":null,"type":null},{"name":"x","ascending":false,"type":"real"}]}]}"#;
        let index = table(columns).indexes.into_iter().next().unwrap();
        let read: Vec<_> =
            index.columns.iter().map(|column| (column.ascending, column.column_type.as_deref())).collect();
        assert_eq!(read, [(true, None), (true, None), (false, Some("real"))]);
    }

    #[test]
    fn raw_tables_are_read() {
        let json = r#"{"tables":[],"raw_tables":[
            {"name":"r","put":{"sql":"p","params":["Id",{"Column":"c"},"Rest","Row"]},
             "delete":{"sql":"d","params":["Id"]},"clear":"c","table_name":"t","synced_columns":["x"],
             "insert_only":true,"include_old":true},
            {"name":"s","put":null,"delete":null,"clear":null,"table_name":null,"synced_columns":null}]}"#;
        let schema = Schema::parse(json).unwrap();
        let [full, empty] = schema.raw_tables.as_slice() else { panic!("two raw tables") };
        let put = full.put.as_ref().unwrap();
        let column = RawParameter::Column("c".into());
        assert_eq!(put.params, [RawParameter::Id, column, RawParameter::Rest, RawParameter::Row]);
        assert_eq!(full.delete.as_ref().unwrap().sql, "d");
        assert_eq!((full.clear.as_deref(), full.table_name.as_deref()), (Some("c"), Some("t")));
        assert_eq!(full.synced_columns.as_ref().unwrap(), &["x"]);
        assert!(full.options.is_insert_only());
        assert_eq!(*empty, RawTable { name: "s".into(), ..RawTable::default() });
    }

    #[test]
    fn malformed_json_is_an_argument_error_with_its_place() {
        for (json, problem) in [
            ("", "EOF while parsing a value at line 1 column 0"),
            ("{}", "missing field `tables` at line 1 column 2"),
            (r#"{"tables":null}"#, "invalid type: null, expected a sequence at line 1 column 14"),
            ("{\"tables\":[\n{\"columns\":[]}]}", "missing field `name` at line 2 column 14"),
            (r#"{"tables":[{"name":"a"}]}"#, "missing field `columns` at line 1 column 23"),
            (r#"{"tables":[]} x"#, "trailing characters at line 1 column 15"),
            (r#"{"tables":[{"name":"a","columns":[],"local_only":1}]}"#, "expected a boolean at line 1 column 50"),
            (r#"{"tables":[],"raw_tables":[{"name":"a","put":{"sql":"","params":["X"]}}]}"#, "unknown variant `X`"),
        ] {
            let message = message(json);
            assert!(message.starts_with("invalid argument: malformed schema: "), "{message}");
            assert!(message.contains(problem), "{message}, wanted: {problem}");
        }
    }
}
