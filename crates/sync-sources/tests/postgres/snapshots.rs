//! Pages of rows.

use std::sync::Arc;

use pg_server::Server;
use sync_config::{Settings, Value};
use sync_engine::source::{ErrorClass, Source};
use sync_sources::postgres::PostgresSource;

use crate::app::{App, open, patterns};

/// Reads all rows, each page by another source, as after a restart. Gives the values of the first column.
fn read(app: &App, table: &str, limit: usize) -> Vec<String> {
    let source = open(&app.database);
    let known = source.tables(&patterns(&[table])).unwrap().remove(0);
    let (mut after, mut found, mut pages) = (None::<Vec<Value>>, Vec::new(), 0);
    loop {
        let source: Arc<PostgresSource> = open(&app.database);
        source.tables(&patterns(&[table])).unwrap();
        let chunk = source.snapshot_chunk(&known, after.as_deref(), limit).unwrap();
        for row in &chunk.rows {
            found.push(format!("{:?}", row[0].to_value(&Settings::of_edition(3))));
        }
        pages += 1;
        after = chunk.next;
        if after.is_none() {
            assert!(pages > 1, "the test tests nothing");
            return found;
        }
    }
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn pages_by_keys_of_all_types() {
    let mut app =
        App::new(&[], "CREATE TYPE mood AS ENUM ('z', 'y', 'x', 'w', 'v'); CREATE DOMAIN d AS text COLLATE \"C\"");
    for (at, (of, value)) in [
        ("int8", "n - 5"),
        ("text", "E'\\\\' || chr(90 + n::int) || ''''"),
        ("varchar(3)", "'a' || n"),
        ("uuid", "md5(n::text)::uuid"),
        ("numeric", "n / 3.0"),
        ("float8", "CASE n WHEN 1 THEN 'NaN' WHEN 2 THEN '-Infinity' ELSE 0.1 * n END"),
        ("bytea", "decode(lpad(to_hex(n), 4, '0'), 'hex')"),
        (
            "timestamptz",
            "CASE n WHEN 1 THEN 'infinity' ELSE '2024-01-01'::timestamptz + n * interval '1.000001 hours' END",
        ),
        ("date", "'2024-01-01'::date + n::int"),
        ("bool", "n > 5"),
        ("mood", "(enum_range(NULL::mood))[1 + n % 5]"),
        ("d", "'k' || n"),
        ("int4[]", "ARRAY[n, 1]"),
        ("int4range", "int4range(n::int, n::int + 1)"),
        ("inet", "'10.0.0.0'::inet + n"),
    ]
    .into_iter()
    .enumerate()
    {
        app.run(&format!(
            "CREATE TABLE t{at}(v serial, k {of}, PRIMARY KEY (k, v));
            INSERT INTO t{at}(k) SELECT {value} FROM generate_series(1, 10) n"
        ));
        let mut found = read(&app, &format!("t{at}"), 3);
        assert_eq!(found.len(), 10, "{of}");
        found.sort();
        found.dedup();
        assert_eq!(found.len(), 10, "{of}: a row comes twice");
    }
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn pages_without_an_order() {
    let mut app = App::new(
        &["t"],
        "CREATE TABLE t(a int, b text); ALTER TABLE t REPLICA IDENTITY FULL;
        INSERT INTO t SELECT n, repeat('x', 100) FROM generate_series(1, 3000) n; DELETE FROM t WHERE a BETWEEN 200 AND 2500",
    );
    assert_eq!(read(&app, "t", 100).len(), 699);
    // When all rows are stored again, in other places, reading begins again.
    let table = app.source.tables(&patterns(&["t"])).unwrap().remove(0);
    let first = app.source.snapshot_chunk(&table, None, 100).unwrap();
    app.run("VACUUM FULL t");
    let again = app.source.snapshot_chunk(&table, first.next.as_deref(), 100).unwrap();
    let key = |rows: &[Vec<sync_engine::row::SourceValue>]| format!("{:?}", rows[0][0]);
    assert_eq!(key(&first.rows), key(&again.rows));
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn a_unique_index_is_an_order_too() {
    let app = App::new(
        &["t"],
        "CREATE TABLE t(a int, b int NOT NULL UNIQUE, c int UNIQUE); ALTER TABLE t REPLICA IDENTITY FULL;
        INSERT INTO t SELECT n, 11 - n, NULL FROM generate_series(1, 10) n",
    );
    let found = read(&app, "t", 3);
    assert_eq!(found.first().map(String::as_str), Some("Some(Integer(10))"), "in the order of b");
    assert_eq!(found.len(), 10);
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn a_table_that_is_gone_or_another_one_is_not_read() {
    let mut app = App::new(&["t"], "CREATE TABLE t(id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a')");
    let table = app.source.tables(&patterns(&["t"])).unwrap().remove(0);
    for sql in [
        "ALTER TABLE t DROP COLUMN v",
        "DROP TABLE t; CREATE TABLE t(id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'b')",
        "DROP TABLE t",
    ] {
        app.run(sql);
        let error = app.source.snapshot_chunk(&table, None, 10).unwrap_err();
        assert_eq!(error.class, ErrorClass::PositionLost, "{sql}: {error}");
        assert!(error.message.contains("public.t"), "{error}");
        let error = app.source.refetch(&table, &[vec![Value::Integer(1)]]).unwrap_err();
        assert_eq!(error.class, ErrorClass::PositionLost, "{sql}: {error}");
    }
}

/// The server does not stream what an open transaction had done before its table was published.
#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn the_first_page_waits_for_transactions_that_began_before() {
    let server = Server::start("");
    let mut app = App::on(&server, &[], "CREATE TABLE t(id int PRIMARY KEY); INSERT INTO t VALUES (1)");
    let mut other = app.database.client();
    other.batch_execute("BEGIN; INSERT INTO t VALUES (2)").unwrap();
    let table = app.source.tables(&patterns(&["t"])).unwrap().remove(0);
    let error = app.source.snapshot_chunk(&table, None, 10).unwrap_err();
    assert_eq!(error.class, ErrorClass::Retry);
    assert!(error.message.contains("older transactions"), "{error}");
    // One that began later is not waited for.
    let mut later = app.database.client();
    later.batch_execute("BEGIN; INSERT INTO t VALUES (3)").unwrap();
    other.batch_execute("COMMIT").unwrap();
    let chunk = app.source.snapshot_chunk(&table, None, 10).unwrap();
    assert_eq!(chunk.rows.len(), 2, "with the row that the stream does not have");
    later.batch_execute("COMMIT").unwrap();
    app.follower = crate::app::follower(&["t"], app.follower.state.clone());
    app.resume();
    app.check();
    assert_eq!(app.follower.content()["t"].len(), 3);
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn a_key_that_no_row_can_have_is_no_error() {
    let sql = "CREATE TABLE t(id int PRIMARY KEY, v text); INSERT INTO t VALUES (1, 'a'), (5, 'b')";
    let app = App::new(&["t"], sql);
    let table = app.source.tables(&patterns(&["t"])).unwrap().remove(0);
    let keys = [Value::text("nobody"), Value::text("5"), Value::Integer(5), Value::real(5.5), Value::Integer(i64::MAX)];
    let found = app.source.refetch(&table, &keys.map(|key| vec![key])).unwrap().rows;
    assert_eq!(found.iter().map(Option::is_some).collect::<Vec<_>>(), [false, false, true, false, false]);
    assert_eq!(app.source.refetch(&table, &[]).unwrap().rows.len(), 0);
}
