//! One operation: what the client has seen, the statement itself, and the check of the row after it. The check of the row
//! before is part of the statement, so that nobody can change the row between the two.

use std::borrow::Cow;

use sync_config::Value;

use super::classify::{Class, Trouble};
use super::connection::Connection;
use super::statement::{Caller, Statement};
use super::value::Unreadable;
use crate::conflicts::{Before, Written};
use crate::plan::Planned;
use crate::request::OperationKind;
use crate::result::{Conflict, Failure, TransactionResult, code};
use crate::rules::{OnConflict, TableRule};
use crate::schema::{ColumnType, TypeKind};

/// Why a transaction ends without its data.
#[derive(Debug)]
pub(super) enum Stop {
    /// A rule refuses it, or PostgreSQL does for good.
    Refused(Box<Failure>),
    /// It can be tried again.
    Later {
        result: Box<TransactionResult>,
        /// Whether another transaction was in the way.
        is_collision: bool,
    },
}

impl Stop {
    /// What an error means for an operation, whose rule says who handles it.
    fn new(trouble: &Trouble, index: usize, rule: &TableRule) -> Self {
        match trouble.classify(Some(index)) {
            Class::Fatal(failure) => Self::Refused(Box::new(rule.failure(*failure))),
            Class::Retryable(_) => Self::later(trouble),
        }
    }

    /// An error in which nothing is wrong with the transaction.
    pub(super) fn later(trouble: &Trouble) -> Self {
        Self::Later { result: Box::new(trouble.retryable()), is_collision: trouble.is_collision() }
    }
}

/// Runs the operations of a transaction.
pub(super) struct Runner<'a, 'c> {
    pub(super) connection: &'c mut Connection,
    pub(super) caller: Caller<'a>,
    /// Columns that were left as they are.
    pub(super) conflicts: Vec<Conflict>,
}

