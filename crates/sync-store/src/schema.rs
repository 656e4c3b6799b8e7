//! The tables of the file.

/// Marks the file as a store of this service: `rwts`.
pub(crate) const APPLICATION_ID: i32 = 0x7277_7473;

/// The format of the tables. A file with a larger number was written by a newer version.
pub(crate) const FORMAT: i32 = 1;

/// All tables of a new file.
///
/// - `seq` numbers commits. Parameters are versioned by it, since they can change without an operation.
/// - Operations are clustered by bucket, as they are read. What replaces an operation is in `superseded`, so that a commit
///   does not rewrite old pages; compaction empties that table.
/// - `cleared` has what a bucket was before all its rows were removed at once, while readers may need it.
/// - The keys of parameter indexes are part of the primary key rather than interned, which saves a search for each lookup
///   and each entry written. With one entry a key that is 27 % smaller, with ten 27 % larger (`examples/measure.rs`).
pub(crate) const TABLES: &str = "
CREATE TABLE state(
    id INTEGER PRIMARY KEY CHECK (id = 1),
    instance TEXT NOT NULL,
    seq INTEGER NOT NULL,
    next_op_id INTEGER NOT NULL,
    next_ids TEXT NOT NULL,
    position BLOB
) STRICT;
CREATE TABLE checkpoint(
    seq INTEGER PRIMARY KEY,
    op_id INTEGER NOT NULL,
    position BLOB NOT NULL,
    time INTEGER NOT NULL,
    source_time INTEGER,
    config INTEGER NOT NULL
) STRICT;
CREATE TABLE source_table(id INTEGER PRIMARY KEY, description TEXT NOT NULL, state TEXT NOT NULL) STRICT;
CREATE TABLE config(
    id INTEGER PRIMARY KEY,
    yaml TEXT NOT NULL,
    plan TEXT NOT NULL,
    state TEXT NOT NULL,
    times TEXT NOT NULL
) STRICT;
CREATE TABLE definition(
    id INTEGER PRIMARY KEY,
    hash BLOB NOT NULL,
    name_prefix TEXT NOT NULL,
    state TEXT NOT NULL,
    dropped_seq INTEGER
) STRICT;
CREATE TABLE parameter_index(
    id INTEGER PRIMARY KEY,
    hash BLOB NOT NULL,
    state TEXT NOT NULL,
    dropped_seq INTEGER
) STRICT;
CREATE TABLE job(
    id INTEGER PRIMARY KEY,
    source_table INTEGER NOT NULL,
    definitions TEXT NOT NULL,
    indexes TEXT NOT NULL,
    next BLOB,
    row_count INTEGER NOT NULL,
    barrier BLOB,
    is_read INTEGER NOT NULL
) STRICT;
CREATE TABLE touched(job INTEGER NOT NULL, key BLOB NOT NULL, PRIMARY KEY (job, key)) STRICT, WITHOUT ROWID;
CREATE TABLE object_type(id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE) STRICT;
CREATE TABLE bucket(
    id INTEGER PRIMARY KEY,
    definition INTEGER NOT NULL,
    key TEXT NOT NULL,
    last_op INTEGER NOT NULL DEFAULT 0,
    op_count INTEGER NOT NULL DEFAULT 0,
    checksum INTEGER NOT NULL DEFAULT 0,
    size INTEGER NOT NULL DEFAULT 0
) STRICT;
CREATE UNIQUE INDEX bucket_key ON bucket(definition, key);
CREATE TABLE op(
    bucket INTEGER NOT NULL,
    op_id INTEGER NOT NULL,
    kind INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    object_type INTEGER,
    object_id TEXT,
    subkey TEXT,
    data TEXT,
    PRIMARY KEY (bucket, op_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE superseded(
    bucket INTEGER NOT NULL,
    op_id INTEGER NOT NULL,
    by_op INTEGER NOT NULL,
    PRIMARY KEY (bucket, op_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE cleared(
    bucket INTEGER NOT NULL,
    at_op INTEGER NOT NULL,
    last_op INTEGER NOT NULL,
    op_count INTEGER NOT NULL,
    checksum INTEGER NOT NULL,
    PRIMARY KEY (bucket, at_op)
) STRICT, WITHOUT ROWID;
CREATE TABLE row_state(
    source_table INTEGER NOT NULL,
    key BLOB NOT NULL,
    state BLOB NOT NULL,
    PRIMARY KEY (source_table, key)
) STRICT, WITHOUT ROWID;
CREATE TABLE parameter(
    index_id INTEGER NOT NULL,
    key TEXT NOT NULL,
    source_table INTEGER NOT NULL,
    row_key BLOB NOT NULL,
    hash INTEGER NOT NULL,
    from_seq INTEGER NOT NULL,
    to_seq INTEGER,
    outputs BLOB NOT NULL,
    PRIMARY KEY (index_id, key, source_table, row_key, hash, from_seq)
) STRICT, WITHOUT ROWID;
CREATE INDEX parameter_closed ON parameter(to_seq) WHERE to_seq IS NOT NULL;
CREATE TABLE write_checkpoint(
    user TEXT NOT NULL,
    client TEXT NOT NULL,
    id INTEGER NOT NULL,
    head BLOB NOT NULL,
    requested_at INTEGER NOT NULL,
    PRIMARY KEY (user, client, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX write_checkpoint_time ON write_checkpoint(requested_at);
";

/// What `op.kind` says.
pub(crate) mod kind {
    pub(crate) const PUT: i64 = 1;
    pub(crate) const REMOVE: i64 = 2;
    pub(crate) const MOVE: i64 = 3;
    pub(crate) const CLEAR: i64 = 4;
}
