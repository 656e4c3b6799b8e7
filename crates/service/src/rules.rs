//! Opens the write path to a database, by a file of write rules.

use std::path::Path;
use std::sync::Arc;

use convex_connect::{DeployKey, Deployment, Reach};
use sync_config::Diagnostic;
use write_path::convex::ConvexPersister;
use write_path::postgres::PostgresPersister;
use write_path::sqlite::SqlitePersister;
use write_path::{Persister, PersisterError, Rules, WritePath};

/// Why the write path is not opened.
#[derive(Debug)]
pub enum WritesError {
    /// The rules have errors; these are all findings in them.
    Rules(Vec<Diagnostic>),
    /// Anything else: what was being done, and why it failed.
    Other(String),
}

/// Opens the write path to an SQLite file, and returns the warnings of its rules.
///
/// # Errors
/// The rules have errors, or the file cannot be written.
pub fn open_writes(source: &Path, rules: &str) -> Result<(Arc<WritePath>, Vec<Diagnostic>), WritesError> {
    let persister = SqlitePersister::open(source, &Default::default());
    let persister = persister.map_err(|error| WritesError::Other(error.to_string()))?;
    writes_to(Box::new(persister), rules)
}

/// Opens the write path to a database, and returns the warnings of its rules.
///
/// # Errors
/// The rules have errors, or the database cannot be asked now.
pub fn writes_to(persister: Box<dyn Persister>, rules: &str) -> Result<(Arc<WritePath>, Vec<Diagnostic>), WritesError> {
    let loaded = Rules::load(rules, persister.as_ref()).map_err(|error| WritesError::Other(error.to_string()))?;
    let Some(rules) = loaded.rules else { return Err(WritesError::Rules(loaded.diagnostics)) };
    Ok((Arc::new(WritePath::new(rules, persister, Default::default())), loaded.diagnostics))
}

/// What writes to the database of a URL: `sqlite:PATH` or `postgres://…`. None for other kinds, to which nothing can be
/// written, and for Convex.
///
/// # Errors
/// The database cannot be reached or written.
pub fn open_persister(url: &str) -> Result<Option<Box<dyn Persister>>, WritesError> {
    let other = |error: PersisterError| WritesError::Other(error.to_string());
    if let Some(path) = sqlite_path(url) {
        return Ok(Some(Box::new(SqlitePersister::open(path, &Default::default()).map_err(other)?)));
    }
    if url.starts_with("postgres:") || url.starts_with("postgresql:") {
        return Ok(Some(Box::new(PostgresPersister::open(url, &Default::default()).map_err(other)?)));
    }
    Ok(None)
}

/// What writes to a Convex deployment: what follows `convex:` in its URL, its key, and a file for what is refused.
///
/// # Errors
/// The deployment cannot be reached or lacks a function, or the file cannot be written.
pub fn open_convex_persister(
    location: &str,
    deploy_key: DeployKey,
    refused: &Path,
) -> Result<Box<dyn Persister>, WritesError> {
    let (reach, _) = Reach::parse(location, deploy_key).map_err(|failure| WritesError::Other(failure.message))?;
    let deployment = Deployment::new(reach).map_err(|failure| WritesError::Other(failure.message))?;
    let persister = ConvexPersister::open(deployment, refused);
    Ok(Box::new(persister.map_err(|error| WritesError::Other(error.to_string()))?))
}

/// The path of an SQLite source; none for others, to which nothing can be written.
pub fn sqlite_path(source: &str) -> Option<&Path> {
    source.strip_prefix("sqlite:").filter(|path| !path.is_empty()).map(Path::new)
}
