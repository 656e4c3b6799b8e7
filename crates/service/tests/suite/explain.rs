//! Why a client has a row or not: `POST /api/admin/v1/explain`.

use std::sync::Arc;

use reqwest::StatusCode;
use serde_json::{Value, json};
use sync_engine::memory::MemoryStore;

use crate::faulty::Faulty;
use crate::support::{ADMIN, Running, answer, put, source};

const CONFIG: &str = "
config: {edition: 3}
streams:
  lists:
    auto_subscribe: true
    query: SELECT * FROM lists WHERE owner_id = auth.user_id()
  todos:
    auto_subscribe: true
    query: SELECT * FROM todos WHERE list_id IN (SELECT id FROM lists WHERE owner_id = auth.user_id())
  todo:
    query: SELECT * FROM todos WHERE list_id = subscription.parameter('list')
      AND list_id IN (SELECT id FROM lists WHERE owner_id = auth.user_id())
  all:
    auto_subscribe: true
    query: SELECT id, text AS body FROM notes AS memo WHERE text != 'secret' AND auth.parameter('role') = 'admin'
  chosen:
    query: SELECT * FROM notes WHERE list_id IN auth.parameter('ids')
";

async fn start() -> Running {
    Running::with(|options| options.config = CONFIG.into()).await
}

impl Running {
    async fn explain(&self, body: Value) -> (StatusCode, Value) {
        let request = self.http.post(self.url("/api/admin/v1/explain"));
        let request = request.header("authorization", format!("Bearer {ADMIN}")).json(&body);
        answer(request.send().await.unwrap()).await
    }

    /// Whether the row is visible, and the reasons.
    async fn why(&self, body: Value) -> (bool, String) {
        let (status, answer) = self.explain(body).await;
        assert_eq!(status, 200, "{answer}");
        let reasons: Vec<&str> =
            answer["reasons"].as_array().unwrap().iter().map(|reason| reason.as_str().unwrap()).collect();
        (answer["visible"].as_bool().unwrap(), reasons.join("\n"))
    }

