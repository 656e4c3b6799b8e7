//! `rowtide queue show`.

use anyhow::{Result, bail};
use serde_json::Value;

use super::transaction::{find, phrase};
use super::{Source, read};
use crate::exit::Outcome;
use crate::output::{Grid, Style};

/// Shows one transaction with the values that it writes.
#[derive(clap::Args)]
pub(crate) struct Show {
    #[command(flatten)]
    source: Source,
    /// The transaction, as `rowtide queue list` names it
    #[arg(allow_negative_numbers = true)]
    transaction: i64,
}

impl Show {
    pub(crate) fn run(&self) -> Result<Outcome> {
        let database = read(&self.source.file)?;
        let Some(found) = find(&database, self.transaction)? else {
            bail!("There is no transaction {}: see `rowtide queue list`.", self.transaction);
        };
        if self.source.json {
            println!("{}", found.to_json());
            return Ok(Outcome::Fine);
        }
        let style = Style::of_stdout();
        let state = found
            .refusal
            .as_ref()
            .map_or_else(|| "waits for its upload".to_owned(), super::transaction::Refusal::sentence);
        println!("{}", style.bold(&format!("Transaction {} {state}", found.id)));
        for write in &found.writes {
            println!("\n{}", style.bold(&phrase(write)));
            if let Some(metadata) = write.get("metadata").and_then(Value::as_str) {
                println!("with the metadata {}", crate::output::visible(metadata, false));
            }
            print!("{}", values(write));
        }
        Ok(Outcome::Fine)
    }
}

/// The columns of a local write.
fn values(write: &Value) -> String {
    let member = |name: &str| write.get(name).and_then(Value::as_object).cloned().unwrap_or_default();
    let (new, old) = (member("op_data"), member("previous_values"));
    if new.is_empty() && old.is_empty() {
        return String::new();
    }
    let mut header = vec!["column", "value"];
    if !old.is_empty() {
        header.push("before");
    }
    let mut grid = Grid::new(&header);
    let only_old = old.keys().filter(|name| !new.contains_key(*name));
    for name in new.keys().chain(only_old) {
        let text = |values: &serde_json::Map<String, Value>| match values.get(name) {
            Some(Value::String(text)) => text.clone(),
            Some(Value::Null) => "NULL".to_owned(),
            Some(value) => value.to_string(),
            None => String::new(),
        };
        let mut cells = vec![name.clone(), text(&new)];
        if !old.is_empty() {
            cells.push(text(&old));
        }
        grid.row(cells);
    }
    grid.to_string()
}
