//! Several processes on one file: some write, some read, two take turns as the syncing one, and now and then one is
//! killed with SIGKILL. Nothing is lost, merged or queued twice, and whoever reads sees whole transactions and whole
//! checkpoints.

use std::cell::Cell;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::rc::Rc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use rowtide_testkit::random::Random;
use rowtide_testkit::{Host, invariants};
use serde_json::{Value, json};

use crate::backend::Backend;
use crate::client::create_database;
use crate::compare::shown;
use crate::rows::{Row, Schema, Table};
use crate::stream::{Stream, data_line};
use crate::worker::{LAST_CHECKPOINT, WRITTEN, written_id};

/// What is run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// This program, which becomes a worker with the argument `worker` and a file.
    pub program: PathBuf,
    /// Of the random choices. What processes do at the same time is not determined by it.
    pub seed: u64,
    /// Processes that write.
    pub writers: u64,
    /// Transactions of each.
    pub transactions: u64,
}

/// What happened.
#[derive(Debug, Clone, Copy, Default)]
pub struct Report {
    /// Local transactions that came to the service.
    pub transactions: u64,
    /// Checkpoints published.
    pub published: u64,
    /// Checkpoints that a reader saw.
    pub seen: u64,
    /// Processes killed.
    pub kills: u64,
    /// Calls that were refused with SQLITE_BUSY, and repeated.
    pub refused: u64,
}

/// Rows that the service changes all at once.
const SERVICE_ROWS: usize = 5;
/// Their buckets, whose definitions have all columns.
const BUCKETS: [u8; 4] = [0, 1, 3, 4];

/// The client, as the service knows it: the first that gets all buckets.
const CLIENT: usize = 4;

/// How long a process may take for an answer, on however busy a machine.
const PATIENCE: Duration = Duration::from_secs(300);

/// A process that serves commands. It is killed when this is dropped.
pub(crate) struct Process {
    child: Child,
    input: ChildStdin,
    /// The lines that it writes, until it closes its output.
    output: Receiver<String>,
    /// What it writes to standard error. A file takes any amount although nobody reads it.
    errors: File,
    refused: Rc<Cell<u64>>,
}

impl Process {
    pub(crate) fn start(program: &Path, file: &Path, refused: &Rc<Cell<u64>>) -> Result<Self, String> {
        let cannot_start = |error| format!("cannot start a process: {error}");
        let errors = tempfile::tempfile().map_err(cannot_start)?;
        let mut child = Command::new(program)
            .arg("worker")
            .arg(file)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(errors.try_clone().map_err(cannot_start)?)
            .spawn()
            .map_err(cannot_start)?;
        let (Some(input), Some(pipe)) = (child.stdin.take(), child.stdout.take()) else {
            return Err("a process without pipes".to_owned());
        };
        let (sender, output) = channel();
        thread::spawn(move || {
            let lines = BufReader::new(pipe).lines();
            // Nobody listens any more once the process is to be killed.
            lines.map_while(Result::ok).try_for_each(|line| sender.send(line))
        });
        Ok(Self { child, input, output, errors, refused: Rc::clone(refused) })
    }

    fn tell(&mut self, command: &Value) -> Result<(), String> {
        let told = writeln!(self.input, "{command}");
        told.map_err(|error| format!("a process does not take {command}: {error}; {}", self.end()))
    }

    /// The next line.
    ///
    /// # Errors
    /// How the process ended, and what it wrote to standard error; that it did not answer.
    fn hear(&mut self) -> Result<Value, String> {
        let line = self.output.recv_timeout(PATIENCE).map_err(|error| match error {
            RecvTimeoutError::Disconnected => self.end(),
            RecvTimeoutError::Timeout => {
                let _ = self.child.kill();
                format!("nothing for {PATIENCE:?}; {}", self.end())
            }
        })?;
        let value: Value = serde_json::from_str(&line).map_err(|error| format!("a process says {line}: {error}"))?;
        self.refused.set(self.refused.get() + value["refused"].as_u64().unwrap_or(0));
        Ok(value)
    }

