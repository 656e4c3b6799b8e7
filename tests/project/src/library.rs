//! What the running library has: its functions, virtual tables, and internal tables, as SQLite lists them.

use std::collections::{BTreeMap, BTreeSet};

use rowtide_testkit::{Host, HostError};
use rusqlite::Connection;

/// A function as SQLite lists it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Function {
    /// Its name.
    pub name: String,
    /// Number of arguments, -1 for any.
    pub arguments: i64,
    /// `D` deterministic, `DO` only directly callable, `I` innocuous, with commas between them.
    pub flags: String,
    /// Whether it fails outside of a transaction.
    pub needs_transaction: bool,
}

/// Tables by name, and of each the columns.
pub type Tables = BTreeMap<String, BTreeSet<String>>;

/// Everything that SQLite lists of the library.
#[derive(Debug, Clone, Default)]
pub struct Library {
    /// The functions that loading adds.
    pub functions: BTreeSet<Function>,
    /// The virtual tables that loading adds.
    pub virtual_tables: Tables,
    /// The internal tables, views, indexes and triggers of a new database, in our newest format and in format 14. An
    /// index or trigger has no columns.
    pub internal_tables: Tables,
    /// The formats that a new database goes through.
    pub formats: BTreeSet<i64>,
}

const FLAGS: [(i64, &str); 3] = [(0x800, "D"), (0x8_0000, "DO"), (0x20_0000, "I")];

impl Library {
    /// Asks the library under test.
    ///
    /// # Errors
    /// What SQLite reports.
    pub fn ask() -> Result<Self, HostError> {
        let plain = Connection::open_in_memory()?;
        let (functions, modules) = (functions(&plain)?, modules(&plain)?);
        let host = Host::try_load_into(plain)?;
        let connection = host.connection();
        let mut virtual_tables = Tables::new();
        for name in self::modules(connection)?.difference(&modules) {
            virtual_tables.insert(name.clone(), columns(connection, name)?);
        }
        host.try_transaction("SELECT powersync_init()", [])?;
        let formats = formats(connection)?;
        let mut internal_tables = Tables::new();
        for format in ["powersync_init()", "powersync_test_migration(14)"] {
            host.try_transaction(&format!("SELECT {format}"), [])?;
            for (name, columns) in internal_tables_of(connection)? {
                internal_tables.entry(name).or_default().extend(columns);
            }
        }
        let mut functions: BTreeSet<_> = self::functions(connection)?.difference(&functions).cloned().collect();
        functions = functions
            .into_iter()
            .map(|function| Function { needs_transaction: needs_transaction(connection, &function), ..function })
            .collect();
        Ok(Self { functions, virtual_tables, internal_tables, formats })
    }
}

fn functions(connection: &Connection) -> rusqlite::Result<BTreeSet<Function>> {
    let mut statement = connection.prepare("SELECT name, narg, flags FROM pragma_function_list")?;
    let functions = statement.query_map([], |row| {
        let flags: i64 = row.get(2)?;
        let names: Vec<&str> = FLAGS.into_iter().filter(|(bit, _)| flags & bit != 0).map(|(_, name)| name).collect();
        let flags = names.join(", ");
        Ok(Function { name: row.get(0)?, arguments: row.get(1)?, flags, needs_transaction: false })
    })?;
    functions.collect()
}

/// Calls the function outside of a transaction. Its arguments are wrong, which it looks at later.
fn needs_transaction(connection: &Connection, function: &Function) -> bool {
    let arguments = vec!["''"; usize::try_from(function.arguments).unwrap_or(0)].join(", ");
    let called = connection.query_row(&format!("SELECT {}({arguments})", function.name), [], |_| Ok(()));
    called.is_err_and(|error| error.to_string().contains("may only be called in transactions"))
}

fn modules(connection: &Connection) -> rusqlite::Result<BTreeSet<String>> {
    let mut statement = connection.prepare("SELECT name FROM pragma_module_list")?;
    statement.query_map([], |row| row.get(0))?.collect()
}

fn formats(connection: &Connection) -> rusqlite::Result<BTreeSet<i64>> {
    let mut statement = connection.prepare("SELECT id FROM ps_migration")?;
    statement.query_map([], |row| row.get(0))?.collect()
}

fn columns(connection: &Connection, table: &str) -> rusqlite::Result<BTreeSet<String>> {
    let mut statement = connection.prepare("SELECT name FROM pragma_table_xinfo(?1)")?;
    statement.query_map([table], |row| row.get(0))?.collect()
}

fn internal_tables_of(connection: &Connection) -> rusqlite::Result<Tables> {
    let mut statement = connection.prepare("SELECT name FROM sqlite_schema WHERE name NOT LIKE 'sqlite_%'")?;
    let names: Vec<String> = statement.query_map([], |row| row.get(0))?.collect::<Result<_, _>>()?;
    names.into_iter().map(|name| Ok((name.clone(), columns(connection, &name)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_library_is_found_in_what_sqlite_lists() {
        let library = Library::ask().unwrap();
        let find = |name: &str| library.functions.iter().find(|function| function.name == name).unwrap();
        assert_eq!((find("powersync_control").arguments, find("powersync_control").flags.as_str()), (2, "DO"));
        assert_eq!((find("powersync_json_merge").arguments, find("powersync_json_merge").flags.as_str()), (-1, "D, I"));
        assert!(find("powersync_control").needs_transaction && !find("powersync_diff").needs_transaction);
        assert!(!library.functions.iter().any(|function| function.name == "json"));
        assert!(library.virtual_tables["powersync_crud"].contains("options"));
        assert!(library.internal_tables["ps_oplog"].contains("hash"), "a view, or in format 14 a table");
        assert!(library.internal_tables["ps_oplog_key"].is_empty(), "an index of format 14");
    }
}
