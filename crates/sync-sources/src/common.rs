//! What all sources share: numbers of tables in a stream, names of table generations, patterns, and the time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use sync_config::{TablePattern, Value};
use sync_engine::row::{Position, SourceTable};
use sync_engine::source::{SourceError, SourceEvent};

use crate::error::position_lost;

/// The numbers that a stream has given to tables, and how it last described them.
#[derive(Default)]
pub(crate) struct Relations {
    known: HashMap<String, (u32, Arc<SourceTable>)>,
}

impl Relations {
    /// The number of a table. Describes the table first if the stream has not yet, or if it has changed since.
    pub(crate) fn number(&mut self, table: &Arc<SourceTable>, events: &mut Vec<SourceEvent>) -> u32 {
        let next = u32::try_from(self.known.len()).unwrap_or(u32::MAX);
        let number = match self.known.get(table.physical_id.as_str()) {
            Some((number, known)) if Arc::ptr_eq(known, table) || known == table => return *number,
            Some((number, _)) => *number,
            None => next,
        };
        self.known.insert(table.physical_id.clone(), (number, Arc::clone(table)));
        events.push(SourceEvent::Relation { number, table: SourceTable::clone(table) });
        number
    }
}

/// What a generation of a table is called: the same again when the same file is created again with the same tables, so
/// that clients need not download what has not changed.
pub(crate) fn physical_id<'k>(name: &str, key: impl Iterator<Item = &'k str>, generation: u32) -> String {
    let key: Vec<&str> = key.collect();
    format!("{name}({})#{generation}", key.join(","))
}

/// Whether one of the patterns is for this table. Which connection they are for is the caller's matter.
pub(crate) fn is_matched(patterns: &[TablePattern], schema: &str, table: &str) -> bool {
    patterns.iter().any(|pattern| pattern.suffix(pattern.connection.as_deref(), schema, table).is_some())
}

/// The key columns of a row.
pub(crate) fn key_of(row: &[Value], key: &[usize]) -> Vec<Value> {
    key.iter().map(|column| row.get(*column).cloned().unwrap_or(Value::Null)).collect()
}

/// The number of a position.
///
/// # Errors
/// It is not a position of a source that counts.
pub(crate) fn number_of(position: &Position) -> Result<u64, SourceError> {
    position.number().ok_or_else(|| position_lost("the position is of another kind of source"))
}

/// Microseconds since 1970.
pub(crate) fn now() -> u64 {
    let elapsed = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    u64::try_from(elapsed.as_micros()).unwrap_or(0)
}
