//! Real recorded streams: both encodings give the same database, and the tables show what the service's operations say.

use std::collections::BTreeMap;

use rowtide_testkit::Host;
use rowtide_testkit::invariants::{assert_consistent, dump};
use rowtide_testkit::recordings::{Recording, recordings, try_feed};
use rowtide_testkit::scenario::LineEncoding;
use rowtide_testkit::service::put_checksum;
use serde_json::{Value, json};

/// Rows as nested objects, with a bare NaN that makes its line no JSON for other readers; there is no BSON form.
const NESTED_DATA: &str = "06-legacy-nested-data";
/// An HTTP error, no stream.
const REFUSED: &str = "64-too-many-buckets";
/// Continues from the middle of another recording.
const FROM_THE_MIDDLE: &str = "41-before-compact-from-middle";

fn schema() -> Value {
    let table = |name: &str, columns: &[(&str, &str)]| {
        let columns: Vec<Value> = columns.iter().map(|(name, kind)| json!({"name": name, "type": kind})).collect();
        json!({"name": name, "columns": columns})
    };
    json!({"tables": [
        table("announcements", &[("title", "text"), ("body", "text")]),
        table("list_members", &[("list_id", "text"), ("user_id", "text")]),
        table("lists", &[("name", "text"), ("owner_id", "text"), ("archived", "integer"), ("created_at", "text")]),
        table("regions", &[("name", "text")]),
        table("todos", &[("list_id", "text"), ("description", "text"), ("done", "integer"), ("position", "integer"),
            ("weight", "real"), ("big", "integer"), ("price", "text"), ("meta", "text"), ("tags", "text"), ("due", "text")]),
    ]})
}

/// A new database with the schema and a running iteration.
fn started() -> Host {
    let host = Host::open_in_memory();
    host.replace_schema(&schema());
    host.control("start", ());
    host
}

fn whole_streams() -> Vec<Recording> {
    let mut all = recordings();
    all.retain(|recording| ![NESTED_DATA, REFUSED, FROM_THE_MIDDLE].contains(&recording.name.as_str()));
    all
}

/// Feeds a whole recording; every line must be accepted and no checkpoint may be refused.
fn feed(host: &Host, recording: &Recording, encoding: LineEncoding) {
    let name = &recording.name;
    let lines = recording.lines(encoding).unwrap_or_else(|| panic!("{name} is not recorded as {encoding:?}"));
    for (index, line) in lines.iter().enumerate() {
        let instructions = try_feed(host, line).unwrap_or_else(|error| panic!("{name}, line {}: {error}", index + 1));
        for instruction in instructions.as_array().unwrap() {
            let is_warning = instruction["LogLine"]["severity"] == "WARNING";
            let names_stream = is_warning && name.contains("stream-error");
            assert!(!is_warning || names_stream, "{name}, line {}: {instruction}", index + 1);
        }
    }
}

/// Type, id and subkey (as JSON text) of a row to its operation id and data.
type BucketRows = BTreeMap<(String, String, String), (i64, String)>;

/// What the service says: rows of each type after the last complete line, computed from the operations alone.
#[derive(Default)]
struct ServiceState {
    buckets: BTreeMap<String, BucketRows>,
    published: BTreeMap<(String, String), String>,
}

impl ServiceState {
    fn after(lines: &[Value]) -> Self {
        let mut state = Self::default();
        lines.iter().for_each(|line| state.apply(line));
        state
    }

    fn apply(&mut self, line: &Value) {
        let (kind, body) = line.as_object().and_then(|object| object.iter().next()).unwrap();
        match kind.as_str() {
            "checkpoint" => {
                let listed: Vec<&str> = array(&body["buckets"]).map(|bucket| text(&bucket["bucket"])).collect();
                self.buckets.retain(|name, _| listed.contains(&name.as_str()));
            }
            "checkpoint_diff" => {
                for name in array(&body["removed_buckets"]) {
                    self.buckets.remove(text(name));
                }
            }
            "data" => {
                let rows = self.buckets.entry(text(&body["bucket"]).to_owned()).or_default();
                array(&body["data"]).for_each(|operation| apply_operation(rows, operation));
            }
            "checkpoint_complete" => self.publish(),
            _ => {}
        }
    }

