//! A Convex deployment as the database. The app's project has the functions of `docs/examples/convex`: each transaction is
//! one mutation, `powersync:applyTransaction`, which keeps the transaction's key in the same mutation. So what is applied is
//! applied once.
//!
//! A mutation that throws keeps nothing, so refused transactions are in a file of the service: their results, and the dead
//! letters. Convex evaluates no SQL: rules have no `check`, and values of `set` are the user, claims and constants. Who may
//! do what is decided by `authorize` in the app's project.

mod args;
mod classify;
mod ledger;
mod schema;

use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use convex_connect::{Called, Deployment};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::dead_letter::{DeadLetter, Letters};
use crate::persister::{Persister, PersisterError, Stored, Work};
use crate::plan::Planned;
use crate::result::{Failure, TransactionResult, code};
use crate::rules::{OnError, Rules};
use crate::schema::Schema;
use classify::Class;
use ledger::{Known, Ledger};

/// How long the tables are believed to be as they were read. A mutation that does not fit them has them read again.
const FRESH: Duration = Duration::from_secs(60);

/// Before a client tries again what a person has to make possible.
const BROKEN_RETRY_MS: u64 = 10_000;

/// Applies transactions to a Convex deployment.
pub struct ConvexPersister {
    deployment: Deployment,
    ledger: Ledger,
    schema: Mutex<Option<(Instant, Schema)>>,
}

/// What the function gives.
#[derive(Deserialize)]
struct Applied {
    status: String,
    #[serde(default)]
    conflicts: Vec<AppliedConflict>,
}

#[derive(Deserialize)]
struct AppliedConflict {
    operation_index: f64,
    column: String,
}

impl ConvexPersister {
    /// A persister for a deployment, with a file for what is refused, which is created if it does not exist.
    ///
    /// # Errors
    /// The file cannot be opened or written.
    pub fn open(deployment: Deployment, ledger: &Path) -> Result<Self, PersisterError> {
        Ok(Self { deployment, ledger: Ledger::open(ledger)?, schema: Mutex::new(None) })
    }

    /// The tables, read again if that was long ago.
    fn fresh_schema(&self, is_fresh: impl Fn(Duration) -> bool) -> Result<Schema, PersisterError> {
        let mut known = self.known_schema();
        if let Some((_, schema)) = known.as_ref().filter(|(at, _)| is_fresh(at.elapsed())) {
            return Ok(schema.clone());
        }
        let schema = schema::read(&self.deployment)?;
        *known = Some((Instant::now(), schema.clone()));
        Ok(schema)
    }

    fn known_schema(&self) -> MutexGuard<'_, Option<(Instant, Schema)>> {
        self.schema.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls the function.
    fn run(&self, work: &Work<'_>, plan: &[Planned<'_>]) -> Result<Stored, Box<Class>> {
        let operations = args::operations(plan, work).map_err(|failure| Box::new(Class::Fatal(*failure)))?;
        let transaction = json!({ "user": work.user, "claims": work.claims, "operations": operations });
        let arguments = json!({ "transaction": transaction, "key": self.key(work) });
        let called = self.deployment.mutation("powersync:applyTransaction", &arguments);
        let value = match called.map_err(|failure| Box::new(classify::unreached(&failure)))? {
            Called::Value(value) => value,
            Called::Missing => return Err(Box::new(classify::missing())),
            Called::Thrown(thrown) => return Err(Box::new(classify::thrown(&thrown, plan))),
        };
        let unreadable = |_| Box::new(classify::unreadable());
        let applied: Applied = serde_json::from_value(value).map_err(unreadable)?;
        if applied.status == "mismatch" {
            return Err(Box::new(Class::Fatal(mismatch(work))));
        }
        let conflicts: Vec<_> = applied
            .conflicts
            .iter()
            .filter_map(|conflict| classify::conflict(plan, conflict.operation_index, &conflict.column))
            .collect();
        let is_repeated = applied.status == "repeated";
        Ok(Stored { result: TransactionResult::success(&conflicts), is_repeated, deleted: 0 })
    }

    /// What a repeated transaction is known by. A dead letter has a key, too, since its file and Convex cannot commit together.
    fn key(&self, work: &Work<'_>) -> Value {
        let hash: String = work.hash.iter().map(|byte| format!("{byte:02x}")).collect();
        match (&work.key, work.replayed) {
            (Some(key), _) => json!({
                "user": key.user, "client": key.client, "queue": key.queue, "transaction": key.transaction, "hash": hash,
            }),
            (None, Some(letter)) => json!({
                "user": work.user, "client": "", "queue": format!("dead-letters-{}", self.ledger.id()),
                "transaction": letter.to_string(), "hash": hash,
            }),
            (None, None) => Value::Null,
        }
    }

    fn refuse(&self, work: &Work<'_>, failure: Failure, is_under_key: bool) -> Stored {
        let stored = self.ledger.refuse(work, &failure, is_under_key);
        // The client still has the transaction.
        let later =
            |_| TransactionResult::retryable("The service cannot store a refused transaction now.", BROKEN_RETRY_MS);
        Stored::new(stored.map_or_else(later, |()| TransactionResult::FatalError(failure)))
    }
}

