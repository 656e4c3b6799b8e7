//! Random transactions of several clients, with repeats and restarts, against a model that is a map.

use std::collections::BTreeMap;

use fastrand::Rng;
use serde_json::{Map, Value, json};

use super::requests::outcome;
use crate::support::{SESSIONS, Tested, counted};

/// A parent cannot go while it has children, ids of users and names are unique, `n` is small.
const TABLES: &str = "CREATE TABLE parents(id TEXT PRIMARY KEY, owner TEXT NOT NULL, name TEXT UNIQUE);
    CREATE TABLE children(id TEXT PRIMARY KEY, parent TEXT REFERENCES parents(id), n INTEGER CHECK (n < 90), owner TEXT);";

const RULES: &str = "
writes:
  tables:
    parents: {columns: [name], set: {owner: {value: auth.user_id(), on: [PUT]}}, check: owner = auth.user_id()}
    children:
      columns: [parent, n]
      set: {owner: auth.user_id()}
      check: parent IN (SELECT id FROM parents WHERE owner = auth.user_id())
";

type Row = BTreeMap<&'static str, Value>;

/// What the tables should hold, and how many rows were inserted or updated.
#[derive(Clone, Debug, Default, PartialEq)]
struct Model {
    parents: BTreeMap<String, Row>,
    children: BTreeMap<String, Row>,
    written: i64,
}

const COLUMNS: [(&str, &[&str]); 2] = [("parents", &["name", "owner"]), ("children", &["n", "owner", "parent"])];

impl Model {
    fn table(&mut self, table: &str) -> &mut BTreeMap<String, Row> {
        if table == "parents" { &mut self.parents } else { &mut self.children }
    }

    fn may_have(&self, table: &str, user: &str, row: &Row) -> bool {
        let owner = if table == "parents" {
            row.get("owner")
        } else {
            self.parents.get(row["parent"].as_str().unwrap_or_default()).and_then(|parent| parent.get("owner"))
        };
        owner == Some(&json!(user))
    }

    /// Applies one operation, or gives its error.
    fn apply(&mut self, user: &str, operation: &Value) -> Result<(), &'static str> {
        let (kind, table) = (operation["op"].as_str().unwrap(), operation["table"].as_str().unwrap());
        let id = operation["id"].as_str().unwrap().to_owned();
        let old = self.table(table).get(&id).cloned();
        if old.as_ref().is_some_and(|row| !self.may_have(table, user, row)) {
            return Err("UNAUTHORIZED");
        }
        if kind == "DELETE" {
            if table == "parents" && self.children.values().any(|child| child["parent"] == json!(id)) {
                return Err("FOREIGN_KEY_VIOLATION");
            }
            self.table(table).remove(&id);
            return Ok(());
        }
        let data = operation["op_data"].as_object().unwrap();
        if kind == "PATCH" && (old.is_none() || data.is_empty()) {
            return Ok(());
        }
        let columns = COLUMNS.iter().find(|(name, _)| *name == table).unwrap().1;
        let mut row = old.unwrap_or_else(|| columns.iter().map(|column| (*column, Value::Null)).collect());
        for column in columns {
            if let Some(value) = data.get(*column) {
                row.insert(column, value.clone());
            }
        }
        if table == "children" || kind == "PUT" {
            row.insert("owner", json!(user));
        }
        if table == "children" && row["n"].as_i64().is_some_and(|n| n >= 90) {
            return Err("CHECK_VIOLATION");
        }
        let name = row.get("name").cloned().unwrap_or_default();
        if table == "parents"
            && self.parents.iter().any(|(other, row)| *other != id && !name.is_null() && row["name"] == name)
        {
            return Err("UNIQUE_VIOLATION");
        }
        if table == "children" && row["parent"].as_str().is_some_and(|parent| !self.parents.contains_key(parent)) {
            return Err("FOREIGN_KEY_VIOLATION");
        }
        if !self.may_have(table, user, &row) {
            return Err("UNAUTHORIZED");
        }
        self.table(table).insert(id, row);
        self.written += 1;
        Ok(())
    }

    /// Applies a transaction, or nothing of it. The error has the number of the operation.
    fn transaction(&mut self, user: &str, operations: &[Value]) -> Result<(), (usize, &'static str)> {
        let mut after = self.clone();
        for (index, operation) in operations.iter().enumerate() {
            after.apply(user, operation).map_err(|error| (index, error))?;
        }
        *self = after;
        Ok(())
    }
}

