//! The application's schema: its JSON definition, and the tables, views, indexes and triggers that realise it.

mod apply;
mod definition;
mod objects;
mod row_writer;

pub(crate) use apply::applied::schema_version;
pub(crate) use apply::known::{KnownSchemas, is_same_schema};
pub(crate) use apply::taken_table::{
    TableChange, Taken, append_without_key, data_table_name, has_foreign_triggers, is_in_our_form, keep_rest, renew,
    take_place,
};
pub(crate) use apply::{StoredRows, apply, differences};
pub(crate) use definition::{RawTable, Schema, TableOptions};
pub(crate) use objects::data_table::{DataTable, data_tables, tables_without_view};
pub(crate) use objects::existing_triggers::{ViewTrigger, drop_view_triggers, view_triggers};
pub(crate) use objects::keep_trigger::{empty_table, guarded_tables, removals as keep_trigger_removals};
pub(crate) use objects::object_texts;
pub(crate) use objects::table_trigger::{Write, create_raw_table_trigger};
pub(crate) use objects::view::DOWNLOADED_TABLE_COLUMNS;
pub(crate) use row_writer::{RowComparison, RowTable, RowWriter, require_transaction};
