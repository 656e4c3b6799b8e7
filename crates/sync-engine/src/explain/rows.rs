//! Rows of the source that parameter indexes read, with what they give: the beginning of large tables, and what is found in
//! them by key.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;

use sync_config::explain::{IndexRow, IndexRows, IndexTable, NamedValue};
use sync_config::{Layout, MissingColumn, Plan, Settings, TableName, Value};

use super::ExplainError;
use crate::row::{SourceTable, SourceValue};
use crate::source::{Source, SourceError};

/// How many rows of a table are compared to find one that leads to a bucket.
const COMPARED: usize = 20_000;

/// How many rows are read at once.
pub(super) const CHUNK: usize = 2_000;

/// The rows of a source for the indexes of a plan. Each table is read once for an index.
pub(super) struct SourceRows<'a> {
    plan: &'a Plan,
    source: &'a dyn Source,
    schema: &'a [SourceTable],
    read: RefCell<HashMap<usize, Rc<IndexTable>>>,
    failed: RefCell<Option<SourceError>>,
}

impl<'a> SourceRows<'a> {
    pub(super) fn new(plan: &'a Plan, source: &'a dyn Source, schema: &'a [SourceTable]) -> Self {
        Self { plan, source, schema, read: RefCell::default(), failed: RefCell::default() }
    }

    /// The error that a message is of.
    pub(super) fn error(&self, message: String) -> ExplainError {
        match self.failed.take() {
            Some(error) => error.into(),
            None => ExplainError::Store(crate::store::StoreError::Invalid(message)),
        }
    }

    /// The rows with these values; none if they are not found by key.
    fn by_key(&self, index: usize, columns: &[(&str, &Value)]) -> Result<Option<IndexTable>, SourceError> {
        let mut found = IndexTable { rows: Vec::new(), is_complete: true };
        for table in self.schema {
            let names = column_names(table);
            let layout = layout(table, &names);
            let Ok(tracer) = self.plan.index_tracer(index, &table_name(table), &layout) else { continue };
            let name = match table.key.as_slice() {
                [at] => names.get(*at),
                _ => None,
            };
            let value = columns.iter().find(|(column, _)| name.is_some_and(|name| name == column));
            let Some((_, value)) = value else { return Ok(None) };
            let refetched = self.source.refetch(table, &[vec![(*value).clone()]])?;
            for row in refetched.rows.into_iter().flatten() {
                let values = values(&row, &self.plan.settings);
                found.rows.push(IndexRow { key: key(table, &values), trace: tracer.trace(&values) });
            }
        }
        Ok(Some(found))
    }

    fn read(&self, index: usize) -> Result<IndexTable, SourceError> {
        let mut found = IndexTable { rows: Vec::new(), is_complete: true };
        for table in self.schema {
            let columns = column_names(table);
            let layout = layout(table, &columns);
            let Ok(tracer) = self.plan.index_tracer(index, &table_name(table), &layout) else { continue };
            let mut after: Option<Vec<Value>> = None;
            loop {
                let left = COMPARED.saturating_sub(found.rows.len());
                if left == 0 {
                    found.is_complete = false;
                    break;
                }
                let chunk = self.source.snapshot_chunk(table, after.as_deref(), CHUNK.min(left))?;
                for row in chunk.rows {
                    let values = values(&row, &self.plan.settings);
                    found.rows.push(IndexRow { key: key(table, &values), trace: tracer.trace(&values) });
                }
                after = chunk.next;
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(found)
    }
}

impl IndexRows for SourceRows<'_> {
    fn rows(&self, index: usize, columns: &[(&str, &Value)]) -> Result<Rc<IndexTable>, String> {
        let failed = |error: SourceError| {
            let message = error.to_string();
            self.failed.replace(Some(error));
            message
        };
        let known = self.read.borrow().get(&index).map(Rc::clone);
        let all = match known {
            Some(found) => found,
            None => {
                let found = Rc::new(self.read(index).map_err(failed)?);
                self.read.borrow_mut().insert(index, Rc::clone(&found));
                found
            }
        };
        if all.is_complete {
            return Ok(all);
        }
        Ok(self.by_key(index, columns).map_err(failed)?.map_or(all, Rc::new))
    }
}

pub(super) fn column_names(table: &SourceTable) -> Vec<String> {
    table.columns.iter().map(|column| column.name.clone()).collect()
}

pub(super) fn table_name(table: &SourceTable) -> TableName<'_> {
    TableName { connection: None, schema: &table.schema, table: &table.name }
}

/// The layout of rows of a table, as the writer binds it.
pub(super) fn layout<'a>(table: &SourceTable, columns: &'a [String]) -> Layout<'a> {
    let missing = if table.is_schemaless { MissingColumn::Null } else { MissingColumn::Mistake };
    Layout { columns, missing }
}

/// The values of a row. Values that the source does not send are NULL: reading by key gives all of them.
pub(super) fn values(row: &[SourceValue], settings: &Settings) -> Vec<Value> {
    row.iter().map(|value| value.to_value(settings).unwrap_or(Value::Null)).collect()
}

/// The columns that identify a row.
pub(super) fn key(table: &SourceTable, values: &[Value]) -> Vec<NamedValue> {
    let named = |at: &usize| Some(NamedValue::column(table.columns.get(*at)?.name.clone(), values.get(*at)?.clone()));
    table.key.iter().filter_map(named).collect()
}
