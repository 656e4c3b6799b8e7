//! Reads rows of a table: the next ones of a snapshot, or those with some keys.

use std::collections::HashMap;
use std::io::Read;

use sync_config::Value;
use sync_engine::row::{RowKey, SourceTable, SourceValue};

use super::catalog::Table;
use super::copy;
use super::sql::{Result, Session};
use super::types::{Kind, array_literal, quote, quote_name};
use crate::error::position_lost;

/// A row, and the texts of the columns by which rows are ordered.
struct Found {
    values: Vec<SourceValue>,
    order: Vec<Value>,
}

/// A table whose rows are read.
pub(crate) struct Reader<'r> {
    session: &'r mut Session,
    table: &'r Table,
    /// Numbers in the table of the columns that are asked for.
    columns: Vec<usize>,
    key: &'r [usize],
}

/// Rows, and where the next ones begin.
pub(crate) type Page = (Vec<Vec<SourceValue>>, Option<Vec<Value>>);

/// How many blocks of a table without an order are read at once, at most.
const MAX_BLOCKS: i64 = 1_024;

impl<'r> Reader<'r> {
    /// # Errors
    /// The table is not what the service knows.
    pub(crate) fn new(session: &'r mut Session, table: &'r Table, known: &'r SourceTable) -> Result<Self> {
        let place = |name: &String| table.columns.iter().position(|column| column.name == *name);
        let columns: Option<Vec<usize>> = known.columns.iter().map(|column| place(&column.name)).collect();
        match columns {
            Some(columns) => Ok(Self { session, table, columns, key: &known.key }),
            None => Err(changed(known).into()),
        }
    }

    /// The next rows.
    pub(crate) fn page(&mut self, after: Option<&[Value]>, limit: usize) -> Result<Page> {
        match self.table.order().map(<[usize]>::to_vec) {
            Some(order) => self.page_in_order(&order, after, limit),
            None => self.page_of_blocks(after, limit),
        }
    }

    fn page_in_order(&mut self, order: &[usize], after: Option<&[Value]>, limit: usize) -> Result<Page> {
        let names: Vec<String> = order.iter().map(|at| self.name(*at)).collect();
        let names = names.join(", ");
        let mut conditions: Vec<String> = self.table.filter.iter().map(|filter| format!("({filter})")).collect();
        if let Some(after) = after {
            let values = order.iter().zip(after).map(|(at, value)| self.literal(*at, value));
            conditions.push(format!("({names}) > ({})", values.collect::<Vec<_>>().join(", ")));
        }
        let rows = self.read(&conditions, &format!("ORDER BY {names} LIMIT {limit}"), order)?;
        let next = rows.last().filter(|_| rows.len() >= limit).map(|row| row.order.clone());
        Ok((rows.into_iter().map(|row| row.values).collect(), next))
    }

    /// Rows in the order in which they are stored. A row that moves meanwhile was changed, so the stream has it. If all rows
    /// are stored again, in another file, it begins again.
    fn page_of_blocks(&mut self, after: Option<&[Value]>, limit: usize) -> Result<Page> {
        let sql = format!(
            "SELECT pg_relation_filenode(oid)::int8, pg_relation_size(oid) / current_setting('block_size')::int8
            FROM pg_class WHERE oid = {}",
            self.table.oid
        );
        let row = self.session.client.query_opt(&sql, &[])?.ok_or_else(|| gone(&self.table.shown_name()))?;
        let (file, count): (i64, i64) = (row.get(0), row.get(1));
        let mut block = match after {
            Some([Value::Integer(of), Value::Integer(block)]) if *of == file => *block,
            _ => 0,
        };
        let step = i64::try_from(limit / 50).unwrap_or(1).clamp(1, MAX_BLOCKS);
        let mut rows = Vec::new();
        while rows.is_empty() && block < count {
            let end = block.saturating_add(step);
            let mut conditions: Vec<String> = self.table.filter.iter().map(|filter| format!("({filter})")).collect();
            conditions.push(format!("ctid >= '({block},0)'::tid AND ctid < '({end},0)'::tid"));
            rows = self.read(&conditions, "", &[])?;
            block = end;
        }
        let next = (block < count).then(|| vec![Value::Integer(file), Value::Integer(block)]);
        Ok((rows.into_iter().map(|row| row.values).collect(), next))
    }

