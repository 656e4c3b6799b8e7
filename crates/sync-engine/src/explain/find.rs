//! Finds the row that is asked for: which tables and queries a name stands for, and the row with an id.

use std::collections::BTreeSet;

use sync_config::explain::{NamedValue, NoTracer, RowTrace, RowTracer};
use sync_config::{Expr, Output, Plan, RowRef, RowResult, Value};

use super::rows::{self, CHUNK, column_names, layout, table_name};
use super::{Places, Question, problem_text};
use crate::row::SourceTable;
use crate::source::SourceError;

/// How many rows are searched for an id that is not the key.
const SEARCHED: usize = 100_000;

/// What a name stands for.
#[derive(Debug)]
pub(super) enum Known {
    /// Queries select from it.
    Yes,
    /// The source has the table, and no query selects from it.
    OnlySource(String),
    /// Queries select from a table that the source does not have.
    OnlyConfig(String),
    /// Neither knows it. These are the tables that clients get.
    No(Vec<String>),
}

/// A row evaluator that is asked about, for one table of the source.
pub(super) struct Relevant<'a> {
    pub(super) evaluator: usize,
    pub(super) table: &'a SourceTable,
    pub(super) client_table: String,
}

impl Relevant<'_> {
    pub(super) fn source_name(&self) -> String {
        full_name(self.table)
    }
}

pub(super) fn full_name(table: &SourceTable) -> String {
    format!("{}.{}", table.schema, table.name)
}

/// Whether the row is there.
pub(super) enum Found {
    Row(Box<Candidate>),
    /// No table has a row with this id.
    No,
    /// None was found among this many rows of a table whose key is not the id.
    NotAmong(usize),
}

/// A row of the source.
pub(super) struct Candidate {
    table: SourceTable,
    values: Vec<Value>,
    result: RowResult,
    /// The columns that identify it.
    pub(super) key: Vec<NamedValue>,
}

impl Candidate {
    pub(super) fn is_of(&self, table: &SourceTable) -> bool {
        self.table.physical_id == table.physical_id
    }

    pub(super) fn table(&self) -> String {
        full_name(&self.table)
    }

    /// The row through an evaluator.
    pub(super) fn trace(&self, plan: &Plan, relevant: &Relevant<'_>) -> Result<RowTrace, NoTracer> {
        tracer(plan, relevant).map(|tracer| tracer.trace(&self.values))
    }

    /// What kept it out of an evaluator.
    pub(super) fn problem(&self, evaluator: usize) -> Option<&'static str> {
        use sync_config::RowProblem::{Collision, Evaluator, Index, NoId, TooLarge};
        let is_it = |problem: &&sync_config::RowProblem| match problem {
            Evaluator(number, _) | NoId(number) | TooLarge(number) | Collision(number) => *number == evaluator,
            Index(..) => false,
        };
        self.result.problems.iter().find(is_it).map(problem_text)
    }

    /// What a client would get of it from a bucket.
    pub(super) fn data(&self, definition: usize, key: &str, table: &str, id: &str) -> Option<&str> {
        let mut entries = self.result.buckets.iter();
        let is_it = |entry: &&sync_config::BucketEntry| {
            entry.definition == definition && *entry.key == *key && *entry.table == *table && *entry.id == *id
        };
        entries.find(is_it).map(|entry| &*entry.data)
    }
}

/// The evaluators that a name stands for: those that give it to clients, else those that read it from the source.
pub(super) fn relevant<'a>(plan: &Plan, schema: &'a [SourceTable], name: &str) -> (Known, Vec<Relevant<'a>>) {
    let mut all = Vec::new();
    for (evaluator, parts) in plan.evaluators.iter().enumerate() {
        for table in schema {
            if parts.program.table.suffix(None, &table.schema, &table.name).is_some() {
                let client_table = parts.output_table.clone().unwrap_or_else(|| table.name.clone());
                all.push(Relevant { evaluator, table, client_table });
            }
        }
    }
    let is_table = |table: &SourceTable| table.name == name || full_name(table) == name;
    let clients: BTreeSet<String> = all.iter().map(|relevant| relevant.client_table.clone()).collect();
    if clients.contains(name) {
        all.retain(|relevant| relevant.client_table == name);
    } else {
        all.retain(|relevant| is_table(relevant.table));
    }
    let known = if !all.is_empty() {
        Known::Yes
    } else if let Some(table) = schema.iter().find(|table| is_table(table)) {
        Known::OnlySource(full_name(table))
    } else if let Some(pattern) = plan.evaluators.iter().find(|evaluator| {
        let table = &evaluator.program.table;
        evaluator.output_table.as_deref().unwrap_or(&table.table) == name || table.table == name
    }) {
        Known::OnlyConfig(format!("{}.{}", pattern.program.table.schema, pattern.program.table.table))
    } else {
        Known::No(clients.into_iter().collect())
    };
    (known, all)
}

fn tracer(plan: &Plan, relevant: &Relevant<'_>) -> Result<RowTracer, NoTracer> {
    let columns = column_names(relevant.table);
    plan.evaluator_tracer(relevant.evaluator, &table_name(relevant.table), &layout(relevant.table, &columns))
}

