//! A small session with the built library in which every request for memory fails once, alone or with all that follow:
//! each call succeeds or fails with SQLITE_NOMEM, the session continues, and ends as an undisturbed one does
//! (docs/reliability.md#how-it-is-tested). A call that has failed is made again as if it had not been made before: only
//! after a COMMIT that failed, which undid a call that had succeeded, may the iteration end
//! (docs/reference/sync-client.md#failed-calls-and-rollbacks).
//!
//! Each kind of failure has its own process, so that an abort is a failed test that names the request.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::io::Write;
use std::ops::Range;
use std::process::{Command, Stdio};

use rowtide_testkit::faults::{Database, Failure, allocator};
use rowtide_testkit::library;
use rowtide_testkit::service::Service;
use rusqlite::ffi;
use serde_json::{Value, json};

/// Tells the child process what to do.
const VARIABLE: &str = "POWERSYNC_FAILING_ALLOCATOR";

/// A step of the session.
struct Step {
    sql: &'static str,
    parameters: Vec<String>,
    kind: Kind,
    /// For lines: the number of the checkpoint that they belong to, from 1.
    feed: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Query,
    /// In its own transaction.
    Write,
    /// A call of `powersync_control`, in its own transaction.
    Control,
}

impl Step {
    fn new(kind: Kind, sql: &'static str, parameters: &[&str]) -> Self {
        Self { sql, parameters: parameters.iter().map(|text| String::from(*text)).collect(), kind, feed: 0 }
    }

    fn write(sql: &'static str, parameters: &[&str]) -> Self {
        Self::new(Kind::Write, sql, parameters)
    }

    fn query(sql: &'static str, parameters: &[&str]) -> Self {
        Self::new(Kind::Query, sql, parameters)
    }

    /// Whether the step failed because no iteration is running.
    fn is_end_of_iteration(&self, failure: &Failure) -> bool {
        self.kind == Kind::Control && failure.code == ffi::SQLITE_MISUSE
    }

    fn run(&self, database: &Database) -> Result<Vec<String>, Failure> {
        self.attempt(database).map_err(|(_, failure)| failure)
    }

    fn attempt(&self, database: &Database) -> Result<Vec<String>, (Undone, Failure)> {
        let parameters: Vec<&str> = self.parameters.iter().map(String::as_str).collect();
        let failed = |failure| (Undone::Nothing, failure);
        if self.kind == Kind::Query {
            return database.run(self.sql, &parameters).map_err(failed);
        }
        database.run("BEGIN IMMEDIATE", &[]).map_err(failed)?;
        let rows = database.run(self.sql, &parameters).map_err(failed)?;
        database.run("COMMIT", &[]).map_err(|failure| (Undone::Call, failure))?;
        Ok(rows.iter().map(|row| without_times(row)).collect())
    }
}

/// What a failed step undoes when it is rolled back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Undone {
    /// Nothing that had succeeded.
    Nothing,
    /// A call that had succeeded.
    Call,
}

/// `text` without numbers of ten or more digits, which are times.
fn without_times(text: &str) -> String {
    text.split_inclusive(|c: char| !c.is_ascii_digit())
        .map(|part| if part.len() > 10 { part.trim_start_matches(|c: char| c.is_ascii_digit()) } else { part })
        .collect()
}