    pub(crate) fn ask(&mut self, command: &Value) -> Result<Value, String> {
        self.tell(command)?;
        let mut answer = self.hear().map_err(|problem| format!("no answer to {command}: {problem}"))?;
        Ok(answer["result"].take())
    }

    /// How a process ended that has closed its input or output, or was killed.
    fn end(&mut self) -> String {
        let status = self.child.wait().map_or_else(|error| error.to_string(), |status| status.to_string());
        let mut errors = String::new();
        let _ = self.errors.rewind().and_then(|()| self.errors.read_to_string(&mut errors));
        format!("it has ended ({status}): {errors}")
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A process that writes on its own.
struct Writer {
    process: Option<Process>,
    /// The first transaction that it has not reported.
    next: u64,
}

struct Run<'p> {
    plan: &'p Plan,
    file: PathBuf,
    random: Random,
    backend: Backend,
    writers: Vec<Writer>,
    syncing: [Option<Process>; 2],
    /// Which of them runs the iteration, and the service's side of it.
    iteration: Option<(usize, Stream)>,
    calls: u64,
    /// Entries by their queue ids, as they were uploaded.
    uploaded: BTreeMap<i64, Value>,
    /// Transactions that came to the service, by writer.
    arrived: Vec<BTreeSet<u64>>,
    refused: Rc<Cell<u64>>,
    report: Report,
}

/// Runs it all in `directory`.
///
/// # Errors
/// What is wrong.
pub fn run(plan: &Plan, directory: &Path) -> Result<Report, String> {
    let file = directory.join("shared.db");
    create_database(&file, directory).map_err(|error| error.to_string())?;
    let mut run = Run {
        plan,
        file,
        random: Random::new(plan.seed),
        backend: Backend::new(CLIENT + 1),
        writers: (0..plan.writers).map(|_| Writer { process: None, next: 0 }).collect(),
        syncing: [None, None],
        iteration: None,
        calls: 0,
        uploaded: BTreeMap::new(),
        arrived: vec![BTreeSet::new(); usize::try_from(plan.writers).unwrap_or(0)],
        refused: Rc::default(),
        report: Report::default(),
    };
    run.all()?;
    Ok(Report { refused: run.refused.get(), ..run.report })
}

impl Run<'_> {
    fn all(&mut self) -> Result<(), String> {
        let mut reader = Process::start(&self.plan.program, &self.file, &self.refused)?;
        reader.tell(&json!({"do": "read", "seed": self.plan.seed}))?;
        let mut generation = 0;
        loop {
            let is_over = self.drive_writers()?;
            generation += 1;
            self.change_service_rows(generation);
            self.upload()?;
            self.sync()?;
            if is_over {
                break;
            }
            self.kill_somebody();
        }
        // Everything is written: two rounds without disturbance bring it to the service and back.
        while !self.upload()? {}
        self.change_service_rows(LAST_CHECKPOINT);
        while !self.sync()? {
            self.upload()?;
        }
        let read = reader.hear().map_err(|problem| format!("the reader: {problem}"))?;
        self.report.seen = read["result"]["seen"].as_u64().ok_or_else(|| format!("a reader saw parts: {read}"))?;
        self.check_end()
    }

    /// Starts writers that do not run, and lets each go on for one transaction. True once all are done.
    fn drive_writers(&mut self) -> Result<bool, String> {
        for (index, writer) in self.writers.iter_mut().enumerate() {
            if writer.next >= self.plan.transactions {
                continue;
            }
            if writer.process.is_none() {
                let mut process = Process::start(&self.plan.program, &self.file, &self.refused)?;
                let (from, to) = (writer.next, self.plan.transactions);
                process.tell(&json!({"do": "write", "writer": index, "from": from, "to": to}))?;
                writer.process = Some(process);
            }
            let Some(process) = &mut writer.process else { continue };
            let heard = process.hear().map_err(|problem| format!("writer {index}: {problem}"))?;
            let committed = heard["committed"].as_u64().ok_or_else(|| format!("writer {index} says {heard}"))?;
            writer.next = committed + 1;
        }
        Ok(self.writers.iter().all(|writer| writer.next >= self.plan.transactions))
    }

