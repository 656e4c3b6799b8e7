//! Direct and raw tables.

mod direct;
mod direct_changes;
mod old_sqlite;
mod raw;
mod raw_inferred;
mod raw_transactions;
mod raw_triggers;
