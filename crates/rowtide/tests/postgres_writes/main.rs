//! The program as a complete backend on PostgreSQL: what clients upload is in the database, and comes back to them.
#![cfg(unix)]
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::path::Path;

use pg_server::{Database, Server};
use serde_json::{Value, json};

#[path = "../service/support.rs"]
#[allow(dead_code, reason = "the other tests use more of it")]
mod support;

use support::{Running, command, run, text, token};

const CONFIG: &str = "config: {edition: 3}
streams:
  notes:
    auto_subscribe: true
    query: SELECT * FROM notes WHERE owner = auth.user_id()
";

const RULES: &str = "
writes:
  role: ROLE
  tables:
    notes: {columns: [body, data], check: owner = auth.user_id()}
";

/// A role that reads with `REPLICATION`, and one that writes as another one, to which policies apply.
fn tables(name: &str) -> String {
    format!(
        "CREATE ROLE {name}_user; CREATE ROLE {name}_writer LOGIN PASSWORD 'p' IN ROLE {name}_user NOINHERIT;
        CREATE TABLE notes(id uuid PRIMARY KEY, owner text NOT NULL DEFAULT current_setting('app.user_id'), body text, data jsonb);
        ALTER TABLE notes ENABLE ROW LEVEL SECURITY;
        CREATE POLICY own ON notes TO {name}_user USING (owner = current_setting('app.user_id'));
        GRANT ALL ON notes TO {name}_user; GRANT CREATE ON DATABASE {{database}} TO {name}_writer;
        INSERT INTO notes VALUES ('00000000-0000-4000-8000-000000000009', 'ben', 'his', NULL);
        CREATE PUBLICATION powersync FOR TABLE notes"
    )
}

fn id(number: u32) -> String {
    format!("00000000-0000-4000-8000-{number:012}")
}

fn started(folder: &Path, database: &Database, name: &str) -> Running {
    std::fs::write(folder.join("sync.yaml"), CONFIG).unwrap();
    std::fs::write(folder.join("writes.yaml"), RULES.replace("ROLE", &format!("{name}_user"))).unwrap();
    let arguments = ["serve", "--config", "sync.yaml", "--port", "0", "--json", "--jwt-secret", support::SECRET];
    let mut serve = command(folder, &[&arguments[..], &["--writes", "writes.yaml", "--admin-token", "admin"]].concat());
    serve.env("ROWTIDE_SOURCE", database.url());
    serve.env("ROWTIDE_WRITES_DATABASE", database.url_as(&format!("{name}_writer"), "p"));
    Running::start(serve)
}

fn upload(service: &Running, token: &str, number: u32, operation: Value) -> Value {
    let transaction = json!({"transaction_id": number, "crud": [operation]});
    let body = json!({"client_id": "c", "queue": "q", "transactions": [transaction]});
    let request = service.post("/api/data").header("authorization", format!("Bearer {token}"));
    let answer: Value = request.json(&body).send().unwrap().json().unwrap();
    answer["results"][0].clone()
}

fn put(number: u32, data: Value) -> Value {
    json!({"op": "PUT", "table": "notes", "id": id(number), "op_data": data})
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn uploads_come_back_from_the_database() {
    let database = Server::shared().database();
    let mut client = database.client();
    client.batch_execute(&tables("complete").replace("{database}", database.name())).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let service = started(path, &database, "complete");
    let ann = token(path, "ann");
    let mut stream = service.stream(&ann);
    stream.checkpoint();
    let written = put(1, json!({"body": "hers", "data": "{\"a\": [1, 2]}"}));
    for _ in 0..2 {
        assert_eq!(upload(&service, &ann, 1, written.clone()), json!({"status": "success"}));
    }
    let operation = stream.operation(|operation| operation["op"] == "PUT");
    let data: Value = serde_json::from_str(operation["data"].as_str().unwrap()).unwrap();
    assert_eq!(data, json!({"id": id(1), "owner": "ann", "body": "hers", "data": "{\"a\": [1, 2]}"}));
    // A row of somebody else, which the policy hides.
    let stolen = upload(&service, &ann, 2, put(9, json!({"body": "mine"})));
    assert_eq!(stolen["failed_operation"]["error_code"], "UNAUTHORIZED", "{stolen}");
    drop(service);
    let mut service = started(path, &database, "complete");
    assert_eq!(upload(&service, &ann, 1, written), json!({"status": "success"}), "it is known after a restart");
    assert_eq!(upload(&service, &ann, 2, put(9, json!({"body": "mine"}))), stolen);
    let letters = |arguments: &[&str]| {
        let output =
            run(path, &[&["dead-letters"], arguments, &["--url", &service.url, "--admin-token", "admin"]].concat());
        assert!(output.status.success(), "{}{}", text(&output.stdout), text(&output.stderr));
        text(&output.stdout)
    };
    assert!(letters(&["list"]).contains("ann") && letters(&["show", "1"]).contains("(this one was refused)"));
    client.batch_execute("DELETE FROM notes WHERE owner = 'ben'").unwrap();
    assert_eq!(letters(&["replay", "1", "--yes"]), "Dead letter 1 is applied.\n");
    let rows = client.query("SELECT owner || ' ' || body FROM notes ORDER BY body", &[]).unwrap();
    assert_eq!(rows.iter().map(|row| row.get(0)).collect::<Vec<String>>(), ["ann hers", "ann mine"]);
    service.signal("TERM");
    assert_eq!(service.ended().code(), Some(0), "connections to the database do not keep it");
    client
        .batch_execute("DROP OWNED BY complete_writer, complete_user CASCADE; DROP ROLE complete_writer, complete_user")
        .unwrap();
}

#[test]
fn what_cannot_be_written_is_refused() {
    let folder = support::folder();
    std::fs::write(folder.path().join("writes.yaml"), "writes: {}").unwrap();
    let serve = |more: &[&str]| {
        let first =
            ["serve", "--config", "sync.yaml", "--ephemeral", "--source", "memory:", "--jwt-secret", support::SECRET];
        let output = run(folder.path(), &[&first[..], more].concat());
        (output.status.code(), text(&output.stderr))
    };
    let (code, message) = serve(&["--writes", "writes.yaml"]);
    assert!(code == Some(2) && message.contains("--writes-database"), "{message}");
    let secret = ["--writes", "writes.yaml", "--writes-database", "postgres://u:secret@127.0.0.1:1/db"];
    let (code, message) = serve(&secret);
    assert!(code == Some(1) && message.contains("127.0.0.1:1/db") && !message.contains("secret"), "{message}");
    let (code, _) = serve(&["--writes-database", "sqlite:app.db"]);
    assert_eq!(code, Some(2), "it is for --writes");
}
