//! What a store keeps: batches in, a consistent view at a checkpoint out.
//!
//! There is one [`Store`] for each deployment, used by the writer alone, and any number of [`Reader`]s on other threads. All
//! calls block. Names follow the contract's logical schema.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use sync_config::{Hash, Value};

use crate::live::{ConfigId, ConfigRecord, DefinitionId, IndexId};
use crate::row::{Position, RowKey, SourceTable};

/// Number of an operation. They grow over all buckets, and never go back.
pub type OpId = i64;

/// Number of a table generation in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct TableId(pub u32);

/// Number of a bucket in the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct BucketId(pub i64);

/// Number of a snapshot job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct JobId(pub u32);

/// The writer's half of a store.
pub trait Store: Send {
    /// Everything that the writer keeps in memory. Called once, before all else.
    ///
    /// # Errors
    /// The store cannot be read, or has a format that this version does not know.
    fn load(&mut self) -> Result<Stored, StoreError>;

    /// What the rows with these keys have given so far; nothing for unknown ones. One for each key, in their order.
    ///
    /// # Errors
    /// The store cannot be read.
    fn row_states(&mut self, keys: &[(TableId, RowKey)]) -> Result<Vec<RowState>, StoreError>;

    /// Rows of a table in the order of their keys.
    ///
    /// # Errors
    /// The store cannot be read.
    fn rows_of_table(
        &mut self,
        table: TableId,
        after: Option<&RowKey>,
        limit: usize,
    ) -> Result<Vec<(RowKey, RowState)>, StoreError>;

    /// The buckets with these keys; none for those that do not exist. One for each, in their order.
    ///
    /// # Errors
    /// The store cannot be read.
    fn find_buckets(&mut self, keys: &[(DefinitionId, Arc<str>)]) -> Result<Vec<Option<BucketId>>, StoreError>;

    /// The keys of these buckets; none for those that do not exist. One for each, in their order.
    ///
    /// # Errors
    /// The store cannot be read.
    fn bucket_keys(&mut self, buckets: &[BucketId]) -> Result<Vec<Option<Arc<str>>>, StoreError>;

    /// Which of the keys the stream has touched since the job began.
    ///
    /// # Errors
    /// The store cannot be read.
    fn touched(&mut self, job: JobId, keys: &[RowKey]) -> Result<Vec<bool>, StoreError>;

    /// Writes a batch in one transaction: all of it or nothing.
    ///
    /// # Errors
    /// Nothing was written. The writer loads again and begins at the last position.
    fn commit(&mut self, batch: &Batch) -> Result<(), StoreError>;

    /// Makes old operations smaller or removes them where no reader can see the difference, about `budget` operations
    /// in one transaction. `oldest_pin`: operations superseded up to it are needed by nobody.
    ///
    /// # Errors
    /// Nothing was changed.
    fn compact(&mut self, oldest_pin: OpId, budget: usize) -> Result<Compacted, StoreError>;

    /// For connections, on other threads.
    fn readers(&self) -> Arc<dyn Readers>;
}

/// Gives readers, on any thread.
pub trait Readers: Send + Sync {
    /// A reader pinned at the newest checkpoint; none if there is no checkpoint yet.
    ///
    /// # Errors
    /// The store cannot be read.
    fn latest(&self) -> Result<Option<Box<dyn Reader>>, StoreError>;

    /// The operation id of the oldest checkpoint that a reader is pinned at, or of the newest one.
    fn oldest_pin(&self) -> OpId;

    /// How many bytes the store takes, if that is known.
    fn size(&self) -> Option<u64> {
        None
    }

    /// How much there is of each bucket definition, about as of the newest checkpoint; none if the store does not count.
    ///
    /// # Errors
    /// The store cannot be read.
    fn definition_sizes(&self) -> Result<Option<Vec<DefinitionSize>>, StoreError> {
        Ok(None)
    }

    /// Some buckets of a definition, the largest first, likewise. `skipped` of them come before these.
    ///
    /// # Errors
    /// The store cannot be read.
    fn bucket_sizes(
        &self,
        definition: DefinitionId,
        skipped: usize,
        limit: usize,
    ) -> Result<Option<Vec<BucketSize>>, StoreError> {
        let _ = (definition, skipped, limit);
        Ok(None)
    }
}

/// A view of one checkpoint, which stays the same while it exists, whatever is written or compacted.
pub trait Reader: Send {
    /// The checkpoint.
    fn checkpoint(&self) -> &Checkpoint;

