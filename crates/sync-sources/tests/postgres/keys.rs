//! What identifies a row, by the replica identity of its table.

use sync_engine::source::Source;

use crate::app::{App, patterns};

fn key(app: &App) -> Vec<usize> {
    app.follower.state.tables.values().next().unwrap().table.key.clone()
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn keys_of_several_columns() {
    let sql = "CREATE TABLE t(v int, b text, a int, c uuid DEFAULT gen_random_uuid(), PRIMARY KEY (c, a, b));
        INSERT INTO t(v, b, a) SELECT n, 'b' || n, n % 3 FROM generate_series(1, 700) n";
    let mut app = App::new(&["t"], sql);
    assert_eq!(key(&app), [1, 2, 3], "in the order of columns");
    app.check_after(
        "UPDATE t SET v = v + 1 WHERE a = 1; UPDATE t SET a = a + 10 WHERE a = 2; DELETE FROM t WHERE a = 0",
    );
    app.check_after("UPDATE t SET b = 'x' || v");
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn without_a_key_all_columns_identify_a_row() {
    let sql = "CREATE TABLE t(a int, b text, f float8); ALTER TABLE t REPLICA IDENTITY FULL;
        INSERT INTO t SELECT n, CASE WHEN n % 3 > 0 THEN 'b' END, n / 7.0 FROM generate_series(1, 2000) n";
    let mut app = App::new(&["t"], sql);
    assert_eq!(key(&app), [0, 1, 2]);
    app.check_after(
        "UPDATE t SET b = 'c' WHERE a % 2 = 0; DELETE FROM t WHERE a < 100; INSERT INTO t VALUES (NULL, NULL, 'NaN')",
    );
    app.check_after("UPDATE t SET a = -1, b = 'x' WHERE a IS NULL");
    // A column more is another key of each row.
    app.check_after("ALTER TABLE t ADD COLUMN d int DEFAULT 5; UPDATE t SET b = 'y' WHERE a = 200");
    assert_eq!(key(&app), [0, 1, 2, 3]);
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn another_identity_with_the_same_key_reads_nothing_again() {
    let mut app = App::new(
        &["t"],
        "CREATE TABLE t(id int PRIMARY KEY, u int NOT NULL UNIQUE, v text); INSERT INTO t VALUES (1, 1, 'a'), (2, 2, 'b')",
    );
    let id = |app: &App| app.follower.state.tables.keys().next().unwrap().clone();
    let before = id(&app);
    app.check_after(
        "ALTER TABLE t REPLICA IDENTITY FULL; UPDATE t SET v = 'c', id = id + 10; DELETE FROM t WHERE id = 12",
    );
    assert_eq!((id(&app), key(&app)), (before.clone(), vec![0]));
    app.check_after("ALTER TABLE t REPLICA IDENTITY USING INDEX t_u_key; UPDATE t SET u = u + 5");
    assert_eq!(key(&app), [1]);
    app.check_after("ALTER TABLE t REPLICA IDENTITY DEFAULT; UPDATE t SET v = 'd'");
    assert_eq!(id(&app), before);
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn a_table_without_a_key_is_followed_when_it_gets_one() {
    let sql = "CREATE PUBLICATION powersync FOR ALL TABLES; CREATE TABLE t(id int, v text); CREATE TABLE n(id int PRIMARY KEY);
        ALTER TABLE n REPLICA IDENTITY NOTHING; INSERT INTO t VALUES (1, 'a'); INSERT INTO n VALUES (1)";
    let mut app = App::new(&["t", "n"], sql);
    assert!(app.follower.content().is_empty());
    app.run("INSERT INTO t VALUES (2, 'b'); INSERT INTO n VALUES (2)");
    app.check();
    let failed: Vec<_> = app.source.test(&patterns(&["t", "n"])).into_iter().filter(|check| !check.ok).collect();
    assert_eq!(failed.len(), 2, "{failed:?}");
    for check in failed {
        app.run(&check.fix);
    }
    app.run("UPDATE t SET v = 'c'; DELETE FROM n WHERE id = 1");
    app.until(|follower| follower.content().len() == 2);
    app.check();
    assert_eq!((app.follower.content()["t"].len(), app.follower.content()["n"].len()), (2, 1));
}
