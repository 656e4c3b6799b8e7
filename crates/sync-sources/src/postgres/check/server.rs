//! What the server and the role must be like.

use std::time::{SystemTime, UNIX_EPOCH};

use sync_engine::source::Check;

use super::{fine, wrong};
use crate::postgres::shared::Shared;
use crate::postgres::slot::{self, Slot};
use crate::postgres::sql::{Result, Session};
use crate::postgres::types::quote_name;

/// The oldest version that is supported.
const MIN_VERSION: i32 = 120_000;

/// How many seconds the clocks of the server and of this machine may differ.
const MAX_CLOCK: f64 = 10.0;

/// The name of the role, quoted.
pub(super) fn role(session: &mut Session) -> Result<String> {
    let name: String = session.client.query_one("SELECT current_user::text", &[])?.get(0);
    Ok(quote_name(&name))
}

pub(super) fn run(session: &mut Session, shared: &Shared, checks: &mut Vec<Check>) -> Result<()> {
    checks.push(version(session)?);
    checks.push(wal_level(session)?);
    checks.push(replication(session)?);
    let slots = slot::all(session, &shared.names.slot)?;
    checks.push(limit(session, slots.is_empty())?);
    if let Some(newest) = slots.first() {
        checks.push(slot_status(session, newest)?);
    }
    checks.push(clock(session)?);
    Ok(())
}

fn version(session: &mut Session) -> Result<Check> {
    let row = session.client.query_one("SELECT current_setting('server_version'), pg_is_in_recovery()", &[])?;
    let shown: String = row.get(0);
    if session.version < MIN_VERSION {
        let message = format!("PostgreSQL {shown} is too old");
        return Ok(wrong("version", message, "Update to PostgreSQL 12 or newer.".to_owned()));
    }
    if row.get(1) {
        let message = "the server is a standby, on which the service cannot create a slot".to_owned();
        return Ok(wrong("version", message, "Name the primary server in the URL of the source.".to_owned()));
    }
    Ok(fine("version", format!("PostgreSQL {shown}")))
}

fn wal_level(session: &mut Session) -> Result<Check> {
    let level: String = session.client.query_one("SELECT current_setting('wal_level')", &[])?.get(0);
    if level == "logical" {
        return Ok(fine("wal_level", "it is logical".to_owned()));
    }
    let fix = "ALTER SYSTEM SET wal_level = 'logical'; -- then restart the server".to_owned();
    Ok(wrong("wal_level", format!("it is {level}, so that changes cannot be streamed"), fix))
}

fn replication(session: &mut Session) -> Result<Check> {
    // Hosted servers have a role instead of the attribute.
    let sql = "SELECT rolsuper OR rolreplication OR EXISTS (SELECT 1 FROM pg_roles h
            WHERE h.rolname IN ('rds_replication', 'azure_pg_admin', 'cloudsqlsuperuser') AND pg_has_role(r.oid, h.oid, 'USAGE'))
        FROM pg_roles r WHERE rolname = current_user";
    if session.client.query_one(sql, &[])?.get(0) {
        return Ok(fine("replication", "the role may replicate".to_owned()));
    }
    let role = role(session)?;
    Ok(wrong("replication", format!("the role {role} may not replicate"), format!("ALTER ROLE {role} REPLICATION;")))
}

/// Whether there is room for a slot and for a stream.
fn limit(session: &mut Session, needs_slot: bool) -> Result<Check> {
    let sql = "SELECT current_setting('max_replication_slots')::int8, (SELECT count(*) FROM pg_replication_slots),
            current_setting('max_wal_senders')::int8, (SELECT count(*) FROM pg_stat_replication)";
    let row = session.client.query_one(sql, &[])?;
    let (slots, used_slots, senders, used_senders): (i64, i64, i64, i64) =
        (row.get(0), row.get(1), row.get(2), row.get(3));
    let mut settings = Vec::new();
    let mut messages = Vec::new();
    if needs_slot && used_slots >= slots {
        messages.push(format!("all {slots} replication slots are in use"));
        settings.push(("max_replication_slots", slots));
    }
    if needs_slot && used_senders >= senders {
        messages.push(format!("all {senders} connections for replication are in use"));
        settings.push(("max_wal_senders", senders));
    }
    if settings.is_empty() {
        return Ok(fine("slots", format!("{used_slots} of {slots} replication slots are in use")));
    }
    let sql = settings.iter().map(|(name, now)| format!("ALTER SYSTEM SET {name} = {};", now.saturating_add(10)));
    let fix = format!("{} -- then restart the server", sql.collect::<Vec<_>>().join(" "));
    Ok(wrong("slots", messages.join(", "), fix))
}

fn slot_status(session: &mut Session, slot: &Slot) -> Result<Check> {
    let Slot { name, lost, safe_bytes, kept_bytes, .. } = slot;
    if let Some(why) = lost {
        let message = format!("{name} is lost: {why}. The service replaces it, and compares all rows");
        return Ok(wrong("slot", message, format!("SELECT pg_drop_replication_slot('{name}');")));
    }
    let sql = "SELECT setting::int8 FROM pg_settings WHERE name = 'max_slot_wal_keep_size'";
    let limit = session.client.query_opt(sql, &[])?.map_or(-1, |row| row.get::<_, i64>(0));
    let kept = megabytes(kept_bytes.unwrap_or_default());
    if let Some(safe) = safe_bytes.filter(|safe| limit > 0 && megabytes(*safe) < limit / 2) {
        let message = format!(
            "{name} is lost when {} MB more are written to the server's log: it keeps {kept} MB, and \
             max_slot_wal_keep_size is {limit} MB",
            megabytes(safe)
        );
        let doubled = limit.max(kept).saturating_mul(2);
        let fix = format!("ALTER SYSTEM SET max_slot_wal_keep_size = '{doubled}MB'; SELECT pg_reload_conf();");
        return Ok(wrong("slot", message, fix));
    }
    Ok(fine("slot", format!("{name} keeps {kept} MB of the server's log")))
}

fn megabytes(bytes: i64) -> i64 {
    bytes / (1024 * 1024)
}

fn clock(session: &mut Session) -> Result<Check> {
    let server: f64 = session.client.query_one("SELECT extract(epoch FROM clock_timestamp())::float8", &[])?.get(0);
    let here = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs_f64();
    let difference = (server - here).abs();
    if difference <= MAX_CLOCK {
        return Ok(fine("clock", "the clocks of the server and of this machine agree".to_owned()));
    }
    let message = format!("the clocks of the server and of this machine differ by {difference:.0} seconds");
    Ok(wrong("clock", message, "Set both by NTP; until then the reported lag is wrong.".to_owned()))
}
