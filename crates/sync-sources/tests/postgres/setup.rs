//! The test of the setup: what it finds, and that its SQL does something about it.

use std::sync::Arc;

use pg_server::{Database, Server};
use sync_engine::source::{Check, ErrorClass, Source};
use sync_sources::postgres::PostgresSource;

use crate::app::patterns;

/// A database with a role for the service that may do little.
struct Setup {
    database: Database,
    role: String,
    source: PostgresSource,
}

impl Setup {
    fn new(server: &Arc<Server>, attributes: &str, sql: &str) -> Self {
        let database = server.database();
        let role = format!("service_{}", database.name());
        let mut client = database.client();
        client.batch_execute(sql).unwrap();
        client.batch_execute(&format!("CREATE ROLE {role} LOGIN PASSWORD 'pw' {attributes}")).unwrap();
        let url = format!("{}&slot={}", database.url_as(&role, "pw"), database.name());
        Self { source: PostgresSource::open(&url).unwrap(), database, role }
    }

    fn run(&self, sql: &str) {
        self.database.client().batch_execute(sql).unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    }

    fn failed(&self, names: &[&str]) -> Vec<Check> {
        self.source.test(&patterns(names)).into_iter().filter(|check| !check.ok).collect()
    }

    /// Runs what each finding says, until there is none.
    fn mend(&self, names: &[&str]) -> Vec<&'static str> {
        let mut found = Vec::new();
        for _ in 0..20 {
            let Some(check) = self.failed(names).into_iter().next() else { return found };
            assert!(!check.message.is_empty());
            self.run(&check.fix);
            let still = self.failed(names);
            assert!(still.iter().all(|other| other.message != check.message), "{} does not help: {check:?}", check.fix);
            found.push(check.name);
        }
        panic!("it never ends: {:?}", self.failed(names));
    }
}

impl Drop for Setup {
    fn drop(&mut self) {
        let _ = self.database.client().batch_execute(&format!("DROP OWNED BY {0}; DROP ROLE {0}", self.role));
    }
}