impl<'a> Runner<'a, '_> {
    /// Runs one operation.
    pub(super) fn run(&mut self, index: usize, operation: &'a Planned<'a>) -> Result<(), Stop> {
        let rule = operation.rule;
        let before = self.before(index, operation)?;
        let (mut columns, conflicts) = operation.without_conflicts(index, before.as_ref()).map_err(Stop::Refused)?;
        self.conflicts.extend(conflicts);
        if rule.on_conflict == OnConflict::Function && before.is_some_and(|before| !before.changed.is_empty()) {
            columns = self.decided(index, operation)?;
        }
        if operation.kind == OperationKind::Patch && !columns.iter().any(|written| written.is_applied) {
            return self.check(index, operation, true);
        }
        let statement = match operation.kind {
            OperationKind::Put => upsert(operation, &columns, self.caller),
            OperationKind::Patch => update(operation, &columns, self.caller),
            OperationKind::Delete => delete(operation, self.caller),
        };
        let statement = statement.map_err(|error| invalid(error, index, operation))?;
        let written = self.execute(&statement, index, rule)?;
        let has_update =
            columns.iter().any(|written| written.is_applied) || rule.set_with(operation.kind).next().is_some();
        if rule.check.is_none() {
            return Ok(());
        }
        match operation.kind {
            // Nothing may have been written because there is nothing to change.
            OperationKind::Put if written == 0 && has_update => Err(Stop::Refused(operation.unauthorized(index))),
            OperationKind::Put => self.check(index, operation, false),
            OperationKind::Patch if written > 0 => self.check(index, operation, false),
            OperationKind::Delete if written > 0 => Ok(()),
            // The row is not there, the check refuses it, or a trigger has done something else, for instance marked the
            // row as deleted.
            OperationKind::Patch | OperationKind::Delete => self.check(index, operation, true),
        }
    }

    fn execute(&mut self, statement: &Statement<'_>, index: usize, rule: &TableRule) -> Result<u64, Stop> {
        self.connection.execute(statement).map_err(|trouble| Stop::new(&trouble, index, rule))
    }

    /// The row must be as the check has it. After a write, one that is not there any more, because a trigger has given it
    /// another id, cannot be checked.
    fn check(&mut self, index: usize, operation: &'a Planned<'a>, may_be_gone: bool) -> Result<(), Stop> {
        if operation.rule.check.is_none() {
            return Ok(());
        }
        let statement = state(operation.rule, operation.id, self.caller);
        let statement = statement.map_err(|error| invalid(error, index, operation))?;
        let unauthorized = || Stop::Refused(operation.unauthorized(index));
        match self.connection.rows(&statement) {
            Ok(rows) => match rows.first() {
                None if may_be_gone => Ok(()),
                Some(row) if row.try_get(0).unwrap_or(false) => Ok(()),
                _ => Err(unauthorized()),
            },
            // For instance a value that should be a number and is not: then the check is not true.
            Err(trouble) if trouble.is_data() => Err(unauthorized()),
            Err(trouble) => Err(Stop::new(&trouble, index, operation.rule)),
        }
    }

    /// The row before the operation, if the client says what it has seen.
    fn before(&mut self, index: usize, operation: &'a Planned<'a>) -> Result<Option<Before>, Stop> {
        if !operation.is_compared() {
            return Ok(None);
        }
        let statement = compared(operation).map_err(|error| invalid(error, index, operation))?;
        let rows = self.connection.rows(&statement).map_err(|trouble| Stop::new(&trouble, index, operation.rule))?;
        let Some(row) = rows.first() else { return Ok(Some(Before { is_there: false, changed: Vec::new() })) };
        let is_same = |at: usize| row.try_get::<_, bool>(at).unwrap_or(false);
        let columns = operation.previous.iter().enumerate().filter(|(at, _)| !is_same(*at));
        let changed = columns.map(|(_, (column, _))| (*column).to_owned()).collect();
        Ok(Some(Before { is_there: true, changed }))
    }

    /// The columns that the app's function wants to have written.
    fn decided(&mut self, index: usize, operation: &'a Planned<'a>) -> Result<Vec<Written<'a>>, Stop> {
        let rule = operation.rule;
        let (previous, new) = (object(&operation.previous), object(&operation.values));
        let statement = decision(operation, &previous, &new, self.caller);
        let statement = statement.map_err(|error| invalid(error, index, operation))?;
        let rows = self.connection.rows(&statement).map_err(|trouble| Stop::new(&trouble, index, rule))?;
        let answer = rows.first().and_then(|row| row.try_get::<_, Option<String>>(0).ok().flatten());
        let Some(answer) = answer else {
            return Err(Stop::Refused(operation.in_conflict(index, &[operation.conflict(index, None)])));
        };
        let bad = |what: &str| {
            let message = format!("The function for conflicts of the table {} {what}.", rule.name);
            Stop::Refused(Box::new(rule.failure(Failure::new(code::UNCLASSIFIED_ERROR, message, Some(index)))))
        };
        let answer = crate::request::members(&answer).ok_or_else(|| bad("returns no object"))?;
        let written = answer.into_iter().map(|(name, value)| {
            let column = rule.columns.values().find(|known| **known == name);
            let column = column.ok_or_else(|| bad("returns a column that clients may not write"))?;
            Ok(Written { column, value: Cow::Owned(value), is_applied: true })
        });
        written.collect()
    }
}

/// A value that no text of its column's type exists for.
fn invalid(error: Unreadable, index: usize, operation: &Planned<'_>) -> Stop {
    let rule = operation.rule;
    let message = format!("A value for the table {} is not readable: {}.", rule.name, error.0);
    Stop::Refused(Box::new(rule.failure(Failure::new(code::INVALID_DATA, message, Some(index)))))
}

fn type_of<'r>(rule: &'r TableRule, column: &str) -> Option<&'r ColumnType> {
    rule.definition.column(column).and_then(|column| column.column_type.as_ref())
}

