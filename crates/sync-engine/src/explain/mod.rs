//! Why a client has a row or not: the row at the source, the way to its buckets, the user's buckets, and what is stored.
//!
//! [`explain`] only reads, and stores nothing. What a client has is decided by the storage at its newest checkpoint. The
//! row and the rows of other tables that lead to it are read from the source as they are now, so that a value that does not
//! fit can be named. Where both differ, the change is not replicated yet.
//!
//! The columns that identify a row, and those of conditions and keys, are shown with their values; others are not.

mod find;
mod operations;
mod rows;
mod sentences;
mod tree;
mod work;

use serde_json::Value as Json;
use sync_config::explain::{Condition, Link, NamedValue, RowTrace};
use sync_config::{Limits, QuerierTrace, RowProblem, Subscription, Value};

use self::find::{Found, Known};
use self::operations::Stored;
use self::work::Work;
use crate::live::LivePlan;
use crate::source::{Source, SourceError};
use crate::store::{OpId, Reader, StoreError};

/// What is asked.
#[derive(Clone, Copy, Debug)]
pub struct Question<'a> {
    /// The table as clients know it, or one of the source.
    pub object_type: &'a str,
    /// The id on the client.
    pub object_id: &'a str,
    /// The claims of the token, as a JSON object.
    pub claims: &'a str,
    /// The parameters of the connection, as a JSON object.
    pub parameters: &'a str,
    /// What the client subscribes to, besides default streams.
    pub subscriptions: &'a [Subscription<'a>],
}

/// Where the answer is read.
#[derive(Clone, Copy)]
pub struct Places<'a> {
    /// What requests are evaluated with.
    pub plan: &'a LivePlan,
    /// The database whose rows are synced.
    pub source: &'a dyn Source,
    /// The newest checkpoint.
    pub reader: &'a dyn Reader,
    /// How much a request may use.
    pub limits: &'a Limits,
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ExplainError {
    /// The source cannot be read.
    Source(SourceError),
    /// The storage cannot be read.
    Store(StoreError),
}

/// The answer.
#[derive(Clone, Debug)]
pub struct Explanation {
    /// Whether a client of this request has the row at the newest checkpoint.
    pub is_visible: bool,
    /// Why, in the order in which a row goes to a client.
    pub reasons: Vec<Reason>,
    /// Everything that was found, as a JSON object.
    pub tree: Json,
}

/// A part of an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reason {
    /// One or two sentences.
    pub text: String,
    /// What to do, if something can be done about it.
    pub remedy: Option<String>,
}

/// Everything that was found.
struct Findings {
    object_type: String,
    object_id: String,
    known: Known,
    found: Found,
    streams: Vec<StreamFinding>,
    /// Buckets in which the user has the row although the source's row does not belong there.
    strays: Vec<Stray>,
    /// Streams that are subscribed to and that the configuration does not have.
    unknown_streams: Vec<String>,
    checkpoint: OpId,
    /// Whether the source has changes that the checkpoint does not show; none if that cannot be read.
    is_behind: Option<bool>,
    is_visible: bool,
    /// Whether all operations were searched.
    is_complete: bool,
}

struct StreamFinding {
    name: String,
    ways: Vec<Way>,
}

/// How a client comes to a stream.
enum By {
    Default,
    /// The number of the subscription in the question.
    Subscription(usize),
    /// It does not.
    Nothing,
}

struct Way {
    by: By,
    /// Why the stream could not be evaluated for this request.
    error: Option<String>,
    queries: Vec<QueryFinding>,
}

/// A query of a stream that selects from the row's table.
struct QueryFinding {
    /// What names of its buckets begin with.
    prefix: String,
    /// The table on the client.
    client_table: String,
    /// The table at the source.
    source_table: String,
    /// The parts of the key of its buckets.
    key: Vec<String>,
    /// The row, if there is one and the table has all columns.
    row: Option<RowTrace>,
    /// Columns that the table lacks.
    lacks: Vec<String>,
    problem: Option<&'static str>,
    request: QuerierTrace,
    buckets: Vec<BucketFinding>,
    /// In how many more buckets the row is.
    more_buckets: usize,
}

/// A bucket that the row belongs to.
struct BucketFinding {
    key: Vec<Value>,
    name: String,
    is_had: bool,
    links: Vec<Link>,
    /// What is stored of the row.
    stored: Stored,
}

/// A bucket that holds the row, although the source's row does not belong there.
struct Stray {
    name: String,
    op_id: OpId,
}

impl From<SourceError> for ExplainError {
    fn from(error: SourceError) -> Self {
        Self::Source(error)
    }
}

impl From<StoreError> for ExplainError {
    fn from(error: StoreError) -> Self {
        Self::Store(error)
    }
}

/// Says why a client has a row or not.
///
/// # Errors
/// The source or the storage cannot be read.
pub fn explain(places: Places<'_>, question: &Question<'_>) -> Result<Explanation, ExplainError> {
    let schema = places.source.schema()?;
    let (known, relevant) = find::relevant(&places.plan.plan, &schema, question.object_type);
    let found = find::row(places, &relevant, question)?;
    let work = Work::new(places, question, &schema, (&found, relevant))?;
    let streams = work.streams()?;
    let strays = work.strays(&streams)?;
    let is_had = |bucket: &BucketFinding| bucket.is_had && matches!(bucket.stored, Stored::Put { .. });
    let is_visible = !strays.is_empty() || buckets(&streams).any(is_had);
    let position = &places.reader.checkpoint().position;
    let (is_complete, unknown_streams) = (work.is_complete(), work.unknown_streams());
    drop(work);
    let findings = Findings {
        object_type: question.object_type.to_owned(),
        object_id: question.object_id.to_owned(),
        known,
        streams,
        strays,
        unknown_streams,
        checkpoint: places.reader.checkpoint().op_id,
        is_behind: places.source.head().ok().map(|head| *position < head),
        is_visible,
        is_complete,
        found,
    };
    let reasons = sentences::reasons(&findings, &places.plan.plan);
    let tree = tree::tree(&findings, &places.plan.plan);
    Ok(Explanation { is_visible, reasons, tree })
}

fn buckets(streams: &[StreamFinding]) -> impl Iterator<Item = &BucketFinding> {
    let queries = streams.iter().flat_map(|stream| &stream.ways).flat_map(|way| &way.queries);
    queries.flat_map(|query| &query.buckets)
}

/// What kept a row out, as people read it.
fn problem_text(problem: &RowProblem) -> &'static str {
    match problem {
        RowProblem::Evaluator(_, error) | RowProblem::Index(_, error) => error.0,
        RowProblem::NoId(_) => "it has no id on the client: its column `id` is NULL, empty or a blob",
        RowProblem::TooLarge(_) => "it is larger than 15 MiB",
        RowProblem::Collision(_) => "another query gives a row of the same id, which counts",
    }
}

/// Conditions that do not hold.
fn failing(conditions: &[Condition]) -> impl Iterator<Item = &Condition> {
    conditions.iter().filter(|condition| !condition.holds())
}

/// `id = 'l1' and owner_id = 'bob'`
fn values_text(values: &[NamedValue]) -> String {
    let one = |value: &NamedValue| format!("{} = {}", value.name, sync_config::explain::value_sql(&value.value));
    values.iter().map(one).collect::<Vec<_>>().join(" and ")
}
