//! Everything that reads and writes the internal tables: operations, buckets, publishing, the gate, subscriptions.
//!
//! [`SqliteStorage`] is what the state machine sees of it. Each function here holds the SQL that it runs.

mod adopt;
mod buckets;
mod by_row;
mod clear;
mod diagnostics;
mod export;
mod failed_row;
mod gate;
mod iteration;
mod operation_id;
mod operations;
mod pending_rows;
mod pending_tables;
mod publish;
mod regions;
mod repair;
mod subscriptions;
mod sync_times;
mod warnings;

use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;

pub(crate) use adopt::{adopt, adopt_export};
pub(crate) use clear::{Clear, clear, resync_for_schema, trigger_resync};
pub(crate) use export::{LocalRows, export};
use failed_row::FailedRow;
use iteration::{BegunIteration, IterationMark, Writer};
use pending_rows::PendingRows;
use pending_tables::Waiting;
use publish::RowLocations;
use rowtide_protocol::{Checksum, DataLine};
use sqlite_nostd::ValueType;

use crate::cell;
use crate::error::{Error, ErrorKind, Result};
pub(crate) use repair::{
    delete_orphans, drop_bucket, end_for_repair, forget_request_id, republish, visit_damaged_request_ids,
};
pub(crate) use sync_times::{last_synced_at, now};

use crate::connection::Database;
use crate::connection::transaction::TrackedState;
use crate::schema::KnownSchemas;
use crate::sync_client::storage::{
    BucketId, ChangedBucket, Continuation, Finding, FindingKind, IterationState, NewSubscription, NewestCheckpoints,
    RequestFingerprint, RequestId, Scope, Storage, StoredBucket, StoredLine, StoredSubscription, Timestamp,
};
use crate::text;

/// What the store remembers of a connection.
#[derive(Default)]
pub(crate) struct StoreMemory {
    iteration: IterationMark,
    pending_rows: RefCell<PendingRows>,
    locations: RowLocations,
    failed_row: FailedRow,
}

impl StoreMemory {
    /// To be called when the transaction of a call has ended within it, which SQL of the application can do, so that the
    /// database holds something else than memory reflects. A running iteration ends at its next event.
    pub(crate) fn lose_iteration(&self) {
        self.iteration.lose();
    }
}

/// [`Storage`] on an SQLite connection.
pub(crate) struct SqliteStorage<'c> {
    database: Database<'c>,
    memory: &'c StoreMemory,
    schemas: &'c KnownSchemas,
    /// The iteration that this call begins.
    begun: Option<BegunIteration>,
    writer: Writer,
    /// The time of this call, once it was asked for.
    now: Option<Timestamp>,
}

impl<'c> SqliteStorage<'c> {
    /// The storage of `database` for one call; `memory` and `schemas` belong to the connection.
    pub(crate) fn new(database: Database<'c>, memory: &'c StoreMemory, schemas: &'c KnownSchemas) -> Self {
        Self { database, memory, schemas, begun: None, writer: Writer::Unknown, now: None }
    }

    /// Has the other iterations on the file load again what they remember, as this call changes it.
    fn note_writer(&mut self) -> Result<()> {
        match self.writer {
            Writer::This => return Ok(()),
            Writer::Other => self.memory.iteration.become_writer(&self.database)?,
            // An iteration of this connection, if there is one, does not know of what others wrote either.
            Writer::Unknown => iteration::have_no_writer(&self.database)?,
        }
        self.writer = Writer::This;
        Ok(())
    }

    fn publish_rows(&mut self, changed: &[ChangedBucket], scope: Scope<'_>, holds_back: bool) -> Result<()> {
        self.note_writer()?;
        // Of no use afterwards; if this fails, only hints are lost. Their memory is needed for sorting.
        cell::write(&self.memory.pending_rows).clear();
        publish::publish(&self.database, self.memory, self.schemas, changed, scope, holds_back)?;
        self.memory.failed_row.published();
        Ok(())
    }
}

