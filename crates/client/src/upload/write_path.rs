//! Uploads to a service that has a write path.

use serde::Deserialize;

use crate::error::BoxError;
use crate::upload::{Batch, TransactionResult, Upload};

/// Uploads to `POST /api/data`, as `rowtide serve` and `rowtide dev` have it, with the token that the client syncs with.
#[derive(Clone, Debug)]
pub struct WritePath {
    url: String,
}

#[derive(Deserialize)]
struct Answer {
    results: Vec<TransactionResult>,
}

impl WritePath {
    /// The write path of the service at `url`.
    pub fn new(url: impl AsRef<str>) -> Self {
        Self::at(format!("{}/api/data", url.as_ref().trim_end_matches('/')))
    }

    /// One with another path: this is the whole URL.
    pub fn at(url: impl Into<String>) -> Self {
        Self { url: url.into() }
    }
}

impl Upload for WritePath {
    fn upload(&self, batch: &Batch) -> Result<Vec<TransactionResult>, BoxError> {
        let answer: Answer = batch.post(&self.url, batch.to_json())?;
        Ok(answer.results)
    }
}
