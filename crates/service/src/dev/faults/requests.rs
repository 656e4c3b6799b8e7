//! What faults do to requests of clients, other than to the lines of their streams.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Faults;
use crate::error::{ApiError, ErrorKind};

/// How long requests wait while the service is slow.
const LATENCY: Duration = Duration::from_secs(2);

/// Marks an answer that is not to be given: the connection is closed instead.
#[derive(Clone, Copy)]
pub(crate) struct HangUp;

/// Answers a request as far as faults let it.
pub(crate) async fn answer(State(faults): State<Arc<Faults>>, request: Request, next: Next) -> Response {
    let path = request.uri().path();
    let is_upload = path == "/api/data";
    let is_stream = path == "/sync/stream";
    if !is_upload && !path.starts_with("/sync/") && !path.starts_with("/write-checkpoint") {
        return next.run(request).await;
    }
    let lasting = faults.lasting();
    if lasting.offline {
        let mut response = StatusCode::SERVICE_UNAVAILABLE.into_response();
        response.extensions_mut().insert(HangUp);
        return response;
    }
    if lasting.slow && !is_stream {
        tokio::time::sleep(LATENCY).await;
    }
    if lasting.uploads_fail && is_upload {
        let message = "Uploads fail at the moment, as POST /dev/faults has asked for.";
        return ApiError::new(ErrorKind::Internal, message).into_response();
    }
    next.run(request).await
}
