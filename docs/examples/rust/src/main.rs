//! A todo app that works offline, without an SDK: rusqlite for SQLite, ureq for HTTP.
//!
//! usage: todo list | add LIST TEXT | done TODO | sync | watch
//!
//! `list`, `add` and `done` use the database alone. `sync` and `watch` are the loop of docs/write-an-sdk.md. To keep it short,
//! only one of them may run at a time for a file, downloads wait while changes are uploaded or a token is fetched, and errors
//! of the database end the program.

use std::env::var;
use std::io::{BufRead, BufReader};
use std::process::ExitCode;
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use rusqlite::types::{FromSql, Value as SqlValue};
use rusqlite::{Connection, LoadExtensionGuard, Params, TransactionBehavior, params};
use serde_json::{Map, Value, json};
use ureq::http::Response;
use ureq::{Agent, Body};

// Always the same text: so the extension sees at once that nothing has changed.
const SCHEMA: &str = r#"{"tables": [
  {"name": "lists", "columns": [{"name": "name", "type": "text"}]},
  {"name": "todos", "columns": [{"name": "list_id", "type": "text"}, {"name": "description", "type": "text"},
    {"name": "done", "type": "integer"}, {"name": "created_at", "type": "text"}]}]}"#;
const ADD: &str = "INSERT INTO todos (id, list_id, description, done, created_at)
  VALUES (uuid(), ?, ?, 0, strftime('%Y-%m-%d %H:%M:%f', 'now'))";
const SHOW: &str = "SELECT line FROM (
  SELECT 1 AS part, name, id AS list, '' AS at, name || ' (' || id || ')' AS line FROM lists UNION ALL
  SELECT 1, name, list_id, created_at, '  [' || iif(done, 'x', ' ') || '] ' || description || ' (' || todos.id || ')'
    FROM todos JOIN lists ON lists.id = list_id UNION ALL
  SELECT 2, '', '', '', 'waiting to be uploaded: ' || n FROM (SELECT count(*) AS n FROM ps_crud) WHERE n > 0)
  ORDER BY part, name, list, at";
/// The write checkpoint to wait for, as long as the service has not named one.
const UNKNOWN: i64 = 9_223_372_036_854_775_807;
const FIRST_DELAY: Duration = Duration::from_millis(500);
const LONGEST_DELAY: Duration = Duration::from_secs(30);

fn setting(name: &str, default: &str) -> String {
    var(name).unwrap_or_else(|_| default.to_owned())
}

fn service() -> String {
    setting("TODO_URL", "http://127.0.0.1:8080")
}

fn open() -> Result<Connection> {
    let db = Connection::open(setting("TODO_FILE", "todo.db"))?;
    db.busy_timeout(Duration::from_secs(30))?;
    // SAFETY: the library keeps to SQLite's extension interface.
    unsafe {
        let _guard = LoadExtensionGuard::new(&db)?;
        db.load_extension(setting("POWERSYNC_LIBRARY", "target/release/libpowersync"), Some("sqlite3_powersync_init"))?;
    }
    db.execute_batch("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL")?;
    transaction::<SqlValue>(&db, "SELECT powersync_replace_schema(?)", [SCHEMA])?;
    Ok(db)
}

/// Runs a query in its own transaction.
fn transaction<T: FromSql>(db: &Connection, sql: &str, params: impl Params) -> rusqlite::Result<T> {
    let transaction = rusqlite::Transaction::new_unchecked(db, TransactionBehavior::Immediate)?;
    let value = value(db, sql, params)?;
    transaction.commit()?;
    Ok(value)
}

fn value<T: FromSql>(db: &Connection, sql: &str, params: impl Params) -> rusqlite::Result<T> {
    db.query_row(sql, params, |row| row.get(0))
}

fn lines(db: &Connection) -> rusqlite::Result<String> {
    let mut statement = db.prepare(SHOW)?;
    let lines = statement.query_map([], |row| row.get(0))?.collect::<rusqlite::Result<Vec<String>>>()?;
    Ok(lines.join("\n"))
}

struct Client<'a> {
    db: &'a Connection,
    agent: Agent,
    is_watching: bool,
    token: Option<String>,
    stream_request: Value,
    is_open: bool,
    hide_disconnect: bool,
    wants_upload: bool,
    has_synced: bool,
    delay: Duration,
    shown: String,
}

