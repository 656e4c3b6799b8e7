//! A service and clients, each a process. Nothing here waits for time: what is waited for is a line or an end.

use std::io::{BufRead, BufReader, Lines, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use rusqlite::Connection;
use serde_json::Value;

pub(crate) const SCHEMA: &str = r#"{"tables": [
    {"name": "lists", "columns": [{"name": "name", "type": "text"}, {"name": "owner_id", "type": "text"}]},
    {"name": "todos", "columns": [{"name": "list_id", "type": "text"}, {"name": "description", "type": "text"},
        {"name": "done", "type": "integer"}, {"name": "created_at", "type": "text"}]}
]}"#;

/// A development service in a folder of its own.
pub(crate) struct Service {
    folder: tempfile::TempDir,
    child: Child,
    pub(crate) url: String,
}

impl Service {
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("schema.json"), SCHEMA).unwrap();
        let mut command = command(folder.path(), &["dev", "--port", "0", "--json"]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let line: Value = serde_json::from_str(&line).unwrap();
        Self { folder, child, url: line["url"].as_str().unwrap().to_owned() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The service's database.
    pub(crate) fn source(&self) -> Connection {
        let mut files = walk(self.folder.path());
        files.retain(|file| file.ends_with("source.db"));
        open(&files[0])
    }

    /// A client's database, as an app has it.
    pub(crate) fn app(&self, name: &str) -> Connection {
        rowtide_client::load_extension().unwrap();
        open(&self.path(name))
    }

    /// `rowtide sync` with these arguments and the service's URL.
    pub(crate) fn sync(&self, arguments: &[&str]) -> Command {
        command(self.folder.path(), &[&["sync", "--url", &self.url], arguments].concat())
    }

    /// The same as alice, with the schema.
    pub(crate) fn as_alice(&self, arguments: &[&str]) -> Command {
        self.sync(&[&["--dev-user", "alice", "--schema", "schema.json"], arguments].concat())
    }

    /// A command that prints a token of alice.
    pub(crate) fn token_command(&self) -> String {
        let file = self.path("token");
        let answer = reqwest::blocking::get(format!("{}/dev/token?user=alice", self.url)).unwrap();
        std::fs::write(&file, answer.text().unwrap()).unwrap();
        format!("cat {}", file.display())
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn walk(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

fn open(file: &Path) -> Connection {
    let connection = Connection::open(file).unwrap();
    connection.busy_timeout(std::time::Duration::from_secs(60)).unwrap();
    connection
}

/// The program with these arguments, in this folder, without what the environment of the tests says.
pub(crate) fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rowtide"));
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("ROWTIDE_")) {
        command.env_remove(name);
    }
    command.current_dir(folder).args(arguments).stdin(Stdio::null());
    command
}

/// The first value of a query, as text.
pub(crate) fn text(connection: &Connection, sql: &str) -> String {
    let sql = format!("SELECT CAST(({sql}) AS TEXT)");
    connection.query_row(&sql, (), |row| row.get::<_, Option<String>>(0)).unwrap().unwrap_or_default()
}

/// How a command has ended, and what it has printed.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) lines: Vec<String>,
    pub(crate) errors: String,
}

pub(crate) fn run(command: &mut Command) -> Ended {
    let Output { status, stdout, stderr } = command.output().unwrap();
    let lines = String::from_utf8(stdout).unwrap().lines().map(str::to_owned).collect();
    Ended { code: status.code(), lines, errors: String::from_utf8(stderr).unwrap() }
}

/// A client that goes on.
pub(crate) struct Client {
    child: Process,
    lines: Lines<BufReader<ChildStdout>>,
}

/// Ends with the test.
struct Process(Child);

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

impl Client {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child: Process(child), lines }
    }

    /// Waits for a line that is so.
    pub(crate) fn line(&mut self, wanted: impl Fn(&str) -> bool) -> String {
        let mut seen = Vec::new();
        loop {
            match self.lines.next() {
                Some(line) if wanted(line.as_ref().unwrap()) => return line.unwrap(),
                Some(line) => seen.push(line.unwrap()),
                None => panic!("it has ended: {seen:?}, {}", self.errors()),
            }
        }
    }

    /// Nobody reads what it prints any more. Gives how it has ended.
    pub(crate) fn output_closed(self, until: impl FnOnce()) -> Ended {
        let Self { mut child, lines } = self;
        drop(lines);
        until();
        let mut errors = String::new();
        child.0.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        Ended { code: child.0.wait().unwrap().code(), lines: Vec::new(), errors }
    }

    /// Ends it as a crash does.
    pub(crate) fn kill(&mut self) {
        self.child.0.kill().unwrap();
        self.child.0.wait().unwrap();
    }

    /// Ctrl-C. Gives how it has ended, and what else it has printed.
    #[cfg(unix)]
    pub(crate) fn interrupt(mut self) -> Ended {
        let pid = self.child.0.id().to_string();
        assert!(Command::new("kill").args(["-INT", &pid]).status().unwrap().success());
        let lines = self.lines.by_ref().map(Result::unwrap).collect();
        let errors = self.errors();
        Ended { code: self.child.0.wait().unwrap().code(), lines, errors }
    }

    /// What it has said is wrong, when it has ended.
    fn errors(&mut self) -> String {
        let mut errors = String::new();
        self.child.0.stderr.take().unwrap().read_to_string(&mut errors).unwrap();
        errors
    }
}
