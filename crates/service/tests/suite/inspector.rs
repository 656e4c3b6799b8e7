//! What the inspector asks: sizes and operations of buckets, rows, clients, and what a client would get.

use serde_json::{Value, json};
use sync_sources::memory::MemorySource;

use crate::support::{ADMIN, Running, answer, put, soon, todos_of};

impl Running {
    async fn evaluate(&self, body: Value) -> (u16, Value) {
        let request = self.http.post(self.url("/api/admin/v1/evaluate"));
        let request = request.header("authorization", format!("Bearer {ADMIN}")).json(&body);
        let (status, answer) = answer(request.send().await.unwrap()).await;
        (status.as_u16(), answer)
    }

    /// The bucket of a user's lists.
    async fn lists_of(&self, user: &str) -> (u64, String) {
        let (_, answer) = self.evaluate(json!({"user": user})).await;
        let bucket = &answer["buckets"][0];
        (bucket["definition"].as_u64().unwrap(), bucket["key"].as_str().unwrap().to_owned())
    }
}

async fn commit_versions(running: &Running, source: &MemorySource, count: usize) {
    for number in 0..count {
        put(source, "lists", ["l1", "u1", &format!("version {number}")]);
        // Otherwise one commit could have several of them, as one operation.
        running.get("u1", "/write-checkpoint.json").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn buckets_of_a_definition_come_in_pages_with_their_sizes() {
    let running = Running::start().await;
    let definitions = running.admin("/api/admin/v1/buckets").await;
    let lists = definitions["definitions"].as_array().unwrap().iter().find(|one| one["streams"] == json!(["lists"]));
    let lists = lists.unwrap();
    assert_eq!((&lists["buckets"], &lists["rows"]), (&json!(2), &json!(2)));
    let path = format!("/api/admin/v1/buckets/{}", lists["id"]);
    let first = running.admin(&format!("{path}?limit=1")).await;
    let second = running.admin(&format!("{path}?limit=1&offset=1")).await;
    assert_eq!((&first["has_more"], &second["has_more"]), (&json!(true), &json!(false)));
    let mut keys = [&first, &second].map(|page| page["buckets"][0]["key"].as_str().unwrap().to_owned());
    keys.sort();
    assert_eq!(keys, ["[\"u1\"]", "[\"u2\"]"]);
    assert_eq!((&first["buckets"][0]["operations"], &first["buckets"][0]["rows"]), (&json!(1), &json!(1)));
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn operations_are_read_from_both_ends() {
    let running = Running::start().await;
    commit_versions(&running, &running.source.clone(), 9).await;
    // Of other buckets, so that ids have gaps.
    put(&running.source, "lists", ["l3", "u3", "three"]);
    let (definition, key) = running.lists_of("u1").await;
    let read = async |more: &str| {
        let path = format!("/api/admin/v1/operations?definition={definition}&key={key}&{more}");
        let page = running.admin(&path).await;
        let ids: Vec<i64> = page["operations"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["op_id"].as_str().unwrap().parse().unwrap())
            .collect();
        let has = (page["has_earlier"].as_bool().unwrap(), page["has_later"].as_bool().unwrap());
        (ids, has, page)
    };
    let (all, has, page) = read("limit=100").await;
    assert_eq!((all.len(), has), (10, (false, false)));
    assert_eq!(page["bucket"]["operations"], 10);
    let last = &page["operations"][9];
    assert_eq!((&last["op"], &last["type"], &last["id"]), (&json!("PUT"), &json!("lists"), &json!("l1")));
    assert!(last["data"].as_str().unwrap().contains("version 8"), "{last}");
    assert_eq!((&page["operations"][0]["op"], &page["operations"][0]["data"]), (&json!("MOVE"), &Value::Null));

    let (newest, has, _) = read("limit=4").await;
    assert_eq!((&newest[..], has), (&all[6..], (true, false)));
    let (before, has, _) = read(&format!("limit=4&before={}", newest[0])).await;
    assert_eq!((&before[..], has), (&all[2..6], (true, true)));
    let (first, has, _) = read(&format!("limit=4&before={}", before[0])).await;
    assert_eq!((&first[..], has), (&all[..2], (false, true)));
    let (after, has, _) = read(&format!("limit=4&after={}", first[1])).await;
    assert_eq!((&after[..], has), (&all[2..6], (true, true)));
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_show_what_they_asked_for_and_how_far_they_are() {
    let running = Running::start().await;
    let mut stream = running.stream("u1", todos_of(&["l1"])).await;
    let lines = stream.checkpoint().await;
    let last = lines.last().unwrap()["checkpoint_complete"]["last_op_id"].clone();
    let client = soon(async {
        loop {
            let client = running.admin("/api/admin/v1/clients").await["clients"][0].clone();
            if client["complete_at"].is_number() {
                return client;
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
    })
    .await;
    let streams = json!([
        {"stream": "lists", "default": true, "parameters": null},
        {"stream": "todos", "default": false, "parameters": {"list": "l1"}},
    ]);
    assert_eq!((&client["user"], &client["streams"], &client["checkpoint"]), (&json!("u1"), &streams, &last));
    assert_eq!((&client["behind_since"], &client["buckets"]), (&Value::Null, &json!(2)));
    assert_eq!((&client["operations_sent"], &client["lines_sent"]), (&json!(3), &json!(lines.len())));
    assert!(client["bytes_sent"].as_u64().unwrap() > 100, "{client}");
    drop(stream);
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_evaluated_without_a_client() {
    let running = Running::start().await;
    let subscriptions = json!([{"stream": "todos", "parameters": {"list": "l1"}}, {"stream": "nothing"}]);
    let (status, answer) = running.evaluate(json!({"user": "u1", "subscriptions": subscriptions})).await;
    assert_eq!((status, &answer["bucket_count"]), (200, &json!(2)), "{answer}");
    let rows: Vec<String> = answer["buckets"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|bucket| bucket["rows"].as_array().unwrap())
        .map(|row| format!("{} {}", row["type"].as_str().unwrap(), row["id"].as_str().unwrap()))
        .collect();
    assert_eq!(rows, ["lists l1", "todos t1", "todos t2"]);
    assert_eq!(answer["buckets"][0]["by"], json!([{"stream": "lists", "subscription": null}]));
    assert_eq!(answer["buckets"][1]["by"], json!([{"stream": null, "subscription": 0}]));
    assert_eq!(answer["unknown_streams"], json!(["nothing"]));
    let (_, none) = running.evaluate(json!({"claims": {"sub": "u2"}, "include_defaults": false})).await;
    assert_eq!(none["bucket_count"], 0);
    let (status, error) = running.evaluate(json!({})).await;
    assert_eq!(status, 400, "{error}");
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_of_any_source_come_in_pages() {
    let running = Running::start().await;
    let page = running.admin("/api/admin/v1/rows?table=todos&limit=2").await;
    assert_eq!((&page["has_more"], &page["key"], &page["sortable"]), (&json!(true), &json!(["id"]), &json!(false)));
    let rest = running.admin("/api/admin/v1/rows?table=todos&limit=2&offset=2").await;
    assert_eq!((&rest["rows"], &rest["has_more"]), (&json!([["t3", "l2", "c"]]), &json!(false)));
    let found = running.admin("/api/admin/v1/rows?table=todos&filter=B").await;
    assert_eq!(found["rows"], json!([["t2", "l1", "b"]]));
    let request = running.http.get(running.url("/api/admin/v1/rows?table=other"));
    let missing = request.header("authorization", format!("Bearer {ADMIN}")).send().await.unwrap();
    assert_eq!(missing.status(), 404);
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_routes_are_for_administrators() {
    let running = Running::start().await;
    for path in ["buckets", "buckets/1", "operations", "rows?table=lists", "writes", "clients"] {
        let request = running.http.get(running.url(&format!("/api/admin/v1/{path}")));
        assert_eq!(request.send().await.unwrap().status(), 401, "{path}");
    }
    let request = running.http.post(running.url("/api/admin/v1/evaluate")).json(&json!({"user": "u1"}));
    assert_eq!(request.send().await.unwrap().status(), 401);
    running.service.stop().await;
    let open = Running::with(|options| options.admin_token = None).await;
    let (status, error) = answer(open.http.get(open.url("/api/admin/v1/status")).send().await.unwrap()).await;
    assert_eq!(status, 403, "no token would do");
    assert!(error["error"]["description"].as_str().unwrap().contains("--admin-token"), "{error}");
    open.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_not_for_development_leads_to_its_inspector_and_has_no_playground() {
    let running = Running::start().await;
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let start = client.get(running.url("/")).send().await.unwrap();
    assert_eq!((start.status().as_u16(), start.headers()["location"].to_str().unwrap()), (307, "/inspect"));
    let page = running.http.get(running.url("/inspect")).send().await.unwrap();
    let etag = page.headers()["etag"].to_str().unwrap().to_owned();
    let page = page.text().await.unwrap();
    assert!(page.contains("href=\"/docs\"") && !page.contains("Playground"), "{page}");
    let again = running.http.get(running.url("/inspect")).header("if-none-match", etag).send().await.unwrap();
    assert_eq!(again.status(), 304);
    running.service.stop().await;
}