    fn kill_somebody(&mut self) {
        if self.random.chance(10) {
            let index = self.random.below(self.writers.len());
            if let Some(process) = self.writers[index].process.take() {
                drop(process);
                self.report.kills += 1;
            }
        }
        if self.random.chance(10) {
            let index = self.random.below(2);
            self.kill_syncing(index);
        }
        if self.random.chance(10) {
            // The other connection takes over; the iteration of this one is left behind.
            self.iteration = None;
        }
    }

    fn change_service_rows(&mut self, generation: i64) {
        for index in 0..SERVICE_ROWS {
            let row = Row { name: None, n: Some(generation) };
            let places = [(BUCKETS[index % BUCKETS.len()], false)];
            self.backend.write((Table::Notes, format!("s{index}")), Some(row), &places);
        }
        self.backend.replicate(usize::MAX);
    }

    fn process(&mut self, index: usize) -> Result<&mut Process, String> {
        if self.syncing[index].is_none() {
            self.syncing[index] = Some(Process::start(&self.plan.program, &self.file, &self.refused)?);
        }
        self.syncing[index].as_mut().ok_or_else(|| "no process".to_owned())
    }

    /// Calls `powersync_control` in a syncing process; None if it was killed while it was at it.
    fn control(&mut self, index: usize, operation: &str, payload: &str) -> Result<Option<Value>, String> {
        self.calls += 1;
        let command = json!({"do": "control", "operation": operation, "payload": payload, "number": self.calls});
        if self.random.chance(2) {
            self.process(index)?.tell(&command)?;
            self.kill_syncing(index);
            return Ok(None);
        }
        self.process(index)?.ask(&command).map(Some)
    }

    fn kill_syncing(&mut self, index: usize) {
        if let Some(process) = self.syncing[index].take() {
            drop(process);
            self.report.kills += 1;
            self.iteration = self.iteration.take().filter(|(syncing, _)| *syncing != index);
        }
    }

    /// Uploads what is queued, as SDKs do. True if the queue was empty then.
    fn upload(&mut self) -> Result<bool, String> {
        let index = self.random.below(2);
        let sql = "SELECT id, tx_id, data FROM ps_crud ORDER BY id";
        let rows = self.process(index)?.ask(&json!({"do": "query", "sql": sql}))?;
        let rows = rows.as_array().cloned().unwrap_or_default();
        for transaction in rows.chunk_by(|a, b| a[1] == b[1]) {
            self.take_transaction(transaction)?;
        }
        let last = rows.last().map_or(0, |row| row[0].as_i64().unwrap_or(0));
        if self.random.chance(10) {
            // The answer is lost: all of it is uploaded again.
            return Ok(false);
        }
        let id = self.backend.create_write_checkpoint(CLIENT);
        self.backend.replicate(usize::MAX);
        let newest = last.max(self.uploaded.keys().next_back().copied().unwrap_or(0));
        let sequence = "(SELECT seq FROM sqlite_sequence WHERE name = 'ps_crud')";
        let answer = self.process(index)?.ask(&json!({"do": "transaction", "statements": [
            format!("DELETE FROM ps_crud WHERE id <= {last}"),
            format!("SELECT iif(NOT EXISTS (SELECT 1 FROM ps_crud) AND coalesce({sequence}, 0) = {newest},
                powersync_control('target_checkpoint_request_id', {id}) IS NULL, -1)"),
        ]}))?;
        Ok(answer[1][0][0] != -1)
    }

    /// The service takes one transaction; it must be one that a writer made, whole and alone.
    fn take_transaction(&mut self, rows: &[Value]) -> Result<(), String> {
        let mut entries = Vec::new();
        for row in rows {
            let entry: Value = row[2].as_str().and_then(|data| serde_json::from_str(data).ok()).unwrap_or_default();
            let id = row[0].as_i64().unwrap_or(0);
            if self.uploaded.get(&id).is_some_and(|before| *before != entry) {
                return Err(format!("entry {id} was something else before: {row}"));
            }
            self.uploaded.insert(id, entry.clone());
            entries.push(entry);
        }
        let (writer, transaction) = parse_id(&entries[0]["id"]).ok_or_else(|| format!("nobody wrote {rows:?}"))?;
        let expected: Vec<Value> = WRITTEN
            .iter()
            .enumerate()
            .map(|(row, table)| {
                let data = json!({"name": "written", "n": transaction});
                json!({"op": "PUT", "type": table.name(), "id": written_id(writer, transaction, row), "data": data})
            })
            .collect();
        if entries != expected {
            return Err(format!("a transaction in parts, or merged: {entries:?}"));
        }
        if let Some(arrived) = usize::try_from(writer).ok().and_then(|writer| self.arrived.get_mut(writer)) {
            arrived.insert(transaction);
        }
        self.backend.upload(&entries);
        Ok(())
    }

