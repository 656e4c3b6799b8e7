//! A writer and store of a few lines: rows in, buckets and parameter indexes of all deployed configurations, checkpoints.

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use sync_config::{CompileOptions, Layout, MissingColumn, TableName, Value, compile};

use crate::live::{ConfigId, DefinitionId, IndexId, LivePlan};
use crate::notice::{ChangedBucket, ChangedLookup, ClientName, CommitNotice};
use crate::row::Position;
use crate::store::{
    BucketId, BucketState, Checkpoint, OpId, OpKind, Operation, OutputRow, Page, PageLimit, Reader, Readers, StoreError,
};

const TABLES: [(&str, &[&str]); 5] = [
    ("announcements", &["id", "title"]),
    ("lists", &["id", "owner_id"]),
    ("todos", &["id", "list_id", "text"]),
    ("list_members", &["id", "list_id", "user_id"]),
    ("regions", &["id", "name"]),
];

type BucketKey = (DefinitionId, Arc<str>);
type LookupKey = (IndexId, Arc<str>);

/// What one row gives: data by bucket, and entries of indexes.
#[derive(Clone, Debug, Default)]
struct Outputs {
    places: BTreeMap<(BucketKey, OutputKey), Arc<str>>,
    parameters: BTreeMap<LookupKey, Vec<Vec<Value>>>,
}

/// Entries of an index by source row.
type Entries = BTreeMap<(String, String), Vec<Vec<Value>>>;

type OutputKey = (Arc<str>, Arc<str>);

#[derive(Clone, Debug)]
struct Content {
    checkpoint: Checkpoint,
    buckets: HashMap<BucketKey, (BucketId, Vec<Operation>)>,
    lookups: HashMap<LookupKey, Entries>,
    acknowledged: HashMap<ClientName, i64>,
}

/// What was read so far.
#[derive(Debug, Default)]
pub(super) struct Counts {
    opened: AtomicUsize,
    states: AtomicUsize,
    lookups: AtomicUsize,
}

impl Counts {
    /// Readers opened, states of buckets read, and lookups, since the last call.
    pub(super) fn take(&self) -> (usize, usize, usize) {
        let take = |count: &AtomicUsize| count.swap(0, Ordering::Relaxed);
        (take(&self.opened), take(&self.states), take(&self.lookups))
    }
}

/// The readers, with counts of what was read.
#[derive(Debug, Default)]
pub(super) struct Shared {
    content: Mutex<Option<Arc<Content>>>,
    pub(super) counts: Arc<Counts>,
    pub(super) is_broken: Arc<AtomicBool>,
    pub(super) is_broken_for_lookups: Arc<AtomicBool>,
}

#[derive(Debug)]
pub(super) struct Backend {
    pub(super) plan: Arc<LivePlan>,
    plans: Vec<Arc<LivePlan>>,
    definitions: HashMap<sync_config::Hash, DefinitionId>,
    /// What names of buckets begin with, by definition: the number of the configuration and the stream.
    prefixes: Vec<String>,
    indexes: HashMap<sync_config::Hash, IndexId>,
    rows: BTreeMap<(String, String), Vec<Value>>,
    outputs: HashMap<(String, String), Outputs>,
    content: Content,
    notice: CommitNotice,
    pub(super) shared: Arc<Shared>,
}

impl Backend {
    pub(super) fn new(yaml: &str) -> Self {
        let position = Position::from_number(0);
        let checkpoint = Checkpoint { op_id: 0, position, time: 0, source_time: None, config: ConfigId(0) };
        let plan = Arc::new(LivePlan {
            config: ConfigId(0),
            plan: compile("config: {edition: 3}\nstreams: {}\n", &CompileOptions::default()).plan.unwrap(),
            definitions: Vec::new(),
            name_prefixes: Vec::new(),
            indexes: Vec::new(),
        });
        let mut backend = Self {
            plan,
            plans: Vec::new(),
            definitions: HashMap::new(),
            prefixes: Vec::new(),
            indexes: HashMap::new(),
            rows: BTreeMap::new(),
            outputs: HashMap::new(),
            notice: CommitNotice::new(checkpoint.clone()),
            content: Content {
                checkpoint,
                buckets: HashMap::new(),
                lookups: HashMap::new(),
                acknowledged: HashMap::new(),
            },
            shared: Arc::default(),
        };
        backend.deploy(yaml);
        backend
    }

