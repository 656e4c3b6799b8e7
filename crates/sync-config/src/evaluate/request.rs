//! A request to buckets: the steps of each querier are a join whose rows carry what belongs together.

use std::borrow::Cow;
use std::cell::Cell;
use std::collections::{BTreeSet, HashMap};

use super::binding::{CONTEXT, Rows, bind, bind_all, needed_after};
use crate::expr::{EachRow, EvalError, Expr, Frame, Slot, each_rows, is_true};
use crate::plan::{EachColumn, Plan, Querier, Step, StepSource, Stream};
use crate::value::{Value, key_text, write_json_string};

/// What a client asks for.
#[derive(Clone, Debug)]
pub struct Request<'a> {
    /// The claims of the JWT, as a JSON object.
    pub claims: &'a str,
    /// The parameters of the connection, as a JSON object.
    pub parameters: &'a str,
    /// Whether default streams are wanted.
    pub include_defaults: bool,
    /// Explicit subscriptions.
    pub subscriptions: &'a [Subscription<'a>],
}

/// A subscription of a request.
#[derive(Clone, Copy, Debug)]
pub struct Subscription<'a> {
    /// Name of the stream.
    pub stream: &'a str,
    /// Its parameters, as a JSON object; none is the same as an empty one.
    pub parameters: Option<&'a str>,
    /// Replaces the stream's priority.
    pub priority: Option<u8>,
}

/// Where entries of parameter indexes are stored.
pub trait LookupSource {
    /// Appends the outputs of all entries of `index` (a number of the plan) with this key.
    ///
    /// # Errors
    /// What prevented reading, for the log.
    fn lookup(&self, index: usize, key: &str, rows: &mut Vec<Vec<Value>>) -> Result<(), String>;
}

/// How much one request may use.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Distinct buckets.
    pub buckets: usize,
    /// Entries read from parameter indexes, and rows of intermediate results.
    pub rows: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { buckets: 10_000, rows: 100_000 }
    }
}

/// Why a client has a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reason {
    /// A default stream: number in [`RequestResult::streams`].
    Default(usize),
    /// A subscription: number in the request.
    Subscription(usize),
}

/// A bucket as a querier finds it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BucketRequest {
    /// Number of the plan's definition.
    pub definition: usize,
    /// Key as a JSON array.
    pub key: String,
}

/// A bucket of the client.
#[derive(Clone, Debug)]
pub struct EvaluatedBucket {
    /// Which one.
    pub bucket: BucketRequest,
    /// The most urgent of the ways that lead to it.
    pub priority: u8,
    /// All ways, as found.
    pub reasons: Vec<Reason>,
}

/// A stream, or one subscription of it, that could not be evaluated.
#[derive(Clone, Debug)]
pub struct StreamError {
    /// Number in [`RequestResult::streams`].
    pub stream: usize,
    /// Which way failed.
    pub reason: Reason,
    /// What kind of failure it is.
    pub cause: FailureCause,
    /// For the client; it holds no values of rows.
    pub message: String,
}

/// Why a stream could not be evaluated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FailureCause {
    /// An expression has no value for this request.
    Expression,
    /// It needs more than [`Limits`] permit.
    Limit,
    /// Parameter indexes could not be read.
    Lookup,
}

/// The answer.
#[derive(Clone, Debug, Default)]
pub struct RequestResult {
    /// Numbers of the plan's streams that the request names or gets by default.
    pub streams: Vec<usize>,
    /// Buckets in the order found, each once.
    pub buckets: Vec<EvaluatedBucket>,
    /// What failed; the others are valid.
    pub errors: Vec<StreamError>,
    /// Index and key of all lookups: while their entries do not change, neither does the answer.
    pub lookups: BTreeSet<(usize, String)>,
    /// How often a text was to be JSON and was not.
    pub malformed_json: u64,
}

/// Finds the buckets of a request.
pub fn evaluate_request(
    plan: &Plan,
    request: &Request<'_>,
    source: &dyn LookupSource,
    limits: &Limits,
) -> RequestResult {
    let mut evaluation = Evaluation::new(request, source, limits);
    for (number, stream) in plan.streams.iter().enumerate() {
        let default = stream.auto_subscribe && request.include_defaults;
        let subscriptions = || request.subscriptions.iter().enumerate().filter(|(_, s)| s.stream == stream.name);
        if !default && subscriptions().next().is_none() {
            continue;
        }
        let position = evaluation.result.streams.len();
        evaluation.result.streams.push(number);
        if default {
            evaluation.stream(stream, position, Reason::Default(position), None, stream.priority);
        }
        for (at, subscription) in subscriptions() {
            let priority = subscription.priority.unwrap_or(stream.priority);
            evaluation.stream(stream, position, Reason::Subscription(at), subscription.parameters, priority);
        }
    }
    evaluation.result.malformed_json = evaluation.malformed.get();
    evaluation.result
}

