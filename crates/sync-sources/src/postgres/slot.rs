//! The replication slot: there is one for all configurations. Its name ends with its epoch.

use std::time::{SystemTime, UNIX_EPOCH};

use sync_engine::source::SourceError;

use super::place::Lsn;
use super::sql::{Database, Problem, Result, Session};
use super::types::quote;
use crate::error::{configuration, retry};

/// How long creating a slot may wait for transactions that are older than it. It is tried again.
const CREATE_TIMEOUT: &str = "SET statement_timeout = '15s'";

/// A slot of this service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Slot {
    pub(crate) name: String,
    pub(crate) epoch: u32,
    /// The server has forgotten what was before.
    pub(crate) confirmed: Lsn,
    /// Which process of the server uses it.
    pub(crate) used_by: Option<i32>,
    /// Why it cannot be used any more.
    pub(crate) lost: Option<String>,
    pub(crate) safe_bytes: Option<i64>,
    pub(crate) kept_bytes: Option<i64>,
}

/// All slots of this service, the newest first.
pub(crate) fn all(session: &mut Session, prefix: &str) -> Result<Vec<Slot>> {
    let sql = format!(
        "SELECT s.slot_name::text, s.confirmed_flush_lsn::text, s.active_pid, to_jsonb(s)->>'wal_status',
            to_jsonb(s)->>'invalidation_reason', to_jsonb(s)->>'conflicting', (to_jsonb(s)->>'safe_wal_size')::int8,
            pg_wal_lsn_diff(pg_current_wal_insert_lsn(), s.restart_lsn)::int8
        FROM pg_replication_slots s
        WHERE s.slot_type = 'logical' AND s.plugin = 'pgoutput' AND s.database = current_database() AND NOT s.temporary
            AND s.confirmed_flush_lsn IS NOT NULL AND starts_with(s.slot_name::text, {})",
        quote(prefix)
    );
    let mut slots = Vec::new();
    for row in session.client.query(&sql, &[])? {
        let name: String = row.get(0);
        let Some(epoch) = epoch_of(&name, prefix) else { continue };
        let confirmed = row.get::<_, Option<&str>>(1).and_then(Lsn::parse).unwrap_or_default();
        let status: Option<String> = row.get(3);
        let reason: Option<String> = row.get(4);
        let conflicts = row.get::<_, Option<&str>>(5) == Some("true");
        let lost = match (status.as_deref(), reason) {
            (_, Some(reason)) => Some(reason),
            (Some("lost"), None) => Some("it kept more of the log than max_slot_wal_keep_size".to_owned()),
            (_, None) => conflicts.then(|| "it conflicts with recovery".to_owned()),
        };
        let (used_by, safe_bytes, kept_bytes) = (row.get(2), row.get(6), row.get(7));
        slots.push(Slot { name, epoch, confirmed, used_by, lost, safe_bytes, kept_bytes });
    }
    slots.sort_by_key(|slot| std::cmp::Reverse(slot.epoch));
    Ok(slots)
}

/// The newest slot, which is created if there is none that can be used.
pub(crate) fn ensure(database: &Database, prefix: &str) -> std::result::Result<Slot, SourceError> {
    let slots = database.run("reading the replication slots", |session| all(session, prefix))?;
    match slots.first() {
        Some(slot) if slot.lost.is_none() => {
            let slot = slot.clone();
            drop_others(database, &slots, &slot);
            Ok(slot)
        }
        _ => renew(database, prefix, 0),
    }
}

/// A new slot, with an epoch after all others.
pub(crate) fn renew(database: &Database, prefix: &str, after: u32) -> std::result::Result<Slot, SourceError> {
    let slots = database.run("reading the replication slots", |session| all(session, prefix))?;
    let last = slots.iter().map(|slot| slot.epoch).chain([after]).max().unwrap_or_default();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let epoch = u32::try_from(now).unwrap_or(u32::MAX).max(last.saturating_add(1));
    let name = format!("{prefix}_{epoch:08x}");
    // Lost ones first: the server has not room for many.
    for slot in slots.iter().filter(|slot| slot.lost.is_some()) {
        remove(database, slot);
    }
    let created = database.run("creating a replication slot", |_| {
        // On a connection of its own, as it can take long, and an older one may be in use.
        let mut session = database.connect()?;
        session.client.batch_execute(CREATE_TIMEOUT)?;
        let sql = "SELECT lsn::text FROM pg_create_logical_replication_slot($1, 'pgoutput')";
        match session.client.query_one(sql, &[&name]) {
            Ok(row) => Ok(Lsn::parse(row.get(0)).unwrap_or_default()),
            Err(error) => Err(explained(error.into())),
        }
    })?;
    let slot = Slot { name, epoch, confirmed: created, used_by: None, lost: None, safe_bytes: None, kept_bytes: None };
    drop_others(database, &slots, &slot);
    Ok(slot)
}

/// Says what to do about an error of creating a slot.
fn explained(problem: Problem) -> Problem {
    match problem.code() {
        Some("57014") => retry(
            "creating a replication slot: transactions that began before it have not ended yet; see pg_stat_activity and \
             pg_prepared_xacts",
        )
        .into(),
        Some("53400") => configuration(
            "creating a replication slot: all are in use; increase max_replication_slots, or drop slots that nobody uses",
        )
        .into(),
        Some("42501") => configuration(
            "creating a replication slot: the role may not; run ALTER ROLE … REPLICATION",
        )
        .into(),
        Some("55000") => configuration(
            "creating a replication slot: the server does not write enough to its log; set wal_level to logical and restart it",
        )
        .into(),
        _ => problem,
    }
}

fn drop_others(database: &Database, slots: &[Slot], kept: &Slot) {
    slots.iter().filter(|slot| slot.name != kept.name).for_each(|slot| remove(database, slot));
}

/// Drops a slot. If that fails, perhaps as a stream still uses it, it is tried again when the slots are read next.
fn remove(database: &Database, slot: &Slot) {
    let sql =
        "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE slot_name = $1 AND NOT active";
    let _ = database.run("dropping a replication slot", |session| Ok(session.client.execute(sql, &[&slot.name])?));
}

fn epoch_of(name: &str, prefix: &str) -> Option<u32> {
    let digits = name.strip_prefix(prefix)?.strip_prefix('_')?;
    let is_epoch = digits.len() == 8 && digits.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_epoch.then(|| u32::from_str_radix(digits, 16).ok()).flatten()
}
