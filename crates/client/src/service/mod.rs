//! The routes of the service, with tokens.

mod credentials;
mod trouble;

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::time::timeout;

pub(crate) use self::credentials::Credentials;
pub(crate) use self::trouble::Trouble;
use crate::error::Error;
use crate::network::{Body, Method, Network, Request, Response};
use crate::options::Encoding;

/// How long answers that are not streams may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// The longest answer that is read, but for streams.
const LONGEST_ANSWER: usize = 16 * 1024 * 1024;

/// The service, as this client reaches it.
pub(crate) struct Service {
    url: String,
    network: Arc<dyn Network>,
    pub(crate) credentials: Credentials,
}

#[derive(Deserialize)]
struct Data<T> {
    data: T,
}

impl Service {
    pub(crate) fn new(url: &str, network: Arc<dyn Network>, credentials: Credentials) -> Result<Self, Error> {
        let wrong = |reason: String| Error::Url { url: url.to_owned(), reason };
        let parsed = reqwest::Url::parse(url).map_err(|error| wrong(error.to_string()))?;
        if !matches!(parsed.scheme(), "http" | "https") {
            return Err(wrong(format!("{} is not http or https", parsed.scheme())));
        }
        Ok(Self { url: url.trim_end_matches('/').to_owned(), network, credentials })
    }

    /// Opens the stream. Its lines are still to come.
    pub(crate) async fn stream(&self, body: &str, encoding: Encoding, silence: Duration) -> Result<Response, Trouble> {
        let accept = match encoding {
            Encoding::Json => "application/x-ndjson",
            Encoding::Bson => "application/vnd.powersync.bson-stream;q=0.9, application/x-ndjson;q=0.8",
        };
        let url = format!("{}/sync/stream", self.url);
        let request = self.post(url, body.to_owned(), Some(accept));
        timeout(silence, request).await.unwrap_or_else(|_| Err(Trouble::silence(&self.url, silence)))
    }

    /// The id of a checkpoint that will have everything that was uploaded.
    pub(crate) async fn write_checkpoint(&self, client_id: &str) -> Result<String, Trouble> {
        #[derive(Deserialize)]
        struct Checkpoint {
            write_checkpoint: String,
        }
        let url = format!("{}/write-checkpoint2.json?client_id={client_id}", self.url);
        let request = Request { method: Method::Get, url, authorization: None, accept: None, body: None };
        let Data { data: Checkpoint { write_checkpoint } } = self.json(request).await?;
        Ok(write_checkpoint)
    }

    /// Has a checkpoint with the client's own id made. Gives the id that the service has.
    pub(crate) async fn request_checkpoint(&self, body: String) -> Result<String, Trouble> {
        #[derive(Deserialize)]
        struct Checkpoint {
            checkpoint_request_id: String,
        }
        let url = format!("{}/sync/checkpoint-request", self.url);
        let request = Request { method: Method::Post, url, authorization: None, accept: None, body: Some(body) };
        let Data { data: Checkpoint { checkpoint_request_id } } = self.json(request).await?;
        Ok(checkpoint_request_id)
    }

    /// The same for an id of the client.
    pub(crate) async fn request_checkpoint_with(&self, client_id: &str, id: i64) -> Result<String, Trouble> {
        let body = json!({"client_id": client_id, "checkpoint_request_id": id.to_string()});
        self.request_checkpoint(body.to_string()).await
    }

    /// Posts JSON, and reads the answer as JSON.
    pub(crate) async fn post_json<T: DeserializeOwned>(&self, url: String, body: String) -> Result<T, Trouble> {
        let request = Request { method: Method::Post, url, authorization: None, accept: None, body: Some(body) };
        self.json(request).await
    }

    async fn post(&self, url: String, body: String, accept: Option<&'static str>) -> Result<Response, Trouble> {
        self.send(Request { method: Method::Post, url, authorization: None, accept, body: Some(body) }).await
    }

    async fn json<T: DeserializeOwned>(&self, request: Request) -> Result<T, Trouble> {
        let url = request.url.clone();
        let answer = async {
            let mut response = self.send(request).await?;
            let body = all(&mut *response.body).await.map_err(|reason| Trouble::unreachable(&url, &reason))?;
            serde_json::from_slice(&body).map_err(|error| Trouble::not_understood(&url, &error.to_string()))
        };
        timeout(PATIENCE, answer).await.unwrap_or_else(|_| Err(Trouble::silence(&url, PATIENCE)))
    }

    /// Sends a request with the token. A token that is refused is forgotten.
    async fn send(&self, mut request: Request) -> Result<Response, Trouble> {
        let token = self.credentials.token().await?;
        request.authorization = Some(format!("Token {token}"));
        let (url, has_body) = (request.url.clone(), request.body.is_some());
        let sent = self.network.send(request).await;
        let mut response = sent.map_err(|error| Trouble::unreachable(&url, &error.0))?;
        if response.status == 200 {
            return Ok(response);
        }
        if response.status == 401 {
            self.credentials.forget(&token);
        }
        let body = timeout(PATIENCE, all(&mut *response.body)).await;
        let body = body.ok().and_then(Result::ok).unwrap_or_default();
        let method = if has_body { "POST" } else { "GET" };
        Err(Trouble::status(method, &url, response.status, &body))
    }
}

/// The whole of an answer.
async fn all(body: &mut dyn Body) -> Result<Vec<u8>, String> {
    let mut bytes = Vec::new();
    while let Some(chunk) = body.next().await.map_err(|error| error.0)? {
        if bytes.len() + chunk.len() > LONGEST_ANSWER {
            return Err(format!("the answer is longer than {LONGEST_ANSWER} bytes"));
        }
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}
