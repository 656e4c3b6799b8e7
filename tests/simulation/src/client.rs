//! A client: the library in a SQLite of its own, told what arrives, and compared with what it must show.

use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

use rowtide_testkit::host::{Host, Payload};
use rowtide_testkit::invariants;
use serde_json::{Value as Json, json};

use crate::catalog::CLIENT_TABLES;
use crate::expected::{Columns, Expected, Key};
use crate::link::{About, Arrival};
use crate::uploads::Uploads;

/// What the instructions of a call say.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) is_complete: bool,
    pub(crate) is_delayed: bool,
    pub(crate) is_closed: bool,
    /// The client wants another token before this one expires.
    pub(crate) wants_token: bool,
    pub(crate) established: Option<Json>,
}

/// How a client is set up.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Setup {
    pub(crate) user: &'static str,
    pub(crate) is_binary: bool,
    /// Asks for checkpoints by its own numbers.
    pub(crate) has_requests: bool,
    pub(crate) include_defaults: bool,
    /// Tables of the library's second kind.
    pub(crate) is_direct: bool,
}

/// One client.
pub(crate) struct Client {
    pub(crate) host: Host,
    pub(crate) setup: Setup,
    pub(crate) topic: String,
    /// Streams that the application uses now: name and parameters.
    pub(crate) subscriptions: Vec<(&'static str, Json)>,
    pub(crate) is_iterating: bool,
    pub(crate) uploads: Uploads,
    /// The checkpoint that the newest line announced.
    target: Option<Rc<Expected>>,
    last_op: i64,
    /// The position that is shown, and that of the client's own last write.
    pub(crate) published: u64,
    pub(crate) own: u64,
    /// Rows written locally since everything was published.
    pub(crate) written: BTreeSet<Key>,
    shown: String,
    pub(crate) starts: u64,
    pub(crate) publishes: u64,
    pub(crate) parts: u64,
    pub(crate) delays: u64,
}

impl Client {
    pub(crate) fn new(setup: Setup, topic: &str) -> Self {
        let host = Host::open_in_memory();
        let tables = CLIENT_TABLES.map(|(name, columns)| {
            let kind = |column: &str| if column == "level" { "integer" } else { "text" };
            let columns: Vec<Json> =
                columns.iter().map(|column| json!({"name": column, "type": kind(column)})).collect();
            json!({"name": name, "columns": columns, "direct": setup.is_direct})
        });
        host.replace_schema(&json!({ "tables": tables }));
        let views = CLIENT_TABLES.map(|(name, columns)| {
            let columns = (0..3).map(|at| columns.get(at).copied().unwrap_or("NULL")).collect::<Vec<_>>().join(", ");
            format!("SELECT '{name}', id, {columns} FROM {name}")
        });
        Self {
            host,
            setup,
            topic: topic.to_owned(),
            subscriptions: Vec::new(),
            is_iterating: false,
            uploads: Uploads::default(),
            target: None,
            last_op: 0,
            published: 0,
            own: 0,
            written: BTreeSet::new(),
            shown: views.join(" UNION ALL "),
            starts: 0,
            publishes: 0,
            parts: 0,
            delays: 0,
        }
    }

    /// Rows as the application sees them.
    pub(crate) fn shown(&self) -> BTreeMap<Key, Columns> {
        let connection = self.host.connection();
        let mut statement = connection.prepare_cached(&self.shown).expect("the tables are there");
        let mut rows = statement.query(()).expect("a query");
        let mut shown = BTreeMap::new();
        while let Some(row) = rows.next().expect("a row") {
            let value = |at: usize| rowtide_testkit::values::to_json(row.get_ref(at).expect("a column"));
            let name: String = row.get(0).expect("a name");
            let (table, columns) = CLIENT_TABLES.iter().find(|(table, _)| *table == name).expect("a table");
            let columns = (2..2 + columns.len()).map(value).collect();
            shown.insert((*table, row.get(1).expect("an id")), columns);
        }
        shown
    }

    /// Starts an iteration. Gives the request.
    pub(crate) fn start(&mut self) -> Told {
        let mode = if self.setup.has_requests { "requests" } else { "legacy" };
        let options = json!({
            "parameters": {"topic": self.topic},
            "include_defaults": self.setup.include_defaults,
            "checkpoint_mode": mode,
            "active_streams": self.streams(),
        });
        self.is_iterating = true;
        self.starts += 1;
        self.uploads.is_seeded = false;
        self.target = None;
        self.control("start", options.to_string())
    }

