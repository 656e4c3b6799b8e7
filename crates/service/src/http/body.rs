//! Reads bodies and queries of requests.

use std::collections::HashMap;
use std::error::Error;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::Query;
use axum::extract::rejection::QueryRejection;
use http_body_util::LengthLimitError;
use serde::Deserialize;

use super::App;
use crate::error::{ApiError, ErrorKind};

/// Parameters of a URL.
pub(super) type Parameters = Result<Query<HashMap<String, String>>, QueryRejection>;

/// The parameters, if they can be read.
pub(super) fn parameters(query: Parameters) -> Result<HashMap<String, String>, ApiError> {
    query.map(|Query(parameters)| parameters).map_err(|_| ApiError::validation(&["the query cannot be read".into()]))
}

/// What the JSON of a body says.
pub(crate) fn parsed<'de, T: Deserialize<'de>>(content: &'de [u8]) -> Result<T, ApiError> {
    serde_json::from_slice(content).map_err(|error| ApiError::validation(&[format!(": {error}")]))
}

impl App {
    /// The body of a request.
    pub(crate) async fn body(&self, body: Body) -> Result<Bytes, ApiError> {
        self.body_up_to(self.limits.max_body, body).await
    }

    /// The body of a request that may have this many bytes.
    pub(super) async fn body_up_to(&self, limit: usize, body: Body) -> Result<Bytes, ApiError> {
        let read = tokio::time::timeout(self.limits.body_timeout, to_bytes(body, limit)).await;
        let read = read.map_err(|_| {
            ApiError::new(ErrorKind::Timeout, "The body of the request has not come in time. Send it again.")
        })?;
        read.map_err(|error| {
            if error.source().is_some_and(|source| source.is::<LengthLimitError>()) {
                let message = format!("The body of the request is larger than {limit} bytes. Send less.");
                return ApiError::new(ErrorKind::TooLarge, message);
            }
            ApiError::validation(&["the body ends too early".into()])
        })
    }
}
