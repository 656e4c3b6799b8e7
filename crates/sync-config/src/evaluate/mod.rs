//! Evaluates a plan: rows to bucket entries, requests to buckets.

mod bind;
mod binding;
mod request;
mod row;

pub use request::{
    BucketRequest, EvaluatedBucket, FailureCause, Limits, LookupSource, Reason, Request, RequestResult, StreamError,
    Subscription, evaluate_request,
};
pub use row::{BoundTable, BucketEntry, Layout, MissingColumn, ParameterEntry, RowProblem, RowResult, TableName};