const TABLES: &str = "CREATE TABLE t(id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a')";

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn a_role_that_may_nothing_is_given_what_it_needs() {
    let sql = format!(
        "{TABLES}; CREATE SCHEMA app; CREATE TABLE app.secured(id int PRIMARY KEY); ALTER TABLE app.secured ENABLE ROW LEVEL SECURITY;
        INSERT INTO app.secured VALUES (1); CREATE UNLOGGED TABLE fast(id int PRIMARY KEY); CREATE TABLE keyless(id int);
        CREATE TABLE nothing(id int PRIMARY KEY); ALTER TABLE nothing REPLICA IDENTITY NOTHING"
    );
    let setup = Setup::new(&Server::shared(), "", &sql);
    let names = ["t", "app.secured", "fast", "keyless", "nothing"];
    let error = setup.source.tables(&patterns(&names)).unwrap_err();
    assert_eq!(error.class, ErrorClass::Configuration, "{error}");
    assert!(error.message.contains("CREATE PUBLICATION"), "{error}");
    let mut found = setup.mend(&names);
    found.sort_unstable();
    found.dedup();
    assert_eq!(found, ["privileges", "publication", "replica identity", "replication", "tables"]);
    let tables = setup.source.tables(&patterns(&names)).unwrap();
    assert_eq!(tables.len(), names.len());
    for table in tables {
        setup.source.snapshot_chunk(&table, None, 10).unwrap();
    }
    let head = setup.source.head().unwrap();
    setup.source.stream(Some(&head)).unwrap();
    setup.source.mark().unwrap();
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn a_publication_that_leaves_something_out_is_corrected() {
    let sql = format!(
        "{TABLES}; CREATE TABLE u(id int PRIMARY KEY);
        CREATE PUBLICATION powersync FOR TABLE t WITH (publish = 'insert', publish_via_partition_root)"
    );
    let setup = Setup::new(&Server::shared(), "SUPERUSER", &sql);
    assert_eq!(setup.source.tables(&patterns(&["t"])).unwrap_err().class, ErrorClass::Configuration);
    let found = setup.failed(&["t", "u"]);
    let messages: String = found.iter().map(|check| check.message.as_str()).collect();
    assert!(messages.contains("does not publish update, delete, truncate"), "{messages}");
    assert_eq!(setup.mend(&["t", "u"]), ["publication", "publication"]);
    assert_eq!(setup.source.tables(&patterns(&["t", "u"])).unwrap().len(), 2, "a table that is owned is added");
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn row_level_security_is_no_silent_gap() {
    let sql =
        "CREATE TABLE t(id int PRIMARY KEY); INSERT INTO t VALUES (1), (2); ALTER TABLE t ENABLE ROW LEVEL SECURITY;
        CREATE POLICY one ON t USING (id = 1); CREATE PUBLICATION powersync FOR TABLE t";
    let setup = Setup::new(&Server::shared(), "REPLICATION", sql);
    setup.run(&format!("GRANT SELECT ON t TO {}", setup.role));
    let table = setup.source.tables(&patterns(&["t"])).unwrap().remove(0);
    let error = setup.source.snapshot_chunk(&table, None, 10).unwrap_err();
    assert_eq!(error.class, ErrorClass::Configuration, "{error}");
    assert_eq!(setup.mend(&["t"]), ["privileges"]);
    // Roles are read when a connection is made.
    let url = format!("{}&slot={}", setup.database.url_as(&setup.role, "pw"), setup.database.name());
    let source = PostgresSource::open(&url).unwrap();
    assert_eq!(source.snapshot_chunk(&table, None, 10).unwrap().rows.len(), 2);
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn a_server_that_is_not_set_up_is_told_what_to_set() {
    let server = Server::start("wal_level = replica\nmax_replication_slots = 0\nmax_wal_senders = 0");
    let setup = Setup::new(&server, "SUPERUSER", TABLES);
    let error = setup.source.tables(&patterns(&["t"])).unwrap_err();
    assert_eq!(error.class, ErrorClass::Configuration, "{error}");
    let found = setup.failed(&["t"]);
    assert_eq!(found.iter().map(|check| check.name).collect::<Vec<_>>(), ["wal_level", "slots"], "{found:?}");
    let slots = &found[1].message;
    assert!(slots.contains("0 replication slots") && slots.contains("0 connections for replication"), "{slots}");
    for check in found {
        assert!(check.fix.ends_with("-- then restart the server"), "{}", check.fix);
        for statement in check.fix.split(';').filter(|statement| statement.contains("ALTER")) {
            setup.run(statement);
        }
    }
    server.stop();
    server.resume();
    assert_eq!(setup.failed(&["t"]), []);
    assert_eq!(setup.source.tables(&patterns(&["t"])).unwrap().len(), 1);
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn tables_that_are_not_there_are_named() {
    let sql = "CREATE TABLE parts(id int PRIMARY KEY) PARTITION BY RANGE (id)";
    let setup = Setup::new(&Server::shared(), "SUPERUSER", sql);
    let found = setup.failed(&["missing", "parts", "x_%"]);
    let messages: Vec<&str> = found.iter().map(|check| check.message.as_str()).collect();
    assert_eq!(
        messages,
        ["there is no table public.missing", "public.parts has partitions, which replicate under their own names"]
    );
    assert!(setup.source.schema().unwrap().is_empty());
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn the_schema_has_all_tables_with_their_types() {
    let sql = "CREATE TYPE mood AS ENUM ('a'); CREATE SCHEMA other;
        CREATE TABLE t(id int8 PRIMARY KEY, n numeric(10, 2), m mood, ts timestamptz(3), a int[]); CREATE TABLE other.u(v text)";
    let setup = Setup::new(&Server::shared(), "SUPERUSER", sql);
    let schema = setup.source.schema().unwrap();
    let shown: Vec<String> = schema.iter().map(|table| format!("{}.{}", table.schema, table.name)).collect();
    assert_eq!(shown, ["other.u", "public.t"]);
    let types: Vec<&str> = schema[1].columns.iter().map(|column| column.type_name.as_str()).collect();
    assert_eq!(types, ["bigint", "numeric(10,2)", "public.mood", "timestamp(3) with time zone", "integer[]"]);
    assert_eq!((schema[1].key.as_slice(), schema[0].key.len()), (&[0][..], 0));
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn queries_of_people_read_only() {
    let sql = "CREATE TABLE t(id int PRIMARY KEY, v text, at timestamptz); ANALYZE t;
        INSERT INTO t SELECT n, E'a\\tb\\n', '2024-01-02 03:04:05Z' FROM generate_series(1, 100) n; ANALYZE t";
    let setup = Setup::new(&Server::shared(), "SUPERUSER", sql);
    let source = &setup.source;
    let answer = source.query("SELECT id, v, at, NULL AS id FROM t ORDER BY 1 -- all\n;", 2).unwrap();
    assert_eq!(answer.columns, ["id", "v", "at", "id"]);
    assert_eq!(
        format!("{:?}", answer.rows[1]),
        r#"[Integer(2), Text("a\tb\n"), Text("2024-01-02T03:04:05.000000Z"), Null]"#
    );
    assert!(answer.has_more && answer.rows.len() == 2);
    assert!(!source.query("SELECT 1 WHERE false", 2).unwrap().has_more);
    for wrong in
        ["DELETE FROM t", "SELECT 1; SELECT 2", "SELECT 1) q; DELETE FROM t; --", "SELEC", "SELECT setval('s', 1)", ""]
    {
        assert_eq!(source.query(wrong, 2).unwrap_err().class, ErrorClass::Configuration, "{wrong}");
    }
    let table = source.tables(&patterns(&["t"])).unwrap().remove(0);
    assert_eq!(source.estimate(&table).unwrap(), Some(100));
}