    fn publish(&mut self) {
        let mut newest: BTreeMap<(String, String), (i64, String)> = BTreeMap::new();
        for ((row_type, row_id, _), (op_id, data)) in self.buckets.values().flatten() {
            let row = newest.entry((row_type.clone(), row_id.clone())).or_default();
            if *op_id > row.0 {
                *row = (*op_id, data.clone());
            }
        }
        self.published = newest.into_iter().map(|(row, (_, data))| (row, data)).collect();
    }
}

fn apply_operation(rows: &mut BucketRows, operation: &Value) {
    let member = |name: &str| operation[name].as_str().map(str::to_owned).unwrap_or_default();
    let key = (member("object_type"), member("object_id"), operation["subkey"].to_string());
    match text(&operation["op"]) {
        "PUT" => {
            let data = text(&operation["data"]);
            let checksum = put_checksum(&key.0, &key.1, data);
            assert_eq!(operation["checksum"], checksum, "the recording itself is intact");
            rows.insert(key, (text(&operation["op_id"]).parse().unwrap(), data.to_owned()));
        }
        "REMOVE" => {
            rows.remove(&key);
        }
        "CLEAR" => rows.clear(),
        "MOVE" => {}
        other => panic!("operation {other}"),
    }
}

fn array(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().unwrap().iter()
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("not text: {value}"))
}

/// The rows that the database shows, of all types.
fn shown(host: &Host) -> BTreeMap<(String, String), String> {
    let mut rows = host.rows("SELECT type, id, data FROM ps_untyped");
    for table in ["announcements", "list_members", "lists", "regions", "todos"] {
        rows.extend(host.rows(&format!("SELECT '{table}', id, data FROM ps_data__{table}")));
    }
    rows.iter().map(|row| ((text(&row[0]).to_owned(), text(&row[1]).to_owned()), text(&row[2]).to_owned())).collect()
}

/// Strict JSON of what the service sent: a bare NaN, which one recorded row holds, is stored as null.
fn strict(rows: BTreeMap<(String, String), String>) -> BTreeMap<(String, String), String> {
    rows.into_iter().map(|(row, data)| (row, data.replace(":NaN", ":null"))).collect()
}

#[test]
#[cfg_attr(not(recorded_data), ignore = "needs POWERSYNC_INTEROP_DATA")]
fn the_tables_show_what_the_service_says() {
    for recording in whole_streams() {
        let host = started();
        feed(&host, &recording, LineEncoding::Text);
        let service = ServiceState::after(&recording.values(LineEncoding::Text).unwrap());
        assert_eq!(shown(&host), strict(service.published), "{}", recording.name);
        assert_consistent(&host);
    }
}

#[test]
#[cfg_attr(not(recorded_data), ignore = "needs POWERSYNC_INTEROP_DATA")]
fn both_encodings_give_the_same_database() {
    for recording in whole_streams() {
        let (json, bson) = (started(), started());
        feed(&json, &recording, LineEncoding::Text);
        feed(&bson, &recording, LineEncoding::Binary);
        assert_eq!(dump(&json), dump(&bson), "{}", recording.name);
    }
}

/// The state that a client had when it sent this recording's request: the start of `whole`, up to the operations that
/// the request names.
fn feed_start(host: &Host, whole: &Recording, request: &Value) {
    let after = |name: &str| {
        array(&request["buckets"]).find(|bucket| bucket["name"] == name).map(|bucket| number(&bucket["after"]))
    };
    for mut line in whole.values(LineEncoding::Text).unwrap() {
        if let Some(data) = line.get_mut("data") {
            let limit = after(text(&data["bucket"])).unwrap_or_default();
            let operations = data["data"].as_array_mut().unwrap();
            operations.retain(|operation| number(&operation["op_id"]) <= limit);
            host.line(&line);
        } else if line.get("checkpoint").is_some() {
            host.line(&line);
        }
    }
}

