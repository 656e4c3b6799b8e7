//! HTTP on this machine's network.

use std::error::Error as _;

use bytes::Bytes;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};

use super::{Body, BoxFuture, Method, Network, NetworkError, Request, Response};

/// Sends requests by HTTP. Answers may be compressed with zstd or gzip.
pub(crate) struct Http {
    client: reqwest::Client,
}

impl Http {
    pub(crate) fn new(user_agent: &str) -> Result<Self, NetworkError> {
        let client = reqwest::Client::builder().user_agent(user_agent).build().map_err(failed)?;
        Ok(Self { client })
    }
}

impl Network for Http {
    fn send(&self, request: Request) -> BoxFuture<'static, Result<Response, NetworkError>> {
        let mut builder = match request.method {
            Method::Get => self.client.get(&request.url),
            Method::Post => self.client.post(&request.url),
        };
        if let Some(authorization) = request.authorization {
            builder = builder.header(AUTHORIZATION, authorization);
        }
        if let Some(accept) = request.accept {
            builder = builder.header(ACCEPT, accept);
        }
        if let Some(body) = request.body {
            builder = builder.header(CONTENT_TYPE, "application/json").body(body);
        }
        Box::pin(async move {
            let response = builder.send().await.map_err(failed)?;
            let content_type = response.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
            Ok(Response {
                status: response.status().as_u16(),
                content_type: content_type.map(str::to_owned),
                body: Box::new(HttpBody(response)),
            })
        })
    }
}

struct HttpBody(reqwest::Response);

impl Body for HttpBody {
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, NetworkError>> {
        Box::pin(async { self.0.chunk().await.map_err(failed) })
    }
}

/// What the network says. The error around it only repeats the URL.
fn failed(error: reqwest::Error) -> NetworkError {
    let error = error.without_url();
    let mut message = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        message = inner.to_string();
        source = inner.source();
    }
    NetworkError(message)
}
