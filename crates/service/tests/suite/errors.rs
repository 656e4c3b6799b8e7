//! What is answered instead of a stream.

use std::sync::Arc;

use serde_json::{Value, json};
use sync_engine::memory::MemoryStore;

use crate::faulty::Faulty;
use crate::support::{Running, answer, now, operations, put, signed, source, token};

const KEY: &[u8] = b"0123456789abcdef";

async fn refusal(running: &Running, authorization: Option<String>, body: &str) -> (u16, Value) {
    let mut request = running.http.post(running.url("/sync/stream")).body(body.to_owned());
    if let Some(authorization) = authorization {
        request = request.header("authorization", authorization);
    }
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["content-type"], "application/json; charset=utf-8");
    let (status, body) = answer(response).await;
    (status.as_u16(), body["error"].clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_that_are_no_request_are_answered_as_the_published_service_does() {
    let running = Running::start().await;
    let valid = || Some(format!("Token {}", token("u1", 3600)));
    let validation = |detail: &str| {
        json!({"code": "PSYNC_S2001", "status": 400, "description": "Validation failed",
            "details": json!([detail]).to_string(), "name": "ValidationError"})
    };
    for (body, detail) in [
        (r#"{"buckets":"x"}"#, "/buckets: type must be array"),
        (
            r#"{"streams":{"subscriptions":[{"stream":"region","parameters":null}]}}"#,
            "/streams/subscriptions/0 must have required property 'override_priority'",
        ),
    ] {
        assert_eq!(refusal(&running, valid(), body).await, (400, validation(detail)));
    }
    let (status, error) = refusal(&running, valid(), "{\"buckets\":").await;
    assert_eq!((status, &error["code"]), (400, &json!("PSYNC_S2001")));
    assert!(error["details"].as_str().unwrap().contains("must be JSON"), "{error}");
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn each_reason_to_refuse_a_token_has_its_code() {
    let running = Running::with(|options| options.audiences = vec!["app".into()]).await;
    let claims =
        |iat: i64, exp: i64, aud: &str| json!({"sub": "u1", "iat": now() + iat, "exp": now() + exp, "aud": aud});
    for (authorization, code) in [
        (None, "PSYNC_S2106"),
        (Some("Basic abc".to_owned()), "PSYNC_S2106"),
        (Some("Token nonsense".to_owned()), "PSYNC_S2101"),
        (Some(format!("Token {}", signed(&claims(-10, 60, "app"), b"fedcba9876543210"))), "PSYNC_S2102"),
        (Some(format!("Bearer {}", signed(&claims(-900, -100, "app"), KEY))), "PSYNC_S2103"),
        (Some(format!("Bearer {}", signed(&claims(-10, 90_000, "app"), KEY))), "PSYNC_S2104"),
        (Some(format!("Bearer {}", signed(&claims(-10, 60, "other"), KEY))), "PSYNC_S2105"),
    ] {
        let (status, error) = refusal(&running, authorization, "{}").await;
        assert_eq!((status, error["code"].as_str().unwrap()), (401, code), "{error}");
        assert_eq!((&error["status"], &error["name"]), (&json!(401), &json!("AuthorizationError")));
    }
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_has_just_expired_gets_one_line() {
    let running = Running::start().await;
    let request = running.http.post(running.url("/sync/stream")).body("{}");
    let response = request.header("authorization", format!("Token {}", token("u1", -30))).send().await.unwrap();
    assert_eq!(
        (response.status().as_u16(), response.text().await.unwrap().as_str()),
        (200, "{\"token_expires_in\":0}\n")
    );
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_paths_and_methods_are_not_found() {
    let running = Running::start().await;
    for (method, path) in [("GET", "/nope"), ("GET", "/sync/stream"), ("DELETE", "/write-checkpoint2.json")] {
        let request = running.http.request(method.parse().unwrap(), running.url(path));
        let (status, body) = answer(request.send().await.unwrap()).await;
        let expected = json!({"code": "PSYNC_S2002", "status": 404,
            "description": "The path does not exist on this server", "name": "RouteNotFound",
            "details": format!("The path {method} {path:?} does not exist on this server"), "severity": "info"});
        assert_eq!((status.as_u16(), &body["error"]), (404, &expected));
    }
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_have_a_limit() {
    let running = Running::start().await;
    let padded = |size: usize| format!("{{\"x\":\"{}\"}}", "y".repeat(size - 8));
    let fits = running.http.post(running.url("/sync/stream")).body(padded(1 << 20));
    let fits = fits.header("authorization", format!("Token {}", token("u1", 3600))).send().await.unwrap();
    assert_eq!(fits.status(), 200);
    let (status, error) = refusal(&running, Some(format!("Token {}", token("u1", 3600))), &padded((1 << 20) + 1)).await;
    assert_eq!((status, &error["status"], &error["name"]), (413, &json!(413), &json!("ValidationError")));
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_streams_are_refused_until_one_ends() {
    let running = Running::with(|options| options.limits.max_connections = 2).await;
    let first = running.stream("u1", json!({})).await;
    let mut second = running.stream("u1", json!({})).await;
    let third = running.ask("u2", &json!({})).send().await.unwrap();
    assert_eq!(third.status(), 429);
    assert_eq!(third.text().await.unwrap(), "");
    drop(first);
    running.status_with(|status| status["clients"].as_array().unwrap().len() == 1).await;
    running.stream("u2", json!({})).await.checkpoint().await;
    // The other one is as before.
    assert!(!second.checkpoint().await.is_empty());
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_buckets_are_an_error_before_the_stream() {
    const CONFIG: &str = "
config: {edition: 3}
streams:
  todos:
    auto_subscribe: true
    query: SELECT * FROM todos WHERE list_id IN (SELECT id FROM lists WHERE owner_id = auth.user_id())
";
    let running = Running::with(|options| {
        options.config = CONFIG.into();
        options.limits.max_buckets = 1;
    })
    .await;
    let mut lines = running.stream("u1", json!({})).await;
    assert_eq!(operations(&lines.checkpoint().await).len(), 2);
    put(&running.source, "lists", ["l3", "u2", "three"]);
    running.get("u2", "/write-checkpoint.json").await;
    let response = running.ask("u2", &json!({})).send().await.unwrap();
    assert_eq!(response.status(), 500);
    let (_, body) = answer(response).await;
    assert_eq!((&body["error"]["code"], &body["error"]["status"]), (&json!("PSYNC_S2305"), &json!(500)), "{body}");
    // The seat is free again.
    assert_eq!(running.status().await["clients"].as_array().unwrap().len(), 1);
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_configuration_there_is_nothing_to_sync() {
    let (source, store) = (source(), MemoryStore::new("0a"));
    let down = Faulty::new(&source);
    down.set_down(true);
    let running = Running::unready(source, Arc::new(down), store, |_| {}).await;
    let (status, error) = refusal(&running, Some(format!("Token {}", token("u1", 3600))), "{}").await;
    assert_eq!(
        (status, error["code"].as_str().unwrap(), error["name"].as_str().unwrap()),
        (500, "PSYNC_S2302", "ServiceError")
    );
    assert_eq!(running.http.get(running.url("/probes/readiness")).send().await.unwrap().status(), 503);
    assert_eq!(running.http.get(running.url("/probes/liveness")).send().await.unwrap().status(), 200);
    let status = running.status().await;
    assert_eq!((&status["config"]["state"], &status["checkpoint"]), (&json!("building"), &Value::Null));
    assert_eq!(status["source"]["lag_seconds"], Value::Null);
    running.service.stop().await;
}
