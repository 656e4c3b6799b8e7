//! Evaluates a plan: rows to bucket entries, requests to buckets.

mod bind;
mod binding;
mod request;
mod row;
mod trace;

pub(crate) use bind::Binder;
pub(crate) use binding::{CONTEXT, bind as bind_request};
pub(crate) use request::context as request_context;
pub use request::{
    BucketRequest, EvaluatedBucket, FailureCause, Limits, LookupSource, Reason, Request, RequestResult, StreamError,
    Subscription, evaluate_request,
};
pub use row::{BoundTable, BucketEntry, Layout, MissingColumn, ParameterEntry, RowProblem, RowResult, TableName};
pub(crate) use row::{EACH_COLUMNS, id_text};
pub(crate) use trace::each_values;
pub use trace::{Asked, QuerierTrace, StepTrace};
