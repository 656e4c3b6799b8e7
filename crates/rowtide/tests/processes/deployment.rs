//! A database and a source, and processes on them.

use std::path::Path;
use std::sync::Arc;

use pg_server::{Database, Server};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::support::{Lines, Running, SECRET, command, folder, token, write};

const ADMIN: &str = "admin token";

/// What processes work on.
pub(crate) struct Deployment {
    pub(crate) folder: TempDir,
    pub(crate) database: Database,
}

impl Deployment {
    pub(crate) fn new() -> Self {
        Self::on(&Server::shared())
    }

    pub(crate) fn on(server: &Arc<Server>) -> Self {
        Self { folder: folder(), database: server.database() }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    /// A process that may write the storage.
    pub(crate) fn with_source(&self, role: &str) -> Running {
        self.start(&["--role", role, "--config", "sync.yaml", "--source", "sqlite:app.db", "--seed", "seed.sql"])
    }

    /// A process that only serves clients.
    pub(crate) fn api(&self) -> Running {
        self.start(&["--role", "api"])
    }

    /// Waits until it is ready.
    pub(crate) fn start(&self, more: &[&str]) -> Running {
        let arguments = ["serve", "--port", "0", "--json", "--jwt-secret", SECRET];
        let mut command = command(self.path(), &[&arguments, more].concat());
        command.env("ROWTIDE_STORAGE", self.database.url()).env("ROWTIDE_ADMIN_TOKEN", ADMIN);
        Running::start(command)
    }

    /// Changes the source.
    pub(crate) fn write(&self, sql: &str) {
        write(&self.path().join("app.db"), sql);
    }

    pub(crate) fn token(&self, user: &str) -> String {
        token(self.path(), user)
    }
}

/// Asks a process as an administrator.
pub(crate) fn admin(process: &Running, path: &str) -> Value {
    let answer = process.get(path).bearer_auth(ADMIN).send().unwrap();
    assert_eq!(answer.status(), 200, "{path}");
    answer.json().unwrap()
}

/// Deploys a configuration through a process.
pub(crate) fn deploy(process: &Running, yaml: &str) -> Value {
    let answer = process.post("/api/sync-rules/v1/deploy").bearer_auth(ADMIN).body(yaml.to_owned()).send().unwrap();
    assert_eq!(answer.status(), 200);
    answer.json().unwrap()
}

/// What a process says of itself.
pub(crate) fn process(process: &Running) -> Value {
    admin(process, "/api/admin/v1/status")["process"].clone()
}

/// Asks for the next write checkpoint.
pub(crate) fn write_checkpoint(process: &Running, token: &str) -> i64 {
    let request = process.get("/write-checkpoint2.json?client_id=c").bearer_auth(token);
    let answer = request.send().unwrap();
    assert_eq!(answer.status(), 200);
    let body: Value = answer.json().unwrap();
    body["data"]["write_checkpoint"].as_str().unwrap().parse().unwrap()
}

/// Opens a stream of a client that has these positions.
pub(crate) fn stream_from(process: &Running, token: &str, buckets: &Value) -> Lines {
    let body = json!({"raw_data": true, "client_id": "c", "buckets": buckets});
    process.stream_with(token, &body)
}

/// Reads checkpoints until one acknowledges this write checkpoint; gives all lines.
pub(crate) fn acknowledged(lines: &mut Lines, id: i64) -> Vec<Value> {
    let mut all = Vec::new();
    loop {
        let more = lines.checkpoint();
        let is_acknowledged = more.iter().any(|line| {
            ["checkpoint", "checkpoint_diff"].iter().any(|kind| {
                let at = line[kind]["write_checkpoint"].as_str().and_then(|id| id.parse::<i64>().ok());
                at.is_some_and(|at| at >= id)
            })
        });
        all.extend(more);
        if is_acknowledged {
            return all;
        }
    }
}
