//! Configurations: queries, each with what it means in plain Rust, from which streams are made at random.

use rowtide_testkit::random::Random;
use serde_json::{Value as Json, json};

use crate::world::{Row, State};

/// Who asks, and with which parameters.
pub(crate) struct Asker<'a> {
    pub(crate) user: &'a str,
    /// Of the connection.
    pub(crate) topic: &'a str,
    /// Of the subscription; null for a default stream.
    pub(crate) parameters: &'a Json,
}

/// Takes a row: the client's table, the id, and the values of the table's columns on the client.
type Show<'a> = &'a mut dyn FnMut(&'static str, &str, Vec<Json>);

/// A query and its meaning.
struct Query {
    /// Streams with it alone have one of these names.
    names: [&'static str; 2],
    sql: &'static str,
    /// Whether it needs a parameter of a subscription.
    parameter: Option<&'static str>,
    shows: fn(&State, &Asker<'_>, Show<'_>),
}

/// Tables of clients, with their columns except `id`.
pub(crate) const CLIENT_TABLES: [(&str, &[&str]); 5] = [
    ("lists", &["owner", "name"]),
    ("todos", &["list_id", "text"]),
    ("members", &["list_id", "user_id"]),
    ("notices", &["body", "level", "extra"]),
    ("titles", &["title"]),
];

fn value(row: &Row, column: &str) -> Json {
    row.get(column).cloned().unwrap_or_default()
}

fn is(row: &Row, column: &str, text: &str) -> bool {
    row.get(column).and_then(Json::as_str) == Some(text)
}

/// Whether a row of another table has the value that this one has in a column.
fn joins(state: &State, table: &str, column: &str, to: &Json, holds: impl Fn(&Row) -> bool) -> bool {
    !to.is_null() && state[table].values().any(|row| row.get(column) == Some(to) && holds(row))
}

fn show(table: &'static str, row: &Row, into: Show<'_>) {
    let columns = CLIENT_TABLES.iter().find(|(name, _)| *name == table).expect("a table of clients").1;
    into(table, row["id"].as_str().unwrap_or_default(), columns.iter().map(|column| value(row, column)).collect());
}

const QUERIES: [Query; 10] = [
    Query {
        names: ["my_lists", "owned"],
        sql: "SELECT id, owner, name FROM lists WHERE owner = auth.user_id()",
        parameter: None,
        shows: |state, asker, into| {
            state["lists"].values().filter(|row| is(row, "owner", asker.user)).for_each(|row| show("lists", row, into));
        },
    },
    Query {
        names: ["shared_lists", "joined"],
        sql: "SELECT lists.id, lists.owner, lists.name FROM lists JOIN members m ON m.list_id = lists.id \
              WHERE m.user_id = auth.user_id()",
        parameter: None,
        shows: |state, asker, into| {
            let is_member =
                |row: &&Row| joins(state, "members", "list_id", &row["id"], |member| is(member, "user_id", asker.user));
            state["lists"].values().filter(is_member).for_each(|row| show("lists", row, into));
        },
    },
    Query {
        names: ["list_todos", "todos_of"],
        sql: "SELECT id, list_id, text FROM todos WHERE list_id = subscription.parameter('list') \
              AND list_id IN (SELECT id FROM lists WHERE owner = auth.user_id())",
        parameter: Some("list"),
        shows: |state, asker, into| {
            let list = asker.parameters["list"].as_str().unwrap_or_default();
            let is_mine = |row: &&Row| {
                is(row, "list_id", list)
                    && joins(state, "lists", "id", &row["list_id"], |list| is(list, "owner", asker.user))
            };
            state["todos"].values().filter(is_mine).for_each(|row| show("todos", row, into));
        },
    },
    Query {
        names: ["my_todos", "all_todos"],
        sql: "SELECT id, list_id, text FROM todos WHERE list_id IN \
              (SELECT id FROM lists WHERE owner = auth.user_id())",
        parameter: None,
        shows: |state, asker, into| {
            let is_mine =
                |row: &&Row| joins(state, "lists", "id", &value(row, "list_id"), |list| is(list, "owner", asker.user));
            state["todos"].values().filter(is_mine).for_each(|row| show("todos", row, into));
        },
    },
    Query {
        names: ["shared_todos", "todos_of_others"],
        sql: "SELECT todos.id, todos.list_id, todos.text FROM todos JOIN members AS m ON m.list_id = todos.list_id \
              WHERE m.user_id = auth.user_id()",
        parameter: None,
        shows: |state, asker, into| {
            let is_member = |row: &&Row| {
                joins(state, "members", "list_id", &value(row, "list_id"), |member| is(member, "user_id", asker.user))
            };
            state["todos"].values().filter(is_member).for_each(|row| show("todos", row, into));
        },
    },
    Query {
        names: ["notices", "news"],
        sql: "SELECT * FROM notices",
        parameter: None,
        shows: |state, _, into| state["notices"].values().for_each(|row| show("notices", row, into)),
    },
    Query {
        names: ["level", "important"],
        sql: "SELECT * FROM notices WHERE level = subscription.parameter('level')",
        parameter: Some("level"),
        shows: |state, asker, into| {
            let level = &asker.parameters["level"];
            let has_level = |row: &&Row| !level.is_null() && row.get("level") == Some(level);
            state["notices"].values().filter(has_level).for_each(|row| show("notices", row, into));
        },
    },
    Query {
        names: ["titles", "headlines"],
        sql: "SELECT id, upper(name) AS title FROM lists AS titles WHERE owner <> 'ann'",
        parameter: None,
        shows: |state, _, into| {
            let others = state["lists"].values().filter(|row| row.contains_key("owner") && !is(row, "owner", "ann"));
            for row in others {
                let title = row.get("name").and_then(Json::as_str).map(str::to_ascii_uppercase);
                into("titles", row["id"].as_str().unwrap_or_default(), vec![json!(title)]);
            }
        },
    },
    Query {
        names: ["colleagues", "with_me"],
        sql: "SELECT id, list_id, user_id FROM members WHERE list_id IN \
              (SELECT list_id FROM members WHERE user_id = auth.user_id())",
        parameter: None,
        shows: |state, asker, into| {
            let is_member = |row: &&Row| {
                joins(state, "members", "list_id", &value(row, "list_id"), |member| is(member, "user_id", asker.user))
            };
            state["members"].values().filter(is_member).for_each(|row| show("members", row, into));
        },
    },
    Query {
        names: ["topic", "about"],
        sql: "SELECT * FROM notices WHERE body = connection.parameter('topic')",
        parameter: None,
        shows: |state, asker, into| {
            state["notices"]
                .values()
                .filter(|row| is(row, "body", asker.topic))
                .for_each(|row| show("notices", row, into));
        },
    },
];

/// Names of streams to which clients subscribe, and which parameter each takes.
pub(crate) fn stream_names() -> impl Iterator<Item = (&'static str, Option<&'static str>)> {
    QUERIES.iter().flat_map(|query| query.names.map(|name| (name, query.parameter)))
}

/// A stream of a configuration.
pub(crate) struct Stream {
    pub(crate) name: &'static str,
    pub(crate) priority: u8,
    pub(crate) is_default: bool,
    /// Numbers in [`QUERIES`].
    queries: Vec<usize>,
}

impl Stream {
    /// What it shows, each row perhaps more than once.
    pub(crate) fn shows(&self, state: &State, asker: &Asker<'_>, into: Show<'_>) {
        self.queries.iter().for_each(|query| (QUERIES[*query].shows)(state, asker, into));
    }
}

/// A configuration.
pub(crate) struct Config {
    pub(crate) streams: Vec<Stream>,
}

impl Config {
    /// Some streams, with a second query here and there.
    pub(crate) fn random(random: &mut Random) -> Self {
        let mut streams: Vec<Stream> = Vec::new();
        for (at, query) in QUERIES.iter().enumerate() {
            if !random.chance(55) {
                continue;
            }
            let mut queries = vec![at];
            let other = random.below(QUERIES.len());
            if other != at && random.chance(20) && QUERIES[other].parameter.is_none() {
                queries.push(other);
            }
            let is_default = query.parameter.is_none() && random.chance(60);
            let priority = u8::try_from(random.below(4)).unwrap_or(3);
            streams.push(Stream { name: query.names[random.below(2)], priority, is_default, queries });
        }
        // The order of streams means nothing.
        if random.chance(50) {
            streams.reverse();
        }
        Self { streams }
    }

    pub(crate) fn yaml(&self) -> String {
        let mut yaml = "config: {edition: 3}\nstreams:".to_owned();
        if self.streams.is_empty() {
            yaml.push_str(" {}");
        }
        for stream in &self.streams {
            let Stream { name, priority, is_default, queries } = stream;
            yaml.push_str(&format!("\n  {name}:\n    priority: {priority}\n    auto_subscribe: {is_default}"));
            yaml.push_str("\n    queries:");
            for query in queries {
                yaml.push_str(&format!("\n      - {}", QUERIES[*query].sql));
            }
        }
        yaml.push('\n');
        yaml
    }
}
