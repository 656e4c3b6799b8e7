//! The application's schema: its JSON definition, and the tables, views, indexes and triggers that realise it.

mod applied;
mod apply;
mod changed_columns;
mod check;
mod crud_insert;
mod data_table;
mod definition;
mod direct;
mod fingerprint;
mod known;
mod moved_rows;
mod names;
mod object;
mod plan;
mod reading;
mod row_call;
mod row_statement;
mod row_table;
mod row_values;
mod table_columns;
mod table_trigger;
mod trigger;
mod unusual_table;
mod vector;
mod view;
mod view_triggers;

pub use applied::{AppliedSchema, schema_version};
pub use apply::{StoredRows, apply};
pub use data_table::{DataTable, data_tables};
pub use definition::{
    Column, IncludeOld, Index, IndexColumn, RawParameter, RawStatement, RawTable, Schema, Table, TableOptions,
};
pub use direct::is_local_only_direct_table;
pub use known::{KnownSchemas, is_same_schema};
pub use names::DataTableName;
pub use object::object_texts;
pub use row_table::{RowTable, RowWriter, require_transaction};
pub use table_trigger::{Write, create_raw_table_trigger};
pub use view_triggers::{ViewTrigger, drop_view_triggers, view_triggers};
