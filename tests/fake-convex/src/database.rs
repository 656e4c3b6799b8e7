//! Documents with their history: a log of what was committed, at timestamps that only grow.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::value::{Document, Value};

/// One write of a mutation.
#[derive(Clone, Debug)]
pub enum Write {
    /// Stores a document in place of the one with its id, if there is one. `_id` and `_creationTime` are made up unless
    /// they are there.
    Put {
        /// The table, created if there is none.
        table: String,
        /// The fields.
        document: Document,
    },
    /// Deletes a document, if it exists.
    Delete {
        /// The table.
        table: String,
        /// `_id`
        id: String,
    },
}

/// What a table's name stands for at some time: dropping a table and creating it again gives another tablet.
pub(crate) type TabletId = u32;

#[derive(Clone, Debug)]
pub(crate) struct Tablet {
    pub(crate) table: String,
    /// The states that it had, from which timestamp on.
    states: Vec<(i64, State)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    Active,
    /// Being imported: its documents are in the log, and nobody else sees them.
    Hidden,
    Deleted,
}

impl Tablet {
    pub(crate) fn state(&self, ts: i64) -> Option<State> {
        self.states.iter().rev().find(|(from, _)| *from <= ts).map(|(_, state)| *state)
    }

    pub(crate) fn is_active(&self, ts: i64) -> bool {
        self.state(ts) == Some(State::Active)
    }
}

/// One document at one timestamp.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) ts: i64,
    pub(crate) tablet: TabletId,
    pub(crate) id: String,
    /// None: deleted.
    pub(crate) document: Option<Arc<Document>>,
}

/// The newest version of each document by tablet and id.
type Documents = BTreeMap<(TabletId, String), Vec<(i64, Option<Arc<Document>>)>>;

#[derive(Debug)]
pub(crate) struct Database {
    pub(crate) tablets: BTreeMap<TabletId, Tablet>,
    pub(crate) log: Vec<Entry>,
    documents: Documents,
    /// Tables of the app's schema, which exist without documents.
    pub(crate) declared: BTreeSet<String>,
    pub(crate) now: i64,
    made_ids: u64,
    /// Deltas after an earlier cursor are gone.
    pub(crate) first_delta: i64,
    /// Earlier snapshots are gone.
    pub(crate) first_snapshot: i64,
}

/// Nanoseconds since 1970, so that a timestamp has 19 digits.
const START: i64 = 1_760_000_000_000_000_000;

/// Between two commits.
const STEP: i64 = 1_000_003;

impl Database {
    pub(crate) fn new() -> Self {
        Self {
            tablets: BTreeMap::new(),
            log: Vec::new(),
            documents: BTreeMap::new(),
            declared: BTreeSet::new(),
            now: START,
            made_ids: 0,
            first_delta: 0,
            first_snapshot: 0,
        }
    }

    fn tick(&mut self) -> i64 {
        self.now += STEP;
        self.now
    }

    /// The tablet that a name stands for.
    pub(crate) fn active(&self, table: &str, ts: i64) -> Option<TabletId> {
        self.tablets.iter().find(|(_, tablet)| tablet.table == table && tablet.is_active(ts)).map(|(id, _)| *id)
    }

    fn new_tablet(&mut self, table: &str, ts: i64, state: State) -> TabletId {
        let id = u32::try_from(self.tablets.len()).unwrap() + 1;
        self.tablets.insert(id, Tablet { table: table.to_owned(), states: vec![(ts, state)] });
        id
    }

    /// The documents of a tablet at a timestamp, in the order of their ids.
    pub(crate) fn at(&self, tablet: TabletId, ts: i64) -> impl Iterator<Item = (&String, i64, &Arc<Document>)> {
        let all = self.documents.range((tablet, String::new())..(tablet + 1, String::new()));
        all.filter_map(move |((_, id), versions)| {
            let (at, document) = versions.iter().rev().find(|(at, _)| *at <= ts)?;
            Some((id, *at, document.as_ref()?))
        })
    }

