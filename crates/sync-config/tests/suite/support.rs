//! Helpers: configurations of a few lines, and a store of parameter indexes in memory.

use std::collections::HashMap;

use sync_config::{
    CompileOptions, Compiled, Layout, LookupSource, MissingColumn, Plan, Severity, TableName, Value, compile,
};

/// An edition 3 configuration with one stream `s` of these queries.
pub(crate) fn stream(queries: &[&str]) -> String {
    let mut yaml = String::from("config:\n  edition: 3\nstreams:\n  s:\n    queries:\n");
    for query in queries {
        yaml.push_str(&format!("      - \"{}\"\n", query.replace('\\', "\\\\").replace('"', "\\\"")));
    }
    yaml
}

pub(crate) fn compiled(yaml: &str) -> Compiled {
    compile(yaml, &CompileOptions::default())
}

/// The plan of a configuration without errors.
pub(crate) fn plan(yaml: &str) -> Plan {
    let compiled = compiled(yaml);
    let errors: Vec<_> = compiled.diagnostics.iter().filter(|d| d.severity == Severity::Error).collect();
    compiled.plan.unwrap_or_else(|| panic!("{errors:#?}\n{yaml}"))
}

/// The text of the plan of one query.
pub(crate) fn described(query: &str) -> String {
    let plan = plan(&stream(&[query]));
    plan.describe(&plan.streams[0])
}

/// Ids of all findings.
pub(crate) fn codes(yaml: &str) -> Vec<&'static str> {
    compiled(yaml).diagnostics.iter().map(|d| d.code.id()).collect()
}

/// Table, id and data on the client.
pub(crate) type Row = (String, String, String);

/// Rows of the source and what the plan makes of them.
#[derive(Default)]
pub(crate) struct Store {
    pub parameters: HashMap<(usize, String), Vec<Vec<Value>>>,
    /// Bucket to (table, id, data).
    pub buckets: HashMap<(usize, String), Vec<Row>>,
    pub problems: usize,
}

impl Store {
    pub(crate) fn add(&mut self, plan: &Plan, table: &str, columns: &[String], rows: &[Vec<Value>]) {
        let name = TableName { connection: None, schema: "public", table };
        let bound = plan.bind(&name, &Layout { columns, missing: MissingColumn::Mistake });
        self.problems += bound.unbound.len();
        for row in rows {
            let result = bound.evaluate(row);
            self.problems += result.problems.len();
            for entry in result.buckets {
                let place = (entry.definition, entry.key.to_string());
                self.buckets.entry(place).or_default().push((
                    entry.table.to_string(),
                    entry.id.to_string(),
                    entry.data.to_string(),
                ));
            }
            for entry in result.parameters {
                self.parameters.entry((entry.index, entry.key)).or_default().push(entry.outputs);
            }
        }
    }
}

impl LookupSource for Store {
    fn lookup(&self, index: usize, key: &str, rows: &mut Vec<Vec<Value>>) -> Result<(), String> {
        rows.extend(self.parameters.get(&(index, key.to_owned())).cloned().unwrap_or_default());
        Ok(())
    }
}
