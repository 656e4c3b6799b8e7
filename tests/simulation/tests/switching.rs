//! A client while another configuration becomes active: a real SQLite with the library, whose update hook counts what
//! happens to the app's rows.
//!
//! The configurations give the same rows in buckets of other names, with and without priorities. At no moment is a row
//! missing, and none is written again.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing)]

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rowtide_testkit::host::Host;
use serde_json::{Value as Json, json};
use sync_config::{CompileOptions, Value, compile};
use sync_engine::connection::{Connection, ConnectionOptions, Step, User};
use sync_engine::lines::Encoding;
use sync_engine::memory::MemoryStore;
use sync_engine::notice::CommitNotice;
use sync_engine::request::StreamRequest;
use sync_engine::source::{Source, SourceStream};
use sync_engine::writer::{Want, Writer, WriterOptions};
use sync_sources::memory::MemorySource;

/// Rows of each table: more than a line has, so that a download takes several.
const ROWS: i64 = 1_200;

/// The service without its network, and one client.
struct System {
    source: MemorySource,
    writer: Writer,
    stream: Option<Box<dyn SourceStream>>,
    now: i64,
    connection: Option<Connection>,
    host: Host,
    /// Writes to the app's tables that the hook has counted, by table.
    written: Arc<Mutex<BTreeMap<String, usize>>>,
    tables: &'static str,
}

impl System {
    fn new(is_direct: bool) -> Self {
        let source = MemorySource::new();
        for table in ["lists", "todos"] {
            source.create_table(table, &["id", "name"], &["id"]).unwrap();
            let mut transaction = source.begin();
            for row in 0..ROWS {
                transaction = transaction.put(table, vec![Value::text(format!("{row}")), Value::text("a name")]);
            }
            transaction.commit().unwrap();
        }
        let store = MemoryStore::new("a1");
        let options = WriterOptions { grace: 1_000_000_000, ..WriterOptions::default() };
        let writer = Writer::new(Box::new(store), options).unwrap();
        let host = Host::open_in_memory();
        let table =
            |name: &str| json!({"name": name, "columns": [{"name": "name", "type": "text"}], "direct": is_direct});
        host.replace_schema(&json!({"tables": [table("lists"), table("todos")]}));
        let tables = if is_direct { "" } else { "ps_data__" };
        let written = Arc::new(Mutex::new(BTreeMap::new()));
        Self { source, writer, stream: None, now: 1, connection: None, host, written, tables }
    }

    /// Goes on until nothing is left to do. Gives what connections are told.
    fn settle(&mut self) -> Vec<CommitNotice> {
        let mut notices = Vec::new();
        let mut quiet = 0;
        while quiet < 3 {
            quiet += 1;
            self.now += 20_000;
            match self.writer.want() {
                Want::Tables(patterns) => {
                    let tables = self.source.tables(&patterns).unwrap();
                    self.writer.tables(&tables, self.source.head().unwrap(), self.now).unwrap();
                    quiet = 0;
                }
                Want::Chunk(wanted) => {
                    let chunk = self.source.snapshot_chunk(&wanted.table, wanted.after.as_deref(), wanted.limit);
                    self.writer.chunk(wanted.job, chunk.unwrap(), self.now).unwrap();
                    quiet = 0;
                }
                Want::Mark => {
                    self.source.mark().unwrap();
                    self.writer.marked();
                    quiet = 0;
                }
                Want::Refetch(_) => panic!("the source sends all values"),
                Want::Flush | Want::Events => {}
            }
            if self.stream.is_none() && self.writer.position().is_some() {
                self.stream = Some(self.source.stream(self.writer.position()).unwrap());
            }
            if let Some(stream) = &mut self.stream {
                let events = stream.next(Duration::ZERO).unwrap();
                self.writer.push(events).unwrap();
            }
            if let Some(notice) = self.writer.flush(self.now).unwrap() {
                notices.push(notice);
                quiet = 0;
            }
        }
        notices
    }

    fn deploy(&mut self, yaml: &str) -> Vec<CommitNotice> {
        let options =
            CompileOptions { default_schema: self.source.describe().default_schema, ..CompileOptions::default() };
        let compiled = compile(yaml, &options);
        let plan = compiled.plan.unwrap_or_else(|| panic!("{:?}", compiled.diagnostics));
        self.writer.deploy(yaml, plan, self.now).unwrap();
        self.settle()
    }

