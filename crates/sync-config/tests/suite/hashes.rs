//! Content hashes: what they do not depend on, and what they do.

use std::collections::BTreeSet;

use super::support::plan;
use sync_config::{CompileOptions, Hash, compile};

/// Hashes of all evaluators, indexes and definitions.
fn hashes(yaml: &str) -> (BTreeSet<Hash>, BTreeSet<Hash>, BTreeSet<Hash>) {
    let plan = plan(yaml);
    (
        plan.evaluators.iter().map(|evaluator| evaluator.hash).collect(),
        plan.indexes.iter().map(|index| index.hash).collect(),
        plan.definitions.iter().map(|definition| definition.hash).collect(),
    )
}

fn one(query: &str) -> String {
    config("s", "", &[query])
}

fn config(name: &str, with: &str, queries: &[&str]) -> String {
    let mut yaml = format!("config: {{edition: 3}}\n{with}streams:\n  {name}:\n    queries:\n");
    for query in queries {
        yaml.push_str(&format!("      - {query}\n"));
    }
    yaml
}

#[test]
fn equal_meaning_has_equal_hashes() {
    let base = "SELECT * FROM todos WHERE archived = 0 AND list_id IN (SELECT id FROM lists WHERE owner = auth.user_id() AND kind IN ('a', 'b') AND x > 1)";
    let expected = hashes(&one(base));
    let with = "with:\n  mine: SELECT l.id AS lid FROM lists l WHERE l.kind IN ('b', 'a') AND l.owner = auth.user_id() AND 1 < l.x\n";
    for other in [
        config("renamed", "", &[base]),
        one("SELECT * FROM todos WHERE list_id IN (SELECT q.id FROM lists q WHERE 1 < q.x AND q.kind IN ('b','a') AND auth.user_id() = q.owner) AND 0 = todos.archived"),
        one("SELECT todos.* FROM lists z, todos WHERE z.id = todos.list_id AND z.owner = auth.user_id() AND z.kind IN ('a', 'b') AND z.x > 1 AND archived_is_not = 1")
            .replace(" AND archived_is_not = 1", " AND todos.archived = 0"),
        one("SELECT todos.* FROM todos JOIN lists AS b ON todos.list_id = b.id WHERE b.owner = auth.user_id() AND (b.kind IN ('a', 'b')) AND (b.x > 1 AND todos.archived = 0)"),
        config("s", with, &["SELECT * FROM todos WHERE list_id IN mine AND archived = 0"]),
        config("s", with, &["SELECT todos.* FROM mine m JOIN todos ON todos.list_id = m.lid WHERE todos.archived = 0"]),
        one("SELECT todos.* FROM todos JOIN (SELECT id AS i FROM lists WHERE owner = auth.user_id() AND kind IN ('a', 'b') AND x > 1) AS d ON d.i = todos.list_id WHERE todos.archived = 0"),
        one(&base.replace("SELECT * FROM todos", "SELECT  *  FROM public.todos /* note */")),
        format!("{}    auto_subscribe: true\n    priority: 1\n", one(base)),
    ] {
        assert_eq!(hashes(&other), expected, "{other}");
    }
}

#[test]
fn order_of_terms_and_queries() {
    let first = "SELECT * FROM a WHERE x = auth.user_id() OR y = auth.user_id() OR (z = 1 AND w = 2)";
    let second = "SELECT * FROM a WHERE (w = 2 AND z = 1) OR y = auth.user_id() OR x = auth.user_id()";
    assert_eq!(hashes(&one(first)), hashes(&one(second)));
    let queries = ["SELECT * FROM a WHERE x = auth.user_id()", "SELECT * FROM b WHERE y = auth.parameter('p')"];
    assert_eq!(hashes(&config("s", "", &queries)), hashes(&config("s", "", &[queries[1], queries[0]])));
    // One atom with OR, too.
    assert_eq!(
        hashes(&one("SELECT * FROM a WHERE x = 1 OR y IS NULL OR z")),
        hashes(&one("SELECT * FROM a WHERE z OR (y IS NULL OR 1 = x)"))
    );
    // Interchangeable sources: a self-join either way.
    assert_eq!(
        hashes(&one(
            "SELECT a.* FROM a, m p, m q WHERE a.x = p.x AND a.y = q.y AND p.u = auth.user_id() AND q.v = auth.user_id()"
        )),
        hashes(&one(
            "SELECT a.* FROM m q, m p, a WHERE q.u = auth.user_id() AND p.v = auth.user_id() AND a.y = p.y AND q.x = a.x"
        ))
    );
    // Functions attached to a row.
    assert_eq!(
        hashes(&one(
            "SELECT a.* FROM a, json_each(a.m) p, json_each(a.n) q WHERE p.value = auth.user_id() AND q.value = auth.parameter('q')"
        )),
        hashes(&one(
            "SELECT a.* FROM a, json_each(a.n) x, json_each(a.m) y WHERE x.value = auth.parameter('q') AND y.value = auth.user_id()"
        ))
    );
}

