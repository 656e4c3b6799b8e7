//! Configurations that a published service ran, and what it answered: the same buckets, priorities and rows.

use std::collections::BTreeSet;
#[cfg(recorded_data)]
use std::collections::{BTreeMap, BTreeMap as Map};

use super::support::{compiled, plan};

const CONFIGS: [&str; 4] = [
    include_str!("configs/config-1.yaml"),
    include_str!("configs/config-2.yaml"),
    include_str!("configs/config-3.yaml"),
    include_str!("configs/config-4.yaml"),
];

#[test]
fn configurations_compile() {
    for (number, yaml) in CONFIGS.iter().enumerate() {
        let result = compiled(yaml);
        let codes: BTreeSet<&str> = result.diagnostics.iter().map(|d| d.code.id()).collect();
        let expected: &[&str] = match number {
            0 => &["C111"],
            2 => &["C103", "C111"],
            _ => &[],
        };
        assert_eq!(codes, expected.iter().copied().collect(), "{yaml}");
        assert!(result.plan.is_some());
    }
}

/// A change of one stream keeps the hashes of the others.
#[test]
fn an_edited_configuration_keeps_what_it_can() {
    let hashes = |yaml: &str| plan(yaml).definitions.iter().map(|d| d.hash).collect::<BTreeSet<_>>();
    let (before, after) = (hashes(CONFIGS[0]), hashes(CONFIGS[1]));
    // `my_lists` is another one; `everything_in_list` adds one and shares one.
    assert_eq!(before.difference(&after).count(), 2);
    assert_eq!(after.difference(&before).count(), 2);
}

#[cfg(recorded_data)]
mod recordings {
    use super::*;
    use crate::support::Store;
    use serde_json::Value as Json;
    use sync_config::{
        Layout, Limits, MissingColumn, Plan, Reason, Request, Subscription, TableName, Value, evaluate_request,
    };

    fn directory() -> std::path::PathBuf {
        std::path::PathBuf::from(std::env::var_os("POWERSYNC_INTEROP_DATA").unwrap()).join("streams")
    }

