//! What the two halves mean together.

use serde_json::Value;

use super::client::Client;
use crate::member::at;

/// What is to be said at the end.
pub(super) struct Conclusion {
    pub(super) text: String,
    /// Whether the row is there, and nothing holds it back.
    pub(super) is_fine: bool,
}

/// A bucket in which the service gives the row.
struct Given {
    bucket: String,
    op_id: i64,
}

impl Conclusion {
    fn fine(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_fine: true }
    }

    fn problem(text: impl Into<String>) -> Self {
        Self { text: text.into(), is_fine: false }
    }
}

/// What the client and the service say together; the client alone if the service was not asked.
pub(super) fn conclude(client: &Client, service: Option<&Value>) -> Conclusion {
    match service {
        None => alone(client),
        Some(answer) if *at(answer, "visible") == true => given(client, &newest_given(answer)),
        Some(answer) => not_given(client, answer),
    }
}

fn alone(client: &Client) -> Conclusion {
    match client.state() {
        "as downloaded" if client.is_there() => Conclusion::fine("The row is there, as it was downloaded."),
        "changed locally" if client.is_there() => Conclusion::fine("The row is there, with changes of this app."),
        "as downloaded" => Conclusion::problem(
            "The row is not there: the newest downloaded version removes it. Ask the service for the reason, with --url \
             and --user.",
        ),
        "changed locally" => Conclusion::problem("The row is not there: this app has deleted it."),
        "absent" => Conclusion::problem(
            "The row is not there, and was not downloaded. Ask the service for the reason, with --url and --user.",
        ),
        _ => held_back(client),
    }
}

/// A version that was downloaded and does not show.
fn held_back(client: &Client) -> Conclusion {
    Conclusion::problem(match client.state() {
        "newer version waits for the gate" => {
            let remedy = at(client.gate(), "remedy").as_str().unwrap_or("Upload the queued local writes.");
            format!("The client has downloaded a newer version, which the gate holds back. {remedy}")
        }
        "newer version waits for its checkpoint" => {
            "The client has downloaded a newer version, and shows it when its checkpoint is complete: let it sync on."
                .to_owned()
        }
        "type not in the schema" => {
            "The client's schema has no such table: add it to the schema of the app. `rowtide config schema` prints it."
                .to_owned()
        }
        _ => "Something other than the sync has changed the table. `rowtide inspect --verify` says more.".to_owned(),
    })
}

/// The newest operation with the row in the user's buckets.
fn newest_given(answer: &Value) -> Option<Given> {
    let mut given: Vec<Given> = Vec::new();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut put = |bucket: &Value, op_id: &Value| {
        if let (Some(bucket), Some(op_id)) = (bucket.as_str(), op_id.as_str().and_then(|text| text.parse().ok())) {
            given.push(Given { bucket: bucket.to_owned(), op_id });
        }
    };
    for stream in list(at(answer, "streams")) {
        for query in list(at(&stream, "ways")).iter().flat_map(|way| list(at(way, "queries"))) {
            for bucket in list(at(&query, "buckets")).iter().filter(|bucket| *at(bucket, "has") == true) {
                if *at(bucket, "operation.op") == "PUT" {
                    put(at(bucket, "name"), at(bucket, "operation.op_id"));
                }
            }
        }
    }
    for stray in list(at(answer, "not_replicated")) {
        put(at(&stray, "bucket"), at(&stray, "op_id"));
    }
    given.into_iter().max_by_key(|given| given.op_id)
}

/// The service gives the row.
fn given(client: &Client, given: &Option<Given>) -> Conclusion {
    let Some(Given { bucket, op_id }) = given else { return alone(client) };
    let has_it = client.versions().iter().any(|version| version.bucket == bucket && version.op_id >= *op_id);
    let place = format!("The service has the row in the bucket {bucket} (operation {op_id})");
    if !has_it {
        return Conclusion::problem(match client.bucket_op(bucket) {
            None => format!(
                "{place}. The client does not have this bucket: it has not synced since it could, its user or its \
                 subscriptions are others, or it syncs with another service."
            ),
            Some(last) if last < *op_id => format!(
                "{place}. The client has this bucket up to operation {last}, so it has not downloaded the row's newest \
                 version yet: connect it."
            ),
            Some(last) => format!(
                "{place}. The client has this bucket up to operation {last} without the row. `rowtide inspect --verify` \
                 says whether its data are damaged."
            ),
        });
    }
    match client.state() {
        "as downloaded" if client.is_there() => {
            Conclusion::fine(format!("{place}, and the client shows this version. All is well."))
        }
        "changed locally" if client.is_there() => Conclusion::fine(format!(
            "{place}. The client has this version too, and shows the changes of this app over it, until they are uploaded \
             and come back."
        )),
        "changed locally" => Conclusion::problem(format!("{place}, and this app has deleted it locally.")),
        _ => held_back(client),
    }
}

/// The service does not give the row.
fn not_given(client: &Client, answer: &Value) -> Conclusion {
    let reasons = at(answer, "reasons").as_array().into_iter().flatten().filter_map(Value::as_str);
    // The first one is about the source. The next ones are about streams, those that the client has first.
    let reasons: Vec<&str> = reasons.collect();
    let is_beside = |reason: &&&str| !reason.contains("does not subscribe");
    let why =
        reasons.iter().skip(1).find(is_beside).or(reasons.get(1)).or(reasons.first()).copied().unwrap_or_default();
    let is_local = matches!(client.state(), "changed locally");
    if is_local && client.versions().is_empty() {
        return Conclusion::problem(format!(
            "The row is only in this file: this app has written it, and the service does not give it to the user. {}",
            if client.list("local").is_empty() {
                "It was uploaded, and goes when a checkpoint comes without it."
            } else {
                "It is in the upload queue."
            }
        ));
    }
    if client.is_there() {
        return Conclusion::problem(
            "The client has the row, and the service does not give it to this user: the client removes it when it syncs, \
             or it belongs to another user.",
        );
    }
    if client.state() == "absent" || client.state() == "as downloaded" {
        return Conclusion::problem(format!(
            "The client does not have the row because the service does not give it to the user. {why}"
        ));
    }
    held_back(client)
}
