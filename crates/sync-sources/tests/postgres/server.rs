//! The server ends at any time, and comes back.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pg_server::Server;
use sync_engine::source::{ErrorClass, Source};
use sync_sources::postgres::PostgresSource;

use crate::app::App;

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn a_server_that_is_killed_loses_nothing() {
    let server = Server::start("");
    let mut app = App::on(
        &server,
        &["t"],
        "CREATE TABLE t(id int PRIMARY KEY, v int); INSERT INTO t SELECT n, 0 FROM generate_series(1, 300) n",
    );
    let is_done = AtomicBool::new(false);
    let url = app.database.url();
    std::thread::scope(|scope| {
        let (is_done, url) = (&is_done, &url);
        scope.spawn(move || {
            let mut rng = fastrand::Rng::with_seed(5);
            while !is_done.load(Ordering::Relaxed) {
                let connected = pg_connect::Target::parse(url).unwrap().connect("app");
                let Ok(mut client) = connected else {
                    std::thread::sleep(Duration::from_millis(20));
                    continue;
                };
                while !is_done.load(Ordering::Relaxed) {
                    let (key, other) = (rng.u32(1..300), rng.u32(300..400));
                    let sql = format!(
                        "BEGIN; UPDATE t SET v = v + 1 WHERE id = {key}; DELETE FROM t WHERE id = {other};
                        INSERT INTO t VALUES ({other}, {key}); COMMIT"
                    );
                    if client.batch_execute(&sql).is_err() {
                        break;
                    }
                }
            }
        });
        let mut rng = fastrand::Rng::with_seed(6);
        for _ in 0..4 {
            for _ in 0..rng.usize(1..30) {
                follow(&mut app);
            }
            server.kill();
            server.resume();
        }
        is_done.store(true, Ordering::Relaxed);
    });
    app.client = app.database.client();
    while app.follower.start(&*app.source).is_err() {}
    assert_eq!(app.follower.lost, 0);
    app.check();
}

/// A step; if the stream has ended, another one begins.
fn follow(app: &mut App) {
    if let Err(error) = app.follower.step() {
        assert_eq!(error.class, ErrorClass::Retry, "{error}");
        while let Err(error) = app.follower.start(&*app.source) {
            assert_eq!(error.class, ErrorClass::Retry, "{error}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    let _ = app.follower.chunk(&*app.source, 50);
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn a_server_that_cannot_be_reached_is_tried_again_and_a_wrong_password_is_not() {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let url = format!("postgres://anna:secret@127.0.0.1:{port}/db?sslmode=disable");
    let source = PostgresSource::open(&url).unwrap();
    let error = source.head().unwrap_err();
    assert_eq!(error.class, ErrorClass::Retry, "{error}");
    assert!(!error.message.contains("secret"), "{error}");
    let check = source.test(&[]).remove(0);
    assert!(!check.ok && !check.fix.is_empty() && !check.message.contains("secret"), "{check:?}");

    let server = Server::shared();
    let url = format!("postgres://nobody:secret@127.0.0.1:{}/postgres?sslmode=disable", server.port());
    let error = PostgresSource::open(&url).unwrap().head().unwrap_err();
    assert_eq!(error.class, ErrorClass::Configuration, "{error}");
    assert!(!error.message.contains("secret"), "{error}");
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn connections_that_are_cut_are_opened_again() {
    let mut app = App::new(&["t"], "CREATE TABLE t(id int PRIMARY KEY)");
    for _ in 0..3 {
        let name = app.database.name().to_owned();
        app.run(&format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}' AND application_name = 'rowtide'"
        ));
        app.source.head().unwrap();
        app.check();
    }
    app.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_replication WHERE application_name = 'rowtide stream'
        AND pid IN (SELECT active_pid FROM pg_replication_slots WHERE database = current_database())",
    );
    let error = (0..100).find_map(|_| app.follower.step().err()).unwrap();
    assert_eq!(error.class, ErrorClass::Retry, "{error}");
    app.resume();
    app.check_after("INSERT INTO t VALUES (1)");
}

/// A client has to learn that its write is there, also if nobody else writes.
#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn a_mark_makes_an_idle_stream_pass_the_head() {
    let mut app = App::new(&["t"], "CREATE TABLE t(id int PRIMARY KEY); CREATE TABLE unread(id int)");
    for _ in 0..3 {
        app.run("INSERT INTO unread VALUES (1)");
        let head = app.source.head().unwrap();
        app.source.mark().unwrap();
        app.until(|follower| follower.state.position.as_ref() >= Some(&head));
    }
}
