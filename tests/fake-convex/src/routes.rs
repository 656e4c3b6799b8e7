//! Requests to answers: authorization, faults, and which page or function is meant.

use std::collections::BTreeMap;

use serde_json::{Value as Json, json};

use crate::faults::{Fault, Route};
use crate::functions;
use crate::pages::{self, refused};
use crate::server::{Answer, Refusal, State};
use crate::sync;

/// A request.
pub(crate) struct Request<'a> {
    pub(crate) path: &'a str,
    pub(crate) query: BTreeMap<String, String>,
    pub(crate) authorization: Option<&'a str>,
    pub(crate) body: &'a [u8],
}

/// How an answer reaches the client.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Delivery {
    Whole,
    Stalled,
    Cut,
    Lost,
}

/// The route of a path.
pub(crate) fn route(path: &str, has_sync: bool) -> Option<Route> {
    Some(match path {
        "/api/json_schemas" => Route::JsonSchemas,
        "/api/list_snapshot" => Route::ListSnapshot,
        "/api/document_deltas" => Route::DocumentDeltas,
        "/api/mutation" | "/api/query" => Route::Mutation,
        "/api/v1/data/sync" if has_sync => Route::DataSync,
        "/api/data_sync_cursor_from_deltas" if has_sync => Route::CursorFromDeltas,
        _ => return None,
    })
}

/// Answers a request.
pub(crate) fn answer(state: &mut State, request: &Request<'_>) -> (Answer, Delivery, Option<(u16, u64)>) {
    let whole = |answer| (answer, Delivery::Whole, None);
    let Some(route) = route(request.path, state.has_sync_api) else {
        return whole(Answer { status: 404, body: json!({"code": "NotFound", "message": "There is no such route."}) });
    };
    state.requests.push((route, request.path.to_owned(), request.query.clone()));
    let fault = state.faults.take(route);
    if let Some(Fault::Status(status, code, retry_after)) = fault {
        let answer = Answer { status, body: json!({"code": code, "message": "It was asked for by a test."}) };
        return (answer, Delivery::Whole, retry_after.map(|seconds| (status, seconds)));
    }
    let answer = authorized(state, request, route).unwrap_or_else(|refusal| Answer {
        status: refusal.status,
        body: json!({"code": refusal.code, "message": refusal.message}),
    });
    match fault {
        Some(Fault::Stall) => (answer, Delivery::Stalled, None),
        Some(Fault::Cut) => (answer, Delivery::Cut, None),
        Some(Fault::AnswerLost) => (answer, Delivery::Lost, None),
        Some(Fault::Garbage) => whole(Answer { status: 200, body: json!(["<html>"]) }),
        Some(Fault::Status(..)) | None => whole(answer),
    }
}

fn authorized(state: &mut State, request: &Request<'_>, route: Route) -> Result<Answer, Refusal> {
    let expected = format!("Convex {}", state.key);
    if state.faults.is_revoked || request.authorization != Some(expected.as_str()) {
        let message = "The deploy key is invalid.".to_owned();
        return Err(Refusal { status: 401, code: "BadDeployKey", message });
    }
    let is_export = !matches!(route, Route::Mutation);
    if state.faults.no_export && is_export {
        let message = "Streaming export is not part of the plan.".to_owned();
        return Err(Refusal { status: 403, code: "StreamingExportNotEnabled", message });
    }
    let is_get = matches!(route, Route::JsonSchemas | Route::ListSnapshot | Route::DocumentDeltas);
    if is_get && request.query.get("format").is_none_or(|format| format != "json") {
        return Err(refused("BadFormat", "The format must be json."));
    }
    let body: Json = match is_get {
        true => Json::Null,
        false => serde_json::from_slice(request.body).map_err(|_| refused("BadJsonBody", "The body is no JSON."))?,
    };
    let body = match route {
        Route::JsonSchemas => pages::json_schemas(&state.database),
        Route::ListSnapshot => pages::list_snapshot(&state.database, state.limits, &request.query)?,
        Route::DocumentDeltas => pages::document_deltas(&state.database, state.limits, &request.query)?,
        Route::DataSync => sync::page(&state.database, state.limits, state.epoch, &body)?,
        Route::CursorFromDeltas => {
            let cursor = body["cursor"].as_i64().ok_or_else(|| refused("BadCursor", "The cursor is no number."))?;
            sync::cursor_from_deltas(&state.database, state.epoch, cursor)?
        }
        Route::Mutation => {
            let has_functions = !state.faults.no_functions;
            return Ok(functions::run(&mut state.database, &state.schema, &body, has_functions));
        }
    };
    Ok(Answer { status: 200, body })
}
