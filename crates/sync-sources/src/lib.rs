//! Sources of the sync service: a [`postgres`] database and a [`convex`] deployment; and without a server [`memory`], a folder
//! of [`json`] files, and an [`sqlite`] file.
//!
//! The last three count: a position is a number. Each gives a table that appears while a stream is running with all of its
//! rows in that stream, in the transaction that announces it.

#![forbid(unsafe_code)]

mod common;
pub mod convex;
mod error;
pub mod json;
pub mod memory;
pub mod postgres;
pub mod sqlite;

use sync_engine::source::{Source, SourceError};

use crate::error::configuration;

/// Opens a source by its URL: `postgres://…`, `sqlite:PATH`, `json:DIR`, `memory:`, or
/// `convex:https://DEPLOYMENT.convex.cloud`, whose key is in the environment as `CONVEX_DEPLOY_KEY`.
///
/// # Errors
/// The kind is unknown, or the file or folder cannot be read. The message names the kind alone, since the rest of a URL can
/// hold a password.
pub fn open_source(url: &str) -> Result<Box<dyn Source>, SourceError> {
    const KNOWN: &str = "postgres://USER:PASSWORD@HOST:PORT/DATABASE, convex:https://DEPLOYMENT.convex.cloud, sqlite:PATH, \
                         json:DIR and memory:";
    let Some((kind, location)) = url.split_once(':') else {
        return Err(configuration(format!("the source URL has no kind: known are {KNOWN}")));
    };
    match kind {
        "postgres" | "postgresql" => Ok(Box::new(postgres::PostgresSource::open(url)?)),
        "memory" => Ok(Box::new(memory::MemorySource::starting_at(common::now()))),
        "json" | "sqlite" if location.is_empty() => {
            Err(configuration(format!("the source URL {kind}: names no path: known are {KNOWN}")))
        }
        "convex" => Ok(Box::new(convex::open(location)?)),
        "json" => Ok(Box::new(json::JsonSource::open(location)?)),
        "sqlite" => Ok(Box::new(sqlite::SqliteSource::open(location)?)),
        _ if kind.len() <= 20 && kind.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            Err(configuration(format!("unknown kind of source, {kind}: known are {KNOWN}")))
        }
        _ => Err(configuration(format!("unknown kind of source: known are {KNOWN}"))),
    }
}
