//! Write rules: which tables and columns clients may write, and under which condition.

mod calls;
mod claim;
mod expression;
mod functions;
mod json;
mod query;
mod read;
mod types;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use serde_json::value::RawValue;
use sync_config::{Code, Diagnostic, Severity, Span, Value};

use crate::persister::{Persister, PersisterError};
use crate::request::OperationKind;
use crate::schema::Table;

pub use claim::{Claim, ClaimForm};

/// Compiled rules.
#[derive(Clone, Debug)]
pub struct Rules {
    tables: HashMap<String, TableRule>,
    /// The role that operations run as.
    role: Option<String>,
    claims: Claims,
    /// What they were compiled from.
    yaml: String,
    /// The version of the tables that they were compiled for.
    schema_version: i64,
}

/// The rule of a table.
#[derive(Clone, Debug)]
pub struct TableRule {
    /// The table, as clients call it.
    pub name: String,
    /// The table in the database.
    pub table: String,
    /// The same, with its columns.
    pub definition: Arc<Table>,
    /// The column in the database that has the ids of clients.
    pub key: String,
    /// What clients may do.
    pub ops: Vec<OperationKind>,
    /// What clients may write: their names of columns, and those of the database.
    pub columns: HashMap<String, String>,
    /// What the server writes.
    pub set: Vec<SetColumn>,
    /// What must be true for a row before and after an operation.
    pub check: Option<Expression>,
    /// What happens to values that the client has not seen.
    pub on_conflict: OnConflict,
    /// The schema and the name of the function that decides about conflicts.
    pub function: Option<(String, String)>,
    /// Who handles a fatal error.
    pub on_error: OnError,
    /// Names of clients for columns that the server writes.
    set_names: BTreeSet<String>,
    span: Span,
}

/// A column that the server writes.
#[derive(Clone, Debug)]
pub struct SetColumn {
    /// The column in the database.
    pub column: String,
    /// With which operations.
    pub on: Vec<OperationKind>,
    /// Its value.
    pub value: Expression,
}

/// What happens if the client sends the values that it has seen, and a stored value is another one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnConflict {
    /// It is overwritten.
    #[default]
    LastWrite,
    /// The column stays as it is.
    Column,
    /// The transaction is refused.
    Reject,
    /// A function of the database decides.
    Function,
}

/// Who handles a fatal error.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnError {
    /// The service keeps the transaction as a dead letter, and the client goes on.
    #[default]
    Server,
    /// The app decides.
    Client,
}

/// An expression in the SQL of the database. Values are never part of the SQL.
#[derive(Clone, Debug, Default)]
pub struct Expression {
    /// Its parts, one after the other.
    pub parts: Vec<Part>,
}

/// A part of an expression.
#[derive(Clone, Debug)]
pub enum Part {
    /// SQL
    Sql(String),
    /// A value of the rules.
    Value(Value),
    /// The user's id.
    UserId,
    /// The claims of the user's token, as a JSON object.
    Claims,
    /// One of the claims.
    Claim(Claim),
}

/// Rules, if there is no error, and all findings.
#[derive(Clone, Debug)]
pub struct Loaded {
    /// The rules.
    pub rules: Option<Rules>,
    /// In the order of the file.
    pub diagnostics: Vec<Diagnostic>,
}

/// The claims that expressions use.
#[derive(Clone, Debug, Default)]
pub(crate) struct Claims {
    is_all: bool,
    names: BTreeSet<String>,
}

impl Rules {
    /// Compiles the rules of a file for a database, and has the database try them.
    ///
    /// # Errors
    /// The database cannot be asked now.
    pub fn load(yaml: &str, persister: &dyn Persister) -> Result<Loaded, PersisterError> {
        let schema = persister.schema()?;
        let mut loaded = read::read(yaml, &schema);
        let Some(rules) = &loaded.rules else { return Ok(loaded) };
        for (table, message) in persister.refused(rules)? {
            let span = rules.tables.get(&table).map(|rule| rule.span).unwrap_or_default();
            let message = format!("The database cannot write the table '{table}' by this rule: {message}");
            loaded.diagnostics.push(Diagnostic::new(Code::WriteTable, span, message));
        }
        if loaded.diagnostics.iter().any(|finding| finding.severity == Severity::Error) {
            loaded.rules = None;
        }
        Ok(loaded)
    }