/// How many times the limit of rows may be read for ways that fail.
const WASTE: usize = 10;

pub(super) struct Evaluation<'a> {
    request: &'a Request<'a>,
    source: &'a dyn LookupSource,
    limits: &'a Limits,
    cache: HashMap<(usize, String), Vec<Vec<Value>>>,
    rows_read: usize,
    /// Rows read for ways that failed, which do not count in `rows_read`.
    rows_wasted: usize,
    malformed: Cell<u64>,
    /// Where a bucket is in the result.
    positions: HashMap<BucketRequest, usize>,
    result: RequestResult,
}

/// What failed: its kind, and a message for the client.
pub(super) struct Failure(pub(super) FailureCause, pub(super) String);

pub(super) fn no_value(error: EvalError) -> Failure {
    Failure(FailureCause::Expression, format!("Error evaluating bucket ids: {error}"))
}

/// The values of a request before the slots, for one subscription.
pub(crate) fn context(request: &Request<'_>, parameters: Option<&str>) -> [Value; CONTEXT] {
    [Value::text(request.claims), Value::text(parameters.unwrap_or("{}")), Value::text(request.parameters)]
}

impl<'a> Evaluation<'a> {
    pub(super) fn new(request: &'a Request<'a>, source: &'a dyn LookupSource, limits: &'a Limits) -> Self {
        Self {
            request,
            source,
            limits,
            cache: HashMap::new(),
            rows_read: 0,
            rows_wasted: 0,
            malformed: Cell::new(0),
            positions: HashMap::new(),
            result: RequestResult::default(),
        }
    }
}

