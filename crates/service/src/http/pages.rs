//! The pages: the inspector and the documentation, and of a development service the playground. They hold no data; what
//! they show, they ask for like any other client.

use std::sync::Arc;

use axum::Router;
use axum::extract::Path;
use axum::http::header::{
    ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    IF_NONE_MATCH, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use flate2::read::GzDecoder;
use web_pages::{Asset, asset};

use super::App;
use crate::error::{ApiError, ErrorKind};

/// Pages run no scripts but ours, talk to no other host, and are in no other site's frame. SQLite is WebAssembly.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
     frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
);

/// The routes of all services.
pub(super) fn router() -> Router<Arc<App>> {
    Router::new()
        .route("/inspect", get(async |headers: HeaderMap| page("inspector/index.html", &headers)))
        .route("/docs", get(async |headers: HeaderMap| page("docs/index.html", &headers)))
        .route("/docs/", get(async |headers: HeaderMap| page("docs/index.html", &headers)))
        .route("/docs/{*name}", get(async |Path(name): Path<String>, headers: HeaderMap| document(&name, &headers)))
        .route("/assets/{*name}", get(async |Path(name): Path<String>, headers: HeaderMap| page(&name, &headers)))
}

/// A page of the documentation: `/docs/service/postgres`. People who have followed an old link are shown the list of pages.
fn document(name: &str, headers: &HeaderMap) -> Result<Response, ApiError> {
    let name = format!("docs/{}.html", name.trim_end_matches('/').trim_end_matches(".html"));
    let is_person =
        headers.get(ACCEPT).and_then(|value| value.to_str().ok()).is_some_and(|kind| kind.contains("text/html"));
    if asset(&name).is_some() || !is_person {
        return page(&name, headers);
    }
    let mut response = page("docs/missing.html", headers)?;
    *response.status_mut() = StatusCode::NOT_FOUND;
    response.headers_mut().remove(ETAG);
    Ok(response)
}

/// A file, unless the browser has it already.
pub(crate) fn page(name: &str, headers: &HeaderMap) -> Result<Response, ApiError> {
    let missing = || ApiError::new(ErrorKind::NotFound, "There is no such page.");
    let asset = asset(name).ok_or_else(missing)?;
    let common = [
        (ETAG, HeaderValue::from_static(asset.etag)),
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (VARY, HeaderValue::from_static("accept-encoding")),
    ];
    if headers.get(IF_NONE_MATCH).and_then(|known| known.to_str().ok()).is_some_and(|known| known.contains(asset.etag))
    {
        return Ok((StatusCode::NOT_MODIFIED, common).into_response());
    }
    let about = [
        (CONTENT_TYPE, HeaderValue::from_static(asset.media_type)),
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    let takes_gzip = |value: &HeaderValue| value.to_str().is_ok_and(|encodings| encodings.contains("gzip"));
    if headers.get(ACCEPT_ENCODING).is_some_and(takes_gzip) {
        let gzip = [(CONTENT_ENCODING, HeaderValue::from_static("gzip"))];
        return Ok((common, about, gzip, asset.gzip).into_response());
    }
    Ok((common, about, content(asset)?).into_response())
}

fn content(asset: &Asset) -> Result<Vec<u8>, ApiError> {
    let mut content = Vec::new();
    let read = std::io::Read::read_to_end(&mut GzDecoder::new(asset.gzip), &mut content);
    read.map_err(|error| ApiError::new(ErrorKind::Internal, format!("Unpacking a page: {error}")))?;
    Ok(content)
}
