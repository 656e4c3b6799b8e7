//! Format 11: stream subscriptions, with their times in seconds.

use super::{Migration, Up};

/// The step between formats 10 and 11.
pub(super) const MIGRATION: Migration = Migration { version: 11, up: Up::Sql(UP), down: Some(DOWN) };

const UP: &str = "CREATE TABLE main.ps_stream_subscriptions (
  id INTEGER NOT NULL PRIMARY KEY,
  stream_name TEXT NOT NULL,
  active INTEGER NOT NULL DEFAULT FALSE,
  is_default INTEGER NOT NULL DEFAULT FALSE,
  local_priority INTEGER,
  local_params TEXT NOT NULL DEFAULT 'null',
  ttl INTEGER,
  expires_at INTEGER,
  last_synced_at INTEGER,
  UNIQUE (stream_name, local_params)
) STRICT;";

const DOWN: &[&str] = &[statements!["DROP TABLE ps_stream_subscriptions", "DELETE FROM ps_migration WHERE id >= 11"]];
