//! `rowtide config schema`: the schema of clients.

use anyhow::{Result, anyhow};
use sync_engine::client_schema::{ClientSchema, ClientTable, SchemaGap, client_schema, typed_tables};
use sync_sources::open_source;

use super::{Document, File};
use crate::exit::{Outcome, usage};

/// Prints the schema of clients, as powersync_replace_schema takes it
#[derive(clap::Args)]
pub(crate) struct Schema {
    /// The configuration; - is standard input
    file: File,
    /// The database whose rows are synced, for the columns of SELECT * and for types: postgres://…, sqlite:PATH or json:DIR
    #[arg(long, value_name = "URL")]
    source: Option<String>,
    /// In which language: json, or js for the schema of the JavaScript SDKs
    #[arg(long, value_name = "LANGUAGE", default_value = "json", value_parser = ["json", "js"])]
    language: String,
    /// The schema of tables that the configuration names without one [default: that of the source]
    #[arg(long, value_name = "SCHEMA")]
    default_schema: Option<String>,
}

impl Schema {
    pub(crate) fn run(&self) -> Result<Outcome> {
        let source = self.source.as_deref().map(open_source).transpose().map_err(|error| usage(error.message))?;
        let of_source = source.as_ref().map(|source| source.describe().default_schema);
        let default_schema = self.default_schema.clone().or(of_source).unwrap_or_else(|| "public".to_owned());
        let document = Document::read_with(&self.file, &default_schema)?;
        let Some(plan) = document.plan() else { return Ok(Outcome::Problem) };
        let tables = source.as_ref().map(|source| typed_tables(&**source)).transpose();
        let tables = tables.map_err(|error| anyhow!("Reading the source: {error}"))?;
        let (schema, gaps) = client_schema(plan, tables.as_deref());
        let needs_source = |gap: &&SchemaGap| !matches!(gap, SchemaGap::NoTable(_));
        if let Some(gap) = gaps.iter().find(needs_source) {
            return Err(usage(format!("{gap}: give --source")));
        }
        match self.language.as_str() {
            "js" => print!("{}", javascript(&schema)),
            _ => print!("{}", json(&schema)?),
        }
        for gap in &gaps {
            eprintln!("problem: {gap}, so the schema lacks it");
        }
        Ok(if gaps.is_empty() { Outcome::Fine } else { Outcome::Problem })
    }
}

/// JSON with a line for each table.
fn json(schema: &ClientSchema) -> Result<String> {
    let tables = schema.tables.iter().map(serde_json::to_string).collect::<Result<Vec<_>, _>>()?;
    if tables.is_empty() {
        return Ok("{\"tables\": []}\n".to_owned());
    }
    Ok(format!("{{\"tables\": [\n  {}\n]}}\n", tables.join(",\n  ")))
}

fn javascript(schema: &ClientSchema) -> String {
    let mut out = "import { column, Schema, Table } from '@powersync/common';\n\n".to_owned();
    out.push_str("export const schema = new Schema({\n");
    out.extend(schema.tables.iter().map(javascript_table));
    out + "});\n"
}

fn javascript_table(table: &ClientTable) -> String {
    let mut out = format!("  {}: new Table({{\n", member(&table.name));
    for column in &table.columns {
        let column_type = format!("{:?}", column.column_type).to_lowercase();
        out.push_str(&format!("    {}: column.{column_type},\n", member(&column.name)));
    }
    out + "  }),\n"
}

/// The name of a member, in quotes where it has to be.
fn member(name: &str) -> String {
    let is_plain = name.chars().all(|char| char.is_ascii_alphanumeric() || char == '_' || char == '$')
        && !name.starts_with(|char: char| char.is_ascii_digit())
        && !name.is_empty();
    if is_plain { name.to_owned() } else { serde_json::Value::from(name).to_string() }
}