    /// The state of these buckets at the checkpoint, one for each, in their order. A bucket that does not exist is empty.
    ///
    /// # Errors
    /// The store cannot be read.
    fn buckets(&self, keys: &[(DefinitionId, Arc<str>)]) -> Result<Vec<BucketState>, StoreError>;

    /// Operations of a bucket after an operation id, up to the checkpoint, in order. Superseded ones come as
    /// [`OpKind::Move`], a compacted beginning as one [`OpKind::Clear`].
    ///
    /// # Errors
    /// The store cannot be read.
    fn operations(&self, bucket: BucketId, after: OpId, limit: PageLimit) -> Result<Page, StoreError>;

    /// Appends the outputs of all entries of a parameter index with this key.
    ///
    /// # Errors
    /// The store cannot be read.
    fn lookup(&self, index: IndexId, key: &str, rows: &mut Vec<Vec<Value>>) -> Result<(), StoreError>;

    /// The id that the service acknowledges to a client at this checkpoint. One that is requested later counts too, if the
    /// checkpoint has reached its head.
    ///
    /// # Errors
    /// The store cannot be read.
    fn write_checkpoint(&self, user: &str, client: &str) -> Result<Option<i64>, StoreError>;
}

/// What the writer finds in a store.
#[derive(Clone, Debug, Default)]
pub struct Stored {
    /// A random name of this storage, which ids of another one cannot be confused with.
    pub instance: String,
    /// The next operation id. Larger than all that were ever committed, also in transactions that are still open.
    pub next_op_id: OpId,
    /// The next number of a bucket, table, job, definition, index and configuration.
    pub next_ids: NextIds,
    /// The newest checkpoint.
    pub checkpoint: Option<Checkpoint>,
    /// Where the source's stream continues. None before the first snapshot has begun.
    pub position: Option<Position>,
    /// Table generations.
    pub tables: Vec<TableRecord>,
    /// Configurations that are not deleted.
    pub configs: Vec<ConfigRecord>,
    /// Bucket definitions that have or will have rows.
    pub definitions: Vec<DefinitionRecord>,
    /// Parameter indexes that have or will have entries.
    pub indexes: Vec<IndexRecord>,
    /// Unfinished snapshot jobs.
    pub jobs: Vec<JobRecord>,
    /// Write checkpoints that wait for their position.
    pub waiting_write_checkpoints: Vec<WriteCheckpoint>,
}

/// The next number of each kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[allow(missing_docs, reason = "named as what they number")]
pub struct NextIds {
    pub bucket: i64,
    pub table: u32,
    pub job: u32,
    pub definition: u32,
    pub index: u32,
    pub config: u32,
}

/// What is written in one transaction.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Buckets that did not exist before.
    pub new_buckets: Vec<NewBucket>,
    /// New operations, in the order of their ids.
    pub operations: Vec<Operation>,
    /// Older operations that newer ones replace, also ones of this batch.
    pub superseded: Vec<Superseded>,
    /// What changes in the state of each bucket with new operations.
    pub buckets: Vec<BucketChange>,
    /// Buckets whose operations are all gone except those of this batch, which begin with a CLEAR.
    pub cleared_buckets: Vec<BucketId>,
    /// What rows have given; an empty state deletes the row's.
    pub row_states: Vec<(TableId, RowKey, RowState)>,
    /// Entries of parameter indexes that end with this batch. They began in earlier batches, each is named once, and they end
    /// before [`Batch::new_parameters`] begin.
    pub closed_parameters: Vec<ParameterPlace>,
    /// Entries that begin.
    pub new_parameters: Vec<NewParameter>,
    /// New or changed table generations.
    pub tables: Vec<TableRecord>,
    /// New or changed configurations.
    pub configs: Vec<ConfigRecord>,
    /// New or changed bucket definitions. With the state `Dropping`, the store deletes their content in the background.
    pub definitions: Vec<DefinitionRecord>,
    /// New or changed parameter indexes, likewise.
    pub indexes: Vec<IndexRecord>,
    /// New or changed jobs.
    pub jobs: Vec<JobRecord>,
    /// Jobs that are done, with their touched keys.
    pub finished_jobs: Vec<JobId>,
    /// Keys that the stream touches while jobs run.
    pub touched: Vec<(JobId, RowKey)>,
    /// Requested write checkpoints. A client is acknowledged the largest id whose head is reached; an id that is requested
    /// again keeps the earlier head.
    pub write_checkpoints: Vec<WriteCheckpoint>,
    /// Requests made before this time (µs) are forgotten, if given.
    pub forget_requests_before: Option<i64>,
    /// The next numbers after this batch.
    pub next_ids: NextIds,
    /// The next operation id after this batch.
    pub next_op_id: OpId,
    /// Where the stream continues after a crash. None while a source transaction is open.
    pub position: Option<Position>,
    /// The checkpoint that makes everything up to now visible. None while a source transaction is open.
    pub checkpoint: Option<Checkpoint>,
}

