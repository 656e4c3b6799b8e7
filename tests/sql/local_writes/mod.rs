//! Local writes: triggers, the upload queue, transactions.

mod entries;
mod queue_tables;
mod transactions;
mod updated_rows;
mod upload_cost;
mod upload_loop;
mod upsert;
