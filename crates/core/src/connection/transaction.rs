//! Notices what a rollback undoes: memory that mirrors the database must not stay ahead of it when a transaction, a
//! savepoint, or a single statement is rolled back, or a COMMIT fails
//! (docs/reference/sync-client.md#failed-calls-and-rollbacks; docs/reliability.md#traps, traps 2 to 4).
//!
//! SQLite reports transactions and savepoints to virtual tables that take part in them. Ours are `powersync_crud` and
//! `powersync_crud_`; both pass everything on to the [`TransactionMonitor`] of the connection. Two reports of one event
//! do no harm. Nothing here touches a statement: a rollback can come while one of ours is running.

use core::cell::Cell;

use crate::error::Result;

use super::Database;

/// What is remembered on a connection, and can be undone together with a change of the database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TrackedState {
    /// The id that the upload entries of this transaction get.
    TransactionId,
    /// The state of the sync client.
    SyncClient,
    /// The schema last applied.
    Schema,
}

/// Follows the transaction of a connection, and which of its changes are remembered.
#[derive(Default)]
pub(crate) struct TransactionMonitor {
    is_joined: Cell<bool>,
    /// Savepoints that are open, those of single statements among them.
    open_savepoints: Cell<u32>,
    /// By what is remembered: whether it was changed, bit *n* being a change inside *n* savepoints.
    changes: [Cell<u64>; 3],
    /// By what is remembered: whether changes were undone.
    lost: [Cell<bool>; 3],
    rollbacks: Cell<u64>,
    commits: Cell<u64>,
}

impl TransactionMonitor {
    /// Makes sure that the end of the current transaction will be known. Writes nothing, but needs the write lock.
    ///
    /// # Errors
    /// Errors of SQLite, such as SQLITE_BUSY or SQLITE_READONLY.
    pub(crate) fn join(&self, database: &Database<'_>) -> Result<()> {
        if self.is_joined.get() {
            return Ok(());
        }
        // What is inserted during a sync operation is not recorded. The table only takes part in the transaction.
        let _no_write = database.state().enter_sync_operation();
        database.execute("INSERT INTO powersync_crud_(data) VALUES (NULL)", &[])
    }

    /// Notes that `what` was changed together with the database.
    ///
    /// Call [`TransactionMonitor::join`] in the same transaction first, or nothing is noted.
    pub(crate) fn track_change(&self, what: TrackedState) {
        if self.is_joined.get() {
            let changes = self.changes_of(what);
            changes.set(changes.get() | bit(self.open_savepoints.get()));
        }
    }

    /// Whether this transaction holds a change of `what` that was not undone.
    pub(crate) fn has_changed(&self, what: TrackedState) -> bool {
        self.changes_of(what).get() != 0
    }

    /// Whether a change of `what` was undone since this was last asked.
    pub(crate) fn take_undone(&self, what: TrackedState) -> bool {
        let [transaction_id, client, schema] = &self.lost;
        let lost = match what {
            TrackedState::TransactionId => transaction_id,
            TrackedState::SyncClient => client,
            TrackedState::Schema => schema,
        };
        lost.replace(false)
    }

    /// A number that changes whenever something is undone in a transaction that was joined.
    pub(crate) fn rollbacks(&self) -> u64 {
        self.rollbacks.get()
    }

    /// A number that changes whenever a transaction that was joined is committed.
    pub(crate) fn commits(&self) -> u64 {
        self.commits.get()
    }

    /// A transaction is joined.
    pub(crate) fn begin(&self) {
        if !self.is_joined.replace(true) {
            self.open_savepoints.set(0);
        }
    }

    /// The transaction was committed.
    pub(crate) fn commit(&self) {
        self.commits.set(self.commits.get().wrapping_add(1));
        self.is_joined.set(false);
        self.changes.iter().for_each(|changes| changes.set(0));
    }

    /// The transaction was rolled back.
    pub(crate) fn rollback(&self) {
        self.is_joined.set(false);
        self.undo(0);
    }

    /// Savepoint `number` was opened, the lowest being 0.
    pub(crate) fn savepoint(&self, number: i32) {
        self.open_savepoints.set(inside(number));
    }

    /// Savepoint `number` and those in it were released: their changes belong to what is around them.
    pub(crate) fn release(&self, number: i32) {
        let outside = inside(number).saturating_sub(1);
        self.open_savepoints.set(self.open_savepoints.get().min(outside));
        for changes in &self.changes {
            let released = changes.get() & from(inside(number));
            if released != 0 {
                changes.set((changes.get() ^ released) | bit(outside));
            }
        }
    }

    /// Everything since savepoint `number` was undone; it stays open. -1 means a savepoint that began the
    /// transaction.
    pub(crate) fn rollback_to(&self, number: i32) {
        self.open_savepoints.set(self.open_savepoints.get().min(inside(number)));
        self.undo(inside(number));
    }