/// A consistent state of all buckets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The last operation in it.
    pub op_id: OpId,
    /// The state of the source that it shows.
    pub position: Position,
    /// When it was made, in µs since 1970.
    pub time: i64,
    /// When its last source transaction was committed, in µs since 1970, if known.
    pub source_time: Option<i64>,
    /// The configuration that requests are evaluated with.
    pub config: ConfigId,
}

/// A table generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableRecord {
    /// Its number.
    pub id: TableId,
    /// What the source says of it.
    pub table: SourceTable,
    /// What is known of it.
    pub state: TableState,
}

/// What is known of a table.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum TableState {
    /// Its changes are followed.
    Live,
    /// It is gone from the source, and its rows are being removed.
    Gone,
}

/// A stored bucket definition.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DefinitionRecord {
    /// Its number.
    pub id: DefinitionId,
    /// The content hash of its plan's definition.
    pub hash: Hash,
    /// What names of its buckets begin with; the key follows.
    pub name_prefix: String,
    /// How far it is.
    pub state: ContentState,
}

/// A stored parameter index.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IndexRecord {
    /// Its number.
    pub id: IndexId,
    /// The content hash of its plan's index.
    pub hash: Hash,
    /// How far it is.
    pub state: ContentState,
}

/// How far the content of a definition or index is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ContentState {
    /// Snapshots of its tables are being read.
    Snapshotting,
    /// It has all rows.
    Ready,
    /// Nobody needs it any more.
    Dropping,
}

/// A snapshot of a table that is being read for new definitions and indexes.
#[derive(Clone, Debug)]
pub struct JobRecord {
    /// Its number.
    pub id: JobId,
    /// Which table.
    pub table: TableId,
    /// For these definitions.
    pub definitions: Vec<DefinitionId>,
    /// For these indexes.
    pub indexes: Vec<IndexId>,
    /// Behind the last row read; none at the beginning.
    pub next: Option<Vec<Value>>,
    /// How many rows were read.
    pub rows: u64,
    /// The largest position that a chunk was read at: consistent from there on.
    pub barrier: Option<Position>,
    /// Whether all rows were read.
    pub is_read: bool,
}

/// A bucket that is new.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewBucket {
    /// Its number.
    pub id: BucketId,
    /// The definition that it is of.
    pub definition: DefinitionId,
    /// Its key, a JSON array.
    pub key: Arc<str>,
}

/// What new operations change in a bucket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BucketChange {
    /// Which one.
    pub bucket: BucketId,
    /// The last operation.
    pub last_op: OpId,
    /// How many are added.
    pub count: i64,
    /// The sum of their checksums, which wraps.
    pub checksum: u32,
    /// Bytes of their data.
    pub size: i64,
}

/// How much there is of a bucket definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DefinitionSize {
    /// Which one.
    pub definition: DefinitionId,
    /// Buckets with operations.
    pub buckets: i64,
    /// Their operations.
    pub operations: i64,
    /// Bytes of data that were written, also of operations that newer ones have replaced.
    pub bytes: i64,
    /// Rows in them; none if there are more than [`MOST_COUNTED`] operations.
    pub rows: Option<i64>,
}

/// Rows are counted among at most so many operations, because each of them is looked at.
pub const MOST_COUNTED: i64 = 100_000;

/// How much there is of a bucket.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketSize {
    /// Its key, a JSON array.
    pub key: Arc<str>,
    /// The last operation.
    pub last_op: OpId,
    /// Operations.
    pub operations: i64,
    /// Bytes of data that were written, also of operations that newer ones have replaced.
    pub bytes: i64,
    /// Rows in it; none if there are more than [`MOST_COUNTED`] operations.
    pub rows: Option<i64>,
}

/// A bucket as of a checkpoint.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct BucketState {
    /// None if it does not exist, and is empty.
    pub id: Option<BucketId>,
    /// The last operation.
    pub last_op: OpId,
    /// How many operations there are. It becomes smaller when a beginning of the bucket becomes one CLEAR, also for readers
    /// that exist.
    pub count: i64,
    /// The sum of their checksums, which wraps.
    pub checksum: u32,
}

