//! A running program, and a client of its service. Nothing here waits for time: what is waited for is a line or an end.

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStderr, ChildStdin, Command, ExitStatus, Output, Stdio};

use serde_json::{Value, json};

/// A secret for tokens.
pub(crate) const SECRET: &str = "MDEyMzQ1Njc4OWFiY2RlZg";

pub(crate) const CONFIG: &str = "config: {edition: 3}
streams:
  notes:
    auto_subscribe: true
    query: SELECT * FROM notes WHERE owner = auth.user_id()
";

pub(crate) const SEED: &str = "
CREATE TABLE notes (id TEXT PRIMARY KEY NOT NULL, owner TEXT, text TEXT);
INSERT INTO notes VALUES ('n1', 'ann', 'one'), ('n2', 'ann', 'two'), ('n3', 'ben', 'three');
";

/// The program with these arguments, in this folder.
pub(crate) fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rowtide"));
    command.current_dir(folder).args(arguments);
    for name in ["ROWTIDE_JWT_SECRET", "ROWTIDE_ADMIN_TOKEN", "ROWTIDE_SOURCE"] {
        command.env_remove(name);
    }
    command
}

pub(crate) fn run(folder: &Path, arguments: &[&str]) -> Output {
    command(folder, arguments).output().unwrap()
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// A folder with the configuration and the seed.
pub(crate) fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("sync.yaml"), CONFIG).unwrap();
    std::fs::write(folder.path().join("seed.sql"), SEED).unwrap();
    folder
}

/// A service that runs until this is dropped.
pub(crate) struct Running {
    child: Child,
    /// The line that it has printed when it was ready.
    pub(crate) line: Value,
    pub(crate) url: String,
    errors: BufReader<ChildStderr>,
    http: reqwest::blocking::Client,
}

impl Running {
    /// Starts `serve` on a source that has the seed.
    pub(crate) fn serve(folder: &Path, more: &[&str]) -> Self {
        let arguments = ["serve", "--config", "sync.yaml", "--port", "0", "--json", "--jwt-secret", SECRET];
        Self::start(command(folder, &[&arguments, more].concat()))
    }

    /// Starts a command with `--json`, and waits until it is ready.
    pub(crate) fn start(mut command: Command) -> Self {
        Self::start_as_it_is(command.stdin(Stdio::null()))
    }

    /// The same, with a standard input that goes on until somebody drops it.
    pub(crate) fn start_with_input(mut command: Command) -> (Self, ChildStdin) {
        let mut running = Self::start_as_it_is(command.stdin(Stdio::piped()));
        let input = running.child.stdin.take().unwrap();
        (running, input)
    }

    fn start_as_it_is(command: &mut Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let mut errors = BufReader::new(child.stderr.take().unwrap());
        if line.is_empty() {
            let mut message = String::new();
            errors.read_to_string(&mut message).unwrap();
            panic!("it is not ready: {message}");
        }
        let line: Value = serde_json::from_str(&line).unwrap();
        let url = line["url"].as_str().unwrap().to_owned();
        let http = reqwest::blocking::Client::builder().timeout(None).build().unwrap();
        Self { child, line, url, errors, http }
    }

    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill").args([&format!("-{name}"), &self.child.id().to_string()]).status().unwrap();
        assert!(sent.success());
    }

    /// Waits for the end.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        self.child.wait().unwrap()
    }

    /// Waits for a line on standard error that has this part.
    pub(crate) fn error_with(&mut self, part: &str) -> String {
        loop {
            let mut line = String::new();
            assert_ne!(self.errors.read_line(&mut line).unwrap(), 0, "it ended without {part}");
            if line.contains(part) {
                return line;
            }
        }
    }

    pub(crate) fn get(&self, path: &str) -> reqwest::blocking::RequestBuilder {
        self.http.get(format!("{}{path}", self.url))
    }

    pub(crate) fn post(&self, path: &str) -> reqwest::blocking::RequestBuilder {
        self.http.post(format!("{}{path}", self.url))
    }

    /// Opens the default streams of a token.
    pub(crate) fn stream(&self, token: &str) -> Lines {
        self.stream_with(token, &json!({"raw_data": true}))
    }

    /// Opens the streams of a request.
    pub(crate) fn stream_with(&self, token: &str, body: &Value) -> Lines {
        let request = self.post("/sync/stream").header("authorization", format!("Token {token}"));
        let response = request.json(body).send().unwrap();
        assert_eq!(response.status(), 200);
        Lines(BufReader::new(response))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The lines of a stream.
pub(crate) struct Lines(BufReader<reqwest::blocking::Response>);

impl Lines {
    /// The next line; none if the stream has ended cleanly.
    pub(crate) fn next(&mut self) -> Option<Value> {
        let mut line = String::new();
        let read = self.0.read_line(&mut line).expect("the stream is not cut");
        (read > 0).then(|| serde_json::from_str(&line).unwrap())
    }

    /// All lines up to the one that completes a checkpoint.
    pub(crate) fn checkpoint(&mut self) -> Vec<Value> {
        let mut lines = Vec::new();
        loop {
            let line = self.next().expect("the stream goes on");
            let is_last = line.get("checkpoint_complete").is_some();
            lines.push(line);
            if is_last {
                return lines;
            }
        }
    }

    /// Checkpoints until one has such an operation; gives that.
    pub(crate) fn operation(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            let lines = self.checkpoint();
            if let Some(found) = operations(&lines).find(|operation| wanted(operation)) {
                return found.clone();
            }
        }
    }
}

/// All operations of lines.
pub(crate) fn operations(lines: &[Value]) -> impl Iterator<Item = &Value> {
    lines.iter().filter_map(|line| line["data"]["data"].as_array()).flatten()
}

/// Kind and id of all operations.
pub(crate) fn rows(lines: &[Value]) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut rows: Vec<_> = operations(lines).map(|row| (text(&row["op"]), text(&row["object_id"]))).collect();
    rows.sort();
    rows
}

pub(crate) fn puts(ids: &[&str]) -> Vec<(String, String)> {
    ids.iter().map(|id| ("PUT".to_owned(), (*id).to_owned())).collect()
}

/// A token of `rowtide token`.
pub(crate) fn token(folder: &Path, user: &str) -> String {
    let output = run(folder, &["token", "--jwt-secret", SECRET, "--user", user]);
    assert!(output.status.success(), "{}", text(&output.stderr));
    text(&output.stdout).trim().to_owned()
}

/// Runs SQL on the source, as another program does.
pub(crate) fn write(source: &Path, sql: &str) {
    rusqlite::Connection::open(source).unwrap().execute_batch(sql).unwrap();
}
