//! Requests: defaults, subscriptions, priorities, limits, errors, and which lookups an answer depends on.

use super::support::{Store, codes, plan, stream};
use sync_config::{
    FailureCause, Limits, LookupSource, Plan, Reason, Request, RequestResult, Subscription, Value, evaluate_request,
};

const CONFIG: &str = "config: {edition: 3}
streams:
  news:
    auto_subscribe: true
    priority: 1
    query: SELECT * FROM news
  lists:
    auto_subscribe: true
    query: SELECT * FROM lists WHERE owner = auth.user_id()
  todos:
    query: SELECT * FROM todos WHERE list = subscription.parameter('list') AND list IN (SELECT id FROM lists WHERE owner = auth.user_id())
  all_todos:
    priority: 2
    query: SELECT * FROM todos WHERE list IN (SELECT id FROM lists WHERE owner = auth.user_id())
";

fn store(plan: &Plan) -> Store {
    let mut store = Store::default();
    let columns = ["id".to_owned(), "owner".to_owned()];
    let rows: Vec<Vec<Value>> =
        [("l1", "u1"), ("l2", "u1"), ("l3", "u2")].map(|(a, b)| vec![a.into(), b.into()]).to_vec();
    store.add(plan, "lists", &columns, &rows);
    store
}

fn subscription<'a>(stream: &'a str, parameters: &'a str) -> Subscription<'a> {
    Subscription { stream, parameters: Some(parameters), priority: None }
}

