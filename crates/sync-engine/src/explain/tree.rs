//! The answer as JSON.

use serde_json::{Map, Value as Json, json};
use sync_config::explain::{Condition, Link, Match, NamedValue, Verdict};
use sync_config::{Plan, QuerierTrace, Value};

use super::find::{Found, Known};
use super::operations::Stored;
use super::{BucketFinding, By, Findings, QueryFinding, StreamFinding, Way};

/// Everything that was found.
pub(super) fn tree(findings: &Findings, plan: &Plan) -> Json {
    let source = match (&findings.known, &findings.found) {
        (Known::Yes, Found::Row(row)) => json!({"found": true, "table": row.table(), "key": values(&row.key)}),
        (Known::Yes, Found::NotAmong(rows)) => json!({"found": null, "searched": rows}),
        (Known::Yes, Found::No) => json!({"found": false}),
        _ => json!({"found": null}),
    };
    let known = match findings.known {
        Known::Yes => "yes",
        Known::OnlySource(_) => "only to the source",
        Known::OnlyConfig(_) => "only to the configuration",
        Known::No(_) => "no",
    };
    let strays = findings.strays.iter().map(|stray| json!({"bucket": stray.name, "op_id": stray.op_id.to_string()}));
    json!({
        "type": findings.object_type,
        "id": findings.object_id,
        "visible": findings.is_visible,
        "table_known": known,
        "source": source,
        "streams": findings.streams.iter().map(stream).collect::<Vec<_>>(),
        "not_replicated": strays.collect::<Vec<_>>(),
        "checkpoint": {"op_id": findings.checkpoint.to_string(), "is_behind": findings.is_behind},
        "complete": findings.is_complete,
        "indexes": indexes(findings, plan),
    })
}

/// What the numbers of indexes mean.
fn indexes(findings: &Findings, plan: &Plan) -> Json {
    let mut shown = Map::new();
    for bucket in super::buckets(&findings.streams) {
        for link in &bucket.links {
            if let Link::Row(row) = link {
                shown.insert(row.index.to_string(), plan.describe_index(row.index).into());
            } else if let Link::NoRow { index, .. } = link {
                shown.insert(index.to_string(), plan.describe_index(*index).into());
            }
        }
    }
    shown.into()
}

fn stream(stream: &StreamFinding) -> Json {
    json!({"name": stream.name, "ways": stream.ways.iter().map(way).collect::<Vec<_>>()})
}

fn way(way: &Way) -> Json {
    let (by, subscription) = match way.by {
        By::Default => ("default", None),
        By::Subscription(number) => ("subscription", Some(number)),
        By::Nothing => ("not subscribed", None),
    };
    json!({
        "by": by, "subscription": subscription, "error": way.error,
        "queries": way.queries.iter().map(query).collect::<Vec<_>>(),
    })
}

fn query(query: &QueryFinding) -> Json {
    let row = query.row.as_ref().map(|row| {
        let keys: Vec<Json> = row.entries.iter().map(|entry| entry.key.iter().map(value_json).collect()).collect();
        json!({"conditions": conditions(&row.conditions), "keys": keys, "id": row.id})
    });
    json!({
        "table": query.client_table, "source_table": query.source_table, "buckets_begin_with": query.prefix,
        "key": query.key, "row": row, "lacks": query.lacks, "problem": query.problem,
        "request": request(&query.request),
        "buckets": query.buckets.iter().map(bucket).collect::<Vec<_>>(), "more_buckets": query.more_buckets,
    })
}

fn request(request: &QuerierTrace) -> Json {
    let steps = request.steps.iter().map(|step| {
        let asked = step.asked.iter().map(|asked| {
            let outputs: Vec<Json> = asked.outputs.iter().map(|row| row.iter().map(value_json).collect()).collect();
            json!({"by": asked.inputs.iter().map(value_json).collect::<Vec<_>>(), "rows": asked.rows, "gives": outputs})
        });
        json!({"lookups": step.asked_count, "asked": asked.collect::<Vec<_>>(), "rows": step.rows})
    });
    json!({
        "conditions": conditions(&request.conditions), "steps": steps.collect::<Vec<_>>(),
        "keys": request.keys, "key_count": request.key_count,
        "failure": request.failure.as_ref().map(|(_, message)| message),
    })
}

fn bucket(bucket: &BucketFinding) -> Json {
    let stored = match bucket.stored {
        Stored::Put { op_id, is_current } => json!({"op": "PUT", "op_id": op_id.to_string(), "is_current": is_current}),
        Stored::Removed(op_id) => json!({"op": "REMOVE", "op_id": op_id.to_string()}),
        Stored::Nothing => Json::Null,
    };
    json!({
        "name": bucket.name, "key": bucket.key.iter().map(value_json).collect::<Vec<_>>(), "has": bucket.is_had,
        "operation": stored, "links": bucket.links.iter().map(link).collect::<Vec<_>>(),
    })
}

fn link(link: &Link) -> Json {
    let mut shown = match link {
        Link::Value(value) => json!({"kind": "value", "match": matching(value)}),
        Link::Element { sql, inputs, wanted, .. } => {
            json!({"kind": "element", "list": sql, "of": values(inputs), "wanted": value_json(wanted)})
        }
        Link::Row(row) => json!({
            "kind": "row", "index": row.index, "row": values(&row.row), "gives": values(&row.gives),
            "by": row.parts.iter().map(matching).collect::<Vec<_>>(), "conditions": conditions(&row.conditions),
        }),
        Link::NoRow { index, wanted, asked, is_complete } => json!({
            "kind": "no row", "index": index, "wanted": values(wanted),
            "by": asked.iter().map(matching).collect::<Vec<_>>(), "complete": is_complete,
        }),
        Link::Condition(one) => json!({"kind": "condition", "condition": condition(one)}),
    };
    if let Json::Object(members) = &mut shown {
        members.insert("holds".into(), link.holds().into());
    }
    shown
}

fn matching(part: &Match) -> Json {
    let value = |value: &Option<NamedValue>| value.as_ref().map(|value| value_json(&value.value));
    json!({
        "part": part.part, "has": value(&part.has), "request": part.sql, "asked": value(&part.asked),
        "holds": part.holds(),
    })
}

fn conditions(conditions: &[Condition]) -> Vec<Json> {
    conditions.iter().map(condition).collect()
}

fn condition(condition: &Condition) -> Json {
    let (holds, error) = match &condition.verdict {
        Verdict::Holds => (Some(true), None),
        Verdict::Fails => (Some(false), None),
        Verdict::Unknown => (None, None),
        Verdict::Error(error) => (None, Some(error.0)),
    };
    json!({"sql": condition.sql, "values": values(&condition.values), "holds": holds, "error": error})
}

fn values(values: &[NamedValue]) -> Json {
    values.iter().map(|value| (value.name.clone(), value_json(&value.value))).collect::<Map<_, _>>().into()
}

/// A value as JSON; a blob is null.
pub(super) fn value_json(value: &Value) -> Json {
    match value {
        Value::Null | Value::Blob(_) => Json::Null,
        Value::Integer(integer) => (*integer).into(),
        Value::Real(real) => (*real).into(),
        Value::Text(text) => text.as_str().into(),
    }
}
