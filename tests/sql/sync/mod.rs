//! Syncing: scenarios, recordings, random sessions, and what publishing costs.

mod budgets;
mod gate_rows;
mod growth;
mod matched_texts;
mod oplog_view;
mod page_writes;
mod publish_orders;
mod publishing_and_the_app;
mod publishing_reentered;
mod random_sessions;
mod recorded_streams;
mod regions;
mod scenarios;
mod several_iterations;
mod several_iterations_ahead;
mod several_iterations_requests;
mod shared_file;
mod stored_once;
mod subscriptions;
mod untyped_types;
mod warm_start;
