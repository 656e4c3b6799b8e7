//! The standard session: a service, and what an application and its SDK do with every part of the library. Each step is
//! at most one transaction, so that the database has one state between two steps.

use rowtide_testkit::service::Service;
use serde_json::{Value, json};

/// An SQL statement with its parameters.
#[derive(Debug, Clone)]
pub(crate) struct Statement {
    pub sql: String,
    pub parameters: Vec<String>,
}

impl Statement {
    pub(crate) fn new(sql: &str, parameters: &[&str]) -> Self {
        Self { sql: sql.to_owned(), parameters: parameters.iter().map(|text| String::from(*text)).collect() }
    }

    pub(crate) fn control(operation: &str, payload: &str) -> Self {
        Self::new("SELECT powersync_control(?, ?)", &[operation, payload])
    }
}

/// How the statements of a step are run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// The database is opened and the library loaded.
    Open,
    /// The database is closed.
    Close,
    /// Outside of a transaction.
    Query,
    /// The same; the rows are upload queue entries that the service is sent.
    Upload,
    /// In one transaction.
    Transaction,
    /// In one transaction of a single call of `powersync_control`.
    Control,
}

/// A step of the session.
#[derive(Debug, Clone)]
pub(crate) struct Step {
    pub kind: Kind,
    pub statements: Vec<Statement>,
    /// For a sync line: which one.
    pub line: Option<Line>,
}

/// The place of a line: lines of one feed follow each other, and lead to a checkpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Line {
    pub feed: usize,
    pub number: usize,
}

/// What the service sends for one checkpoint.
#[derive(Debug)]
pub(crate) struct Feed {
    /// The first line for a client that connects.
    pub opening: String,
    /// All lines for a client that is connected.
    pub lines: Vec<String>,
}

/// A whole session.
#[derive(Debug, Default)]
pub(crate) struct Session {
    pub steps: Vec<Step>,
    pub feeds: Vec<Feed>,
}

/// The statement that begins an iteration.
pub(crate) const START: &str = "start";

impl Session {
    /// The schema that the application gives after opening the database, when it comes to the step `index` then.
    pub(crate) fn schema_before(&self, index: usize) -> Option<&Step> {
        self.steps[..index].iter().rfind(|step| step.is_schema())
    }

    /// The lines of the current connection to the service, up to and with the step `index`: a feed, and how many of its
    /// lines.
    pub(crate) fn received_until(&self, index: usize) -> Option<(usize, usize)> {
        let mut steps = self.steps[..=index].iter().rev().take_while(|step| !step.is_start());
        steps.find_map(|step| step.line).map(|line| (line.feed, line.number + 1))
    }

    fn add(&mut self, kind: Kind, statements: &[Statement]) {
        self.steps.push(Step { kind, statements: statements.to_vec(), line: None });
    }

    fn query(&mut self, sql: &str) {
        self.add(Kind::Query, &[Statement::new(sql, &[])]);
    }

    fn write(&mut self, statements: &[&str]) {
        let statements: Vec<_> = statements.iter().map(|sql| Statement::new(sql, &[])).collect();
        self.add(Kind::Transaction, &statements);
    }

    fn control(&mut self, operation: &str, payload: &str) {
        self.add(Kind::Control, &[Statement::control(operation, payload)]);
    }

    /// The SDK opens the database.
    fn open(&mut self, schema: &Value) {
        self.add(Kind::Open, &[]);
        let statements = [
            Statement::new(REPLACE_SCHEMA, &[&schema.to_string()]),
            // Chosen at random.
            Statement::new("UPDATE ps_kv SET value = 'this client' WHERE key = 'client_id'", &[]),
        ];
        self.add(Kind::Transaction, &statements);
    }

    /// The SDK connects.
    fn connect(&mut self) {
        self.control(START, &start_options());
        self.control("connection", "established");
    }

    /// The SDK passes on what the service sends; `lines` begin with a checkpoint or a change to it.
    fn feed(&mut self, service: &Service, lines: &[Value]) {
        let lines: Vec<String> = lines.iter().map(Value::to_string).collect();
        let feed = self.feeds.len();
        for (number, line) in lines.iter().enumerate() {
            let statements = vec![Statement::control("line_text", line)];
            self.steps.push(Step { kind: Kind::Control, statements, line: Some(Line { feed, number }) });
        }
        self.feeds.push(Feed { opening: service.checkpoint().to_string(), lines });
    }

