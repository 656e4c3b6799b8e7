//! What a querier does with a request, step by step, for people who ask why it gives a bucket or not.

use std::cell::Cell;
use std::collections::BTreeSet;

use super::binding::{CONTEXT, Rows, bind, bind_all, needed_after};
use super::request::{Evaluation, Failure, FailureCause, Limits, LookupSource, Request, context};
use crate::explain::{Condition, request_conditions};
use crate::expr::{Frame, each_rows};
use crate::plan::{EachColumn, Querier, Step, StepSource};
use crate::value::{Value, key_text};

/// How many lookups of a step, and keys of buckets, are kept: a page that people read.
const SHOWN: usize = 20;

/// What a querier does with a request.
#[derive(Clone, Debug, Default)]
pub struct QuerierTrace {
    /// Its conditions on the request alone.
    pub conditions: Vec<Condition>,
    /// Steps up to the first one without rows.
    pub steps: Vec<StepTrace>,
    /// Keys of the buckets that it finds, as far as they are shown.
    pub keys: Vec<String>,
    /// How many it finds.
    pub key_count: usize,
    /// Why it could not be evaluated to its end.
    pub failure: Option<(FailureCause, String)>,
}

/// What a step gives.
#[derive(Clone, Debug, Default)]
pub struct StepTrace {
    /// What was looked up, as far as it is shown.
    pub asked: Vec<Asked>,
    /// How many lookups there were.
    pub asked_count: usize,
    /// Rows of the join after this step.
    pub rows: usize,
}

/// A lookup of an index, or a call of `json_each`.
#[derive(Clone, Debug)]
pub struct Asked {
    /// The key, or the argument.
    pub inputs: Vec<Value>,
    /// The values that it gave, as far as they are shown.
    pub outputs: Vec<Vec<Value>>,
    /// How many rows it gave.
    pub rows: usize,
}

impl QuerierTrace {
    /// Follows a request through a querier. `parameters` are those of the subscription.
    pub fn new(
        querier: &Querier,
        request: &Request<'_>,
        parameters: Option<&str>,
        source: &dyn LookupSource,
        limits: &Limits,
    ) -> Self {
        let context = context(request, parameters);
        let mut trace = Self { conditions: request_conditions(&querier.filters, &context), ..Self::default() };
        let mut evaluation = Evaluation::new(request, source, limits);
        if trace.conditions.iter().all(Condition::holds)
            && let Err(Failure(cause, message)) = trace.run(querier, &context, &mut evaluation)
        {
            trace.failure = Some((cause, message));
        }
        trace
    }

    /// Whether the querier finds the bucket with this key, as far as its keys are kept.
    pub fn keys_may_have(&self, key: &[Value]) -> bool {
        let text = key_text(key, true);
        self.key_count > self.keys.len() || text.is_some_and(|text| self.keys.contains(&text))
    }

    fn run(
        &mut self,
        querier: &Querier,
        context: &[Value; CONTEXT],
        evaluation: &mut Evaluation<'_>,
    ) -> Result<(), Failure> {
        let mut rows = Rows::start();
        for (number, step) in querier.steps.iter().enumerate() {
            let asked = asked(step, context, &rows, evaluation)?;
            let asked_count = rows.rows.len();
            rows = evaluation.step(step, context, rows)?;
            rows.project(&needed_after(querier, number));
            self.steps.push(StepTrace { asked, asked_count, rows: rows.rows.len() });
            if rows.rows.is_empty() {
                return Ok(());
            }
        }
        let key = bind_all(&querier.key, &rows.slots);
        let mut keys = BTreeSet::new();
        for row in &rows.rows {
            keys.extend(key_text(&evaluation.values(&key, context, row)?, querier.null_keys));
        }
        self.key_count = keys.len();
        self.keys = keys.into_iter().take(SHOWN).collect();
        Ok(())
    }
}

/// The first lookups of a step. What they read is read once.
fn asked(
    step: &Step,
    context: &[Value; CONTEXT],
    before: &Rows,
    evaluation: &mut Evaluation<'_>,
) -> Result<Vec<Asked>, Failure> {
    let inputs = match &step.source {
        StepSource::Each { arg, .. } => vec![bind(arg, &before.slots)],
        StepSource::Lookup { key, .. } => bind_all(key, &before.slots),
    };
    let mut asked = Vec::new();
    for row in before.rows.iter().take(SHOWN) {
        let inputs = evaluation.values(&inputs, context, row)?;
        let mut outputs = evaluation.outputs(&step.source, &inputs)?;
        let rows = outputs.len();
        outputs.truncate(SHOWN);
        asked.push(Asked { inputs, outputs, rows });
    }
    Ok(asked)
}

/// A column of the rows of `json_each`.
pub(crate) fn each_values(list: &Value, column: EachColumn) -> Vec<Value> {
    let malformed = Cell::new(0);
    let rows = each_rows(list, &Frame { row: &[], extra: &[], malformed: &malformed });
    let value = |row: crate::expr::EachRow| match column {
        EachColumn::Key => row.key,
        EachColumn::Value => row.value,
        EachColumn::Type => Value::text(row.kind),
    };
    rows.into_iter().map(value).collect()
}
