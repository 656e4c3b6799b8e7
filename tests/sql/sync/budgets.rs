//! What hot paths may cost, in figures that are the same in every run: steps of SQLite's virtual machine, pages written
//! to the log, and that nothing is compiled again. A path that begins to look at what has not changed fails here.
//!
//! A budget is what was counted, and 15 to 20 percent. `cargo test --test sql budgets -- --nocapture` shows what is
//! counted now: to renew a budget, after a gain or for a cost that is worth it, take that and the same head-room.
//! Another version of SQLite can count differently. `cargo xtask bench growth` shows costs that are not counted here,
//! such as work in memory.

use rowtide_testkit::counters::{Counters, Counts};
use rowtide_testkit::service::Service;
use rowtide_testkit::{Host, invariants};
use rusqlite::Connection;
use serde_json::{Value, json};

/// The most that something may cost.
struct Budget {
    steps: u64,
    pages: u64,
}

#[track_caller]
fn assert_within(budget: &Budget, what: &str, counts: Counts) {
    println!("{what}: {counts:?}");
    assert!(counts.steps <= budget.steps, "{what}: {} steps, {} are allowed", counts.steps, budget.steps);
    assert!(counts.pages <= budget.pages, "{what}: {} pages, {} are allowed", counts.pages, budget.pages);
}

/// A client on a file, with as many tables as asked for, and a service.
struct Client {
    host: Host,
    counters: Counters,
    service: Service,
    directory: tempfile::TempDir,
}

const LISTS: &str = "lists";

fn schema(tables: usize) -> Value {
    let columns: Vec<Value> = (0..9).map(|column| json!({"name": format!("c{column}"), "type": "text"})).collect();
    let others = (1..tables).map(|table| format!("t{table:03}"));
    let tables: Vec<Value> =
        std::iter::once(LISTS.to_owned()).chain(others).map(|name| json!({"name": name, "columns": columns})).collect();
    json!({ "tables": tables })
}

/// A row of about 350 bytes.
fn row(version: usize) -> Value {
    let columns = (0..9).map(|column| (format!("c{column}"), json!(format!("{version:030}"))));
    Value::Object(columns.collect())
}

fn bucket(number: usize) -> String {
    format!("bucket{number:04}")
}

fn connect(directory: &tempfile::TempDir) -> (Host, Counters) {
    let mut connection = Connection::open(directory.path().join("client.db")).unwrap();
    let counters = Counters::install(&mut connection).unwrap();
    connection.pragma_update(None, "journal_mode", "wal").unwrap();
    (Host::load_into(connection), counters)
}

impl Client {
    /// A client that has completed a checkpoint of `buckets` buckets with one row each.
    fn with_buckets(buckets: usize) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (host, counters) = connect(&directory);
        host.replace_schema(&schema(4));
        let mut client = Client { host, counters, service: Service::new(), directory };
        for number in 0..buckets {
            client.service.put(&bucket(number), LISTS, &format!("row{number}"), &row(0));
        }
        client.host.control("start", ());
        for line in client.service.lines(0) {
            client.line(&line);
        }
        client
    }

    /// Feeds a line as SDKs do, with statements that are compiled once.
    fn line(&self, line: &Value) {
        let connection = self.host.connection();
        connection.prepare_cached("BEGIN IMMEDIATE").unwrap().execute([]).unwrap();
        let mut control = connection.prepare_cached("SELECT powersync_control('line_text', ?)").unwrap();
        control.query_row([line.to_string()], |_| Ok(())).unwrap();
        connection.prepare_cached("COMMIT").unwrap().execute([]).unwrap();
    }

    /// What a line costs.
    fn cost(&self, line: &Value) -> Counts {
        let ((), counts) = self.counters.count(|| self.line(line));
        assert_eq!(counts.compiled, 0, "no statement is compiled for a line: {counts:?}");
        counts
    }

    /// Puts as many rows into the first bucket.
    fn put(&mut self, rows: usize, version: usize) -> Value {
        let after = self.service.last_op_id;
        for number in 0..rows {
            self.service.put(&bucket(0), LISTS, &format!("new{number}"), &row(version));
        }
        self.service.data(&bucket(0), after)
    }

    fn diff(&self) -> Value {
        self.service.checkpoint_diff(&[&bucket(0)], &[])
    }

    /// One changed row, from the diff to the published checkpoint: so that statements are compiled.
    fn change(&mut self, version: usize) {
        let data = self.put(1, version);
        self.line(&self.diff());
        self.line(&data);
        self.line(&self.service.complete());
    }
}