    /// The SDK sends the upload queue and stores the id of a write checkpoint.
    fn upload(&mut self, write_checkpoint: &str) {
        self.add(Kind::Upload, &[Statement::new("SELECT tx_id, data FROM ps_crud ORDER BY id", &[])]);
        let target = Statement::control("target_checkpoint_request_id", write_checkpoint);
        self.add(Kind::Transaction, &[Statement::new("DELETE FROM ps_crud", &[]), target]);
        self.control("completed_upload", "");
    }
}

impl Step {
    pub(crate) fn is_start(&self) -> bool {
        self.kind == Kind::Control && self.statements[0].parameters[0] == START
    }

    fn is_schema(&self) -> bool {
        self.statements.iter().any(|statement| statement.sql == REPLACE_SCHEMA)
    }

    /// Whether it calls the sync client, or a function that changes the upload queue or the rows of the app.
    pub(crate) fn is_call(&self) -> bool {
        const OTHERS: [&str; 3] = ["SELECT powersync_crud_", "SELECT powersync_upsert(", "SELECT powersync_adopt("];
        let is_other = |statement: &Statement| OTHERS.iter().any(|start| statement.sql.starts_with(start));
        self.kind == Kind::Control || self.kind == Kind::Transaction && self.statements.iter().any(is_other)
    }

    /// Whether this step itself makes the iteration end.
    pub(crate) fn ends_iteration(&self) -> bool {
        self.kind == Kind::Control && self.statements[0].parameters[0] == "stop"
    }
}

const REPLACE_SCHEMA: &str = "SELECT powersync_replace_schema(?)";

pub(crate) fn start_options() -> String {
    json!({
        "parameters": {"user": "me"}, "active_streams": [{"name": "more", "params": {"of": 1}}],
        "diagnostics": {}, "schema": {"tables": [], "raw_tables": raw_tables()},
    })
    .to_string()
}

fn raw_tables() -> Value {
    json!([
        {"name": "tags", "table_name": "tags", "synced_columns": ["label"], "clear": "DELETE FROM tags"},
        {"name": "colours", "clear": "DELETE FROM colours",
         "put": {
             "sql": "INSERT INTO colours(id, name, rest) VALUES (?1, ?2, ?3) \
                     ON CONFLICT(id) DO UPDATE SET name = excluded.name, rest = excluded.rest",
             "params": ["Id", {"Column": "name"}, "Rest"],
         },
         "delete": {"sql": "DELETE FROM colours WHERE id = ?", "params": ["Id"]}},
    ])
}

/// The application's schema, before and after its update.
fn schema(is_updated: bool) -> Value {
    let text = |name: &str| json!({"name": name, "type": "text"});
    let lists = json!({
        "name": "lists", "columns": [text("name"), {"name": "size", "type": "integer"}],
        "indexes": [{"name": "by_name", "columns": [{"name": "name", "ascending": true, "type": "text"}]}],
        "include_old": true, "include_metadata": true,
    });
    let mut notes = json!({"name": "notes", "columns": [text("title")], "direct": true, "ignore_empty_update": true});
    let events = json!({"name": "events", "columns": [text("what")], "insert_only": true});
    let drafts = json!({"name": "drafts", "columns": [text("body")], "local_only": true});
    let mut tables = vec![lists, events, drafts];
    if is_updated {
        notes["columns"] = json!([text("title"), text("body")]);
        tables.push(json!({"name": "extras", "columns": [text("name")], "direct": true}));
    } else {
        tables.push(json!({"name": "old", "columns": [text("name")]}));
    }
    tables.push(notes);
    json!({"tables": tables, "raw_tables": raw_tables()})
}

/// The whole session.
pub(crate) fn standard() -> Session {
    let mut session = Session::default();
    let mut service = service();
    begin(&mut session);
    first_sync(&mut session, &service);
    local_writes(&mut session);
    held_back(&mut session, &mut service);
    acknowledged(&mut session, &mut service);
    refused(&mut session, &mut service);
    another_schema(&mut session, &mut service);
    reopened(&mut session, &mut service);
    adopted(&mut session, &mut service);
    cleared(&mut session, &mut service);
    session
}

