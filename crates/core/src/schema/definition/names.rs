//! How the database objects of a table are named, and how such a name is read back
//! (docs/reference/schema.md#json-tables).

use alloc::format;
use alloc::string::{String, ToString};
use core::fmt;

use crate::schema::definition::{Index, Table};

/// The view column that carries a text for the upload queue.
pub(in crate::schema) const METADATA: &str = "_metadata";
/// The view column that, set to true by an update, makes it a delete.
pub(in crate::schema) const DELETED: &str = "_deleted";

const SYNCED_PREFIX: &str = "ps_data__";
const LOCAL_PREFIX: &str = "ps_data_local__";

/// What the name of a data table says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct DataTableName<'a> {
    /// The type of the rows.
    pub row_type: &'a str,
    /// Whether the rows stay on this device.
    pub local_only: bool,
}

impl<'a> DataTableName<'a> {
    /// Reads the name of a data table; None for other names.
    pub(crate) fn parse(name: &'a str) -> Option<Self> {
        match name.strip_prefix(SYNCED_PREFIX) {
            Some(row_type) => Some(Self { row_type, local_only: false }),
            None => name.strip_prefix(LOCAL_PREFIX).map(|row_type| Self { row_type, local_only: true }),
        }
    }
}

impl fmt::Display for DataTableName<'_> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(if self.local_only { LOCAL_PREFIX } else { SYNCED_PREFIX })?;
        formatter.write_str(self.row_type)
    }
}

impl Table {
    /// The table that holds the rows: their JSON, or with [`Table::direct`] their columns.
    pub(crate) fn data_table(&self) -> String {
        if self.direct {
            return self.name.clone();
        }
        DataTableName { row_type: &self.name, local_only: self.options.local_only }.to_string()
    }

    pub(in crate::schema) fn index_name(&self, index: &Index) -> String {
        format!("{}__{}", self.data_table(), index.name)
    }
}

/// The triggers that we make on a view.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::schema) enum TriggerKind {
    Insert,
    Update,
    Delete,
    /// Turns an update of `_deleted` into a delete.
    DeleteByUpdate,
}

impl TriggerKind {
    pub(in crate::schema) const ALL: [Self; 4] = [Self::Insert, Self::Update, Self::Delete, Self::DeleteByUpdate];

    fn prefix(self) -> &'static str {
        match self {
            Self::Insert => "ps_view_insert_",
            Self::Update => "ps_view_update_",
            Self::Delete => "ps_view_delete_",
            Self::DeleteByUpdate => "ps_view_delete2_",
        }
    }

    pub(in crate::schema) fn trigger_name(self, view: &str) -> String {
        format!("{}{view}", self.prefix())
    }

    /// Whether `name` is that of one of our triggers on `view`.
    pub(in crate::schema) fn is_trigger_of(name: &str, view: &str) -> bool {
        Self::ALL.iter().any(|kind| name.strip_prefix(kind.prefix()) == Some(view))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_table_names_are_read_back() {
        let parsed = |name| DataTableName::parse(name).map(|parsed| (parsed.row_type, parsed.local_only));
        assert_eq!(parsed("ps_data__lists"), Some(("lists", false)));
        assert_eq!(parsed("ps_data_local__lists"), Some(("lists", true)));
        assert_eq!(parsed("ps_data__local__lists"), Some(("local__lists", false)));
        assert_eq!(parsed("ps_data_x"), None);
        assert_eq!(parsed("ps_data_localx"), None);
        assert_eq!(parsed("PS_DATA__x"), None);
    }

    #[test]
    fn only_exact_trigger_names_are_ours() {
        assert!(TriggerKind::is_trigger_of("ps_view_delete2_a", "a"));
        assert!(TriggerKind::is_trigger_of("ps_view_insert_a", "a"));
        assert!(!TriggerKind::is_trigger_of("ps_view_insert_a_audit", "a"));
        assert!(!TriggerKind::is_trigger_of("ps_view_a", "a"));
    }
}