#[test]
fn one_changed_row_costs_the_same_in_many_buckets() {
    let mut client = Client::with_buckets(1000);
    client.change(1);
    client.change(2);
    let data = client.put(1, 3);
    assert_within(&Budget { steps: 45, pages: 0 }, "diff", client.cost(&client.diff()));
    assert_within(&Budget { steps: 172, pages: 2 }, "data", client.cost(&data));
    assert_within(&Budget { steps: 530, pages: 8 }, "complete", client.cost(&client.service.complete()));
    assert_within(&Budget { steps: 54, pages: 0 }, "keep-alive", client.cost(&json!({"token_expires_in": 3600})));
    invariants::assert_consistent(&client.host);
}

#[test]
fn operations_are_appended_and_published_in_order() {
    let mut client = Client::with_buckets(10);
    // The first operation that supersedes one that is not published yet compiles its statements.
    for version in 1..4 {
        let data = client.put(1, version);
        client.line(&client.diff());
        client.line(&data);
    }
    client.change(4);
    // So do the questions that a line with many operations asks.
    let data = client.put(200, 1);
    client.line(&client.diff());
    client.line(&data);
    client.line(&client.service.complete());
    let data = client.put(1000, 2);
    client.line(&client.diff());
    assert_within(&Budget { steps: 29_600, pages: 134 }, "1000 operations", client.cost(&data));
    let superseding = client.put(1000, 3);
    client.line(&client.diff());
    assert_within(&Budget { steps: 40_200, pages: 132 }, "1000 superseding", client.cost(&superseding));
    // A large publish has its own statements, which are compiled here.
    let ((), published) = client.counters.count(|| client.line(&client.service.complete()));
    assert_within(&Budget { steps: 99_500, pages: 235 }, "1000 published", published);
    invariants::assert_consistent(&client.host);
}

#[test]
fn local_writes_take_few_steps() {
    let client = Client::with_buckets(10);
    let connection = client.host.connection();
    let write = |sql: &str, first: usize, count: usize| {
        client.host.execute("BEGIN IMMEDIATE");
        let mut statement = connection.prepare_cached(sql).unwrap();
        let (_, counts) = client.counters.count(|| {
            for number in first..first + count {
                statement.execute([format!("local{number}")]).unwrap();
            }
            // Pages are written when the transaction ends.
            connection.prepare_cached("COMMIT").unwrap().execute([]).unwrap();
        });
        counts
    };
    let insert = "INSERT INTO lists(id, c0, c1, c2, c3) VALUES (?1, 'a', 'b', 'c', 'd')";
    let update = "UPDATE lists SET c0 = 'changed' WHERE id = ?1";
    let delete = "DELETE FROM lists WHERE id = ?1";
    let budgets = [
        (insert, Budget { steps: 17_500, pages: 16 }),
        (update, Budget { steps: 29_500, pages: 16 }),
        (delete, Budget { steps: 24_000, pages: 16 }),
    ];
    for (sql, budget) in budgets {
        write(sql, 0, 1);
        if sql == insert {
            client.host.execute("DELETE FROM lists WHERE id = 'local0'");
        }
        let counts = write(sql, 0, 100);
        assert_eq!(counts.compiled, 0, "no statement is compiled for a write: {counts:?}");
        assert_within(&budget, sql, counts);
    }
    invariants::assert_consistent(&client.host);
}

#[test]
fn an_unchanged_schema_is_recognised() {
    let client = Client::with_buckets(10);
    let schema = schema(100).to_string();
    let replace = |host: &Host| {
        host.execute("BEGIN IMMEDIATE");
        let mut statement = host.connection().prepare_cached("SELECT powersync_replace_schema(?)").unwrap();
        statement.query_row([&schema], |_| Ok(())).unwrap();
        host.execute("COMMIT");
    };
    replace(&client.host);
    replace(&client.host);
    let ((), again) = client.counters.count(|| replace(&client.host));
    assert_within(&Budget { steps: 31, pages: 0 }, "the same schema again", again);

    let directory = client.directory;
    drop(client.host);
    let (host, counters) = connect(&directory);
    host.initialize();
    assert_within(&Budget { steps: 6_000, pages: 0 }, "opening with 100 tables", counters.now());
    let ((), first) = counters.count(|| replace(&host));
    assert_within(&Budget { steps: 102, pages: 0 }, "the same schema on a new connection", first);
}
