//! The application's schema: its JSON definition, and the tables, views, indexes and triggers that realise it.

mod apply;
mod definition;
mod objects;
mod row_writer;

pub use apply::applied::{AppliedSchema, schema_version};
pub use apply::known::{KnownSchemas, is_same_schema};
pub use apply::{StoredRows, apply};
pub use definition::names::DataTableName;
pub use definition::{
    Column, IncludeOld, Index, IndexColumn, RawParameter, RawStatement, RawTable, Schema, Table, TableOptions,
};
pub use objects::data_table::{DataTable, data_tables};
pub use objects::direct_table::is_local_only_direct_table;
pub use objects::existing_triggers::{ViewTrigger, drop_view_triggers, view_triggers};
pub use objects::object_texts;
pub use objects::table_trigger::{Write, create_raw_table_trigger};
pub use row_writer::{RowTable, RowWriter, require_transaction};
