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
