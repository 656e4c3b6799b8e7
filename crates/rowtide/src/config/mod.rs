//! `rowtide config`: checks and explains sync configurations.

mod check;
mod diff;
mod eval;
mod plan;
mod schema;

use std::io::Read;
use std::path::{Path, PathBuf};

use anyhow::Result;
use sync_config::{CompileOptions, Diagnostic, Plan, compile};

use crate::diagnostics::{self, Source, Style};
use crate::exit::{Outcome, usage};

/// Checks and explains sync configurations.
#[derive(clap::Subcommand)]
pub(crate) enum Config {
    Check(check::Check),
    Plan(plan::Plan),
    Diff(diff::Diff),
    Eval(eval::Eval),
    Schema(schema::Schema),
}

impl Config {
    pub(crate) fn run(&self) -> Result<Outcome> {
        match self {
            Self::Check(command) => command.run(),
            Self::Plan(command) => command.run(),
            Self::Diff(command) => command.run(),
            Self::Eval(command) => command.run(),
            Self::Schema(command) => command.run(),
        }
    }
}

/// Flags of all commands.
#[derive(clap::Args)]
struct Common {
    /// The schema of tables that the configuration names without one
    #[arg(long, value_name = "SCHEMA", default_value = "public")]
    default_schema: String,
    /// Prints JSON
    #[arg(long)]
    json: bool,
}

/// A configuration that was read.
struct Document {
    name: String,
    text: String,
    plan: Option<Plan>,
    findings: Vec<Diagnostic>,
}

impl Document {
    /// Reads and compiles a file; `-` is standard input.
    fn read(file: &Path, common: &Common) -> Result<Self> {
        Self::read_with(file, &common.default_schema)
    }

    /// The same with this schema for tables that are named without one.
    fn read_with(file: &Path, default_schema: &str) -> Result<Self> {
        let text = Self::text_of(file)?;
        let options = CompileOptions { default_schema: default_schema.to_owned(), ..CompileOptions::default() };
        let compiled = compile(&text, &options);
        let name = file.display().to_string();
        Ok(Self { name, text, plan: compiled.plan, findings: compiled.diagnostics })
    }

    /// The text of a file; `-` is standard input.
    fn text_of(file: &Path) -> Result<String> {
        if file.as_os_str() != "-" {
            return crate::serve::read_file(file);
        }
        let mut text = String::new();
        let read = std::io::stdin().read_to_string(&mut text);
        read.map_err(|error| usage(format!("Reading the configuration from standard input: {error}")))?;
        Ok(text)
    }

    fn place(&self) -> Source<'_> {
        Source { name: &self.name, text: &self.text }
    }

    /// The plan; without one, its findings are printed to standard error.
    fn plan(&self) -> Option<&Plan> {
        if self.plan.is_none() {
            eprint!("{}", diagnostics::render(&self.place(), &self.findings, Style::of_stderr()));
            eprintln!("{}: {}", self.name, diagnostics::counted(&self.findings));
        }
        self.plan.as_ref()
    }
}

/// A file of an argument.
type File = PathBuf;

/// How much there is in a plan, as a phrase.
fn sizes(plan: &Plan) -> String {
    let counted = |number: usize, one: &str, many: &str| format!("{number} {}", if number == 1 { one } else { many });
    format!(
        "{}, {}, {}",
        counted(plan.streams.len(), "stream", "streams"),
        counted(plan.definitions.len(), "bucket definition", "bucket definitions"),
        counted(tables(plan).len(), "table", "tables")
    )
}

/// The tables that a plan reads, as the configuration names them.
fn tables(plan: &Plan) -> Vec<String> {
    let evaluators = plan.evaluators.iter().map(|evaluator| &evaluator.program.table);
    let indexes = plan.indexes.iter().map(|index| &index.program.table);
    let mut tables: Vec<String> = evaluators.chain(indexes).map(table_name).collect();
    tables.sort();
    tables.dedup();
    tables
}

/// `schema.table`.
fn table_name(table: &sync_config::TablePattern) -> String {
    let connection = table.connection.as_ref().map(|name| format!("{name}.")).unwrap_or_default();
    format!("{connection}{}.{}", table.schema, table.table)
}
