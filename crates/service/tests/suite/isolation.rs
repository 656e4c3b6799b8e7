//! Random changes, several users: everybody has exactly the rows that the configuration gives them, at every checkpoint.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::support::{Lines, Running, delete, put, todos_of};

const USERS: [&str; 3] = ["u1", "u2", "u3"];
const LISTS: [&str; 5] = ["l1", "l2", "l3", "l4", "l5"];

/// The same numbers each time (SplitMix64).
struct Random(u64);

impl Random {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % limit as u64).unwrap()
    }
}

/// The source, as the test knows it.
#[derive(Default)]
struct Model {
    /// Owners of lists.
    lists: BTreeMap<String, String>,
    /// List and text of todos.
    todos: BTreeMap<String, (String, String)>,
}

/// Table, id and text of rows.
type Rows = BTreeSet<(String, String, String)>;

impl Model {
    /// What the configuration gives to a user who subscribes to these lists.
    fn rows(&self, user: &str, lists: &[&str]) -> Rows {
        let own = |list: &str| self.lists.get(list).is_some_and(|owner| owner == user);
        let mine = self.lists.iter().filter(|(_, owner)| *owner == user);
        let mut rows: Rows = mine.map(|(id, owner)| ("lists".into(), id.clone(), owner.clone())).collect();
        for (id, (list, text)) in &self.todos {
            if lists.contains(&list.as_str()) && own(list) {
                rows.insert(("todos".into(), id.clone(), text.clone()));
            }
        }
        rows
    }
}

/// A client, which keeps what it is sent.
struct Client {
    user: &'static str,
    lists: Vec<&'static str>,
    lines: Lines,
    /// Rows by bucket, type and id.
    rows: BTreeMap<String, BTreeMap<(String, String), Value>>,
}

impl Client {
    fn take(&mut self, line: &Value) {
        if let Some(buckets) = line["checkpoint"]["buckets"].as_array() {
            let names: BTreeSet<&str> = buckets.iter().map(|bucket| bucket["bucket"].as_str().unwrap()).collect();
            self.rows.retain(|name, _| names.contains(name.as_str()));
        }
        for removed in line["checkpoint_diff"]["removed_buckets"].as_array().into_iter().flatten() {
            self.rows.remove(removed.as_str().unwrap());
        }
        let Some(operations) = line["data"]["data"].as_array() else { return };
        let rows = self.rows.entry(line["data"]["bucket"].as_str().unwrap().to_owned()).or_default();
        for operation in operations {
            let text = |member: &str| operation[member].as_str().unwrap_or_default().to_owned();
            let key = (text("object_type"), text("object_id"));
            match text("op").as_str() {
                "PUT" => drop(rows.insert(key, serde_json::from_str(&text("data")).unwrap())),
                "REMOVE" => drop(rows.remove(&key)),
                "CLEAR" => rows.clear(),
                _ => {}
            }
            // However it was sent: nothing of a list that the user cannot see.
            if text("op") == "PUT" && text("object_type") == "lists" {
                assert!(text("data").contains(&format!("\"owner_id\":\"{}\"", self.user)), "{operation}");
            }
        }
    }

    fn has(&self) -> Rows {
        let rows = self.rows.values().flatten();
        rows.map(|((table, id), row)| {
            let text = if table == "lists" { "owner_id" } else { "text" };
            (table.clone(), id.clone(), row[text].as_str().unwrap().to_owned())
        })
        .collect()
    }
}

fn change(running: &Running, model: &mut Model, random: &mut Random, number: usize) {
    let list = LISTS[random.below(LISTS.len())];
    let todo = format!("t{}", random.below(30));
    match random.below(10) {
        0..3 => {
            let owner = USERS[random.below(USERS.len())];
            put(&running.source, "lists", [list, owner, "x"]);
            model.lists.insert(list.into(), owner.into());
        }
        3 if model.lists.remove(list).is_some() => delete(&running.source, "lists", list),
        4 if model.todos.remove(&todo).is_some() => delete(&running.source, "todos", &todo),
        _ => {
            let text = format!("{number}");
            put(&running.source, "todos", [&todo, list, &text]);
            model.todos.insert(todo, (list.into(), text));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_has_exactly_their_rows() {
    let running = Running::start().await;
    let mut model = Model::default();
    for (list, owner) in [("l1", "u1"), ("l2", "u2")] {
        model.lists.insert(list.into(), owner.into());
    }
    for (todo, list, text) in [("t1", "l1", "a"), ("t2", "l1", "b"), ("t3", "l2", "c")] {
        model.todos.insert(todo.into(), (list.into(), text.into()));
    }
    let mut random = Random(13);
    let mut clients = Vec::new();
    for (number, user) in USERS.into_iter().chain(USERS).enumerate() {
        // Some subscribe to all lists, some to a few.
        let lists: Vec<&str> = LISTS.into_iter().filter(|_| number < 3 || random.below(2) == 0).collect();
        let mut request = todos_of(&lists);
        request["client_id"] = json!(number.to_string());
        let lines = running.stream(user, request).await;
        clients.push(Client { user, lists, lines, rows: BTreeMap::new() });
    }
    for round in 0..60 {
        for step in 0..=random.below(6) {
            change(&running, &mut model, &mut random, round * 10 + step);
        }
        for (number, client) in clients.iter_mut().enumerate() {
            let id = running.get(client.user, &format!("/write-checkpoint2.json?client_id={number}")).await;
            let id = id["data"]["write_checkpoint"].clone();
            // The checkpoint that acknowledges the id has everything that was written before it was asked for.
            loop {
                let lines = client.lines.checkpoint().await;
                lines.iter().for_each(|line| client.take(line));
                if [&lines[0]["checkpoint"], &lines[0]["checkpoint_diff"]]
                    .iter()
                    .any(|line| line["write_checkpoint"] == id)
                {
                    break;
                }
            }
            assert_eq!(client.has(), model.rows(client.user, &client.lists), "round {round}, client {number}");
        }
    }
    running.service.stop().await;
}