    /// A document as it is now.
    pub(crate) fn get(&self, table: &str, id: &str) -> Option<&Arc<Document>> {
        let tablet = self.active(table, self.now)?;
        self.documents.get(&(tablet, id.to_owned()))?.last()?.1.as_ref()
    }

    /// Commits a mutation. Nothing is committed if it writes nothing, as a query would.
    pub(crate) fn commit(&mut self, writes: Vec<Write>) -> i64 {
        let ts = self.now + STEP;
        // A document is in the log once for each timestamp, as the mutation left it.
        let mut last: BTreeMap<(TabletId, String), Option<Arc<Document>>> = BTreeMap::new();
        for write in writes {
            match write {
                Write::Put { table, document } => {
                    let tablet = self.active(&table, ts).unwrap_or_else(|| self.new_tablet(&table, ts, State::Active));
                    let (id, document) = self.with_system_fields(&table, document, ts);
                    last.insert((tablet, id), Some(Arc::new(document)));
                }
                Write::Delete { table, id } => {
                    if let Some(tablet) = self.active(&table, ts) {
                        last.insert((tablet, id), None);
                    }
                }
            }
        }
        let exists = |key: &(TabletId, String)| {
            self.documents.get(key).and_then(|versions| versions.last()).is_some_and(|(_, document)| document.is_some())
        };
        last.retain(|key, document| document.is_some() || exists(key));
        if last.is_empty() {
            return self.now;
        }
        self.tick();
        last.into_iter().for_each(|((tablet, id), document)| self.append(ts, tablet, id, document));
        ts
    }

    fn append(&mut self, ts: i64, tablet: TabletId, id: String, document: Option<Arc<Document>>) {
        self.documents.entry((tablet, id.clone())).or_default().push((ts, document.clone()));
        self.log.push(Entry { ts, tablet, id, document });
    }

    fn with_system_fields(&mut self, table: &str, mut document: Document, ts: i64) -> (String, Document) {
        let id = match document.get("_id") {
            Some(Value::String(id)) => id.clone(),
            _ => {
                self.made_ids += 1;
                format!("{}{:028}", table.chars().find(char::is_ascii_lowercase).unwrap_or('t'), self.made_ids)
            }
        };
        document.insert("_id".into(), Value::String(id.clone()));
        let created = self.get(table, &id).and_then(|before| before.get("_creationTime").cloned());
        #[allow(clippy::cast_precision_loss, reason = "as in Convex")]
        let now = Value::Float64(ts as f64 / 1e6);
        document.entry("_creationTime".into()).or_insert(created.unwrap_or(now));
        (id, document)
    }

    /// Drops a table, as the dashboard does. The log has nothing of it.
    pub(crate) fn drop_table(&mut self, table: &str) {
        self.declared.remove(table);
        if let Some(id) = self.active(table, self.now) {
            let ts = self.tick();
            self.tablets.get_mut(&id).unwrap().states.push((ts, State::Deleted));
        }
    }

    /// `npx convex import --replace`: the log has the new documents while nobody sees them, several timestamps before they
    /// take the place of the old ones, whose end it does not have.
    pub(crate) fn import_replace(&mut self, table: &str, documents: Vec<Document>) {
        let ts = self.tick();
        let hidden = self.new_tablet(table, ts, State::Hidden);
        for document in documents {
            let ts = self.tick();
            let (id, document) = self.with_system_fields(table, document, ts);
            self.append(ts, hidden, id, Some(Arc::new(document)));
        }
        let ts = self.tick();
        if let Some(old) = self.active(table, ts) {
            self.tablets.get_mut(&old).unwrap().states.push((ts, State::Deleted));
        }
        self.tablets.get_mut(&hidden).unwrap().states.push((ts, State::Active));
    }

    /// Names of the tables that exist.
    pub(crate) fn tables(&self) -> BTreeSet<String> {
        let active = self.tablets.values().filter(|tablet| tablet.is_active(self.now));
        active.map(|tablet| tablet.table.clone()).chain(self.declared.iter().cloned()).collect()
    }
}
