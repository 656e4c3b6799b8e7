//! The example's tables and rows: what the service keeps, what clients show, and the schema that connects the two.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// A table of the example, each of another kind (docs/reference/schema.md).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Table {
    /// A JSON table without options.
    Items,
    /// A JSON table with metadata and previous values, which ignores empty updates.
    Notes,
    /// A direct table.
    Direct,
    /// A table of the application, with triggers that record its writes.
    Raw,
    /// Rows that the service sends, of a type that only [`Schema::Second`] knows.
    Ghosts,
    /// A local-only JSON table.
    Drafts,
    /// An insert-only table.
    Logs,
}

impl Table {
    /// All of them.
    pub const ALL: [Table; 7] =
        [Table::Items, Table::Notes, Table::Direct, Table::Raw, Table::Ghosts, Table::Drafts, Table::Logs];

    /// Its name, in SQL and in the protocol.
    pub fn name(self) -> &'static str {
        match self {
            Table::Items => "items",
            Table::Notes => "notes",
            Table::Direct => "direct",
            Table::Raw => "raw",
            Table::Ghosts => "ghosts",
            Table::Drafts => "drafts",
            Table::Logs => "logs",
        }
    }

    /// The table of this name.
    pub fn named(name: &str) -> Option<Table> {
        Self::ALL.into_iter().find(|table| table.name() == name)
    }

    /// Whether the service has rows of it.
    pub fn is_synced(self) -> bool {
        !matches!(self, Table::Drafts | Table::Logs)
    }

    /// Whether writes go through a view with INSTEAD OF triggers.
    pub fn is_view(self) -> bool {
        !matches!(self, Table::Direct | Table::Raw)
    }
}

/// Which tables the application has declared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Schema {
    /// All but [`Table::Ghosts`].
    First,
    /// [`Table::Ghosts`] too, but not [`Table::Items`].
    Second,
}

impl Schema {
    /// Whether the application can write to this table.
    pub fn has(self, table: Table) -> bool {
        match self {
            Schema::First => table != Table::Ghosts,
            Schema::Second => table != Table::Items,
        }
    }

    /// Its JSON.
    pub fn json(self) -> Value {
        let columns = json!([{"name": "name", "type": "text"}, {"name": "n", "type": "integer"}]);
        let table = |table: Table, options: Value| {
            let mut json = json!({"name": table.name(), "columns": columns});
            if let (Some(json), Value::Object(options)) = (json.as_object_mut(), options) {
                json.extend(options);
            }
            json
        };
        let synced = match self {
            Schema::First => Table::Items,
            Schema::Second => Table::Ghosts,
        };
        let notes = json!({"include_metadata": true, "include_old": true, "ignore_empty_update": true});
        let tables = [
            table(synced, json!({"indexes": [{"name": "by_name", "columns": [{"name": "name", "type": "text"}]}]})),
            table(Table::Notes, notes),
            table(Table::Direct, json!({"direct": true})),
            table(Table::Drafts, json!({"local_only": true})),
            table(Table::Logs, json!({"insert_only": true})),
        ];
        json!({"tables": tables, "raw_tables": [raw_table()]})
    }

    /// A query for everything that the application can see, as table, id, `name`, `n`.
    pub fn shown(self) -> String {
        let tables = Table::ALL.into_iter().filter(|table| self.has(*table) && *table != Table::Logs);
        let views = tables.map(|table| format!("SELECT '{0}', id, name, n FROM {0}", table.name()));
        let untyped = "SELECT type, id, json_extract(data, '$.name'), json_extract(data, '$.n') FROM ps_untyped";
        views.chain([untyped.to_owned()]).collect::<Vec<_>>().join(" UNION ALL ")
    }
}

/// The description of [`Table::Raw`].
pub fn raw_table() -> Value {
    json!({"name": "raw", "table_name": "raw", "clear": "DELETE FROM raw"})
}

/// Makes [`Table::Raw`], once.
pub const CREATE_RAW_TABLE: &str = "CREATE TABLE raw(id TEXT PRIMARY KEY NOT NULL, name TEXT, n INTEGER)";

/// A row by its table and id.
pub type Key = (Table, String);

/// Rows by key.
pub type Rows = BTreeMap<Key, Row>;

/// The content of a row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Row {
    /// Column `name`.
    pub name: Option<String>,
    /// Column `n`.
    pub n: Option<i64>,
}

impl Row {
    /// The JSON that the service sends.
    pub fn data(&self, id: &str) -> String {
        json!({"id": id, "name": self.name, "n": self.n}).to_string()
    }

    /// Reads members of a JSON object.
    pub fn from_json(object: &Value) -> Self {
        Self { name: object["name"].as_str().map(str::to_owned), n: object["n"].as_i64() }
    }

    /// The columns as JSON, NULL ones as null.
    pub fn columns(&self) -> Value {
        json!({"name": self.name, "n": self.n})
    }

    /// Takes over the members of an upload's `data`.
    pub fn merge(&mut self, changes: &Value) {
        if let Some(name) = changes.get("name") {
            self.name = name.as_str().map(str::to_owned);
        }
        if let Some(n) = changes.get("n") {
            self.n = n.as_i64();
        }
    }
}