    /// Builds a configuration, keeping definitions that are equal, and activates it with the next commit.
    pub(super) fn deploy(&mut self, yaml: &str) {
        let compiled = compile(yaml, &CompileOptions::default());
        let plan = compiled.plan.unwrap_or_else(|| panic!("{:?}", compiled.diagnostics));
        let config = ConfigId(u32::try_from(self.plans.len() + 1).unwrap());
        let mut live =
            LivePlan { config, plan, definitions: Vec::new(), name_prefixes: Vec::new(), indexes: Vec::new() };
        for definition in &live.plan.definitions {
            let new = DefinitionId(u32::try_from(self.definitions.len()).unwrap());
            let id = *self.definitions.entry(definition.hash).or_insert(new);
            if id == new {
                self.prefixes.push(format!("{}#{}", self.plans.len() + 1, definition.name));
            }
            live.definitions.push(id);
            live.name_prefixes.push(self.prefixes[id.0 as usize].clone());
        }
        for index in &live.plan.indexes {
            let new = IndexId(u32::try_from(self.indexes.len()).unwrap());
            live.indexes.push(*self.indexes.entry(index.hash).or_insert(new));
        }
        self.plan = Arc::new(live);
        self.plans.push(self.plan.clone());
        self.content.checkpoint.config = config;
        self.notice.activated = Some(self.plan.clone());
        for ((table, id), row) in self.rows.clone() {
            self.write(&table, &id, Some(row));
        }
    }

    /// The name of a bucket of a stream: `key` is a JSON array.
    pub(super) fn bucket(&self, stream: &str, key: &str) -> String {
        let stream = self.plan.plan.streams.iter().find(|other| other.name == stream).unwrap();
        self.plan.bucket_name(stream.queriers[0].definition, key)
    }

    /// Writes or deletes (`None`) a row; the first value is the id.
    pub(super) fn set(&mut self, table: &str, id: &str, rest: Option<&[&str]>) {
        let row = rest.map(|rest| std::iter::once(id).chain(rest.iter().copied()).map(Value::from).collect());
        self.write(table, id, row);
    }

    fn write(&mut self, table: &str, id: &str, row: Option<Vec<Value>>) {
        let place = (table.to_owned(), id.to_owned());
        let before = self.outputs.remove(&place).unwrap_or_default();
        let after = row.as_ref().map(|row| self.evaluate(table, row)).unwrap_or_default();
        for ((bucket, output), _) in before.places.iter().filter(|(key, _)| !after.places.contains_key(*key)) {
            self.operation(bucket, OpKind::Remove { row: output_row(output, &place) });
        }
        for ((bucket, output), data) in &after.places {
            if before.places.get(&(bucket.clone(), output.clone())) != Some(data) {
                self.operation(bucket, OpKind::Put { row: output_row(output, &place), data: data.clone() });
            }
        }
        let keys = before.parameters.keys().chain(after.parameters.keys());
        let text = |outputs: Option<&Vec<Vec<Value>>>| format!("{outputs:?}");
        let changed: Vec<LookupKey> =
            keys.filter(|key| text(before.parameters.get(*key)) != text(after.parameters.get(*key))).cloned().collect();
        for key in changed {
            let entries = self.content.lookups.entry(key.clone()).or_default();
            match after.parameters.get(&key) {
                Some(outputs) => entries.insert(place.clone(), outputs.clone()),
                None => entries.remove(&place),
            };
            let changed = ChangedLookup { index: key.0, key: key.1 };
            if !self.notice.lookups.contains(&changed) {
                self.notice.lookups.push(changed);
            }
        }
        match row {
            Some(row) => {
                self.rows.insert(place.clone(), row);
                self.outputs.insert(place, after);
            }
            None => {
                self.rows.remove(&place);
            }
        }
    }

