//! A todo list that syncs. Start `rowtide dev` in another terminal, and then, in two more:
//!
//! ```text
//! cargo run --example todo -- phone.db
//! cargo run --example todo -- laptop.db Milk
//! ```
//!
//! What one of them adds shows in the other.

use std::time::Duration;

use rowtide_client::{BoxError, Client, Options, WritePath};

const URL: &str = "http://127.0.0.1:8080";
const SCHEMA: &str = r#"{"tables": [
    {"name": "lists", "columns": [{"name": "name", "type": "text"}, {"name": "owner_id", "type": "text"}]},
    {"name": "todos", "columns": [{"name": "list_id", "type": "text"}, {"name": "description", "type": "text"},
        {"name": "done", "type": "integer"}, {"name": "created_at", "type": "text"}]}
]}"#;

fn main() -> Result<(), BoxError> {
    let mut arguments = std::env::args().skip(1);
    let file = arguments.next().unwrap_or_else(|| "todo.db".to_owned());
    let options = Options::new(file, URL).schema(SCHEMA).token(token).upload(WritePath::new(URL));
    let client = Client::open(options)?;
    client.connect();
    let app = client.connection()?;

    // Whatever an app writes is shown at once, and uploaded when the service can be reached.
    for description in arguments {
        let sql = "INSERT INTO todos (id, list_id, description, done) VALUES (uuid(), 'list-groceries', ?, 0)";
        app.execute(sql, [description])?;
    }

    // Each published checkpoint is a change of the status: time to run the app's queries again.
    let mut shown = None;
    for status in client.statuses() {
        if let Some(error) = &status.download_error {
            eprintln!("{error}");
        }
        if shown != Some(status.checkpoints) {
            shown = Some(status.checkpoints);
            print_todos(&app)?;
        }
    }
    Ok(())
}

fn print_todos(app: &rusqlite::Connection) -> Result<(), BoxError> {
    let sql = "SELECT lists.name, description, done FROM todos JOIN lists ON lists.id = list_id ORDER BY 1, 2";
    let mut statement = app.prepare(sql)?;
    let mut rows = statement.query(())?;
    println!();
    while let Some(row) = rows.next()? {
        let (list, description, done): (String, String, bool) = row.try_into()?;
        println!("{} {list}: {description}", if done { "[x]" } else { "[ ]" });
    }
    Ok(())
}

/// A real app asks its own backend.
fn token() -> Result<String, BoxError> {
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect_timeout(&"127.0.0.1:8080".parse()?, Duration::from_secs(5))?;
    stream.write_all(b"GET /dev/token?user=alice HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.rsplit("\r\n").next().unwrap_or_default().to_owned())
}