fn number(value: &Value) -> i64 {
    text(value).parse().unwrap()
}

#[test]
#[cfg_attr(not(recorded_data), ignore = "needs POWERSYNC_INTEROP_DATA")]
fn a_download_continues_from_the_middle() {
    let (whole, rest) = (Recording::named("40-before-compact"), Recording::named(FROM_THE_MIDDLE));
    for encoding in [LineEncoding::Text, LineEncoding::Binary] {
        let host = started();
        feed_start(&host, &whole, &rest.request);
        let instructions = host.control("start", ());
        let request =
            array(&instructions).find_map(|instruction| instruction["EstablishSyncStream"].get("request")).unwrap();
        assert_eq!(sorted_by_name(&request["buckets"]), sorted_by_name(&rest.request["buckets"]));
        feed(&host, &rest, encoding);
        let service = ServiceState::after(&whole.values(LineEncoding::Text).unwrap());
        assert_eq!(shown(&host), strict(service.published));
        assert_consistent(&host);
    }
}

fn sorted_by_name(buckets: &Value) -> Vec<&Value> {
    let mut buckets: Vec<&Value> = array(buckets).collect();
    buckets.sort_by_key(|bucket| text(&bucket["name"]).to_owned());
    buckets
}

/// Clients that do not ask for `raw_data` get rows as objects instead of text. Ours asks, but takes them all the same:
/// the rows are those that another recording of the same data has as text.
#[test]
#[cfg_attr(not(recorded_data), ignore = "needs POWERSYNC_INTEROP_DATA")]
fn rows_that_are_objects_are_taken() {
    let host = started();
    feed(&host, &Recording::named(NESTED_DATA), LineEncoding::Text);
    let as_text = Recording::named("03-initial-subscriptions").values(LineEncoding::Text).unwrap();
    let expected = strict(ServiceState::after(&as_text).published);
    let shown = shown(&host);
    assert_eq!(shown.len(), 10);
    for (row, data) in shown {
        assert_eq!(data, expected[&row], "{row:?}");
    }
    assert_consistent(&host);
}

/// Subscribes and starts as the client did that the recording answers; gives the request that results.
fn request_like(host: &Host, recorded: &Value) -> Value {
    for subscription in array(&recorded["streams"]["subscriptions"]) {
        let stream = json!({"name": subscription["stream"], "params": subscription["parameters"]});
        let priority = &subscription["override_priority"];
        host.control("subscriptions", json!({"subscribe": {"stream": stream, "priority": priority}}));
    }
    let mut options = json!({"include_defaults": recorded["streams"]["include_defaults"]});
    for member in ["parameters", "app_metadata"] {
        if let Some(value) = recorded.get(member) {
            options[member] = value.clone();
        }
    }
    let instructions = host.control("start", options);
    let request = array(&instructions).find_map(|instruction| instruction["EstablishSyncStream"].get("request"));
    request.unwrap().clone()
}

#[test]
#[cfg_attr(not(recorded_data), ignore = "needs POWERSYNC_INTEROP_DATA")]
fn our_requests_are_those_that_were_answered() {
    let mut with_subscriptions = 0;
    for recording in whole_streams() {
        let recorded = &recording.request;
        if recorded.get("streams").is_none() {
            continue;
        }
        let host = started();
        let request = request_like(&host, recorded);
        for member in ["buckets", "include_checksum", "raw_data", "parameters", "streams", "app_metadata"] {
            assert_eq!(request[member], recorded[member], "{}, {member}", recording.name);
        }
        feed(&host, &recording, LineEncoding::Binary);
        let subscribed = array(&recorded["streams"]["subscriptions"]).count();
        let explicit = host.value("SELECT count(*) FROM ps_stream_subscriptions WHERE ttl IS NOT NULL");
        assert_eq!(explicit, subscribed, "{}", recording.name);
        with_subscriptions += subscribed;
    }
    assert!(with_subscriptions > 10, "{with_subscriptions}");
}