impl<'a> Client<'a> {
    fn new(db: &'a Connection, is_watching: bool) -> Self {
        let timeout = Some(Duration::from_secs(10));
        // The stream has no end, so this does not limit how long bodies take.
        let agent = Agent::config_builder().timeout_connect(timeout).timeout_recv_response(timeout).build().into();
        let (token, stream_request, shown) = (None, Value::Null, String::new());
        let [is_open, hide_disconnect, wants_upload, has_synced] = [false; 4];
        let delay = FIRST_DELAY;
        Self {
            db,
            agent,
            is_watching,
            token,
            stream_request,
            is_open,
            hide_disconnect,
            wants_upload,
            has_synced,
            delay,
            shown,
        }
    }

    /// Connects again and again; if nobody is watching, until everything has synced or there is no connection.
    fn run(&mut self) -> Result<()> {
        while self.is_watching || !self.has_synced {
            if let Err(error) = self.connect() {
                if error.is::<rusqlite::Error>() {
                    return Err(error);
                }
                eprintln!("offline: {error}");
                if self.is_open {
                    self.control("connection", Some("end"))?;
                }
            }
            if !self.hide_disconnect {
                if !self.is_watching {
                    break;
                }
                // A part is random, so that not all clients of a service that was away return at the same moment.
                thread::sleep(self.delay.mul_f64(0.75 + fastrand::f64() / 4.0));
                self.delay = LONGEST_DELAY.min(2 * self.delay);
            }
        }
        Ok(())
    }

    /// One iteration, until the extension closes it or the network fails.
    fn connect(&mut self) -> Result<()> {
        self.wants_upload = true;
        self.control("start", Some("{}"))?;
        // A new channel each time, so that lines of an old connection do not reach this one.
        let stream = self.open_stream()?;
        self.control("connection", Some("established"))?;
        let mut last_line = Instant::now();
        while self.is_open {
            if self.token.is_none() {
                self.token()?;
                self.control("refreshed_token", None)?;
            } else if self.wants_upload {
                self.upload()?;
            } else {
                match stream.recv_timeout(Duration::from_secs(1)) {
                    Ok(line) => {
                        last_line = Instant::now();
                        self.control("line_text", Some(&line))?;
                    }
                    Err(RecvTimeoutError::Disconnected) => self.control("connection", Some("end"))?,
                    // There is a keep-alive every 20 seconds.
                    Err(RecvTimeoutError::Timeout) if last_line.elapsed() > Duration::from_secs(60) => bail!("silence"),
                    // Another process may have written to the file.
                    Err(RecvTimeoutError::Timeout) => {
                        self.wants_upload = value::<i64>(self.db, "SELECT count(*) FROM ps_crud", [])? > 0;
                        self.show()?;
                    }
                }
            }
        }
        Ok(())
    }

    /// Opens the stream. A thread reads its lines; it ends with the stream, or at the next line when nobody receives it.
    fn open_stream(&mut self) -> Result<Receiver<String>> {
        let body = self.stream_request.take();
        let mut stream = BufReader::new(self.request("/sync/stream", Some(&body))?.into_body().into_reader());
        // It holds few lines: if the database is slower than the network, the network has to wait.
        let (sender, receiver) = sync_channel(100);
        thread::spawn(move || {
            let mut line = String::new();
            // A line without its end was cut off by the end of the connection.
            while stream.read_line(&mut line).is_ok() && line.ends_with('\n') {
                if sender.send(std::mem::take(&mut line)).is_err() {
                    return;
                }
            }
        });
        Ok(receiver)
    }

    /// Tells the extension of an event, and carries out its instructions: after the COMMIT, in their order.
    fn control(&mut self, command: &str, payload: Option<&str>) -> Result<()> {
        let sql = "SELECT powersync_control(?, ?)";
        let instructions: String = transaction(self.db, sql, params![command, payload])?;
        for instruction in serde_json::from_str::<Vec<Map<String, Value>>>(&instructions)? {
            for (name, value) in instruction {
                self.execute(&name, value)?;
            }
        }
        if self.has_synced && !self.is_watching && self.is_open {
            self.control("stop", None)?;
        }
        Ok(())
    }

    fn execute(&mut self, name: &str, mut value: Value) -> Result<()> {
        match name {
            "LogLine" if value["severity"] == "WARNING" => eprintln!("{}", value["line"]),
            "EstablishSyncStream" => {
                self.is_open = true;
                self.stream_request = value["request"].take();
            }
            // If it is still valid for some seconds, the loop gets a new one while the stream stays open.
            "FetchCredentials" => self.token = None,
            "CheckpointDelayedDueToLocalData" => self.wants_upload = true,
            "DidCompleteSync" => {
                // This does not come as long as local writes are not acknowledged. So they are synced, too.
                self.has_synced = true;
                self.delay = FIRST_DELAY;
                self.show()?;
            }
            "CloseSyncStream" => {
                self.is_open = false;
                self.hide_disconnect = value["hide_disconnect"] == true;
            }
            _ => {}
        }
        Ok(())
    }

