//! Large values that an update does not touch, and that the server therefore does not send.

use std::time::Duration;

use sync_engine::row::SourceValue;
use sync_engine::source::{Source, SourceEvent};

use crate::app::App;

/// A value that is stored out of line.
const BIG: &str = "(SELECT string_agg(md5(n::text), '') FROM generate_series(1, 500) n)";

fn table(identity: &str) -> String {
    format!(
        "CREATE TABLE t(id int PRIMARY KEY, code text UNIQUE NOT NULL, n int, big text, bytes bytea);
        ALTER TABLE t ALTER big SET STORAGE EXTERNAL;
        ALTER TABLE t REPLICA IDENTITY {identity};
        INSERT INTO t SELECT id, 'c' || id, 0, {BIG}, {BIG}::bytea FROM generate_series(1, 5) id;"
    )
}

fn all(identity: &str) -> App {
    let mut app = App::new(&["t"], &table(identity));
    app.check_after("UPDATE t SET n = n + 1");
    app.check_after("UPDATE t SET n = n + 1; UPDATE t SET big = 'small' WHERE id = 2; UPDATE t SET n = n + 1");
    // The key of a row changes, and its large value does not.
    app.check_after("UPDATE t SET id = id + 10, code = code || 'x' WHERE id > 3");
    app.check_after(&format!("INSERT INTO t VALUES (7, 'seven', 0, {BIG}, NULL); UPDATE t SET n = 5 WHERE id = 7"));
    app.check_after(
        "UPDATE t SET n = 9; UPDATE t SET id = id + 100, code = code || 'y'; DELETE FROM t WHERE n = 9 AND id = 107",
    );
    app.resume();
    app.check_after("UPDATE t SET n = n + 1");
    app
}

/// How many values the server leaves out of an update.
fn left_out(app: &mut App) -> usize {
    let position = app.follower.state.position.clone().unwrap();
    app.follower = crate::app::follower(&["t"], app.follower.state.clone());
    let mut stream = app.source.stream(Some(&position)).unwrap();
    app.client.batch_execute("UPDATE t SET n = n + 1").unwrap();
    for _ in 0..100 {
        let events = stream.next(Duration::from_millis(200)).unwrap();
        let rows = events.iter().filter_map(|event| match event {
            SourceEvent::Row(change) => change.row.as_ref(),
            _ => None,
        });
        let rows: Vec<_> = rows.collect();
        if !rows.is_empty() {
            return rows
                .iter()
                .flat_map(|row| row.iter())
                .filter(|value| matches!(value, SourceValue::Missing))
                .count();
        }
    }
    panic!("the update does not come");
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn with_the_primary_key() {
    let mut app = all("DEFAULT");
    assert!(left_out(&mut app) > 0, "the test tests nothing");
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn with_another_index() {
    let mut app = all("USING INDEX t_code_key");
    assert_eq!(app.follower.state.tables.values().next().unwrap().table.key, [1]);
    assert!(left_out(&mut app) > 0, "the test tests nothing");
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn with_all_columns_the_old_row_has_them() {
    let mut app = all("FULL");
    assert_eq!(
        app.follower.state.tables.values().next().unwrap().table.key,
        [0],
        "the primary key is used all the same"
    );
    assert_eq!(left_out(&mut app), 0);
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn a_key_that_is_large_itself() {
    // Almost the largest key that an index takes.
    let key = "(SELECT string_agg(md5((n + id)::text), '') FROM generate_series(1, 70) n)";
    let sql = format!(
        "CREATE TABLE t(k text PRIMARY KEY, n int, big text); ALTER TABLE t ALTER k SET STORAGE EXTERNAL;
        ALTER TABLE t ALTER big SET STORAGE EXTERNAL;
        INSERT INTO t SELECT {key}, 0, {BIG} FROM generate_series(1, 3) id"
    );
    let mut app = App::new(&["t"], &sql);
    app.check_after("UPDATE t SET n = n + 1");
    app.check_after("UPDATE t SET k = 'short' || n WHERE ctid = (SELECT min(ctid) FROM t); UPDATE t SET n = n + 1");
    app.check_after("DELETE FROM t WHERE n = 2");
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn rows_are_read_again_by_keys_of_several_types() {
    let sql = format!(
        "CREATE DOMAIN short AS varchar(20);
        CREATE TABLE t(a int, b timestamptz, c bytea, d short, e uuid, f float8, n int, big text, PRIMARY KEY(e, a, b, c, d, f));
        ALTER TABLE t ALTER big SET STORAGE EXTERNAL;
        INSERT INTO t SELECT id, '2024-01-02 03:04:05.5+02', '\\x00ff', 'a''\"\\,' || id, gen_random_uuid(), 0.1 * id, 0, {BIG}
            FROM generate_series(1, 3) id"
    );
    let mut app = App::new(&["t"], &sql);
    let before = app.follower.state.clone();
    app.check_after("UPDATE t SET n = n + 1");
    // Somebody who has none of the rows.
    app.follower = crate::app::follower(&["t"], before);
    app.follower.state.tables.values_mut().for_each(|table| table.rows.clear());
    app.resume();
    app.check();
    assert_eq!(app.follower.content()["t"].len(), 3);
}
