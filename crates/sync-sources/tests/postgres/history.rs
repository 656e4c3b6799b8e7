//! Where a stream can go on, and where all rows have to be compared.

use std::path::Path;
use std::process::Command;

use pg_server::Server;
use sync_engine::source::{Check, ErrorClass, Source};

use crate::app::{App, open, patterns};

const TABLE: &str =
    "CREATE TABLE t(id int PRIMARY KEY, v text); INSERT INTO t SELECT n, 'v' FROM generate_series(1, 50) n";

fn slot(app: &mut App) -> String {
    let name = app.database.name().to_owned();
    app.one(&format!("SELECT slot_name::text FROM pg_replication_slots WHERE database = '{name}'"))
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn the_server_keeps_what_is_not_acknowledged() {
    let mut app = App::new(&["t"], TABLE);
    let slot = slot(&mut app);
    let confirmed = format!("SELECT confirmed_flush_lsn::text FROM pg_replication_slots WHERE slot_name = '{slot}'");
    let before: String = app.one(&confirmed);
    let old = app.follower.state.clone();
    app.check_after("INSERT INTO t VALUES (100, 'x')");
    app.check_after("UPDATE t SET v = 'y'");
    assert_eq!(app.one::<String>(&confirmed), before, "nothing is confirmed by itself");
    // Whoever was not told can go on from before.
    app.follower.state = old.clone();
    app.resume();
    app.check();
    app.source.acknowledge(app.follower.state.position.as_ref().unwrap()).unwrap();
    for _ in 0..200 {
        if app.one::<String>(&confirmed) != before {
            break;
        }
        app.follower.step().unwrap();
    }
    assert_ne!(app.one::<String>(&confirmed), before);
    app.resume();
    app.check_after("DELETE FROM t WHERE id < 10");
    // What was acknowledged is forgotten.
    app.follower.state = old;
    app.restart();
    assert_eq!(app.follower.lost, 1);
    app.check_after("INSERT INTO t VALUES (200, 'z')");
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn a_slot_that_was_dropped_is_replaced_and_all_rows_are_compared() {
    let mut app = App::new(&["t"], TABLE);
    let before = slot(&mut app);
    app.follower = crate::app::follower(&["t"], app.follower.state.clone());
    for _ in 0..200 {
        if app.client.batch_execute(&format!("SELECT pg_drop_replication_slot('{before}')")).is_ok() {
            break;
        }
    }
    app.run("DELETE FROM t WHERE id < 20; INSERT INTO t VALUES (300, 'unseen')");
    let position = app.follower.state.position.clone().unwrap();
    let error = app.source.stream(Some(&position)).err().unwrap();
    assert_eq!(error.class, ErrorClass::PositionLost);
    app.restart();
    assert_eq!(app.follower.lost, 1);
    assert_ne!(slot(&mut app), before);
    assert!(app.source.head().unwrap() > position, "positions do not go back");
    app.check_after("UPDATE t SET v = 'z'");
    app.resume();
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn another_process_with_the_slot_is_waited_for() {
    let app = App::new(&["t"], TABLE);
    let other = open(&app.database);
    let position = app.follower.state.position.clone().unwrap();
    let error = other.stream(Some(&position)).err().unwrap();
    assert_eq!(error.class, ErrorClass::Retry);
    assert!(error.message.contains("another process"), "{error}");
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn a_publication_that_was_created_again_begins_anew() {
    let mut app = App::new(&["t"], TABLE);
    app.run(
        "INSERT INTO t VALUES (100, 'x'); DROP PUBLICATION powersync; INSERT INTO t VALUES (101, 'x');
        CREATE PUBLICATION powersync FOR TABLE t; INSERT INTO t VALUES (102, 'x')",
    );
    // The changes between cannot be read with either.
    let error = (0..100).find_map(|_| app.follower.step().err());
    assert_eq!(error.unwrap().class, ErrorClass::PositionLost);
    app.follower.start(&*app.source).unwrap();
    assert_eq!(app.follower.lost, 1);
    app.check();
    assert_eq!(app.follower.content()["t"].len(), 53);
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn a_position_of_another_kind_of_source_is_lost() {
    let app = App::new(&["t"], TABLE);
    let position = sync_engine::row::Position::from_number(7);
    assert_eq!(app.source.stream(Some(&position)).err().unwrap().class, ErrorClass::PositionLost);
}

fn copy(from: &Path, to: &Path) {
    let copied = Command::new("cp").arg("-a").arg(from).arg(to).status().unwrap();
    assert!(copied.success());
}

/// The files of the server are put back to a copy, and it goes on from there: its log then has other transactions at the
/// same places.
fn restored(writes_more: bool) {
    let server = Server::start("");
    let mut app = App::on(&server, &["t"], TABLE);
    app.check_after("INSERT INTO t VALUES (100, 'in the copy')");
    // Nobody reads while the server stops: it would wait for them.
    app.follower = crate::app::follower(&["t"], app.follower.state.clone());
    let folder = tempfile::tempdir().unwrap();
    server.stop();
    copy(&server.data(), &folder.path().join("copy"));
    server.resume();
    app.client = app.database.client();
    app.resume();
    for n in 0..20 {
        app.check_after(&format!("INSERT INTO t VALUES ({}, 'lost')", 200 + n));
    }
    let before = app.follower.state.position.clone().unwrap();
    app.follower = crate::app::follower(&["t"], app.follower.state.clone());
    server.stop();
    std::fs::remove_dir_all(server.data()).unwrap();
    copy(&folder.path().join("copy"), &server.data());
    server.resume();
    app.client = app.database.client();
    if writes_more {
        // Beyond the place that the follower has come to.
        for n in 0..200 {
            app.run(&format!("INSERT INTO t VALUES ({}, 'of the other history')", 1000 + n));
        }
        app.run("SELECT pg_logical_emit_message(false, 'x', repeat('x', 100000))");
    }
    let lost = app.follower.lost;
    // The difference may be seen by the stream only when it reads.
    app.restart();
    while let Err(error) = (0..20).try_for_each(|_| app.follower.step().map(drop)) {
        assert_eq!(error.class, ErrorClass::PositionLost, "{error}");
        app.follower.start(&*app.source).unwrap();
    }
    assert_eq!(app.follower.lost, lost + 1);
    app.check();
    assert!(app.follower.state.position.as_ref() > Some(&before));
    let expected = if writes_more { 251 } else { 51 };
    assert_eq!(app.follower.content()["t"].len(), expected);
    app.check_after("UPDATE t SET v = 'after'");
    app.resume();
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn a_server_that_was_restored_is_recognized_by_its_shorter_log() {
    restored(false);
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn a_server_that_was_restored_and_went_on_is_recognized_by_its_transactions() {
    restored(true);
}

fn check_of_slot(app: &App) -> Check {
    app.source.test(&patterns(&["t"])).into_iter().find(|check| check.name == "slot").unwrap()
}

/// Fills the server's log until the check of the slot says this.
fn fill_until(app: &mut App, text: &str) -> Check {
    for _ in 0..120 {
        app.run("SELECT pg_logical_emit_message(false, 'x', repeat(md5(random()::text), 100000)); CHECKPOINT");
        let check = check_of_slot(app);
        if check.message.contains(text) {
            return check;
        }
    }
    panic!("it does not say {text:?}: {:?}", check_of_slot(app));
}

/// Has a server that keeps little of its log for a slot that nobody reads.
fn app_of_small_log() -> App {
    let server = Server::start("max_slot_wal_keep_size = 64MB\nmax_wal_size = 32MB");
    let mut app = App::on(&server, &["t"], TABLE);
    assert!(check_of_slot(&app).ok, "{:?}", check_of_slot(&app));
    app.follower = crate::app::follower(&["t"], app.follower.state.clone());
    app.run("DELETE FROM t WHERE id < 10");
    app
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn a_slot_that_kept_too_much_is_replaced() {
    let mut app = app_of_small_log();
    let before = slot(&mut app);
    fill_until(&mut app, "is lost when");
    fill_until(&mut app, "is lost:");
    app.restart();
    assert_eq!(app.follower.lost, 1);
    assert_ne!(slot(&mut app), before);
    app.check();
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn a_slot_in_danger_and_one_that_is_lost_are_mended_by_what_the_check_says() {
    let mut app = app_of_small_log();
    let danger = fill_until(&mut app, "is lost when");
    // As psql runs them: one statement after the other.
    for statement in danger.fix.split(';').filter(|statement| !statement.trim().is_empty()) {
        app.run(statement);
    }
    // The server reads its settings again a little later.
    let is_mended = (0..1000).any(|_| {
        std::thread::sleep(std::time::Duration::from_millis(10));
        check_of_slot(&app).ok
    });
    assert!(is_mended, "{:?}", check_of_slot(&app));
    let lost = fill_until(&mut app, "is lost:");
    app.run(&lost.fix);
    let left = app.source.test(&patterns(&["t"]));
    assert!(left.iter().all(|check| check.name != "slot"), "{left:?}");
    app.restart();
    assert_eq!(app.follower.lost, 1);
    app.check();
}