    /// The rules for the tables as they are now; none if these are the ones. Rules that do not fit the tables any more stay
    /// as they are: writes to other tables go on, and the database refuses the rest.
    ///
    /// # Errors
    /// The database cannot be asked now.
    pub(crate) fn renewed(&self, persister: &dyn Persister) -> Result<Option<Self>, PersisterError> {
        let schema_version = persister.schema_version()?;
        if schema_version == self.schema_version {
            return Ok(None);
        }
        let loaded = Self::load(&self.yaml, persister)?;
        Ok(Some(loaded.rules.unwrap_or_else(|| Self { schema_version, ..self.clone() })))
    }

    /// The rule of a table, as clients call it.
    pub fn table(&self, name: &str) -> Option<&TableRule> {
        self.tables.get(name)
    }

    /// All rules.
    pub fn tables(&self) -> impl Iterator<Item = &TableRule> {
        self.tables.values()
    }

    /// The role that operations run as; none: that of the connection.
    pub fn role(&self) -> Option<&str> {
        self.role.as_deref()
    }

    /// Those of the claims that the rules use. With a role, policies of the database can use all.
    pub(crate) fn kept_claims(&self, claims: &str) -> String {
        if self.claims.is_all || self.role.is_some() {
            return claims.to_owned();
        }
        if self.claims.names.is_empty() {
            return "{}".to_owned();
        }
        let all: HashMap<String, &RawValue> = serde_json::from_str(claims).unwrap_or_default();
        let kept: std::collections::BTreeMap<&String, &&RawValue> =
            all.iter().filter(|(name, _)| self.claims.names.contains(*name)).collect();
        serde_json::to_string(&kept).unwrap_or_else(|_| "{}".to_owned())
    }
}

impl TableRule {
    /// Whether the server writes the column, as clients call it.
    pub fn is_set(&self, column: &str) -> bool {
        self.set_names.contains(column)
    }

    /// The columns that the server writes with an operation.
    pub(crate) fn set_with(&self, kind: OperationKind) -> impl Iterator<Item = &SetColumn> {
        self.set.iter().filter(move |set| set.on.contains(&kind))
    }

    /// What clients call a column of the database.
    pub fn client_name<'a>(&'a self, column: &'a str) -> &'a str {
        self.columns.iter().find(|(_, known)| *known == column).map_or(column, |(name, _)| name.as_str())
    }
}

impl Expression {
    /// SQL without values.
    pub(crate) fn of(sql: &str) -> Self {
        Self { parts: vec![Part::Sql(sql.to_owned())] }
    }

    /// A quoted name.
    pub(crate) fn of_name(name: &str) -> Self {
        let mut own = Self::default();
        own.name(name);
        own
    }

    /// The value, if the expression is nothing else.
    pub(crate) fn only(&self) -> Option<&Part> {
        match self.parts.as_slice() {
            [Part::Sql(_)] => None,
            [only] => Some(only),
            _ => None,
        }
    }

    /// Appends an expression.
    pub(crate) fn append(&mut self, other: Self) {
        for part in other.parts {
            match part {
                Part::Sql(sql) => self.sql(&sql),
                other => self.parts.push(other),
            }
        }
    }

    /// Appends SQL.
    pub(crate) fn sql(&mut self, sql: &str) {
        match self.parts.last_mut() {
            Some(Part::Sql(last)) => last.push_str(sql),
            _ => self.parts.push(Part::Sql(sql.to_owned())),
        }
    }

    /// Appends a quoted name.
    pub(crate) fn name(&mut self, name: &str) {
        self.sql(&format!("\"{}\"", name.replace('"', "\"\"")));
    }
}