    fn read(path: &str) -> String {
        let path = directory().join(path);
        std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    /// The tables that lookups read.
    fn source(plan: &Plan) -> Store {
        let mut store = Store::default();
        let id = |digit: &str| {
            format!("{0}-{1}-4{2}-8{2}-{3}", digit.repeat(8), digit.repeat(4), digit.repeat(3), digit.repeat(12))
        };
        let lists: Vec<Vec<Value>> = [("1", "u1"), ("2", "u1"), ("3", "u2"), ("4", "u1")]
            .map(|(list, owner)| vec![Value::Text(id(list)), owner.into()])
            .to_vec();
        store.add(plan, "lists", &["id".into(), "owner_id".into()], &lists);
        let members = vec![vec!["m1".into(), Value::Text(id("3")), "u1".into()]];
        store.add(plan, "list_members", &["id".into(), "list_id".into(), "user_id".into()], &members);
        store
    }

    /// Name to priority and ways.
    type Buckets = BTreeMap<String, (u64, BTreeSet<String>)>;

    fn recorded(line: &str) -> (Buckets, Vec<String>) {
        let line: Json = serde_json::from_str(line).unwrap();
        let checkpoint = &line["checkpoint"];
        let buckets = checkpoint["buckets"].as_array().unwrap().iter().map(|bucket| {
            let ways = bucket["subscriptions"].as_array().unwrap().iter().map(Json::to_string).collect();
            (bucket["bucket"].as_str().unwrap().to_owned(), (bucket["priority"].as_u64().unwrap(), ways))
        });
        let streams = checkpoint["streams"].as_array().unwrap();
        (buckets.collect(), streams.iter().map(|stream| stream["name"].as_str().unwrap().to_owned()).collect())
    }

    fn ours(plan: &Plan, folder: &str, version: &str, sub: &str) -> (Buckets, Vec<String>) {
        let request: Json = serde_json::from_str(&read(&format!("{folder}/request.json"))).unwrap();
        let none = Vec::new();
        let given: Vec<(String, Option<String>, Option<u8>)> = request["streams"]["subscriptions"]
            .as_array()
            .unwrap_or(&none)
            .iter()
            .map(|s| {
                let parameters = Some(&s["parameters"]).filter(|p| !p.is_null()).map(Json::to_string);
                (s["stream"].as_str().unwrap().to_owned(), parameters, s["override_priority"].as_u64().map(|p| p as u8))
            })
            .collect();
        let subscriptions: Vec<Subscription<'_>> = given
            .iter()
            .map(|(stream, parameters, priority)| Subscription {
                stream,
                parameters: parameters.as_deref(),
                priority: *priority,
            })
            .collect();
        let parameters = request["parameters"].to_string();
        let claims = format!("{{\"sub\":\"{sub}\"}}");
        let request = Request {
            claims: &claims,
            parameters: &parameters,
            include_defaults: request["streams"]["include_defaults"].as_bool().unwrap_or(true),
            subscriptions: &subscriptions,
        };
        let result = evaluate_request(plan, &request, &source(plan), &Limits::default());
        let way = |reason: &Reason| match reason {
            Reason::Default(number) => format!("{{\"default\":{number}}}"),
            Reason::Subscription(number) => format!("{{\"sub\":{number}}}"),
        };
        let buckets = result.buckets.iter().map(|bucket| {
            let ways = bucket.reasons.iter().map(way).collect();
            (plan.bucket_name(&bucket.bucket, version), (u64::from(bucket.priority), ways))
        });
        let streams = result.streams.iter().map(|number| plan.streams[*number].name.clone()).collect();
        (buckets.collect(), streams)
    }

    #[test]
    fn checkpoints() {
        for (folder, config, version, sub) in [
            ("01-initial-defaults", 0, "1#", "u1"),
            ("02-initial-no-streams-member", 0, "1#", "u1"),
            ("03-initial-subscriptions", 0, "1#", "u1"),
            ("04-initial-no-defaults", 0, "1#", "u1"),
            ("61-default-stream-error", 2, "3#", "u1"),
            ("62-default-stream-parameters", 2, "3#", "u1"),
            ("63-sync-rules", 3, "4#", "u1"),
            ("65-sync-rules-include-defaults-false", 3, "4#", "u1"),
        ] {
            let mut plan = plan(CONFIGS[config]);
            if config == 2 {
                // The recording does not have the priorities of this file.
                plan.streams.iter_mut().for_each(|stream| stream.priority = 3);
            }
            let lines = read(&format!("{folder}/stream.ndjson"));
            let expected = recorded(lines.lines().next().unwrap());
            let (buckets, streams) = ours(&plan, folder, version, sub);
            // Streams of edition 2 did not share definitions; names of buckets mean nothing.
            let shared = |name: String| if config == 2 { name.replace("by_ids|", "by_ids_default|") } else { name };
            let buckets = buckets.into_iter().map(|(name, ways)| (shared(name), ways)).collect();
            assert_eq!((buckets, streams), expected, "{folder}");
        }
    }

    fn value(json: &Json) -> Value {
        match json {
            Json::Null => Value::Null,
            Json::Number(number) => match number.as_i64() {
                Some(integer) => Value::Integer(integer),
                None => Value::Real(number.as_f64().unwrap()),
            },
            Json::String(text) => Value::text(text.as_str()),
            other => panic!("{other}"),
        }
    }

    /// All columns of a recorded row are those of `SELECT *`, so evaluating it again gives the same row.
    #[test]
    fn rows() {
        let plan = plan(CONFIGS[0]);
        let mut compared = 0;
        for folder in ["01-initial-defaults", "03-initial-subscriptions", "20-incremental"] {
            for line in read(&format!("{folder}/stream.ndjson")).lines() {
                let line: Json = serde_json::from_str(line).unwrap();
                let bucket = line["data"]["bucket"].as_str().unwrap_or_default();
                for op in line["data"]["data"].as_array().into_iter().flatten().filter(|op| op["op"] == "PUT") {
                    // One row holds a bare NaN.
                    let Ok(data) = serde_json::from_str::<Map<String, Json>>(op["data"].as_str().unwrap()) else {
                        continue;
                    };
                    let columns: Vec<String> = data.keys().cloned().collect();
                    let row: Vec<Value> = data.values().map(value).collect();
                    let table = op["object_type"].as_str().unwrap();
                    let name = TableName { connection: None, schema: "public", table };
                    let bound = plan.bind(&name, &Layout { columns: &columns, missing: MissingColumn::Mistake });
                    let entries = bound.evaluate(&row).buckets;
                    let entry = entries
                        .iter()
                        .find(|entry| format!("1#{}{}", plan.definitions[entry.definition].name, entry.key) == bucket)
                        .unwrap_or_else(|| panic!("{bucket}: {data:?}"));
                    assert_eq!((&*entry.table, &*entry.id), (table, op["object_id"].as_str().unwrap()));
                    assert_eq!(serde_json::from_str::<Map<String, Json>>(&entry.data).unwrap(), data);
                    compared += 1;
                }
            }
        }
        assert!(compared > 40, "{compared}");
    }
}
