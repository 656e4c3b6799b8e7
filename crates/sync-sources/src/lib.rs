//! Sources of the sync service that need no server: [`memory`], a folder of [`json`] files, and an [`sqlite`] file.
//!
//! All three count: a position is a number. Each gives a table that appears while a stream is running with all of its
//! rows in that stream, in the transaction that announces it.

#![forbid(unsafe_code)]

mod common;
mod error;
pub mod json;
pub mod memory;
pub mod sqlite;

use sync_engine::source::{Source, SourceError};

use crate::error::configuration;

/// Opens a source by its URL: `sqlite:PATH`, `json:DIR` or `memory:`.
///
/// # Errors
/// The kind is unknown, or the file or folder cannot be read. The message names the kind alone, since the rest of a URL can
/// hold a password.
pub fn open_source(url: &str) -> Result<Box<dyn Source>, SourceError> {
    const KNOWN: &str = "sqlite:PATH, json:DIR and memory:";
    let Some((kind, location)) = url.split_once(':') else {
        return Err(configuration(format!("the source URL has no kind: known are {KNOWN}")));
    };
    match kind {
        "memory" => Ok(Box::new(memory::MemorySource::starting_at(common::now()))),
        "json" | "sqlite" if location.is_empty() => {
            Err(configuration(format!("the source URL {kind}: names no path: known are {KNOWN}")))
        }
        "json" => Ok(Box::new(json::JsonSource::open(location)?)),
        "sqlite" => Ok(Box::new(sqlite::SqliteSource::open(location)?)),
        _ if kind.len() <= 20 && kind.bytes().all(|byte| byte.is_ascii_alphanumeric()) => {
            Err(configuration(format!("unknown kind of source, {kind}: known are {KNOWN}")))
        }
        _ => Err(configuration(format!("unknown kind of source: known are {KNOWN}"))),
    }
}
