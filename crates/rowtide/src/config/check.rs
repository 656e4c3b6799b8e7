//! `rowtide config check`: findings with their places.

use anyhow::Result;
use serde_json::json;

use super::{Common, Document, File};
use crate::diagnostics::{self, Style};
use crate::exit::Outcome;

/// Says what is wrong with a configuration, and where
///
/// Ends with 1 if there are errors, with 0 if there are only warnings.
#[derive(clap::Args)]
pub(crate) struct Check {
    /// The configuration; - is standard input
    file: File,
    #[command(flatten)]
    common: Common,
}

impl Check {
    pub(crate) fn run(&self) -> Result<Outcome> {
        let document = Document::read(&self.file, &self.common)?;
        let is_fine = document.plan.is_some();
        let (place, findings) = (document.place(), &document.findings);
        if self.common.json {
            let answer = json!({
                "file": document.name, "ok": is_fine, "diagnostics": diagnostics::to_json(&place, findings),
            });
            println!("{answer}");
        } else {
            print!("{}", diagnostics::render(&place, findings, Style::of_stdout()));
            match &document.plan {
                Some(plan) => {
                    println!("{}: fine, {}: {}", document.name, diagnostics::counted(findings), super::sizes(plan))
                }
                None => println!("{}: {}", document.name, diagnostics::counted(findings)),
            }
        }
        Ok(if is_fine { Outcome::Fine } else { Outcome::Problem })
    }
}