    fn evaluate(&self, table: &str, row: &[Value]) -> Outputs {
        let columns: Vec<String> =
            TABLES.iter().find(|(name, _)| *name == table).unwrap().1.iter().map(|name| (*name).to_owned()).collect();
        let name = TableName { connection: None, schema: "public", table };
        let mut outputs = Outputs::default();
        for plan in &self.plans {
            let bound = plan.plan.bind(&name, &Layout { columns: &columns, missing: MissingColumn::Mistake });
            let result = bound.evaluate(row);
            for entry in result.buckets {
                let bucket = (plan.definitions[entry.definition], entry.key);
                outputs.places.insert((bucket, (entry.table, entry.id)), entry.data);
            }
            let mut parameters: BTreeMap<LookupKey, Vec<Vec<Value>>> = BTreeMap::new();
            for entry in result.parameters {
                let key = (plan.indexes[entry.index], entry.key.into());
                parameters.entry(key).or_default().push(entry.outputs);
            }
            outputs.parameters.extend(parameters);
        }
        outputs
    }

    fn operation(&mut self, bucket: &BucketKey, kind: OpKind) {
        self.content.checkpoint.op_id += 1;
        let op_id = self.content.checkpoint.op_id;
        let number = i64::try_from(self.content.buckets.len()).unwrap();
        let (id, operations) =
            self.content.buckets.entry(bucket.clone()).or_insert_with(|| (BucketId(number), Vec::new()));
        let checksum = format!("{op_id} {kind:?}")
            .bytes()
            .fold(2_166_136_261, |hash: u32, byte| (hash ^ u32::from(byte)).wrapping_mul(16_777_619));
        operations.push(Operation { bucket: *id, op_id, kind, checksum });
        let changed = ChangedBucket { definition: bucket.0, key: bucket.1.clone(), bucket: *id };
        if !self.notice.buckets.contains(&changed) {
            self.notice.buckets.push(changed);
        }
    }

    /// The last operation.
    pub(super) fn op_id(&self) -> OpId {
        self.content.checkpoint.op_id
    }

    /// Superseded operations become MOVE, and those without a row at the beginning one CLEAR.
    pub(super) fn compact(&mut self) {
        for (_, operations) in self.content.buckets.values_mut() {
            let mut seen = std::collections::HashSet::new();
            for operation in operations.iter_mut().rev() {
                let row = match &operation.kind {
                    OpKind::Put { row, .. } | OpKind::Remove { row } => row.clone(),
                    _ => continue,
                };
                if !seen.insert(row) {
                    operation.kind = OpKind::Move;
                }
            }
            let is_row = |operation: &Operation| matches!(operation.kind, OpKind::Put { .. });
            let dead = operations.iter().position(is_row).unwrap_or(operations.len());
            if dead > 1 {
                let checksum = operations[..dead].iter().fold(0, |sum: u32, each| sum.wrapping_add(each.checksum));
                operations.drain(..dead - 1);
                operations[0].kind = OpKind::Clear;
                operations[0].checksum = checksum;
            }
        }
    }

    pub(super) fn acknowledge(&mut self, user: &str, client: &str, id: i64) {
        let name = ClientName { user: user.into(), client: client.into() };
        self.content.acknowledged.insert(name.clone(), id);
        self.notice.write_checkpoints.push(name);
    }

    /// Forgets that anything was acknowledged.
    pub(super) fn forget_acknowledged(&mut self) {
        self.content.acknowledged.clear();
    }

    /// As before the first checkpoint.
    pub(super) fn forget_checkpoint(&mut self) {
        *self.shared.content.lock().unwrap() = None;
    }

    /// Makes a checkpoint that readers see, and gives its notice.
    pub(super) fn commit(&mut self) -> CommitNotice {
        let position = self.content.checkpoint.position.number().unwrap() + 1;
        self.content.checkpoint.position = Position::from_number(position);
        self.content.checkpoint.time += 1;
        self.notice.checkpoint = self.content.checkpoint.clone();
        *self.shared.content.lock().unwrap() = Some(Arc::new(self.content.clone()));
        std::mem::replace(&mut self.notice, CommitNotice::new(self.content.checkpoint.clone()))
    }

    /// What a new client of the plan sees: rows by bucket name, for comparison with a model.
    pub(super) fn rows(&self, bucket: &str) -> BTreeMap<(String, String), String> {
        let mut rows = BTreeMap::new();
        for ((definition, key), (_, operations)) in &self.content.buckets {
            if format!("{}{key}", self.prefixes[definition.0 as usize]) != bucket {
                continue;
            }
            for operation in operations {
                match &operation.kind {
                    OpKind::Put { row, data } => {
                        rows.insert((row.object_type.to_string(), row.object_id.to_string()), data.to_string());
                    }
                    OpKind::Remove { row } => {
                        rows.remove(&(row.object_type.to_string(), row.object_id.to_string()));
                    }
                    OpKind::Clear => rows.clear(),
                    OpKind::Move => {}
                }
            }
        }
        rows
    }
}

