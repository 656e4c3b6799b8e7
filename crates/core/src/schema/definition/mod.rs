//! What a schema holds (docs/reference/schema.md#schema-json).

pub(in crate::schema) mod check;
pub(in crate::schema) mod names;
pub(in crate::schema) mod reading;

use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;

use crate::collections::Names;

/// The application's schema.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Schema {
    /// JSON and direct tables.
    pub tables: Vec<Table>,
    /// Tables that the application makes itself.
    pub raw_tables: Vec<Rc<RawTable>>,
}

/// A JSON table (a view over stored JSON) or, with [`Table::direct`], a real table that we manage.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Table {
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Column {
    /// Its name in the view and in stored JSON.
    pub name: String,
    /// What its values are cast to.
    pub column_type: String,
}

/// An index over columns of a [`Table`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Index {
    /// Its name within the table.
    pub name: String,
    /// What it sorts by.
    pub columns: Vec<IndexColumn>,
}

/// A column of an [`Index`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct IndexColumn {
    /// The column's name.
    pub name: String,
    /// False to sort descending. Absent or null means ascending.
    pub ascending: bool,
    /// What values are cast to; without it what the table's column of that name is cast to.
    pub column_type: Option<String>,
}

/// A table that the application makes itself, and how downloaded rows reach it (docs/reference/schema.md#raw-tables).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RawTable {
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
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RawStatement {
    /// One statement.
    pub sql: String,
    /// What is bound to each parameter.
    pub params: Vec<RawParameter>,
}

/// The value bound to a parameter of a [`RawStatement`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum RawParameter {
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
pub(crate) struct TableOptions {
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
pub(crate) enum IncludeOld {
    /// None.
    #[default]
    Nothing,
    /// Those of all columns.
    AllColumns,
    /// Those of the listed columns.
    Columns(Vec<String>),
}

impl Table {
    /// The name under which SQL sees the table.
    pub(crate) fn view_name(&self) -> &str {
        self.view_name.as_deref().unwrap_or(&self.name)
    }
}

impl IncludeOld {
    /// Those of `columns` whose old values are recorded.
    pub(in crate::schema) fn among<'c>(&self, columns: &[&'c str]) -> Vec<&'c str> {
        match self {
            Self::Nothing => Vec::new(),
            Self::AllColumns => columns.to_vec(),
            Self::Columns(listed) => {
                let listed = Names::of(listed.iter().map(String::as_str));
                columns.iter().copied().filter(|name| listed.contains(name)).collect()
            }
        }
    }
}

impl TableOptions {
    /// Whether inserts are only recorded for the upload, which needs an upload.
    pub(crate) fn is_insert_only(&self) -> bool {
        self.insert_only && !self.local_only
    }

    /// The bit set that triggers pass to `powersync_crud` (docs/reference/functions.md#powersync_crud).
    pub(crate) fn bits(&self) -> i64 {
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
    pub(crate) const IGNORE_EMPTY_UPDATE: i64 = 16;
}
