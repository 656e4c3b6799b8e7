//! A table, view, index or trigger as `sqlite_schema` lists it.

pub(in crate::schema) mod column_comparison;
pub(in crate::schema) mod crud_insert;
pub(in crate::schema) mod data_table;
pub(in crate::schema) mod direct_table;
pub(in crate::schema) mod existing_triggers;
pub(in crate::schema) mod keep_trigger;
pub(in crate::schema) mod row_call;
pub(in crate::schema) mod table_columns;
pub(in crate::schema) mod table_trigger;
pub(in crate::schema) mod view;
pub(in crate::schema) mod view_trigger;

use alloc::string::String;

use sqlite_nostd::Row;

use crate::error::Result;

/// What kind of object it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::schema) enum ObjectKind {
    Table,
    View,
    Index,
    Trigger,
}

impl ObjectKind {
    /// Reads `sqlite_schema.type`.
    pub(in crate::schema) fn parse(text: &str) -> Option<Self> {
        [Self::Table, Self::View, Self::Index, Self::Trigger].into_iter().find(|kind| kind.name() == text)
    }

    /// `sqlite_schema.type`.
    pub(in crate::schema) fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::View => "view",
            Self::Index => "index",
            Self::Trigger => "trigger",
        }
    }

    /// How a statement that makes such an object begins, in the form that SQLite stores.
    pub(in crate::schema) fn create(self) -> &'static str {
        match self {
            Self::Table => "CREATE TABLE ",
            Self::View => "CREATE VIEW ",
            Self::Index => "CREATE INDEX ",
            Self::Trigger => "CREATE TRIGGER ",
        }
    }
}

/// An object that the schema needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::schema) struct Object {
    pub(in crate::schema) kind: ObjectKind,
    pub(in crate::schema) name: String,
    /// The table or view that an index or trigger belongs to; its own name for tables and views.
    pub(in crate::schema) table: String,
    /// The statement as SQLite stores it: without a database name.
    pub(in crate::schema) sql: String,
}

impl Object {
    /// The statement that makes the object in the database `main`, whatever other databases hold.
    pub(in crate::schema) fn creation(&self) -> String {
        in_main(self.kind, &self.sql)
    }
}

/// The first columns of a row of `sqlite_schema`; None if one is no UTF-8. Ours are, but programs in C may have made
/// objects with text in any encoding.
///
/// # Errors
/// Out of memory.
pub(crate) fn object_texts<'r, const COUNT: usize>(row: &Row<'r>) -> Result<Option<[&'r str; COUNT]>> {
    let mut texts = [""; COUNT];
    for (column, text) in texts.iter_mut().enumerate() {
        match row.text(column) {
            Ok(found) => *text = found,
            Err(error) if error.is_unreadable_text() => return Ok(None),
            Err(error) => return Err(error.into()),
        }
    }
    Ok(Some(texts))
}

/// The stored statement `sql`, made to work on the database `main`.
pub(in crate::schema) fn in_main(kind: ObjectKind, sql: &str) -> String {
    let create = kind.create();
    let rest = sql.strip_prefix(create).unwrap_or(sql);
    alloc::format!("{create}main.{rest}")
}
