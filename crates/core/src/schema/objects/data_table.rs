//! The tables that hold the rows of a type, as they are found in a database.
//!
//! An application's tables can have names like ours, for instance those that a full-text index named `ps_data__x` keeps
//! its content in. So a table is ours by its exact form. In another form, for instance with columns that the
//! application has added, it is ours while the applied schema has it, which shows in a view of ours over it. All others
//! are left alone.

use alloc::format;
use alloc::string::String;
use alloc::vec::Vec;

use crate::collections::Names;
use crate::error::Result;

use crate::connection::Database;
use crate::schema::definition::names::DataTableName;
use crate::schema::objects::direct_table::is_local_only_direct_table;
use crate::schema::objects::view::{
    DATA_TABLE_COLUMNS, DOWNLOADED_TABLE_COLUMNS, SYNCED_TABLE_COLUMNS, VIEW_MARKER, shown_table,
};
use crate::schema::objects::{Object, ObjectKind, object_texts};
use crate::text::identifier;

/// A JSON or direct table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct DataTable {
    /// The table's name.
    pub name: String,
    /// The type of the rows.
    pub row_type: String,
    /// Whether rows stay on this device.
    pub local_only: bool,
    /// Whether rows are stored in columns instead of JSON.
    pub is_direct: bool,
    /// Whether the data of operations may be in its rows, and nowhere else: a synced JSON table whose rowids stay.
    pub holds_operations: bool,
}

/// The JSON and direct tables of the database.
///
/// # Errors
/// Errors of SQLite.
pub(crate) fn data_tables(database: &Database<'_>) -> Result<Vec<DataTable>> {
    const SQL: &str = "SELECT name, sql FROM main.sqlite_schema \
        WHERE type = 'table' AND (sql LIKE '%/* ps-managed %' OR name GLOB 'ps_data_*')";
    let mut statement = database.prepare(SQL)?;
    let mut rows = statement.query(&[])?;
    let (mut tables, mut unusual) = (Vec::new(), Vec::new());
    while let Some(row) = rows.next()? {
        let Some([name, sql]) = object_texts(&row)? else { continue };
        match DataTable::parse(name, sql) {
            Some(table) => tables.push(table),
            None => unusual.extend(DataTable::unusual(name, sql)),
        }
    }
    drop(rows);
    if !unusual.is_empty() {
        let shown = shown_tables(database)?;
        tables.extend(unusual.into_iter().filter(|table| shown.contains(&table.name)));
    }
    Ok(tables)
}

/// Names of tables that are named like JSON tables, and in whose rows the data of operations cannot be: those of other
/// versions, and others that are not ours.
///
/// # Errors
/// Errors of SQLite.
pub(in crate::schema) fn tables_in_another_form(database: &Database<'_>) -> Result<Names> {
    const SQL: &str = "SELECT name, sql FROM main.sqlite_schema WHERE type = 'table' AND name GLOB 'ps_data_*'";
    let mut rows = database.query(SQL, &[])?;
    let mut names = Names::default();
    while let Some(row) = rows.next()? {
        if let Some([name, sql]) = object_texts(&row)?
            && !DataTable::parse(name, sql)
                .or_else(|| DataTable::unusual(name, sql))
                .is_some_and(|table| table.holds_operations)
        {
            names.insert(name);
        }
    }
    Ok(names)
}

/// Names of JSON tables that no view of ours shows.
///
/// # Errors
/// Errors of SQLite.
pub(crate) fn tables_without_view(database: &Database<'_>) -> Result<Vec<String>> {
    let shown = shown_tables(database)?;
    let json = data_tables(database)?.into_iter().filter(|table| !table.is_direct);
    Ok(json.map(|table| table.name).filter(|name| !shown.contains(name)).collect())
}

/// The tables that views of ours show.
pub(in crate::schema) fn shown_tables(database: &Database<'_>) -> Result<Names> {
    const SQL: &str = "SELECT name, sql FROM main.sqlite_schema WHERE type = 'view'";
    let mut statement = database.prepare(SQL)?;
    let mut rows = statement.query(&[])?;
    let mut shown = Names::default();
    while let Some(row) = rows.next()? {
        if let Some([name, sql]) = object_texts(&row)?
            && sql.ends_with(VIEW_MARKER)
            && let Some(table) = shown_table(name, sql)
        {
            shown.insert(&table);
        }
    }
    Ok(shown)
}

impl DataTable {
    /// Recognises a table of ours by its exact form; None for an application's table, whatever its name.
    pub(in crate::schema) fn parse(name: &str, sql: &str) -> Option<Self> {
        if let Some(local_only) = is_local_only_direct_table(name, sql) {
            return Some(Self {
                name: name.into(),
                row_type: name.into(),
                local_only,
                is_direct: true,
                holds_operations: false,
            });
        }
        let rest = sql.strip_prefix(ObjectKind::Table.create())?;
        let synced = [SYNCED_TABLE_COLUMNS, DOWNLOADED_TABLE_COLUMNS].into_iter();
        let synced = synced.filter_map(|columns| rest.strip_suffix(columns)).next();
        let written_name = synced.or_else(|| rest.strip_suffix(DATA_TABLE_COLUMNS))?;
        if written_name != name && written_name != identifier(name) {
            return None;
        }
        Self::of_json(name).map(|table| Self { holds_operations: synced.is_some() && !table.local_only, ..table })
    }

