//! The answer as a page.

use serde_json::Value;

use super::Explain;
use super::client::Client;
use super::conclusion::Conclusion;
use crate::member::{at, plain};
use crate::output::{Grid, Style, item, visible, wrapped};

/// Prints the page.
pub(super) fn print(question: &Explain, client: &Client, service: Option<&Value>, conclusion: &Conclusion) {
    let style = Style::of_stdout();
    let title = format!("{} {} in {}", question.object_type, question.id, question.file.display());
    println!("{}\n", style.bold(&visible(&title, false)));
    client_half(client, style);
    if let Some(answer) = service {
        service_half(question, answer, style);
    }
    let heading = if conclusion.is_fine { style.good("Conclusion") } else { style.bad("Conclusion") };
    println!("{heading}");
    say(&conclusion.text);
}

/// A paragraph below a heading.
fn say(text: &str) {
    println!("{}", wrapped(text, 2));
}

fn client_half(client: &Client, style: Style) {
    let text = at(&client.row, "text").as_str().unwrap_or_default();
    println!("{}", style.bold("The client"));
    say(&format!("{}: {text}", client.state()));
    println!();
    shown(client);
    versions(client);
    queue(client);
    let gate = client.gate();
    if *at(gate, "open") == false {
        let (state, remedy) = (plain(at(gate, "state")), plain(at(gate, "remedy")));
        say(&format!("The gate is closed ({state}). {remedy}"));
        println!();
    }
    // What closes the gate is a problem, too.
    let others = client.problems().iter().filter(|problem| at(problem, "remedy") != at(gate, "remedy"));
    for problem in others {
        say(&format!("Problem: {} {}", plain(at(problem, "text")), plain(at(problem, "remedy"))));
        println!();
    }
}

/// The row as apps see it.
fn shown(client: &Client) {
    let Some(row) = at(&client.row, "shown").as_object() else { return };
    let mut grid = Grid::new(&["column", "value"]);
    for (name, value) in row {
        let value = if value.is_null() { "NULL".to_owned() } else { plain(value) };
        grid.row([visible(name, false), value]);
    }
    println!("{grid}");
}

fn versions(client: &Client) {
    let versions = client.versions();
    if versions.is_empty() {
        return;
    }
    let mut grid = Grid::new(&["downloaded in bucket", "operation", "does", "state"]);
    for version in &versions {
        let state = match (version.is_published, version.is_pending) {
            (_, true) => "waits",
            (true, _) => "published",
            (false, false) => "superseded",
        };
        let does = if version.is_removal { "REMOVE" } else { "PUT" };
        grid.row([&visible(version.bucket, false), &version.op_id.to_string(), does, state]);
    }
    println!("{grid}");
}

/// Local writes to the row.
fn queue(client: &Client) {
    if !client.list("local").is_empty() {
        let mut grid = Grid::new(&["queued write", "transaction", "data"]);
        for entry in client.list("local") {
            grid.row([plain(at(entry, "op")), plain(at(entry, "transaction_id")), plain(at(entry, "data"))]);
        }
        println!("{grid}");
    }
    if !client.list("rejected").is_empty() {
        let mut grid = Grid::new(&["rejected transaction", "code", "message"]);
        for entry in client.list("rejected") {
            grid.row([plain(at(entry, "transaction_id")), plain(at(entry, "code")), plain(at(entry, "message"))]);
        }
        println!("{grid}");
    }
}

fn service_half(question: &Explain, answer: &Value, style: Style) {
    let user = question.user.as_deref().map(|user| format!(", for {user}")).unwrap_or_default();
    println!("{}", style.bold(&visible(&format!("The service{user}"), false)));
    let is_visible = *at(answer, "visible") == true;
    say(if is_visible { "It gives the row to the user." } else { "It does not give the row to the user." });
    println!();
    let steps = at(answer, "steps").as_array().into_iter().flatten();
    for (number, step) in steps.enumerate() {
        println!("{}", item(&format!("{}.", number + 1), &plain(at(step, "text"))));
        if let Some(remedy) = at(step, "remedy").as_str() {
            println!("{}", item("  ", &format!("→ {remedy}")));
        }
    }
    println!();
}
