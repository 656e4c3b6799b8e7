//! One operation: the checks before and after it, conflicts, and the statement itself.

use std::borrow::Cow;

use rusqlite::{Connection, ErrorCode};
use sync_config::Value;

use super::classify;
use super::statement::{Caller, Statement};
use crate::conflicts::{Before, Written};
use crate::plan::Planned;
use crate::request::OperationKind;
use crate::result::{Conflict, Failure, TransactionResult};
use crate::rules::TableRule;

/// Why a transaction ends without its data.
pub(super) enum Stop {
    /// A rule refuses it.
    Refused(Box<Failure>),
    /// SQLite reports an error, in the operation with the number.
    Sqlite(rusqlite::Error, Option<usize>),
    /// It can be tried again.
    Later(Box<TransactionResult>),
}

/// Runs the operations of a transaction.
pub(super) struct Runner<'a> {
    pub(super) connection: &'a Connection,
    pub(super) caller: Caller<'a>,
    /// Columns that were left as they are.
    pub(super) conflicts: Vec<Conflict>,
}

impl<'a> Runner<'a> {
    /// Runs one operation.
    pub(super) fn run(&mut self, index: usize, operation: &Planned<'a>) -> Result<(), Stop> {
        let stop = |error| Stop::Sqlite(error, Some(index));
        let before = self.before(index, operation)?;
        let (columns, conflicts) = operation.without_conflicts(index, before.as_ref()).map_err(Stop::Refused)?;
        self.conflicts.extend(conflicts);
        let rule = operation.rule;
        let caller = self.caller;
        match operation.kind {
            OperationKind::Delete => {
                delete(operation).execute(self.connection).map_err(stop)?;
                return Ok(());
            }
            OperationKind::Patch => {
                if before.as_ref().is_some_and(|before| !before.is_there)
                    || !columns.iter().any(|written| written.is_applied)
                {
                    return Ok(());
                }
                let changed = update(operation, &columns, caller).execute(self.connection).map_err(stop)?;
                if changed == 0 {
                    return Ok(());
                }
            }
            OperationKind::Put => {
                upsert(operation, &columns, caller).execute(self.connection).map_err(stop)?;
            }
        }
        if rule.check.is_none() {
            return Ok(());
        }
        // A row that is not there any more, because a trigger has given it another id, cannot be checked.
        let after = self.checked(index, state(rule, operation.id, &[], caller), 1, operation)?;
        if after.is_none() { Err(unauthorized(index, operation)) } else { Ok(()) }
    }

    /// The row before the operation, if anything depends on it.
    fn before(&self, index: usize, operation: &Planned<'a>) -> Result<Option<Before>, Stop> {
        let rule = operation.rule;
        let is_compared = operation.is_compared();
        if rule.check.is_none() && !is_compared {
            return Ok(None);
        }
        let compared: &[(&str, &Value)] = if is_compared { &operation.previous } else { &[] };
        let statement = state(rule, operation.id, compared, self.caller);
        let Some(row) = self.checked(index, statement, compared.len().saturating_add(1), operation)? else {
            return Ok(Some(Before { is_there: false, changed: Vec::new() }));
        };
        let same = row.iter().skip(1);
        let changed = compared.iter().zip(same).filter(|(_, is_same)| **is_same != Some(true));
        let changed = changed.map(|((column, _), _)| (*column).to_owned()).collect();
        Ok(Some(Before { is_there: true, changed }))
    }

    /// The state of a row that the check permits; none if there is no row.
    fn checked(
        &self,
        index: usize,
        statement: Statement<'_>,
        columns: usize,
        operation: &Planned<'a>,
    ) -> Result<Option<Vec<Option<bool>>>, Stop> {
        match statement.row(self.connection, columns) {
            Ok(Some(row)) if row.first() != Some(&Some(true)) => Err(unauthorized(index, operation)),
            Ok(row) => Ok(row),
            // For instance a value of the row that should be JSON and is not: then the check is not true.
            Err(error)
                if error.sqlite_error_code() == Some(ErrorCode::Unknown) && !classify::is_schema_mismatch(&error) =>
            {
                Err(unauthorized(index, operation))
            }
            Err(error) => Err(Stop::Sqlite(error, Some(index))),
        }
    }
}

