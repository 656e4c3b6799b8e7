//! The source of a process that has none.

use std::time::Duration;

use sync_config::{TablePattern, Value};
use sync_engine::row::{Position, SourceTable};
use sync_engine::source::{
    Check, ErrorClass, Refetched, SnapshotChunk, Source, SourceDescription, SourceError, SourceStream,
};

/// The source of a process that only serves clients.
pub struct NoSource;

impl Source for NoSource {
    fn describe(&self) -> SourceDescription {
        SourceDescription { kind: "none", default_schema: "public".to_owned(), location: String::new() }
    }

    fn schema(&self) -> Result<Vec<SourceTable>, SourceError> {
        none()
    }

    fn test(&self, _: &[TablePattern]) -> Vec<Check> {
        Vec::new()
    }

    fn tables(&self, _: &[TablePattern]) -> Result<Vec<SourceTable>, SourceError> {
        none()
    }

    fn snapshot_chunk(&self, _: &SourceTable, _: Option<&[Value]>, _: usize) -> Result<SnapshotChunk, SourceError> {
        none()
    }

    fn stream(&self, _: Option<&Position>) -> Result<Box<dyn SourceStream>, SourceError> {
        none()
    }

    fn refetch(&self, _: &SourceTable, _: &[Vec<Value>]) -> Result<Refetched, SourceError> {
        none()
    }

    fn head(&self) -> Result<Position, SourceError> {
        none()
    }

    fn mark(&self) -> Result<(), SourceError> {
        none()
    }

    fn acknowledge(&self, _: &Position) -> Result<(), SourceError> {
        none()
    }
}

fn none<T>() -> Result<T, SourceError> {
    Err(SourceError {
        class: ErrorClass::RetryAfter(Duration::from_secs(60)),
        message: "this process has no source: start it with --source, or ask the one that writes".to_owned(),
    })
}
