//! A database file that several clients use, each with its own stream from the service.

use rowtide_testkit::Host;
use rowtide_testkit::service::Service;
use rowtide_testkit::sync_stream::SyncStream;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A database file that several clients use.
pub(super) struct File {
    directory: TempDir,
}

impl File {
    pub(super) fn new() -> Self {
        let file = Self { directory: tempfile::tempdir().unwrap() };
        let host = file.open();
        host.execute("PRAGMA journal_mode = WAL");
        host.replace_schema(&json!({"tables": [{"name": "lists", "columns": [{"name": "name", "type": "text"}]}]}));
        // What is published, however often and by whom.
        host.execute(
            "CREATE TABLE published(id, op);
             CREATE TRIGGER inserted AFTER INSERT ON ps_data__lists BEGIN INSERT INTO published VALUES (NEW.id, 'insert'); END;
             CREATE TRIGGER updated AFTER UPDATE ON ps_data__lists BEGIN INSERT INTO published VALUES (NEW.id, 'update'); END;
             CREATE TRIGGER deleted AFTER DELETE ON ps_data__lists BEGIN INSERT INTO published VALUES (OLD.id, 'delete'); END;",
        );
        file
    }

    pub(super) fn open(&self) -> Host {
        Host::open(self.directory.path().join("app.db"))
    }

    pub(super) fn client(&self) -> Client {
        Client { host: self.open(), options: json!({}), stream: None, starts: 0, received: 0 }
    }

    pub(super) fn clients<const N: usize>(&self) -> [Client; N] {
        std::array::from_fn(|_| self.client())
    }
}

/// An SDK with its connection to the file and to the service.
pub(super) struct Client {
    pub host: Host,
    pub options: Value,
    pub stream: Option<SyncStream>,
    /// Iterations started.
    pub starts: usize,
    /// Operations that the service sent on streams that are closed.
    received: usize,
}

impl Client {
    pub(super) fn start(&mut self) {
        let instructions = self.host.control("start", &self.options);
        self.received = self.received();
        self.stream = Some(SyncStream::open(&instructions).unwrap());
        self.starts += 1;
    }

    /// Operations that the service sent.
    pub(super) fn received(&self) -> usize {
        self.received + self.stream.as_ref().map_or(0, |stream| stream.operations)
    }

    /// Feeds what the stream gives next.
    pub(super) fn feed(&mut self, next: impl FnOnce(&mut SyncStream) -> Value) -> Value {
        let line = next(self.stream.as_mut().unwrap());
        self.line(&line)
    }

    pub(super) fn line(&mut self, line: &Value) -> Value {
        let instructions = self.host.line(line);
        if closes(&instructions).is_some() {
            self.received = self.received();
            self.stream = None;
        }
        instructions
    }

    pub(super) fn announce(&mut self, service: &Service) -> Value {
        self.feed(|stream| stream.announce(service))
    }

    /// One data line; None if there is nothing more.
    pub(super) fn data(&mut self, size: usize) -> Option<Value> {
        let line = self.stream.as_mut()?.next_data(size)?;
        Some(self.line(&line))
    }

    pub(super) fn complete(&mut self) -> Value {
        while self.data(1000).is_some() {}
        self.feed(|stream| stream.complete())
    }

    /// A whole checkpoint, with a new connection if there is none.
    pub(super) fn sync(&mut self, service: &Service) -> Value {
        if self.stream.is_none() {
            self.start();
        }
        self.announce(service);
        self.complete()
    }

    pub(super) fn keep_alive(&mut self) -> Value {
        self.line(&json!({"token_expires_in": 3600}))
    }

    pub(super) fn names(&self) -> Value {
        self.host.table("SELECT id, name FROM lists ORDER BY id")
    }

    /// Ends the iteration.
    pub(super) fn end(&mut self, operation: &str) {
        self.host.control(operation, ());
        self.received = self.received();
        self.stream = None;
    }
}

/// Whether the iteration ended, and with which `hide_disconnect`.
pub(super) fn closes(instructions: &Value) -> Option<bool> {
    let close = instructions.as_array()?.iter().find_map(|one| one.get("CloseSyncStream"))?;
    close["hide_disconnect"].as_bool()
}

pub(super) fn completes(instructions: &Value) -> bool {
    instructions.to_string().contains("DidCompleteSync")
}

pub(super) fn status(instructions: &Value) -> &Value {
    let found = instructions.as_array().unwrap().iter().find_map(|one| one.get("UpdateSyncStatus"));
    &found.unwrap_or_else(|| panic!("no status in {instructions}"))["status"]
}

/// A service with so many rows in each of two buckets.
pub(super) fn service(rows: usize) -> Service {
    let mut service = Service::new();
    for row in 0..rows {
        service.put("a", "lists", &format!("a{row:03}"), &json!({"name": "of a"}));
        service.put("b", "lists", &format!("b{row:03}"), &json!({"name": "of b"}));
    }
    service
}

/// What was published, `(id, op)` each, since this was last asked.
pub(super) fn published(host: &Host) -> Value {
    let published = host.table("SELECT * FROM published ORDER BY rowid");
    host.execute("DELETE FROM published");
    published
}