fn session() -> Vec<Step> {
    let control = |operation: &str, payload: &str| {
        Step::new(Kind::Control, "SELECT powersync_control(?, ?)", &[operation, payload])
    };
    let schema = json!({"tables": [
        {"name": "lists", "columns": [{"name": "name", "type": "text"}, {"name": "size", "type": "integer"}]},
    ]});
    let mut service = Service::new();
    for number in 0..5 {
        service.put("a", "lists", &format!("l{number}"), &json!({"name": format!("list {number}"), "size": number}));
    }
    let mut steps = vec![
        Step::query("SELECT substr(powersync_rs_version(), 1, 8), length(uuid())", &[]),
        Step::write("SELECT powersync_replace_schema(?)", &[&schema.to_string()]),
        Step::write("UPDATE ps_kv SET value = 'this client' WHERE key = 'client_id'", &[]),
        Step::query("SELECT powersync_diff(?, ?)", &[r#"{"a": 1, "b": [2]}"#, r#"{"b": [3], "c": "x"}"#]),
        Step::query("SELECT powersync_json_merge(?, ?)", &[r#"{"a": 1}"#, r#"{"b": 2}"#]),
        control("start", "{}"),
        control("connection", "established"),
    ];
    let feed = |service: &Service, after, feed| -> Vec<Step> {
        let step = |line: &Value| Step { feed, ..control("line_text", &line.to_string()) };
        service.lines(after).iter().map(step).collect()
    };
    steps.extend(feed(&service, 0, 1));
    let before = service.last_op_id;
    service.remove("a", "lists", "l1");
    service.put("a", "lists", "l2", &json!({"name": "renamed", "size": -1}));
    steps.extend(feed(&service, before, 2));
    steps.extend([
        Step::write("INSERT INTO lists(id, name) VALUES ('mine', 'x'), ('mine too', 'y')", &[]),
        Step::write("UPDATE lists SET name = 'z' WHERE id = 'mine'", &[]),
        Step::write("DELETE FROM lists WHERE id = 'l3'", &[]),
        Step::query("SELECT id, name, size FROM lists ORDER BY id", &[]),
        Step::query("SELECT data FROM ps_crud ORDER BY id", &[]),
        control("stop", ""),
        Step::query("SELECT json_valid(powersync_offline_sync_status())", &[]),
        Step::query("PRAGMA integrity_check", &[]),
    ]);
    steps
}

/// A session with texts that are larger than the largest block of the reserve, wherever they can be.
fn session_with_large_texts() -> Vec<Step> {
    let control = |operation: &str, payload: &Value| {
        Step::new(Kind::Control, "SELECT powersync_control(?, ?)", &[operation, &payload.to_string()])
    };
    let large = |what: &str| what.repeat(140_000 / what.len());
    let parameters = json!({ "p": large("parameter ") });
    let line = |feed, line: &Value| Step { feed, ..control("line_text", line) };
    let put = |op_id: i64, id: &str, data: &str| json!({"op_id": op_id.to_string(), "op": "PUT", "checksum": 1, "object_type": large("type "), "object_id": id, "data": data});
    let stream = |name: &str| json!({"name": name, "params": parameters});
    let errors = json!([
        {"subscription": 0, "message": large("message ")}, {"subscription": "default", "message": large("message ")},
    ]);
    let bucket = large("bucket ");
    let checkpoint = |checksum: i64| {
        json!({"checkpoint": {
            "last_op_id": "3",
            "buckets": [{"bucket": bucket, "checksum": checksum, "count": 2, "subscriptions": [{"sub": 0}]}],
            "streams": [{"name": large("stream "), "is_default": true, "errors": errors}],
        }})
    };
    let member = json!({ large("member "): large("value ") }).to_string();
    let data = json!({"data": {"bucket": bucket, "data": [put(1, &large("id "), "no object"), put(2, "id", &member)]}});
    let complete = json!({"checkpoint_complete": {"last_op_id": "3"}});
    let start = json!({
        "parameters": parameters, "app_metadata": large("metadata "), "active_streams": [stream("s")], "diagnostics": {},
    });
    vec![
        // For texts of two or three pages: SQLite can do without many of its requests for pages.
        Step::query("PRAGMA page_size = 65536", &[]),
        Step::write("SELECT powersync_init()", &[]),
        Step::write("UPDATE ps_kv SET value = 'this client' WHERE key = 'client_id'", &[]),
        control("subscriptions", &json!({"subscribe": {"stream": stream("s")}})),
        control("subscriptions", &json!({"subscribe": {"stream": stream("t")}})),
        control("subscriptions", &json!({"unsubscribe": stream("t")})),
        control("start", &start),
        line(1, &checkpoint(2)),
        line(1, &data),
        control("update_subscriptions", &json!([stream("s")])),
        line(1, &json!({"token_expires_in": 3600})),
        line(1, &complete),
        line(2, &checkpoint(3)),
        // The bucket is not valid.
        line(2, &complete),
        Step::query("SELECT count(*), sum(length(data)) FROM ps_oplog", &[]),
    ]
}

fn open() -> Result<Database, Failure> {
    let database = Database::open_in_memory()?;
    database.load(library::loadable())?;
    Ok(database)
}

/// The session, and what its steps give.
struct Session {
    steps: Vec<Step>,
    expected: Vec<Vec<String>>,
}

impl Session {
    fn new(steps: Vec<Step>) -> Self {
        let database = open().unwrap();
        let expected = steps.iter().map(|step| step.run(&database).unwrap()).collect();
        database.close();
        Self { steps, expected }
    }

    /// A database that has come to the step number `count`.
    fn begun(&self, count: usize) -> Database {
        let database = open().unwrap();
        self.expect(&database, 0..count);
        database
    }

    fn expect(&self, database: &Database, range: Range<usize>) {
        for (step, expected) in self.steps[range.clone()].iter().zip(&self.expected[range]) {
            assert_eq!(&step.run(database).unwrap(), expected, "{} {:?}", step.sql, step.parameters);
        }
    }

    /// Goes on at the step `index` as an SDK does whose iteration was ended: it connects again, and is sent what it
    /// does not have.
    fn restart(&self, database: &Database, index: usize) {
        let feed = self.steps[..=index].iter().map(|step| step.feed).max().unwrap();
        for (number, step) in self.steps.iter().enumerate() {
            if number > index && step.kind != Kind::Control {
                self.expect(database, number..number + 1);
            } else if step.kind == Kind::Control && (step.feed == 0 || step.feed >= feed) {
                step.run(database).unwrap();
            }
        }
    }
}

/// Runs a session with failing requests in opening and in the steps that are `tried`; gives how many failed.
fn run_session(steps: Vec<Step>, tried: fn(&Step) -> bool, goes_on: bool) -> usize {
    let session = Session::new(steps);
    let mut failures = 0;
    let mut attempt = |number, what: &str, work: &mut dyn FnMut() -> Option<Failure>| {
        report(number, what);
        let (failure, has_failed) = allocator::failing(number, goes_on, work);
        if let Some(failure) = failure {
            assert!(failure.is_out_of_memory() && has_failed, "{failure:?}");
        }
        failures += usize::from(has_failed);
        has_failed
    };
    for number in 0.. {
        if !attempt(number, "opening", &mut || open().map(Database::close).err()) {
            break;
        }
    }
    for (index, step) in session.steps.iter().enumerate().filter(|(_, step)| tried(step)) {
        let mut database = session.begun(index);
        let mut number = 0;
        let mut may_have_ended = false;
        loop {
            let mut result = Ok(Vec::new());
            let has_failed = attempt(number, &format!("{} {:?}", step.sql, step.parameters), &mut || {
                result = step.attempt(&database);
                let failure = result.clone().err().map(|(_, failure)| failure);
                failure.filter(|failure| !step.is_end_of_iteration(failure))
            });
            match result {
                // The next attempt continues from here.
                Err((undone, failure)) if failure.is_out_of_memory() => {
                    database.roll_back().unwrap();
                    may_have_ended |= undone == Undone::Call;
                    number += 1;
                    continue;
                }
                Ok(rows) if rows == session.expected[index] => {
                    session.expect(&database, index + 1..session.steps.len());
                    number += 1;
                    // Sometimes SQLite can do without.
                    if !has_failed {
                        break;
                    }
                }
                result => {
                    assert!(step.kind == Kind::Control && may_have_ended, "{result:?}");
                    database.roll_back().unwrap();
                    session.restart(&database, index);
                }
            }
            database.close();
            database = session.begun(index);
            may_have_ended = false;
        }
        database.close();
    }
    assert_eq!(allocator::memory_used(), 0, "memory was lost");
    failures
}

/// Says what is about to be tried, in case the process ends.
fn report(number: u64, what: &str) {
    println!("TRY request {number} of {what:.200}");
    std::io::stdout().flush().unwrap();
}

/// The child process.
#[test]
fn child() {
    let Some(kind) = std::env::var_os(VARIABLE) else { return };
    allocator::install();
    let kind = kind.into_string().unwrap();
    let goes_on = kind.ends_with("all");
    let failures = match kind.starts_with("large") {
        true => run_session(session_with_large_texts(), |step| step.kind == Kind::Control, goes_on),
        false => run_session(session(), |_| true, goes_on),
    };
    println!("TRIED {failures}");
}

fn run_child(kind: &str, least: usize) {
    // Built here, because the allocator must not fail meanwhile.
    let library = library::loadable();
    let child = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture", "--test-threads=1"])
        .env(VARIABLE, kind)
        .env(library::LIBRARY_VARIABLE, library)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&child.stdout);
    let last = output.lines().rfind(|line| line.starts_with("TRY ")).unwrap_or("nothing was tried");
    let errors = String::from_utf8_lossy(&child.stderr);
    assert!(child.status.success(), "{} at {last}\n{errors}", child.status);
    let failures = output.lines().find_map(|line| line.strip_prefix("TRIED ")?.parse::<usize>().ok()).unwrap();
    println!("{failures} requests failed");
    assert!(failures > least, "only {failures} requests failed");
}

#[test]
fn one_request_fails() {
    run_child("one", 1000);
}

#[test]
fn all_requests_fail_from_one_on() {
    run_child("all", 1000);
}

#[test]
fn one_request_fails_with_large_texts() {
    run_child("large one", 300);
}

#[test]
fn all_requests_fail_from_one_on_with_large_texts() {
    run_child("large all", 300);
}
