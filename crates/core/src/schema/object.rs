//! A table, view, index or trigger as `sqlite_schema` lists it.

use alloc::string::String;

/// What kind of object it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ObjectKind {
    Table,
    View,
    Index,
    Trigger,
}

impl ObjectKind {
    /// Reads `sqlite_schema.type`.
    pub(super) fn parse(text: &str) -> Option<Self> {
        [Self::Table, Self::View, Self::Index, Self::Trigger].into_iter().find(|kind| kind.name() == text)
    }

    /// `sqlite_schema.type`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Table => "table",
            Self::View => "view",
            Self::Index => "index",
            Self::Trigger => "trigger",
        }
    }

    /// How a statement that makes such an object begins, in the form that SQLite stores.
    pub(super) fn create(self) -> &'static str {
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
pub(super) struct Object {
    pub(super) kind: ObjectKind,
    pub(super) name: String,
    /// The table or view that an index or trigger belongs to; its own name for tables and views.
    pub(super) table: String,
    /// The statement as SQLite stores it: without a database name.
    pub(super) sql: String,
}

impl Object {
    /// The statement that makes the object in the database `main`, whatever other databases hold.
    pub(super) fn creation(&self) -> String {
        in_main(self.kind, &self.sql)
    }
}

/// The stored statement `sql`, made to work on the database `main`.
pub(super) fn in_main(kind: ObjectKind, sql: &str) -> String {
    let create = kind.create();
    let rest = sql.strip_prefix(create).unwrap_or(sql);
    alloc::format!("{create}main.{rest}")
}
