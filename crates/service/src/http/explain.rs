//! `POST /api/admin/v1/explain`: why a client has a row or not.

use axum::Json;
use axum::extract::{Request, State};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use sync_config::{Limits, Subscription};
use sync_engine::explain::{ExplainError, Explanation, Places, Question, Reason, explain as answer};
use tokio::task::spawn_blocking;

use super::body::parsed;
use super::{App, Shared};
use crate::error::{ApiError, ErrorKind};
use crate::sync::{Seat, shutting_down};

/// The body.
#[derive(Deserialize)]
struct Body {
    #[serde(rename = "type")]
    object_type: String,
    id: String,
    user: Option<String>,
    claims: Option<Map<String, Value>>,
    parameters: Option<Map<String, Value>>,
    subscriptions: Option<Vec<Stream>>,
}

/// A stream that the client subscribes to.
#[derive(Deserialize)]
pub(super) struct Stream {
    pub(super) stream: String,
    parameters: Option<Map<String, Value>>,
}

impl Stream {
    /// The parameters as the JSON text of an object.
    pub(super) fn parameters(&self) -> Option<String> {
        self.parameters.clone().map(|parameters| Value::Object(parameters).to_string())
    }

    pub(super) fn subscription<'a>(&'a self, parameters: Option<&'a str>) -> Subscription<'a> {
        Subscription { stream: &self.stream, parameters, priority: None }
    }
}

/// The claims of a token as the JSON text of an object, from a user's name, claims or both.
pub(super) fn claims(user: Option<&str>, claims: Option<&Map<String, Value>>) -> Result<String, ApiError> {
    let wrong = |problem: &str| ApiError::validation(&[problem.into()]);
    let mut all = claims.cloned().unwrap_or_default();
    match user {
        None if claims.is_none() => return Err(wrong(": must have the property `user`, or `claims`")),
        Some(_) if all.contains_key("sub") => {
            return Err(wrong("/claims/sub: is the same as /user; give one of them"));
        }
        Some(user) => drop(all.insert("sub".into(), user.into())),
        None => {}
    }
    Ok(Value::Object(all).to_string())
}

/// Says why a client has a row or not.
pub(super) async fn explain(State(app): Shared, request: Request) -> Result<Json<Value>, ApiError> {
    let (parts, content) = request.into_parts();
    app.admin(&parts.headers)?;
    let content = app.body(content).await?;
    let body: Body = parsed(&content)?;
    let claims = claims(body.user.as_deref(), body.claims.as_ref())?;
    let _permit = Seat::may_read(&app.hub).await;
    let user = body.user.clone();
    let explained = spawn_blocking({
        let app = std::sync::Arc::clone(&app);
        move || run(&app, &body, &claims)
    });
    let explained = explained.await.map_err(|_| shutting_down())??;
    let Explanation { is_visible, reasons, mut tree } = explained;
    if let Value::Object(members) = &mut tree {
        members.insert("user".into(), user.into());
        members.insert("visible".into(), is_visible.into());
        members.insert("reasons".into(), reasons.iter().map(text).collect());
        let steps = reasons.iter().map(|reason| json!({"text": reason.text, "remedy": reason.remedy}));
        members.insert("steps".into(), steps.collect());
        let status = app.writer.board.status();
        let more = json!({"source": status.source, "building": status.config.building, "problems": status.problems});
        members.insert("status".into(), more);
    }
    Ok(Json(tree))
}

fn text(reason: &Reason) -> Value {
    match &reason.remedy {
        Some(remedy) => format!("{} {remedy}", reason.text).into(),
        None => reason.text.as_str().into(),
    }
}

/// All that blocks.
fn run(app: &App, body: &Body, claims: &str) -> Result<Explanation, ApiError> {
    let plan = app.hub.plan_changes().borrow().clone();
    let plan = plan.ok_or_else(|| ApiError::new(ErrorKind::NoConfig, "No sync configuration is active yet."))?;
    let unavailable = || ApiError::new(ErrorKind::Unavailable, "The service has no checkpoint yet. Try again later.");
    let readers = app.hub.readers().ok_or_else(unavailable)?;
    let store = |error: String| {
        tracing::error!(%error, "reading the storage for an explanation");
        ApiError::new(ErrorKind::Unavailable, "The service cannot read its storage. Its log says why.")
    };
    let reader = readers.latest().map_err(|error| store(error.to_string()))?.ok_or_else(unavailable)?;
    let parameters = Value::Object(body.parameters.clone().unwrap_or_default()).to_string();
    let streams = body.subscriptions.as_deref().unwrap_or_default();
    let texts: Vec<Option<String>> = streams.iter().map(Stream::parameters).collect();
    let subscriptions: Vec<Subscription<'_>> =
        streams.iter().zip(&texts).map(|(one, text)| one.subscription(text.as_deref())).collect();
    let limits = Limits { buckets: app.limits.max_buckets, rows: app.limits.max_parameter_results };
    let places = Places { plan: &plan, source: &*app.source, reader: &*reader, limits: &limits };
    let question = Question {
        object_type: &body.object_type,
        object_id: &body.id,
        claims,
        parameters: &parameters,
        subscriptions: &subscriptions,
    };
    answer(places, &question).map_err(|error| match error {
        ExplainError::Source(error) => ApiError::new(ErrorKind::Unavailable, format!("Reading the source: {error}")),
        ExplainError::Store(error) => store(error.to_string()),
    })
}
