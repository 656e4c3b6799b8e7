//! Format 1002: what several iterations on one file and a bounded list of changed rows need.
//!
//! Both directions are lists of statements, so that each change has its place in them.

use super::{Migration, Up};

/// The step between formats 1001 and 1002.
pub(super) const MIGRATION: Migration = Migration { version: 1002, up: Up::Sql(UP), down: Some(&DOWN) };

const UP: &str = "";

/// Undone in the opposite order of [`UP`].
const DOWN: [&str; 1] = ["DELETE FROM main.ps_migration WHERE id >= 1002"];
