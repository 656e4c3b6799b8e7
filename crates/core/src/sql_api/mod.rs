//! The SQL surface: the table of all functions and virtual tables. What they do is in one file per family, what
//! `powersync_control` does in one function per command.

mod clear;
mod control;
mod crud_tables;
mod diagnosis;
mod identity;
mod json_functions;
mod log;
mod migration;
mod operation_data;
mod row_functions;
mod schema;
mod session;
mod sync_state;
mod update_hooks;
mod upload_queue;
mod upsert;
mod virtual_tables;
mod warm_start;

use alloc::rc::Rc;

use sqlite_nostd::{Connection, Context, FunctionError, FunctionFlags, Value};

use crate::connection::Database;
use session::Session;
use virtual_tables::{KINDS, VirtualTable};

use crate::error::Result;

/// An SQL function, whose name is at the same place in [`NAMES`].
struct Function {
    /// -1: any number.
    argument_count: i32,
    flags: FunctionFlags,
    implementation: Implementation,
}

type Implementation = fn(&Session, &Context<'_>, &[&Value]) -> Result<()>;

const NONE: FunctionFlags = FunctionFlags::NONE;
/// May be called by triggers and views even with `trusted_schema=OFF`.
const INNOCUOUS: FunctionFlags = FunctionFlags::INNOCUOUS;
/// Returns JSON.
const JSON: FunctionFlags = FunctionFlags::RESULT_SUBTYPE;
/// May not be called by triggers and views.
const DIRECT: FunctionFlags = FunctionFlags::DIRECT_ONLY;
/// Returns JSON, and may not be called by triggers and views.
const DIRECT_JSON: FunctionFlags = JSON.and(FunctionFlags::DIRECT_ONLY);
/// Does nothing but compute, for any trigger.
const PURE: FunctionFlags = INNOCUOUS.and(FunctionFlags::DETERMINISTIC);
const PURE_JSON: FunctionFlags = PURE.and(JSON);

/// The table of functions: name, number of arguments, flags, implementation. The names are one text, because each text
/// of a table takes 40 bytes more, for its place.
macro_rules! functions {
    ($($name:literal, $arguments:literal, $flags:expr, $implementation:expr;)*) => {
        /// The names, each followed by a space.
        const NAMES: &str = concat!($($name, " "),*);
        static FUNCTIONS: &[Function] =
            &[$(Function { argument_count: $arguments, flags: $flags, implementation: $implementation }),*];
    };
}

functions! {
    "gen_random_uuid", 0, NONE, identity::uuid;
    "powersync_adopt", 0, DIRECT_JSON, warm_start::adopt;
    "powersync_clear", 1, NONE, clear::clear;
    "powersync_client_id", 0, NONE, identity::client_id;
    "powersync_control", 2, DIRECT_JSON, control::control;
    "powersync_create_raw_table_crud_trigger", 3, NONE, schema::create_raw_table_crud_trigger;
    "powersync_crud_complete", 1, DIRECT_JSON, upload_queue::crud_complete;
    "powersync_crud_complete", 2, DIRECT_JSON, upload_queue::crud_complete;
    "powersync_crud_discard", 1, DIRECT, upload_queue::crud_discard;
    "powersync_crud_next", 1, DIRECT_JSON, upload_queue::crud_next;
    "powersync_crud_next", 2, DIRECT_JSON, upload_queue::crud_next;
    "powersync_crud_reject", 3, DIRECT, upload_queue::crud_reject;
    "powersync_crud_reject", 4, DIRECT, upload_queue::crud_reject;
    "powersync_crud_results", 2, DIRECT_JSON, upload_queue::crud_results;
    "powersync_crud_retry", 1, DIRECT, upload_queue::crud_retry;
    "powersync_diagnose", 0, DIRECT_JSON, diagnosis::diagnose;
    "powersync_diagnose", 1, DIRECT_JSON, diagnosis::diagnose;
    "powersync_diff", 2, PURE_JSON, json_functions::diff;
    "powersync_drop_view", 1, NONE, schema::drop_view;
    "powersync_explain", 2, DIRECT_JSON, diagnosis::explain;
    "powersync_export", 1, DIRECT_JSON, warm_start::export;
    "powersync_export", 2, DIRECT_JSON, warm_start::export;
    "powersync_in_sync_operation", 0, INNOCUOUS, sync_state::in_sync_operation;
    "powersync_init", 0, NONE, migration::init;
    "powersync_insert_entry", -1, PURE_JSON.and(FunctionFlags::SUBTYPE), row_functions::insert_entry;
    "powersync_json_merge", -1, PURE_JSON, json_functions::json_merge;
    "powersync_keep_row", 3, INNOCUOUS, operation_data::keep_row;
    "powersync_last_synced_at", 0, NONE, sync_state::last_synced_at;
    "powersync_offline_sync_status", 0, DIRECT_JSON, sync_state::offline_sync_status;
    "powersync_operation_data", 3, INNOCUOUS, operation_data::operation_data;
    "powersync_remove_duplicate_key_encoding", 1, PURE, json_functions::remove_duplicate_key_encoding;
    "powersync_repair", 1, DIRECT_JSON, diagnosis::repair;
    "powersync_repair", 2, DIRECT_JSON, diagnosis::repair;
    "powersync_replace_schema", 1, NONE, schema::replace_schema;
    "powersync_row_json", -1, PURE_JSON, row_functions::row_json;
    "powersync_row_old", -1, PURE_JSON, row_functions::row_old;
    "powersync_row_patch", -1, PURE_JSON, row_functions::row_patch;
    "powersync_row_put", -1, PURE_JSON, row_functions::row_put;
    "powersync_rs_version", 0, NONE, identity::version;
    "powersync_strip_subtype", 1, PURE, json_functions::strip_subtype;
    "powersync_test_migration", 1, NONE, migration::test_migration;
    "powersync_trigger_resync", 1, NONE, clear::trigger_resync;
    "powersync_update_hooks", 1, JSON, update_hooks::update_hooks;
    "powersync_upsert", 2, DIRECT, upsert::upsert;
    "uuid", 0, NONE, identity::uuid;
}

/// A function on a connection.
struct Registered {
    name: &'static str,
    function: &'static Function,
    session: Rc<Session>,
}

fn call(registered: &Registered, context: &Context<'_>, arguments: &[&Value]) -> Result<(), FunctionError> {
    let Registered { name, function, session } = registered;
    (function.implementation)(session, context, arguments).map_err(|error| {
        let error = error.in_function(name);
        session.log.add_error(&Database::new(context.connection(), &session.connection), &error);
        error
    })
}

/// Registers everything on a connection. Does not touch the database file.
pub fn register(connection: Connection<'_>) -> Result<(), FunctionError> {
    let session = Rc::new(Session::default());
    for (function, name) in FUNCTIONS.iter().zip(NAMES.split(' ')) {
        let Function { argument_count, flags, .. } = *function;
        let registered = Registered { name, function, session: Rc::clone(&session) };
        connection.create_scalar_function(name, argument_count, flags, Rc::new(registered), call)?;
    }
    for kind in KINDS {
        connection.create_module::<VirtualTable>(kind.name, Rc::new((Rc::clone(&session), kind)))?;
    }
    Ok(())
}
