//! A file of a folder: when it has to be read again, and what its content changes.

use std::collections::BTreeSet;
use std::fs;
use std::hash::{DefaultHasher, Hasher};
use std::path::Path;
use std::time::{Duration, Instant, SystemTime};

use sync_engine::source::SourceError;

use super::problem::Problem;
use super::table::Content;
use super::transactions::run_line;
use crate::memory::database::{Database, Operation, Table, key_names};

/// A file, as far as it was read.
#[derive(Default)]
pub(crate) struct File {
    stamp: Option<Stamp>,
    hash: Option<u64>,
    /// Of transactions: how many bytes were run, and their hash.
    run: (usize, u64),
    /// The tables that it has.
    pub(crate) tables: BTreeSet<String>,
    /// Why its newest content does not count.
    pub(crate) problem: Option<Problem>,
    missing_since: Option<Instant>,
}

/// What a file holds, by its name.
pub(crate) enum Kind {
    /// `name.json`
    Table(String),
    /// `name.ndjson`
    Transactions,
}

impl Kind {
    pub(crate) fn of(name: &str) -> Option<Self> {
        match name.rsplit_once('.')? {
            (table, "json") => Some(Self::Table(table.to_owned())),
            (_, "ndjson") => Some(Self::Transactions),
            _ => None,
        }
    }
}

/// What says that a file has not changed, without reading it.
#[derive(Clone, Copy)]
struct Stamp {
    size: u64,
    modified: SystemTime,
    /// It was read so long after it was modified that another write would have given it another time.
    is_settled: bool,
}

/// How long a file is absent before its tables are dropped.
pub(crate) const GONE: Duration = Duration::from_secs(1);

/// More than the resolution of times in any file system.
const SETTLED: Duration = Duration::from_secs(3);

impl File {
    /// Whether a file that is absent has been so for a while: editors replace a file by removing it first.
    pub(crate) fn is_gone(&mut self, now: Instant) -> bool {
        now.duration_since(*self.missing_since.get_or_insert(now)) >= GONE
    }

    pub(crate) fn read_again(&mut self) {
        self.stamp = None;
        self.hash = None;
    }

    pub(crate) fn drop_tables(self, database: &mut Database) -> Result<(), SourceError> {
        commit(self.tables.into_iter().map(Operation::Drop).collect(), database)
    }

    /// Reads it if it may have changed.
    pub(crate) fn look(
        &mut self,
        path: &Path,
        kind: &Kind,
        has_other: &dyn Fn(&str) -> bool,
        database: &mut Database,
    ) -> Result<(), SourceError> {
        self.missing_since = None;
        match self.read(path) {
            Ok(None) => {}
            Ok(Some(bytes)) => self.problem = self.change(&bytes, kind, has_other, database)?,
            Err(message) => self.problem = Some(Problem { line: 1, column: 1, message }),
        }
        Ok(())
    }

    /// What it holds if that is new.
    fn read(&mut self, path: &Path) -> Result<Option<Vec<u8>>, String> {
        let described = |error: std::io::Error| format!("the file cannot be read: {}", error.kind());
        let metadata = fs::metadata(path).map_err(described)?;
        let (size, modified) = (metadata.len(), metadata.modified().map_err(described)?);
        if self.stamp.is_some_and(|stamp| stamp.is_settled && stamp.size == size && stamp.modified == modified) {
            return Ok(None);
        }
        let is_settled = SystemTime::now().duration_since(modified).is_ok_and(|age| age > SETTLED);
        let bytes = fs::read(path).map_err(described)?;
        self.stamp = Some(Stamp { size, modified, is_settled });
        let hash = hash(&bytes);
        Ok((self.hash.replace(hash) != Some(hash)).then_some(bytes))
    }

    fn change(
        &mut self,
        bytes: &[u8],
        kind: &Kind,
        has_other: &dyn Fn(&str) -> bool,
        database: &mut Database,
    ) -> Result<Option<Problem>, SourceError> {
        let text = match std::str::from_utf8(bytes) {
            Ok(text) => text,
            Err(error) => {
                let valid = bytes.get(..error.valid_up_to()).unwrap_or_default();
                let valid = std::str::from_utf8(valid).unwrap_or_default();
                return Ok(Some(Problem::at(valid, valid.len(), "the file is not UTF-8")));
            }
        };
        match kind {
            Kind::Table(table) => {
                if has_other(table) {
                    return Ok(Some(Problem::at(text, 0, format!("another file has a table {table}"))));
                }
                match Content::parse(text.strip_prefix('\u{feff}').unwrap_or(text)) {
                    Ok(content) => commit(content.changes(table, database), database)?,
                    Err(problem) => return Ok(Some(problem)),
                }
                self.tables.insert(table.clone());
                Ok(None)
            }
            Kind::Transactions => self.run(text, has_other, database),
        }
    }

    /// Runs lines that are new; if others have changed, all of them apart, and what is different then is one transaction.
    fn run(
        &mut self,
        text: &str,
        has_other: &dyn Fn(&str) -> bool,
        database: &mut Database,
    ) -> Result<Option<Problem>, SourceError> {
        let (run, hash_of_run) = self.run;
        let is_longer = text.as_bytes().get(..run).is_some_and(|run| hash(run) == hash_of_run);
        if is_longer || run == 0 {
            let (run, problem) = run_from(text, run, has_other, database, &mut self.tables);
            self.run = (run, hash(text.as_bytes().get(..run).unwrap_or_default()));
            return Ok(problem);
        }
        let mut replayed = Database::new(&database.schema, 0);
        let mut tables = BTreeSet::new();
        let (run, problem) = run_from(text, 0, has_other, &mut replayed, &mut tables);
        if problem.is_some() {
            return Ok(problem);
        }
        let mut operations: Vec<Operation> = self.tables.difference(&tables).cloned().map(Operation::Drop).collect();
        for (name, table) in &replayed.tables {
            operations.extend(content_of(table).changes(name, database));
        }
        commit(operations, database)?;
        self.tables = tables;
        self.run = (run, hash(text.as_bytes().get(..run).unwrap_or_default()));
        Ok(None)
    }
}

/// Runs the lines of a text from an offset on, and returns up to where, and why not further.
fn run_from(
    text: &str,
    from: usize,
    has_other: &dyn Fn(&str) -> bool,
    database: &mut Database,
    tables: &mut BTreeSet<String>,
) -> (usize, Option<Problem>) {
    let mut offset = from;
    for line in text.get(from..).unwrap_or_default().split_inclusive('\n') {
        match run_line(text, line, has_other, database) {
            Ok(changed) => {
                for (table, exists) in changed {
                    if exists {
                        tables.insert(table);
                    } else {
                        tables.remove(&table);
                    }
                }
            }
            Err(problem) => return (offset, Some(problem)),
        }
        offset = offset.saturating_add(line.len());
    }
    (offset, None)
}

fn content_of(table: &Table) -> Content {
    let columns = table.definition.columns.iter().map(|column| column.name.clone()).collect();
    let key = key_names(&table.definition).next().unwrap_or_default().to_owned();
    let rows = table.rows.iter().map(|(key, row)| (key.clone(), Vec::clone(row))).collect();
    Content { columns, key, rows }
}

fn commit(operations: Vec<Operation>, database: &mut Database) -> Result<(), SourceError> {
    if operations.is_empty() {
        return Ok(());
    }
    database.commit(operations).map(|_| ())
}

fn hash(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    hasher.write(bytes);
    hasher.finish()
}
