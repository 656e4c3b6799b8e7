//! What the source's own program writes.

use serde_json::json;

use crate::session::Session;
use crate::uploads::{list, user, word};
use crate::world::{Change, Row, id_of};

/// More rows than are sent before a newer checkpoint may interrupt.
const MANY: usize = 1_300;

impl Session {
    /// So many rows that a bucket with them takes several lines.
    pub(crate) fn write_many(&mut self) {
        let random = &mut self.random;
        let mut notice = |number: usize| {
            let (id, body, level) = (format!("many {number}"), word(random), random.below(3));
            let row = Row::from([("id", json!(id)), ("body", json!(body)), ("level", json!(level))]);
            Change::Put { table: "notices", row, unsent: Vec::new() }
        };
        let changes: Vec<Change> = (0..MANY).map(&mut notice).collect();
        self.backend.world.commit(&changes);
    }

    /// The source's program writes.
    pub(crate) fn transaction(&mut self) {
        let count = if self.random.chance(3) { 40 } else { 1 + self.random.below(4) };
        let mut changes: Vec<Change> = Vec::new();
        for _ in 0..count {
            let change = self.change();
            // Each row once, as changes are made from the rows of before.
            let is_new = |place: &(&str, String)| !changes.iter().flat_map(places).any(|other| other == *place);
            if places(&change).iter().all(is_new) {
                changes.push(change);
            }
        }
        let position = self.backend.world.commit(&changes);
        self.trace.note(|| format!("the source at {position}: {:?}", &changes[..changes.len().min(6)]));
    }

    fn change(&mut self) -> Change {
        let random = &mut self.random;
        let table = ["lists", "lists", "todos", "todos", "members", "notices"][random.below(6)];
        let id = format!("{}{}", &table[..1], random.below(10));
        let before = self.backend.world.now()[table].get(&id).cloned();
        if before.is_some() && random.chance(25) {
            return Change::Delete { table, id };
        }
        let mut row = Row::from([("id", json!(id))]);
        match table {
            "lists" => row.extend([
                ("owner", json!(user(random))),
                ("name", json!(word(random))),
                ("note", json!(word(random))),
            ]),
            "todos" => row.extend([
                ("list_id", json!(list(random))),
                ("text", json!(word(random))),
                ("secret", json!(word(random))),
            ]),
            "members" => row.extend([("list_id", json!(list(random))), ("user_id", json!(user(random)))]),
            _ => row.extend([("body", json!(word(random))), ("level", json!(random.below(3)))]),
        }
        if table == "notices" && self.backend.world.is_extended && random.chance(50) {
            row.insert("extra", json!(word(random)));
        }
        let Some(before) = before else { return Change::Put { table, row, unsent: Vec::new() } };
        let other = format!("{}{}", &table[..1], random.below(10));
        if random.chance(15) && !self.backend.world.now()[table].contains_key(&other) {
            row.insert("id", json!(other));
            return Change::Rekey { table, old: id, row };
        }
        let mut unsent = Vec::new();
        for (column, value) in &before {
            if *column != "id" && random.chance(30) {
                row.insert(column, value.clone());
                if value.is_string() && random.chance(40) {
                    unsent.push(*column);
                }
            }
        }
        Change::Put { table, row, unsent }
    }

    pub(crate) fn change_table(&mut self) {
        let table = ["lists", "todos", "members", "notices"][self.random.below(4)];
        let change = match self.random.below(4) {
            0 | 1 => Change::Truncate(table),
            2 => Change::Recreate(table),
            _ if self.backend.world.is_extended => return,
            _ => Change::Extend,
        };
        let position = self.backend.world.commit(std::slice::from_ref(&change));
        self.trace.note(|| format!("the source at {position}: {change:?}"));
    }
}

/// Rows that a change is about.
fn places(change: &Change) -> Vec<(&'static str, String)> {
    match change {
        Change::Put { table, row, .. } => vec![(table, id_of(row))],
        Change::Rekey { table, old, row } => vec![(table, old.clone()), (table, id_of(row))],
        Change::Delete { table, id } => vec![(table, id.clone())],
        Change::Truncate(_) | Change::Recreate(_) | Change::Extend => Vec::new(),
    }
}
