//! The way of an upload: parsed, planned by the rules, applied one transaction after the other.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use sync_config::Diagnostic;

use crate::dead_letter::{DeadLetter, Letters, ReplayError, State};
use crate::locks::Locks;
use crate::log::{Attempt, Log, Outcome, named, shortened};
use crate::persister::{Key, Persister, PersisterError, Stored, Work};
use crate::plan::plan;
use crate::request::{self, BadRequest, Operation, Transaction};
use crate::result::{Answer, TransactionResult};
use crate::rules::Rules;

/// Who uploads.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteUser {
    /// The claim `sub`.
    pub id: String,
    /// All claims of the token, as a JSON object.
    pub claims: String,
}

/// What happens to the transactions after one with a fatal error that the client does not handle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnFatal {
    /// They are not attempted; the client sends them again.
    #[default]
    Stop,
    /// They are applied.
    Skip,
}

/// Options of the write path.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// After a fatal error.
    pub on_fatal: OnFatal,
}

/// What was counted since the start.
#[derive(Debug, Default)]
pub struct Counters {
    /// Transactions that were applied.
    pub applied: AtomicU64,
    /// Transactions that were there already.
    pub repeated: AtomicU64,
    /// Fatal errors.
    pub fatal: AtomicU64,
    /// Errors after which clients try again.
    pub retryable: AtomicU64,
    /// Stored results that were deleted because of their age or number.
    pub results_deleted: AtomicU64,
}

/// The write path.
pub struct WritePath {
    rules: RwLock<Arc<Rules>>,
    persister: Box<dyn Persister>,
    options: Options,
    locks: Locks,
    counters: Counters,
    log: Log,
}

/// Where an upload comes from.
struct Sender<'a> {
    rules: &'a Rules,
    user: &'a WriteUser,
    client: Option<&'a str>,
    queue: Option<&'a str>,
    kept_claims: &'a str,
}

impl WritePath {
    /// A write path to a database, by rules that were loaded for it.
    pub fn new(rules: Rules, persister: Box<dyn Persister>, options: Options) -> Self {
        Self {
            rules: RwLock::new(Arc::new(rules)),
            persister,
            options,
            locks: Locks::default(),
            counters: Counters::default(),
            log: Log::default(),
        }
    }

    /// The rules for the tables as they are now.
    fn rules(&self) -> Arc<Rules> {
        let rules = Arc::clone(&self.rules.read().unwrap_or_else(PoisonError::into_inner));
        // If the database cannot be asked, it cannot be written either, and whoever tries finds out why.
        let Ok(Some(renewed)) = rules.renewed(self.persister.as_ref()) else { return rules };
        let renewed = Arc::new(renewed);
        let mut current = self.rules.write().unwrap_or_else(PoisonError::into_inner);
        // Others may have been loaded meanwhile.
        if Arc::ptr_eq(&current, &rules) {
            *current = Arc::clone(&renewed);
        }
        renewed
    }

    /// Loads other rules, or the same ones after the tables have changed. If there is an error among the findings, the
    /// rules stay as they are.
    ///
    /// # Errors
    /// The database cannot be asked now.
    pub fn reload(&self, yaml: &str) -> Result<Vec<Diagnostic>, PersisterError> {
        let loaded = Rules::load(yaml, self.persister.as_ref())?;
        if let Some(rules) = loaded.rules {
            *self.rules.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
        }
        Ok(loaded.diagnostics)
    }

    /// Applies an upload; `now` is in µs since 1970.
    ///
    /// # Errors
    /// The body is no upload; then nothing was applied.
    pub fn apply(&self, user: &WriteUser, body: &[u8], now: i64) -> Result<Answer, BadRequest> {
        let upload = request::parse(body)?;
        let rules = self.rules();
        let kept_claims = rules.kept_claims(&user.claims);
        let (client, queue) = (upload.client.as_deref(), upload.queue.as_deref());
        let from = Sender { rules: &rules, user, client, queue, kept_claims: &kept_claims };
        let results = self.locks.with(&user.id, client.unwrap_or_default(), || {
            let mut is_stopped = false;
            let mut results = Vec::with_capacity(upload.transactions.len());
            let turn = self.persister.turn(&user.id, client.unwrap_or_default());
            if let Err(later) = &turn {
                self.counters.retryable.fetch_add(1, Ordering::Relaxed);
                results.push(TransactionResult::clone(later));
                results.resize(upload.transactions.len(), TransactionResult::NotAttempted);
                return results;
            }
            for transaction in &upload.transactions {
                if is_stopped {
                    results.push(TransactionResult::NotAttempted);
                    continue;
                }
                let result = self.transaction(&from, transaction, now);
                is_stopped = match &result {
                    TransactionResult::Success { .. } => false,
                    TransactionResult::FatalError(failure) => {
                        failure.requires_client_handling || self.options.on_fatal == OnFatal::Stop
                    }
                    TransactionResult::RetryableError { .. } | TransactionResult::NotAttempted => true,
                };
                results.push(result);
            }
            results
        });
        Ok(Answer { results })
    }