fn output_row(output: &OutputKey, place: &(String, String)) -> OutputRow {
    let subkey = format!("{}/{}", place.0, place.1).into();
    OutputRow { object_type: output.0.clone(), object_id: output.1.clone(), subkey }
}

impl Readers for Shared {
    fn latest(&self) -> Result<Option<Box<dyn Reader>>, StoreError> {
        self.counts.opened.fetch_add(1, Ordering::Relaxed);
        if self.is_broken.load(Ordering::Relaxed) {
            return Err(StoreError::Unavailable("the disk is gone".to_owned()));
        }
        let content = self.content.lock().unwrap().clone();
        Ok(content.map(|content| {
            let (is_broken, for_lookups) = (self.is_broken.clone(), self.is_broken_for_lookups.clone());
            Box::new(View { content, counts: self.counts.clone(), is_broken, for_lookups }) as Box<dyn Reader>
        }))
    }

    fn oldest_pin(&self) -> OpId {
        0
    }
}

struct View {
    content: Arc<Content>,
    counts: Arc<Counts>,
    is_broken: Arc<AtomicBool>,
    for_lookups: Arc<AtomicBool>,
}

impl View {
    fn check(&self, also: bool) -> Result<(), StoreError> {
        if self.is_broken.load(Ordering::Relaxed) || also {
            return Err(StoreError::Unavailable("the disk is gone".to_owned()));
        }
        Ok(())
    }
}

impl Reader for View {
    fn checkpoint(&self) -> &Checkpoint {
        &self.content.checkpoint
    }

    fn buckets(&self, keys: &[(DefinitionId, Arc<str>)]) -> Result<Vec<BucketState>, StoreError> {
        self.check(false)?;
        self.counts.states.fetch_add(keys.len(), Ordering::Relaxed);
        let state = |(id, operations): &(BucketId, Vec<Operation>)| BucketState {
            id: Some(*id),
            last_op: operations.last().unwrap().op_id,
            count: i64::try_from(operations.len()).unwrap(),
            checksum: operations.iter().fold(0, |sum: u32, operation| sum.wrapping_add(operation.checksum)),
        };
        Ok(keys.iter().map(|key| self.content.buckets.get(key).map(state).unwrap_or_default()).collect())
    }

    fn operations(&self, bucket: BucketId, after: OpId, limit: PageLimit) -> Result<Page, StoreError> {
        self.check(false)?;
        let (_, operations) = self.content.buckets.values().find(|(id, _)| *id == bucket).unwrap();
        let mut page = Page::default();
        let mut bytes = 0;
        for operation in operations.iter().filter(|operation| operation.op_id > after) {
            let size = if let OpKind::Put { data, .. } = &operation.kind { data.len() } else { 0 };
            let is_full = page.operations.len() >= limit.operations || bytes + size > limit.bytes;
            if is_full && !page.operations.is_empty() {
                break;
            }
            bytes += size;
            page.operations.push(operation.clone());
        }
        // Like a store that does not look one operation ahead.
        page.has_more = page.operations.len() >= limit.operations
            || page.operations.last().is_some_and(|last| last.op_id < operations.last().unwrap().op_id);
        Ok(page)
    }

    fn lookup(&self, index: IndexId, key: &str, rows: &mut Vec<Vec<Value>>) -> Result<(), StoreError> {
        self.check(self.for_lookups.load(Ordering::Relaxed))?;
        self.counts.lookups.fetch_add(1, Ordering::Relaxed);
        if let Some(entries) = self.content.lookups.get(&(index, Arc::from(key))) {
            rows.extend(entries.values().flatten().cloned());
        }
        Ok(())
    }

    fn write_checkpoint(&self, user: &str, client: &str) -> Result<Option<i64>, StoreError> {
        self.check(false)?;
        Ok(self.content.acknowledged.get(&ClientName { user: user.into(), client: client.into() }).copied())
    }
}
