//! `rowtide config eval`: which buckets a row would be in.

use anyhow::Result;
use serde_json::{Value as Json, json};
use sync_config::{Layout, MissingColumn, Plan, RowProblem, RowResult, TableName, Value};

use super::{Common, Document, File};
use crate::exit::{Outcome, usage};
use crate::output::Grid;

/// Says which buckets a row would be in, and how clients would get it
#[derive(clap::Args)]
pub(crate) struct Eval {
    /// The configuration; - is standard input
    file: File,
    /// The table of the row, as TABLE or SCHEMA.TABLE
    #[arg(long, value_name = "TABLE")]
    table: String,
    /// The row, as a JSON object with all its columns
    #[arg(long, value_name = "JSON")]
    row: String,
    #[command(flatten)]
    common: Common,
}

impl Eval {
    pub(crate) fn run(&self) -> Result<Outcome> {
        let (columns, values) = row(&self.row)?;
        let document = Document::read(&self.file, &self.common)?;
        let Some(plan) = document.plan() else { return Ok(Outcome::Problem) };
        let (schema, table) = self.table.split_once('.').unwrap_or((&self.common.default_schema, &self.table));
        let name = TableName { connection: None, schema, table };
        let bound = plan.bind(&name, &Layout { columns: &columns, missing: MissingColumn::Mistake });
        let result = bound.evaluate(&values);
        let problems: Vec<String> =
            bound.unbound.iter().chain(&result.problems).map(|problem| describe(plan, problem)).collect();
        if self.common.json {
            println!("{}", to_json(plan, &result, &problems));
        } else if bound.is_empty() && problems.is_empty() {
            println!("The configuration does not read the table {schema}.{table}.");
        } else {
            print(plan, &result);
        }
        for problem in problems.iter().filter(|_| !self.common.json) {
            eprintln!("problem: {problem}");
        }
        Ok(if problems.is_empty() { Outcome::Fine } else { Outcome::Problem })
    }
}

/// Columns and values of a JSON object.
fn row(json: &str) -> Result<(Vec<String>, Vec<Value>)> {
    match serde_json::from_str(json) {
        Ok(Json::Object(members)) => Ok(members.into_iter().map(|(name, json)| (name, value(json))).unzip()),
        Ok(_) => Err(usage("--row must be a JSON object, for instance '{\"id\": \"t1\", \"list_id\": \"l1\"}'")),
        Err(error) => Err(usage(format!("--row is no JSON: {error}"))),
    }
}

/// As sources give it.
fn value(json: Json) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::boolean(value),
        Json::Number(number) => match number.as_i64() {
            Some(integer) => Value::Integer(integer),
            None => Value::real(number.as_f64().unwrap_or(f64::NAN)),
        },
        Json::String(text) => Value::Text(text),
        structured => Value::Text(structured.to_string()),
    }
}

fn print(plan: &Plan, result: &RowResult) {
    if result.buckets.is_empty() {
        println!("The row is in no bucket.");
    } else {
        let mut grid = Grid::new(&["bucket", "table", "id", "data"]);
        for entry in &result.buckets {
            grid.row([
                bucket(plan, entry.definition, &entry.key),
                entry.table.to_string(),
                entry.id.to_string(),
                entry.data.to_string(),
            ]);
        }
        println!("In buckets:\n\n{grid}");
    }
    if !result.parameters.is_empty() {
        let mut grid = Grid::new(&["index", "key", "gives"]);
        for entry in &result.parameters {
            grid.row([plan.describe_index(entry.index), entry.key.clone(), shown(&entry.outputs)]);
        }
        println!("Found by requests:\n\n{grid}");
    }
}

/// The name of a bucket, without the number that a service puts before its key.
fn bucket(plan: &Plan, definition: usize, key: &str) -> String {
    let name = plan.definitions.get(definition).map_or("", |definition| definition.name.as_str());
    format!("{name}{key}")
}

fn shown(values: &[Value]) -> String {
    let texts = values.iter().map(|value| value.as_text().map_or("NULL".into(), |text| text.into_owned()));
    texts.collect::<Vec<_>>().join(", ")
}

fn to_json(plan: &Plan, result: &RowResult, problems: &[String]) -> Json {
    let buckets = result.buckets.iter().map(|entry| {
        let data: Json = serde_json::from_str(&entry.data).unwrap_or_default();
        json!({"bucket": bucket(plan, entry.definition, &entry.key), "table": &*entry.table, "id": &*entry.id, "data": data})
    });
    let parameters = result.parameters.iter().map(|entry| {
        let outputs: Vec<_> = entry.outputs.iter().map(|value| value.as_text()).collect();
        json!({"index": plan.describe_index(entry.index), "key": entry.key, "outputs": outputs})
    });
    json!({"buckets": buckets.collect::<Vec<_>>(), "parameters": parameters.collect::<Vec<_>>(), "problems": problems})
}

fn describe(plan: &Plan, problem: &RowProblem) -> String {
    match problem {
        RowProblem::Evaluator(number, error) => format!("{}: {error}", plan.describe_evaluator(*number)),
        RowProblem::Index(number, error) => format!("{}: {error}", plan.describe_index(*number)),
        RowProblem::NoId(number) => {
            format!("{}: the row has no id, so it is not synced", plan.describe_evaluator(*number))
        }
        RowProblem::TooLarge(number) => {
            format!("{}: the row is larger than 15 MiB, so it is not synced", plan.describe_evaluator(*number))
        }
        RowProblem::Collision(number) => {
            format!("{}: another query gives a row of the same id, which counts", plan.describe_evaluator(*number))
        }
    }
}