    /// The client connects, and downloads all.
    fn connect(&mut self) {
        let instructions = self.host.control("start", "{}");
        let told = instructions.as_array().unwrap().iter().find_map(|one| one.get("EstablishSyncStream")).unwrap();
        let request = StreamRequest::parse(told["request"].to_string().as_bytes()).unwrap();
        let user = User { id: "u".into(), claims: r#"{"sub":"u"}"#.into(), expires_at: i64::MAX };
        let options = ConnectionOptions { keep_alive: None, ..ConnectionOptions::default() };
        let plan = self.writer.active_plan().unwrap();
        self.connection = Some(Connection::new(request, user, plan, options, self.now));
        self.download(|_| ());
    }

    /// Takes lines until there are none, and gives their kinds. The check runs after each of them.
    fn download(&mut self, check: impl Fn(&Host)) -> Vec<String> {
        let mut lines = Vec::new();
        let readers = self.writer.readers();
        let connection = self.connection.as_mut().unwrap();
        loop {
            self.now += 1_000_000;
            let line = match connection.next(&*readers, None, self.now) {
                Step::Line(line) => {
                    let mut bytes = Vec::new();
                    Encoding::Json { raw_data: true }.write(&line, &mut bytes).unwrap();
                    String::from_utf8(bytes).unwrap()
                }
                Step::Wait { .. } => return lines,
                Step::End(reason) => panic!("the stream ends: {reason:?}"),
            };
            let told = self.host.control("line_text", line.trim_end());
            assert!(!told.to_string().contains("CloseSyncStream"), "the client does not take {line}: {told}");
            let line: Json = serde_json::from_str(&line).unwrap();
            lines.push(line.as_object().unwrap().keys().next().unwrap().clone());
            check(&self.host);
        }
    }

    /// From now on, writes to the app's tables are counted.
    fn count(&mut self) {
        let (written, prefix) = (Arc::clone(&self.written), self.tables);
        let hook = move |_: rusqlite::hooks::Action, _: &str, table: &str, _: i64| {
            let is_of_app = |name: &str| table == format!("{prefix}{name}");
            if is_of_app("lists") || is_of_app("todos") {
                *written.lock().unwrap().entry(table.to_owned()).or_default() += 1;
            }
        };
        self.host.connection_mut().update_hook(Some(hook)).unwrap();
    }

    fn buckets(&self) -> Vec<String> {
        let names = self.host.rows("SELECT name FROM ps_buckets WHERE name <> '$local' ORDER BY name");
        names.into_iter().map(|row| row[0].as_str().unwrap().to_owned()).collect()
    }

    /// Deploys, and follows the switch line by line: all rows are there after each.
    fn switch(&mut self, yaml: &str) -> Vec<String> {
        for notice in self.deploy(yaml) {
            self.connection.as_mut().unwrap().notice(&notice);
        }
        self.download(|host| {
            for table in ["lists", "todos"] {
                let count = host.value(&format!("SELECT count(*) FROM {table} WHERE name = 'a name'"));
                assert_eq!(count, json!(ROWS), "rows of {table}");
            }
        })
    }
}

/// The same rows by other expressions, at these priorities.
fn config(expression: &str, priorities: [u8; 2]) -> String {
    let [lists, todos] = priorities;
    format!(
        "config: {{edition: 3}}
streams:
  lists: {{auto_subscribe: true, priority: {lists}, query: 'SELECT id, {expression} AS name FROM lists'}}
  todos: {{auto_subscribe: true, priority: {todos}, query: 'SELECT id, {expression} AS name FROM todos'}}
"
    )
}

/// Switches to other names of buckets. Gives how many rows are written meanwhile.
fn switched(is_direct: bool, priorities: [u8; 2]) -> BTreeMap<String, usize> {
    let mut system = System::new(is_direct);
    system.deploy(&config("name", priorities));
    system.connect();
    let before = system.buckets();
    assert_eq!(before.len(), 2);
    system.count();
    let lines = system.switch(&config("coalesce(name, id)", priorities));
    assert_eq!(lines[0], "checkpoint", "{lines:?}");
    assert!(lines.iter().filter(|line| *line == "data").count() >= 4, "{lines:?}");
    let has_parts = lines.iter().any(|line| line == "partial_checkpoint_complete");
    assert_eq!(has_parts, priorities[0] != priorities[1], "{lines:?}");
    assert_eq!(lines.last().unwrap(), "checkpoint_complete");
    let after = system.buckets();
    assert!(after.len() == 2 && after.iter().all(|name| !before.contains(name)), "{before:?}, {after:?}");
    system.written.lock().unwrap().clone()
}

const PRIORITIES: [[u8; 2]; 4] = [[3, 3], [1, 3], [1, 2], [0, 2]];

#[test]
fn other_names_of_buckets_hide_no_row() {
    for priorities in PRIORITIES {
        switched(false, priorities);
    }
}

#[test]
fn other_names_of_buckets_write_no_row() {
    for is_direct in [false, true] {
        for priorities in PRIORITIES {
            assert_eq!(switched(is_direct, priorities), BTreeMap::new(), "direct {is_direct}, {priorities:?}");
        }
    }
}

#[test]
fn what_costs_no_row_costs_the_client_nothing() {
    let mut system = System::new(false);
    system.deploy(&config("name", [1, 3]));
    system.connect();
    let before = system.buckets();
    system.count();
    let split = config("name", [1, 3]);
    let joined = "config: {edition: 3}
streams:
  all:
    auto_subscribe: true
    queries: ['SELECT id, name FROM todos', 'SELECT id, name FROM lists']
";
    for yaml in [config("name", [2, 0]), split.replace("lists:", "renamed:"), joined.to_owned(), split] {
        assert_eq!(system.switch(&yaml), ["checkpoint", "checkpoint_complete"], "{yaml}");
        assert_eq!(system.buckets(), before, "{yaml}");
    }
    assert_eq!(*system.written.lock().unwrap(), BTreeMap::new());
}
