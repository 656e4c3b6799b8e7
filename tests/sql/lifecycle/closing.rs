//! `sqlite3_close` and what could keep it from working: cached statements, a running iteration, hooks; and what must
//! survive when the application itself keeps it from working.

use rowtide_testkit::faults::{Database, Failure};
use rowtide_testkit::library;
use rowtide_testkit::service::Service;
use serde_json::{Value, json};

const BUSY: i32 = 5;

fn schema() -> String {
    let columns = json!([{"name": "name", "type": "text"}]);
    let raw = json!({"name": "notes", "table_name": "notes", "clear": "DELETE FROM notes"});
    let tables = json!([{"name": "lists", "columns": columns}, {"name": "tags", "columns": columns, "direct": true}]);
    json!({"tables": tables, "raw_tables": [raw]}).to_string()
}

/// A client of the extension on a connection of which every statement can be seen.
pub(crate) struct Client {
    pub database: Database,
    pub service: Service,
    /// Up to which operation checkpoints were completed.
    completed: i64,
}

impl Client {
    pub(crate) fn new() -> Self {
        let database = Database::open_in_memory().unwrap();
        database.load(library::loadable()).unwrap();
        let client = Self { database, service: Service::new(), completed: 0 };
        client.run("CREATE TABLE notes(id TEXT PRIMARY KEY, name TEXT, x AS (length(name)))", &[]);
        client.transaction("SELECT powersync_replace_schema(?)", &[&schema()]);
        client
    }

    /// Runs a statement, whether it succeeds or not; it must not leave any statement running.
    fn try_run(&self, sql: &str, parameters: &[&str]) -> Result<Vec<String>, Failure> {
        let result = self.database.run(sql, parameters);
        assert_eq!(self.database.running_statements(), [""; 0], "after: {sql}, {parameters:?}");
        result
    }

    #[track_caller]
    pub(crate) fn run(&self, sql: &str, parameters: &[&str]) -> Vec<String> {
        match self.try_run(sql, parameters) {
            Ok(rows) => rows,
            Err(failure) => panic!("{failure:?}, running: {sql}"),
        }
    }

    #[track_caller]
    pub(crate) fn transaction(&self, sql: &str, parameters: &[&str]) -> String {
        self.run("BEGIN IMMEDIATE", &[]);
        let rows = self.run(sql, parameters);
        self.run("COMMIT", &[]);
        rows.join("\n")
    }

    #[track_caller]
    pub(crate) fn fail(&self, sql: &str, parameters: &[&str]) -> Failure {
        self.run("BEGIN IMMEDIATE", &[]);
        let failure = self.try_run(sql, parameters).expect_err(sql);
        self.database.roll_back().unwrap();
        failure
    }

    #[track_caller]
    pub(crate) fn control(&self, operation: &str, payload: &str) -> String {
        self.transaction("SELECT powersync_control(?, nullif(?, ''))", &[operation, payload])
    }

    #[track_caller]
    pub(crate) fn line(&self, line: &Value) -> String {
        self.control("line_text", &line.to_string())
    }

    fn installed_hooks(&self) {
        self.run("SELECT powersync_update_hooks('install')", &[]);
        self.run("SELECT powersync_update_hooks('get')", &[]);
    }

    /// Changes a row of each table on the service, and downloads all changes there. Gives the new name of the rows.
    fn sync(&mut self) -> String {
        let name = self.service.last_op_id.to_string();
        for table in ["lists", "tags", "notes", "unknown"] {
            self.service.put("a", table, "1", &json!({"name": name}));
        }
        for line in self.service.lines(self.completed) {
            let result = self.line(&line);
            assert!(!result.contains("CloseSyncStream"), "{line} gave {result}");
        }
        self.completed = self.service.last_op_id;
        name
    }

    fn names(&self) -> String {
        self.run("SELECT name FROM lists UNION ALL SELECT name FROM tags UNION ALL SELECT name FROM notes", &[])
            .join(" ")
    }
}

