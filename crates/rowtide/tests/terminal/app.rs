//! An app's database, made by SQL, and the program on it.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

/// The program.
pub(crate) fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rowtide"));
    command.env_remove("NO_COLOR").env("TERM", "xterm");
    command
}

/// What the program has printed, and its exit code.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) code: Option<i32>,
}

impl From<Output> for Ran {
    fn from(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self { out: text(output.stdout), err: text(output.stderr), code: output.status.code() }
    }
}

pub(crate) fn run(arguments: &[&str]) -> Ran {
    program().args(arguments).stdin(Stdio::null()).output().unwrap().into()
}

/// The same with text on standard input.
pub(crate) fn run_with(arguments: &[&str], input: &str) -> Ran {
    let mut command = program();
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let input = input.to_owned();
    // It may end before it has read everything.
    let writer = std::thread::spawn(move || drop(stdin.write_all(input.as_bytes())));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap();
    output.into()
}

/// The output of a call that must succeed.
#[track_caller]
pub(crate) fn out(arguments: &[&str]) -> String {
    let ran = run(arguments);
    assert_eq!(ran.code, Some(0), "{arguments:?}: {ran:?}");
    ran.out
}

/// An app with its file.
pub(crate) struct App {
    folder: TempDir,
}

pub(crate) const SCHEMA: &str = r#"{"tables": [
    {"name": "lists", "columns": [{"name": "name", "type": "text"}, {"name": "size", "type": "integer"}]},
    {"name": "notes", "columns": [{"name": "text", "type": "text"}], "local_only": true}]}"#;

/// Downloads a list and a row of a type that [`SCHEMA`] does not have in `lists`' place.
fn download(row_type: &str, checksum: i64) -> String {
    format!(
        r#"BEGIN;
        SELECT powersync_control('start', NULL);
        SELECT powersync_control('line_text', '{{"checkpoint": {{"last_op_id": "1", "streams": [], "buckets": [
            {{"bucket": "mine[\"ada\"]", "checksum": {checksum}, "count": 1, "priority": 3, "subscriptions": []}}]}}}}');
        SELECT powersync_control('line_text', '{{"data": {{"bucket": "mine[\"ada\"]", "has_more": false, "data": [
            {{"op_id": "1", "op": "PUT", "object_type": "{row_type}", "object_id": "l1", "checksum": 5,
              "data": "{{\"name\": \"secret\"}}"}}]}}}}');
        SELECT powersync_control('line_text', '{{"checkpoint_complete": {{"last_op_id": "1"}}}}');
        SELECT powersync_control('stop', NULL);
        COMMIT;"#
    )
}

impl App {
    /// An empty file.
    pub(crate) fn empty() -> Self {
        let folder = tempfile::tempdir().unwrap();
        File::create(folder.path().join("app.db")).unwrap();
        Self { folder }
    }

    /// With a schema.
    pub(crate) fn new() -> Self {
        let app = Self::empty();
        app.sql(&format!("BEGIN; SELECT powersync_replace_schema('{SCHEMA}'); COMMIT;"));
        app
    }

    /// Has synced one list.
    pub(crate) fn synced() -> Self {
        let app = Self::new();
        app.download("lists", 5);
        app
    }

    pub(crate) fn download(&self, row_type: &str, checksum: i64) {
        self.sql(&download(row_type, checksum));
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("app.db")
    }

    pub(crate) fn file(&self) -> String {
        self.path().to_str().unwrap().to_owned()
    }

    /// Runs SQL with the extension, as an SDK does.
    #[track_caller]
    pub(crate) fn sql(&self, sql: &str) {
        let ran = run_with(&["shell", &self.file(), "--write", "--mode", "list"], sql);
        assert_eq!(ran.code, Some(0), "{sql}: {ran:?}");
    }

    /// The rows of a query.
    #[track_caller]
    pub(crate) fn rows(&self, sql: &str) -> Value {
        serde_json::from_str(&out(&["shell", &self.file(), "--json", sql])).unwrap()
    }

    #[track_caller]
    pub(crate) fn inspect(&self, more: &[&str]) -> Ran {
        let file = self.file();
        run(&[&["inspect", &file], more].concat())
    }
}