    fn transaction(&self, from: &Sender<'_>, transaction: &Transaction, now: i64) -> TransactionResult {
        let (user, id) = (from.user, transaction.id.as_deref());
        let key = match (from.client, from.queue, id) {
            (Some(client), Some(queue), Some(transaction)) => Some(Key { user: &user.id, client, queue, transaction }),
            _ => None,
        };
        let plan = plan(from.rules, &transaction.operations);
        let work = Work {
            key,
            hash: transaction.hash(),
            plan,
            role: from.rules.role(),
            user: &user.id,
            claims: &user.claims,
            kept_claims: from.kept_claims,
            client: from.client,
            transaction: id,
            json: &transaction.json,
            replayed: None,
            now,
        };
        self.run(&work, &transaction.operations)
    }

    /// Applies a transaction, counts it, and notes it for people.
    fn run(&self, work: &Work<'_>, operations: &[Operation]) -> TransactionResult {
        let since = Instant::now();
        let stored = self.persister.apply(work);
        self.log.add(Attempt {
            number: 0,
            at: work.now,
            user: shortened(work.user),
            client: work.client.map(shortened),
            transaction_id: work.transaction.map(shortened),
            operations: named(operations),
            operation_count: operations.len(),
            outcome: Outcome::from(&stored.result),
            is_repeated: stored.is_repeated,
            dead_letter: work.replayed,
            duration: u64::try_from(since.elapsed().as_micros()).unwrap_or(u64::MAX),
        });
        self.counted(stored)
    }

    fn counted(&self, stored: Stored) -> TransactionResult {
        let counters = &self.counters;
        let counter = match &stored.result {
            _ if stored.is_repeated => &counters.repeated,
            TransactionResult::Success { .. } => &counters.applied,
            TransactionResult::FatalError(_) => &counters.fatal,
            TransactionResult::RetryableError { .. } | TransactionResult::NotAttempted => &counters.retryable,
        };
        counter.fetch_add(1, Ordering::Relaxed);
        counters.results_deleted.fetch_add(stored.deleted, Ordering::Relaxed);
        stored.result
    }

    /// The last transactions that were tried, the newest first. They are kept in memory, some hundred of them.
    pub fn attempts(&self, limit: usize) -> Vec<Attempt> {
        self.log.newest(limit)
    }

    /// What was counted since the start.
    pub fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Dead letters without their transactions, the newest first.
    ///
    /// # Errors
    /// They cannot be read now.
    pub fn letters(&self, which: &Letters) -> Result<Vec<DeadLetter>, PersisterError> {
        self.persister.letters(which)
    }

    /// A dead letter with its transaction.
    ///
    /// # Errors
    /// It cannot be read now.
    pub fn letter(&self, id: i64) -> Result<Option<DeadLetter>, PersisterError> {
        self.persister.letter(id)
    }

    /// Applies a dead letter as the user who sent it, by the rules and rows of now. The user's token may have expired
    /// since; the claims that rules need are those that it had. The letter is marked in the same database transaction, so
    /// that it is applied once. If it is refused again, it stays open, with the new error.
    ///
    /// # Errors
    /// It is not open, or the database cannot be reached.
    pub fn replay(&self, id: i64, now: i64) -> Result<TransactionResult, ReplayError> {
        let letter = self.open_letter(id)?;
        let json = letter.transaction.as_ref().map_or("", |json| json.get());
        let transaction = request::parse_transaction(json)
            .map_err(|error| PersisterError(format!("Reading the transaction of dead letter {id}: {error}")))?;
        let rules = self.rules();
        let result = self.locks.with(&letter.user, letter.client.as_deref().unwrap_or_default(), || {
            let _turn = match self.persister.turn(&letter.user, letter.client.as_deref().unwrap_or_default()) {
                Ok(turn) => turn,
                Err(later) => return *later,
            };
            let work = Work {
                key: None,
                hash: transaction.hash(),
                plan: plan(&rules, &transaction.operations),
                role: rules.role(),
                user: &letter.user,
                claims: &letter.claims,
                kept_claims: &letter.claims,
                client: letter.client.as_deref(),
                transaction: letter.transaction_id.as_deref(),
                json,
                replayed: Some(id),
                now,
            };
            self.run(&work, &transaction.operations)
        });
        Ok(result)
    }

    /// Decides against a dead letter.
    ///
    /// # Errors
    /// It is not open, or the database cannot be reached.
    pub fn discard(&self, id: i64, note: Option<&str>) -> Result<(), ReplayError> {
        if self.persister.discard(id, note)? {
            return Ok(());
        }
        self.open_letter(id).map(|_| ())
    }

    fn open_letter(&self, id: i64) -> Result<DeadLetter, ReplayError> {
        let letter = self.persister.letter(id)?.ok_or(ReplayError::NotFound)?;
        match letter.state {
            State::Open => Ok(letter),
            other => Err(ReplayError::NotOpen(other)),
        }
    }
}
