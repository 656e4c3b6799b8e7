//! `fake-convex`: the double as a process, which a script on its standard input drives. It prints its URL and key as a line
//! of JSON, `ok` or an error after each line that it has run, and ends with its input. `{"show": "lists"}` prints the documents
//! of a table.

use std::io::{BufRead, Write};

use fake_convex::{Convex, Options, Value, run_script};
use serde_json::json;

fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let has_sync_api = arguments.iter().any(|argument| argument == "--sync-api");
    let convex = Convex::start(Options { has_sync_api, ..Options::default() });
    let mut out = std::io::stdout();
    writeln!(out, "{}", json!({"url": convex.url(), "key": convex.key()}))?;
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        if let Some(table) = shown(&line) {
            let documents = convex.documents(&table);
            let documents: Vec<_> = documents.into_values().map(|document| Value::Object(document).clean()).collect();
            writeln!(out, "{}", json!(documents))?;
            continue;
        }
        match run_script(&convex, &line) {
            Ok(()) => writeln!(out, "ok")?,
            Err(message) => writeln!(out, "{message}")?,
        }
    }
    Ok(())
}

/// The table that a line asks for.
fn shown(line: &str) -> Option<String> {
    let line: serde_json::Value = serde_json::from_str(line).ok()?;
    line.get("show")?.as_str().map(str::to_owned)
}
