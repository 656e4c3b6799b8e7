//! Two processes that sync one file at the same time, each with its own SDK and a service whose answers take their
//! time: how many streams they open, what they download, how often a change is published, and what becomes of their
//! local writes.
//!
//! Nothing here depends on timing: the latency decides who comes first, and the counts must be the same whoever does. If
//! a process ends, or does not answer, that is an error.

use std::cell::Cell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use rowtide_testkit::service::Service;
use rowtide_testkit::sync_stream::SyncStream;
use rowtide_testkit::{Host, invariants};
use serde_json::{Value, json};

use crate::client::create_database;
use crate::processes::Process;
use crate::rows::Schema;

/// What is run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// This program, which becomes a worker with the argument `worker` and a file.
    pub program: PathBuf,
    /// How long a line takes to each of the two, if nothing was on its way before; also an upload, and its answer.
    pub latency: [Duration; 2],
    /// Rows of the first sync.
    pub rows: usize,
    /// Keep-alives with nothing else happening.
    pub heartbeats: u64,
    /// Changes in the service after that, one after the other.
    pub changes: usize,
    /// Local transactions of each process.
    pub writes: u64,
}

/// What happened.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    /// Streams that each opened.
    pub streams: [u64; 2],
    /// Operations that each was sent.
    pub received: [usize; 2],
    /// Rows of the service that were written to the application's tables, however often.
    pub published: u64,
    /// Operations in the service.
    pub operations: usize,
    /// Local transactions that arrived, each once.
    pub arrived: usize,
}

const BUCKETS: usize = 4;

/// How long both may take for what they are to do next, on however busy a machine.
const PATIENCE: Duration = Duration::from_secs(300);

/// What the service, the processes and the test share.
struct State {
    service: Service,
    /// Grows with every change of the service.
    version: u64,
    /// Keep-alives that the service has sent.
    heartbeats: u64,
    /// Local transactions that each is to make.
    writes: u64,
    is_over: bool,
    /// How far each has come: the version published, heartbeats answered, and local transactions uploaded.
    done: [Progress; 2],
    /// Entries of the upload queue by their ids.
    uploaded: BTreeMap<i64, Value>,
    write_checkpoint: i64,
    report: Report,
    failure: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Progress {
    published: u64,
    heartbeats: u64,
    writes: u64,
}

struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Changes the state, and notifies everybody.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let result = change(&mut self.lock());
        self.changed.notify_all();
        result
    }

    /// Waits until both have come so far.
    ///
    /// # Errors
    /// What has failed; how far each has come, if that takes too long.
    fn wait(&self, is_reached: impl Fn(&State) -> bool) -> Result<(), String> {
        let is_waiting = |state: &mut State| state.failure.is_none() && !is_reached(state);
        let waited = self.changed.wait_timeout_while(self.lock(), PATIENCE, is_waiting);
        let (state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        match &*state {
            State { failure: Some(failure), .. } => Err(failure.clone()),
            _ if !timeout.timed_out() => Ok(()),
            State { version, heartbeats, writes, done, report, .. } => Err(format!(
                "waited for {PATIENCE:?} in vain: the service is at version {version} and heartbeat {heartbeats}, \
                 {writes} writes are to be made, and the processes have come to {done:?}; {report:?}"
            )),
        }
    }

    /// Runs `work`, and has everybody end if it fails or panics, with `who` in the message.
    fn guard<T>(&self, who: &str, work: impl FnOnce() -> Result<T, String>) -> Option<T> {
        let result = catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|_| Err("panicked".to_owned()));
        match result {
            Ok(value) => Some(value),
            Err(message) => {
                self.change(|state| {
                    state.failure.get_or_insert_with(|| format!("{who}: {message}"));
                    state.is_over = true;
                });
                None
            }
        }
    }
}

/// Runs it all in `directory`.
///
/// # Errors
/// What is wrong.
pub fn run(plan: &Plan, directory: &Path) -> Result<Report, String> {
    let file = directory.join("shared.db");
    create_database(&file, directory).map_err(|error| error.to_string())?;
    let host = Host::open(&file);
    host.execute(
        "PRAGMA journal_mode = WAL; CREATE TABLE published(id);
         CREATE TRIGGER inserted AFTER INSERT ON ps_data__items BEGIN INSERT INTO published VALUES (NEW.id); END;
         CREATE TRIGGER updated AFTER UPDATE ON ps_data__items BEGIN INSERT INTO published VALUES (NEW.id); END;",
    );
    let mut service = Service::new();
    for row in 0..plan.rows {
        let data = json!({"name": "first", "n": row});
        service.put(&format!("bucket{}", row % BUCKETS), "items", &format!("r{row}"), &data);
    }
    let shared = Shared {
        state: Mutex::new(State {
            service,
            version: 1,
            heartbeats: 0,
            writes: 0,
            is_over: false,
            done: [Progress::default(); 2],
            uploaded: BTreeMap::new(),
            write_checkpoint: 0,
            report: Report::default(),
            failure: None,
        }),
        changed: Condvar::new(),
    };
    thread::scope(|scope| {
        for index in 0..2 {
            let (shared, file) = (&shared, &file);
            let run = move || Sdk::start(plan, file, shared, index).and_then(Sdk::run);
            scope.spawn(move || shared.guard(&format!("process {index}"), run));
        }
        shared.guard("service", || drive(plan, &shared, &host));
        shared.change(|state| state.is_over = true);
    });
    let state = shared.lock();
    if let Some(failure) = &state.failure {
        return Err(failure.clone());
    }
    check_end(&host, &state)?;
    Ok(state.report)
}

