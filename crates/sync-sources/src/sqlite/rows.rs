//! Reads rows of a table: by keys, and page by page.

use rusqlite::{CachedStatement, Connection, Params, ToSql, params_from_iter};
use sync_config::Value;
use sync_engine::row::{RowKey, SourceValue};

use super::failure::Result;
use super::schema::{Key, TableInfo};
use super::values::{self, Bound, quoted};

/// Statements over a table. A row begins with its key.
pub(crate) struct Reader<'c> {
    connection: &'c Connection,
    by_key: CachedStatement<'c>,
    key: usize,
    columns: usize,
}

/// A row, as the service wants it.
pub(crate) type SourceRow = Vec<SourceValue>;

impl<'c> Reader<'c> {
    pub(crate) fn new(connection: &'c Connection, table: &TableInfo) -> Result<Self> {
        let terms = table.key_terms();
        let terms: Vec<String> = terms.into_iter().map(|term| format!("{term} = ?")).collect();
        let sql = format!("{} WHERE {}", select(table), terms.join(" AND "));
        let by_key = connection.prepare_cached(&sql)?;
        let columns = by_key.column_count();
        Ok(Self { connection, by_key, key: table.key_width(), columns })
    }

    /// The row with exactly this key: 'a' is not the key of 'A', whatever the index says.
    pub(crate) fn get(&mut self, key: &RowKey, values: impl Params) -> Result<Option<SourceRow>> {
        let mut rows = self.by_key.query(values)?;
        let Some(row) = rows.next()? else { return Ok(None) };
        if RowKey::new(&values::values(row, 0..self.key)?) != *key {
            return Ok(None);
        }
        Ok(Some(source_row(row, self.key, self.columns)?))
    }

    /// As [`Reader::get`].
    pub(crate) fn get_by_values(&mut self, key: &[Value]) -> Result<Option<SourceRow>> {
        if key.len() != self.key {
            return Ok(None);
        }
        self.get(&RowKey::new(key), params_from_iter(key.iter().map(Bound)))
    }

    /// Rows in the order of their keys, and where the next page begins.
    pub(crate) fn page(
        &self,
        table: &TableInfo,
        after: Option<&[Value]>,
        limit: usize,
    ) -> Result<(Vec<SourceRow>, Option<Vec<Value>>)> {
        let mut statement = self.connection.prepare_cached(&page_sql(table, after.is_some()))?;
        let mut limit = limit.max(1);
        loop {
            let count = i64::try_from(limit).unwrap_or(i64::MAX);
            let key: Vec<Bound<'_>> = after.unwrap_or_default().iter().map(Bound).collect();
            let mut parameters: Vec<&dyn ToSql> = key.iter().map(|value| value as &dyn ToSql).collect();
            parameters.push(&count);
            let mut rows = statement.query(parameters.as_slice())?;
            let (mut page, mut read, mut next) = (Vec::new(), 0_usize, None);
            // Texts in keys that are no UTF-8 are not shown as they are, so that no page can begin behind them.
            let mut next_at = 0_usize;
            while let Some(row) = rows.next()? {
                read = read.saturating_add(1);
                page.push(source_row(row, self.key, self.columns)?);
                if is_utf8(row, self.key) {
                    next = Some(values::values(row, 0..self.key)?);
                    next_at = page.len();
                }
            }
            if read < limit {
                return Ok((page, None));
            }
            if next.is_some() {
                page.truncate(next_at);
                return Ok((page, next));
            }
            limit = limit.saturating_mul(2);
        }
    }
}

/// Key, then all columns.
fn select(table: &TableInfo) -> String {
    let columns = table.columns.iter().map(|column| quoted(&column.name));
    let rowid = table.rowid.iter().filter(|_| table.key == Key::Rowid).map(|rowid| quoted(rowid));
    let columns: Vec<String> = table.key_names().into_iter().chain(rowid).chain(columns).collect();
    format!("SELECT {} FROM main.{}", columns.join(", "), quoted(&table.name))
}

/// Rows with NULL in their key are left out: nothing identifies them.
fn page_sql(table: &TableInfo, is_after: bool) -> String {
    let terms = table.key_terms().join(", ");
    let names = table.key_names();
    let mut conditions: Vec<String> = names.iter().map(|name| format!("{name} IS NOT NULL")).collect();
    if is_after {
        let places = vec!["?"; names.len()].join(", ");
        conditions.push(format!("({terms}) > ({places})"));
    }
    format!("{} WHERE {} ORDER BY {terms} LIMIT ?", select(table), conditions.join(" AND "))
}

fn source_row(row: &rusqlite::Row<'_>, key: usize, columns: usize) -> rusqlite::Result<SourceRow> {
    (key..columns).map(|column| Ok(SourceValue::Value(values::value(row.get_ref(column)?)))).collect()
}

fn is_utf8(row: &rusqlite::Row<'_>, key: usize) -> bool {
    use rusqlite::types::ValueRef;
    (0..key).all(|column| match row.get_ref(column) {
        Ok(ValueRef::Text(text)) => std::str::from_utf8(text).is_ok(),
        _ => true,
    })
}