fn unauthorized(index: usize, operation: &Planned<'_>) -> Stop {
    Stop::Refused(operation.unauthorized(index))
}

/// Whether the check is true for a row, then for some columns whether they have a value.
fn state<'a>(rule: &'a TableRule, id: &'a str, compared: &[(&str, &'a Value)], caller: Caller<'a>) -> Statement<'a> {
    let mut statement = Statement::default().sql("SELECT ");
    statement = match &rule.check {
        Some(check) => statement.sql("(").expression(check, caller).sql(") IS TRUE"),
        None => statement.sql("TRUE"),
    };
    for (column, value) in compared {
        statement = statement.sql(", ").name(&rule.table).sql(".").name(column).sql(" IS ").value(value);
    }
    statement.sql(" FROM main.").name(&rule.table).sql(" AS ").name(&rule.table).of_row(rule, id)
}

fn delete<'a>(operation: &Planned<'a>) -> Statement<'a> {
    Statement::default().sql("DELETE FROM main.").name(&operation.rule.table).of_row(operation.rule, operation.id)
}

fn update<'a>(operation: &Planned<'a>, columns: &'a [Written<'a>], caller: Caller<'a>) -> Statement<'a> {
    let rule = operation.rule;
    let mut statement = Statement::default().sql("UPDATE main.").name(&rule.table).sql(" SET ");
    let mut separator = "";
    for written in columns.iter().filter(|written| written.is_applied) {
        statement = statement.sql(separator).name(written.column).sql(" = ").value(&written.value);
        separator = ", ";
    }
    for set in rule.set_with(OperationKind::Patch) {
        statement = statement.sql(separator).name(&set.column).sql(" = ").expression(&set.value, caller);
        separator = ", ";
    }
    statement.of_row(rule, operation.id)
}

fn upsert<'a>(operation: &Planned<'a>, columns: &'a [Written<'a>], caller: Caller<'a>) -> Statement<'a> {
    let rule = operation.rule;
    let mut statement = Statement::default().sql("INSERT INTO main.").name(&rule.table).sql("(").name(&rule.key);
    for written in columns {
        statement = statement.sql(", ").name(written.column);
    }
    for set in rule.set_with(OperationKind::Put) {
        statement = statement.sql(", ").name(&set.column);
    }
    statement = statement.sql(") VALUES (").text(operation.id);
    for written in columns {
        statement = statement.sql(", ").value(&written.value);
    }
    for set in rule.set_with(OperationKind::Put) {
        statement = statement.sql(", ").expression(&set.value, caller);
    }
    let updated = columns.iter().filter(|written| written.is_applied).map(|written| written.column);
    let updated = updated.chain(rule.set_with(OperationKind::Put).map(|set| set.column.as_str()));
    statement = statement.sql(") ON CONFLICT(").name(&rule.key).sql(") DO ");
    let mut separator = "UPDATE SET ";
    for column in updated {
        statement = statement.sql(separator).name(column).sql(" = excluded.").name(column);
        separator = ", ";
    }
    if separator == ", " { statement } else { statement.sql("NOTHING") }
}

/// Prepares all statements that operations on a table can need, with all columns.
pub(super) fn prepare_all(connection: &Connection, rule: &TableRule) -> rusqlite::Result<()> {
    let caller = Caller { user: "", claims: "{}" };
    let written = |column| Written { column, value: Cow::Borrowed(&Value::Null), is_applied: true };
    let columns: Vec<Written<'_>> = rule.columns.values().map(|column| written(column.as_str())).collect();
    let operation = |kind| Planned { rule, id: "", kind, values: Vec::new(), previous: Vec::new() };
    state(rule, "", &[], caller).prepare(connection)?;
    for kind in &rule.ops {
        match kind {
            OperationKind::Put => drop(upsert(&operation(*kind), &columns, caller).prepare(connection)?),
            OperationKind::Patch if columns.is_empty() => {}
            OperationKind::Patch => drop(update(&operation(*kind), &columns, caller).prepare(connection)?),
            OperationKind::Delete => drop(delete(&operation(*kind)).prepare(connection)?),
        }
    }
    Ok(())
}