/// What happens while both run.
fn drive(plan: &Plan, shared: &Shared, host: &Host) -> Result<(), String> {
    let published = |shared: &Shared| {
        let version = shared.lock().version;
        shared.wait(|state| state.done.iter().all(|done| done.published >= version))
    };
    published(shared)?;
    for _ in 0..plan.heartbeats {
        let count = shared.change(|state| {
            state.heartbeats += 1;
            state.heartbeats
        });
        shared.wait(|state| state.done.iter().all(|done| done.heartbeats >= count))?;
    }
    for change in 0..plan.changes {
        shared.change(|state| {
            state.service.put("bucket0", "items", "r0", &json!({"name": "changed", "n": change}));
            state.version += 1;
        });
        published(shared)?;
    }
    let rows = host.value("SELECT count(*) FROM published").as_u64().unwrap_or(0);
    shared.change(|state| {
        (state.report.published, state.writes) = (rows, plan.writes);
    });
    shared.wait(|state| state.done.iter().all(|done| done.writes >= plan.writes))?;
    published(shared)
}

/// Everything written locally has arrived once, and the file shows what the service has.
fn check_end(host: &Host, state: &State) -> Result<(), String> {
    let shown = host.table("SELECT id, data FROM ps_data__items ORDER BY id");
    let expected: Vec<Value> = state.service.rows().into_iter().map(|((_, id), data)| json!([id, data])).collect();
    if shown != Value::from(expected) {
        return Err("the file does not show what the service has".to_owned());
    }
    if host.value("SELECT count(*) FROM ps_crud") != 0 {
        return Err("the queue is not empty".to_owned());
    }
    invariants::check_consistent(host)
}

/// One process with its SDK.
struct Sdk<'s> {
    process: Process,
    shared: &'s Shared,
    latency: Duration,
    index: usize,
    stream: Option<SyncStream>,
    /// The version that the stream has announced, and heartbeats that it has sent.
    told: (u64, u64),
    done: Progress,
}

/// What an SDK does next.
enum Next {
    Connect,
    Checkpoint(u64, Box<Service>),
    Heartbeat(u64),
    Write(u64),
    End,
}

impl<'s> Sdk<'s> {
    fn start(plan: &Plan, file: &Path, shared: &'s Shared, index: usize) -> Result<Self, String> {
        let process = Process::start(&plan.program, file, &Rc::new(Cell::new(0)))?;
        let latency = plan.latency[index];
        Ok(Self { process, shared, latency, index, stream: None, told: (0, 0), done: Progress::default() })
    }

    fn run(mut self) -> Result<(), String> {
        loop {
            match self.next() {
                Next::Connect => self.connect()?,
                Next::Checkpoint(version, service) => self.checkpoint(version, &service)?,
                Next::Heartbeat(count) => {
                    self.told.1 = count;
                    thread::sleep(self.latency);
                    let told = self.feed(&json!({"token_expires_in": 3600}))?;
                    // What the other one did last may be reported at first, but nothing is to be done.
                    if told.contains("CloseSyncStream") {
                        return Err(format!("with nothing happening: {told}"));
                    }
                    if told.contains("DidCompleteSync") {
                        self.publish(self.told.0);
                    }
                    self.done.heartbeats = count;
                }
                Next::Write(number) => self.write(number)?,
                Next::End => return Ok(()),
            }
            let (index, done) = (self.index, self.done);
            self.shared.change(|state| state.done[index] = done);
        }
    }