    /// Sends the queue, oldest transaction first, and then asks which write checkpoint acknowledges it.
    fn upload(&mut self) -> Result<()> {
        self.wants_upload = false;
        loop {
            let next: String = value(self.db, "SELECT powersync_crud_next(50, 1000000)", [])?;
            let next: Value = serde_json::from_str(&next)?;
            let transactions = next["transactions"].as_array().map(Vec::as_slice).unwrap_or_default();
            if transactions.is_empty() {
                break;
            }
            let answer: Value =
                self.request("/api/data", Some(&json!({"transactions": transactions})))?.body_mut().read_json()?;
            self.apply_results(transactions, &answer["results"])?;
        }
        let target = "SELECT powersync_control('target_checkpoint_request_id', NULL)";
        if transaction::<Option<i64>>(self.db, target, [])? == Some(UNKNOWN) {
            let last_entry: i64 = value(self.db, "SELECT seq FROM sqlite_sequence WHERE name = 'ps_crud'", [])?;
            let client_id: String = value(self.db, "SELECT powersync_client_id()", [])?;
            let path = format!("/write-checkpoint2.json?client_id={client_id}");
            let answer: Value = self.request(&path, None)?.body_mut().read_json()?;
            // This stores nothing if there are new entries, since the checkpoint may not cover them.
            let params = params![last_entry, answer["data"]["write_checkpoint"].as_str()];
            transaction::<String>(self.db, "SELECT powersync_crud_complete(?, ?)", params)?;
        }
        self.control("completed_upload", None)
    }

    fn apply_results(&self, transactions: &[Value], results: &Value) -> Result<()> {
        let ids: Vec<&Value> = transactions.iter().map(|transaction| &transaction["transaction_id"]).collect();
        let params = [results.to_string(), json!({"transaction_ids": ids}).to_string()];
        let done: String = transaction(self.db, "SELECT powersync_crud_results(?, ?)", params)?;
        let done: Value = serde_json::from_str(&done)?;
        let rejected = done["rejected"].as_array().map(Vec::as_slice).unwrap_or_default();
        for id in rejected.iter().filter_map(Value::as_str) {
            // The next checkpoint undoes what the service refuses for good. An app can also let its user correct it.
            let why = "SELECT op || ' ' || type || ': ' || message FROM powersync_rejected WHERE transaction_id = ?";
            println!("refused: {}", value::<String>(self.db, why, [id])?);
            transaction::<SqlValue>(self.db, "SELECT powersync_crud_discard(?)", [id])?;
        }
        ensure!(done["completed"] != 0 || !rejected.is_empty(), "the service cannot take the changes now");
        Ok(())
    }

    fn request(&mut self, path: &str, body: Option<&Value>) -> Result<Response<Body>> {
        let (url, token) = (format!("{}{path}", service()), format!("Token {}", self.token()?));
        let result = match body {
            Some(body) => self.agent.post(url).header("Authorization", token).send_json(body),
            None => self.agent.get(url).header("Authorization", token).call(),
        };
        if matches!(result, Err(ureq::Error::StatusCode(401))) {
            self.token = None; // the next request gets a new one
        }
        Ok(result?)
    }

    fn token(&mut self) -> Result<&str> {
        if self.token.is_none() {
            let request = self.agent.get(format!("{}/dev/token", service()));
            let mut answer = request.query("user", setting("TODO_USER", "alice")).call()?;
            self.token = Some(answer.body_mut().read_to_string()?);
        }
        Ok(self.token.as_deref().unwrap_or_default())
    }

    fn show(&mut self) -> Result<()> {
        let lines = lines(self.db)?;
        if self.is_watching && lines != self.shown {
            println!("{lines}\n");
            self.shown = lines;
        }
        Ok(())
    }
}

fn main() -> Result<ExitCode> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (db, mut status) = (open()?, ExitCode::SUCCESS);
    match arguments[..] {
        ["list"] => {}
        ["add", list, description] => _ = db.execute(ADD, [list, description])?,
        ["done", todo] => _ = db.execute("UPDATE todos SET done = 1 WHERE id = ?", [todo])?,
        [command @ ("sync" | "watch")] => {
            let mut client = Client::new(&db, command == "watch");
            client.run()?;
            if !client.has_synced {
                status = ExitCode::FAILURE;
            }
        }
        _ => {
            eprintln!("usage: todo list | add LIST TEXT | done TODO | sync | watch");
            return Ok(ExitCode::from(2));
        }
    }
    println!("{}", lines(&db)?);
    Ok(status)
}
