//! Legacy bucket definitions.

use super::support::{Store, codes, compiled, plan};
use sync_config::{Limits, Plan, Request, Value, evaluate_request};

fn definition(body: &str) -> String {
    format!(
        "bucket_definitions:\n  d:\n{}\n",
        body.lines().map(|line| format!("    {}", line.trim_end())).collect::<Vec<_>>().join("\n")
    )
}

fn buckets(plan: &Plan, store: &Store, claims: &str, parameters: &str) -> Vec<(String, u8)> {
    let request = Request { claims, parameters, include_defaults: true, subscriptions: &[] };
    let result = evaluate_request(plan, &request, store, &Limits::default());
    assert!(result.errors.is_empty());
    result.buckets.iter().map(|b| (plan.bucket_name(&b.bucket, ""), b.priority)).collect()
}

fn names(yaml: &str, claims: &str, parameters: &str) -> Vec<String> {
    let plan = plan(yaml);
    let mut store = Store::default();
    let columns: Vec<String> = ["id", "owner", "members", "kind"].map(str::to_owned).to_vec();
    let rows: Vec<Vec<Value>> = vec![
        vec!["l1".into(), "u1".into(), "[\"u2\"]".into(), 1.into()],
        vec!["l2".into(), "u2".into(), "[\"u1\",\"u2\"]".into(), 2.into()],
    ];
    store.add(&plan, "lists", &columns, &rows);
    buckets(&plan, &store, claims, parameters).into_iter().map(|(name, _)| name).collect()
}

const U1: &str = "{\"sub\":\"u1\",\"org\":7,\"ids\":[\"a\",\"b\"],\"parameters\":{\"org\":8}}";

#[test]
fn parameter_queries() {
    let with = |parameters: &str, names: &[&str]| {
        let conditions: Vec<String> = names.iter().map(|name| format!("{name} = bucket.{name}")).collect();
        definition(&format!("parameters: {parameters}\ndata:\n  - SELECT * FROM t WHERE {}", conditions.join(" AND ")))
    };
    let check = |parameters: &str, parts: &[&str], expected: &[&str]| {
        assert_eq!(names(&with(parameters, parts), U1, "{\"p\":5,\"r\":[1,2]}"), expected, "{parameters}");
    };
    check("SELECT request.user_id() AS user_id", &["user_id"], &["d[\"u1\"]"]);
    check(
        "SELECT token_parameters.user_id AS user_id, token_parameters.org AS org",
        &["user_id", "org"],
        &["d[\"u1\",8]"],
    );
    check("SELECT request.jwt() ->> 'org' AS org WHERE request.jwt() ->> 'org' = 7", &["org"], &["d[7]"]);
    check("SELECT request.jwt() ->> 'org' AS org WHERE request.jwt() ->> 'org' = 6", &["org"], &[]);
    check("SELECT request.jwt() ->> 'nope' AS org", &["org"], &["d[null]"]);
    check("SELECT user_parameters.p AS p", &["p"], &["d[5]"]);
    check("SELECT id AS list FROM lists WHERE owner = request.user_id()", &["list"], &["d[\"l1\"]"]);
    check(
        "SELECT id AS list, request.user_id() AS me FROM lists WHERE kind = 2",
        &["list", "me"],
        &["d[\"l2\",\"u1\"]"],
    );
    check("SELECT id AS list FROM lists WHERE request.user_id() IN members", &["list"], &["d[\"l2\"]"]);
    check(
        "SELECT id AS list FROM lists WHERE kind IN (request.parameters() ->> 'r')",
        &["list"],
        &["d[\"l1\"]", "d[\"l2\"]"],
    );
    check("SELECT value AS id FROM json_each(request.jwt() -> 'ids')", &["id"], &["d[\"a\"]", "d[\"b\"]"]);
    check(
        "[SELECT request.user_id() AS x, SELECT id AS x FROM lists WHERE owner = token_parameters.user_id]",
        &["x"],
        &["d[\"u1\"]", "d[\"l1\"]"],
    );
}

#[test]
fn existence_and_globals() {
    let yaml = definition(
        "parameters: SELECT FROM lists WHERE owner = request.user_id() AND kind = 1\ndata: [SELECT * FROM t]",
    );
    assert_eq!(names(&yaml, U1, "{}"), ["d[]"]);
    assert_eq!(names(&yaml, "{\"sub\":\"u2\"}", "{}"), [""; 0]);
    assert_eq!(names(&definition("data: [SELECT * FROM t]"), "{}", "{}"), ["d[]"]);
}

