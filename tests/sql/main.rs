//! Integration tests: the built library, loaded into a real SQLite, driven through SQL alone. One module per subject.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
mod clear_tables;
mod clearing;
mod connections;
mod direct_table_changes;
mod direct_tables;
mod identity;
mod json_functions;
mod loading;
mod local_writes_entries;
mod local_writes_tables;
mod local_writes_transactions;
mod migrations;
mod migrations_interop;
mod oplog_view;
mod own_format;
mod publishing_reentered;
mod random_schemas;
mod random_sessions;
mod raw_table_triggers;
mod raw_tables;
mod raw_tables_inferred;
mod recorded_streams;
mod regions;
mod rollback;
mod scenarios;
mod schema_errors;
mod schema_interop;
mod schema_moves;
mod schema_names;
mod schema_objects;
mod sqlite_versions;
mod stored_format;
mod tables_in_old_sqlite;
mod unknown_migrations;
mod update_hooks;