/// An operation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Operation {
    /// Of which bucket.
    pub bucket: BucketId,
    /// Its id.
    pub op_id: OpId,
    /// What it does.
    pub kind: OpKind,
    /// Its checksum.
    pub checksum: u32,
}

/// What an operation does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum OpKind {
    /// A row as it is now.
    Put {
        /// Which row.
        row: OutputRow,
        /// The row as a JSON object.
        data: Arc<str>,
    },
    /// A row is not in the bucket any more.
    Remove {
        /// Which row.
        row: OutputRow,
    },
    /// An operation without meaning except for its checksum.
    Move,
    /// All operations before it have no meaning any more.
    Clear,
}

/// A row in a bucket.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct OutputRow {
    /// Table on the client.
    pub object_type: Arc<str>,
    /// Id on the client.
    pub object_id: Arc<str>,
    /// What tells source rows with one type and id apart.
    pub subkey: Arc<str>,
}

/// An operation that is replaced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Superseded {
    /// In which bucket.
    pub bucket: BucketId,
    /// The older operation.
    pub op_id: OpId,
    /// The operation that replaces it.
    pub by: OpId,
}

/// Everything that a source row has given so far.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct RowState {
    /// Rows in buckets.
    pub places: Vec<Place>,
    /// Entries of parameter indexes.
    pub parameters: Vec<StoredParameter>,
    /// Values that the source does not send again while they are unchanged: column number and value.
    pub unsent: Vec<(u32, Value)>,
}

impl RowState {
    /// Whether there is nothing to keep.
    pub fn is_empty(&self) -> bool {
        self.places.is_empty() && self.parameters.is_empty() && self.unsent.is_empty()
    }
}

/// A row in a bucket, as the writer remembers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// Of which definition.
    pub definition: DefinitionId,
    /// In which bucket.
    pub bucket: BucketId,
    /// Table on the client.
    pub object_type: Arc<str>,
    /// Id on the client.
    pub object_id: Arc<str>,
    /// The last operation.
    pub op_id: OpId,
    /// Hash of its data.
    pub hash: u64,
}

/// An entry of a parameter index, as the writer remembers it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StoredParameter {
    /// Of which index.
    pub index: IndexId,
    /// Its key, a JSON array.
    pub key: Arc<str>,
    /// Hash of its outputs.
    pub hash: u64,
}

/// Identifies an entry of a parameter index.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ParameterPlace {
    /// Of which index.
    pub index: IndexId,
    /// Its key, a JSON array.
    pub key: Arc<str>,
    /// Of which source row.
    pub row: (TableId, RowKey),
    /// Hash of its outputs: a row can have several entries with one key.
    pub hash: u64,
}

/// An entry of a parameter index that begins.
#[derive(Clone, Debug)]
pub struct NewParameter {
    /// Which one.
    pub place: ParameterPlace,
    /// Its values.
    pub outputs: Vec<Value>,
}

/// An acknowledgement that a client has asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WriteCheckpoint {
    /// The user, as the token names them.
    pub user: String,
    /// The client; empty if it gave no id.
    pub client: String,
    /// What is acknowledged.
    pub id: i64,
    /// From this position on.
    pub head: Position,
    /// When, in µs since 1970; the largest number for one that is never forgotten.
    pub requested_at: i64,
}

/// How much of a bucket is read at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageLimit {
    /// At most this many operations.
    pub operations: usize,
    /// About this many bytes of data; one operation in any case.
    pub bytes: usize,
}

/// Some operations of a bucket.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Page {
    /// In order.
    pub operations: Vec<Operation>,
    /// Whether there may be more up to the checkpoint.
    pub has_more: bool,
}

/// What a call of [`Store::compact`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Compacted {
    /// Operations that became MOVE, went into a CLEAR, or were deleted with their definition.
    pub operations: usize,
    /// Whether there is more to do.
    pub has_more: bool,
}

/// Why a store failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreError {
    /// For now: the disk is full, the file is locked, the database cannot be reached.
    Unavailable(String),
    /// Another process writes to it.
    InUse(String),
    /// What is stored is not what this version writes.
    Invalid(String),
}

impl std::fmt::Display for StoreError {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unavailable(message) | Self::InUse(message) | Self::Invalid(message) => formatter.write_str(message),
        }
    }
}

impl std::error::Error for StoreError {}
