//! `rowtide queue list`.

use anyhow::Result;
use serde_json::{Value, json};

use super::transaction::{Transaction, phrase, rejected, waiting};
use super::{Source, read};
use crate::exit::Outcome;
use crate::output::{Style, counted, paragraph};

/// Lists what waits for its upload and what was rejected, as sentences.
#[derive(clap::Args)]
pub(crate) struct List {
    #[command(flatten)]
    source: Source,
    /// How many transactions of the queue are listed
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(i64).range(1..))]
    limit: i64,
    /// Lists all of them
    #[arg(long, conflicts_with = "limit")]
    all: bool,
}

impl List {
    pub(crate) fn run(&self) -> Result<Outcome> {
        let database = read(&self.source.file)?;
        let most = if self.all { i64::MAX } else { self.limit };
        let rejected = rejected(&database, None)?;
        let (waiting, more) = waiting(&database, most)?;
        if self.source.json {
            let json = |all: &[Transaction]| all.iter().map(Transaction::to_json).collect::<Value>();
            println!("{}", json!({"waiting": json(&waiting), "more": more, "rejected": json(&rejected)}));
            return Ok(Outcome::Fine);
        }
        let counts = "SELECT count(*), count(DISTINCT coalesce(tx_id, -id)) FROM ps_crud";
        let (writes, transactions): (i64, i64) =
            database.connection().query_row(counts, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let (writes, transactions) = (writes.unsigned_abs(), transactions.unsigned_abs());
        match transactions {
            0 => println!("Nothing waits for its upload."),
            number => heading(&format!(
                "{} with {} {} for upload, the oldest first:",
                counted(number, "transaction"),
                counted(writes, "local write"),
                if number == 1 { "waits" } else { "wait" }
            )),
        }
        print_all(&waiting);
        match transactions.saturating_sub(waiting.len() as u64) {
            0 => {}
            _ if self.all => println!("  The rest cannot be read: see `rowtide inspect --verify`."),
            rest => println!("  and {} more: add --all", counted(rest, "transaction")),
        }
        if rejected.is_empty() {
            println!("Nothing was rejected.");
        } else {
            heading(&format!("{} rejected:", counted(rejected.len() as u64, "transaction")));
            print_all(&rejected);
        }
        Ok(Outcome::Fine)
    }
}

fn heading(text: &str) {
    // Each line is painted, as pagers do not carry styles over to the next.
    for line in paragraph("", "", text).lines() {
        println!("{}", Style::of_stdout().bold(line));
    }
}

fn print_all(transactions: &[Transaction]) {
    let width = transactions.iter().map(|each| each.id.len()).max().unwrap_or_default();
    let indent = " ".repeat(width + 4);
    for transaction in transactions {
        let mut first = format!("  {:>width$}  ", transaction.id);
        for write in &transaction.writes {
            println!("{}", paragraph(&first, &format!("{indent}  "), &phrase(write)));
            first.clone_from(&indent);
        }
        if let Some(refusal) = &transaction.refusal {
            println!("{}", paragraph(&indent, &indent, &refusal.sentence()));
        }
    }
}
