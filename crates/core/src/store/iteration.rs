//! Telling whether stored data are still what the running iteration made of them (sync client, Errors).

use core::cell::Cell;

use crate::connection::Database;
use crate::connection::transaction::Remembered;
use crate::error::Result;

/// What a connection remembers of its iteration's place in the database.
#[derive(Default)]
pub struct IterationMark {
    generation: Cell<Option<i64>>,
}

/// An iteration that the running call begins.
pub struct BegunIteration {
    generation: Option<i64>,
}

impl BegunIteration {
    /// Starts an iteration: whoever else believes to run one finds out at its next event.
    pub fn new(database: &Database<'_>) -> Result<Self> {
        advance_generation(database)?;
        Ok(Self { generation: generation(database)? })
    }
}

impl IterationMark {
    /// Makes an iteration that of this connection.
    pub fn adopt(&self, database: &Database<'_>, begun: &BegunIteration) {
        self.generation.set(begun.generation);
        // What an earlier iteration lost does not concern this one.
        database.state().transaction().take_lost_changes(Remembered::SyncClient);
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