/// Whether the check is true for a row.
fn state<'a>(rule: &'a TableRule, id: &'a str, caller: Caller<'a>) -> Result<Statement<'a>, Unreadable> {
    let statement = match &rule.check {
        Some(check) => Statement::new("SELECT (").expression(check, caller).sql(") IS TRUE"),
        None => Statement::new("SELECT TRUE"),
    };
    statement.sql(" FROM ").table(rule).of_row(rule, id)
}

/// Whether columns have the values that the client has seen. Nobody changes the row until the end.
fn compared<'a>(operation: &Planned<'a>) -> Result<Statement<'a>, Unreadable> {
    let rule = operation.rule;
    let mut statement = Statement::new("SELECT ");
    for (index, (column, value)) in operation.previous.iter().enumerate() {
        let ty = type_of(rule, column);
        // Not all types have an equality; their texts have.
        let cast = match ty.map(|ty| &ty.kind) {
            Some(TypeKind::Json) => " AS pg_catalog.jsonb)",
            Some(TypeKind::Other | TypeKind::Array(_) | TypeKind::Composite) => " AS pg_catalog.text)",
            _ => "",
        };
        let open = if cast.is_empty() { "" } else { "CAST(" };
        let separator = if index > 0 { ", " } else { "" };
        statement = statement.sql(separator).sql(open).name(&rule.definition.name).sql(".").name(column).sql(cast);
        statement = statement.sql(" IS NOT DISTINCT FROM ").sql(open).value(value, ty)?.sql(cast);
    }
    statement = statement.sql(" FROM ").table(rule).of_row(rule, operation.id)?;
    let is_lockable = rule.ops.iter().any(|kind| *kind != OperationKind::Delete);
    Ok(if is_lockable { statement.sql(" FOR UPDATE") } else { statement })
}

/// What the app's function makes of a conflict.
fn decision<'a>(
    operation: &Planned<'a>,
    previous: &'a str,
    new: &'a str,
    caller: Caller<'a>,
) -> Result<Statement<'a>, Unreadable> {
    let rule = operation.rule;
    let Some((schema, name)) = &rule.function else { return Err(Unreadable("there is no function")) };
    let statement = Statement::new("SELECT CAST(").name(schema).sql(".").name(name).sql("(jsonb_build_object('op', ");
    let statement = statement.text(operation.kind.name()).sql(", 'id', ").text(operation.id).sql(", 'user_id', ");
    let statement = statement.text(caller.user).sql(", 'stored', to_jsonb(").name(&rule.definition.name);
    let statement = statement.sql("), 'previous', CAST(").text(previous).sql(" AS jsonb), 'new', CAST(").text(new);
    statement.sql(" AS jsonb))) AS text) FROM ").table(rule).of_row(rule, operation.id)
}

/// Values by their columns, as JSON.
fn object(values: &[(&str, &Value)]) -> String {
    let json = |value: &Value| match value {
        Value::Null | Value::Blob(_) => serde_json::Value::Null,
        Value::Integer(integer) => (*integer).into(),
        Value::Real(real) => (*real).into(),
        Value::Text(text) => text.as_str().into(),
    };
    let members: serde_json::Map<String, serde_json::Value> =
        values.iter().map(|(column, value)| ((*column).to_owned(), json(value))).collect();
    serde_json::Value::Object(members).to_string()
}

fn delete<'a>(operation: &Planned<'a>, caller: Caller<'a>) -> Result<Statement<'a>, Unreadable> {
    let rule = operation.rule;
    let statement = Statement::new("DELETE FROM ").table(rule).of_row(rule, operation.id)?;
    Ok(statement.if_permitted(rule, caller))
}

