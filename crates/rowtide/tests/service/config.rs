//! `rowtide config`.

use std::fs;
use std::io::{Read, Write};
use std::process::Stdio;

use serde_json::{Value, json};

use crate::support::{CONFIG, command, folder, run, text};

fn config(yaml: &str, arguments: &[&str]) -> (Option<i32>, String, String) {
    let folder = folder();
    fs::write(folder.path().join("other.yaml"), yaml).unwrap();
    let output = run(folder.path(), &[&["config"], arguments].concat());
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

fn config_json(yaml: &str, arguments: &[&str]) -> (Option<i32>, Value) {
    let (code, output, errors) = config(yaml, &[arguments, &["--json"]].concat());
    (code, serde_json::from_str(&output).unwrap_or_else(|error| panic!("{error}: {output}{errors}")))
}

#[test]
fn a_check_tells_fine_from_warnings_and_errors() {
    let (code, output, _) = config(CONFIG, &["check", "other.yaml"]);
    let fine = "other.yaml: fine, no findings: 1 stream, 1 bucket definition, 1 table\n";
    assert_eq!((code, output.as_str()), (Some(0), fine));

    let unused = format!("{CONFIG}with: {{unused: SELECT id FROM notes}}\n");
    let (code, output, _) = config(&unused, &["check", "other.yaml"]);
    assert_eq!(code, Some(0), "{output}");
    assert!(output.contains("warning[C101]"), "{output}");

    let (code, answer) = config_json(&CONFIG.replace("query", "querie"), &["check", "other.yaml"]);
    assert_eq!((code, &answer["ok"]), (Some(1), &json!(false)));
    let unknown = answer["diagnostics"].as_array().unwrap().iter().find(|one| one["code"] == "C003").unwrap();
    assert_eq!((&unknown["line"], &unknown["column"], &unknown["severity"]), (&json!(5), &json!(5), &json!("error")));
    assert_eq!(unknown["fix"]["replacement"], "query");

    let (code, _, errors) = config(CONFIG, &["check", "no.yaml"]);
    assert_eq!(code, Some(2), "{errors}");
}

#[test]
fn a_plan_shows_what_a_user_gets() {
    let (code, plan) = config_json(CONFIG, &["plan", "other.yaml"]);
    assert_eq!(code, Some(0));
    assert_eq!(plan["streams"][0]["name"], "notes");
    assert_eq!(plan["tables"], json!([{"name": "public.notes", "evaluators": 1, "indexes": 0}]));

    let shared = format!(
        "{CONFIG}  of_list:\n    query: SELECT * FROM notes WHERE list = subscription.parameter('list')
      AND list IN (SELECT list FROM members WHERE member = auth.user_id() AND auth.parameter('ok') = 1)\n"
    );
    let arguments = ["plan", "other.yaml", "--user", "ann", "--claims", r#"{"ok": 1}"#];
    let (code, answer) =
        config_json(&shared, &[&arguments[..], &["--subscribe", r#"of_list={"list": "l1"}"#]].concat());
    assert_eq!(code, Some(0));
    let buckets = &answer["user"]["buckets"];
    assert_eq!(buckets[0]["bucket"], r#"notes|0["ann"]"#);
    assert_eq!(buckets[0]["streams"], json!(["notes"]));
    assert_eq!(answer["user"]["depends_on"][0]["key"], r#"["l1","ann"]"#);
    let (_, without) = config_json(&shared, &["plan", "other.yaml", "--user", "ann", "--subscribe", "of_list"]);
    assert_eq!(without["user"]["depends_on"], json!([]), "the claim is missing");

    let (code, _, errors) = config(&shared, &["plan", "other.yaml", "--user", "ann", "--subscribe", "no"]);
    assert_eq!(code, Some(2));
    assert!(errors.contains("there is no stream no"), "{errors}");
    let (code, _, errors) = config(CONFIG, &["plan", "other.yaml", "--user", "ann", "--parameters", "no"]);
    assert_eq!(code, Some(2));
    assert!(errors.contains("--parameters is no JSON"), "{errors}");
}

#[test]
fn a_plan_of_a_configuration_with_errors_says_where_they_are() {
    let (code, output, errors) = config("streams: [", &["plan", "other.yaml"]);
    assert_eq!((code, output.as_str()), (Some(1), ""));
    assert!(errors.contains("other.yaml:"), "{errors}");
}

#[test]
fn a_diff_compares_contents() {
    let renamed = CONFIG.replace("  notes:", "  # a comment\n  memos:");
    let (code, diff) = config_json(&renamed, &["diff", "sync.yaml", "other.yaml"]);
    assert_eq!(code, Some(0));
    assert_eq!(diff["snapshots"], json!([]), "the definition is the same under another name");
    assert_eq!(diff["streams"][0]["state"], "new");
    assert_eq!(diff["streams"][1]["state"], "dropped");

    let urgent = CONFIG.replace("    auto_subscribe", "    priority: 1\n    auto_subscribe");
    let (_, diff) = config_json(&urgent, &["diff", "sync.yaml", "other.yaml"]);
    let kept = json!({"kept": 1, "new": 0, "dropped": 0});
    assert_eq!((&diff["streams"][0]["state"], &diff["streams"][0]["definitions"]), (&json!("changed"), &kept));

    let other = CONFIG.replace("SELECT *", "SELECT id, text");
    let (_, diff) = config_json(&other, &["diff", "sync.yaml", "other.yaml"]);
    assert_eq!(diff["streams"][0]["definitions"], json!({"kept": 0, "new": 1, "dropped": 1}));
    assert_eq!(diff["snapshots"], json!(["public.notes"]));

    let (_, output, _) = config(&other, &["diff", "sync.yaml", "other.yaml"]);
    assert!(output.contains("\nnotes   changed     0    1        1\n"), "plain columns when piped: {output}");
    let (_, diff) = config_json(CONFIG, &["diff", "sync.yaml", "other.yaml"]);
    assert_eq!(diff["streams"][0]["state"], "same");
}

#[test]
fn a_row_is_evaluated() {
    let row = r#"{"id": "n1", "owner": "ann", "done": true, "tags": ["a"], "more": null}"#;
    let (code, answer) = config_json(CONFIG, &["eval", "other.yaml", "--table", "notes", "--row", row]);
    assert_eq!(code, Some(0));
    assert_eq!(
        answer["buckets"],
        json!([{"bucket": r#"notes|0["ann"]"#, "table": "notes", "id": "n1",
            "data": {"id": "n1", "owner": "ann", "done": 1, "tags": "[\"a\"]", "more": null}}])
    );
    let lacking = ["eval", "other.yaml", "--table", "notes", "--row", r#"{"id": "n1"}"#];
    let (code, _, errors) = config(CONFIG, &lacking);
    assert_eq!(code, Some(1));
    assert!(errors.contains("the table lacks a column"), "{errors}");
    let other = ["eval", "other.yaml", "--table", "other.notes", "--row", r#"{"id": "n1"}"#];
    let (code, output, _) = config(CONFIG, &other);
    assert_eq!((code, output.as_str()), (Some(0), "The configuration does not read the table other.notes.\n"));
    assert_eq!(config(CONFIG, &["eval", "other.yaml", "--table", "notes", "--row", "[]"]).0, Some(2));
}

#[test]
fn a_closed_pipe_ends_it_silently() {
    let folder = folder();
    let mut plan = command(folder.path(), &["config", "plan", "-"]);
    let mut plan = plan.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Nobody reads from here on; the program writes only after it has read its input.
    drop(plan.stdout.take());
    plan.stdin.take().unwrap().write_all(CONFIG.as_bytes()).unwrap();
    let mut errors = String::new();
    plan.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
    assert_eq!(errors, "");
    plan.wait().unwrap();
}

const SOURCE: &str = "
CREATE TABLE lists (id TEXT PRIMARY KEY, name VARCHAR(10), rank INTEGER, share REAL, made DATETIME, done BOOLEAN, icon BLOB);
CREATE TABLE items_a (id INTEGER PRIMARY KEY, n INT);
CREATE TABLE items_b (id INTEGER PRIMARY KEY, n DOUBLE, note TEXT);
";

const SCHEMA_CONFIG: &str = "config: {edition: 3}
streams:
  lists: {query: SELECT * FROM lists}
  items: {query: SELECT * FROM \"items_%\" AS items}
  each: {query: SELECT * FROM \"items_%\"}
  named:
    queries:
      - SELECT id, name AS title, length(name) AS size, rank * 2 AS double, rank / 2.0 AS half, upper(name) AS loud,
        rank = 1 AS first, CAST(rank AS text) AS shown, icon FROM lists AS short
      - SELECT id, share AS size, hex(icon) AS more FROM lists AS short
";

/// Tables with columns and types, as text.
fn schema(json: &str) -> Vec<String> {
    let schema: Value = serde_json::from_str(json).unwrap();
    let column = |column: &Value| format!("{} {}", column["name"].as_str().unwrap(), column["type"].as_str().unwrap());
    let tables = schema["tables"].as_array().unwrap().iter().map(|table| {
        let columns: Vec<String> = table["columns"].as_array().unwrap().iter().map(column).collect();
        format!("{}({})", table["name"].as_str().unwrap(), columns.join(", "))
    });
    tables.collect()
}

#[test]
fn the_schema_of_clients_has_the_types_of_the_source() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    crate::support::write(&path.join("source.db"), SOURCE);
    fs::write(path.join("sync.yaml"), SCHEMA_CONFIG).unwrap();
    let arguments = ["config", "schema", "sync.yaml", "--source", "sqlite:source.db"];
    let output = run(path, &arguments);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let expected = [
        "lists(name text, rank integer, share real, made text, done integer)",
        "items(n real, note text)",
        "items_a(n integer)",
        "items_b(n real, note text)",
        "short(title text, size real, double integer, half real, loud text, first integer, shown text, more text)",
    ];
    assert_eq!(schema(&text(&output.stdout)), expected);
    let javascript = text(&run(path, &[&arguments[..], &["--language", "js"]].concat()).stdout);
    assert!(
        javascript.contains("lists: new Table({\n    name: column.text,\n    rank: column.integer,"),
        "{javascript}"
    );
    fs::write(path.join("schema.json"), &output.stdout).unwrap();
    fs::write(path.join("empty.ndjson"), "").unwrap();
    let applied = run(path, &["replay", "--schema", "schema.json", "empty.ndjson"]);
    assert!(applied.status.success(), "the extension takes it: {}", text(&applied.stderr));

    let output = run(path, &["config", "schema", "sync.yaml"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(
        text(&output.stderr).contains("SELECT * from public.lists are not known without the source: give --source")
    );
    fs::write(
        path.join("named.yaml"),
        "config: {edition: 3}\nstreams:\n  a: {query: 'SELECT id, x, length(y) AS n FROM t AS u'}\n",
    )
    .unwrap();
    assert_eq!(schema(&text(&run(path, &["config", "schema", "named.yaml"]).stdout)), ["u(x text, n integer)"]);
    let missing = run(path, &["config", "schema", "named.yaml", "--source", "sqlite:source.db"]);
    assert_eq!(missing.status.code(), Some(1));
    assert!(text(&missing.stderr).contains("the source does not have the table main.t"), "{}", text(&missing.stderr));
}

#[test]
fn columns_without_a_type_have_that_of_their_rows() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    fs::create_dir(path.join("data")).unwrap();
    let rows =
        r#"[{"id": "a", "n": 1, "x": 1, "s": "t", "b": true}, {"id": "b", "n": 2, "x": 1.5, "s": 5, "o": {"k": 1}}]"#;
    fs::write(path.join("data/things.json"), rows).unwrap();
    fs::write(path.join("sync.yaml"), "config: {edition: 3}\nstreams:\n  a: {query: SELECT * FROM things}\n").unwrap();
    let output = run(path, &["config", "schema", "sync.yaml", "--source", "json:data"]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    assert_eq!(schema(&text(&output.stdout)), ["things(n integer, x real, s text, b integer, o text)"]);
}
