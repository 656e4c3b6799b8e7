//! Which buckets a client with a request would have, for people who ask.

use sync_config::{Limits, Request, RequestResult, evaluate_request};

use crate::connection::Lookups;
use crate::live::LivePlan;
use crate::store::{Reader, StoreError};

/// Evaluates a request at a checkpoint.
///
/// # Errors
/// The store cannot be read.
pub fn evaluate(
    plan: &LivePlan,
    reader: &dyn Reader,
    request: &Request<'_>,
    limits: &Limits,
) -> Result<RequestResult, StoreError> {
    let lookups = Lookups::new(plan, reader);
    let result = evaluate_request(&plan.plan, request, &lookups, limits);
    lookups.result()?;
    Ok(result)
}
