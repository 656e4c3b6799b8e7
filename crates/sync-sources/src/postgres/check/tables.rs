//! What tables must be like.

use sync_config::TablePattern;
use sync_engine::source::Check;

use super::{Has, fine, wrong};
use crate::common::is_matched;
use crate::postgres::catalog::Table;
use crate::postgres::publication::add_sql;
use crate::postgres::types::quote_name;

/// Patterns that no table matches.
pub(super) fn missing(patterns: &[TablePattern], tables: &[Table], checks: &mut Vec<Check>) {
    for pattern in patterns {
        let one = std::slice::from_ref(pattern);
        if tables.iter().any(|table| is_matched(one, &table.schema, &table.name)) {
            continue;
        }
        let name = format!("{}.{}", pattern.schema, pattern.table);
        checks.push(if pattern.is_wildcard() {
            fine("tables", format!("no table matches {name} yet"))
        } else {
            wrong(
                "tables",
                format!("there is no table {name}"),
                format!("Create {name}, or correct its name in the configuration."),
            )
        });
    }
}

pub(super) fn run(table: &Table, role: &str, publication: &str, has: Has, checks: &mut Vec<Check>) {
    let (name, sql) = (table.shown_name(), table.sql_name());
    let before = checks.len();
    if table.is_partitioned {
        let message = format!("{name} has partitions, which replicate under their own names");
        let fix = format!("Read its partitions in the configuration, for instance FROM \"{}_%\".", table.name);
        checks.push(wrong("tables", message, fix));
        return;
    }
    if table.is_unlogged {
        let fix = format!("ALTER TABLE {sql} SET LOGGED;");
        checks.push(wrong("tables", format!("{name} is not logged, so its changes are not streamed"), fix));
    }
    identity(table, checks);
    let is_added = has == Has::Extended && table.is_owned && table.key().is_some() && !table.is_unlogged;
    if !table.is_published && !is_added && has != Has::Nothing {
        let fix = format!("{};", add_sql(publication, true, &[table]));
        checks.push(wrong("publication", format!("{name} is not in the publication {publication}"), fix));
    }
    if !table.can_use_schema {
        let fix = format!("GRANT USAGE ON SCHEMA {} TO {role};", quote_name(&table.schema));
        checks.push(wrong("privileges", format!("the role may not use the schema of {name}"), fix));
    }
    if !table.can_select {
        let fix = format!("GRANT SELECT ON {sql} TO {role};");
        checks.push(wrong("privileges", format!("the role may not read {name}"), fix));
    }
    if table.hides_rows {
        let message = format!("{name} has row-level security, which hides rows from the role, but not from the stream");
        checks.push(wrong("privileges", message, format!("ALTER ROLE {role} BYPASSRLS;")));
    }
    if checks.len() == before {
        checks.push(fine("tables", format!("{name} can be synced")));
    }
}

fn identity(table: &Table, checks: &mut Vec<Check>) {
    let (name, sql) = (table.shown_name(), table.sql_name());
    if table.key().is_none() {
        let (message, fix) = if table.primary.is_some() {
            let message =
                format!("{name} is not replicated with its primary key: its updates and deletes are not streamed");
            (message, format!("ALTER TABLE {sql} REPLICA IDENTITY DEFAULT;"))
        } else {
            let message = format!(
                "{name} has no primary key, so that its updates and deletes cannot be streamed. Add one, or identify rows by \
                 all of their columns"
            );
            (message, format!("ALTER TABLE {sql} REPLICA IDENTITY FULL;"))
        };
        checks.push(wrong("replica identity", message, fix));
    } else if table.identity == b'f' && table.primary.is_none() {
        let message = format!("{name} has no primary key: of rows that are equal in all columns, clients get one");
        checks.push(fine("replica identity", message));
    }
}