fn mismatch(work: &Work<'_>) -> Failure {
    let transaction = work.key.map(|key| key.transaction).unwrap_or_default();
    let message = format!("The client has sent another transaction {transaction} in this life of its queue before.");
    Failure::new(code::IDEMPOTENCY_MISMATCH, message, None)
}

impl Persister for ConvexPersister {
    fn schema(&self) -> Result<Schema, PersisterError> {
        self.fresh_schema(|_| false)
    }

    fn schema_version(&self) -> Result<i64, PersisterError> {
        self.fresh_schema(|age| age < FRESH).map(|schema| schema.version)
    }

    fn refused(&self, rules: &Rules) -> Result<Vec<(String, String)>, PersisterError> {
        Ok(rules.tables().filter_map(|rule| Some((rule.name.clone(), args::refusal(rule)?))).collect())
    }

    fn apply(&self, work: &Work<'_>) -> Stored {
        match self.ledger.find(work) {
            Ok(Known::Nothing) => {}
            Ok(Known::Same(result)) => return Stored { result, is_repeated: true, deleted: 0 },
            Ok(Known::Other) => return self.refuse(work, mismatch(work), false),
            Err(_) => {
                let message = "The service cannot read what it has stored.";
                return Stored::new(TransactionResult::retryable(message, BROKEN_RETRY_MS));
            }
        }
        let result = match &work.plan {
            Ok(plan) => self.run(work, plan).map_err(|class| *class),
            Err(failure) => Err(Class::Fatal(Failure::clone(failure))),
        };
        match result {
            Ok(stored) => {
                if let Some(letter) = work.replayed {
                    // It is applied; if this fails, replaying it again finds that, and does only this.
                    if self.ledger.replayed(letter).is_err() {
                        let message =
                            "The transaction is applied, and its dead letter cannot be marked: replay it again.";
                        return Stored::new(TransactionResult::retryable(message, BROKEN_RETRY_MS));
                    }
                }
                stored
            }
            Err(Class::Retryable(result)) => Stored::new(result),
            Err(Class::Fatal(mut failure)) => {
                let is_mismatch = failure.failed_operation.error_code == code::IDEMPOTENCY_MISMATCH;
                if failure.failed_operation.operation_index.is_none() && !is_mismatch {
                    let is_client = |operation: &Planned<'_>| operation.rule.on_error == OnError::Client;
                    failure.requires_client_handling = work.plan.as_ref().is_ok_and(|plan| plan.iter().any(is_client));
                }
                if failure.failed_operation.error_code == code::SCHEMA_MISMATCH {
                    *self.known_schema() = None;
                }
                self.refuse(work, failure, !is_mismatch)
            }
        }
    }

    fn letters(&self, which: &Letters) -> Result<Vec<DeadLetter>, PersisterError> {
        self.ledger.letters(which)
    }

    fn letter(&self, id: i64) -> Result<Option<DeadLetter>, PersisterError> {
        self.ledger.letter(id)
    }

    fn discard(&self, id: i64, note: Option<&str>) -> Result<bool, PersisterError> {
        self.ledger.discard(id, note)
    }
}