fn service() -> Service {
    let mut service = Service::new();
    service.streams = vec![
        json!({"name": "s", "is_default": true, "errors": []}),
        json!({"name": "more", "is_default": false, "errors": [{"subscription": 0, "message": "not all of it"}]}),
    ];
    service.bucket("urgent").priority = 0;
    service.bucket("first").priority = 1;
    service.bucket("first").subscriptions = json!([{"default": 0}]);
    service.bucket("rest").subscriptions = json!([{"sub": 0}]);
    service.put("urgent", "lists", "u1", &json!({"name": "urgent", "size": 1}));
    for number in 0..4 {
        let id = format!("n{number}");
        service.put("first", "notes", &id, &json!({"title": format!("note {number}"), "body": "long ".repeat(300)}));
        service.put("rest", "lists", &format!("l{number}"), &json!({"name": format!("list {number}"), "size": number}));
        service.put("rest", "tags", &format!("t{number}"), &json!({"label": format!("tag {number}")}));
        service.put("rest", "colours", &format!("c{number}"), &json!({"name": "red", "light": number}));
    }
    service.put("rest", "old", "o1", &json!({"name": "of a table that goes"}));
    service.put("rest", "extras", "e1", &json!({"name": "of a table that comes"}));
    service.put("gone", "lists", "g1", &json!({"name": "goes with its bucket"}));
    service
}

fn begin(session: &mut Session) {
    session.open(&schema(false));
    session.write(&[
        "CREATE TABLE tags(id TEXT PRIMARY KEY, label TEXT, note TEXT DEFAULT 'mine')",
        "CREATE TABLE colours(id TEXT PRIMARY KEY, name TEXT, rest TEXT)",
    ]);
    let trigger = "SELECT powersync_create_raw_table_crud_trigger(?, 'tags_' || ?2, ?2)";
    let raw = raw_tables()[0].to_string();
    let triggers = ["INSERT", "UPDATE", "DELETE"].map(|write| Statement::new(trigger, &[&raw, write]));
    session.add(Kind::Transaction, &triggers);
    let stream = json!({"subscribe": {"stream": {"name": "more", "params": {"of": 1}}, "ttl": 3600, "priority": 2}});
    session.control("subscriptions", &stream.to_string());
}

fn first_sync(session: &mut Session, service: &Service) {
    session.connect();
    let lines = [
        service.checkpoint(),
        service.data("urgent", 0),
        service.partial_complete(0),
        service.data("first", 0),
        service.partial_complete(1),
        service.data("rest", 0),
        json!({"token_expires_in": 3600}),
        service.data("gone", 0),
        service.complete(),
    ];
    session.feed(service, &lines);
    session.query("SELECT id, name, size FROM lists ORDER BY id");
    session.query("SELECT id, name FROM lists WHERE name = 'list 2'");
}

fn local_writes(session: &mut Session) {
    session.write(&[
        "INSERT INTO lists(id, name) VALUES ('mine', 'x'), ('mine too', 'y')",
        "SAVEPOINT a",
        "UPDATE lists SET name = 'z', _metadata = 'why' WHERE id = 'mine'",
        "ROLLBACK TO a",
        "INSERT INTO notes(id, title) VALUES ('my note', 'n')",
        "RELEASE a",
        "UPDATE lists SET size = 5 WHERE id = 'mine'",
    ]);
    session.write(&[
        "SAVEPOINT a",
        "DELETE FROM lists WHERE id = 'l3'",
        "ROLLBACK TO a",
        "UPDATE notes SET title = 'changed' WHERE id = 'n1'",
        "UPDATE notes SET title = 'changed' WHERE id = 'n1'",
    ]);
    session.write(&[
        "INSERT INTO events(id, what) VALUES ('e', 'happened')",
        "INSERT INTO tags(id, label) VALUES ('my tag', 'l')",
        "UPDATE tags SET note = 'only here' WHERE id = 't1'",
        "DELETE FROM tags WHERE id = 't2'",
        "INSERT INTO drafts(id, body) VALUES ('d', 'b')",
    ]);
}

