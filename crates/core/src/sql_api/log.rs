//! `powersync_log`: the last log lines and errors of a connection, in memory
//! (docs/reference/functions.md#powersync_log).

use alloc::boxed::Box;
use alloc::rc::Rc;
use alloc::string::String;
use alloc::vec::Vec;
use core::cell::RefCell;

use sqlite_nostd::{Cell, FunctionError};

use crate::bucket_storage::now;
use crate::cell;
use crate::connection::Database;
use crate::error::Result;
use crate::sync_client::Instruction;

/// How many entries are kept.
const COUNT: usize = 256;

/// Bytes of text that are kept.
const SIZE: usize = 64 << 10;

/// Bytes of one text, beyond which it is cut.
const TEXT_SIZE: usize = 2000;

/// The last log lines and errors.
#[derive(Default)]
pub(super) struct Log(RefCell<Kept>);

#[derive(Default)]
struct Kept {
    /// The newest last.
    entries: Vec<(i64, Entry)>,
    size: usize,
    last_id: i64,
}

/// A log line or an error.
#[derive(Clone)]
pub(super) struct Entry {
    /// None if the clock could not be read.
    at: Option<i64>,
    severity: &'static str,
    /// SQLite's result code, of an error.
    code: Option<i64>,
    text: Rc<String>,
}

impl Log {
    /// Entries for the log lines among `instructions`, to be added when the call succeeds.
    ///
    /// # Errors
    /// Errors of SQLite; out of memory.
    pub(super) fn prepare(&self, database: &Database<'_>, instructions: &[Instruction]) -> Result<Vec<Entry>> {
        let (mut entries, mut at) = (Vec::new(), None);
        for instruction in instructions {
            let Instruction::LogLine { severity, line } = instruction else { continue };
            if at.is_none() {
                at = Some(now(database)?);
                cell::write(&self.0).entries.try_reserve(COUNT)?;
            }
            entries.try_reserve(1)?;
            entries.push(Entry { at, severity: severity.name(), code: None, text: shortened(line) });
        }
        Ok(entries)
    }

    /// Adds entries; the oldest are dropped.
    pub(super) fn add(&self, entries: Vec<Entry>) {
        let mut kept = cell::write(&self.0);
        for entry in entries {
            kept.add(entry);
        }
    }

    /// Adds what made a call fail.
    pub(super) fn add_error(&self, database: &Database<'_>, error: &FunctionError) {
        let entry = Entry {
            at: now(database).ok(),
            severity: "ERROR",
            code: Some(error.code.0.into()),
            text: shortened(&error.message),
        };
        cell::write(&self.0).add(entry);
    }

    /// The rows of the table.
    pub(super) fn rows(&self) -> Vec<Box<[Cell]>> {
        let integer = |value: Option<i64>| value.map_or(Cell::Null, Cell::Integer);
        let kept = cell::read(&self.0);
        let rows = kept.entries.iter().map(|(id, entry)| -> Box<[Cell]> {
            Box::new([
                Cell::Integer(*id),
                integer(entry.at),
                Cell::Text(Rc::new(entry.severity.into())),
                integer(entry.code),
                Cell::Text(Rc::clone(&entry.text)),
            ])
        });
        rows.collect()
    }
}

impl Kept {
    fn add(&mut self, entry: Entry) {
        self.size = self.size.saturating_add(entry.text.len());
        while self.size > SIZE || self.entries.len() >= COUNT {
            let Some((oldest, entry)) = self.entries.first() else { break };
            let oldest = *oldest;
            self.size = self.size.saturating_sub(entry.text.len());
            self.entries.retain(|(id, _)| *id != oldest);
        }
        self.last_id = self.last_id.saturating_add(1);
        self.entries.push((self.last_id, entry));
    }
}

/// A copy of the first [`TEXT_SIZE`] bytes of a text.
fn shortened(text: &str) -> Rc<String> {
    match text.get(..text.floor_char_boundary(TEXT_SIZE)) {
        Some(start) if start.len() < text.len() => {
            let mut cut = String::from(start);
            cut.push('…');
            Rc::new(cut)
        }
        _ => Rc::new(text.into()),
    }
}
