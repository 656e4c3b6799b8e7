//! `ps_diagnostics`: what attempts to sync ran into (docs/reference/tables.md#ps_diagnostics).

use alloc::string::String;
use alloc::vec::Vec;

use crate::bucket_storage::now;
use crate::connection::Database;
use crate::error::Result;
use crate::sync_client::storage::{Finding, FindingKind};
use crate::text;

const fn name(kind: FindingKind) -> &'static str {
    match kind {
        FindingKind::Attempt => "attempt",
        FindingKind::Checksum => "checksum",
        FindingKind::Stream => "stream",
    }
}

/// See [`crate::sync_client::storage::Storage::record_findings`].
pub(super) fn record(
    database: &Database<'_>,
    kind: FindingKind,
    found: &[Finding<'_>],
    is_looked_at: &dyn Fn(&str) -> bool,
) -> Result<()> {
    const SELECT: &str = "SELECT subject FROM main.ps_diagnostics WHERE kind = ?1";
    const DELETE: &str = "DELETE FROM main.ps_diagnostics WHERE kind = ?1 AND subject = ?2";
    const RECORD: &str = "INSERT INTO main.ps_diagnostics(kind, subject, at, detail) \
        VALUES (?1, ?2, ?3, json_set(?4, '$.times', 1)) ON CONFLICT DO UPDATE SET at = excluded.at, \
        detail = json_set(excluded.detail, '$.times', 1 + coalesce(iif(json_valid(detail), detail ->> '$.times', 0), 0))";
    let kind = name(kind);
    let mut outdated: Vec<String> = Vec::new();
    let mut rows = database.query(SELECT, &[kind.into()])?;
    while let Some(row) = rows.next()? {
        // A damaged one is of no bucket or stream, and must not keep others from syncing.
        let Ok(subject) = row.text(0) else { continue };
        if is_looked_at(subject) && found.iter().all(|found| found.subject != subject) {
            outdated.try_reserve(1)?;
            outdated.push(text::copy(subject)?);
        }
    }
    drop(rows);
    for subject in &outdated {
        database.execute(DELETE, &[kind.into(), subject.as_str().into()])?;
    }
    if found.is_empty() {
        return Ok(());
    }
    let now = now(database)?;
    for Finding { subject, detail } in found {
        database.execute(RECORD, &[kind.into(), (*subject).into(), now.into(), (*detail).into()])?;
    }
    Ok(())
}