#[test]
fn no_call_leaves_a_statement_running() {
    let mut client = Client::new();
    client.installed_hooks();
    for sql in [
        "SELECT powersync_rs_version()",
        "SELECT uuid(), gen_random_uuid()",
        "SELECT powersync_client_id()",
        "SELECT powersync_in_sync_operation()",
        "SELECT powersync_offline_sync_status()",
        "SELECT powersync_last_synced_at()",
        "SELECT powersync_diff('{}', '{\"a\":1}'), powersync_json_merge('{}'), powersync_strip_subtype(1)",
        "SELECT powersync_remove_duplicate_key_encoding('a/b/\"c\"')",
        "SELECT powersync_drop_view('no view')",
        "SELECT powersync_create_raw_table_crud_trigger(json_object('name', 'notes', 'table_name', 'notes'), 'i', 'INSERT')",
        "SELECT * FROM powersync_internal_close",
    ] {
        client.run(sql, &[]);
    }
    for sql in [
        "SELECT powersync_init()",
        "SELECT powersync_test_migration(14)",
        "SELECT powersync_init()",
        "SELECT powersync_trigger_resync(1)",
        "SELECT powersync_clear(1)",
        "SELECT powersync_clear(2)",
    ] {
        client.transaction(sql, &[]);
    }
    client.transaction("SELECT powersync_replace_schema(?)", &[&schema()]);
    client.transaction("SELECT powersync_replace_schema(?)", &[&schema()]);

    client.control("start", r#"{"diagnostics":{},"active_streams":[{"name":"s"}]}"#);
    client.control("connection", "established");
    client.control("seed_checkpoint_request_id", "5");
    client.control("next_checkpoint_request_id", "");
    client.control("current_checkpoint_request_id", "");
    client.control("target_checkpoint_request_id", "");
    client.control("subscriptions", r#"{"subscribe":{"stream":{"name":"s"}}}"#);
    client.control("subscriptions", r#"{"unsubscribe":{"name":"s"}}"#);
    client.sync();
    client.service.remove("a", "lists", "1");
    client.run("INSERT INTO lists(id, name) VALUES ('local', 'x')", &[]);
    client.run("UPDATE lists SET name = 'y' WHERE id = 'local'", &[]);
    client.sync();
    client.control("completed_upload", "");
    client.run("DELETE FROM ps_crud", &[]);
    client.control("target_checkpoint_request_id", "0");
    client.control("completed_upload", "");
    client.line(&json!({"token_expires_in": 100}));
    client.control("update_subscriptions", "[]");
    client.control("start", "");
    client.control("refreshed_token", "");
    client.control("start", "");
    client.control("stop", "");
    client.database.close();
}

#[test]
fn no_call_that_fails_leaves_a_statement_running() {
    let mut client = Client::new();
    for sql in [
        "SELECT powersync_replace_schema('{')",
        "SELECT powersync_replace_schema('{\"tables\":[{\"name\":\"ps_kv\",\"columns\":[],\"direct\":true}]}')",
        "SELECT powersync_test_migration(0)",
        "SELECT powersync_update_hooks('get')",
        "SELECT powersync_update_hooks('x')",
        "SELECT powersync_diff('', '')",
        "SELECT powersync_create_raw_table_crud_trigger('{}', 'a', 'INSERT')",
        "SELECT powersync_create_raw_table_crud_trigger('{\"name\":\"n\",\"table_name\":\"n\"}', 'a', 'INSERT')",
        "SELECT powersync_control('line_text', '{}')",
        "SELECT powersync_control('start', '[]')",
        "SELECT * FROM powersync_crud",
        "INSERT INTO lists(id) VALUES (NULL)",
        "INSERT INTO powersync_crud(op) VALUES ('x')",
    ] {
        client.fail(sql, &[]);
    }
    client.control("start", "");
    client.sync();
    for line in [json!({"data": 1}), json!({"checkpoint_diff": {}}), json!({"checkpoint": {"last_op_id": "x"}})] {
        client.fail("SELECT powersync_control('line_text', ?)", &[&line.to_string()]);
    }
    client.fail("SELECT powersync_clear(2)", &[]);
    client.fail("SELECT powersync_trigger_resync(0)", &[]);
    // Errors from the middle of a publish.
    client.run("CREATE TRIGGER t AFTER UPDATE ON tags BEGIN SELECT RAISE(ABORT, 'no'); END", &[]);
    for table in ["lists", "tags", "notes"] {
        client.service.put("a", table, "1", &json!({"name": "new"}));
    }
    let lines = client.service.lines(client.completed);
    client.line(&lines[0]);
    client.line(&lines[1]);
    for _ in 0..2 {
        client.fail("SELECT powersync_control('line_text', ?)", &[&lines[2].to_string()]);
    }
    client.database.close();
}

/// The statements of a session, each with its parameter.
fn whole_session(service: &Service) -> Vec<(&'static str, String)> {
    let line = |line: Value| ("SELECT powersync_control('line_text', ?)", line.to_string());
    let statement = |sql: &'static str| (sql, String::new());
    vec![
        ("SELECT powersync_replace_schema(?)", schema()),
        statement("SELECT powersync_control('start', '{\"active_streams\":[{\"name\":\"s\"}]}')"),
        ("SELECT powersync_control('subscriptions', ?)", json!({"subscribe": {"stream": {"name": "s"}}}).to_string()),
        statement("INSERT INTO lists(id, name) VALUES ('local', 'x')"),
        statement("UPDATE lists SET name = 'y'"),
        statement("UPDATE tags SET name = 'y'"),
        statement("DELETE FROM lists WHERE id = 'local'"),
        line(service.checkpoint()),
        line(service.data("urgent", 0)),
        line(service.partial_complete(1)),
        line(service.data("a", 0)),
        line(service.complete()),
        statement("DELETE FROM ps_crud"),
        statement("SELECT powersync_control('target_checkpoint_request_id', 0)"),
        statement("SELECT powersync_control('completed_upload', NULL)"),
        line(service.complete()),
        line(service.checkpoint_diff(&[], &["urgent"])),
        line(json!({"token_expires_in": 3600})),
        statement("SELECT powersync_control('seed_checkpoint_request_id', 5)"),
        statement("SELECT powersync_control('next_checkpoint_request_id', NULL)"),
        ("SELECT powersync_control('subscriptions', ?)", json!({"unsubscribe": {"name": "s"}}).to_string()),
        statement("SELECT powersync_control('stop', NULL)"),
        statement("SELECT powersync_trigger_resync(1)"),
        statement("SELECT powersync_clear(0)"),
        statement("SELECT powersync_test_migration(14)"),
        statement("SELECT powersync_init()"),
    ]
}

/// Each write to each table fails in turn, wherever in a call it comes.
#[test]
fn no_write_that_fails_leaves_a_statement_running() {
    let mut client = Client::new();
    let mut failed = 0;
    let tables = client.run(
        "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT GLOB 'sqlite_*'",
        &[],
    );
    for (table, event) in tables.iter().flat_map(|table| ["INSERT", "UPDATE", "DELETE"].map(|event| (table, event))) {
        client.run(
            &format!(
                "CREATE TRIGGER \"{table} fails\" BEFORE {event} ON \"{table}\" BEGIN SELECT RAISE(ABORT, 'no'); END"
            ),
            &[],
        );
        for number in 0..3 {
            client.service.put(
                "a",
                ["lists", "tags", "notes"][number],
                "1",
                &json!({"name": format!("{table} {event}")}),
            );
        }
        client.service.put("a", "unknown", event, &json!({"name": table}));
        client.service.remove("a", "lists", "2");
        client.service.put("urgent", "lists", "u", &json!({"name": format!("{table} {event}")}));
        client.service.bucket("urgent").priority = 1;
        let calls = whole_session(&client.service);
        for (sql, parameter) in &calls {
            let parameters = [parameter.as_str()];
            client.run("BEGIN IMMEDIATE", &[]);
            match client.try_run(sql, if sql.contains('?') { &parameters } else { &[] }) {
                Ok(_) => _ = client.run("COMMIT", &[]),
                Err(_) => {
                    failed += 1;
                    client.database.roll_back().unwrap();
                }
            }
        }
        client.run(&format!("DROP TRIGGER IF EXISTS \"{table} fails\""), &[]);
        client.transaction("SELECT powersync_replace_schema(?)", &[&schema()]);
        client.transaction("SELECT powersync_clear(1)", &[]);
        client.service = Service::new();
    }
    assert!(failed > 150, "only {failed} calls failed");
    client.database.close();
}

#[test]
fn a_connection_closes_with_statements_cached_an_iteration_open_and_hooks_installed() {
    for steps in 0..3 {
        let mut client = Client::new();
        client.installed_hooks();
        client.control("start", "");
        if steps > 0 {
            client.sync();
            client.run("INSERT INTO lists(id, name) VALUES ('local', 'x')", &[]);
        }
        if steps > 1 {
            client.run("BEGIN", &[]);
            client.run("INSERT INTO lists(id, name) VALUES ('other', 'x')", &[]);
            client.run("SELECT powersync_control('stop', NULL)", &[]);
        }
        client.database.close();
    }
    // Nothing but hooks: no statement was ever cached.
    let database = Database::open_in_memory().unwrap();
    database.load(library::loadable()).unwrap();
    database.run("SELECT powersync_update_hooks('install')", &[]).unwrap();
    database.close();
}

#[test]
fn a_connection_that_cannot_close_keeps_its_iteration_and_hooks() {
    let mut client = Client::new();
    client.installed_hooks();
    client.control("start", "");
    client.sync();
    client.run("SELECT powersync_update_hooks('get')", &[]);
    for round in 0..2 {
        let open = client.database.open_statement("SELECT * FROM sqlite_schema").unwrap();
        assert_eq!(client.database.running_statements(), ["SELECT * FROM sqlite_schema"]);
        assert_eq!(client.database.try_close().unwrap_err().code, BUSY);
        drop(open);
        client.run("INSERT INTO ps_kv(key, value) VALUES (?, 1)", &[&round.to_string()]);
        assert_eq!(client.run("SELECT powersync_update_hooks('get')", &[]), [r#"["ps_kv"]"#]);
        let name = client.sync();
        assert_eq!(client.names(), [name.as_str(); 3].join(" "), "the iteration goes on");
        client.run("SELECT powersync_update_hooks('get')", &[]);
    }
    client.database.close();
}
