//! What rules make of operations: names of the database, only columns that may be written; or why they refuse them.

use sync_config::Value;

use crate::request::{Operation, OperationKind};
use crate::result::{Failure, code};
use crate::rules::{OnError, Rules, TableRule};

/// What clients call the column that identifies a row.
pub(crate) const CLIENT_KEY: &str = "id";

/// An operation that the rules permit, as far as that can be known without the database.
#[derive(Clone, Debug)]
pub struct Planned<'a> {
    /// The rule of its table.
    pub rule: &'a TableRule,
    /// The row.
    pub id: &'a str,
    /// What to do with the row.
    pub kind: OperationKind,
    /// Columns of the database with their new values, in the order of their names on clients.
    pub values: Vec<(&'a str, &'a Value)>,
    /// Columns of the database with the values that the client has seen.
    pub previous: Vec<(&'a str, &'a Value)>,
}

/// Plans all operations of a transaction.
///
/// # Errors
/// The first one that the rules refuse.
pub(crate) fn plan<'a>(rules: &'a Rules, operations: &'a [Operation]) -> Result<Vec<Planned<'a>>, Box<Failure>> {
    operations.iter().enumerate().map(|(index, operation)| plan_one(rules, operation, index)).collect()
}

fn plan_one<'a>(rules: &'a Rules, operation: &'a Operation, index: usize) -> Result<Planned<'a>, Box<Failure>> {
    let table = &operation.table;
    let refused = |message: String| Failure::new(code::UNAUTHORIZED, message, Some(index));
    let Some(rule) = rules.table(table) else {
        return Err(Box::new(refused(format!("The table {table} may not be written."))));
    };
    let refused = |message: String| Box::new(rule.failure(refused(message)));
    if !rule.ops.contains(&operation.kind) {
        return Err(refused(format!("{} is not permitted on the table {table}.", operation.kind.name())));
    }
    let mut values = Vec::with_capacity(operation.values.len());
    for (column, value) in &operation.values {
        if operation.kind == OperationKind::Delete || rule.is_set(column) {
            continue;
        }
        if column == CLIENT_KEY {
            if value.as_text().is_some_and(|text| text == operation.id) {
                continue;
            }
            return Err(refused(format!(
                "The column {column} of the table {table} is the row's id and cannot change."
            )));
        }
        let Some(known) = rule.columns.get(column) else {
            return Err(refused(format!("The column {column} of the table {table} may not be written.")));
        };
        values.push((known.as_str(), value));
    }
    let previous = operation.previous.iter().flatten();
    let previous = previous.filter_map(|(column, value)| Some((rule.columns.get(column)?.as_str(), value))).collect();
    Ok(Planned { rule, id: &operation.id, kind: operation.kind, values, previous })
}

impl TableRule {
    /// A failure of an operation on the table, to be handled as its rule says.
    pub fn failure(&self, failure: Failure) -> Failure {
        Failure { requires_client_handling: self.on_error == OnError::Client, ..failure }
    }
}
