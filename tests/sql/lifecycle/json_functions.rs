//! The JSON functions that SDKs and stored triggers call (docs/reference/functions.md#powersync_diff).

use rowtide_testkit::Host;
use serde_json::{Value, json};

fn value(sql: &str) -> Value {
    Host::open_in_memory().value(&format!("SELECT {sql}"))
}

#[track_caller]
fn assert_refused(sql: &str, function: &str) {
    let error = Host::open_in_memory().error(&format!("SELECT {sql}"));
    assert_eq!(error.code, 3091, "{sql}: {error}");
    assert!(error.message.starts_with(&format!("{function}: invalid argument: ")), "{sql}: {error}");
}

#[test]
fn a_difference_has_what_changes_by_name() {
    assert_eq!(
        value(r#"powersync_diff('{"b":1,"a":2,"gone":3,"null":null}', '{"b":1,"a":3,"new":[1, 2],"null2":null}')"#),
        r#"{"a":3,"gone":null,"new":[1,2]}"#
    );
    assert_eq!(value(r#"powersync_diff('{"a":1,"b":1.0}', '{"a":1.0,"b":1.00}')"#), r#"{"a":1.0}"#);
    assert_eq!(
        value(r#"powersync_diff('{}', '{"é":1.00,"Z":"\u0041","a":{"y":1,"x":[null]}}')"#),
        r#"{"Z":"A","a":{"x":[null],"y":1},"é":1.0}"#
    );
    assert_eq!(value(r#"powersync_diff('{"a":{"x":1,"y":2}}', '{"a":{"y":2,"x":1}}')"#), "{}");
    for arguments in ["'[]', '{}'", "'{}', 'x'", "NULL, '{}'", "'{}', ''", "1, 2"] {
        assert_refused(&format!("powersync_diff({arguments})"), "powersync_diff");
    }
}

#[test]
fn objects_are_merged_as_text() {
    assert_eq!(value("powersync_json_merge()"), "{}");
    assert_eq!(
        value(r#"powersync_json_merge('{"a":1}', NULL, '{}', '{"b": {}}', '{}', '{"a":2}')"#),
        r#"{"a":1,"b": {},"a":2}"#
    );
    for arguments in ["'[]'", "'{}', 1", "''", "'{}', 'x'"] {
        assert_refused(&format!("powersync_json_merge({arguments})"), "powersync_json_merge");
    }
}

#[test]
fn results_are_json_to_sqlite() {
    assert_eq!(value(r#"json_array(powersync_diff('{}', '{"a":1}'))"#), r#"[{"a":1}]"#);
    assert_eq!(value(r#"json_array(powersync_json_merge('{"a":1}'))"#), r#"[{"a":1}]"#);
}

#[test]
fn a_value_without_subtype() {
    assert_eq!(value("json_array(json('[1]'), powersync_strip_subtype(json('[1]')))"), r#"[[1],"[1]"]"#);
    let host = Host::open_in_memory();
    assert_eq!(
        host.table(
            "SELECT typeof(powersync_strip_subtype(column1)), powersync_strip_subtype(column1) IS column1
            FROM (VALUES (NULL), (1), (1.5), ('a'), (x'00ff'), (''), (x''))"
        ),
        json!([["null", 1], ["integer", 1], ["real", 1], ["text", 1], ["blob", 1], ["text", 1], ["blob", 1]])
    );
}

#[test]
fn keys_encoded_twice_are_repaired_and_others_kept() {
    for (key, repaired) in [
        (r#"'a/b/"c"'"#, json!("a/b/c")),
        (r#"'a/b/"c\"d"'"#, json!("a/b/c\"d")),
        ("'a/b/c'", json!("a/b/c")),
        ("'a/b/null'", json!("a/b/null")),
        ("NULL", json!(null)),
    ] {
        assert_eq!(value(&format!("powersync_remove_duplicate_key_encoding({key})")), repaired, "{key}");
    }
    for key in ["1", "x'61'"] {
        assert_refused(
            &format!("powersync_remove_duplicate_key_encoding({key})"),
            "powersync_remove_duplicate_key_encoding",
        );
    }
}

#[test]
fn text_that_is_not_utf8_is_an_error() {
    let host = Host::open_in_memory();
    let invalid = "CAST(x'7bff7d' AS TEXT)";
    for call in [
        format!("powersync_diff('{{}}', {invalid})"),
        format!("powersync_json_merge({invalid})"),
        format!("powersync_strip_subtype({invalid})"),
        format!("powersync_remove_duplicate_key_encoding({invalid})"),
        format!("powersync_row_json('{{\"a\":}}', {invalid})"),
    ] {
        let error = host.error(&format!("SELECT {call}"));
        assert!(error.message.contains("not valid UTF-8"), "{call}: {error}");
    }
}

#[test]
fn functions_for_triggers_refuse_what_no_trigger_of_ours_gives() {
    for call in [
        "powersync_row_json()",
        "powersync_row_json('{\"a\":}')",
        "powersync_row_put('{\"a\\q\":}', 1)",
        "powersync_row_patch('{\"a\":}', 1)",
        "powersync_row_old('x', 1)",
        "powersync_insert_entry('t')",
        "powersync_insert_entry('t', 'i', 'no json')",
        "powersync_insert_entry('t', 'i', NULL)",
    ] {
        let function = call.split('(').next().unwrap();
        assert_refused(call, function);
    }
}
