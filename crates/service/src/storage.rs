//! Storages by their URLs.

use std::path::{Path, PathBuf};

use sync_engine::memory::MemoryStore;
use sync_engine::store::{Store, StoreError};
use sync_store::{Options, SqliteStore};

use crate::options::OpenStore;

/// The instance of storages whose content has to be the same each time.
const FIXED_INSTANCE: &str = "0000000000000000";

/// Where the service keeps buckets, parameters and positions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Storage {
    /// An SQLite file, created if it does not exist.
    Sqlite(PathBuf),
    /// Nothing is kept: for tests and for trying out.
    Memory,
}

impl Storage {
    /// Reads `sqlite:PATH` or `memory:`.
    ///
    /// # Errors
    /// The kind is unknown. The message names the kind alone, since the rest of a URL can hold a password.
    pub fn parse(url: &str) -> Result<Self, String> {
        const KNOWN: &str = "known are sqlite:PATH and memory:";
        match url.split_once(':') {
            Some(("memory", _)) => Ok(Self::Memory),
            Some(("sqlite", "")) => Err(format!("the storage URL sqlite: names no path: {KNOWN}")),
            Some(("sqlite", path)) => Ok(Self::Sqlite(path.into())),
            Some(("postgres" | "postgresql", _)) => Err(format!("storage in PostgreSQL is not built yet: {KNOWN}")),
            Some(_) => Err(format!("the storage URL is of an unknown kind: {KNOWN}")),
            None => Err(format!("the storage URL has no kind: {KNOWN}")),
        }
    }

    /// What opens it, for [`ServiceOptions`](crate::ServiceOptions). A deterministic one names buckets the same each time
    /// that it is created.
    ///
    /// # Errors
    /// The system has no random numbers.
    pub fn opener(self, is_deterministic: bool) -> Result<OpenStore, String> {
        let instance = if is_deterministic { FIXED_INSTANCE.to_owned() } else { random_hex(8)? };
        Ok(match self {
            Self::Sqlite(path) => Box::new(move || open(&path, &instance)),
            Self::Memory => {
                let store = MemoryStore::new(&instance);
                Box::new(move || Ok(Box::new(store.clone())))
            }
        })
    }
}

fn open(path: &Path, instance: &str) -> Result<Box<dyn Store>, StoreError> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| {
            StoreError::Unavailable(format!("Creating the folder {} of the storage: {error}", folder.display()))
        })?;
    }
    let options = Options { instance: Some(instance.to_owned()), ..Options::default() };
    Ok(Box::new(SqliteStore::open(path, options)?))
}

/// So many random bytes, as hexadecimal digits.
fn random_hex(bytes: usize) -> Result<String, String> {
    Ok(random(bytes)?.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// So many random bytes.
pub(crate) fn random(bytes: usize) -> Result<Vec<u8>, String> {
    let mut random = vec![0; bytes];
    getrandom::fill(&mut random).map_err(|error| format!("reading random numbers of the system: {error}"))?;
    Ok(random)
}
