//! Counts requests by route and status, for metrics.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{MatchedPath, Request, State};
use axum::middleware::Next;
use axum::response::Response;

use super::App;

/// Answered requests by route and status. Paths without a route count as one.
#[derive(Default)]
pub(crate) struct Requests(Mutex<BTreeMap<(Arc<str>, u16), u64>>);

impl Requests {
    pub(super) fn counts(&self) -> BTreeMap<(Arc<str>, u16), u64> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Counts a request when its answer begins.
pub(super) async fn count(State(app): State<Arc<App>>, request: Request, next: Next) -> Response {
    let route: Arc<str> = request.extensions().get::<MatchedPath>().map_or("other", MatchedPath::as_str).into();
    let response = next.run(request).await;
    let mut counts = app.requests.0.lock().unwrap_or_else(PoisonError::into_inner);
    *counts.entry((route, response.status().as_u16())).or_default() += 1;
    drop(counts);
    response
}
