//! Collects the tables that committed transactions changed, as reported by hooks
//! (docs/reference/functions.md#powersync_update_hooks).
//!
//! The commit hook runs before a commit, which can still fail; SQLite calls nothing after it has succeeded. So tables
//! of a transaction that was about to commit are kept apart until it is clear whether it was committed: the data
//! version of a database changes with each commit.

use core::mem;

use crate::collections::Names;

/// Reads the data version of a database; 0 if there is none of that name.
pub(crate) trait Versions {
    /// The version of the database `name`.
    fn version(&self, name: &str) -> u64;
}

/// A set of tables and the databases that they are in.
#[derive(Default)]
struct Changes {
    tables: Names,
    databases: Names,
}

impl Changes {
    fn insert(&mut self, database: &str, table: &str) {
        self.tables.insert(table);
        self.databases.insert(database);
    }

    fn extend(&mut self, other: &Self) {
        self.tables.extend(&other.tables);
        self.databases.extend(&other.databases);
    }
}

/// The tables changed on a connection.
#[derive(Default)]
pub(crate) struct ChangedTables {
    /// Changed by the open transaction.
    open: Changes,
    /// Changed by a transaction that was about to commit, with the data versions at that time.
    committing: Option<(Changes, u64)>,
    /// Changed by committed transactions, not reported and forgotten yet.
    committed: Names,
}

impl ChangedTables {
    /// A row was changed.
    pub(crate) fn update(&mut self, database: &str, table: &str, versions: &dyn Versions) {
        self.settle(versions);
        self.open.insert(database, table);
    }

    /// The transaction is about to commit. It may have been before, when that commit failed.
    pub(crate) fn commit(&mut self, versions: &dyn Versions) {
        self.settle(versions);
        let mut changes = mem::take(&mut self.open);
        if let Some((earlier, _)) = self.committing.take() {
            changes.extend(&earlier);
        }
        let version = version_of(&changes, versions);
        self.committing = Some((changes, version));
    }

    /// A transaction was rolled back: the one that was about to commit, unless that has succeeded.
    pub(crate) fn rollback(&mut self, versions: &dyn Versions) {
        self.settle(versions);
        self.committing = None;
        self.open = Changes::default();
    }

    /// The tables changed by transactions committed since they were last forgotten.
    pub(crate) fn committed(&mut self, versions: &dyn Versions) -> &Names {
        self.settle(versions);
        &self.committed
    }

    /// Forgets the tables that were reported.
    pub(crate) fn forget_committed(&mut self) {
        self.committed = Names::default();
    }

    /// Goes on after the hooks were not in place for a while. What became of transactions meanwhile is not known: their
    /// tables count as changed, for a watcher that looks once too often misses nothing.
    pub(crate) fn resume(&mut self) {
        if let Some((changes, _)) = self.committing.take() {
            self.open.extend(&changes);
        }
        // They also stay changes of the open transaction, in case there is one.
        self.committed.extend(&self.open.tables);
    }

    /// Counts the transaction that was about to commit as committed, if it was.
    fn settle(&mut self, versions: &dyn Versions) {
        if let Some((changes, version)) = self.committing.take() {
            if version_of(&changes, versions) == version {
                self.committing = Some((changes, version));
            } else {
                self.committed.extend(&changes.tables);
            }
        }
    }
}

fn version_of(changes: &Changes, versions: &dyn Versions) -> u64 {
    changes.databases.iter().fold(0, |sum, name| sum.wrapping_add(versions.version(name)))
}

#[cfg(test)]
mod tests {
    use core::cell::Cell;
    use std::string::String;
    use std::vec::Vec;

    use super::*;

    #[derive(Default)]
    struct Database(Cell<u64>);

    impl Versions for Database {
        fn version(&self, _: &str) -> u64 {
            self.0.get()
        }
    }

    impl ChangedTables {
        fn take(&mut self, versions: &dyn Versions) -> Vec<String> {
            let told = self.committed(versions).sorted().unwrap().into_iter().map(String::from).collect();
            self.forget_committed();
            told
        }
    }

    impl Database {
        fn commit(&self, tables: &mut ChangedTables, changed: &[&str]) {
            for table in changed {
                tables.update("main", table, self);
            }
            tables.commit(self);
            self.0.set(self.0.get() + 1);
        }
    }

    #[test]
    fn committed_tables_are_reported_until_they_are_forgotten() {
        let (mut tables, database) = (ChangedTables::default(), Database::default());
        database.commit(&mut tables, &["b", "a", "b"]);
        database.commit(&mut tables, &["c"]);
        assert_eq!(tables.committed(&database).sorted().unwrap(), ["a", "b", "c"]);
        assert_eq!(tables.take(&database), ["a", "b", "c"]);
        assert!(tables.take(&database).is_empty());
        tables.update("main", "d", &database);
        assert!(tables.take(&database).is_empty(), "not committed yet");
    }

    #[test]
    fn a_rollback_drops_only_its_own_transaction() {
        let (mut tables, database) = (ChangedTables::default(), Database::default());
        database.commit(&mut tables, &["kept"]);
        tables.update("main", "dropped", &database);
        tables.rollback(&database);
        assert_eq!(tables.take(&database), ["kept"]);
        database.commit(&mut tables, &["kept"]);
        tables.rollback(&database);
        assert_eq!(tables.take(&database), ["kept"], "a rollback without changes");
    }

    #[test]
    fn what_became_of_a_transaction_without_hooks_counts_as_committed() {
        let (mut tables, database) = (ChangedTables::default(), Database::default());
        tables.update("main", "about to commit", &database);
        tables.commit(&database);
        tables.update("main", "open", &database);
        tables.resume();
        assert_eq!(tables.take(&database), ["about to commit", "open"]);
        database.commit(&mut tables, &["later"]);
        assert_eq!(tables.take(&database), ["about to commit", "later", "open"], "the transaction was still open");
        tables.resume();
        assert!(tables.take(&database).is_empty());
    }

    #[test]
    fn a_commit_that_fails_drops_its_tables_only_if_it_is_rolled_back() {
        let (mut tables, database) = (ChangedTables::default(), Database::default());
        tables.update("main", "a", &database);
        tables.commit(&database);
        tables.rollback(&database);
        assert!(tables.take(&database).is_empty());
        tables.update("main", "a", &database);
        tables.commit(&database);
        assert!(tables.take(&database).is_empty(), "the commit was refused, the transaction is still open");
        database.commit(&mut tables, &["b"]);
        assert_eq!(tables.take(&database), ["a", "b"]);
    }
}
