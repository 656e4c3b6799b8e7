//! `rowtide config diff`: what deploying a configuration would change, by what definitions contain.
//!
//! A service builds only definitions that it does not have. Names, order and formatting make no difference.

use anyhow::Result;
use serde_json::{Value, json};
use sync_config::Comparison;

use super::{Common, Document, File, table_name};
use crate::admin::{Admin, AdminToken};
use crate::exit::{Outcome, usage};
use crate::member::{at, plain};
use crate::output::Grid;

/// Says what deploying a configuration would change
///
/// It is compared with another file, or with what a running service has.
#[derive(clap::Args)]
pub(crate) struct Diff {
    /// The configuration that is deployed, unless --against is given, and the one that would be deployed
    #[arg(value_name = "FILE", required = true, num_args = 1..=2)]
    files: Vec<File>,
    /// The running service that the file would be deployed to
    #[arg(long, value_name = "URL")]
    against: Option<String>,
    #[command(flatten)]
    token: AdminToken,
    #[command(flatten)]
    common: Common,
}

impl Diff {
    pub(crate) fn run(&self) -> Result<Outcome> {
        let answer = match (self.files.as_slice(), &self.against) {
            ([new], Some(url)) => self.ask(new, url)?,
            ([old, new], None) => self.compare(old, new)?,
            (_, Some(_)) => return Err(usage("give one file with --against: the one that would be deployed")),
            (_, None) => return Err(usage("give two files, or --against with the URL of a service")),
        };
        let Some(answer) = answer else { return Ok(Outcome::Problem) };
        if self.common.json {
            println!("{answer}");
        } else {
            print(&answer);
        }
        Ok(Outcome::Fine)
    }

    /// Compares two files alone.
    fn compare(&self, old: &File, new: &File) -> Result<Option<Value>> {
        let (old, new) = (Document::read(old, &self.common)?, Document::read(new, &self.common)?);
        let (Some(old), Some(new)) = (old.plan(), new.plan()) else { return Ok(None) };
        let (definitions, indexes) = Comparison::as_stored(old);
        let new = new.clone().regrouped(&definitions);
        let comparison = Comparison { old: Some(old), new: &new, definitions: &definitions, indexes: &indexes };
        let streams: Vec<_> = comparison
            .streams()
            .into_iter()
            .map(|change| {
                let counts = change.definitions;
                json!({"name": change.name, "state": change.state.name(),
                    "definitions": {"kept": counts.kept, "new": counts.new, "dropped": counts.dropped}})
            })
            .collect();
        let snapshots: Vec<String> = comparison.tables().iter().map(table_name).collect();
        Ok(Some(json!({"streams": streams, "snapshots": snapshots, "reconnects": false})))
    }

    /// Has a service say what it would do.
    fn ask(&self, new: &File, url: &str) -> Result<Option<Value>> {
        let yaml = Document::text_of(new)?;
        let answer = Admin::new(url, &self.token)?.post("/api/admin/v1/dry-run", &json!({"content": yaml}))?;
        if at(&answer, "valid") == &Value::Bool(true) {
            return Ok(Some(answer));
        }
        let name = new.display();
        for finding in at(&answer, "diagnostics").as_array().into_iter().flatten() {
            let text = |member: &str| plain(at(finding, member));
            let place = format!("{name}:{}:{}", text("line"), text("column"));
            eprintln!("{place}: {}[{}]: {}\n   = {}", text("severity"), text("code"), text("message"), text("hint"));
        }
        Ok(None)
    }
}

fn print(answer: &Value) {
    let number = |value: &Value| value.as_u64().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let mut grid = Grid::new(&["stream", "is", "kept", "new", "dropped"]);
    for stream in list(at(answer, "streams")) {
        let counts = at(&stream, "definitions");
        // What is being built already is not built again.
        let kept = number(at(counts, "kept")) + number(at(counts, "building"));
        let numbers = [kept, number(at(counts, "new")), number(at(counts, "dropped"))].map(|count| count.to_string());
        grid.row([text(at(&stream, "name")), text(at(&stream, "state"))].into_iter().chain(numbers));
    }
    println!("Bucket definitions of streams:\n\n{grid}");
    let tables: Vec<String> = list(at(answer, "snapshots")).iter().map(text).collect();
    match tables.as_slice() {
        [] => println!("No table is read again."),
        tables => println!("Tables that are read again: {}", tables.join(", ")),
    }
    for table in list(at(answer, "tables")) {
        if let Some(rows) = at(&table, "rows").as_u64() {
            println!("  {}.{}: about {rows} rows", text(at(&table, "schema")), text(at(&table, "name")));
        }
    }
    let clients = at(answer, "clients");
    if clients.is_object() {
        let count = |name: &str| number(at(clients, name));
        println!(
            "Of {} buckets of {} connected clients, {} stay, {} are dropped, and {} are downloaded.",
            count("kept") + count("dropped"),
            count("connected"),
            count("kept"),
            count("dropped"),
            count("downloaded")
        );
        if count("unknown") > 0 {
            println!("For {} of the clients, more depends on indexes that are not built yet.", count("unknown"));
        }
    }
    println!("Clients stay connected: they download new definitions and remove dropped ones.");
}
