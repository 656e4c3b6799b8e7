//! A PostgreSQL server for tests: in a temporary folder, on a free port of the loopback interface, without waits for the
//! disk. The folder with its programs is named by `ROWTIDE_POSTGRES_BIN`, for instance `/usr/lib/postgresql/15/bin`.
//!
//! Tests that need it are ignored unless that variable is set when they are compiled (`cfg(postgres_server)` of their build script). The tests of one
//! program share a server, each in a database of its own; it stops when the last of them ends. Tests that kill the server
//! start their own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a failure here is the test's")]

use std::net::TcpListener;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use postgres::{Client, NoTls};
use tempfile::TempDir;

/// Settings that each server begins with. Commits are synchronous, as only what was written to the log is streamed; without
/// `fsync` that takes no time.
const SETTINGS: &[(&str, &str)] = &[
    ("listen_addresses", "'127.0.0.1'"),
    ("unix_socket_directories", "''"),
    ("fsync", "off"),
    ("full_page_writes", "off"),
    ("wal_level", "logical"),
    ("max_wal_senders", "50"),
    ("max_replication_slots", "50"),
    ("max_connections", "200"),
    ("shared_buffers", "32MB"),
    ("wal_sender_timeout", "60s"),
    ("log_min_messages", "warning"),
];

/// A server that runs while this exists.
pub struct Server {
    folder: TempDir,
    port: u16,
    process: Mutex<Option<Child>>,
}

/// A database of its own on a server.
pub struct Database {
    server: Arc<Server>,
    name: String,
}

static SHARED: Mutex<Weak<Server>> = Mutex::new(Weak::new());
static NEXT: AtomicU32 = AtomicU32::new(0);

impl Server {
    /// Starts a server with further settings, as lines of `postgresql.conf`.
    pub fn start(settings: &str) -> Arc<Self> {
        let folder = tempfile::Builder::new().prefix("rowtide-pg-").tempdir().unwrap();
        let owner = owner();
        if let Some((user, group)) = owner {
            std::os::unix::fs::chown(folder.path(), Some(user), Some(group)).unwrap();
        }
        let data = folder.path().join("data");
        let initdb = run_as(owner, &program("initdb"))
            .args([
                "-D",
                data.to_str().unwrap(),
                "-U",
                "postgres",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C",
                "--no-sync",
            ])
            .output()
            .unwrap();
        assert!(initdb.status.success(), "{}", String::from_utf8_lossy(&initdb.stderr));
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut lines: Vec<String> = SETTINGS.iter().map(|(name, value)| format!("{name} = {value}")).collect();
        lines.push(format!("port = {port}"));
        lines.push(settings.to_owned());
        let file = data.join("postgresql.conf");
        let text = std::fs::read_to_string(&file).unwrap();
        std::fs::write(&file, format!("{text}\n{}\n", lines.join("\n"))).unwrap();
        let server = Self { folder, port, process: Mutex::new(None) };
        server.resume();
        Arc::new(server)
    }

    /// The server that all tests of this program share.
    pub fn shared() -> Arc<Self> {
        let mut shared = SHARED.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(server) = shared.upgrade() {
            return server;
        }
        let server = Self::start("");
        *shared = Arc::downgrade(&server);
        server
    }

    /// A new database.
    pub fn database(self: &Arc<Self>) -> Database {
        let name = format!("test_{}", NEXT.fetch_add(1, Ordering::Relaxed));
        self.client("postgres").batch_execute(&format!("CREATE DATABASE {name}")).unwrap();
        Database { server: Arc::clone(self), name }
    }

    /// A connection as superuser.
    pub fn client(&self, database: &str) -> Client {
        Client::connect(&self.url(database), NoTls).unwrap()
    }

