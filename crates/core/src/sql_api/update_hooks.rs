//! `powersync_update_hooks(op)`: reports changed tables to SDKs whose SQLite driver has no update hook.

use alloc::rc::Rc;
use core::cell::RefCell;

use rowtide_json::writer::Json;
use sqlite_nostd::{Connection, Context, DataVersions, Hooks, InstalledHooks, ResultCode, Value};

use crate::cell;
use crate::connection::changed_tables::{ChangedTables, Versions};
use crate::error::{Error, ErrorKind, Result};
use crate::sql_api::session::Session;

/// The hooks of a connection and what they have reported; removed when this is dropped.
#[derive(Default)]
pub(super) struct UpdateHooks {
    installed: RefCell<Option<(InstalledHooks, Rc<Observer>)>>,
}

/// What the hooks call.
struct Observer {
    /// Nothing that holds this calls SQLite in a way that calls hooks, so that it is never found borrowed.
    tables: RefCell<ChangedTables>,
    versions: DataVersions,
}

impl Versions for DataVersions {
    fn version(&self, name: &str) -> u64 {
        self.read(name).map_or(0, u64::from)
    }
}

impl Hooks for Observer {
    fn update(&self, database: &str, table: &str) {
        let tables = self.tables.try_borrow_mut();
        debug_assert!(tables.is_ok(), "a hook was called while changes are read");
        if let Ok(mut tables) = tables {
            tables.update(database, table, &self.versions);
        }
    }

    fn commit(&self) {
        let tables = self.tables.try_borrow_mut();
        debug_assert!(tables.is_ok(), "a hook was called while changes are read");
        if let Ok(mut tables) = tables {
            tables.commit(&self.versions);
        }
    }

    fn rollback(&self) {
        let tables = self.tables.try_borrow_mut();
        debug_assert!(tables.is_ok(), "a hook was called while changes are read");
        if let Ok(mut tables) = tables {
            tables.rollback(&self.versions);
        }
    }
}

impl UpdateHooks {
    /// Installs the hooks, unless they are.
    fn install(&self, connection: Connection<'_>) -> Result<()> {
        let mut installed = cell::write(&self.installed);
        match &mut *installed {
            Some((hooks, _)) if hooks.are_in_place() => {}
            // The same ones again: others would find those that are still in place, and take them for foreign ones.
            Some((hooks, observer)) => {
                hooks.restore()?;
                cell::write(&observer.tables).resume();
            }
            None => {
                let observer = Rc::new(Observer { tables: RefCell::default(), versions: connection.data_versions() });
                *installed = Some((connection.install_hooks(Rc::clone(&observer))?, observer));
            }
        }
        Ok(())
    }

    /// Returns the tables changed since the last call as a JSON array. They are forgotten only if that succeeds.
    ///
    /// # Errors
    /// The hooks are not in place, so that changes may be missing; the result is too long, or out of memory.
    fn give(&self, context: &Context<'_>) -> Result<()> {
        let installed = cell::read(&self.installed);
        let Some((hooks, observer)) = &*installed else {
            return Err(Error::state("no hooks are installed: call powersync_update_hooks('install') first"));
        };
        if !hooks.are_in_place() {
            return Err(Error::state(
                "the application has removed or replaced an update, commit or rollback hook of this library, so that \
                 changes may be missing: let it remove its own, and call powersync_update_hooks('install') again",
            ));
        }
        let mut tables = cell::write(&observer.tables);
        let mut json = Json::default();
        json.raw("[");
        for table in tables.committed(&observer.versions).sorted()? {
            json.comma();
            json.string("", table);
        }
        json.raw("]");
        context.try_result_json(&json.finish()?)?;
        context.settle()?;
        tables.forget_committed();
        Ok(())
    }

    /// Removes the hooks from a connection that is about to close. If statements keep it from closing, they stay.
    pub(super) fn close(&self) {
        if let Ok(mut installed) = self.installed.try_borrow_mut()
            && installed.as_ref().is_some_and(|(hooks, _)| !hooks.connection_has_statements())
        {
            installed.take();
        }
    }
}

/// What is asked for.
enum Operation {
    Install,
    Get,
}

impl Operation {
    fn parse(arguments: &[&Value]) -> Result<Self> {
        let name = arguments.first().map(|value| value.text()).transpose()?;
        match name {
            Some("install") => Ok(Self::Install),
            Some("get") => Ok(Self::Get),
            _ => {
                Err(Error::new(ErrorKind::Sqlite(ResultCode::MISUSE), "Unknown operation: expected 'install' or 'get'"))
            }
        }
    }
}

/// A call of the function.
pub(super) fn update_hooks(session: &Session, context: &Context<'_>, arguments: &[&Value]) -> Result<()> {
    match Operation::parse(arguments)? {
        Operation::Install => session.update_hooks.install(context.connection()),
        Operation::Get => session.update_hooks.give(context),
    }
}
