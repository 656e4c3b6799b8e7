//! The program with a PostgreSQL database as its source.
#![cfg(unix)]
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, Ordering};

use pg_server::{Database, Server};
use rusqlite::Connection;

const SECRET: &str = "MDEyMzQ1Njc4OWFiY2RlZg";

const ADMIN: &str = "admin-of-tests";

const CONFIG: &str = "config: {edition: 3}
streams:
  lists:
    auto_subscribe: true
    query: SELECT * FROM lists WHERE owner = auth.user_id()
  items:
    auto_subscribe: true
    query: SELECT items.* FROM items INNER JOIN lists ON items.list = lists.id WHERE lists.owner = auth.user_id()
";

const TABLES: &str = "
    CREATE TABLE lists(id uuid PRIMARY KEY DEFAULT gen_random_uuid(), owner text, name text);
    CREATE TABLE items(id bigint PRIMARY KEY, list uuid REFERENCES lists, n int, at timestamptz DEFAULT '2024-01-02 03:04:05Z', body text);
    ALTER TABLE items ALTER body SET STORAGE EXTERNAL;
    INSERT INTO lists(owner, name) SELECT CASE n % 2 WHEN 0 THEN 'ann' ELSE 'ben' END, 'list ' || n FROM generate_series(1, 10) n;
    INSERT INTO items(id, list, n, body) SELECT n, (SELECT id FROM lists WHERE name = 'list ' || (1 + n % 10)), 0,
        CASE n % 50 WHEN 0 THEN (SELECT string_agg(md5((n + i)::text), '') FROM generate_series(1, 100) i) END
        FROM generate_series(1, 8000) n;";

/// `rowtide` in a folder.
fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_rowtide"));
    command.current_dir(folder).args(arguments);
    for name in ["ROWTIDE_JWT_SECRET", "ROWTIDE_ADMIN_TOKEN", "ROWTIDE_SOURCE", "ROWTIDE_TOKEN"] {
        command.env_remove(name);
    }
    command
}