    /// The URL of a database, for the superuser.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://postgres@127.0.0.1:{}/{database}?sslmode=disable", self.port)
    }

    /// Where its files are, for backups while it is stopped.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends it at once, without a chance to write anything.
    pub fn kill(&self) {
        // Its children see that it is gone, and end; a new one waits until they have.
        self.end(&["-m", "immediate"]);
    }

    /// Ends it in order.
    pub fn stop(&self) {
        self.end(&["-m", "fast"]);
    }

    /// Starts it again.
    pub fn resume(&self) {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        assert!(process.is_none(), "the server runs");
        let log = std::fs::File::options().append(true).create(true).open(self.folder.path().join("log")).unwrap();
        let child = run_as(owner(), &program("postgres"))
            .args(["-D", self.data().to_str().unwrap()])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(log)
            .spawn()
            .unwrap();
        let child = process.insert(child);
        let url = self.url("postgres");
        loop {
            if Client::connect(&url, NoTls).is_ok() {
                return;
            }
            let ended = child.try_wait().unwrap();
            assert!(ended.is_none(), "the server has ended: {}", self.log());
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// What it has logged.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn end(&self, how: &[&str]) {
        let mut process = self.process.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(mut child) = process.take() else { return };
        let stopped = run_as(owner(), &program("pg_ctl"))
            .args(["stop", "-s", "-D", self.data().to_str().unwrap()])
            .args(how)
            .output();
        if !stopped.is_ok_and(|stopped| stopped.status.success()) {
            let _ = child.kill();
        }
        let _ = child.wait();
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.end(&["-m", "immediate"]);
    }
}

impl Database {
    /// Its URL, for the superuser.
    pub fn url(&self) -> String {
        self.server.url(&self.name)
    }

    /// Its URL for another role, with a password.
    pub fn url_as(&self, user: &str, password: &str) -> String {
        format!("postgres://{user}:{password}@127.0.0.1:{}/{}?sslmode=disable", self.server.port, self.name)
    }

    /// A connection as superuser.
    pub fn client(&self) -> Client {
        self.server.client(&self.name)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The server that it is on.
    pub fn server(&self) -> &Arc<Server> {
        &self.server
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // Slots of a database keep it from being dropped, and hold back the server's log.
        let Ok(mut client) = Client::connect(&self.server.url("postgres"), NoTls) else { return };
        let name = &self.name;
        let _ = client.batch_execute(&format!(
            "SELECT pg_terminate_backend(active_pid) FROM pg_replication_slots WHERE database = '{name}' AND active_pid IS NOT NULL"
        ));
        let _ = client.batch_execute(&format!(
            "SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = '{name}'"
        ));
        let _ = client.batch_execute(&format!("DROP DATABASE {name} WITH (FORCE)"));
    }
}

/// A program of PostgreSQL.
fn program(name: &str) -> PathBuf {
    let folder = std::env::var_os("ROWTIDE_POSTGRES_BIN").expect("ROWTIDE_POSTGRES_BIN names the folder of initdb");
    Path::new(&folder).join(name)
}

/// The user that the server runs as, if this is root, as whom it refuses to run.
fn owner() -> Option<(u32, u32)> {
    let id = |kind: &str, user: &[&str]| {
        let output = Command::new("id").arg(kind).args(user).output().ok()?;
        String::from_utf8(output.stdout).ok()?.trim().parse::<u32>().ok()
    };
    if id("-u", &[])? != 0 {
        return None;
    }
    Some((id("-u", &["postgres"])?, id("-g", &["postgres"])?))
}

fn run_as(owner: Option<(u32, u32)>, program: &Path) -> Command {
    let mut command = Command::new(program);
    command.current_dir("/").env("LC_ALL", "C");
    if let Some((user, group)) = owner {
        command.uid(user).gid(group);
    }
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
    fn a_server_starts_and_stops() {
        let database = Server::shared().database();
        let row = database.client().query_one("SHOW wal_level", &[]).unwrap();
        assert_eq!(row.get::<_, String>(0), "logical");
        let server = Arc::clone(database.server());
        server.kill();
        server.resume();
        assert_eq!(database.client().query_one("SELECT 1", &[]).unwrap().get::<_, i32>(0), 1);
    }
}
