//! The test of the setup: what is missing, and the SQL that does something about it.

mod server;
mod tables;

use sync_config::TablePattern;
use sync_engine::source::Check;

use super::catalog::Which;
use super::publication;
use super::shared::Shared;
use super::sql::{Result, Session};
use super::types::quote_name;

/// All checks. The table checks need those before them, so the first that fails to run is the last.
pub(crate) fn run(shared: &Shared, patterns: &[TablePattern]) -> Vec<Check> {
    let checks = shared.main.run("testing the source", |session| {
        let mut checks = vec![fine("connection", format!("connected to {}", shared.main.target().location()))];
        server::run(session, shared, &mut checks)?;
        let role = server::role(session)?;
        let publication = publication_checks(session, shared, patterns, &mut checks)?;
        let tables = shared.read_tables(session, &Which::Matching(patterns))?;
        tables::missing(patterns, &tables, &mut checks);
        for table in &tables {
            tables::run(table, &role, &shared.names.publication, publication, &mut checks);
        }
        Ok(checks)
    });
    checks.unwrap_or_else(|error| {
        let fix = "Check the URL, that the server runs and can be reached from here, and pg_hba.conf.".to_owned();
        vec![wrong("connection", error.message, fix)]
    })
}

/// Whether there is a publication, or will be one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Has {
    /// And the service adds tables to it that its role owns.
    Extended,
    /// The service may not change it.
    Fixed,
    /// Nobody can add tables to it one by one, and it cannot be created by the service.
    Nothing,
}

fn publication_checks(
    session: &mut Session,
    shared: &Shared,
    patterns: &[TablePattern],
    checks: &mut Vec<Check>,
) -> Result<Has> {
    let name = &shared.names.publication;
    let quoted = quote_name(name);
    let Some(found) = publication::read(session, name)? else {
        if publication::can_create(session)? {
            checks.push(fine("publication", format!("{name} is created by the service")));
            return Ok(Has::Extended);
        }
        let tables = shared.read_tables(session, &Which::Matching(patterns))?;
        let with_key: Vec<_> = tables
            .iter()
            .filter(|table| !table.is_partitioned && !table.is_unlogged && table.key().is_some())
            .collect();
        let fix = format!("{};", publication::add_sql(name, false, &with_key));
        checks.push(wrong(
            "publication",
            format!("there is no publication {name}, and the role may not create it"),
            fix,
        ));
        return Ok(Has::Nothing);
    };
    if !found.missing.is_empty() {
        let message = format!("{name} does not publish {}: such changes never reach clients", found.missing.join(", "));
        let fix = format!("ALTER PUBLICATION {quoted} SET (publish = 'insert, update, delete, truncate');");
        checks.push(wrong("publication", message, fix));
    }
    if found.is_via_root {
        let message = format!("{name} shows partitions as their parent, which is not supported");
        let fix = format!("ALTER PUBLICATION {quoted} SET (publish_via_partition_root = false);");
        checks.push(wrong("publication", message, fix));
    }
    if found.missing.is_empty() && !found.is_via_root {
        checks.push(fine("publication", format!("{name} publishes all kinds of changes")));
    }
    Ok(if found.is_owned && !found.has_all_tables { Has::Extended } else { Has::Fixed })
}

fn fine(name: &'static str, message: String) -> Check {
    Check { name, ok: true, message, fix: String::new() }
}

fn wrong(name: &'static str, message: String, fix: String) -> Check {
    Check { name, ok: false, message, fix }
}
