//! The application's schema: its JSON definition, and the tables, views, indexes and triggers that realise it.

mod applied;
mod apply;
mod check;
mod definition;
mod names;
mod object;
mod plan;
mod reading;
mod row_call;
mod trigger;
mod view;

pub use applied::AppliedSchema;
pub use apply::apply;
pub use definition::{
    Column, IncludeOld, Index, IndexColumn, RawParameter, RawStatement, RawTable, Schema, Table, TableOptions,
};
pub use names::DataTableName;
