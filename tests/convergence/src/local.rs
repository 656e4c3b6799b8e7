//! Local transactions: the SQL of their statements, and what each must do to the shown rows and to the upload queue
//! (docs/reference/schema.md#what-a-write-through-a-view-does).

use serde_json::{Map, Value, json};

use crate::action::{NAMES, NUMBERS, Statement, Values};
use crate::rows::{Key, Row, Rows, Schema, Table};

/// What a transaction has done so far.
#[derive(Debug, Clone, Default)]
pub struct Work {
    /// Rows as the application sees them.
    pub shown: Rows,
    /// Entries recorded for the upload.
    pub entries: Vec<Value>,
    /// Rows written that the service has too.
    pub written: Vec<Key>,
    /// Rows updated without effect, which is not recorded.
    pub marked: Vec<Key>,
}

/// A transaction in progress.
#[derive(Debug)]
pub struct Transaction {
    /// What it has done so far.
    pub work: Work,
    schema: Schema,
    savepoints: Vec<Work>,
}

/// One statement's SQL, and whether it must fail.
#[derive(Debug, PartialEq, Eq)]
pub struct Planned {
    /// The statement.
    pub sql: String,
    /// SQLite must refuse it; what it did until then is in [`Transaction::work`] all the same.
    pub fails: bool,
}

impl Planned {
    fn succeeds(sql: String) -> Option<Self> {
        Some(Self { sql, fails: false })
    }
}

impl Transaction {
    /// A transaction that begins with these rows.
    pub fn new(shown: Rows, schema: Schema) -> Self {
        Self { work: Work { shown, ..Work::default() }, schema, savepoints: Vec::new() }
    }

    /// Takes over what the statement does and gives its SQL; None if it means nothing here.
    pub fn plan(&mut self, statement: &Statement) -> Option<Planned> {
        match statement {
            Statement::Savepoint => {
                self.savepoints.push(self.work.clone());
                Planned::succeeds("SAVEPOINT s".to_owned())
            }
            Statement::RollbackTo => {
                self.work = self.savepoints.last()?.clone();
                Planned::succeeds("ROLLBACK TO s".to_owned())
            }
            Statement::Release => {
                self.savepoints.pop()?;
                Planned::succeeds("RELEASE s".to_owned())
            }
            Statement::Insert { table, .. }
            | Statement::Update { table, .. }
            | Statement::Upsert { table, .. }
            | Statement::Delete { table, .. }
            | Statement::ChangeId { table, .. }
                if !self.schema.has(*table) =>
            {
                None
            }
            Statement::Insert { table, rows, replace } => self.insert(*table, rows, *replace),
            Statement::Update { table, .. } | Statement::Delete { table, .. } | Statement::ChangeId { table, .. }
                if *table == Table::Logs =>
            {
                None
            }
            Statement::Update { table, id, name, n, metadata } => {
                self.update((*table, row_id(*id)), *name, *n, *metadata)
            }
            Statement::Upsert { table, id, name, n } => {
                let (key, mut members) = ((*table, row_id(*id)), Map::new());
                let new = Row {
                    name: name.and_then(|name| NAMES[usize::from(name) % NAMES.len()].map(str::to_owned)),
                    n: n.and_then(|n| NUMBERS[usize::from(n) % NUMBERS.len()]),
                };
                members.insert("id".to_owned(), json!(key.1));
                members.extend(name.map(|_| ("name".to_owned(), json!(new.name))));
                members.extend(n.map(|_| ("n".to_owned(), json!(new.n))));
                let json = Value::from(members).to_string();
                if self.work.shown.contains_key(&key) {
                    self.update(key, *name, *n, false);
                } else {
                    self.record("PUT", &key, Some(put_data(&new)), None, None);
                    if *table != Table::Logs {
                        self.work.shown.insert(key, new);
                    }
                }
                Planned::succeeds(format!("SELECT powersync_upsert('{}', {})", table.name(), text(Some(&json))))
            }
            Statement::Delete { table, id } => self.delete((*table, row_id(*id))),
            Statement::ChangeId { table, id } => {
                let key = (*table, row_id(*id));
                let exists = self.work.shown.contains_key(&key);
                let fails = exists && *table != Table::Drafts;
                if exists && !fails {
                    return None;
                }
                Some(Planned {
                    sql: format!("UPDATE {} SET id = 'other' WHERE id = {}", table.name(), text(Some(&key.1))),
                    fails,
                })
            }
        }
    }