fn update<'a>(
    operation: &Planned<'a>,
    columns: &[Written<'_>],
    caller: Caller<'a>,
) -> Result<Statement<'a>, Unreadable> {
    let rule = operation.rule;
    let mut statement = Statement::new("UPDATE ").table(rule).sql(" SET ");
    let mut separator = "";
    for written in columns.iter().filter(|written| written.is_applied) {
        statement = statement.sql(separator).name(written.column).sql(" = ");
        statement = statement.value(&written.value, type_of(rule, written.column))?;
        separator = ", ";
    }
    for set in rule.set_with(OperationKind::Patch) {
        statement = statement.sql(separator).name(&set.column).sql(" = ");
        statement = statement.set(&set.value, type_of(rule, &set.column), caller)?;
        separator = ", ";
    }
    Ok(statement.of_row(rule, operation.id)?.if_permitted(rule, caller))
}

fn upsert<'a>(
    operation: &Planned<'a>,
    columns: &[Written<'_>],
    caller: Caller<'a>,
) -> Result<Statement<'a>, Unreadable> {
    let rule = operation.rule;
    let mut statement = Statement::new("INSERT INTO ").table(rule).sql(" (").name(&rule.key);
    for written in columns {
        statement = statement.sql(", ").name(written.column);
    }
    for set in rule.set_with(OperationKind::Put) {
        statement = statement.sql(", ").name(&set.column);
    }
    // Clients choose the ids of rows, also where the database would otherwise count.
    let is_counted = !rule.definition.is_writable(&rule.key);
    statement = statement.sql(if is_counted { ") OVERRIDING SYSTEM VALUE VALUES (" } else { ") VALUES (" });
    statement = statement.value(&Value::text(operation.id), type_of(rule, &rule.key))?;
    for written in columns {
        statement = statement.sql(", ").value(&written.value, type_of(rule, written.column))?;
    }
    for set in rule.set_with(OperationKind::Put) {
        statement = statement.sql(", ").set(&set.value, type_of(rule, &set.column), caller)?;
    }
    let updated = columns.iter().filter(|written| written.is_applied).map(|written| written.column);
    let updated: Vec<&str> = updated.chain(rule.set_with(OperationKind::Put).map(|set| set.column.as_str())).collect();
    statement = statement.sql(") ON CONFLICT (").name(&rule.key);
    if updated.is_empty() {
        return Ok(statement.sql(") DO NOTHING"));
    }
    let mut separator = ") DO UPDATE SET ";
    for column in updated {
        statement = statement.sql(separator).name(column).sql(" = excluded.").name(column);
        separator = ", ";
    }
    Ok(match &rule.check {
        Some(check) => statement.sql(" WHERE (").expression(check, caller).sql(") IS TRUE"),
        None => statement,
    })
}

/// All statements that operations on a table can need, with all columns.
pub(super) fn all<'a>(rule: &'a TableRule, caller: Caller<'a>) -> Result<Vec<Statement<'a>>, Unreadable> {
    let written = |column| Written { column, value: Cow::Owned(Value::Null), is_applied: true };
    let columns: Vec<Written<'_>> = rule.columns.values().map(|column| written(column.as_str())).collect();
    let previous: Vec<(&str, &Value)> = rule.columns.values().map(|column| (column.as_str(), &Value::Null)).collect();
    let operation = |kind, previous| Planned { rule, id: "", kind, values: Vec::new(), previous };
    let mut all = Vec::new();
    for kind in &rule.ops {
        let operation = operation(*kind, Vec::new());
        match kind {
            OperationKind::Put => all.push(upsert(&operation, &columns, caller)?),
            OperationKind::Patch if columns.is_empty() => {}
            OperationKind::Patch => all.push(update(&operation, &columns, caller)?),
            OperationKind::Delete => all.push(delete(&operation, caller)?),
        }
    }
    all.push(state(rule, "", caller)?);
    if rule.on_conflict != OnConflict::LastWrite && !previous.is_empty() {
        let operation = operation(OperationKind::Patch, previous);
        all.push(compared(&operation)?);
        if rule.function.is_some() {
            all.push(decision(&operation, "{}", "{}", caller)?);
        }
    }
    Ok(all)
}
