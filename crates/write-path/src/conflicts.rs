//! What becomes of an operation whose client has not seen what is stored.

use std::borrow::Cow;

use sync_config::Value;

use crate::plan::Planned;
use crate::request::OperationKind;
use crate::result::{Conflict, Failure, code};
use crate::rules::OnConflict;

/// A column that a client writes.
pub(crate) struct Written<'a> {
    pub(crate) column: &'a str,
    pub(crate) value: Cow<'a, Value>,
    /// Whether an existing row gets the value.
    pub(crate) is_applied: bool,
}

/// The row before an operation.
#[derive(Debug)]
pub(crate) struct Before {
    pub(crate) is_there: bool,
    /// Columns whose value is not what the client has seen.
    pub(crate) changed: Vec<String>,
}

impl<'a> Planned<'a> {
    /// Whether it matters what the client has seen.
    pub(crate) fn is_compared(&self) -> bool {
        self.rule.on_conflict != OnConflict::LastWrite && !self.previous.is_empty()
    }

    /// The columns to write, and those that stay as they are.
    ///
    /// # Errors
    /// The rule refuses operations with conflicts, and there are some.
    pub(crate) fn without_conflicts(
        &self,
        index: usize,
        before: Option<&Before>,
    ) -> Result<(Vec<Written<'a>>, Vec<Conflict>), Box<Failure>> {
        let conflict = |column: Option<&str>| self.conflict(index, column);
        let empty = Vec::new();
        let changed = before.map_or(&empty, |before| &before.changed);
        if self.rule.on_conflict == OnConflict::Reject && self.is_compared() {
            let is_gone = self.kind == OperationKind::Patch && before.is_some_and(|before| !before.is_there);
            let found: Vec<Conflict> = match is_gone {
                true => vec![conflict(None)],
                false => changed.iter().map(|column| conflict(Some(column))).collect(),
            };
            if !found.is_empty() {
                return Err(self.in_conflict(index, &found));
            }
        }
        let is_dropped =
            |column: &str| self.rule.on_conflict == OnConflict::Column && changed.iter().any(|known| known == column);
        let columns: Vec<Written<'a>> = self
            .values
            .iter()
            .map(|(column, value)| Written { column, value: Cow::Borrowed(*value), is_applied: !is_dropped(column) })
            .collect();
        let dropped = columns.iter().filter(|written| !written.is_applied);
        let conflicts = dropped.map(|written| conflict(Some(written.column))).collect();
        Ok((columns, conflicts))
    }

    /// Something that is not what the client has seen.
    pub(crate) fn conflict(&self, index: usize, column: Option<&str>) -> Conflict {
        Conflict {
            operation_index: index,
            table: self.rule.name.clone(),
            id: self.id.to_owned(),
            column: column.map(|column| self.rule.client_name(column).to_owned()),
        }
    }

    /// The failure of an operation because of conflicts; one without a column is a row that is gone.
    pub(crate) fn in_conflict(&self, index: usize, found: &[Conflict]) -> Box<Failure> {
        let is_gone = found.iter().all(|conflict| conflict.column.is_none());
        let message = match is_gone {
            true => format!("The row of the table {} was deleted meanwhile.", self.rule.name),
            false => format!("The row of the table {} was changed meanwhile.", self.rule.name),
        };
        Box::new(self.rule.failure(Failure::new(code::CONFLICT, message, Some(index)).with_conflicts(found)))
    }

    /// The failure of an operation that the check of its rule refuses.
    pub(crate) fn unauthorized(&self, index: usize) -> Box<Failure> {
        let message = format!("The user may not {} this row of the table {}.", self.kind.name(), self.rule.name);
        Box::new(self.rule.failure(Failure::new(code::UNAUTHORIZED, message, Some(index))))
    }
}