/// A checkpoint comes while local writes are queued.
fn held_back(session: &mut Session, service: &mut Service) {
    let before = service.last_op_id;
    service.put("urgent", "lists", "u1", &json!({"name": "more urgent", "size": 2}));
    service.remove("rest", "lists", "l1");
    service.put("rest", "colours", "c1", &json!({"name": "blue"}));
    let lines = [
        service.checkpoint_diff(&["urgent", "rest"], &[]),
        service.data("urgent", before),
        service.partial_complete(0),
        service.data("rest", before),
        service.complete(),
    ];
    session.feed(service, &lines);
    session.control("seed_checkpoint_request_id", "7");
    session.control("next_checkpoint_request_id", "");
    session.upload("8");
}

/// The service acknowledges the uploaded writes, and some operations are compacted.
fn acknowledged(session: &mut Session, service: &mut Service) {
    let before = service.last_op_id;
    service.write_checkpoint = Some(8);
    service.put("rest", "lists", "mine", &json!({"name": "x", "size": 5}));
    service.put("rest", "lists", "mine too", &json!({"name": "y"}));
    service.put("first", "notes", "my note", &json!({"title": "n"}));
    service.put("first", "notes", "n1", &json!({"title": "changed"}));
    service.put("rest", "tags", "my tag", &json!({"label": "l"}));
    service.remove("rest", "tags", "t2");
    service.buckets.remove("gone");
    service.put("new", "lists", "g1", &json!({"name": "in another bucket"}));
    let lines = [
        service.checkpoint_diff(&["first", "rest", "new"], &["gone"]),
        service.data("rest", before),
        service.data("first", before),
        service.partial_complete(1),
        service.data("new", 0),
        service.complete(),
    ];
    session.feed(service, &lines);
    session.query("SELECT id, label, note FROM tags ORDER BY id");
    // A write while another checkpoint is on its way, which waits for the upload.
    let before = service.last_op_id;
    service.put("rest", "lists", "l0", &json!({"name": "theirs"}));
    service.write_checkpoint = Some(9);
    let lines = [service.checkpoint_diff(&["rest"], &[]), service.data("rest", before), service.complete()];
    session.write(&["UPDATE lists SET name = 'ours' WHERE id = 'l0'"]);
    session.feed(service, &lines);
    session.upload("9");
}

/// The backend takes one transaction, refuses another for good, and has no time for the third. Of what was refused, one
/// is tried again and the other given up.
fn refused(session: &mut Session, service: &mut Service) {
    let lists = json!([{"id": "upserted", "name": "u", "size": 1}, {"id": "mine", "size": 6}]).to_string();
    let notes = json!({"id": "n3", "title": "upserted"}).to_string();
    let upsert = |table, rows| Statement::new("SELECT powersync_upsert(?, ?)", &[table, rows]);
    session.add(Kind::Transaction, &[upsert("lists", &lists), upsert("notes", &notes)]);
    session.write(&["INSERT INTO lists(id, name) VALUES ('refused', 'r')", "DELETE FROM notes WHERE id = 'n0'"]);
    session.write(&["UPDATE notes SET title = 'given up' WHERE id = 'n2'"]);
    session.query("SELECT powersync_crud_next(2, 100000)");
    session.query("SELECT powersync_crud_next(100)");
    let results = json!([
        {"status": "success"},
        {"status": "fatal_error", "failed_operation": {"error_code": "23505", "message": "m", "operation_index": 0}},
        {"status": "retryable_error", "retry_after_ms": 5},
    ]);
    const RESULTS: &str = "SELECT powersync_crud_results(?, (SELECT json_object('transaction_ids', json_group_array(id)) \
        FROM (SELECT DISTINCT CAST(tx_id AS TEXT) AS id FROM ps_crud ORDER BY ps_crud.id)))";
    session.add(Kind::Transaction, &[Statement::new(RESULTS, &[&results.to_string()])]);
    session.write(&["SELECT powersync_crud_reject((SELECT tx_id FROM ps_crud), 'code', NULL, '{}')"]);
    session.query("SELECT * FROM powersync_rejected");
    session.write(&["SELECT powersync_crud_retry((SELECT min(transaction_id) FROM ps_rejected))"]);
    session.write(&["SELECT powersync_crud_discard((SELECT transaction_id FROM ps_rejected))"]);
    let before = service.last_op_id;
    service.put("rest", "lists", "upserted", &json!({"name": "u", "size": 1}));
    service.put("rest", "lists", "mine", &json!({"name": "x", "size": 6}));
    service.put("rest", "lists", "refused", &json!({"name": "r"}));
    service.put("first", "notes", "n3", &json!({"title": "upserted"}));
    service.remove("first", "notes", "n0");
    service.write_checkpoint = Some(10);
    let lines = [
        service.checkpoint_diff(&["first", "rest"], &[]),
        service.data("rest", before),
        service.data("first", before),
        service.complete(),
    ];
    session.feed(service, &lines);
    session.add(Kind::Upload, &[Statement::new("SELECT tx_id, data FROM ps_crud ORDER BY id", &[])]);
    session.write(&["SELECT powersync_crud_complete((SELECT max(id) FROM ps_crud), 10)"]);
    session.control("completed_upload", "");
    session.query("SELECT id, title FROM notes ORDER BY id");
}

