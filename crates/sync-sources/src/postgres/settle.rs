//! Waits before the first rows of a table are read.
//!
//! When a table is added to a publication, transactions may be open that have changed it before. The server does not stream
//! these changes, even if they are committed later. So the first rows are read when all of these transactions have ended:
//! then what they did is visible.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use sync_engine::row::SourceTable;
use sync_engine::source::SourceError;

use super::shared::Shared;
use super::sql::{Result, Session};
use crate::error::retry;

/// How long one call waits.
const WAIT: Duration = Duration::from_secs(1);
const PAUSE: Duration = Duration::from_millis(20);

/// Tables that are waited for, and the transaction before which all must have ended.
#[derive(Default)]
pub(crate) struct Settling(Mutex<HashMap<String, i64>>);

impl Settling {
    /// Waits until all transactions have ended that were open when the table was first asked for.
    ///
    /// # Errors
    /// They have not ended yet.
    pub(crate) fn settle(&self, shared: &Shared, table: &SourceTable) -> std::result::Result<(), SourceError> {
        let mut waiting = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let limit = match waiting.get(&table.physical_id) {
            Some(limit) => *limit,
            None => {
                let next =
                    |session: &mut Session| number(session, "SELECT txid_snapshot_xmax(txid_current_snapshot())");
                *waiting.entry(table.physical_id.clone()).or_insert(shared.main.run("reading transactions", next)?)
            }
        };
        let oldest = |session: &mut Session| number(session, "SELECT txid_snapshot_xmin(txid_current_snapshot())");
        let began = Instant::now();
        while shared.main.run("reading transactions", oldest)? < limit {
            if began.elapsed() >= WAIT {
                return Err(retry(format!(
                    "waiting for older transactions before {}.{} is read: see pg_stat_activity and pg_prepared_xacts",
                    table.schema, table.name
                )));
            }
            std::thread::sleep(PAUSE);
        }
        waiting.remove(&table.physical_id);
        Ok(())
    }
}

fn number(session: &mut Session, sql: &str) -> Result<i64> {
    Ok(session.client.query_one(sql, &[])?.get(0))
}
