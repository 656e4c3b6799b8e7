//! A deployment with two tables, as a world, and helpers for tests of their own.

use std::time::Duration;

use fake_convex::{Convex, Document, Options, Value as Field, Write as Put};
use sync_config::Value;
use sync_engine::source::{Source, SourceEvent, SourceStream};
use sync_sources::convex::{ConvexOptions, ConvexSource, DeployKey, Reach};

use crate::follower::{Content, Follower, State, patterns_in};
use crate::world::{Keys, Model, Spec, Values, World, Write};

/// A deployment, and how the source reads it.
pub(crate) struct Deployment {
    pub(crate) convex: Convex,
}

pub(crate) fn options(convex: &Convex) -> ConvexOptions {
    let key = DeployKey::new(&convex.key()).unwrap();
    let location = format!("{}?allow_private_addresses=true&polling_interval_ms=1", convex.url());
    let options = ConvexOptions::parse(&location, key).unwrap();
    {
        let reach = Reach { first_pause: Duration::from_millis(1), ..options.reach };
        ConvexOptions { reach, table_watch_interval: Duration::from_millis(1), ..options }
    }
}

pub(crate) fn open(convex: &Convex) -> ConvexSource {
    ConvexSource::with_options(options(convex)).unwrap()
}

pub(crate) fn follower(tables: &[&str]) -> Follower {
    Follower::new(patterns_in("convex", tables), State::default())
}

/// What a new follower sees of tables.
pub(crate) fn content(convex: &Convex, tables: &[&str]) -> Content {
    let source = open(convex);
    let mut follower = follower(tables);
    follower.start(&source).unwrap();
    follower.catch_up(&source).unwrap();
    follower.content()
}

pub(crate) fn document(fields: &[(&str, Field)]) -> Document {
    fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect()
}

pub(crate) fn put(table: &str, id: &str, fields: &[(&str, Field)]) -> Put {
    let mut document = document(fields);
    document.insert("_id".into(), Field::from(id));
    document.insert("_creationTime".into(), Field::Float64(1.5));
    Put::Put { table: table.into(), document }
}

pub(crate) fn delete(table: &str, id: &str) -> Put {
    Put::Delete { table: table.into(), id: id.into() }
}

/// The next events, however long they take.
pub(crate) fn next(stream: &mut dyn SourceStream) -> Vec<SourceEvent> {
    loop {
        let events = stream.next(Duration::from_secs(1)).unwrap();
        if !events.is_empty() {
            return events;
        }
    }
}

impl Deployment {
    /// With pages so small that everything takes several.
    pub(crate) fn new(has_sync_api: bool) -> Self {
        let options =
            Options { has_sync_api, snapshot_rows: Some(2), delta_rows: Some(3), sync_rows: Some(2), port: 0 };
        let convex = Convex::start(options);
        convex.define("notes", &[]);
        convex.define("todos", &[]);
        Self { convex }
    }
}

fn field(value: &Value) -> Field {
    match value {
        Value::Null => Field::Null,
        Value::Real(real) => Field::Float64(*real),
        Value::Text(text) => match text.parse() {
            Ok(integer) => Field::Int64(integer),
            Err(_) if text.starts_with("[\"") => {
                let inner = Field::Object([("a".to_owned(), Field::Float64(1.0))].into());
                Field::Array(vec![Field::Int64(9), inner])
            }
            Err(_) => Field::String(text.clone()),
        },
        other => unreachable!("{other:?}"),
    }
}

impl World for Deployment {
    fn specs(&self) -> Vec<Spec> {
        let spec =
            |name, columns: &[&'static str]| Spec { name, columns: columns.to_vec(), key: vec![0], keys: Keys::Text };
        vec![spec("notes", &["_id", "_creationTime", "v", "w"]), spec("todos", &["_id", "_creationTime", "v"])]
    }

    fn open(&self) -> Box<dyn Source> {
        Box::new(open(&self.convex))
    }

    fn write(&mut self, writes: &[Write], model: &Model) {
        let mut puts = Vec::new();
        for write in writes {
            let spec = &model.specs[write.table()];
            let deleted = |key: &Vec<Value>| delete(spec.name, &key[0].as_text().unwrap());
            let row = |row: &Vec<Value>| {
                let document = spec.columns.iter().zip(row).map(|(column, value)| {
                    (
                        (*column).to_owned(),
                        match *column {
                            "_id" => Field::String(value.as_text().unwrap().into_owned()),
                            _ => field(value),
                        },
                    )
                });
                Put::Put { table: spec.name.into(), document: document.collect() }
            };
            match write {
                Write::Put { row: values, .. } => puts.push(row(values)),
                Write::Rekey { old, row: values, .. } => puts.extend([deleted(old), row(values)]),
                Write::Delete { key, .. } => puts.push(deleted(key)),
                Write::Truncate { .. } => {
                    let made = puts.iter().filter_map(|put| match put {
                        Put::Put { table, document } if table == spec.name => match &document["_id"] {
                            Field::String(id) => Some(id.clone()),
                            _ => None,
                        },
                        _ => None,
                    });
                    let ids: Vec<String> = self.convex.documents(spec.name).into_keys().chain(made).collect();
                    puts.extend(ids.iter().map(|id| delete(spec.name, id)));
                }
            }
        }
        self.convex.commit(puts);
    }

    fn schema(&self) -> &'static str {
        "convex"
    }

    fn values(&self) -> Values {
        Values::Documents
    }
}
