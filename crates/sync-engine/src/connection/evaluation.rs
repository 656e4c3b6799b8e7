//! Which buckets a request has under a plan, at a checkpoint.

use std::cell::RefCell;
use std::sync::Arc;

use sync_config::{FailureCause, Limits, LookupSource, RequestResult, Value, evaluate_request};

use super::held::Found;
use super::{Ask, EndReason};
use crate::lines::{Reason, StreamProblem, StreamSummary};
use crate::live::{IndexId, LivePlan};
use crate::store::{Reader, StoreError};

/// The answer to a request.
#[derive(Debug)]
pub(super) struct Evaluated {
    /// Each bucket once.
    pub(super) buckets: Vec<Found>,
    pub(super) streams: Vec<StreamSummary>,
    /// In order: while their entries do not change, neither does the answer.
    pub(super) lookups: Vec<(IndexId, Arc<str>)>,
}

/// Evaluates a request.
///
/// # Errors
/// The store cannot be read, or no stream is within the limits.
pub(super) fn evaluate(
    plan: &LivePlan,
    ask: &Ask,
    reader: &dyn Reader,
    limits: &Limits,
) -> Result<Evaluated, EndReason> {
    let lookups = Lookups::new(plan, reader);
    let subscriptions = ask.subscriptions();
    let result = evaluate_request(&plan.plan, &ask.request(&subscriptions), &lookups, limits);
    // A stream without its buckets would be deleted on the client, so what may work later ends the connection.
    lookups.result().map_err(EndReason::Store)?;
    if let Some(error) = result.errors.iter().find(|error| error.cause == FailureCause::Lookup) {
        return Err(EndReason::Store(StoreError::Invalid(error.message.clone())));
    }
    check_limits(plan, ask, &result)?;
    answer(plan, result)
}

/// The entries of parameter indexes at a checkpoint.
pub(crate) struct Lookups<'a> {
    pub(crate) plan: &'a LivePlan,
    pub(crate) reader: &'a dyn Reader,
    pub(crate) failed: RefCell<Option<StoreError>>,
}

impl<'a> Lookups<'a> {
    pub(crate) fn new(plan: &'a LivePlan, reader: &'a dyn Reader) -> Self {
        Self { plan, reader, failed: RefCell::new(None) }
    }

    /// Whether all lookups could be read.
    ///
    /// # Errors
    /// The last error.
    pub(crate) fn result(&self) -> Result<(), StoreError> {
        self.failed.take().map_or(Ok(()), Err)
    }
}

impl LookupSource for Lookups<'_> {
    fn lookup(&self, index: usize, key: &str, rows: &mut Vec<Vec<Value>>) -> Result<(), String> {
        let index = self.plan.indexes.get(index).ok_or("the plan has no such index")?;
        self.reader.lookup(*index, key, rows).map_err(|error| {
            let message = error.to_string();
            self.failed.replace(Some(error));
            message
        })
    }
}

/// Streams over the limits are listed with an error, but an answer of nothing else is none.
fn check_limits(plan: &LivePlan, ask: &Ask, result: &RequestResult) -> Result<(), EndReason> {
    let Some(error) = result.errors.iter().find(|error| error.cause == FailureCause::Limit) else { return Ok(()) };
    let streams = || result.streams.iter().filter_map(|number| plan.plan.streams.get(*number));
    let defaults = streams().filter(|stream| stream.auto_subscribe && ask.streams.include_defaults).count();
    let explicit = ask.streams.subscriptions.iter();
    let explicit = explicit.filter(|subscription| streams().any(|stream| *stream.name == *subscription.stream)).count();
    if result.errors.len() < defaults + explicit {
        return Ok(());
    }
    Err(EndReason::LimitExceeded(error.message.clone()))
}

fn answer(plan: &LivePlan, result: RequestResult) -> Result<Evaluated, EndReason> {
    let invalid = || EndReason::Store(StoreError::Invalid("a plan lacks the numbers of its definitions".to_owned()));
    let mut streams: Vec<StreamSummary> = result
        .streams
        .iter()
        .filter_map(|number| plan.plan.streams.get(*number))
        .map(|stream| StreamSummary {
            name: stream.name.as_str().into(),
            is_default: stream.auto_subscribe,
            errors: Vec::new(),
        })
        .collect();
    for error in result.errors {
        if let Some(stream) = streams.get_mut(error.stream) {
            let subscription = match error.reason {
                sync_config::Reason::Default(_) => None,
                sync_config::Reason::Subscription(number) => Some(small(number)),
            };
            stream.errors.push(StreamProblem { subscription, message: error.message.into() });
        }
    }
    let mut buckets = Vec::with_capacity(result.buckets.len());
    for found in result.buckets {
        buckets.push(Found {
            definition: *plan.definitions.get(found.bucket.definition).ok_or_else(invalid)?,
            plan_definition: small(found.bucket.definition),
            key: found.bucket.key,
            priority: found.priority,
            reasons: found.reasons.into_iter().map(reason).collect(),
        });
    }
    let mut lookups = Vec::with_capacity(result.lookups.len());
    for (index, key) in result.lookups {
        lookups.push((*plan.indexes.get(index).ok_or_else(invalid)?, Arc::from(key)));
    }
    lookups.sort_unstable();
    lookups.dedup();
    Ok(Evaluated { buckets, streams, lookups })
}

fn reason(reason: sync_config::Reason) -> Reason {
    match reason {
        sync_config::Reason::Default(number) => Reason::Default(small(number)),
        sync_config::Reason::Subscription(number) => Reason::Subscription(small(number)),
    }
}

/// Numbers of streams, subscriptions and definitions, which are below 2³² in any request that fits into memory.
fn small(number: usize) -> u32 {
    debug_assert!(u32::try_from(number).is_ok(), "requests are limited");
    u32::try_from(number).unwrap_or(u32::MAX)
}
