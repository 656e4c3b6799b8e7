//! What only a development service has: tokens for anybody, and the schema for clients.

use std::time::Duration;

use reqwest::StatusCode;
use reqwest::blocking::{Client, RequestBuilder};
use rowtide_client::BoxError;

const PATIENCE: Duration = Duration::from_secs(30);

/// A token for a user.
pub(super) fn token(url: &str, user: &str) -> Result<String, BoxError> {
    let request = client()?.get(format!("{url}/dev/token")).query(&[("user", user)]);
    match text(request, url)? {
        (StatusCode::OK, token) => Ok(token),
        (StatusCode::NOT_FOUND, _) => Err(format!(
            "{url} gives no tokens, since it is no `rowtide dev`: use --token, --token-file or --token-command"
        )
        .into()),
        (status, _) => Err(format!("{url}/dev/token was answered with {status}").into()),
    }
}

/// The schema for clients; none if the service has no such route.
pub(super) fn schema(url: &str) -> Result<Option<String>, BoxError> {
    match text(client()?.get(format!("{url}/dev/schema")), url)? {
        (StatusCode::OK, schema) => Ok(Some(schema)),
        (StatusCode::NOT_FOUND, _) => Ok(None),
        (status, _) => Err(format!("{url}/dev/schema was answered with {status}").into()),
    }
}

fn client() -> Result<Client, BoxError> {
    Ok(Client::builder().timeout(PATIENCE).build()?)
}

fn text(request: RequestBuilder, url: &str) -> Result<(StatusCode, String), BoxError> {
    let sent = request.send().and_then(|response| {
        let status = response.status();
        response.text().map(|text| (status, text))
    });
    sent.map_err(|error| {
        let mut reason: &dyn std::error::Error = &error;
        while let Some(source) = reason.source() {
            reason = source;
        }
        format!("cannot reach {url}: {reason}").into()
    })
}
