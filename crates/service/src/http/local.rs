//! Requests from programs and pages of this machine.

use std::net::IpAddr;

use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, HeaderValue, Uri};

use crate::error::{ApiError, ErrorKind};

/// The service listens on the loopback address alone, but any web page that a browser on this machine shows can send
/// requests there. Pages of other hosts, also those whose name leads to this machine, are refused.
///
/// # Errors
/// The request is not from this machine.
pub(crate) fn only_from_here(headers: &HeaderMap) -> Result<(), ApiError> {
    let text = |value: &HeaderValue| value.to_str().unwrap_or_default().to_owned();
    let host = headers.get(HOST).map(text).unwrap_or_default();
    // Emulators of phones reach this machine by other addresses; a page cannot make a browser name one.
    let is_host =
        host_of(&format!("http://{host}")).is_some_and(|host| is_local_name(&host) || address(&host).is_some());
    let is_origin = headers.get(ORIGIN).map(text).is_none_or(|origin| {
        host_of(&origin).is_some_and(|host| is_local_name(&host) || address(&host).is_some_and(|ip| ip.is_loopback()))
    });
    if is_host && is_origin {
        return Ok(());
    }
    let message =
        "Only programs and pages of this machine may use this: call it as localhost, from a page of localhost.";
    Err(ApiError::new(ErrorKind::Token, message))
}

fn host_of(url: &str) -> Option<String> {
    Some(url.parse::<Uri>().ok()?.host()?.to_owned())
}

fn is_local_name(host: &str) -> bool {
    host == "localhost" || host.ends_with(".localhost")
}

fn address(host: &str) -> Option<IpAddr> {
    host.trim_start_matches('[').trim_end_matches(']').parse().ok()
}
