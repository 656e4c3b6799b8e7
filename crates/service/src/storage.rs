//! Storages by their URLs.

use std::path::{Path, PathBuf};
use std::time::Duration;

use pg_connect::Target;
use sync_engine::memory::MemoryStore;
use sync_engine::store::{Store, StoreError};
use sync_store::{Options, PostgresOptions, PostgresStore, SqliteStore};

use crate::options::OpenStore;
use crate::processes::{Processes, Role};

/// The instance of storages whose content has to be the same each time.
const FIXED_INSTANCE: &str = "0000000000000000";

/// How long one attempt waits until no other process writes to a storage in PostgreSQL.
const PATIENCE: Duration = Duration::from_secs(1);

/// Where the service keeps buckets, parameters and positions.
#[derive(Clone, Debug)]
pub enum Storage {
    /// An SQLite file, created if it does not exist.
    Sqlite(PathBuf),
    /// Nothing is kept: for tests and for trying out.
    Memory,
    /// A schema of a PostgreSQL database, created if it does not exist.
    Postgres {
        /// The database.
        target: Target,
        /// The schema.
        schema: String,
    },
}

impl Storage {
    /// Reads `sqlite:PATH`, `postgres://USER@HOST/DATABASE?schema=NAME` or `memory:`.
    ///
    /// # Errors
    /// The kind is unknown, or the rest is wrong. The message does not hold the URL, which can have a password.
    pub fn parse(url: &str) -> Result<Self, String> {
        const KNOWN: &str = "known are sqlite:PATH, postgres://USER@HOST/DATABASE and memory:";
        match url.split_once(':') {
            Some(("memory", _)) => Ok(Self::Memory),
            Some(("sqlite", "")) => Err(format!("the storage URL sqlite: names no path: {KNOWN}")),
            Some(("sqlite", path)) => Ok(Self::Sqlite(path.into())),
            Some(("postgres" | "postgresql", _)) => {
                let (url, schema) = without_schema(url)?;
                Ok(Self::Postgres { target: Target::parse(&url)?, schema })
            }
            Some(_) => Err(format!("the storage URL is of an unknown kind: {KNOWN}")),
            None => Err(format!("the storage URL has no kind: {KNOWN}")),
        }
    }

    /// Where another file of the service is that is kept as long as the storage.
    pub fn beside(&self, name: &str) -> PathBuf {
        match self {
            Self::Sqlite(path) => path.with_file_name(name),
            _ => Path::new("rowtide-data").join(name),
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
            Self::Postgres { target, schema } => {
                let options = postgres_options(schema, is_deterministic.then_some(instance));
                Box::new(move || Ok(Box::new(PostgresStore::open(&target, options.clone())?)))
            }
        })
    }

    /// What a process with this role needs, for [`ServiceOptions`](crate::ServiceOptions); none if one process at a time can
    /// use the storage.
    pub fn processes(&self, role: Role, is_deterministic: bool) -> Option<Processes> {
        let Self::Postgres { target, schema } = self else { return None };
        let instance = is_deterministic.then(|| FIXED_INSTANCE.to_owned());
        Some(Processes { role, target: target.clone(), options: postgres_options(schema.clone(), instance) })
    }
}

fn postgres_options(schema: String, instance: Option<String>) -> PostgresOptions {
    let name = format!("rowtide {}", std::process::id());
    PostgresOptions { schema, instance, name, patience: PATIENCE, ..PostgresOptions::default() }
}

/// The URL without its parameter `schema`, and what that says.
fn without_schema(url: &str) -> Result<(String, String), String> {
    let default = PostgresOptions::default().schema;
    let Some((base, query)) = url.split_once('?') else { return Ok((url.to_owned(), default)) };
    let (mut schema, mut others) = (default, Vec::new());
    for parameter in query.split('&') {
        match parameter.strip_prefix("schema=") {
            Some(name) => schema = name.to_owned(),
            None => others.push(parameter),
        }
    }
    if schema.is_empty() || !schema.chars().all(|char| char.is_alphanumeric() || char == '_') {
        return Err("the schema in the storage URL must be letters, digits and _".to_owned());
    }
    let url = if others.is_empty() { base.to_owned() } else { format!("{base}?{}", others.join("&")) };
    Ok((url, schema))
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

#[cfg(test)]
#[allow(clippy::unwrap_used, clippy::panic, reason = "tests")]
mod tests {
    use super::*;

    #[test]
    fn urls_of_postgresql_name_a_schema_and_show_no_password() {
        let parse = |url: &str| match Storage::parse(url).unwrap() {
            Storage::Postgres { target, schema } => (target.location(), schema),
            other => panic!("{other:?}"),
        };
        assert_eq!(parse("postgres://u:p@host/db"), ("host:5432/db".to_owned(), "rowtide".to_owned()));
        let url = "postgresql://u:p@host/db?sslmode=disable&schema=sync_1";
        assert_eq!(parse(url), ("host:5432/db".to_owned(), "sync_1".to_owned()));
        assert!(!format!("{:?}", Storage::parse("postgres://u:secret@host/db").unwrap()).contains("secret"));
        for url in ["postgres://u:secret@host/db?schema=a b", "postgres://:secret@host", "mysql://u:secret@host/db"] {
            assert!(!Storage::parse(url).unwrap_err().contains("secret"));
        }
    }
}