    /// One checkpoint. True if it was published.
    fn sync(&mut self) -> Result<bool, String> {
        if self.iteration.is_none() {
            let index = self.random.below(2);
            let gate = if self.random.chance(50) { "rows" } else { "all" };
            let options = json!({"schema": Schema::First.json(), "gate": gate}).to_string();
            let Some(instructions) = self.control(index, "start", &options)? else { return Ok(false) };
            let request = instructions.as_array().into_iter().flatten().find_map(|one| one.get("EstablishSyncStream"));
            let buckets = request.map(|request| &request["request"]["buckets"]).and_then(Value::as_array);
            let held = buckets.into_iter().flatten().filter_map(|bucket| {
                Some((bucket["name"].as_str()?.to_owned(), bucket["after"].as_str()?.parse().ok()?))
            });
            self.iteration = Some((index, Stream::new(held.collect())));
        }
        let Some((index, mut stream)) = self.iteration.take() else { return Ok(false) };
        let (announced, line) = stream.announce(&mut self.backend, CLIENT, None);
        let last_op_id = announced.last_op_id;
        if !self.feed(index, &line)?.0 {
            return Ok(false);
        }
        stream.announced(announced);
        while let Some((bucket, operations)) = stream.next_data(20, 3) {
            if !self.feed(index, &data_line(&bucket, &operations))?.0 {
                return Ok(false);
            }
            stream.sent(&bucket, &operations);
        }
        let line = json!({"checkpoint_complete": {"last_op_id": last_op_id.to_string()}});
        let (is_open, is_published) = self.feed(index, &line)?;
        if is_open {
            self.iteration = Some((index, stream));
        }
        self.report.published += u64::from(is_published);
        Ok(is_published)
    }

    /// Whether the iteration goes on after a line, and whether a checkpoint was published.
    fn feed(&mut self, index: usize, line: &Value) -> Result<(bool, bool), String> {
        let Some(instructions) = self.control(index, "line_text", &line.to_string())? else {
            return Ok((false, false));
        };
        let instructions = instructions.to_string();
        if instructions.contains("\"WARNING\"") {
            return Err(format!("{line} gave {instructions}"));
        }
        Ok((!instructions.contains("CloseSyncStream"), instructions.contains("DidCompleteSync")))
    }

    /// Everything that was reported as committed has come to the service once, and the file shows what that has.
    fn check_end(&mut self) -> Result<(), String> {
        for (writer, arrived) in self.arrived.iter().enumerate() {
            let missing: Vec<u64> = (0..self.plan.transactions).filter(|number| !arrived.contains(number)).collect();
            if !missing.is_empty() {
                return Err(format!("writer {writer}'s transactions {missing:?} are lost"));
            }
            self.report.transactions += arrived.len() as u64;
        }
        self.writers.clear();
        self.syncing = [None, None];
        let host = Host::open(&self.file);
        host.replace_schema(&Schema::First.json());
        let shown = shown(&host, Schema::First).map_err(|error| error.to_string())?;
        let expected = self.backend.rows_of(&self.backend.buckets_of(CLIENT));
        if shown != expected {
            return Err(format!("the file shows {} rows, the service has {}", shown.len(), expected.len()));
        }
        if host.value("SELECT count(*) FROM ps_crud") != 0 {
            return Err("the queue is not empty".to_owned());
        }
        invariants::check_consistent(&host)
    }
}

/// Writer and transaction of an id.
fn parse_id(id: &Value) -> Option<(u64, u64)> {
    let mut parts = id.as_str()?.strip_prefix('w')?.split('-');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}
