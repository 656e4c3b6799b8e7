//! The functions that read JSON text: which rows can be published, and what the SQL functions `powersync_diff`,
//! `powersync_json_merge` and `powersync_remove_duplicate_key_encoding` make of any text. Compared with `serde_json` and
//! with SQLite's own JSON functions. An input is two texts with a line feed between them.

use std::cell::OnceCell;

use rowtide_json::{self as json, RowData, publishable};
use rusqlite::Connection;
use serde_json::{Map, Value};

/// Deeper than this, `serde_json` gives up.
const DEPTH_OF_SERDE: usize = 127;

thread_local! {
    /// SQLite with its own JSON functions, opened once.
    static SQLITE: OnceCell<Connection> = const { OnceCell::new() };
}

/// Runs the target.
pub(crate) fn run(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let (one, other) = text.split_once('\n').unwrap_or((&text, "{}"));
    check_publishable(one);
    check_diff(one, other);
    check_merge(one, other);
    check_key(one);
}

fn parse(text: &str) -> Option<Map<String, Value>> {
    serde_json::from_str::<Map<String, Value>>(text).ok()
}

fn depth(text: &str) -> usize {
    text.bytes().filter(|byte| matches!(byte, b'{' | b'[')).count()
}

fn check_publishable(data: &str) {
    let shown = publishable(data).expect("memory is there");
    let published = match &shown {
        RowData::AsIs(text) => *text,
        RowData::Rewritten(text) => text.as_str(),
        RowData::Unreadable(_) => {
            assert!(parse(data).is_none(), "readable, but not published: {data}");
            return;
        }
    };
    assert_eq!(publishable(published), Ok(RowData::AsIs(published)), "rewritten twice: {data}");
    let kind: String = sqlite("SELECT iif(json_valid(?1), json_type(?1), 'invalid')", published);
    assert_eq!(kind, "object", "SQLite cannot read {published}");
    let is_text = sqlite("SELECT typeof(json(?1))", published);
    assert_eq!(is_text, "text");
}

/// The text that a query gives for one parameter.
fn sqlite(sql: &str, parameter: &str) -> String {
    SQLITE.with(|connection| {
        let connection = connection.get_or_init(|| Connection::open_in_memory().expect("SQLite opens"));
        let mut statement = connection.prepare_cached(sql).expect("the statement is SQL");
        statement.query_row([parameter], |row| row.get(0)).unwrap_or_else(|error| panic!("{error}: {parameter}"))
    })
}

fn check_diff(old: &str, new: &str) {
    let diff = json::diff(old, new);
    let (Some(mut before), Some(mut after)) = (parse(old), parse(new)) else { return };
    if depth(old).max(depth(new)) >= DEPTH_OF_SERDE || has_unclear_number(old) || has_unclear_number(new) {
        return;
    }
    before.retain(|_, value| !value.is_null());
    after.retain(|_, value| !value.is_null());
    let mut expected = Map::new();
    for (name, value) in &after {
        if before.get(name) != Some(value) {
            expected.insert(name.clone(), value.clone());
        }
    }
    for name in before.keys().filter(|name| !after.contains_key(*name)) {
        expected.insert(name.clone(), Value::Null);
    }
    let diff = diff.unwrap_or_else(|error| panic!("{error}: {old}, {new}"));
    assert_eq!(parse(&diff), Some(expected), "{diff} from {old} to {new}");
}

/// Whether a text has numbers that `serde_json` does not keep apart as we do: beyond 64 bits, or negative zeros.
fn has_unclear_number(text: &str) -> bool {
    text.contains("-0") || text.split(|c: char| !c.is_ascii_digit()).any(|digits| digits.len() > 18)
}

fn check_merge(one: &str, other: &str) {
    // White space around an object is not merged with it.
    let (one, other) = (one.trim(), other.trim());
    let merged = json::merge([one, other].into_iter());
    let (Some(mut members), Some(more)) = (parse(one), parse(other)) else { return };
    members.extend(more);
    let merged = merged.unwrap_or_else(|error| panic!("{error}: {one}, {other}"));
    if depth(&merged) < DEPTH_OF_SERDE {
        assert_eq!(parse(&merged), Some(members), "{merged} of {one} and {other}");
    }
}

fn check_key(key: &str) {
    let Ok(Some(repaired)) = json::remove_duplicate_key_encoding(key) else { return };
    // What was taken out of quotes and escapes is never longer, and what comes before it stays.
    assert!(repaired.len() < key.len(), "{key} became {repaired}");
    let start = key.len() - key.trim_end_matches('"').len();
    assert!(start > 0, "repaired without a quote at the end: {key}");
    let common = repaired.bytes().zip(key.bytes()).take_while(|(one, other)| one == other).count();
    let is_repair = key.as_bytes().iter().take(common + 1).any(|byte| *byte == b'"');
    assert!(is_repair, "{key} became {repaired}");
}