    /// That the row is not visible, for a reason with these parts.
    #[track_caller]
    fn blocked(&self, why: &(bool, String), parts: &[&str]) {
        println!("{}\n", why.1);
        assert!(!why.0, "{}", why.1);
        for part in parts {
            assert!(why.1.contains(part), "{part}: {}", why.1);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_visible_row_has_every_path_that_leads_to_it() {
    let running = start().await;
    let subscription = json!([{"stream": "todo", "parameters": {"list": "l1"}}]);
    let (visible, why) =
        running.why(json!({"type": "todos", "id": "t1", "user": "u1", "subscriptions": subscription})).await;
    println!("{why}");
    assert!(visible, "{why}");
    let lines: Vec<&str> = why.lines().collect();
    assert_eq!(lines.len(), 4, "{why}");
    assert_eq!(lines[0], "The source has the row: main.todos with id = 't1'.");
    assert!(lines[1].starts_with("Stream todos, which every client has: the row is in the bucket todos|"), "{why}");
    assert!(lines[1].contains("lists with id = 'l1' has owner_id = 'u1', which is auth.user_id()"), "{why}");
    assert!(lines[2].starts_with("Stream todo, subscription 1: "), "{why}");
    assert!(lines[3].starts_with("The checkpoint "), "{why}");
    let (_, tree) = running.explain(json!({"type": "todos", "id": "t1", "user": "u1"})).await;
    let bucket = &tree["streams"][0]["ways"][0]["queries"][0]["buckets"][0];
    assert_eq!((&bucket["has"], &bucket["operation"]["op"]), (&json!(true), &json!("PUT")));
    assert!(bucket["name"].as_str().unwrap().ends_with("[\"l1\"]"), "{bucket}");
    assert!(!tree.to_string().contains("\"a\""), "the other columns of the row are not shown: {tree}");
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_fit_is_named_with_its_value() {
    let running = start().await;
    let why = running.why(json!({"type": "todos", "id": "t3", "user": "u1"})).await;
    running.blocked(
        &why,
        &[
            "lists with id = 'l2' has owner_id = 'u2', and auth.user_id() is 'u1'",
            "Stream todo: the client does not subscribe to it, and would not get the row if it did",
        ],
    );
    let why = running.why(json!({"type": "lists", "id": "l1", "user": "U1"})).await;
    running.blocked(&why, &["auth.user_id() is 'U1', and not 'u1'", "differ in upper and lower case"]);
    put(&running.source, "todos", ["t9", "gone", "x"]);
    let why = running.why(json!({"type": "todos", "id": "t9", "user": "u1"})).await;
    running.blocked(&why, &["lists has no row with id = 'gone'"]);
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn claims_parameters_and_subscriptions_that_are_missing_are_named() {
    let running = start().await;
    let why = running.why(json!({"type": "memo", "id": "n1", "user": "u1"})).await;
    running.blocked(&why, &["the token has no claim `role`", "sign tokens with the claim `role`"]);
    let admin = json!({"type": "memo", "id": "n1", "claims": {"sub": "u1", "role": "admin"}});
    assert!(running.why(admin).await.0);
    put(&running.source, "notes", ["n2", "l1", "secret"]);
    let why = running.why(json!({"type": "memo", "id": "n2", "claims": {"sub": "u1", "role": "admin"}})).await;
    running.blocked(&why, &["does not meet `text != 'secret'` (text is 'secret')"]);
    let why =
        running.why(json!({"type": "notes", "id": "n1", "user": "u1", "subscriptions": [{"stream": "chosen"}]})).await;
    running.blocked(&why, &["Stream chosen, subscription 1", "the token has no claim `ids`"]);
    let ids = json!({"sub": "u1", "ids": ["l7"]});
    let why =
        running.why(json!({"type": "notes", "id": "n1", "claims": ids, "subscriptions": [{"stream": "chosen"}]})).await;
    running.blocked(&why, &["'l1' is not in auth.parameter('ids')"]);
    let parameters = json!([{"stream": "todo"}]);
    let config = CONFIG.replace("  todos:\n    auto_subscribe: true", "  todos:\n    auto_subscribe: false");
    running.service.stop().await;

    let running = Running::with(|options| options.config = config).await;
    let why = running.why(json!({"type": "todos", "id": "t1", "user": "u1"})).await;
    running.blocked(
        &why,
        &[
            "Stream todos: the client does not subscribe to it. Subscribe to it.",
            r#"Subscribe to it with the parameters {"list":"l1"}."#,
        ],
    );
    let why = running.why(json!({"type": "todos", "id": "t1", "user": "u1", "subscriptions": parameters})).await;
    running.blocked(&why, &["the subscription has no parameter `list`"]);
    let wrong = json!([{"stream": "no such"}]);
    let why = running.why(json!({"type": "todos", "id": "t1", "user": "u1", "subscriptions": wrong})).await;
    running.blocked(
        &why,
        &["subscribes to the stream no such, which the configuration does not have", "lists, todos, todo"],
    );
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_and_rows_that_are_not_there_are_named() {
    let running = start().await;
    let why = running.why(json!({"type": "todo", "id": "t1", "user": "u1"})).await;
    running.blocked(
        &why,
        &["Neither the configuration nor the source has a table todo.", "Clients know: lists, memo, notes, todos."],
    );
    running.source.create_table("others", &["id"], &["id"]).unwrap();
    let why = running.why(json!({"type": "others", "id": "o1", "user": "u1"})).await;
    running.blocked(&why, &["The source has the table main.others, but no query", "Add a query to a stream"]);
    let why = running.why(json!({"type": "todos", "id": "t77", "user": "u1"})).await;
    running.blocked(&why, &["The source has no row of todos with the id 't77'."]);
    let why = running.why(json!({"type": "main.lists", "id": "l1", "user": "u2"})).await;
    running.blocked(&why, &["auth.user_id() is 'u2', and not 'u1'"]);
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_limit_that_is_exceeded_is_named() {
    let running = Running::with(|options| {
        options.config = CONFIG.into();
        options.limits.max_parameter_results = 0;
    })
    .await;
    let why = running.why(json!({"type": "todos", "id": "t1", "user": "u1"})).await;
    running.blocked(&why, &["it fails for this user: Too many parameter query results"]);
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_change_that_is_not_replicated_yet_is_one_of_the_reasons() {
    let source = source();
    let faulty = Faulty::new(&source);
    let change = |options: &mut rowtide_service::ServiceOptions| options.config = CONFIG.into();
    let running = Running::on(source, Arc::new(faulty.clone()), MemoryStore::new("0a"), change).await;
    faulty.hold_events(true);
    put(&running.source, "lists", ["l3", "u1", "three"]);
    let why = running.why(json!({"type": "lists", "id": "l3", "user": "u1"})).await;
    running.blocked(
        &why,
        &["which the user has. The row is not replicated to it yet", "The service has not read the newest changes"],
    );
    crate::support::delete(&running.source, "lists", "l1");
    let (visible, why) = running.why(json!({"type": "lists", "id": "l1", "user": "u1"})).await;
    assert!(visible, "{why}");
    assert!(why.contains("to which the row at the source does not belong any more"), "{why}");
    faulty.hold_events(false);
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_is_for_administrators_and_checks_what_it_is_asked() {
    let running = start().await;
    let unauthorized = running.http.post(running.url("/api/admin/v1/explain")).json(&json!({})).send().await.unwrap();
    assert_eq!(unauthorized.status(), 401);
    for (body, problem) in [
        (json!({"id": "l1", "user": "u1"}), "missing field `type`"),
        (json!({"type": "lists", "id": "l1"}), "must have the property `user`, or `claims`"),
        (json!({"type": "lists", "id": "l1", "user": "u1", "claims": {"sub": "u2"}}), "/claims/sub"),
        (json!({"type": "lists", "id": "l1", "user": "u1", "subscriptions": [{}]}), "missing field `stream`"),
    ] {
        let (status, answer) = running.explain(body).await;
        assert_eq!(status, 400);
        assert!(answer["error"]["details"].as_str().unwrap().contains(problem), "{answer}");
    }
    running.service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_large_table_the_row_is_found_by_its_key() {
    let running = start().await;
    let mut transaction = running.source.begin();
    for number in 0..21_000 {
        let row = [format!("l{number:05}"), format!("u{}", number % 7), "x".to_owned()];
        transaction = transaction.put("lists", row.map(sync_config::Value::text).to_vec());
    }
    transaction.commit().unwrap();
    put(&running.source, "lists", ["z", "u2", "the last one"]);
    put(&running.source, "todos", ["tz", "z", "x"]);
    put(&running.source, "todos", ["ty", "no list", "x"]);
    running.get("u1", "/write-checkpoint.json").await;
    let why = running.why(json!({"type": "todos", "id": "tz", "user": "u1"})).await;
    running.blocked(&why, &["lists with id = 'z' has owner_id = 'u2', and auth.user_id() is 'u1'"]);
    assert_eq!(why.1.matches("owner_id = 'u2'").count(), 2, "also where it only has to exist: {}", why.1);
    let (visible, why) = running.why(json!({"type": "todos", "id": "tz", "user": "u2"})).await;
    assert!(visible && why.contains("lists with id = 'z' has owner_id = 'u2', which is"), "{why}");
    let why = running.why(json!({"type": "todos", "id": "ty", "user": "u1"})).await;
    running.blocked(&why, &["lists has no row with id = 'no list'. Add the row of lists."]);
    running.service.stop().await;
}
