//! The tables of the schema.
//!
//! Each bucket definition has two tables of its own, `op_N` and `superseded_N`. They are addressed by name rather than as
//! partitions of one table: a statement on a partitioned table locks all its partitions, and dropping a definition is then
//! `DROP TABLE` all the same.

/// The format of the tables. A schema with a larger number was written by a newer version.
pub(super) const FORMAT: i32 = 1;

/// All tables of a new schema, except for those of definitions.
///
/// - Names, keys and rows are bytes: texts of PostgreSQL can have no U+0000.
/// - Long keys are shortened, because entries of its indexes may not have more than a third of a page (`keys`).
/// - `seq` numbers commits. Parameters are versioned by it, since they can change without an operation.
/// - Tables whose rows are updated have room in their pages, so that the new version needs no new entry in the index.
/// - `lease` says what each process still reads. What is superseded later than the oldest of them stays.
/// - `notice` says what has changed between two checkpoints, for a minute or so.
/// - `request` is what processes ask of the one that writes.
pub(super) const TABLES: &str = "
CREATE TABLE format(version int NOT NULL);
CREATE TABLE state(
    id int PRIMARY KEY CHECK (id = 1),
    instance text NOT NULL,
    seq bigint NOT NULL,
    next_op_id bigint NOT NULL,
    next_ids text NOT NULL,
    position bytea,
    writer_status bytea
) WITH (fillfactor = 10);
CREATE TABLE checkpoint(
    seq bigint PRIMARY KEY,
    op_id bigint NOT NULL,
    position bytea NOT NULL,
    time bigint NOT NULL,
    source_time bigint,
    config bigint NOT NULL
);
CREATE TABLE notice(
    seq bigint PRIMARY KEY,
    previous bigint NOT NULL,
    changes bytea,
    users bytea[],
    clients bytea[],
    at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE TABLE source_table(id bigint PRIMARY KEY, description bytea NOT NULL, state text NOT NULL);
CREATE TABLE config(
    id bigint PRIMARY KEY,
    yaml bytea NOT NULL,
    plan bytea NOT NULL,
    state bytea NOT NULL,
    times text NOT NULL
);
CREATE TABLE definition(
    id bigint PRIMARY KEY,
    hash bytea NOT NULL,
    name_prefix bytea NOT NULL,
    state text NOT NULL,
    dropped_seq bigint
);
CREATE TABLE parameter_index(
    id bigint PRIMARY KEY,
    hash bytea NOT NULL,
    state text NOT NULL,
    dropped_seq bigint
);
CREATE TABLE job(
    id bigint PRIMARY KEY,
    source_table bigint NOT NULL,
    definitions text NOT NULL,
    indexes text NOT NULL,
    next bytea,
    row_count bigint NOT NULL,
    barrier bytea,
    is_read boolean NOT NULL
) WITH (fillfactor = 30);
CREATE TABLE touched(job bigint, key bytea, PRIMARY KEY (job, key));
CREATE TABLE object_type(id int PRIMARY KEY, name bytea NOT NULL);
CREATE TABLE bucket(
    id bigint PRIMARY KEY,
    definition bigint NOT NULL,
    last_op bigint NOT NULL DEFAULT 0,
    op_count bigint NOT NULL DEFAULT 0,
    checksum bigint NOT NULL DEFAULT 0,
    size bigint NOT NULL DEFAULT 0,
    key bytea NOT NULL,
    long_key bytea
) WITH (fillfactor = 70);
CREATE UNIQUE INDEX bucket_key ON bucket(definition, key);
CREATE TABLE cleared(
    bucket bigint NOT NULL,
    at_op bigint NOT NULL,
    last_op bigint NOT NULL,
    op_count bigint NOT NULL,
    checksum bigint NOT NULL,
    PRIMARY KEY (bucket, at_op)
);
CREATE TABLE row_state(
    source_table bigint NOT NULL,
    key bytea NOT NULL,
    state bytea NOT NULL,
    long_key bytea,
    PRIMARY KEY (source_table, key)
) WITH (fillfactor = 80);
CREATE TABLE parameter(
    index_id bigint NOT NULL,
    source_table bigint NOT NULL,
    hash bigint NOT NULL,
    from_seq bigint NOT NULL,
    to_seq bigint,
    key bytea NOT NULL,
    row_key bytea NOT NULL,
    outputs bytea NOT NULL,
    PRIMARY KEY (index_id, key, source_table, row_key, hash, from_seq)
);
CREATE INDEX parameter_closed ON parameter(to_seq) WHERE to_seq IS NOT NULL;
CREATE TABLE write_checkpoint(
    who bytea NOT NULL,
    id bigint NOT NULL,
    requested_at bigint NOT NULL,
    head bytea NOT NULL,
    user_name bytea NOT NULL,
    client bytea NOT NULL,
    PRIMARY KEY (who, id)
);
CREATE INDEX write_checkpoint_time ON write_checkpoint(requested_at);
CREATE INDEX write_checkpoint_head ON write_checkpoint(head);
CREATE TABLE lease(
    id bigserial PRIMARY KEY,
    is_writer boolean NOT NULL,
    name text NOT NULL,
    seq bigint NOT NULL,
    op_id bigint NOT NULL,
    position bytea NOT NULL,
    refreshed timestamptz NOT NULL DEFAULT clock_timestamp()
) WITH (fillfactor = 30);
CREATE TABLE request(
    lease bigint NOT NULL,
    number bigint NOT NULL,
    body bytea NOT NULL,
    answer bytea,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (lease, number)
);
CREATE INDEX request_open ON request(at) WHERE answer IS NULL;
";

/// The tables of a definition: `op_N` has its operations, `superseded_N` what replaces them, so that a commit writes no new
/// versions of old rows.
pub(super) fn definition_tables(definition: i64) -> String {
    format!(
        "CREATE TABLE IF NOT EXISTS op_{definition}(
            bucket bigint NOT NULL,
            op_id bigint NOT NULL,
            checksum int NOT NULL,
            kind smallint NOT NULL,
            object_type int,
            object_id bytea,
            subkey bytea,
            data bytea,
            PRIMARY KEY (bucket, op_id)
        );
        CREATE TABLE IF NOT EXISTS superseded_{definition}(
            bucket bigint NOT NULL,
            op_id bigint NOT NULL,
            by_op bigint NOT NULL,
            PRIMARY KEY (bucket, op_id)
        )"
    )
}
