//! The routes, and what is common to them: limits, compression, CORS, and who a request comes from.

mod admin;
mod body;
mod buckets;
mod checkpoints;
mod clients;
mod configs;
mod dead_letters;
mod evaluate;
mod explain;
mod gate;
mod local;
mod metrics;
mod negotiate;
mod pages;
mod preview;
mod probes;
mod queries;
mod reprocess;
mod requests;
mod rows;
mod server;
mod source;
mod sync;
mod writes;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::header::{AUTHORIZATION, CONTENT_TYPE, USER_AGENT};
use axum::http::{HeaderMap, Method};
use axum::middleware::from_fn_with_state;
use axum::routing::{get, post};
use sync_engine::source::Source;
use tower_http::CompressionLevel;
use tower_http::compression::CompressionLayer;
use tower_http::cors::{AllowHeaders, Any, CorsLayer};

use crate::auth::{Keys, Rules, User, bearer, verify};
use crate::clock;
use crate::dev::{self, Faults};
use crate::error::{ApiError, ErrorKind};
use crate::options::ServiceLimits;
use crate::processes::Member;
use crate::sync::Hub;
use crate::writer::WriterHandle;

pub(crate) use body::parsed;
pub(crate) use gate::Gate;
pub(crate) use local::only_from_here;
pub(crate) use pages::page;
pub(crate) use requests::Requests;
pub(crate) use server::{Times, serve};
pub(crate) use sync::begin;

/// Who may administer the service.
pub(crate) enum Administrators {
    /// Those who have this token.
    Token(String),
    /// Programs and pages of this machine.
    ThisMachine,
    /// Nobody.
    Nobody,
}

/// What handlers use.
pub(crate) struct App {
    pub(crate) keys: Keys,
    pub(crate) rules: Rules,
    pub(crate) hub: Arc<Hub>,
    pub(crate) writer: WriterHandle,
    pub(crate) administrators: Administrators,
    pub(crate) source: Arc<dyn Source>,
    pub(crate) has_public_metrics: bool,
    pub(crate) limits: ServiceLimits,
    pub(crate) checkpoints: Gate,
    pub(crate) requests: Requests,
    pub(crate) compile: sync_config::CompileOptions,
    pub(crate) writes: Option<Arc<write_path::WritePath>>,
    /// Which of several processes this is.
    pub(crate) member: Option<Member>,
    /// Those that a development service can be told to have.
    pub(crate) faults: Option<Arc<Faults>>,
}

