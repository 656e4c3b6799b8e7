//! Which faults there are, and what they do to requests.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::Service;

const NONE: fn() -> Value =
    || json!({"offline": false, "slow": false, "uploads_fail": false, "checkpoints_delayed": false});

#[tokio::test(flavor = "multi_thread")]
async fn faults_stay_until_they_are_changed_or_the_source_is_reset() {
    let service = Service::start().await;
    assert_eq!(service.faults().await, NONE());
    let (status, state) = service.post("/dev/faults", &json!({"slow": true, "uploads_fail": true})).await;
    assert_eq!(
        (status.as_u16(), &state["slow"], &state["uploads_fail"], &state["offline"]),
        (200, &json!(true), &json!(true), &json!(false))
    );
    let (_, state) =
        service.post("/dev/faults", &json!({"slow": false, "checkpoints_delayed": true, "offline": true})).await;
    assert_eq!(state, json!({"offline": true, "slow": false, "uploads_fail": true, "checkpoints_delayed": true}));
    assert_eq!(service.faults().await, state);
    assert_eq!(service.post("/dev/reset", &json!({})).await.0, 200);
    assert_eq!(service.faults().await, NONE());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_fault_is_refused() {
    let service = Service::start().await;
    for (path, body) in [
        ("/dev/faults", json!({"ofline": true})),
        ("/dev/faults", json!({"offline": "yes"})),
        ("/dev/faults/now", json!({"fault": "fire"})),
        ("/dev/faults/now", json!({})),
    ] {
        let (status, answer) = service.post(path, &body).await;
        assert_eq!(status, 400, "{path} {body} {answer}");
    }
    assert_eq!(service.faults().await, NONE());
}

#[tokio::test(flavor = "multi_thread")]
async fn other_sites_have_no_faults() {
    let service = Service::start().await;
    let foreign = |request: reqwest::RequestBuilder| request.header("origin", "https://example.com").send();
    assert_eq!(foreign(service.http.get(service.url("/dev/faults"))).await.unwrap().status(), 401);
    for (path, body) in [("/dev/faults", json!({"offline": true})), ("/dev/faults/now", json!({"fault": "cut"}))] {
        let request = service.http.post(service.url(path)).json(&body);
        assert_eq!(foreign(request).await.unwrap().status(), 401, "{path}");
    }
    assert_eq!(service.faults().await, NONE());
}

#[tokio::test(flavor = "multi_thread")]
async fn offline_leaves_clients_without_an_answer() {
    let service = Service::start().await;
    service.set(json!({"offline": true})).await;
    let requests = [
        service.http.post(service.url("/sync/stream")).json(&json!({})),
        service.http.get(service.url("/write-checkpoint2.json?client_id=c")),
        service.http.get(service.url("/write-checkpoint.json")),
        service.http.post(service.url("/sync/checkpoint-request")).json(&json!({})),
        service.http.post(service.url("/api/data")).json(&json!({"transactions": []})),
    ];
    for request in requests {
        let error = service.as_alice(request).send().await.unwrap_err();
        assert!(error.is_request() && error.status().is_none(), "{error:?}");
    }
    for path in ["/probes/readiness", "/api/admin/v1/status", "/docs"] {
        assert_eq!(service.http.get(service.url(path)).send().await.unwrap().status(), 200, "{path}");
    }
    service.set(json!({"offline": false})).await;
    service.synced().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn slow_is_two_seconds() {
    let service = Service::start().await;
    service.set(json!({"slow": true})).await;
    let start = Instant::now();
    let request = service.http.get(service.url("/write-checkpoint2.json?client_id=c"));
    assert_eq!(service.as_alice(request).send().await.unwrap().status(), 200);
    assert!(start.elapsed() >= Duration::from_secs(2), "{:?}", start.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn uploads_fail_and_later_do_not() {
    let service = Service::start().await;
    let upload = json!({"transactions": [{"transaction_id": 1, "crud": [
        {"op": "PATCH", "table": "todos", "id": "todo-1", "op_data": {"description": "Rye"}}
    ]}]});
    let post = || service.as_alice(service.http.post(service.url("/api/data")).json(&upload)).send();
    service.set(json!({"uploads_fail": true})).await;
    let response = post().await.unwrap();
    assert_eq!(response.status(), 500);
    assert!(response.text().await.unwrap().contains("Uploads fail"));
    let mut lines = service.synced().await;
    service.set(json!({"uploads_fail": false})).await;
    assert_eq!(post().await.unwrap().status(), 200);
    let data = serde_json::to_string(&lines.checkpoint().await).unwrap();
    assert!(data.contains("Rye"), "{data}");
}