/// Looks for the row with the id in the tables of these evaluators.
pub(super) fn row(
    places: Places<'_>,
    relevant: &[Relevant<'_>],
    question: &Question<'_>,
) -> Result<Found, SourceError> {
    let mut tables: Vec<&SourceTable> = Vec::new();
    for one in relevant {
        if !tables.contains(&one.table) {
            tables.push(one.table);
        }
    }
    let mut limit = None;
    for table in tables {
        let search = Search::new(places, table, relevant, question);
        if let Some(candidate) = search.by_key()? {
            return Ok(Found::Row(Box::new(candidate)));
        }
        if search.id_is_key {
            continue;
        }
        match search.by_scan()? {
            Found::Row(candidate) => return Ok(Found::Row(candidate)),
            Found::NotAmong(rows) => limit = Some(rows),
            Found::No => {}
        }
    }
    Ok(limit.map_or(Found::No, Found::NotAmong))
}

/// The search for a row of one table.
struct Search<'a> {
    places: Places<'a>,
    table: &'a SourceTable,
    tracers: Vec<RowTracer>,
    id: &'a str,
    /// Whether the table is asked for by its name at the source, and so its key may be given.
    is_by_source: bool,
    /// Whether the id on the client is always the key.
    id_is_key: bool,
}

impl<'a> Search<'a> {
    fn new(places: Places<'a>, table: &'a SourceTable, relevant: &[Relevant<'_>], question: &Question<'a>) -> Self {
        let plan = &places.plan.plan;
        let of_table: Vec<&Relevant<'_>> = relevant.iter().filter(|one| one.table == table).collect();
        let id_is_key = of_table.iter().all(|one| id_is_key(plan, one.evaluator, table));
        let is_by_source = of_table.iter().all(|one| one.client_table != question.object_type);
        let tracers: Vec<RowTracer> = of_table.iter().filter_map(|one| tracer(plan, one).ok()).collect();
        // Without a tracer nothing but the key can be compared.
        let is_by_source = is_by_source || tracers.is_empty();
        Self { places, table, tracers, id: question.object_id, is_by_source, id_is_key }
    }

    /// The row whose key is the id. The id on a client is text, whatever the key is.
    fn by_key(&self) -> Result<Option<Candidate>, SourceError> {
        if self.table.key.len() != 1 {
            return Ok(None);
        }
        let mut keys = vec![vec![Value::text(self.id)]];
        keys.extend(self.id.parse::<i64>().ok().map(|integer| vec![Value::Integer(integer)]));
        keys.extend(self.id.parse::<f64>().ok().map(|real| vec![Value::real(real)]));
        let refetched = self.places.source.refetch(self.table, &keys)?;
        for row in refetched.rows.into_iter().flatten() {
            let values = rows::values(&row, &self.places.plan.plan.settings);
            if self.is_by_source || self.is_it(&values) {
                return Ok(Some(self.candidate(values)));
            }
        }
        Ok(None)
    }

    fn by_scan(&self) -> Result<Found, SourceError> {
        let (mut after, mut searched): (Option<Vec<Value>>, usize) = (None, 0);
        while searched < SEARCHED {
            let chunk = self.places.source.snapshot_chunk(self.table, after.as_deref(), CHUNK)?;
            searched += chunk.rows.len();
            for row in chunk.rows {
                let values = rows::values(&row, &self.places.plan.plan.settings);
                if self.is_it(&values) {
                    return Ok(Found::Row(Box::new(self.candidate(values))));
                }
            }
            after = chunk.next;
            if after.is_none() {
                return Ok(Found::No);
            }
        }
        Ok(Found::NotAmong(searched))
    }

    fn is_it(&self, values: &[Value]) -> bool {
        self.tracers.iter().any(|tracer| tracer.trace(values).id.as_deref() == Some(self.id))
    }

    fn candidate(&self, values: Vec<Value>) -> Candidate {
        let columns = column_names(self.table);
        let bound = self.places.plan.plan.bind(&table_name(self.table), &layout(self.table, &columns));
        let result = bound.evaluate(&values);
        Candidate { table: self.table.clone(), key: rows::key(self.table, &values), values, result }
    }
}

/// Whether the id of an evaluator's rows is the key of the table.
fn id_is_key(plan: &Plan, evaluator: usize, table: &SourceTable) -> bool {
    let key = match table.key.as_slice() {
        [at] => table.columns.get(*at).map(|column| column.name.as_str()),
        _ => None,
    };
    let outputs = plan.evaluators.get(evaluator).map(|evaluator| evaluator.outputs.as_slice()).unwrap_or_default();
    let has_id = table.columns.iter().any(|column| column.name == "id");
    let column = outputs.iter().rev().find_map(|output| match output {
        Output::Column { name, expr: Expr::Ref(RowRef::Column(column)) } if name == "id" => Some(Some(column.as_str())),
        Output::Column { name, .. } if name == "id" => Some(None),
        Output::Star { legacy: false } if has_id => Some(Some("id")),
        _ => None,
    });
    // A legacy `*` overwrites nothing, so any other output decides; without one it is the column.
    let column = column.unwrap_or_else(|| has_id.then_some("id"));
    key.is_some() && column == key
}