impl Storage for SqliteStorage<'_> {
    fn now(&mut self) -> Result<Timestamp> {
        match self.now {
            Some(now) => Ok(now),
            None => Ok(*self.now.insert(sync_times::now(&self.database)?)),
        }
    }

    fn client_id(&mut self) -> Result<String> {
        client_id(&self.database)
    }

    fn begin_iteration(&mut self, request: RequestFingerprint) -> Result<NewestCheckpoints> {
        warnings::begin_iteration(&self.database)?;
        let (begun, newest) = BegunIteration::new(&self.database, request)?;
        self.begun = Some(begun);
        self.writer = Writer::This;
        Ok(newest)
    }

    fn adopt_iteration(&mut self) {
        if let Some(begun) = self.begun.take() {
            self.memory.iteration.adopt(&self.database, &begun);
        }
    }

    fn take_warnings(&mut self) -> Result<Vec<String>> {
        warnings::take(&self.database)
    }

    fn take_untyped(&mut self) -> Result<Vec<String>> {
        warnings::take_untyped(&self.database)
    }

    fn iteration_state(&mut self) -> Result<IterationState> {
        let (state, writer) = self.memory.iteration.state(&self.database)?;
        self.writer = writer;
        Ok(state)
    }

    fn prepare_to_note_change(&mut self) -> Result<()> {
        self.database.state().transaction().join(&self.database)
    }

    fn track_change(&mut self) {
        self.database.state().transaction().track_change(TrackedState::SyncClient);
    }

    fn visit_buckets(&mut self, visit: &mut dyn FnMut(StoredBucket<'_>) -> Result<()>) -> Result<()> {
        buckets::visit(&self.database, self.memory.iteration.request(), visit)
    }

    fn delete_bucket(&mut self, name: &str) -> Result<()> {
        self.note_writer()?;
        buckets::delete(&self.database, name)
    }

    fn record_removal(&mut self, last_op_id: i64) -> Result<()> {
        self.note_writer()?;
        iteration::record_removal(&self.database, last_op_id)
    }

    fn leave_checkpoint(&mut self, bucket: BucketId) -> Result<()> {
        self.note_writer()?;
        buckets::leave_checkpoint(&self.database, bucket)
    }

    fn reset_counts(&mut self, bucket: BucketId) -> Result<()> {
        self.note_writer()?;
        buckets::reset_counts(&self.database, bucket)
    }

    fn store_line(
        &mut self,
        line: &DataLine<'_>,
        line_size: usize,
        continuation: Continuation,
    ) -> Result<Option<StoredLine>> {
        let bucket = match buckets::find(&self.database, line.bucket)? {
            Some(bucket) if bucket.last_op >= continuation.after => bucket,
            None if continuation.after <= 0 && continuation.may_create => {
                self.note_writer()?;
                buckets::insert(&self.database, line.bucket, self.memory.iteration.request())?
            }
            _ => return Ok(None),
        };
        let is_new = bucket.settled == 0;
        let waiting = Waiting::new(&self.database, self.memory, self.schemas, &line.entries, is_new)?;
        let mut pending_rows = cell::write(&self.memory.pending_rows);
        let stored = operations::store_line(&self.database, &mut pending_rows, waiting, bucket, line, line_size)?;
        drop(pending_rows);
        if stored.new_operations > 0 {
            self.note_writer()?;
        }
        Ok(Some(stored))
    }

    fn checksum(&mut self, bucket: BucketId) -> Result<Checksum> {
        buckets::checksum(&self.database, bucket)
    }

    fn last_op(&mut self, bucket: BucketId) -> Result<i64> {
        buckets::last_op(&self.database, bucket)
    }

    fn complete(&mut self, changed: &[ChangedBucket], last_op_id: i64, scope: Scope<'_>) -> Result<()> {
        self.note_writer()?;
        buckets::complete(&self.database, changed, last_op_id, scope)
    }

    fn publish(&mut self, changed: &[ChangedBucket], scope: Scope<'_>) -> Result<()> {
        self.publish_rows(changed, scope, false)
    }

    fn publish_around_local_writes(&mut self, changed: &[ChangedBucket], scope: Scope<'_>) -> Result<()> {
        self.publish_rows(changed, scope, true)
    }

    fn upload_queue_is_empty(&mut self) -> Result<bool> {
        gate::upload_queue_is_empty(&self.database)
    }

    fn explain_gate(&mut self, event: &str) -> Result<String> {
        gate::explain(&self.database, event)
    }

    fn request_id(&mut self, id: RequestId) -> Result<Option<i64>> {
        gate::request_id(&self.database, id)
    }

    fn set_request_id(&mut self, id: RequestId, value: Option<i64>) -> Result<()> {
        gate::set_request_id(&self.database, id, value)
    }

    fn sync_times(&mut self) -> Result<Vec<(i64, Timestamp)>> {
        sync_times::all(&self.database)
    }

    fn record_sync_time(&mut self, priority: i64, time: Timestamp) -> Result<()> {
        self.note_writer()?;
        sync_times::record(&self.database, priority, time)
    }

    fn subscriptions(&mut self) -> Result<Vec<StoredSubscription>> {
        subscriptions::all(&self.database)
    }

    fn delete_unreadable_subscriptions(&mut self) -> Result<Vec<Error>> {
        subscriptions::delete_unreadable(&self.database)
    }

    fn find_subscription(&mut self, subscription: NewSubscription<'_>) -> Result<Option<StoredSubscription>> {
        subscriptions::find(&self.database, subscription)
    }

    fn find_or_insert_subscription(&mut self, subscription: NewSubscription<'_>) -> Result<StoredSubscription> {
        self.note_writer()?;
        subscriptions::find_or_insert(&self.database, subscription)
    }

    fn update_explicit_subscription(&mut self, subscription: &StoredSubscription) -> Result<()> {
        self.note_writer()?;
        subscriptions::update_explicit(&self.database, subscription)
    }

    fn describe_subscription(&mut self, id: i64, active: bool, is_default: bool) -> Result<()> {
        self.note_writer()?;
        subscriptions::describe(&self.database, id, active, is_default)
    }

    fn record_subscription_sync(&mut self, id: i64, time: Timestamp) -> Result<()> {
        self.note_writer()?;
        subscriptions::record_sync(&self.database, id, time)
    }

    fn delete_subscription(&mut self, id: i64) -> Result<()> {
        self.note_writer()?;
        subscriptions::delete(&self.database, id)
    }

    fn record_findings(
        &mut self,
        kind: FindingKind,
        found: &[Finding<'_>],
        is_looked_at: &dyn Fn(&str) -> bool,
    ) -> Result<()> {
        if kind == FindingKind::Attempt {
            self.memory.failed_row.record(&self.database)?;
        }
        diagnostics::record(&self.database, kind, found, is_looked_at)
    }
}

/// The client's id (docs/reference/functions.md#powersync_client_id).
pub(crate) fn client_id(database: &Database<'_>) -> Result<String> {
    let mut rows = database.query("SELECT value FROM main.ps_kv WHERE key = 'client_id'", &[])?;
    match rows.next()? {
        Some(row) if row.column_type(0) == ValueType::Text && !row.text(0)?.is_empty() => text::copy(row.text(0)?),
        _ => Err(Error::new(ErrorKind::Abort, "No client_id found in ps_kv")),
    }
}
