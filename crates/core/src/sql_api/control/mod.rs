//! `powersync_control(op, payload)`: the sync client as SQL (docs/reference/control.md#all-commands).
//!
//! This module checks arguments and parses payloads; the rest is done by the state machine (`sync_client`). The
//! result is given to SQLite before the state machine's memory changes, so that a result that is too long, or for which
//! there is no memory, leaves it as it was.
//! Each op has a function in the file of its family. Ops that need an iteration ask for it before they look at their
//! payload's content, because SDKs probe for an iteration that way.

mod connection;
mod lines;
mod payload;
mod request_ids;
mod start;
mod streams;

use alloc::vec::Vec;

use sqlite_nostd::{Context, Value, ValueType};

use crate::bucket_storage::{SqliteStorage, now};
use crate::connection::Database;
use crate::error::{Error, Result};
use crate::migrations::explain;
use crate::sql_api::session::Session;
use crate::sync_client::storage::Storage;
use crate::sync_client::{Answer, Engine, Event, Outcome, to_json};
use crate::text::Identifier;

/// What a command works with.
struct Call<'c> {
    database: Database<'c>,
    session: &'c Session,
    engine: &'c mut Engine,
    storage: &'c mut (dyn Storage + 'c),
    answer: &'c mut Answer<'c>,
    payload: &'c Value,
}

impl Call<'_> {
    /// Has the state machine handle the event. After success nothing of the call may fail.
    fn handle(&mut self, event: Event<'_>) -> Result<()> {
        self.engine.handle(event, self.storage, self.answer).map(|_| ())
    }
}

type Command = fn(Call<'_>) -> Result<()>;

/// Makes `command`, and `UNKNOWN`, the message that lists all commands.
macro_rules! commands {
    ($first:literal => $first_function:path, $($name:literal => $function:path,)*) => {
        const UNKNOWN: &str = concat!(": expected ", $first, $(", ", $name),*);

        fn command(op: &str) -> Option<Command> {
            Some(match op {
                $first => $first_function,
                $($name => $function,)*
                _ => return None,
            })
        }
    };
}

commands! {
    "start" => start::start,
    "stop" => connection::stop,
    "line_text" => lines::line_text,
    "line_binary" => lines::line_binary,
    "connection" => connection::connection,
    "refreshed_token" => connection::refreshed_token,
    "completed_upload" => connection::completed_upload,
    "update_subscriptions" => streams::update_subscriptions,
    "subscriptions" => streams::subscriptions,
    "seed_checkpoint_request_id" => request_ids::seed,
    "next_checkpoint_request_id" => request_ids::next,
    "current_checkpoint_request_id" => request_ids::current,
    "target_checkpoint_request_id" => request_ids::target,
}

/// The error for a command that does not exist.
#[cold]
fn unknown(op: &str) -> Error {
    /// Bytes of the name that are shown.
    const SHOWN: usize = 40;
    let shown = op.get(..op.floor_char_boundary(SHOWN)).unwrap_or_default();
    let cut = if shown.len() < op.len() { "…" } else { "" };
    Error::argument(alloc::format!("Unknown operation {}{cut}{UNKNOWN}", Identifier(shown)))
}

/// A call of the function.
pub(super) fn control(session: &Session, context: &Context<'_>, arguments: &[&Value]) -> Result<()> {
    let [op, payload] = arguments else {
        return Err(Error::argument("expected two arguments"));
    };
    if op.value_type() != ValueType::Text {
        return Err(Error::argument("First argument must be a string"));
    }
    let database = Database::new(context.connection(), &session.connection);
    database.require_transaction()?;
    session.refuse_while_publishing()?;
    let op = op.text()?;
    let Some(command) = command(op) else { return Err(unknown(op)) };
    let Ok(mut engine) = session.engine.try_borrow_mut() else {
        return Err(Error::state("the sync client is busy"));
    };
    let mut storage = SqliteStorage::new(database, &session.store, &session.schemas);
    let commits = database.state().transaction().commits();
    let mut answer = |outcome: &Outcome| {
        if database.connection().is_autocommit() {
            return Err(Error::state("the transaction has ended during the call"));
        }
        give(session, context, &database, outcome)
    };
    let done =
        command(Call { session, database, engine: &mut engine, storage: &mut storage, answer: &mut answer, payload });
    // What was committed during a call that failed is neither undone nor complete.
    if done.is_err() && database.state().transaction().commits() != commits {
        session.store.lose_iteration();
    }
    done.map_err(|error| {
        let error = explain(&database, error);
        engine.note_failure(&error, now(&database).ok());
        error
    })
}

/// Makes the outcome the result of the call, which then succeeds.
fn give(session: &Session, context: &Context<'_>, database: &Database<'_>, outcome: &Outcome) -> Result<()> {
    let lines = match outcome {
        Outcome::Instructions(instructions) => session.log.prepare(database, instructions)?,
        Outcome::RequestId(_) | Outcome::Nothing => Vec::new(),
    };
    match outcome {
        Outcome::Instructions(instructions) => context.try_result_json(&to_json(instructions)?)?,
        Outcome::RequestId(Some(id)) => context.result_integer(*id),
        Outcome::RequestId(None) | Outcome::Nothing => context.result_null(),
    }
    context.settle()?;
    session.log.add(lines);
    Ok(())
}
