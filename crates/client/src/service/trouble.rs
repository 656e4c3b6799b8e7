//! What is wrong between the client and the service, in words for people.

use std::fmt;
use std::time::Duration;

use serde::Deserialize;

/// Why a request has failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Trouble {
    /// What is wrong, and what can be done.
    pub(crate) message: String,
    /// The service will not have this client as it is.
    pub(crate) is_refusal: bool,
}

impl fmt::Display for Trouble {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for Trouble {}

/// An error as services write it.
#[derive(Deserialize)]
struct Described {
    error: Description,
}

#[derive(Deserialize)]
struct Description {
    code: Option<String>,
    description: Option<String>,
}

/// An error of a write path, or of whatever is in its place.
#[derive(Deserialize)]
struct Message {
    message: String,
}

impl Trouble {
    /// It may go away by itself.
    pub(crate) fn passing(message: impl Into<String>) -> Self {
        Self { message: message.into(), is_refusal: false }
    }

    /// Somebody has to do something.
    pub(crate) fn refusal(message: impl Into<String>) -> Self {
        Self { message: message.into(), is_refusal: true }
    }

    pub(crate) fn unreachable(url: &str, reason: &str) -> Self {
        Self::passing(format!("cannot reach {}: {reason}", origin(&shown(url))))
    }

    pub(crate) fn silence(url: &str, time: Duration) -> Self {
        Self::passing(format!("{} has sent nothing for {} s", origin(&shown(url)), time.as_secs()))
    }

    pub(crate) fn not_understood(url: &str, reason: &str) -> Self {
        Self::refusal(format!("the answer of {} is not one of a sync service: {reason}. Check the URL", shown(url)))
    }

    /// An answer that is not 200.
    pub(crate) fn status(method: &str, url: &str, status: u16, body: &[u8]) -> Self {
        let said = serde_json::from_slice::<Described>(body).ok().map(|described| described.error);
        let said = said.map(|Description { code, description }| {
            [code, description].into_iter().flatten().collect::<Vec<_>>().join(": ")
        });
        let said = said.or_else(|| serde_json::from_slice::<Message>(body).ok().map(|message| message.message));
        let said = said.filter(|said| !said.is_empty()).map(|said| format!(": {said}")).unwrap_or_default();
        let what_to_do = match status {
            401 => ". Check that the token is of this service, and not expired",
            403 => ". The service does not let this user in",
            404 => ". Check the URL",
            429 => ". Too many clients are connected",
            _ => "",
        };
        let said = said.trim_end_matches('.');
        let message = format!("{method} {} was answered with {status}{said}{what_to_do}", shown(url));
        let is_refusal = (400..500).contains(&status) && status != 408 && status != 429;
        Self { message, is_refusal }
    }
}

/// A URL for messages: without a name and password, and without the query, which has the client's id.
fn shown(url: &str) -> String {
    let url = url.split_once('?').map_or(url, |(path, _)| path);
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let authority = rest.split('/').next().unwrap_or_default();
    let rest = match authority.rfind('@') {
        Some(at) => rest.get(at + 1..).unwrap_or_default(),
        None => rest,
    };
    format!("{scheme}://{rest}")
}

/// The URL up to the path.
fn origin(url: &str) -> &str {
    let host = url.find("://").map_or(0, |at| at + 3);
    let path = url.get(host..).and_then(|rest| rest.find('/'));
    path.and_then(|path| url.get(..host + path)).unwrap_or(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_say_what_is_wrong_and_what_to_do() {
        let body = br#"{"error": {"code": "PSYNC_S2103", "status": 401, "description": "The token has expired."}}"#;
        let trouble = Trouble::status("POST", "https://a.example/sync/stream", 401, body);
        assert_eq!(
            trouble.message,
            "POST https://a.example/sync/stream was answered with 401: PSYNC_S2103: The token has expired. Check that the \
             token is of this service, and not expired"
        );
        assert!(trouble.is_refusal);
        let trouble = Trouble::status("GET", "http://a:1/x?client_id=1", 500, b"<html>");
        assert_eq!(trouble, Trouble::passing("GET http://a:1/x was answered with 500"));
        assert_eq!(Trouble::unreachable("http://a:1/x/y", "refused").message, "cannot reach http://a:1: refused");
        assert_eq!(Trouble::unreachable("http://a", "refused").message, "cannot reach http://a: refused");
        assert_eq!(Trouble::unreachable("http://me:secret@a/b@c", "x").message, "cannot reach http://a: x");
        let trouble = Trouble::status("POST", "http://a/api/data", 400, br#"{"message": "The body must be UTF-8."}"#);
        assert_eq!(trouble.message, "POST http://a/api/data was answered with 400: The body must be UTF-8");
    }

    #[test]
    fn what_may_pass_is_no_refusal() {
        let is_refusal = |status| Trouble::status("GET", "http://a/x", status, b"").is_refusal;
        assert_eq!(
            [400, 401, 403, 404, 408, 429, 500, 503].map(is_refusal),
            [true, true, true, true, false, false, false, false]
        );
    }
}