fn run(mut command: Command) -> Output {
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
    output
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// `rowtide serve`, which is killed when this is dropped.
struct Service {
    child: Child,
}

impl Service {
    /// Starts it, and waits until it has printed where it is, which is when all rows were read.
    fn start(folder: &Path, source: &str) -> (Self, String) {
        let mut service = Self::spawn(folder, source);
        let mut line = String::new();
        BufReader::new(service.child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let line: serde_json::Value = serde_json::from_str(&line).unwrap_or_else(|_| panic!("it is not ready"));
        let url = line["url"].as_str().unwrap().to_owned();
        (service, url)
    }

    fn spawn(folder: &Path, source: &str) -> Self {
        let mut command = command(folder, &["serve", "--config", "sync.yaml", "--port", "0", "--json"]);
        command.env("ROWTIDE_SOURCE", source).env("ROWTIDE_JWT_SECRET", SECRET).env("ROWTIDE_ADMIN_TOKEN", ADMIN);
        let log = std::fs::File::options().append(true).create(true).open(folder.join("log")).unwrap();
        Self { child: command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(log).spawn().unwrap() }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Waits until something is so, which takes as long as it takes.
fn until(mut is_so: impl FnMut() -> bool) {
    while !is_so() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

fn log(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("log")).unwrap_or_default()
}

/// What a user has on a device that syncs once.
fn synced(folder: &Path, url: &str, user: &str) -> Vec<String> {
    let token = text(&run(command(folder, &["token", "--jwt-secret", SECRET, "--user", user])).stdout);
    let file = format!("{user}.db");
    run(command(folder, &["sync", "--url", url, "--token", token.trim(), "--schema", "schema.json", "--once", &file]));
    rowtide_client::load_extension().unwrap();
    let app = Connection::open(folder.join(&file)).unwrap();
    let mut statement =
        app.prepare("SELECT id || ' ' || n || ' ' || at || ' ' || coalesce(body, '-') FROM items").unwrap();
    let mut rows: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
    rows.sort();
    rows
}

/// What the user should have.
fn expected(database: &Database, user: &str) -> Vec<String> {
    let sql = "SELECT i.id || ' ' || n || ' ' || to_char(at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"') || ' ' || coalesce(body, '-')
        FROM items i JOIN lists l ON l.id = i.list WHERE l.owner = $1";
    let mut rows: Vec<String> = database.client().query(sql, &[&user]).unwrap().iter().map(|row| row.get(0)).collect();
    rows.sort();
    rows
}

fn write(database: &Database, is_done: &AtomicBool) {
    let mut client = database.client();
    let mut n = 0_i64;
    while !is_done.load(Ordering::Relaxed) {
        n += 1;
        let (id, other) = (n * 7919 % 8000 + 1, n * 104_729 % 8000 + 1);
        let sql = format!(
            "BEGIN; UPDATE items SET n = n + 1 WHERE id IN ({id}, {other});
            UPDATE items SET list = (SELECT id FROM lists WHERE name = 'list ' || (1 + {n} % 10)) WHERE id = {id};
            DELETE FROM items WHERE id = {other} AND {n} % 5 = 0; COMMIT"
        );
        client.batch_execute(&sql).unwrap();
    }
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn a_service_that_is_killed_again_and_again_gives_clients_the_rows_of_the_database() {
    let database = Server::shared().database();
    database.client().batch_execute(TABLES).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    std::fs::write(path.join("sync.yaml"), CONFIG).unwrap();
    let source = database.url();
    let schema = run(command(path, &["config", "schema", "--source", &source, "sync.yaml"]));
    std::fs::write(path.join("schema.json"), schema.stdout).unwrap();
    let is_done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| write(&database, &is_done));
        // Killed at any time: when it has a slot, when it has begun to stream, and later when clients have rows.
        for condition in ["true", "active"] {
            let mut service = Service::spawn(path, &source);
            let sql = format!("SELECT count(*) FROM pg_replication_slots WHERE database = $1 AND {condition}");
            let mut client = database.client();
            until(|| {
                assert!(service.child.try_wait().unwrap().is_none(), "{}", log(path));
                client.query_one(&sql, &[&database.name()]).unwrap().get::<_, i64>(0) > 0
            });
        }
        for _ in 0..3 {
            let (service, url) = Service::start(path, &source);
            assert!(!synced(path, &url, "ann").is_empty());
            drop(service);
        }
        is_done.store(true, Ordering::Relaxed);
    });
    let (_service, url) = Service::start(path, &source);
    // A checkpoint that shows all that was written before.
    for user in ["ann", "ben"] {
        let expected = expected(&database, user);
        let mut found = synced(path, &url, user);
        for _ in 0..100 {
            if found == expected {
                break;
            }
            found = synced(path, &url, user);
        }
        assert!(found == expected, "{user}: {} rows, and {} are right", found.len(), expected.len());
    }
    let log = log(path);
    assert!(!log.contains("all rows are compared"), "nothing was lost: {log}");
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn what_is_wrong_with_the_database_is_said_with_the_remedy() {
    let database = Server::shared().database();
    database
        .client()
        .batch_execute("CREATE TABLE lists(id text, owner text); CREATE TABLE items(id int PRIMARY KEY, list text)")
        .unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("sync.yaml"), CONFIG).unwrap();
    let mut service = Service::spawn(folder.path(), &database.url());
    until(|| {
        assert!(service.child.try_wait().unwrap().is_none(), "{}", log(folder.path()));
        log(folder.path()).contains("ALTER TABLE \"public\".\"lists\" REPLICA IDENTITY FULL;")
    });
    let log = log(folder.path());
    assert!(log.contains("warning: source: replica identity: public.lists has no primary key"), "{log}");
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn rows_are_filtered_and_sorted_by_the_database() {
    let database = Server::shared().database();
    let rows = "CREATE TABLE lists(id int PRIMARY KEY, owner text, name text);
        CREATE TABLE items(id bigint PRIMARY KEY, list int, n numeric, at timestamptz, body bytea);
        INSERT INTO items VALUES (1, 1, 2.5, '2024-01-02 03:04:05Z', '\\x0001'), (9007199254740993, 1, 10, NULL, NULL);
        INSERT INTO lists SELECT n, 'ann', 'list ' || n FROM generate_series(1, 70) n;
        INSERT INTO lists VALUES (71, 'o''neill', 'a\\b'), (72, 'other', 'A\\''B')";
    database.client().batch_execute(rows).unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("sync.yaml"), CONFIG).unwrap();
    let (_service, url) = Service::start(folder.path(), &database.url());
    let client = reqwest::blocking::Client::new();
    let ask = |query: &[(&str, &str)]| -> serde_json::Value {
        let request = client.get(format!("{url}/api/admin/v1/rows")).query(query).bearer_auth(ADMIN);
        let answer = request.send().unwrap();
        assert_eq!(answer.status(), 200, "{query:?}");
        answer.json().unwrap()
    };
    let ids = |answer: &serde_json::Value| -> Vec<i64> {
        answer["rows"].as_array().unwrap().iter().map(|row| row[0].as_i64().unwrap()).collect()
    };
    let page = ask(&[("table", "lists"), ("limit", "2"), ("order", "id"), ("descending", "1"), ("offset", "1")]);
    assert_eq!((ids(&page), &page["has_more"], &page["key"]), (vec![71, 70], &true.into(), &serde_json::json!(["id"])));
    let last = ask(&[("table", "lists"), ("offset", "70")]);
    assert_eq!((ids(&last), &last["has_more"]), (vec![71, 72], &false.into()));
    for (filter, expected) in
        [("O'N", vec![71]), ("a\\", vec![71, 72]), ("\\'b", vec![72]), ("'); DROP TABLE lists; --", vec![])]
    {
        assert_eq!(ids(&ask(&[("table", "lists"), ("filter", filter)])), expected, "{filter}");
    }
    let items = ask(&[("table", "items"), ("schema", "public")]);
    let expected = serde_json::json!([
        [1, 1, "2.5", "2024-01-02T03:04:05.000000Z", {"base64": "AAE=", "bytes": 2}],
        [{"integer": "9007199254740993"}, 1, "10", null, null],
    ]);
    assert_eq!(items["rows"], expected);
}
