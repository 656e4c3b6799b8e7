//! Finds out whether stored data are still what an iteration remembers of them
//! (docs/reference/sync-client.md#failed-calls-and-rollbacks,
//! docs/reference/sync-client.md#several-iterations-on-one-file).
//!
//! `ps_checkpoint` holds two random numbers for that. The *generation* changes when memory cannot follow a change:
//! every iteration on the file ends then. The *writer* is the iteration that was the last to change what iterations
//! remember: the others load that again before they handle their next event. A client alone on its file finds its
//! own writer there, so it pays for one read of the row per event.
//!
//! The row is always updated by its id. An update that could concern several rows is one that SQLite may commit on its own
//! when it runs out of memory (`Rows::has_lost_transaction`), and no part of this row may be ahead of other tables.

use core::cell::Cell;

use crate::error::Result;

use crate::connection::Database;
use crate::connection::transaction::TrackedState;
use crate::sync_client::storage::{IterationState, NewestCheckpoints, RequestFingerprint};

/// The writer after a change that was made without an iteration.
const NOBODY: i64 = 0;

/// What a connection remembers of its iteration's place in the database.
#[derive(Default)]
pub(super) struct IterationMark {
    generation: Cell<Option<i64>>,
    /// What the iteration writes as `writer`.
    token: Cell<i64>,
    request: Cell<Option<RequestFingerprint>>,
}

/// Whether this connection's iteration is the writer, as far as one call knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Writer {
    /// The call did not ask.
    Unknown,
    /// It is.
    This,
    /// It is not.
    Other,
}

/// An iteration that the running call begins.
pub(super) struct BegunIteration {
    generation: Option<i64>,
    token: i64,
    request: RequestFingerprint,
}

impl BegunIteration {
    /// Starts an iteration, and makes it the writer.
    pub(super) fn new(database: &Database<'_>, request: RequestFingerprint) -> Result<(Self, NewestCheckpoints)> {
        // This also restores a row that was lost.
        const SQL: &str = "INSERT INTO main.ps_checkpoint(id, generation, last_op, writer) \
            VALUES (1, random() & ~1, 0, random() | 1) ON CONFLICT (id) DO UPDATE SET writer = excluded.writer";
        database.execute(SQL, &[])?;
        let stored = CheckpointRow::load(database)?;
        database.state().transaction().join(database)?;
        let begun = Self {
            generation: stored.map(|row| row.generation),
            token: stored.map_or(NOBODY, |row| row.writer),
            request,
        };
        Ok((begun, stored.map_or_else(Default::default, |row| row.newest)))
    }
}

impl IterationMark {
    /// Makes an iteration that of this connection.
    pub(super) fn adopt(&self, database: &Database<'_>, begun: &BegunIteration) {
        self.generation.set(begun.generation);
        self.token.set(begun.token);
        self.request.set(Some(begun.request));
        let transaction = database.state().transaction();
        // What an earlier iteration lost does not concern this one.
        transaction.take_undone(TrackedState::SyncClient);
        transaction.track_change(TrackedState::SyncClient);
    }

    /// How the iteration's memory relates to the database, and whether it is the writer.
    pub(super) fn state(&self, database: &Database<'_>) -> Result<(IterationState, Writer)> {
        if database.state().transaction().take_undone(TrackedState::SyncClient) {
            self.generation.set(None);
        }
        let Some(expected) = self.generation.get() else {
            return Ok((IterationState::Ended { for_other: false }, Writer::Unknown));
        };
        Ok(match CheckpointRow::load(database)? {
            Some(row) if row.generation == expected => {
                if row.writer == self.token.get() {
                    (IterationState::Current, Writer::This)
                } else {
                    let by_iteration = row.writer != NOBODY;
                    (IterationState::Outdated { newest: row.newest, by_iteration }, Writer::Other)
                }
            }
            stored => {
                let own = database.state().own_generation();
                let is_for_schema = |generation: i64| generation & 1 == Ended::ForSchema as i64;
                let for_other = stored.is_none_or(|row| own != Some(row.generation) && !is_for_schema(row.generation));
                (IterationState::Ended { for_other }, Writer::Unknown)
            }
        })
    }

    /// Lets the iteration end at its next event: what a call has done is neither undone nor complete.
    pub(super) fn lose(&self) {
        self.generation.set(None);
    }

    /// Makes the iteration the writer.
    pub(super) fn become_writer(&self, database: &Database<'_>) -> Result<()> {
        set_writer(database, self.token.get())
    }

    /// The request of the last iteration that began.
    pub(super) fn request(&self) -> Option<RequestFingerprint> {
        self.request.get()
    }
}

/// Makes every iteration, also one of this connection, load again what it remembers.
pub(super) fn have_no_writer(database: &Database<'_>) -> Result<()> {
    set_writer(database, NOBODY)
}

fn set_writer(database: &Database<'_>, writer: i64) -> Result<()> {
    database.execute("UPDATE main.ps_checkpoint SET writer = ?1 WHERE id = 1", &[writer.into()])
}

/// Why iterations end, as the lowest bit of the generation says.
#[derive(Debug, Clone, Copy)]
pub(super) enum Ended {
    /// Somebody cleared the file, or has everything published again. On other connections the SDK waits before it
    /// reconnects.
    ForOthers = 0,
    /// The schema needs data that have to be published first.
    ForSchema = 1,
}

/// Makes every running iteration of any connection end at its next event. To be called by whatever changes downloaded
/// data other than through an iteration. This also restores a row that was lost.
///
/// The number is random: counted on, one that was rolled back would be given a second time.
pub(super) fn end_iterations(database: &Database<'_>, why: Ended) -> Result<()> {
    const SQL: &str = "INSERT INTO main.ps_checkpoint(id, generation, last_op) VALUES (1, (random() & ~1) | ?1, 0) \
        ON CONFLICT (id) DO UPDATE SET generation = excluded.generation";
    database.execute(SQL, &[(why as i64).into()])?;
    let renewed = CheckpointRow::load(database)?.map(|row| row.generation);
    database.state().set_own_generation(renewed);
    Ok(())
}

/// What iterations look at in `ps_checkpoint`.
#[derive(Clone, Copy)]
struct CheckpointRow {
    generation: i64,
    writer: i64,
    newest: NewestCheckpoints,
}

impl CheckpointRow {
    fn load(database: &Database<'_>) -> Result<Option<Self>> {
        let mut rows = database.query("SELECT generation, writer, last_op, removed_op FROM main.ps_checkpoint", &[])?;
        Ok(rows.next()?.map(|row| Self {
            generation: row.integer(0),
            writer: row.integer(1),
            newest: NewestCheckpoints { completed: row.integer(2), removed: row.integer(3) },
        }))
    }
}

/// See [`crate::sync_client::storage::Storage::record_removal`].
pub(super) fn record_removal(database: &Database<'_>, last_op_id: i64) -> Result<()> {
    const SQL: &str = "UPDATE main.ps_checkpoint SET removed_op = max(removed_op, ?1) WHERE id = 1";
    database.execute(SQL, &[last_op_id.into()])
}
