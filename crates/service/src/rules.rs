//! Opens the write path to an SQLite source, by a file of write rules.

use std::path::Path;
use std::sync::Arc;

use sync_config::Diagnostic;
use write_path::sqlite::SqlitePersister;
use write_path::{Rules, WritePath};

/// Why the write path is not opened.
#[derive(Debug)]
pub enum WritesError {
    /// The rules have errors; these are all findings in them.
    Rules(Vec<Diagnostic>),
    /// Anything else: what was being done, and why it failed.
    Other(String),
}

/// Opens the write path, and returns the warnings of its rules.
///
/// # Errors
/// The rules have errors, or the file cannot be written.
pub fn open_writes(source: &Path, rules: &str) -> Result<(Arc<WritePath>, Vec<Diagnostic>), WritesError> {
    let persister = SqlitePersister::open(source, &Default::default());
    let persister = persister.map_err(|error| WritesError::Other(error.to_string()))?;
    let loaded = Rules::load(rules, &persister).map_err(|error| WritesError::Other(error.to_string()))?;
    let Some(rules) = loaded.rules else { return Err(WritesError::Rules(loaded.diagnostics)) };
    Ok((Arc::new(WritePath::new(rules, Box::new(persister), Default::default())), loaded.diagnostics))
}

/// The path of an SQLite source; none for others, to which nothing can be written.
pub fn sqlite_path(source: &str) -> Option<&Path> {
    source.strip_prefix("sqlite:").filter(|path| !path.is_empty()).map(Path::new)
}