impl Evaluation<'_> {
    fn stream(&mut self, stream: &Stream, position: usize, reason: Reason, parameters: Option<&str>, priority: u8) {
        let context = context(self.request, parameters);
        let rows_before = self.rows_read;
        let mut found: Vec<(BucketRequest, u8)> = Vec::new();
        let mut failure = None;
        for querier in &stream.queriers {
            match self.querier(querier, &context) {
                Ok(keys) => found.extend(keys.into_iter().map(|key| {
                    let priority = querier.priority.unwrap_or(priority);
                    (BucketRequest { definition: querier.definition, key }, priority)
                })),
                Err(failed) => failure = Some(failed),
            }
        }
        let new: BTreeSet<&BucketRequest> =
            found.iter().map(|(bucket, _)| bucket).filter(|bucket| !self.positions.contains_key(bucket)).collect();
        if self.result.buckets.len() + new.len() > self.limits.buckets {
            let message = format!("Too many buckets: the limit is {} per connection", self.limits.buckets);
            failure = Some(Failure(FailureCause::Limit, message));
        }
        if let Some(Failure(cause, message)) = failure {
            // The others have the limit for themselves, as long as not too many fail.
            self.rows_wasted += self.rows_read - rows_before;
            if self.rows_wasted <= self.limits.rows.saturating_mul(WASTE) {
                self.rows_read = rows_before;
            }
            self.result.errors.push(StreamError { stream: position, reason, cause, message });
            return;
        }
        for (bucket, priority) in found {
            let buckets = &mut self.result.buckets;
            let at = *self.positions.entry(bucket.clone()).or_insert_with(|| {
                buckets.push(EvaluatedBucket { bucket, priority, reasons: Vec::new() });
                buckets.len() - 1
            });
            if let Some(bucket) = buckets.get_mut(at) {
                bucket.priority = bucket.priority.min(priority);
                bucket.reasons.push(reason);
            }
        }
    }

    /// The keys of the buckets that a querier finds, each once.
    fn querier(&mut self, querier: &Querier, context: &[Value; CONTEXT]) -> Result<BTreeSet<String>, Failure> {
        for filter in bind_all(&querier.filters, &[]) {
            if !is_true(&filter, &self.frame(context, &[])).map_err(no_value)? {
                return Ok(BTreeSet::new());
            }
        }
        let mut rows = Rows::start();
        for (number, step) in querier.steps.iter().enumerate() {
            rows = self.step(step, context, rows)?;
            rows.project(&needed_after(querier, number));
            if rows.rows.is_empty() {
                return Ok(BTreeSet::new());
            }
        }
        let key = bind_all(&querier.key, &rows.slots);
        let mut keys = BTreeSet::new();
        for row in &rows.rows {
            let values = self.values(&key, context, row)?;
            keys.extend(key_text(&values, querier.null_keys));
        }
        Ok(keys)
    }

    pub(super) fn frame<'f>(&'f self, context: &'f [Value; CONTEXT], extra: &'f [Value]) -> Frame<'f> {
        Frame { row: context, extra, malformed: &self.malformed }
    }

    pub(super) fn values(
        &self,
        exprs: &[Expr<Slot>],
        context: &[Value; CONTEXT],
        row: &[Value],
    ) -> Result<Vec<Value>, Failure> {
        let frame = self.frame(context, row);
        exprs.iter().map(|expr| expr.eval(&frame).map(Cow::into_owned).map_err(no_value)).collect()
    }

    /// Joins the rows so far with those of a step.
    pub(super) fn step(&mut self, step: &Step, context: &[Value; CONTEXT], before: Rows) -> Result<Rows, Failure> {
        let inputs = match &step.source {
            StepSource::Each { arg, .. } => vec![bind(arg, &before.slots)],
            StepSource::Lookup { key, .. } => bind_all(key, &before.slots),
        };
        let mut slots = before.slots;
        slots.extend(&step.outputs);
        let filters = bind_all(&step.filters, &slots);
        let mut rows = Vec::new();
        for row in before.rows {
            let inputs = self.values(&inputs, context, &row)?;
            for outputs in self.outputs(&step.source, &inputs)? {
                if outputs.len() != step.outputs.len() {
                    let message = "Error reading parameters: an entry does not fit its index";
                    return Err(Failure(FailureCause::Lookup, message.to_owned()));
                }
                let mut joined = row.clone();
                joined.extend(outputs);
                let mut holds = true;
                for filter in &filters {
                    holds = holds && is_true(filter, &self.frame(context, &joined)).map_err(no_value)?;
                }
                if !holds {
                    continue;
                }
                rows.push(joined);
                if rows.len() > self.limits.rows {
                    return Err(too_many_rows(self.limits));
                }
                // One row is enough when nothing of it is used.
                if step.outputs.is_empty() {
                    break;
                }
            }
        }
        Ok(Rows { slots, rows })
    }

    /// The rows that a step gives for its inputs.
    pub(super) fn outputs(&mut self, source: &StepSource, inputs: &[Value]) -> Result<Vec<Vec<Value>>, Failure> {
        match source {
            StepSource::Lookup { index, .. } => match key_text(inputs, false) {
                Some(key) => self.lookup(*index, key),
                None => Ok(Vec::new()),
            },
            StepSource::Each { columns, .. } => {
                let frame = Frame { row: &[], extra: &[], malformed: &self.malformed };
                let rows = inputs.first().map(|array| each_rows(array, &frame)).unwrap_or_default();
                let value = |row: &EachRow, column: &EachColumn| match column {
                    EachColumn::Key => row.key.clone(),
                    EachColumn::Value => row.value.clone(),
                    EachColumn::Type => Value::text(row.kind),
                };
                Ok(rows.iter().map(|row| columns.iter().map(|column| value(row, column)).collect()).collect())
            }
        }
    }

    fn lookup(&mut self, index: usize, key: String) -> Result<Vec<Vec<Value>>, Failure> {
        let place = (index, key);
        if let Some(rows) = self.cache.get(&place) {
            return Ok(rows.clone());
        }
        self.result.lookups.insert(place.clone());
        let mut rows = Vec::new();
        self.source
            .lookup(index, &place.1, &mut rows)
            .map_err(|error| Failure(FailureCause::Lookup, format!("Error reading parameters: {error}")))?;
        self.rows_read += rows.len();
        if self.rows_read > self.limits.rows {
            return Err(too_many_rows(self.limits));
        }
        self.cache.insert(place, rows.clone());
        Ok(rows)
    }
}

fn too_many_rows(limits: &Limits) -> Failure {
    let message = format!("Too many parameter query results: the limit is {} per connection", limits.rows);
    Failure(FailureCause::Limit, message)
}

impl Plan {
    /// The name of a bucket, for configurations that are numbered `version`.
    pub fn bucket_name(&self, bucket: &BucketRequest, version: &str) -> String {
        let name = self.definitions.get(bucket.definition).map_or("", |definition| definition.name.as_str());
        format!("{version}{name}{}", bucket.key)
    }
}

impl StreamError {
    /// The error as a member of `streams[].errors` of a checkpoint line.
    pub fn to_json(&self) -> String {
        let subscription = match self.reason {
            Reason::Default(_) => "\"default\"".to_owned(),
            Reason::Subscription(number) => number.to_string(),
        };
        let mut out = format!("{{\"subscription\":{subscription},\"message\":");
        write_json_string(&self.message, &mut out);
        out.push('}');
        out
    }
}
