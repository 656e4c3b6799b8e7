//! What grows with the size of what is given must not grow with its square: twice as much costs about twice the steps of
//! SQLite's virtual machine. Searches in memory are no steps; they go through `collections::Index`, whose tests count
//! comparisons.

use rowtide_testkit::Host;
use rowtide_testkit::counters::Counters;
use rowtide_testkit::service::Service;
use rusqlite::Connection;
use serde_json::{Value, json};

/// More than twice the steps, as some are the logarithm of the size, and far from four times.
const TWICE: f64 = 2.4;

#[track_caller]
fn assert_linear(what: &str, sizes: [usize; 2], cost: impl Fn(usize) -> u64) {
    assert_eq!(sizes[1], 2 * sizes[0]);
    let [small, large] = sizes.map(cost);
    let ratio = large as f64 / small as f64;
    println!("{what}: {small} steps, {large} for twice as much");
    assert!(ratio < TWICE, "{what}: {small} steps, {large} for twice as much");
}

fn connect() -> (Host, Counters) {
    let mut connection = Connection::open_in_memory().unwrap();
    let counters = Counters::install(&mut connection).unwrap();
    let host = Host::load_into(connection);
    host.initialize();
    (host, counters)
}

fn name(number: usize) -> String {
    format!("type{number:05}")
}

/// A schema of JSON tables with `columns` columns.
fn schema(tables: usize, columns: usize) -> Value {
    let columns: Vec<Value> = (0..columns).map(|column| json!({"name": format!("c{column}")})).collect();
    let tables: Vec<Value> =
        (0..tables).map(|number| json!({"name": name(number), "columns": columns.clone()})).collect();
    json!({ "tables": tables })
}

/// Steps of the first publish of one row of each of `types` types.
fn publish(types: usize, schema: &Value) -> u64 {
    let (host, counters) = connect();
    host.replace_schema(schema);
    let mut service = Service::new();
    for number in 0..types {
        service.put("b", &name(number), "1", &json!({"c0": 1}));
    }
    host.control("start", ());
    let mut lines = service.lines(0);
    let complete = lines.pop().unwrap();
    for line in lines {
        host.line(&line);
    }
    let (instructions, counts) = counters.count(|| host.line(&complete));
    assert!(instructions.to_string().contains("DidCompleteSync"), "{instructions}");
    let tables = schema["tables"].as_array().unwrap().len();
    assert_eq!(host.value("SELECT count(*) FROM ps_untyped"), types - tables);
    (0..tables).for_each(|number| assert_eq!(host.value(&format!("SELECT c0 FROM {}", name(number))), "1"));
    counts.steps
}

#[test]
fn publishing_rows_of_many_types() {
    assert_linear("types with a table", [200, 400], |types| publish(types, &schema(types, 1)));
    assert_linear("types without a table", [1000, 2000], |types| publish(types, &schema(0, 0)));
}

/// Steps of publishing a row that is in so many buckets, and of publishing that half of them are gone, with a
/// `PRAGMA cache_size`.
fn publish_in_buckets(cache: i64, buckets: usize) -> [u64; 2] {
    let (host, counters) = connect();
    host.execute(&format!("PRAGMA cache_size = {cache}"));
    host.replace_schema(&schema(1, 1));
    let mut service = Service::new();
    for number in 0..buckets {
        service.put(&name(number), &name(0), "1", &json!({"c0": number}));
    }
    host.control("start", ());
    let mut lines = service.lines(0);
    let complete = lines.pop().unwrap();
    for line in lines {
        host.line(&line);
    }
    let published = counters.count(|| host.line(&complete)).1;
    assert_eq!(host.value(&format!("SELECT c0 FROM {}", name(0))), (buckets - 1).to_string());
    for number in buckets / 2..buckets {
        service.buckets.remove(&name(number));
    }
    host.line(&service.checkpoint());
    let removed = counters.count(|| host.line(&service.complete())).1;
    assert_eq!(host.value(&format!("SELECT c0 FROM {}", name(0))), (buckets / 2 - 1).to_string());
    [published.steps, removed.steps]
}

#[test]
fn publishing_a_row_of_many_buckets() {
    assert_linear("a row in many buckets", [150, 300], |buckets| publish_in_buckets(-2000, buckets)[0]);
    assert_linear("a row of many removed buckets", [150, 300], |buckets| publish_in_buckets(-2000, buckets)[1]);
    // So many are published in the order of operations if the cache is large enough.
    assert_linear("a row in a thousand buckets", [1000, 2000], |buckets| publish_in_buckets(-51200, buckets)[0]);
}

#[test]
fn replacing_many_views_reads_the_schema_once() {
    let (host, counters) = connect();
    host.replace_schema(&schema(100, 1));
    let ((), counts) = counters.count(|| host.replace_schema(&schema(100, 2)));
    // SQLite itself looks through its schema for each view that is dropped, which is nearly all of it.
    assert!(counts.steps < 1_800_000, "{counts:?}");
}

#[test]
fn a_subscription_ends_without_a_look_at_the_others() {
    let cost = |subscriptions: usize| {
        let (host, counters) = connect();
        for number in 0..subscriptions {
            host.control("subscriptions", json!({"subscribe": {"stream": {"name": name(number)}}}));
        }
        let end = |number: usize| host.control("subscriptions", json!({"unsubscribe": {"name": name(number)}}));
        end(0);
        counters.count(|| end(1)).1.steps
    };
    assert_eq!(cost(20), cost(200));
}