fn stored(tested: &Tested) -> Model {
    let mut model = Model { written: tested.number("SELECT n FROM total"), ..Model::default() };
    for (table, columns) in COLUMNS {
        for row in tested.values(&format!("id, {}", columns.join(", ")), table) {
            let values = columns.iter().enumerate().map(|(at, column)| (*column, row[at + 1].clone())).collect();
            model.table(table).insert(row[0].as_str().unwrap().to_owned(), values);
        }
    }
    model
}

fn operation(random: &mut Rng) -> Value {
    let id = |random: &mut Rng, prefix: &str| format!("{prefix}{}", random.u32(0..6));
    let is_parent = random.u32(0..3) == 0;
    let (table, prefix) = if is_parent { ("parents", "p") } else { ("children", "c") };
    let kind = ["PUT", "PUT", "PATCH", "PATCH", "DELETE"][random.usize(0..5)];
    let mut data = Map::new();
    if is_parent {
        if random.bool() {
            data.insert("name".into(), json!(format!("name {}", random.u32(0..30))));
        }
    } else {
        if kind == "PUT" || random.u32(0..3) == 0 {
            data.insert("parent".into(), json!(id(random, "p")));
        }
        if random.bool() {
            data.insert("n".into(), if random.u32(0..5) == 0 { Value::Null } else { json!(random.i64(0..93)) });
        }
    }
    json!({"op": kind, "table": table, "id": id(random, prefix), "op_data": data})
}

/// A client: what it has not got an answer for yet.
struct Client {
    user: &'static str,
    name: String,
    next: i64,
    queue: Vec<Value>,
}

fn session(seed: u64) -> usize {
    let mut random = Rng::with_seed(seed);
    let mut tested = Tested::with(&format!("{TABLES} {}", counted(&["parents", "children"])), RULES);
    let mut model = Model::default();
    let (mut letters, mut successes) = (0, 0);
    let mut clients: Vec<Client> = (0..3)
        .map(|number| Client {
            user: ["alice", "bob", "alice"][number],
            name: format!("client {number}"),
            next: 1,
            queue: Vec::new(),
        })
        .collect();
    let mut known: BTreeMap<(String, i64), Value> = BTreeMap::new();
    for _ in 0..60 {
        let client = &mut clients[random.usize(0..3)];
        for _ in 0..random.usize(0..4) {
            let operations: Vec<Value> = (0..random.usize(1..4)).map(|_| operation(&mut random)).collect();
            client.queue.push(json!({"transaction_id": client.next, "crud": operations}));
            client.next += 1;
        }
        if client.queue.is_empty() {
            continue;
        }
        let body = json!({"client_id": client.name, "queue": "q", "transactions": client.queue});
        let results = tested.upload(client.user, &body);
        assert_eq!(results.len(), client.queue.len());
        let mut is_stopped = false;
        let mut done = 0;
        for (transaction, result) in client.queue.iter().zip(&results) {
            if is_stopped {
                assert_eq!(*result, json!({"status": "not_attempted"}), "seed {seed}");
                continue;
            }
            done += 1;
            let key = (client.name.clone(), transaction["transaction_id"].as_i64().unwrap());
            let expected = known.entry(key).or_insert_with(|| {
                let applied = model.transaction(client.user, transaction["crud"].as_array().unwrap());
                letters += usize::from(applied.is_err());
                successes += usize::from(applied.is_ok());
                match applied {
                    Ok(()) => json!(["success", null]),
                    Err((index, code)) => json!([format!("fatal_error {code}"), index]),
                }
            });
            let index = result["failed_operation"].get("operation_index").cloned();
            assert_eq!(json!([outcome(result), index]), *expected, "seed {seed}: {transaction}");
            is_stopped = result["status"] != "success";
        }
        // The answer may be lost; then the client sends everything again.
        if random.u32(0..3) != 0 {
            client.queue.drain(..done);
        }
        if random.u32(0..6) == 0 {
            tested.restart(RULES);
        }
        assert_eq!(stored(&tested), model, "seed {seed}");
    }
    assert_eq!(tested.letters(), letters, "seed {seed}");
    assert!(letters > 0, "seed {seed}");
    successes
}

pub(crate) fn rows_are_those_of_the_model() {
    let successes: usize = (0..SESSIONS).map(session).sum();
    assert!(successes > 6 * usize::try_from(SESSIONS).unwrap(), "{successes} of the transactions were applied");
}
