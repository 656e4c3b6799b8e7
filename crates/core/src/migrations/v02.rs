//! Format 2: local writes of one transaction are queued under one transaction id.

use super::{Migration, Up};

/// The step between formats 1 and 2.
pub(super) const MIGRATION: Migration = Migration { version: 2, up: Up::Sql(UP), down: Some(DOWN) };

const UP: &str = "CREATE TABLE main.ps_tx(id INTEGER PRIMARY KEY NOT NULL, current_tx INTEGER, next_tx INTEGER);
INSERT INTO main.ps_tx(id, current_tx, next_tx) VALUES (1, NULL, 1);
ALTER TABLE main.ps_crud ADD COLUMN tx_id INTEGER;";

const DOWN: &[&str] = &[statements![
    "DELETE FROM ps_migration WHERE id >= 2",
    "DROP TABLE ps_tx",
    "ALTER TABLE ps_crud DROP COLUMN tx_id"
]];
