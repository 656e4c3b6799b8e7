//! What checkpoints must show: each row of the source evaluated alone, without anything that the writer remembers.

use std::collections::BTreeMap;

use sync_config::{Layout, MissingColumn, TableName, Value};

use super::world::State;
use crate::live::{DefinitionId, IndexId, LivePlan};
use crate::row::RowKey;

/// Rows of buckets, each as type, id and data, in order; a row that two source rows give is there twice.
pub(super) type Buckets = BTreeMap<(DefinitionId, String), Vec<(String, String, String)>>;

/// Outputs of parameter entries, in order.
pub(super) type Lookups = BTreeMap<(IndexId, String), Vec<RowKey>>;

pub(super) fn expected(state: &State, live: &LivePlan) -> (Buckets, Lookups) {
    let (mut buckets, mut lookups) = (Buckets::new(), Lookups::new());
    for table in state.values() {
        let source = &table.source;
        let columns: Vec<String> = source.columns.iter().map(|column| column.name.clone()).collect();
        let name = TableName { connection: None, schema: &source.schema, table: &source.name };
        let bound = live.plan.bind(&name, &Layout { columns: &columns, missing: MissingColumn::Mistake });
        for row in table.rows.values() {
            let result = bound.evaluate(row);
            // Two definitions of a plan can be one stored definition.
            let mut seen = Vec::new();
            for entry in result.buckets {
                let place = (live.definitions[entry.definition], entry.key.to_string());
                let row = (entry.table.to_string(), entry.id.to_string(), entry.data.to_string());
                if !seen.contains(&(place.clone(), row.clone())) {
                    seen.push((place.clone(), row.clone()));
                    buckets.entry(place).or_default().push(row);
                }
            }
            for entry in result.parameters {
                let place = (live.indexes[entry.index], entry.key);
                lookups.entry(place).or_default().push(RowKey::new(&entry.outputs));
            }
        }
    }
    buckets.values_mut().for_each(|rows| rows.sort());
    lookups.values_mut().for_each(|rows| rows.sort());
    (buckets, lookups)
}

pub(super) fn outputs(rows: &[Vec<Value>]) -> Vec<RowKey> {
    let mut outputs: Vec<RowKey> = rows.iter().map(|row| RowKey::new(row)).collect();
    outputs.sort();
    outputs
}