fn ask(
    plan: &Plan,
    source: &dyn LookupSource,
    defaults: bool,
    subscriptions: &[Subscription<'_>],
    limits: Limits,
) -> RequestResult {
    let request = Request { claims: "{\"sub\":\"u1\"}", parameters: "{}", include_defaults: defaults, subscriptions };
    evaluate_request(plan, &request, source, &limits)
}

fn names(plan: &Plan, result: &RequestResult) -> Vec<(String, u8)> {
    result.buckets.iter().map(|b| (plan.bucket_name(&b.bucket, "1#"), b.priority)).collect()
}

#[test]
fn defaults_and_subscriptions() {
    let plan = plan(CONFIG);
    let store = store(&plan);
    let result = ask(&plan, &store, true, &[], Limits::default());
    assert_eq!(names(&plan, &result), [("1#news|0[]".into(), 1), ("1#lists|0[\"u1\"]".into(), 3)]);
    assert_eq!(result.streams, [0, 1]);
    assert_eq!(result.buckets[1].reasons, [Reason::Default(1)]);
    assert!(ask(&plan, &store, false, &[], Limits::default()).buckets.is_empty());
    let result = ask(
        &plan,
        &store,
        false,
        &[subscription("todos", "{\"list\":\"l1\"}"), subscription("nope", "{}")],
        Limits::default(),
    );
    assert_eq!(names(&plan, &result), [("1#todos|0[\"l1\"]".into(), 3)]);
    assert_eq!(result.streams, [2]);
    // Another user's list, and none.
    for parameters in ["{\"list\":\"l3\"}", "{}", "{\"list\":null}", "[]"] {
        let result = ask(&plan, &store, false, &[subscription("todos", parameters)], Limits::default());
        assert!(result.buckets.is_empty() && result.errors.is_empty(), "{parameters}");
        assert_eq!(result.streams, [2]);
    }
}

#[test]
fn a_bucket_has_its_most_urgent_priority_and_all_reasons() {
    let plan = plan(CONFIG);
    let store = store(&plan);
    let urgent = Subscription { priority: Some(0), ..subscription("todos", "{\"list\":\"l1\"}") };
    let subscriptions = [subscription("todos", "{\"list\":\"l1\"}"), urgent, subscription("all_todos", "{}")];
    let result = ask(&plan, &store, false, &subscriptions, Limits::default());
    assert_eq!(names(&plan, &result), [("1#todos|0[\"l1\"]".into(), 0), ("1#todos|0[\"l2\"]".into(), 2)]);
    assert_eq!(result.buckets[0].reasons, [0, 1, 2].map(Reason::Subscription));
}

#[test]
fn lookups_say_what_an_answer_depends_on() {
    let plan = plan(CONFIG);
    let store = store(&plan);
    let result = ask(&plan, &store, true, &[subscription("all_todos", "{}")], Limits::default());
    let lookups: Vec<String> = result
        .lookups
        .iter()
        .map(|(index, key)| format!("{} {key}", plan.indexes[*index].program.table.table))
        .collect();
    assert_eq!(lookups, ["lists [\"u1\"]"]);
    assert!(ask(&plan, &store, true, &[], Limits::default()).lookups.is_empty());
}

#[test]
fn only_the_stream_over_the_limit_fails() {
    let plan = plan(CONFIG);
    let store = store(&plan);
    let limits = Limits { buckets: 3, ..Limits::default() };
    let result = ask(&plan, &store, true, &[subscription("all_todos", "{}")], limits);
    assert_eq!(result.buckets.len(), 2);
    assert_eq!(result.errors.len(), 1);
    assert_eq!(result.errors[0].reason, Reason::Subscription(0));
    assert_eq!(result.errors[0].cause, FailureCause::Limit);
    assert_eq!(
        result.errors[0].to_json(),
        "{\"subscription\":0,\"message\":\"Too many buckets: the limit is 3 per connection\"}"
    );
    let limits = Limits { rows: 1, ..Limits::default() };
    assert_eq!(ask(&plan, &store, true, &[subscription("all_todos", "{}")], limits).errors.len(), 1);
}

#[test]
fn rows_of_a_failed_stream_do_not_count_for_the_next_one() {
    let query = |table: &str| format!("SELECT * FROM t WHERE x IN (SELECT id FROM {table} WHERE u = auth.user_id())");
    let plan = plan(&format!(
        "config: {{edition: 3}}\nstreams:\n  many: {{query: \"{}\"}}\n  few: {{query: \"{}\"}}\n",
        query("many"),
        query("few")
    ));
    let mut store = Store::default();
    let columns = ["id".to_owned(), "u".to_owned()];
    let rows = |count: i64| (0..count).map(|id| vec![id.into(), "u1".into()]).collect::<Vec<Vec<Value>>>();
    store.add(&plan, "many", &columns, &rows(5));
    store.add(&plan, "few", &columns, &rows(3));
    let limits = Limits { rows: 4, ..Limits::default() };
    let result = ask(&plan, &store, false, &[subscription("many", "{}"), subscription("few", "{}")], limits);
    assert_eq!(result.errors.len(), 1);
    assert_eq!(result.errors[0].reason, Reason::Subscription(0));
    assert_eq!(result.buckets.len(), 3);
}

struct Broken;

impl LookupSource for Broken {
    fn lookup(&self, _: usize, _: &str, _: &mut Vec<Vec<Value>>) -> Result<(), String> {
        Err("disk".to_owned())
    }
}

#[test]
fn errors_fail_one_stream() {
    let plan = plan(CONFIG);
    let result = ask(&plan, &Broken, true, &[subscription("all_todos", "{}")], Limits::default());
    assert_eq!(result.buckets.len(), 2);
    assert_eq!(result.errors[0].message, "Error reading parameters: disk");
    assert_eq!(result.errors[0].cause, FailureCause::Lookup);
    let plan = super::support::plan(&stream(&[
        "SELECT * FROM t WHERE x = abs(auth.parameter('n')) AND auth.parameter('n') IS NOT NULL",
    ]));
    let request = |claims| Request {
        claims,
        parameters: "{}",
        include_defaults: false,
        subscriptions: &[Subscription { stream: "s", parameters: None, priority: None }],
    };
    let result = evaluate_request(&plan, &request("{\"n\":-9223372036854775808}"), &Broken, &Limits::default());
    assert_eq!(result.errors[0].message, "Error evaluating bucket ids: integer overflow");
    assert_eq!(result.errors[0].cause, FailureCause::Expression);
    let result = evaluate_request(&plan, &request("{\"n\":-3}"), &Broken, &Limits::default());
    assert_eq!(result.buckets[0].bucket.key, "[3]");
    let result = evaluate_request(&plan, &request("not json"), &Broken, &Limits::default());
    assert!(result.buckets.is_empty() && result.malformed_json > 0);
}

#[test]
fn warnings_about_unauthenticated_values() {
    let warns = |query: &str| codes(&stream(&[query])).contains(&"C111");
    assert!(warns("SELECT * FROM t WHERE x = subscription.parameter('x')"));
    assert!(warns("SELECT * FROM t WHERE connection.parameter('x')"));
    assert!(warns("SELECT * FROM t WHERE x IN (SELECT y FROM u WHERE z = connection.parameter('z'))"));
    assert!(!warns("SELECT * FROM t WHERE x = subscription.parameter('x') AND o = auth.user_id()"));
    assert!(!warns("SELECT * FROM t"));
    let accepted = format!(
        "{}    accept_potentially_dangerous_queries: true\n",
        stream(&["SELECT * FROM t WHERE x = subscription.parameter('x')"])
    );
    assert_eq!(codes(&accepted), [""; 0]);
}
