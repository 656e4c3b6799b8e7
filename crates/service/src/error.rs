//! What a request is answered when it fails: the JSON body that SDKs of the protocol know.

use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use serde_json::{Map, Value, json};

/// A failed request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ApiError {
    pub(crate) kind: ErrorKind,
    /// One sentence for the developer of the app: what is wrong, and what to do. It holds no rows and no secrets.
    pub(crate) description: String,
    /// More of it, for instance which member is wrong.
    pub(crate) details: Option<String>,
}

/// The kinds of failed requests, each with its code and status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ErrorKind {
    /// The body or a parameter is wrong.
    Validation,
    /// There is no such route.
    NotFound,
    /// What it is about is in another state.
    Conflict,
    /// The service is shutting down, or has no checkpoint yet.
    Unavailable,
    /// The token is none, or lacks what it needs.
    Token,
    /// No key fits the token's signature.
    Signature,
    /// The token has expired.
    Expired,
    /// The token lives too long.
    Lifetime,
    /// The token is for something else.
    Audience,
    /// There is no token.
    NoToken,
    /// No token would do.
    Forbidden,
    /// Something that the service did wrong.
    Internal,
    /// No configuration is active.
    NoConfig,
    /// There are too many connections. The body is empty, as clients know it.
    TooManyConnections,
    /// No stream of the request is within the limits.
    TooManyBuckets,
    /// The body is too large.
    TooLarge,
    /// The body does not come.
    Timeout,
}

impl ErrorKind {
    /// Code, status and name.
    pub(crate) fn parts(self) -> (&'static str, StatusCode, &'static str) {
        match self {
            Self::Validation => ("PSYNC_S2001", StatusCode::BAD_REQUEST, "ValidationError"),
            Self::NotFound => ("PSYNC_S2002", StatusCode::NOT_FOUND, "RouteNotFound"),
            Self::Conflict => ("PSYNC_S2001", StatusCode::CONFLICT, "ConflictError"),
            Self::Unavailable => ("PSYNC_S2003", StatusCode::SERVICE_UNAVAILABLE, "ServiceUnavailable"),
            Self::Token => ("PSYNC_S2101", StatusCode::UNAUTHORIZED, "AuthorizationError"),
            Self::Signature => ("PSYNC_S2102", StatusCode::UNAUTHORIZED, "AuthorizationError"),
            Self::Expired => ("PSYNC_S2103", StatusCode::UNAUTHORIZED, "AuthorizationError"),
            Self::Lifetime => ("PSYNC_S2104", StatusCode::UNAUTHORIZED, "AuthorizationError"),
            Self::Audience => ("PSYNC_S2105", StatusCode::UNAUTHORIZED, "AuthorizationError"),
            Self::NoToken => ("PSYNC_S2106", StatusCode::UNAUTHORIZED, "AuthorizationError"),
            Self::Forbidden => ("PSYNC_S2101", StatusCode::FORBIDDEN, "AuthorizationError"),
            Self::Internal => ("PSYNC_S2001", StatusCode::INTERNAL_SERVER_ERROR, "InternalServerError"),
            Self::NoConfig => ("PSYNC_S2302", StatusCode::INTERNAL_SERVER_ERROR, "ServiceError"),
            Self::TooManyConnections => ("PSYNC_S2304", StatusCode::TOO_MANY_REQUESTS, "ServiceError"),
            Self::TooManyBuckets => ("PSYNC_S2305", StatusCode::INTERNAL_SERVER_ERROR, "ServiceError"),
            Self::TooLarge => ("PSYNC_S2001", StatusCode::PAYLOAD_TOO_LARGE, "ValidationError"),
            Self::Timeout => ("PSYNC_S2001", StatusCode::REQUEST_TIMEOUT, "RequestTimeout"),
        }
    }
}

impl ApiError {
    pub(crate) fn new(kind: ErrorKind, description: impl Into<String>) -> Self {
        Self { kind, description: description.into(), details: None }
    }

    /// A body or parameter that is wrong: a list of what is wrong with which member.
    pub(crate) fn validation(problems: &[String]) -> Self {
        let details = Value::from(problems.to_vec()).to_string();
        Self { kind: ErrorKind::Validation, description: "Validation failed".into(), details: Some(details) }
    }

    /// The JSON body.
    pub(crate) fn body(&self) -> Value {
        let (code, status, name) = self.kind.parts();
        let mut error = Map::new();
        error.insert("code".into(), code.into());
        error.insert("status".into(), status.as_u16().into());
        error.insert("description".into(), self.description.as_str().into());
        if let Some(details) = &self.details {
            error.insert("details".into(), details.as_str().into());
        }
        if matches!(self.kind, ErrorKind::NotFound) {
            error.insert("severity".into(), "info".into());
        }
        error.insert("name".into(), name.into());
        json!({ "error": error })
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let (code, status, _) = self.kind.parts();
        tracing::debug!(code, status = status.as_u16(), "a request was refused");
        if self.kind == ErrorKind::TooManyConnections {
            return status.into_response();
        }
        (status, [(CONTENT_TYPE, "application/json; charset=utf-8")], self.body().to_string()).into_response()
    }
}