#[test]
fn request_side_is_not_part_of_evaluators() {
    let (evaluators, ..) = hashes(&one("SELECT * FROM a WHERE x = auth.user_id()"));
    for other in [
        "SELECT * FROM a WHERE x = subscription.parameter('x') AND auth.parameter('admin')",
        "SELECT * FROM a WHERE x IN (SELECT y FROM b WHERE z = auth.user_id())",
        "SELECT * FROM a WHERE x IN auth.parameter('xs')",
    ] {
        assert_eq!(hashes(&one(other)).0, evaluators, "{other}");
    }
}

#[test]
fn other_meaning_has_other_hashes() {
    let base = "SELECT id, x FROM a WHERE x = auth.user_id() AND y = 1";
    let mut seen = BTreeSet::new();
    for query in [
        base,
        "SELECT id, x FROM a WHERE x = auth.user_id() AND y = '1'",
        "SELECT id, x FROM a WHERE x = auth.user_id() AND y = 1.0",
        "SELECT id, x FROM a WHERE x = auth.user_id()",
        "SELECT id, x FROM a WHERE z = auth.user_id() AND y = 1",
        "SELECT id, x AS z FROM a WHERE x = auth.user_id() AND y = 1",
        "SELECT x, id FROM a WHERE x = auth.user_id() AND y = 1",
        "SELECT id, x FROM b WHERE x = auth.user_id() AND y = 1",
        "SELECT id, x FROM a AS b WHERE x = auth.user_id() AND y = 1",
        "SELECT id, x FROM s2.a WHERE x = auth.user_id() AND y = 1",
        "SELECT id, x FROM \"a%\" AS a WHERE x = auth.user_id() AND y = 1",
        "SELECT id, \"X\" AS x FROM a WHERE x = auth.user_id() AND y = 1",
        "SELECT * FROM a WHERE x = auth.user_id() AND y = 1",
        "SELECT id, x FROM a WHERE x = auth.user_id() AND y < 1",
        "SELECT id, x FROM a WHERE x = auth.user_id() AND 1 > y + 0",
        "SELECT id, x FROM a WHERE x = auth.user_id() AND y - 1 = 2",
        "SELECT id, x FROM a WHERE x = auth.user_id() AND 1 - y = 2",
        "SELECT a.id, a.x FROM a, json_each(a.m) j WHERE j.value = auth.user_id() AND a.y = 1",
        "SELECT a.id, a.x FROM a, json_each(a.m) j WHERE j.key = auth.user_id() AND a.y = 1",
    ] {
        let (evaluators, ..) = hashes(&one(query));
        assert_eq!(evaluators.len(), 1);
        assert!(seen.insert(evaluators.first().copied().unwrap()), "{query}");
    }
    for settings in [
        "timestamps_iso8601: false",
        "timestamp_max_precision: seconds",
        "custom_postgres_types: false",
        "fixed_json_extract: false",
    ] {
        let yaml = one(base).replace("{edition: 3}", &format!("{{edition: 3, {settings}}}"));
        assert!(seen.insert(hashes(&yaml).0.first().copied().unwrap()), "{settings}");
    }
    let unversioned = one(base).replace("{edition: 3}", "{edition: 3, versioned_bucket_ids: false}");
    assert_eq!(hashes(&unversioned), hashes(&one(base)));
    let elsewhere = CompileOptions { default_schema: "other".into(), ..CompileOptions::default() };
    let plan = compile(&one(base), &elsewhere).plan.unwrap();
    assert!(seen.insert(plan.evaluators[0].hash));
}

#[test]
fn stored_hashes_stay_the_same() {
    // A change here makes every deployed service build everything again: raise SEMANTIC_VERSION on purpose only.
    let plan =
        plan(&one("SELECT * FROM todos WHERE list_id IN (SELECT id FROM lists WHERE owner_id = auth.user_id())"));
    assert_eq!(plan.evaluators[0].hash.to_string(), EVALUATOR);
    assert_eq!(plan.indexes[0].hash.to_string(), INDEX);
}

const EVALUATOR: &str = "54e1b49283d2cc6198e10101f8e8282f80a58d0d296e4c843d6a8c88117d927b";
const INDEX: &str = "3ab5fbdd4571791a2326d3a512a957ccc3c8e1da491f8418c9b1d6bb23eeae19";