    /// Rows with these keys, in their order.
    pub(crate) fn by_keys(&mut self, keys: &[Vec<Value>]) -> Result<Vec<Option<Vec<SourceValue>>>> {
        match self.by_possible_keys(keys) {
            // One of them is no value of its column, so there is no such row.
            Err(problem) if problem.code().is_some_and(|code| code.starts_with("22")) => match keys {
                [_] => Ok(vec![None]),
                _ => keys.iter().map(|key| Ok(self.by_keys(std::slice::from_ref(key))?.pop().flatten())).collect(),
            },
            found => found,
        }
    }

    fn by_possible_keys(&mut self, keys: &[Vec<Value>]) -> Result<Vec<Option<Vec<SourceValue>>>> {
        let key: Vec<usize> = self.key.iter().filter_map(|at| self.columns.get(*at).copied()).collect();
        let names: Vec<String> = key.iter().map(|at| self.name(*at)).collect();
        let arrays = key.iter().enumerate().map(|(part, at)| {
            let texts: Vec<String> = keys.iter().map(|key| key.get(part).map(text).unwrap_or_default()).collect();
            let literal = quote(&array_literal(texts.iter().map(String::as_str)));
            let cast = self.table.columns.get(*at).map_or("text", |column| column.cast.as_str());
            format!("CAST({literal} AS {cast}[])")
        });
        let arrays: Vec<String> = arrays.collect();
        let condition = match (names.as_slice(), arrays.as_slice()) {
            ([name], [array]) => format!("{name} = ANY ({array})"),
            _ => format!("({}) IN (SELECT * FROM unnest({}))", names.join(", "), arrays.join(", ")),
        };
        let mut found: HashMap<RowKey, Vec<SourceValue>> = HashMap::new();
        for row in self.read(&[condition], "", &[])? {
            let key: Option<Vec<Value>> = self.key.iter().map(|at| row.values.get(*at).map(key_value)).collect();
            found.extend(key.map(|key| (RowKey::new(&key), row.values)));
        }
        Ok(keys.iter().map(|key| found.get(&RowKey::new(key)).cloned()).collect())
    }

    fn read(&mut self, conditions: &[String], end: &str, order: &[usize]) -> Result<Vec<Found>> {
        let selected: Vec<String> = self.columns.iter().chain(order).map(|at| self.name(*at)).collect();
        let condition = if conditions.is_empty() { "true".to_owned() } else { conditions.join(" AND ") };
        let sql = format!(
            "COPY (SELECT tableoid, {} FROM ONLY {} WHERE {condition} {end}) TO STDOUT",
            selected.join(", "),
            self.table.sql_name(),
        );
        let mut text = Vec::new();
        self.session.client.copy_out(&sql)?.read_to_end(&mut text)?;
        let kinds: Vec<&Kind> =
            self.columns.iter().filter_map(|at| self.table.columns.get(*at)).map(|column| &column.kind).collect();
        let mut rows = Vec::new();
        for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let mut fields = copy::fields(line);
            // Another table may have got the name.
            if fields.next().flatten().as_deref() != Some(self.table.oid.to_string().as_bytes()) {
                return Err(gone(&self.table.shown_name()).into());
            }
            let values = kinds.iter().map(|kind| match fields.next().flatten() {
                Some(text) => kind.value(&text),
                None => SourceValue::Value(Value::Null),
            });
            let values = values.collect();
            let order = fields.map(|field| match field {
                Some(text) => Value::Text(String::from_utf8_lossy(&text).into_owned()),
                None => Value::Null,
            });
            rows.push(Found { values, order: order.collect() });
        }
        Ok(rows)
    }

    fn name(&self, at: usize) -> String {
        self.table.columns.get(at).map(|column| quote_name(&column.name)).unwrap_or_default()
    }

    fn literal(&self, at: usize, value: &Value) -> String {
        let cast = self.table.columns.get(at).map_or("text", |column| column.cast.as_str());
        format!("CAST({} AS {cast})", quote(&text(value)))
    }
}

/// A value of a key, as the server reads it.
fn text(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::Integer(integer) => integer.to_string(),
        Value::Real(real) => real.to_string(),
        Value::Text(text) => text.clone(),
        Value::Blob(bytes) => bytes.iter().fold("\\x".to_owned(), |text, byte| text + &format!("{byte:02x}")),
    }
}

fn key_value(value: &SourceValue) -> Value {
    value.to_value(&sync_config::Settings::default()).unwrap_or(Value::Null)
}

/// The service knows a table that is not there any more.
pub(crate) fn changed(known: &SourceTable) -> sync_engine::source::SourceError {
    gone(&format!("{}.{}", known.schema, known.name))
}

fn gone(name: &str) -> sync_engine::source::SourceError {
    position_lost(format!("table {name} was dropped or has changed: the tables are read again"))
}
