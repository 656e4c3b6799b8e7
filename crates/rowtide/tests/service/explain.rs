//! `rowtide explain`: a file of an app, and the service that it syncs with.

use std::fs;
use std::path::Path;
use std::process::Output;

use serde_json::Value;

use crate::support::{Running, command, run, text, write};

/// The todo app, and a client of alice.
struct Fixture {
    folder: tempfile::TempDir,
    service: Running,
}

impl Fixture {
    fn new(more: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let service = Running::start(command(folder.path(), &[&["dev", "--port", "0", "--json"], more].concat()));
        let fixture = Self { folder, service };
        fixture.sync();
        fixture
    }

    fn path(&self) -> &Path {
        self.folder.path()
    }

    /// Gives the client what the service has now.
    fn sync(&self) {
        let token = self.service.line["tokens"]["alice"].as_str().unwrap();
        let lines = self.service.stream(token).checkpoint();
        let lines: String = lines.iter().map(|line| format!("{line}\n")).collect();
        fs::write(self.path().join("stream.ndjson"), lines).unwrap();
        let schema = self.service.get("/dev/schema").send().unwrap().text().unwrap();
        fs::write(self.path().join("schema.json"), schema).unwrap();
        let _ = fs::remove_file(self.path().join("app.db"));
        let replayed = run(self.path(), &["replay", "--db", "app.db", "--schema", "schema.json", "stream.ndjson"]);
        assert!(replayed.status.success(), "{}", text(&replayed.stderr));
    }

    fn client(&self, arguments: &[&str]) -> Output {
        run(self.path(), &[&["explain", "app.db"], arguments].concat())
    }

    /// Both halves for alice, as JSON with the exit code.
    fn both(&self, object_type: &str, id: &str) -> (Value, Option<i32>) {
        let arguments = [object_type, id, "--json", "--user", "alice", "--url", &self.service.url];
        let output = self.client(&arguments);
        let answer = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", text(&output.stderr)));
        (answer, output.status.code())
    }

    #[track_caller]
    fn concludes(&self, object_type: &str, id: &str, part: &str, code: i32) {
        let (answer, found) = self.both(object_type, id);
        let conclusion = answer["conclusion"].as_str().unwrap();
        assert!(conclusion.contains(part), "{part}: {conclusion}");
        assert_eq!(found, Some(code), "{conclusion}");
        assert_eq!(answer["fine"], code == 0);
    }

    /// SQL on the client's file, as the app runs it.
    fn app(&self, sql: &str) {
        let output = run(self.path(), &["shell", "app.db", "--write", sql]);
        assert!(output.status.success(), "{}", text(&output.stderr));
    }
}

#[test]
fn both_halves_are_put_together() {
    let fixture = Fixture::new(&[]);
    fixture.concludes("todos", "todo-1", "and the client shows this version. All is well.", 0);
    fixture.concludes(
        "todos",
        "todo-6",
        "lists with id = 'list-garden' has owner_id = 'bob', and auth.user_id() is 'alice'",
        1,
    );
    fixture.concludes("todos", "nope", "The source has no row of todos with the id 'nope'.", 1);

    let source = fixture.path().join("rowtide-dev/source.db");
    let mut stream = fixture.service.stream(fixture.service.line["tokens"]["alice"].as_str().unwrap());
    stream.checkpoint();
    write(&source, "INSERT INTO todos (id, list_id, description) VALUES ('new', 'list-trip', 'x')");
    stream.operation(|operation| operation["object_id"] == "new");
    fixture.concludes("todos", "new", "so it has not downloaded the row's newest version yet: connect it.", 1);
    write(&source, "INSERT INTO lists (id, name, owner_id) VALUES ('list-new', 'New', 'alice')");
    write(&source, "INSERT INTO todos (id, list_id, description) VALUES ('newer', 'list-new', 'x')");
    stream.operation(|operation| operation["object_id"] == "newer");
    fixture.concludes("todos", "newer", "The client does not have this bucket", 1);
    write(&source, "DELETE FROM todos WHERE id = 'todo-1'");
    stream.operation(|operation| operation["object_id"] == "todo-1" && operation["op"] == "REMOVE");
    fixture.concludes("todos", "todo-1", "The client has the row, and the service does not give it to this user", 1);
    fixture.sync();
    fixture.concludes("todos", "newer", "All is well.", 0);

    fixture.app("UPDATE todos SET done = 1 WHERE id = 'todo-3'");
    fixture.concludes("todos", "todo-3", "shows the changes of this app over it", 0);
    fixture.app("INSERT INTO todos (id, list_id, description) VALUES ('local', 'list-trip', 'x')");
    fixture.concludes("todos", "local", "It is in the upload queue.", 1);
}