/// The database becomes that of another client, which continues from what it holds.
fn adopted(session: &mut Session, service: &mut Service) {
    session.control("stop", "");
    session.write(&["INSERT INTO lists(id, name) VALUES ('never sent', 'x')", "DELETE FROM lists WHERE id = 'l2'"]);
    session.write(&[
        "SELECT powersync_adopt()",
        // Chosen at random.
        "UPDATE ps_kv SET value = 'this client' WHERE key = 'client_id'",
    ]);
    session.connect();
    service.write_checkpoint = None;
    session.feed(service, &[service.checkpoint(), service.complete()]);
    session.query("SELECT id, name FROM lists ORDER BY id");
}

/// The application is updated: tables go, come and change, and a soft clear starts over with the rows held.
fn another_schema(session: &mut Session, service: &mut Service) {
    session.control("stop", "");
    session.add(Kind::Transaction, &[Statement::new(REPLACE_SCHEMA, &[&schema(true).to_string()])]);
    session.query("SELECT id, title, body FROM notes ORDER BY id");
    session.query("SELECT json_extract(powersync_offline_sync_status(), '$.priority_status') IS NOT NULL");
    session.connect();
    session.feed(service, &[service.checkpoint(), service.complete()]);
    session.control("subscriptions", &json!({"unsubscribe": {"name": "more", "params": {"of": 1}}}).to_string());
    session.control("stop", "");
    session.write(&["SELECT powersync_clear(2)"]);
    session.connect();
    service.clear_start("rest");
    let lines = [service.checkpoint(), service.data("urgent", 0), service.partial_complete(0), service.complete()];
    session.feed(service, &lines);
}

/// The application ends and comes back with its own writes.
fn reopened(session: &mut Session, service: &mut Service) {
    session.write(&["INSERT INTO extras(id, name) VALUES ('before', 'x')"]);
    session.add(Kind::Close, &[]);
    session.open(&schema(true));
    session.query("SELECT count(*) FROM extras");
    session.write(&["DELETE FROM extras WHERE id = 'e1'", "INSERT INTO lists(id, name) VALUES ('after', 'y')"]);
    session.connect();
    session.upload("11");
    let before = service.last_op_id;
    service.write_checkpoint = Some(11);
    service.put("rest", "extras", "before", &json!({"name": "x"}));
    service.remove("rest", "extras", "e1");
    service.put("rest", "lists", "after", &json!({"name": "y"}));
    service.compact("rest");
    session.feed(service, &[service.checkpoint(), service.data("rest", before), service.complete()]);
}

/// The user signs out, and another one signs in.
fn cleared(session: &mut Session, service: &mut Service) {
    session.control("stop", "");
    session.write(&["SELECT powersync_clear(1)"]);
    session.write(&["INSERT INTO lists(id, name) VALUES ('other', 'of another user')"]);
    session.connect();
    session.upload("12");
    service.write_checkpoint = Some(12);
    service.put("urgent", "lists", "other", &json!({"name": "of another user"}));
    session.feed(service, &service.lines(0));
    session.control("stop", "");
    session.add(Kind::Close, &[]);
}