    /// The table that `object` makes.
    pub(in crate::schema) fn of(object: &Object) -> Option<Self> {
        if object.kind == ObjectKind::Table { Self::parse(&object.name, &object.sql) } else { None }
    }

    /// That of a JSON table in another form. It may be one of ours to which the application has added columns.
    pub(in crate::schema) fn unusual(name: &str, sql: &str) -> Option<Self> {
        // SQLite writes added columns before the closing parenthesis.
        let columns = sql.strip_prefix(ObjectKind::Table.create()).and_then(|rest| {
            let quoted = rest.strip_prefix(identifier(name).as_str());
            quoted.or_else(|| rest.strip_prefix(name))
        });
        let has = |form: &str| {
            let form = form.strip_suffix(')');
            columns.zip(form).is_some_and(|(columns, form)| columns.starts_with(form))
        };
        let has_operations = has(SYNCED_TABLE_COLUMNS) || has(DOWNLOADED_TABLE_COLUMNS);
        Self::of_json(name).map(|table| Self { holds_operations: has_operations && !table.local_only, ..table })
    }

    /// That of a JSON table, by its name alone.
    pub(in crate::schema) fn of_json(name: &str) -> Option<Self> {
        let DataTableName { row_type, local_only } = DataTableName::parse(name)?;
        Some(Self {
            name: name.into(),
            row_type: row_type.into(),
            local_only,
            is_direct: false,
            holds_operations: false,
        })
    }

    /// Whether rows of one belong into the other.
    pub(in crate::schema) fn holds_same_rows(&self, other: &Self) -> bool {
        self.row_type == other.row_type && self.local_only == other.local_only
    }

    /// Equal for tables of which one keeps the rows of the other when that is dropped. Types that differ in case are
    /// different types, but the rows of a local-only table are stored nowhere else: they stay when the spelling of its
    /// name is corrected.
    pub(in crate::schema) fn rows_key(&self) -> String {
        if self.local_only {
            return format!("local {}", self.row_type.to_ascii_lowercase());
        }
        format!("synced {}", self.row_type)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const JSON: &str = r#"CREATE TABLE "ps_data__a"(id TEXT PRIMARY KEY NOT NULL, data TEXT)"#;

    #[test]
    fn json_tables_are_recognised_by_name_and_form() {
        let table = DataTable::parse("ps_data__a", JSON).unwrap();
        assert_eq!((table.row_type.as_str(), table.local_only, table.is_direct), ("a", false, false));
        assert!(!table.holds_operations && !DataTable::of_json("ps_data__a").unwrap().holds_operations);
        assert!(DataTable::parse("ps_data__a", &JSON.replace('"', "")).is_some());
        for id in ["TEXT NOT NULL", "TEXT NOT NULL UNIQUE"] {
            let columns =
                alloc::format!("({id_column} {id}, data TEXT, operation INTEGER PRIMARY KEY)", id_column = "id");
            let synced = DataTable::parse("ps_data__a", &alloc::format!(r#"CREATE TABLE "ps_data__a"{columns}"#));
            assert_eq!(synced, Some(DataTable { holds_operations: true, ..table.clone() }));
            let local_only = alloc::format!(r#"CREATE TABLE "ps_data_local__a"{columns}"#);
            assert!(!DataTable::parse("ps_data_local__a", &local_only).unwrap().holds_operations);
        }
        assert!(DataTable::parse("ps_data_local__a", &JSON.replace("data__", "data_local__")).unwrap().local_only);
        assert!(DataTable::parse("ps_data__b", JSON).is_none());
        assert!(DataTable::parse("ps_data__a", &JSON.replace(", data TEXT", ", data TEXT, more")).is_none());
        assert!(DataTable::parse("mine", &JSON.replace("ps_data__a", "mine")).is_none());
    }

    #[test]
    fn tables_of_one_type_hold_the_same_rows_if_both_are_local_only_or_both_synced() {
        let direct = |mark| alloc::format!("CREATE TABLE \"a\"(id TEXT PRIMARY KEY NOT NULL /* ps-managed{mark} */)");
        let synced = DataTable::parse("a", &direct("")).unwrap();
        let local_only = DataTable::parse("a", &direct(" local-only")).unwrap();
        let json = DataTable::parse("ps_data__a", JSON).unwrap();
        assert!(synced.is_direct && synced.holds_same_rows(&json));
        assert!(!local_only.holds_same_rows(&json) && !local_only.holds_same_rows(&synced));
    }

    #[test]
    fn only_local_only_rows_go_on_under_another_spelling() {
        let table = |name: &str| DataTable::of_json(name).unwrap();
        let key = |name| table(name).rows_key();
        assert_eq!(key("ps_data_local__A"), key("ps_data_local__a"));
        assert_ne!(key("ps_data__A"), key("ps_data__a"));
        assert_ne!(key("ps_data_local__a"), key("ps_data__a"));
    }
}
