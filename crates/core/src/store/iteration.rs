//! Telling whether stored data are still what the running iteration made of them (sync client, Errors).

use core::cell::Cell;

use sqlite_nostd::{SqliteError, memory};

use crate::connection::Database;
use crate::connection::transaction::Remembered;
use crate::error::Result;

/// What a connection remembers of its iteration's place in the database.
#[derive(Default)]
pub struct IterationMark {
    generation: Cell<Option<i64>>,
}

impl IterationMark {
    /// Starts an iteration: whoever else believes to run one finds out at its next event.
    pub fn begin(&self, database: &Database<'_>) -> Result<()> {
        advance_generation(database)?;
        self.generation.set(generation(database)?);
        // What an earlier iteration lost does not concern this one.
        database.state().transaction().take_lost_changes(Remembered::SyncClient);
        Ok(())
    }

    /// Whether the iteration's memory agrees with the database.
    pub fn is_current(&self, database: &Database<'_>) -> Result<bool> {
        if database.state().transaction().take_lost_changes(Remembered::SyncClient) {
            self.generation.set(None);
        }
        Ok(self.generation.get().is_some() && self.generation.get() == generation(database)?)
    }

    /// Lets the iteration end at its next event: what a call has done is neither undone nor complete.
    pub fn lose(&self) {
        self.generation.set(None);
    }

    /// Tells that memory now reflects changes of the current transaction. Fails if memory ran out since there were so
    /// many `refusals`: the call ends as out of memory then, so that nothing of it may be remembered.
    pub fn note_change(&self, database: &Database<'_>, refusals: usize) -> Result<()> {
        let transaction = database.state().transaction();
        transaction.join(database)?;
        if memory::out_of_memory_count() != refusals {
            return Err(SqliteError::out_of_memory().into());
        }
        transaction.note_change(Remembered::SyncClient);
        Ok(())
    }
}

/// Makes every running iteration of any connection end at its next event. To be called by whatever changes downloaded
/// data other than through the iteration. A row that was lost is there again afterwards.
pub fn advance_generation(database: &Database<'_>) -> Result<()> {
    const SQL: &str = "INSERT INTO main.ps_checkpoint(id, generation, last_op) VALUES (1, abs(random() >> 2), 0) \
        ON CONFLICT (id) DO UPDATE SET generation = (generation & 4611686018427387903) + 1";
    database.execute(SQL, &[])
}

fn generation(database: &Database<'_>) -> Result<Option<i64>> {
    database.integer("SELECT generation FROM main.ps_checkpoint", &[])
}