    /// Waits until there is something to do.
    fn next(&self) -> Next {
        let mut state = self.shared.lock();
        loop {
            if state.is_over {
                return Next::End;
            } else if self.stream.is_none() {
                return Next::Connect;
            } else if state.version > self.told.0 {
                return Next::Checkpoint(state.version, Box::new(state.service.clone()));
            } else if state.heartbeats > self.told.1 {
                return Next::Heartbeat(state.heartbeats);
            } else if state.writes > self.done.writes {
                return Next::Write(self.done.writes);
            }
            state = self.shared.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn control(&mut self, operation: &str, payload: &Value) -> Result<Value, String> {
        self.process.ask(&json!({"do": "control", "operation": operation, "payload": payload, "number": 1}))
    }

    fn connect(&mut self) -> Result<(), String> {
        let instructions = self.control("start", &json!({"schema": Schema::First.json()}).to_string().into())?;
        let stream = SyncStream::open(&instructions).ok_or_else(|| format!("start gave {instructions}"))?;
        let index = self.index;
        self.shared.change(|state| state.report.streams[index] += 1);
        thread::sleep(self.latency);
        (self.stream, self.told.0) = (Some(stream), 0);
        Ok(())
    }

    /// The service announces its state, and sends all of it.
    fn checkpoint(&mut self, version: u64, service: &Service) -> Result<(), String> {
        let Some(mut stream) = self.stream.take() else { return Ok(()) };
        self.told.0 = version;
        thread::sleep(self.latency);
        let before = stream.operations;
        let mut told = self.feed(&stream.announce(service))?;
        while !told.contains("CloseSyncStream") {
            let Some(line) = stream.next_data(100) else {
                told = self.feed(&stream.complete())?;
                break;
            };
            told = self.feed(&line)?;
        }
        let (index, received) = (self.index, stream.operations - before);
        self.shared.change(|state| state.report.received[index] += received);
        if told.contains("CloseSyncStream") {
            return Ok(());
        }
        if told.contains("DidCompleteSync") {
            self.publish(version);
        }
        self.stream = Some(stream);
        Ok(())
    }

    /// This process shows a version. The other one may have put it off while a write waited for its upload, and looks at
    /// it again at the next keep-alive, as there are always more of them.
    fn publish(&mut self, version: u64) {
        self.done.published = version;
        self.shared.change(|state| state.heartbeats += u64::from(state.writes > 0));
    }

    /// The instructions for a line, as text.
    fn feed(&mut self, line: &Value) -> Result<String, String> {
        let told = self.control("line_text", &line.to_string().into())?.to_string();
        if told.contains("\"WARNING\"") { Err(format!("{line} gave {told}")) } else { Ok(told) }
    }

    /// Writes a local transaction, and uploads what is queued, also by the other one.
    fn write(&mut self, number: u64) -> Result<(), String> {
        let row = format!("w{}-{number}", self.index);
        let insert = format!("INSERT INTO items(id, name, n) VALUES ('{row}', 'local', {number})");
        self.process.ask(&json!({"do": "transaction", "statements": [insert]}))?;
        let sql = "SELECT id, data FROM ps_crud ORDER BY id";
        let queued = self.process.ask(&json!({"do": "query", "sql": sql}))?;
        let queued = queued.as_array().cloned().unwrap_or_default();
        thread::sleep(self.latency);
        let checkpoint = self.shared.change(|state| state.upload(&queued))?;
        thread::sleep(self.latency);
        let last = queued.last().map_or(0, |row| row[0].as_i64().unwrap_or(0));
        let sequence = "(SELECT seq FROM sqlite_sequence WHERE name = 'ps_crud')";
        self.process.ask(&json!({"do": "transaction", "statements": [
            format!("DELETE FROM ps_crud WHERE id <= {last}"),
            format!("SELECT iif(NOT EXISTS (SELECT 1 FROM ps_crud) AND coalesce({sequence}, 0) = {last},
                powersync_control('target_checkpoint_request_id', {checkpoint}) IS NULL, -1)"),
        ]}))?;
        self.control("completed_upload", &Value::Null)?;
        self.done.writes = number + 1;
        Ok(())
    }
}

impl State {
    /// The service takes entries; those that it has already are known by their ids. Gives a write checkpoint.
    fn upload(&mut self, queued: &[Value]) -> Result<i64, String> {
        for row in queued {
            let entry: Value = row[1].as_str().and_then(|data| serde_json::from_str(data).ok()).unwrap_or_default();
            match self.uploaded.insert(row[0].as_i64().unwrap_or(0), entry.clone()) {
                None => {
                    let id = entry["id"].as_str().unwrap_or_default();
                    self.service.put("bucket1", "items", id, &entry["data"]);
                    self.report.arrived += 1;
                }
                Some(before) if before == entry => {}
                Some(before) => return Err(format!("{entry} was {before} when it was uploaded first")),
            }
        }
        self.write_checkpoint += 1;
        self.service.write_checkpoint = Some(self.write_checkpoint);
        self.version += 1;
        self.report.operations = self.service.buckets.values().map(|bucket| bucket.operations.len()).sum();
        Ok(self.write_checkpoint)
    }
}
