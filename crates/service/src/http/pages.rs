//! The pages: the inspector and the documentation, and of a development service the playground. They hold no data; what
//! they show, they ask for like any other client.
//!
//! A service that is not for development has no playground: `/` leads to its inspector, and no page links to the other.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::header::{
    ACCEPT, ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG,
    IF_NONE_MATCH, REFERRER_POLICY, VARY, X_CONTENT_TYPE_OPTIONS,
};
use axum::http::{HeaderMap, HeaderValue, StatusCode};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use flate2::read::GzDecoder;
use web_pages::{Asset, asset};

use super::{App, Shared};
use crate::error::{ApiError, ErrorKind};

/// Pages run no scripts but ours, talk to no other host, and are in no other site's frame. SQLite is WebAssembly.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'self'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
     frame-ancestors 'none'; base-uri 'none'; form-action 'none'",
);

/// The routes of all services.
pub(super) fn router(is_development: bool) -> Router<Arc<App>> {
    let pages = Router::new()
        .route(
            "/inspect",
            get(async |State(app): Shared, headers: HeaderMap| app.page("inspector/index.html", &headers)),
        )
        .route("/docs", get(async |State(app): Shared, headers: HeaderMap| app.page("docs/index.html", &headers)))
        .route("/docs/", get(async |State(app): Shared, headers: HeaderMap| app.page("docs/index.html", &headers)))
        .route("/docs/{*name}", get(document))
        .route("/assets/{*name}", get(async |Path(name): Path<String>, headers: HeaderMap| page(&name, &headers)));
    // That of a development service is the playground.
    if is_development { pages } else { pages.route("/", get(async || Redirect::temporary("/inspect"))) }
}

impl App {
    /// A page whose bar has the links of this service.
    fn page(&self, name: &str, headers: &HeaderMap) -> Result<Response, ApiError> {
        if self.is_development() {
            return page(name, headers);
        }
        let asset = asset(name).ok_or_else(missing)?;
        let content = String::from_utf8(content(asset)?).unwrap_or_default();
        let is_playground = |line: &&str| line.contains("data-page=\"playground\"");
        let content: String = content.split_inclusive('\n').filter(|line| !is_playground(line)).collect();
        let etag = format!("\"alone-{}", asset.etag.trim_start_matches('"'));
        answer(asset.media_type, &etag, headers, || Ok(Content::Plain(content.into())))
    }
}

fn missing() -> ApiError {
    ApiError::new(ErrorKind::NotFound, "There is no such page.")
}

/// A page of the documentation: `/docs/service/postgres`. People who have followed an old link are shown the list of pages.
async fn document(State(app): Shared, Path(name): Path<String>, headers: HeaderMap) -> Result<Response, ApiError> {
    let name = format!("docs/{}.html", name.trim_end_matches('/').trim_end_matches(".html"));
    let is_person =
        headers.get(ACCEPT).and_then(|value| value.to_str().ok()).is_some_and(|kind| kind.contains("text/html"));
    if asset(&name).is_some() || !is_person {
        return app.page(&name, &headers);
    }
    let mut response = app.page("docs/missing.html", &headers)?;
    *response.status_mut() = StatusCode::NOT_FOUND;
    response.headers_mut().remove(ETAG);
    Ok(response)
}
/// A file, unless the browser has it already.
pub(crate) fn page(name: &str, headers: &HeaderMap) -> Result<Response, ApiError> {
    let asset = asset(name).ok_or_else(missing)?;
    let takes_gzip = |value: &HeaderValue| value.to_str().is_ok_and(|encodings| encodings.contains("gzip"));
    let is_gzip = headers.get(ACCEPT_ENCODING).is_some_and(takes_gzip);
    let content = || if is_gzip { Ok(Content::Gzip(asset.gzip)) } else { content(asset).map(Content::Plain) };
    answer(asset.media_type, asset.etag, headers, content)
}

enum Content {
    Gzip(&'static [u8]),
    Plain(Vec<u8>),
}

fn answer(
    media_type: &'static str,
    etag: &str,
    headers: &HeaderMap,
    content: impl FnOnce() -> Result<Content, ApiError>,
) -> Result<Response, ApiError> {
    let common = [
        (ETAG, HeaderValue::from_str(etag).unwrap_or(HeaderValue::from_static("\"\""))),
        (CACHE_CONTROL, HeaderValue::from_static("no-cache")),
        (VARY, HeaderValue::from_static("accept-encoding")),
    ];
    if headers.get(IF_NONE_MATCH).and_then(|known| known.to_str().ok()).is_some_and(|known| known.contains(etag)) {
        return Ok((StatusCode::NOT_MODIFIED, common).into_response());
    }
    let about = [
        (CONTENT_TYPE, HeaderValue::from_static(media_type)),
        (CONTENT_SECURITY_POLICY, POLICY),
        (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
    ];
    Ok(match content()? {
        Content::Gzip(content) => {
            (common, about, [(CONTENT_ENCODING, HeaderValue::from_static("gzip"))], content).into_response()
        }
        Content::Plain(content) => (common, about, content).into_response(),
    })
}

fn content(asset: &Asset) -> Result<Vec<u8>, ApiError> {
    let mut content = Vec::new();
    let read = std::io::Read::read_to_end(&mut GzDecoder::new(asset.gzip), &mut content);
    read.map_err(|error| ApiError::new(ErrorKind::Internal, format!("Unpacking a page: {error}")))?;
    Ok(content)
}
