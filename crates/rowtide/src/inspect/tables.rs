//! The tables of the page: buckets, subscriptions, and the tables of the app.

use serde_json::Value;

use super::report::{Report, count, is, text, time};
use crate::output::{self, Grid, ago, counted};

/// How many rows are listed, if not all.
const LISTED: usize = 10;

/// Each with its heading.
pub(super) fn all(report: &Report, lists_all: bool) -> Vec<(String, String)> {
    vec![buckets(report, lists_all), subscriptions(report, lists_all), tables(report, lists_all)]
}

fn buckets(report: &Report, lists_all: bool) -> (String, String) {
    let mut buckets: Vec<&Value> = report.list("/buckets").iter().collect();
    buckets.sort_by_key(|bucket| std::cmp::Reverse((count(bucket, "operations"), count(bucket, "bytes"))));
    let sum = |name: &str| buckets.iter().map(|bucket| count(bucket, name)).sum::<u64>();
    let heading = match buckets.len() {
        0 => "No buckets".to_owned(),
        number => format!("{} with {}", counted(number as u64, "bucket"), counted(sum("operations"), "operation")),
    };
    let waiting = sum("pending_operations") > 0;
    let mut header = vec!["bucket", "operations", "received", "last op"];
    if waiting {
        header.insert(2, "not shown");
    }
    let body = list(&header, &buckets, lists_all, |bucket| {
        let mut cells = vec![
            text(bucket, "name").to_owned(),
            output::count(count(bucket, "operations")),
            output::bytes(count(bucket, "bytes")),
            text(bucket, "last_op").to_owned(),
        ];
        if waiting {
            cells.insert(2, output::count(count(bucket, "pending_operations")));
        }
        cells
    });
    (heading, body)
}

fn subscriptions(report: &Report, lists_all: bool) -> (String, String) {
    let streams: Vec<&Value> = report.list("/subscriptions").iter().collect();
    let heading = match streams.len() {
        0 => "No subscriptions to streams".to_owned(),
        number => counted(number as u64, "subscription"),
    };
    let header = ["stream", "subscribed by", "at the service", "last synced", "expires"];
    let body = list(&header, &streams, lists_all, |stream| {
        let name = text(stream, "name");
        let name = if is(stream, "has_parameters") { format!("{name} (with parameters)") } else { name.to_owned() };
        let by = match (is(stream, "is_default"), is(stream, "has_explicit_subscription")) {
            (true, true) => "default and app",
            (true, false) => "default",
            (false, true) => "app",
            (false, false) => "nobody",
        };
        let active = if is(stream, "active") { "active" } else { "not active" };
        let last = time(stream, "last_synced_at").map_or_else(|| "never".to_owned(), ago);
        let expires = time(stream, "expires_at").map_or_else(|| "never".to_owned(), ago);
        vec![name, by.to_owned(), active.to_owned(), last, expires]
    });
    (heading, body)
}

fn tables(report: &Report, lists_all: bool) -> (String, String) {
    let mut tables: Vec<&Value> = report.list("/tables").iter().collect();
    tables.sort_by_key(|table| std::cmp::Reverse(count(table, "rows")));
    let heading = match tables.len() {
        0 => "No tables: no app has applied a schema".to_owned(),
        number => counted(number as u64, "table"),
    };
    let body = list(&["table", "kind", "rows"], &tables, lists_all, |table| {
        let kind = match (text(table, "kind"), is(table, "local_only")) {
            ("untyped", _) => "not in the schema".to_owned(),
            (kind, true) => format!("{kind}, local only"),
            (kind, false) => kind.to_owned(),
        };
        let rows = table.get("rows").and_then(Value::as_u64).map_or_else(|| "?".to_owned(), output::count);
        vec![text(table, "name").to_owned(), kind, rows]
    });
    (heading, body)
}

/// The first rows, or all.
fn list(header: &[&str], values: &[&Value], lists_all: bool, cells: impl Fn(&Value) -> Vec<String>) -> String {
    if values.is_empty() {
        return String::new();
    }
    let listed = if lists_all { values.len() } else { LISTED };
    let mut grid = Grid::new(header);
    for value in values.iter().take(listed) {
        grid.row(cells(value));
    }
    match values.len().saturating_sub(listed) {
        0 => grid.to_string(),
        more => format!("{grid}and {} more: add --all\n", output::count(more as u64)),
    }
}
