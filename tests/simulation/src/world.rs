//! The source, and its rows after each of its transactions.

use std::collections::BTreeMap;
use std::rc::Rc;

use serde_json::Value as Json;
use sync_config::Value;
use sync_engine::row::Position;
use sync_engine::source::Source;
use sync_sources::memory::{Fault, MemorySource};

/// A row: its columns with values, but for those that are NULL.
pub(crate) type Row = BTreeMap<&'static str, Json>;

/// Rows by their ids.
pub(crate) type Rows = BTreeMap<String, Row>;

/// Rows by their tables, at one position.
pub(crate) type State = BTreeMap<&'static str, Rc<Rows>>;

/// Tables with their columns, of which the first is the key. The last column of notices comes later.
pub(crate) const TABLES: [(&str, &[&str]); 4] = [
    ("lists", &["id", "owner", "name", "note"]),
    ("todos", &["id", "list_id", "text", "secret"]),
    ("members", &["id", "list_id", "user_id"]),
    ("notices", &["id", "body", "level", "extra"]),
];

/// What a transaction does.
#[derive(Clone, Debug)]
pub(crate) enum Change {
    Put {
        table: &'static str,
        row: Row,
        /// Columns that are the same as before, and not sent.
        unsent: Vec<&'static str>,
    },
    /// A row gets another key.
    Rekey {
        table: &'static str,
        old: String,
        row: Row,
    },
    Delete {
        table: &'static str,
        id: String,
    },
    Truncate(&'static str),
    /// The table is dropped, and created again without rows.
    Recreate(&'static str),
    /// Notices get their last column.
    Extend,
}

/// The source and its history.
pub(crate) struct World {
    pub(crate) source: MemorySource,
    states: BTreeMap<u64, State>,
    pub(crate) is_extended: bool,
}

impl World {
    pub(crate) fn new() -> Self {
        let source = MemorySource::new();
        let mut state = State::new();
        for (table, columns) in TABLES {
            let columns = if table == "notices" { &columns[..3] } else { columns };
            source.create_table(table, columns, &["id"]).expect("a new table");
            state.insert(table, Rc::default());
        }
        let states = BTreeMap::from([(0, State::new()), (TABLES.len() as u64, state)]);
        Self { source, states, is_extended: false }
    }

    pub(crate) fn head(&self) -> Position {
        self.source.head().expect("no fault was injected")
    }

    /// The rows at a position.
    pub(crate) fn at(&self, position: u64) -> &State {
        self.states.range(..=position).next_back().expect("positions begin at 0").1
    }

    pub(crate) fn now(&self) -> &State {
        self.states.values().next_back().expect("positions begin at 0")
    }

    /// States before this position are not asked for any more.
    pub(crate) fn forget_before(&mut self, position: u64) {
        let first = self.states.range(..=position).next_back().map_or(0, |(at, _)| *at);
        self.states = self.states.split_off(&first);
    }

    /// Makes the source forget its history.
    pub(crate) fn lose_positions(&self) {
        self.source.inject(Fault::LosePositions);
    }

    /// A transaction, in the source and in the history. Returns the position after it.
    pub(crate) fn commit(&mut self, changes: &[Change]) -> u64 {
        let mut transaction = self.source.begin();
        let mut state = self.now().clone();
        for change in changes {
            transaction = match change {
                Change::Put { table, row, unsent } => {
                    Rc::make_mut(state.get_mut(table).unwrap()).insert(id_of(row), row.clone());
                    let place = |name: &&str| columns(table).iter().position(|column| column == name).unwrap();
                    transaction.put_unsent(table, self.values(table, row), unsent.iter().map(place).collect())
                }
                Change::Rekey { table, old, row } => {
                    let rows = Rc::make_mut(state.get_mut(table).unwrap());
                    rows.remove(old);
                    rows.insert(id_of(row), row.clone());
                    transaction.rekey(table, vec![Value::Text(old.clone())], self.values(table, row))
                }
                Change::Delete { table, id } => {
                    Rc::make_mut(state.get_mut(table).unwrap()).remove(id);
                    transaction.delete(table, vec![Value::Text(id.clone())])
                }
                Change::Truncate(table) => {
                    state.insert(table, Rc::default());
                    transaction.truncate(&[table])
                }
                Change::Recreate(table) => {
                    state.insert(table, Rc::default());
                    let columns =
                        if *table == "notices" && !self.is_extended { &TABLES[3].1[..3] } else { columns(table) };
                    transaction.drop_table(table).create_table(table, columns, &["id"]).expect("a key")
                }
                Change::Extend => {
                    self.is_extended = true;
                    transaction.alter_table("notices", TABLES[3].1)
                }
            };
        }
        let position = transaction.commit().expect("the changes fit").number().expect("this source counts");
        self.states.insert(position, state);
        position
    }

    fn values(&self, table: &str, row: &Row) -> Vec<Value> {
        let known = if table == "notices" && !self.is_extended { 3 } else { columns(table).len() };
        columns(table)[..known].iter().map(|column| value(row.get(column))).collect()
    }
}

/// The columns of a table.
pub(crate) fn columns(table: &str) -> &'static [&'static str] {
    TABLES.iter().find(|(name, _)| *name == table).expect("a table of the source").1
}

pub(crate) fn id_of(row: &Row) -> String {
    row["id"].as_str().expect("ids are text").to_owned()
}

fn value(json: Option<&Json>) -> Value {
    match json {
        Some(Json::String(text)) => Value::Text(text.clone()),
        Some(Json::Number(number)) => Value::Integer(number.as_i64().expect("integers")),
        _ => Value::Null,
    }
}