    fn insert(&mut self, table: Table, rows: &[(Option<u8>, Values)], replace: bool) -> Option<Planned> {
        // What an insert-only table makes of NULL and of equal ids is of no interest here.
        let rows: Vec<(Option<String>, Row)> = rows
            .iter()
            .filter(|(id, _)| table != Table::Logs || id.is_some())
            .map(|(id, values)| (id.map(row_id), row(*values)))
            .collect();
        if rows.is_empty() {
            return None;
        }
        let before = self.work.clone();
        let mut fails = false;
        for (id, row) in &rows {
            let Some(id) = id else {
                // A view's trigger says RAISE(FAIL): what the statement did before stays.
                if !table.is_view() || table == Table::Drafts {
                    self.work = before;
                }
                fails = true;
                break;
            };
            let key = (table, id.clone());
            if self.work.shown.contains_key(&key) && !replace {
                self.work = before;
                fails = true;
                break;
            }
            self.record("PUT", &key, Some(put_data(row)), None, None);
            if table != Table::Logs {
                self.work.shown.insert(key, row.clone());
            }
        }
        let values = |(id, row): &(Option<String>, Row)| {
            format!("({}, {}, {})", text(id.as_deref()), text(row.name.as_deref()), number(row.n))
        };
        let values: Vec<String> = rows.iter().map(values).collect();
        let verb = if replace && table != Table::Logs { "INSERT OR REPLACE" } else { "INSERT" };
        let sql = format!("{verb} INTO {}(id, name, n) VALUES {}", table.name(), values.join(", "));
        Some(Planned { sql, fails })
    }

    fn update(&mut self, key: Key, name: Option<u8>, n: Option<u8>, metadata: bool) -> Option<Planned> {
        let metadata = metadata && key.0 == Table::Notes;
        let mut sets = Vec::new();
        let mut changed = Map::new();
        let before = self.work.shown.get(&key).cloned();
        let mut after = before.clone().unwrap_or_default();
        if let Some(name) = name {
            after.name = NAMES[usize::from(name) % NAMES.len()].map(str::to_owned);
            sets.push(format!("name = {}", text(after.name.as_deref())));
        }
        if let Some(n) = n {
            after.n = NUMBERS[usize::from(n) % NUMBERS.len()];
            sets.push(format!("n = {}", number(after.n)));
        }
        if metadata {
            sets.push("_metadata = 'why'".to_owned());
        }
        if sets.is_empty() {
            return None;
        }
        let sql = format!("UPDATE {} SET {} WHERE id = {}", key.0.name(), sets.join(", "), text(Some(&key.1)));
        if let Some(before) = before {
            if before.name != after.name {
                changed.insert("name".to_owned(), json!(after.name));
            }
            if before.n != after.n {
                changed.insert("n".to_owned(), json!(after.n));
            }
            if key.0 != Table::Notes || !changed.is_empty() || metadata {
                self.record("PATCH", &key, Some(changed.into()), Some(&before), metadata.then_some("why"));
            } else {
                self.work.marked.push(key.clone());
            }
            self.work.shown.insert(key, after);
        }
        Planned::succeeds(sql)
    }

    fn delete(&mut self, key: Key) -> Option<Planned> {
        if let Some(before) = self.work.shown.remove(&key) {
            self.record("DELETE", &key, None, Some(&before), None);
        }
        Planned::succeeds(format!("DELETE FROM {} WHERE id = {}", key.0.name(), text(Some(&key.1))))
    }

    /// Takes over what trying a rejected transaction again does: its operations are applied to the rows as they are now.
    pub fn apply_again(&mut self, entries: &[Value]) {
        for entry in entries {
            let Some(table) = entry["type"].as_str().and_then(Table::named) else { continue };
            let key = (table, entry["id"].as_str().unwrap_or_default().to_owned());
            if entry["op"] == "DELETE" {
                self.work.shown.remove(&key);
            } else if table != Table::Logs {
                self.work.shown.entry(key.clone()).or_default().merge(&entry["data"]);
            }
            self.work.written.push(key);
            self.work.entries.push(entry.clone());
        }
    }

    fn record(&mut self, op: &str, key: &Key, data: Option<Value>, old: Option<&Row>, metadata: Option<&str>) {
        if key.0 == Table::Drafts {
            return;
        }
        let mut entry = json!({"op": op, "id": key.1, "type": key.0.name()});
        if let Some(data) = data {
            entry["data"] = data;
        }
        if let Some(old) = old.filter(|_| key.0 == Table::Notes) {
            entry["old"] = old.columns();
        }
        if let Some(metadata) = metadata {
            entry["metadata"] = metadata.into();
        }
        self.work.entries.push(entry);
        if key.0 != Table::Logs {
            self.work.written.push(key.clone());
        }
    }
}

/// The id that an action means.
pub fn row_id(index: u8) -> String {
    ["1", "2", "3", "x/y", "quote's"][usize::from(index) % 5].to_owned()
}

/// The row that an action means.
pub fn row((name, n): Values) -> Row {
    Row { name: NAMES[usize::from(name) % NAMES.len()].map(str::to_owned), n: NUMBERS[usize::from(n) % NUMBERS.len()] }
}

/// A PUT has no members for NULL.
fn put_data(row: &Row) -> Value {
    let mut data = row.columns();
    if let Some(data) = data.as_object_mut() {
        data.retain(|_, value| !value.is_null());
    }
    data
}

fn text(value: Option<&str>) -> String {
    value.map_or_else(|| "NULL".to_owned(), |value| format!("'{}'", value.replace('\'', "''")))
}

fn number(value: Option<i64>) -> String {
    // SQL has no literal of the smallest integer.
    value.map_or_else(
        || "NULL".to_owned(),
        |value| if value == i64::MIN { format!("({} - 1)", value + 1) } else { value.to_string() },
    )
}
