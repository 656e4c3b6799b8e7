//! The development service as a library.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use rowtide_service::{Dev, DevOptions, Reload, StartError};
use rusqlite::Connection;
use serde_json::Value;

use crate::support::Lines;

const CONFIG: &str = "config: {edition: 3}
streams:
  notes: {auto_subscribe: true, query: SELECT * FROM notes}
";

/// With a transaction as in dumps, a trigger, an index, a view and numbers that are given out.
const SEED: &str = "BEGIN;
CREATE TABLE notes (id INTEGER PRIMARY KEY AUTOINCREMENT, text TEXT UNIQUE, size INT AS (length(text)) STORED);
CREATE TABLE log (text TEXT PRIMARY KEY);
CREATE INDEX notes_by_size ON notes (size);
CREATE VIEW long_notes AS SELECT * FROM notes WHERE size > 3;
CREATE TRIGGER logged AFTER INSERT ON notes BEGIN INSERT INTO log VALUES (new.text); END;
INSERT INTO notes (text) VALUES ('a'), ('b');
COMMIT;
";

async fn start(options: DevOptions) -> Dev {
    let dev = Dev::start(options).await.unwrap();
    dev.ready().await;
    dev
}

/// A client: which rows it has, by bucket and id.
struct Client {
    lines: Lines,
    rows: BTreeMap<(String, String), Value>,
}

impl Client {
    async fn new(dev: &Dev, user: &str) -> Self {
        let url = format!("{}/sync/stream", dev.url());
        let lines = Lines::open(&url, &dev.token(user).unwrap(), &serde_json::json!({})).await;
        Self { lines, rows: BTreeMap::new() }
    }

    /// Reads checkpoints until it has these rows: ids, or ids with texts.
    async fn has(&mut self, expected: &[&str]) {
        loop {
            for line in self.lines.checkpoint().await {
                self.take(&line);
            }
            let text = |row: &Value| row["text"].as_str().map(|text| format!(" {text}")).unwrap_or_default();
            let mut rows: Vec<String> = self.rows.iter().map(|((_, id), row)| format!("{id}{}", text(row))).collect();
            rows.sort();
            if rows == expected {
                return;
            }
        }
    }

    fn take(&mut self, line: &Value) {
        let names = |list: &Value| -> Vec<String> {
            let name = |bucket: &Value| bucket.as_str().or(bucket["bucket"].as_str()).unwrap().to_owned();
            list.as_array().into_iter().flatten().map(name).collect()
        };
        if let Some(checkpoint) = line.get("checkpoint") {
            let kept = names(&checkpoint["buckets"]);
            self.rows.retain(|(bucket, _), _| kept.contains(bucket));
        }
        let removed = names(&line["checkpoint_diff"]["removed_buckets"]);
        self.rows.retain(|(bucket, _), _| !removed.contains(bucket));
        for operation in line["data"]["data"].as_array().into_iter().flatten() {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            let bucket = text(&line["data"]["bucket"]);
            match operation["op"].as_str().unwrap() {
                "PUT" => {
                    let data = match &operation["data"] {
                        Value::String(data) => serde_json::from_str(data).unwrap(),
                        data => data.clone(),
                    };
                    self.rows.insert((bucket, text(&operation["object_id"])), data);
                }
                "REMOVE" => drop(self.rows.remove(&(bucket, text(&operation["object_id"])))),
                "CLEAR" => self.rows.retain(|(other, _), _| *other != bucket),
                _ => {}
            }
        }
    }
}

/// A folder with a configuration and a seed, and options for them.
fn own(seed: &str) -> (tempfile::TempDir, DevOptions) {
    let folder = tempfile::tempdir().unwrap();
    let (config, script) = (folder.path().join("sync.yaml"), folder.path().join("seed.sql"));
    fs::write(&config, CONFIG).unwrap();
    fs::write(&script, seed).unwrap();
    let kept = Some(folder.path().join("dev"));
    (folder, DevOptions { folder: kept, config: Some(config), seed: Some(script), ..DevOptions::default() })
}

/// Runs SQL, as another program does.
fn write(source: &Path, sql: &str) {
    Connection::open(source).unwrap().execute_batch(sql).unwrap();
}

/// Everything in a database that is not of the capture of changes.
fn content(file: &Path) -> Vec<String> {
    let connection = Connection::open(file).unwrap();
    let mut all = Vec::new();
    let objects = "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL
        AND name NOT GLOB '_sync_*' AND name NOT GLOB 'sqlite_*' ORDER BY type, name";
    for sql in [objects, "SELECT id || text FROM notes ORDER BY id", "SELECT text FROM log ORDER BY text"] {
        let mut statement = connection.prepare(sql).unwrap();
        all.extend(statement.query_map([], |row| row.get::<_, String>(0)).unwrap().map(Result::unwrap));
    }
    let sequence = "SELECT seq FROM sqlite_sequence WHERE name = 'notes'";
    all.push(connection.query_row(sequence, [], |row| row.get::<_, i64>(0)).unwrap().to_string());
    all
}