    /// Forgets changes made inside `savepoints` or more.
    fn undo(&self, savepoints: u32) {
        self.rollbacks.set(self.rollbacks.get().wrapping_add(1));
        for (changes, lost) in self.changes.iter().zip(&self.lost) {
            let undone = changes.get() & from(savepoints);
            if undone != 0 {
                changes.set(changes.get() ^ undone);
                lost.set(true);
            }
        }
    }

    fn changes_of(&self, what: TrackedState) -> &Cell<u64> {
        let [transaction_id, client, schema] = &self.changes;
        match what {
            TrackedState::TransactionId => transaction_id,
            TrackedState::SyncClient => client,
            TrackedState::Schema => schema,
        }
    }
}

/// How many savepoints are open inside savepoint `number`.
fn inside(number: i32) -> u32 {
    debug_assert!(number >= -1, "SQLite counts savepoints from 0");
    u32::try_from(number.saturating_add(1)).unwrap_or(0)
}

/// The bit for a change inside `savepoints`. From 63 on they share one, which can only make too much look lost.
fn bit(savepoints: u32) -> u64 {
    1 << savepoints.min(u64::BITS - 1)
}

/// The bits for changes inside `savepoints` or more.
fn from(savepoints: u32) -> u64 {
    u64::MAX << savepoints.min(u64::BITS - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: TrackedState = TrackedState::TransactionId;

    fn begun() -> TransactionMonitor {
        let monitor = TransactionMonitor::default();
        monitor.begin();
        monitor
    }

    #[test]
    fn committed_changes_are_not_lost() {
        let monitor = begun();
        monitor.track_change(ID);
        assert!(monitor.has_changed(ID));
        assert!(!monitor.has_changed(TrackedState::Schema));
        monitor.commit();
        assert!(!monitor.has_changed(ID));
        monitor.begin();
        monitor.rollback();
        assert!(!monitor.take_undone(ID));
    }

    #[test]
    fn a_rollback_loses_changes_once() {
        let monitor = begun();
        monitor.track_change(ID);
        monitor.rollback();
        assert!(!monitor.has_changed(ID));
        assert!(!monitor.take_undone(TrackedState::SyncClient));
        assert!(monitor.take_undone(ID));
        assert!(!monitor.take_undone(ID));
    }

    #[test]
    fn rolling_back_to_a_savepoint_loses_what_came_after_it() {
        let monitor = begun();
        monitor.savepoint(0);
        monitor.savepoint(1);
        monitor.track_change(ID);
        monitor.rollback_to(2);
        assert!(monitor.has_changed(ID));
        monitor.rollback_to(1);
        assert!(!monitor.has_changed(ID) && monitor.take_undone(ID));
        // The savepoint is still open.
        monitor.track_change(ID);
        monitor.rollback_to(0);
        assert!(monitor.take_undone(ID));
        monitor.track_change(ID);
        monitor.rollback_to(0);
        assert!(monitor.take_undone(ID));
    }

    #[test]
    fn changes_before_a_savepoint_survive_its_rollback() {
        let monitor = begun();
        monitor.track_change(ID);
        monitor.savepoint(0);
        monitor.track_change(ID);
        monitor.rollback_to(0);
        assert!(monitor.has_changed(ID) && monitor.take_undone(ID));
        monitor.commit();
        assert!(!monitor.take_undone(ID));
    }

    #[test]
    fn released_changes_belong_to_the_savepoint_around() {
        let monitor = begun();
        for number in 0..3 {
            monitor.savepoint(number);
        }
        monitor.track_change(ID);
        monitor.release(1);
        monitor.savepoint(1);
        monitor.rollback_to(1);
        assert!(monitor.has_changed(ID));
        monitor.rollback_to(0);
        assert!(!monitor.has_changed(ID));
        monitor.release(0);
        monitor.track_change(ID);
        monitor.savepoint(0);
        monitor.rollback_to(0);
        assert!(monitor.has_changed(ID), "noted outside of all savepoints");
    }

    #[test]
    fn a_savepoint_that_began_the_transaction_is_number_minus_one() {
        let monitor = begun();
        monitor.track_change(ID);
        monitor.rollback_to(-1);
        assert!(!monitor.has_changed(ID) && monitor.take_undone(ID));
        monitor.track_change(ID);
        assert!(monitor.has_changed(ID), "the transaction goes on");
    }

    #[test]
    fn joining_inside_savepoints_counts_them() {
        // SQLite reports the innermost one right after the begin.
        let monitor = begun();
        monitor.savepoint(3);
        monitor.track_change(ID);
        // The other table joins later; what is known stays.
        monitor.begin();
        monitor.savepoint(3);
        assert!(monitor.has_changed(ID));
        monitor.rollback_to(3);
        assert!(!monitor.has_changed(ID));
    }

    #[test]
    fn deep_savepoints_share_a_bit_on_the_safe_side() {
        let monitor = begun();
        monitor.savepoint(99);
        monitor.track_change(ID);
        monitor.rollback_to(98);
        assert!(monitor.take_undone(ID));
    }

    #[test]
    fn nothing_is_noted_outside_of_transactions() {
        let monitor = TransactionMonitor::default();
        monitor.track_change(ID);
        assert!(!monitor.has_changed(ID));
    }
}
