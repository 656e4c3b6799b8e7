//! How the client reaches the service: requests out, bytes in. Everything else is decided elsewhere, so that tests can give a
//! client what no correct service sends.

mod http;

use std::future::Future;
use std::pin::Pin;

use bytes::Bytes;

pub(crate) use self::http::Http;

/// What a [`Network`] does in the background.
pub type BoxFuture<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Sends requests. The client knows one that uses HTTP; tests have others.
pub trait Network: Send + Sync + 'static {
    /// Sends a request, and gives the head of the answer. Dropping the future or the body ends the request.
    fn send(&self, request: Request) -> BoxFuture<'static, Result<Response, NetworkError>>;
}

/// A request to the service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// `GET` or `POST`.
    pub method: Method,
    /// All of it.
    pub url: String,
    /// The value of `Authorization`.
    pub authorization: Option<String>,
    /// The value of `Accept`.
    pub accept: Option<&'static str>,
    /// JSON. None for `GET`.
    pub body: Option<String>,
}

/// How a resource is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// Nothing is sent.
    Get,
    /// With a body.
    Post,
}

/// An answer, whose body is still coming.
pub struct Response {
    /// The status code.
    pub status: u16,
    /// The value of `Content-Type`.
    pub content_type: Option<String>,
    /// The rest.
    pub body: Box<dyn Body>,
}

/// The body of an answer, decompressed.
pub trait Body: Send {
    /// The bytes that have come; none at the end. Cutting into lines is not its task.
    fn next(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, NetworkError>>;
}

/// Why a request failed on its way. It names no secrets.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NetworkError(pub String);