#[tokio::test(flavor = "multi_thread")]
async fn the_default_is_a_todo_app_that_leaves_nothing() {
    let dev = start(DevOptions::default()).await;
    assert_eq!(dev.users(), ["alice", "bob"]);
    Client::new(&dev, "bob").await.has(&["list-garden", "todo-6", "todo-7"]).await;
    let folder = dev.folder().to_owned();
    assert!(folder.join("writes.yaml").exists());
    let another = start(DevOptions::default()).await;
    another.stop().await;
    dev.stop().await;
    assert!(!folder.exists());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_page_is_the_playground_if_the_program_was_built_with_it() {
    let dev = start(DevOptions::default()).await;
    let get =
        |path: &str| reqwest::Client::new().get(format!("{}{path}", dev.url())).header("accept", "text/html").send();
    let has_parts = get("/assets/parts/powersync.side.wasm").await.unwrap().status() == 200;
    let page = get("/").await.unwrap().text().await.unwrap();
    assert_eq!(page.contains("/assets/playground/main.js"), has_parts);
    assert_eq!(page.contains("cargo xtask browser") && page.contains("href=\"/inspect\""), !has_parts);
    dev.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_people_have_changed_in_the_folder_stays() {
    let folder = tempfile::tempdir().unwrap();
    let options = DevOptions { folder: Some(folder.path().to_owned()), ..DevOptions::default() };
    let dev = start(options.clone()).await;
    let before = dev.secret().to_owned();
    dev.stop().await;
    let source = folder.path().join("source.db");
    write(&source, "DELETE FROM todos");
    let config = folder.path().join("sync.yaml");
    fs::write(&config, CONFIG.replace("notes", "todos")).unwrap();

    let dev = start(options).await;
    assert_eq!(dev.secret(), before);
    // All todos, of which there are none; what was synced before is served until they are ready.
    Client::new(&dev, "bob").await.has(&[]).await;
    assert_eq!(fs::read_to_string(&config).unwrap(), CONFIG.replace("notes", "todos"));
    dev.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_undoes_whatever_was_done_to_the_source() {
    let (_folder, options) = own(SEED);
    let dev = start(options).await;
    let source = dev.source().unwrap().to_owned();
    let at_first = content(&source);
    let mut client = Client::new(&dev, "ann").await;
    client.has(&["1 a", "2 b"]).await;

    write(&source, "INSERT INTO notes (text) VALUES ('c'); UPDATE notes SET text = 'x' WHERE id = 1");
    client.has(&["1 x", "2 b", "3 c"]).await;
    write(
        &source,
        "DELETE FROM notes WHERE id = 2;
         DROP VIEW long_notes; DROP TRIGGER logged; DROP TABLE log; CREATE TABLE more (id INTEGER PRIMARY KEY);
         DROP INDEX notes_by_size; CREATE INDEX others ON notes (text, size)",
    );
    dev.reset().await.unwrap();
    assert_eq!(content(&source), at_first);
    client.has(&["1 a", "2 b"]).await;
    Client::new(&dev, "ann").await.has(&["1 a", "2 b"]).await;
    write(&source, "INSERT INTO notes (text) VALUES ('again')");
    client.has(&["1 a", "2 b", "3 again"]).await;
    dev.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_that_fails_changes_nothing() {
    let (folder, options) = own(SEED);
    let dev = start(options.clone()).await;
    let source = dev.source().unwrap().to_owned();
    write(&source, "INSERT INTO notes (text) VALUES ('kept')");
    let before = content(&source);
    fs::write(folder.path().join("seed.sql"), "CREATE TABLE notes (id); SELEC").unwrap();
    let error = dev.reset().await.unwrap_err();
    assert!(error.contains("seed.sql") && error.contains("SELEC"), "{error}");
    assert_eq!(content(&source), before);
    dev.stop().await;

    let other = DevOptions { source: Some(format!("sqlite:{}", source.display())), seed: None, ..options };
    let dev = start(other).await;
    assert!(dev.reset().await.unwrap_err().contains("reset it there"));
    dev.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_configuration_is_deployed_when_its_file_changes() {
    let (_folder, options) = own(SEED);
    let mut dev = start(options).await;
    let config = dev.config().to_owned();
    let mut client = Client::new(&dev, "ann").await;
    client.has(&["1 a", "2 b"]).await;

    fs::write(&config, "streams: [").unwrap();
    assert!(matches!(dev.reloaded().await, Some((_, Reload::Refused { diagnostics, .. })) if !diagnostics.is_empty()));
    fs::remove_file(&config).unwrap();
    assert!(matches!(dev.reloaded().await, Some((_, Reload::Failed(message))) if message.contains("sync.yaml")));
    fs::write(&config, CONFIG.replace("FROM notes", "FROM notes WHERE id = 2")).unwrap();
    assert!(matches!(dev.reloaded().await, Some((_, Reload::Deployed { .. }))));
    client.has(&["2 b"]).await;
    dev.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_started_is_an_error() {
    let (folder, options) = own("CREATE TABLE");
    let error = Dev::start(options.clone()).await.err().unwrap();
    assert!(error.to_string().contains("seed.sql"), "{error}");
    fs::write(folder.path().join("seed.sql"), SEED).unwrap();
    fs::write(folder.path().join("sync.yaml"), "streams: [").unwrap();
    assert!(matches!(Dev::start(options.clone()).await, Err(StartError::Config(_))));
    fs::write(folder.path().join("sync.yaml"), CONFIG).unwrap();
    let first = start(options.clone()).await;
    let error = Dev::start(options).await.err().unwrap();
    assert!(error.to_string().contains("is in use"), "{error}");
    first.stop().await;
}

/// Status and body of a request to change a row.
async fn change(dev: &Dev, body: serde_json::Value) -> (u16, Value) {
    let request = reqwest::Client::new().post(format!("{}/dev/rows", dev.url())).json(&body);
    let (status, answer) = crate::support::answer(request.send().await.unwrap()).await;
    (status.as_u16(), answer)
}

#[tokio::test(flavor = "multi_thread")]
async fn rows_are_changed_as_by_another_program() {
    let seed =
        "CREATE TABLE notes (id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE, data BLOB, CHECK (text <> 'no'));
        INSERT INTO notes (text) VALUES ('a'), ('b');";
    let (_folder, options) = own(seed);
    let dev = start(options).await;
    let mut client = Client::new(&dev, "alice").await;
    client.has(&["1 a", "2 b"]).await;
    let values = serde_json::json!({"id": {"integer": "9007199254740993"}, "text": "c'\"", "data": {"base64": "AAE="}});
    let inserted = change(&dev, serde_json::json!({"table": "notes", "op": "insert", "values": values})).await;
    assert_eq!(inserted.0, 200, "{inserted:?}");
    let update = |id: i64, text: Value| {
        change(&dev, serde_json::json!({"table": "notes", "op": "update", "key": {"id": id}, "values": {"text": text}}))
    };
    assert_eq!(update(1, "changed".into()).await.0, 200);
    let delete = serde_json::json!({"table": "notes", "op": "delete", "key": {"id": 2}});
    assert_eq!(change(&dev, delete.clone()).await.0, 200);
    client.has(&["1 changed", "9007199254740993 c'\""]).await;

    for (id, text, status, description, column) in [
        (1, Value::Null, 409, "text must have a value.", Some("text")),
        (1, "c'\"".into(), 409, "Another row has this text already.", Some("text")),
        (1, "no".into(), 409, "The table does not permit it: CHECK (text <> 'no').", None),
        (2, "x".into(), 409, "The row is not there any more. Load the table again.", None),
    ] {
        let (found, answer) = update(id, text).await;
        assert_eq!((found, answer["error"]["description"].as_str()), (status, Some(description)));
        assert_eq!(answer["error"]["details"].as_str(), column);
    }
    for wrong in [
        serde_json::json!({"table": "notes; DROP TABLE notes", "op": "delete", "key": {"id": 1}}),
        serde_json::json!({"table": "notes", "op": "delete"}),
        serde_json::json!({"table": "notes", "op": "insert", "values": {"text) VALUES (1); --": 1}}),
    ] {
        let (status, answer) = change(&dev, wrong).await;
        assert!([400, 404].contains(&status), "{answer}");
    }
    let foreign =
        reqwest::Client::new().post(format!("{}/dev/rows", dev.url())).header("origin", "https://example.com");
    assert_eq!(foreign.json(&delete).send().await.unwrap().status(), 401);
    let about: Value = reqwest::get(format!("{}/dev/about", dev.url())).await.unwrap().json().await.unwrap();
    assert_eq!((&about["edits_rows"], &about["resets"]), (&Value::Bool(true), &Value::Bool(true)));
    let sorted = format!("{}/api/admin/v1/rows?table=notes&order=text&descending&filter=C", dev.url());
    let sorted: Value = reqwest::get(sorted).await.unwrap().json().await.unwrap();
    let integer = serde_json::json!({"integer": "9007199254740993"});
    let blob = serde_json::json!({"base64": "AAE=", "bytes": 2});
    assert_eq!(sorted["rows"], serde_json::json!([[1, "changed", null], [integer, "c'\"", blob]]));
    dev.stop().await;
}
