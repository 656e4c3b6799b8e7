//! `powersync_crud_next`: the oldest transactions of the queue.

use alloc::format;
use alloc::string::String;

use crate::error::{Error, ErrorKind, Result};
use rowtide_json::writer::Json;
use sqlite_nostd::Row;

use crate::connection::Database;

/// The oldest transactions, as JSON: at most `max_transactions`, and no more than `max_bytes` of JSON, but one in any case.
///
/// # Errors
/// The oldest transaction has an entry that is no JSON; errors of SQLite; out of memory.
pub(crate) fn next(database: &Database<'_>, max_transactions: i64, max_bytes: Option<i64>) -> Result<String> {
    const SELECT: &str = "SELECT id, coalesce(tx_id, -id), entry ->> '$.op', entry ->> '$.type', entry ->> '$.id', \
            entry -> '$.data', entry -> '$.old', entry ->> '$.metadata', entry IS NOT NULL \
        FROM (SELECT id, tx_id, iif(typeof(data) = 'text' AND json_valid(data), data, NULL) AS entry FROM main.ps_crud) \
        ORDER BY id";
    let max_bytes = max_bytes.map_or(usize::MAX, |bytes| usize::try_from(bytes).unwrap_or(0));
    let mut rows = database.query(SELECT, &[])?;
    let mut batch = Batch::new();
    while let Some(row) = rows.next()? {
        let (entry, transaction) = (row.integer(0), row.integer(1));
        if batch.open.as_ref().is_none_or(|open| open.transaction != transaction) {
            batch.close();
            if batch.closed >= max_transactions {
                batch.has_more = true;
                break;
            }
            batch.open(transaction);
        }
        let added = if row.integer(8) != 0 { batch.add(&row, entry).map(|()| true) } else { Ok(false) };
        let is_json = match added {
            // Half a surrogate pair.
            Err(error) if error.kind() == ErrorKind::LocalData => false,
            added => added?,
        };
        if !is_json && batch.closed == 0 {
            return Err(Error::local_data(format!(
                "entry {entry} of the upload queue is no JSON: powersync_crud_reject({transaction}, …) takes its transaction out"
            )));
        }
        if !is_json || batch.closed > 0 && batch.json.written().len() > max_bytes {
            batch.undo();
            break;
        }
    }
    drop(rows);
    batch.finish()
}

/// Transactions as they are read.
struct Batch {
    json: Json,
    /// How many are complete.
    closed: i64,
    open: Option<Open>,
    /// Whether the queue goes on behind them.
    has_more: bool,
}

/// The transaction that is being read.
struct Open {
    transaction: i64,
    /// The length of the JSON before it.
    start: usize,
    last_entry: i64,
}

impl Batch {
    fn new() -> Self {
        let mut json = Json::with_room();
        json.raw("{\"transactions\":[");
        Self { json, closed: 0, open: None, has_more: false }
    }

    fn open(&mut self, transaction: i64) {
        self.open = Some(Open { transaction, start: self.json.written().len(), last_entry: 0 });
        self.json.comma();
        self.json.id("{\"transaction_id\":", transaction);
        self.json.raw(",\"crud\":[");
    }

    fn add(&mut self, row: &Row<'_>, entry: i64) -> Result<()> {
        let json = &mut self.json;
        let Some(open) = &mut self.open else { return Ok(()) };
        open.last_entry = entry;
        json.comma();
        json.id("{\"entry_id\":", entry);
        for (column, name) in [(2, ",\"op\":"), (3, ",\"table\":"), (4, ",\"id\":")] {
            json.optional_string(name, row.optional_text(column)?);
        }
        for (column, name) in [(5, ",\"op_data\":"), (6, ",\"previous_values\":")] {
            if let Some(value) = row.optional_text(column)? {
                json.json(name, value);
            }
        }
        if let Some(metadata) = row.optional_text(7)? {
            json.string(",\"metadata\":", metadata);
        }
        json.raw("}");
        Ok(())
    }

    fn close(&mut self) {
        let Some(open) = self.open.take() else { return };
        self.json.id("],\"last_entry_id\":", open.last_entry);
        self.json.raw("}");
        self.closed = self.closed.saturating_add(1);
    }

    /// Leaves the transaction that is being read for the next call.
    fn undo(&mut self) {
        if let Some(open) = self.open.take() {
            self.json.shorten(open.start);
        }
        self.has_more = true;
    }

    fn finish(mut self) -> Result<String> {
        self.close();
        self.json.raw(if self.has_more { "],\"more\":true}" } else { "],\"more\":false}" });
        Ok(self.json.finish()?)
    }
}