#[test]
fn the_file_alone_is_a_page() {
    let fixture = Fixture::new(&[]);
    let before = fs::read(fixture.path().join("app.db")).unwrap();
    let there = fixture.client(&["todos", "todo-1"]);
    assert_eq!(there.status.code(), Some(0));
    let page = text(&there.stdout);
    for part in ["todos todo-1 in app.db", "as downloaded: ", "description  Bread", "published", "Conclusion"] {
        assert!(page.contains(part), "{part}: {page}");
    }
    assert!(!page.contains('\u{1b}') && !page.contains('│'), "it is plain when it is piped: {page}");
    let absent = fixture.client(&["todos", "todo-6"]);
    assert_eq!(absent.status.code(), Some(1));
    assert!(text(&absent.stdout).contains("Ask the service for the reason, with --url and --user."));
    assert_eq!(fs::read(fixture.path().join("app.db")).unwrap(), before, "it is only read");

    fixture.app("UPDATE todos SET done = 1 WHERE id = 'todo-1'");
    let page = text(&fixture.client(&["todos", "todo-1"]).stdout);
    assert!(page.contains("PATCH") && page.contains("The gate is closed (local writes queued)"), "{page}");
}

#[test]
fn what_it_cannot_answer_is_an_error_with_a_code() {
    let fixture = Fixture::new(&["--admin-token", "a-token"]);
    let failed = |arguments: &[&str], code: i32, part: &str| {
        let output = fixture.client(arguments);
        let message = text(&output.stderr);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {message}");
        assert!(message.contains(part), "{part}: {message}");
    };
    let url = fixture.service.url.as_str();
    failed(&["nope", "x"], 2, "app.db has no table nope. Its tables are: lists, todos");
    failed(&["todos", "todo-1", "--url", url], 2, "--url needs the user");
    failed(&["todos", "todo-1", "--url", "localhost", "--user", "alice"], 2, "must begin with http://");
    failed(&["todos", "todo-1", "--url", "http://127.0.0.1:1", "--user", "alice"], 1, "nothing answers at");
    failed(&["todos", "todo-1", "--url", url, "--user", "alice"], 1, "Give the service's admin token");
    failed(
        &["todos", "todo-1", "--url", url, "--user", "a", "--admin-token", "no"],
        1,
        "The admin token is another one",
    );
    failed(&["todos", "todo-1", "--url", url, "--claims", "1"], 2, "--claims must be a JSON object");
    failed(&["todos", "todo-1", "--url", url, "--user", "a", "--subscribe", "list=1"], 2, "what follows =");
    let missing = run(fixture.path(), &["explain", "no.db", "todos", "x"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(!fixture.path().join("no.db").exists());
    let subscribed = ["todos", "todo-6", "--url", url, "--user", "alice", "--admin-token", "a-token", "--subscribe"];
    let output = fixture.client(&[&subscribed[..], &["list={\"id\":\"list-garden\"}"]].concat());
    assert_eq!(output.status.code(), Some(1));
    let page = text(&output.stdout);
    assert!(page.contains("Stream list, subscription 1: "), "{page}");
}