#[test]
fn priorities() {
    let data = "data:\n  - SELECT * FROM t WHERE a = bucket.a";
    let yaml = definition(&format!("priority: 2\nparameters: SELECT request.user_id() AS a\n{data}"));
    assert_eq!(plan(&yaml).streams[0].priority, 2);
    let yaml = definition(&format!("parameters: SELECT request.user_id() AS a, 1 AS _priority\n{data}"));
    assert_eq!(buckets(&plan(&yaml), &Store::default(), U1, "{}"), [("d[\"u1\"]".to_owned(), 1)]);
    let yaml = definition(&format!("priority: 2\nparameters: SELECT request.user_id() AS a, 1 AS _priority\n{data}"));
    assert_eq!(codes(&yaml), ["C052"]);
}

#[test]
fn data_queries() {
    let plan = plan(&definition(
        "parameters: SELECT request.user_id() AS a, request.jwt() ->> 'org' AS b\ndata:\n  - SELECT _id AS id, * FROM t WHERE b = bucket.b AND bucket.a IN members\n  - SELECT id, x FROM \"u_%\" AS u WHERE bucket.a = x AND y = bucket.b AND z",
    ));
    let mut store = Store::default();
    let columns: Vec<String> = ["id", "_id", "_x", "b", "members"].map(str::to_owned).to_vec();
    store.add(&plan, "t", &columns, &[vec!["i".into(), "j".into(), 1.into(), 7.into(), "[\"u1\",\"u2\"]".into()]]);
    // `*` does not overwrite, and leaves out names with `_`.
    let rows = &store.buckets[&(0, "[\"u1\",7]".to_owned())];
    assert_eq!(
        rows[0],
        ("t".to_owned(), "j".to_owned(), "{\"id\":\"j\",\"b\":7,\"members\":\"[\\\"u1\\\",\\\"u2\\\"]\"}".to_owned())
    );
    assert!(store.buckets.contains_key(&(0, "[\"u2\",7]".to_owned())));
    let columns: Vec<String> = ["id", "x", "y", "z"].map(str::to_owned).to_vec();
    store.add(
        &plan,
        "u_1",
        &columns,
        &[vec![1.into(), "u1".into(), 7.into(), 1.into()], vec![2.into(), "u1".into(), 7.into(), 0.into()]],
    );
    assert_eq!(store.buckets[&(0, "[\"u1\",7]".to_owned())].len(), 2);
    assert_eq!(store.problems, 0);
}

#[test]
fn mistakes() {
    let with = |parameters: &str, data: &str| definition(&format!("parameters: {parameters}\ndata:\n  - {data}"));
    let a = "SELECT request.user_id() AS a";
    let covered = "SELECT * FROM t WHERE a = bucket.a";
    for (yaml, code) in [
        (with(a, "SELECT * FROM t"), "C050"),
        (with(a, "SELECT * FROM t WHERE x = bucket.b"), "C050"),
        (with(a, "SELECT * FROM t WHERE x = bucket.a AND y = bucket.a"), "C050"),
        (with(a, "SELECT * FROM t WHERE x = bucket.a OR y = 1"), "C050"),
        (with(a, "SELECT * FROM t WHERE x = bucket.a AND bucket.a = 'x'"), "C050"),
        (with(a, "SELECT * FROM t WHERE x = bucket.a AND y = request.user_id()"), "C050"),
        (with(a, "SELECT x FROM t WHERE a = bucket.a"), "C053"),
        (with(a, "SELECT t.* FROM t, u WHERE t.a = bucket.a"), "C050"),
        (with(a, "SELECT * FROM t WHERE a = bucket.a AND b IN (SELECT c FROM u)"), "C022"),
        (with(a, "SELECT * FROM t WHERE a < bucket.a"), "C043"),
        (with("SELECT id AS a FROM lists l WHERE owner = request.user_id()", covered), "C051"),
        (with("SELECT id AS a FROM \"l_%\" WHERE owner = request.user_id()", covered), "C051"),
        (with("SELECT lists.id AS a FROM lists, u", covered), "C051"),
        (with("SELECT * FROM lists", covered), "C051"),
        (with("SELECT request.user_id() || 'x'", covered), "C051"),
        (with("[SELECT request.user_id() AS a, SELECT request.user_id() AS b]", covered), "C051"),
        (with("SELECT subscription.parameter('a') AS a", covered), "C030"),
    ] {
        assert!(codes(&yaml).contains(&code), "{yaml}{:?}", compiled(&yaml).diagnostics);
        assert!(compiled(&yaml).plan.is_none());
    }
    let message = &compiled(&with(a, "SELECT * FROM t")).diagnostics[0].message;
    assert_eq!(message, "Query must cover all bucket parameters. Expected: [\"a\"] Got: []");
    assert_eq!(codes(&with("SELECT user_parameters.p AS a", covered)), ["C111"]);
}