    /// The streams that the application uses, as the library takes them.
    pub(crate) fn streams(&self) -> Json {
        let streams = self.subscriptions.iter().map(|(name, parameters)| json!({"name": name, "params": parameters}));
        streams.collect()
    }

    /// Calls the library, and takes what it says.
    pub(crate) fn control(&mut self, operation: &str, payload: impl Into<Payload>) -> Told {
        let instructions = match self.host.try_control(operation, payload) {
            Ok(instructions) => instructions,
            Err(error) => panic!("{}: {operation}: {error}", self.setup.user),
        };
        let mut told = Told::default();
        for instruction in instructions.as_array().into_iter().flatten() {
            let (name, content) =
                instruction.as_object().and_then(|members| members.iter().next()).expect("one member");
            match name.as_str() {
                "DidCompleteSync" => told.is_complete = true,
                "CheckpointDelayedDueToLocalData" => told.is_delayed = true,
                "CloseSyncStream" => told.is_closed = true,
                "FetchCredentials" => told.wants_token = content["did_expire"] == false,
                "EstablishSyncStream" => told.established = Some(content.clone()),
                "LogLine" => assert_ne!(content["severity"], "WARNING", "{}: {content}", self.setup.user),
                _ => {}
            }
        }
        if told.is_closed {
            self.is_iterating = false;
        }
        if told.is_complete {
            self.check_published();
        }
        told
    }

    /// Takes what has arrived.
    pub(crate) fn take(&mut self, arrival: Arrival) -> Told {
        let (bytes, about) = match arrival {
            Arrival::End => return self.control("connection", "end"),
            Arrival::Line { bytes, about } => (bytes, about),
        };
        if let About::Checkpoint(expected) = &about {
            assert!(self.last_op <= expected.op_id, "operation ids went back: {} < {}", expected.op_id, self.last_op);
            self.last_op = expected.op_id;
            self.target = Some(Rc::clone(expected));
        }
        let told = if self.setup.is_binary {
            self.control("line_binary", bytes)
        } else {
            self.control("line_text", String::from_utf8(bytes).expect("JSON is UTF-8"))
        };
        match about {
            About::Partial(priority) => {
                assert!(!told.is_closed, "{}: a part was refused", self.setup.user);
                if !told.is_delayed {
                    self.check_part(priority);
                }
            }
            About::Complete => {
                assert!(!told.is_closed, "{}: a checkpoint was refused", self.setup.user);
                assert_ne!(told.is_complete, told.is_delayed, "either");
                self.delays += u64::from(told.is_delayed);
            }
            About::Checkpoint(_) | About::Data => {
                assert!(!told.is_closed && !told.is_complete, "{}: after a line with data", self.setup.user);
            }
            About::Clock => {}
        }
        told
    }

    /// Everything was published: exactly the rows of the checkpoint are shown, and the client's own writes are in it.
    fn check_published(&mut self) {
        let target = self.target.clone().expect("a checkpoint was announced");
        let wanted: BTreeMap<&Key, &Columns> = target.rows.iter().map(|(key, (columns, _))| (key, columns)).collect();
        let shown = self.shown();
        let shown: BTreeMap<&Key, &Columns> = shown.iter().collect();
        if shown != wanted {
            let more: Vec<_> = shown.iter().filter(|(key, columns)| wanted.get(*key) != Some(*columns)).collect();
            let less: Vec<_> = wanted.iter().filter(|(key, columns)| shown.get(*key) != Some(*columns)).collect();
            panic!("{} shows {more:?} at {}, and should show {less:?}", self.setup.user, target.position);
        }
        let (own, published) = (self.own, self.published);
        assert!(own <= target.position, "shown without the own write at {own}: {}", target.position);
        assert!(published <= target.position, "shown before: {published}, now {}", target.position);
        self.published = target.position;
        self.written.clear();
        self.publishes += 1;
    }

    /// Buckets up to a priority were published: their rows are shown.
    fn check_part(&mut self, priority: u8) {
        let target = self.target.clone().expect("a checkpoint was announced");
        let shown = self.shown();
        for (key, (columns, its)) in &target.rows {
            if *its <= priority && !self.written.contains(key) {
                let (user, position) = (self.setup.user, target.position);
                assert_eq!(shown.get(key), Some(columns), "{user}: {key:?} in part {priority} at {position}");
            }
        }
        self.parts += 1;
    }

    /// The whole database is as it must be.
    pub(crate) fn check_consistent(&self) {
        if let Err(problem) = invariants::check_consistent(&self.host) {
            panic!("{}: {problem}", self.setup.user);
        }
    }
}
