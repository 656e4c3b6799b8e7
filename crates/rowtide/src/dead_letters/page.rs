//! Dead letters as people read them.

use serde_json::Value;

use crate::member::{at, plain};
use crate::output::{Grid, item, moment, wrapped};

pub(super) fn print_list(answer: &Value, state: &str) {
    let letters = at(answer, "dead_letters").as_array().map(Vec::as_slice).unwrap_or_default();
    if letters.is_empty() {
        let kind = if state == "all" { String::new() } else { format!("{state} ") };
        println!("There are no {kind}dead letters.");
        return;
    }
    let mut grid = Grid::new(&["id", "refused", "user", "state", "error", "message"]);
    for letter in letters {
        grid.row([
            plain(at(letter, "id")),
            at(letter, "at").as_i64().map(moment).unwrap_or_default(),
            plain(at(letter, "user")),
            plain(at(letter, "state")),
            plain(at(letter, "error_code")),
            plain(at(letter, "message")),
        ]);
    }
    print!("{grid}");
}

/// One letter with its transaction.
pub(super) fn print_letter(letter: &Value) {
    println!("{}\n", wrapped(&summary(letter), 0));
    println!("It writes:");
    let operations = at(letter, "transaction.crud").as_array().map(Vec::as_slice).unwrap_or_default();
    for (number, operation) in operations.iter().enumerate() {
        let has_failed = at(letter, "failed_index").as_u64() == u64::try_from(number).ok();
        let mark = if has_failed { " (this one was refused)" } else { "" };
        println!("{}", item(&format!("{}.", number + 1), &format!("{}{mark}", sentence(operation))));
    }
    if !at(letter, "details").is_null() {
        println!("\n{}", wrapped(&format!("Details: {}", at(letter, "details")), 0));
    }
    if let Some(note) = at(letter, "note").as_str() {
        println!("\n{}", wrapped(&format!("Note: {note}"), 0));
    }
}

/// Who, when, and why.
pub(super) fn summary(letter: &Value) -> String {
    let refused = at(letter, "at").as_i64().map(moment).unwrap_or_default();
    let transaction = match at(letter, "transaction_id").as_str() {
        Some(id) => format!("transaction {id}"),
        None => "a transaction".to_owned(),
    };
    format!(
        "Dead letter {} ({}): {transaction} of {}, refused {refused}, with {}: {}",
        plain(at(letter, "id")),
        plain(at(letter, "state")),
        plain(at(letter, "user")),
        plain(at(letter, "error_code")),
        plain(at(letter, "message")),
    )
}

/// What became of a replay.
pub(super) fn print_replayed(id: i64, answer: &Value) {
    if *at(answer, "result.status") == "success" {
        println!("Dead letter {id} is applied.");
        return;
    }
    if *at(answer, "result.status") == "retryable_error" {
        let message = plain(at(answer, "result.message"));
        let text =
            format!("Dead letter {id} cannot be applied at the moment, and stays open. Try again later. {message}");
        println!("{}", wrapped(text.trim_end(), 0));
        return;
    }
    let letter = at(answer, "dead_letter");
    let (code, message) = (plain(at(letter, "error_code")), plain(at(letter, "message")));
    let text = format!("Dead letter {id} was refused again, and stays open, with {code}: {message}");
    println!("{}", wrapped(&text, 0));
}

/// An operation as a clause.
fn sentence(operation: &Value) -> String {
    let row = format!("{} {}", plain(first(operation, &["table", "type"])), plain(at(operation, "id")));
    let data = first(operation, &["op_data", "data"]);
    match at(operation, "op").as_str() {
        Some("PUT") => format!("inserts {row}: {data}"),
        Some("PATCH") => format!("changes {row}: {data}"),
        Some("DELETE") => format!("deletes {row}"),
        _ => operation.to_string(),
    }
}

/// The first member that is there.
fn first<'a>(object: &'a Value, names: &[&str]) -> &'a Value {
    names.iter().map(|name| at(object, name)).find(|member| !member.is_null()).unwrap_or(&Value::Null)
}