/// All routes, and further ones.
pub(crate) fn router(app: Arc<App>, further: Router<Arc<App>>) -> Router {
    let cors = CorsLayer::new()
        .allow_origin(Any)
        .allow_methods([Method::GET, Method::POST, Method::OPTIONS])
        // `*` would not include Authorization.
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([CONTENT_TYPE])
        .max_age(std::time::Duration::from_secs(3600));
    let compression = CompressionLayer::new().gzip(true).zstd(true).quality(CompressionLevel::Precise(2));
    let routes = Router::new()
        .route("/sync/stream", post(sync::stream).get(sync::socket))
        .route("/sync/checkpoint-request", post(checkpoints::request))
        .route("/write-checkpoint2.json", get(checkpoints::next))
        .route("/write-checkpoint.json", get(checkpoints::reached))
        .route("/probes/startup", get(probes::startup))
        .route("/probes/liveness", get(probes::liveness))
        .route("/probes/readiness", get(probes::readiness))
        .route("/metrics", get(metrics::metrics))
        .route("/api/admin/v1/status", get(admin::status))
        .route("/api/admin/v1/clients", get(clients::clients))
        .route("/api/admin/v1/checkpoints", get(admin::checkpoints))
        .route("/api/admin/v1/plan", get(configs::plan))
        .route("/api/sync-rules/v1/deploy", post(configs::deploy))
        .route("/api/sync-rules/v1/validate", post(configs::validate))
        .route("/api/sync-rules/v1/current", get(configs::current).post(configs::current))
        .route("/api/sync-rules/v1/reprocess", post(reprocess::reprocess))
        .route("/api/admin/v1/reprocess", post(reprocess::reprocess))
        .route("/api/admin/v1/validate", post(configs::validate))
        .route("/api/admin/v1/dry-run", post(preview::dry_run))
        .route("/api/admin/v1/diagnostics", post(source::diagnostics))
        .route("/api/admin/v1/schema", post(source::schema))
        .route("/api/admin/v1/execute-sql", post(queries::execute))
        .route("/api/admin/v1/buckets", get(buckets::definitions))
        .route("/api/admin/v1/buckets/{definition}", get(buckets::of_definition))
        .route("/api/admin/v1/operations", get(buckets::operations))
        .route("/api/admin/v1/rows", get(rows::rows))
        .route("/api/admin/v1/evaluate", post(evaluate::evaluate))
        .route("/api/admin/v1/writes", get(writes::log))
        .route("/api/admin/v1/explain", post(explain::explain))
        .route("/api/data", post(writes::upload))
        .route("/api/admin/v1/dead-letters", get(dead_letters::list))
        .route("/api/admin/v1/dead-letters/{id}", get(dead_letters::show))
        .route("/api/admin/v1/dead-letters/{id}/replay", post(dead_letters::replay))
        .route("/api/admin/v1/dead-letters/{id}/discard", post(dead_letters::discard))
        .merge(pages::router(app.is_development()))
        .merge(further)
        .fallback(not_found)
        .method_not_allowed_fallback(not_found);
    let routes = match &app.faults {
        Some(faults) => routes.layer(from_fn_with_state(Arc::clone(faults), dev::answer)),
        None => routes,
    };
    routes.layer(from_fn_with_state(Arc::clone(&app), requests::count)).layer(compression).layer(cors).with_state(app)
}

async fn not_found(request: Request) -> ApiError {
    let path = format!("The path {} {:?} does not exist on this server", request.method(), request.uri().path());
    ApiError { details: Some(path), ..ApiError::new(ErrorKind::NotFound, "The path does not exist on this server") }
}

impl App {
    /// Whether it is a service for development, on this machine.
    fn is_development(&self) -> bool {
        self.faults.is_some()
    }

    /// Who a request comes from.
    async fn user(&self, headers: &HeaderMap) -> Result<User, ApiError> {
        if self.member.as_ref().is_some_and(|member| !member.role.serves_clients()) {
            let message =
                "This process of the service only writes its storage. Connect to one with the role all or api.";
            return Err(ApiError::new(ErrorKind::Unavailable, message));
        }
        let token = bearer(headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()))?;
        self.user_of(token).await
    }

    /// Who has a token.
    pub(crate) async fn user_of(&self, token: &str) -> Result<User, ApiError> {
        verify(token, &self.keys, &self.rules, clock::now() / 1_000_000).await
    }

    /// Whether a request may administer the service.
    fn admin(&self, headers: &HeaderMap) -> Result<(), ApiError> {
        let expected = match &self.administrators {
            Administrators::Token(expected) => expected,
            Administrators::ThisMachine => return only_from_here(headers),
            Administrators::Nobody => {
                let message = "This service has no admin token: start it with --admin-token.";
                return Err(ApiError::new(ErrorKind::Forbidden, message));
            }
        };
        let token = bearer(headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok()))?;
        if is_equal(token.as_bytes(), expected.as_bytes()) {
            return Ok(());
        }
        Err(ApiError::new(ErrorKind::Token, "The admin token is another one."))
    }
}

/// Compares in a time that does not tell where the difference is.
fn is_equal(left: &[u8], right: &[u8]) -> bool {
    left.len() == right.len() && left.iter().zip(right).fold(0, |sum, (left, right)| sum | (left ^ right)) == 0
}

/// How the client calls itself.
pub(crate) fn user_agent(headers: &HeaderMap) -> &str {
    let header = headers.get("x-user-agent").or_else(|| headers.get(USER_AGENT));
    header.and_then(|value| value.to_str().ok()).unwrap_or_default()
}

type Shared = State<Arc<App>>;
