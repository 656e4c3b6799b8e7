//! A process that writes is killed, and so is the server: what was committed is there, and nothing of what was not.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicI64, Ordering};

use pg_connect::Target;
use pg_server::Server;
use sync_engine::store::{OpId, Store};
use sync_store::PostgresStore;

use crate::history::{check, commit_of};
use crate::support::Random;
use crate::world::{Kind, World};

const URL: &str = "ROWTIDE_STORE_TEST_URL";

/// Commits until it fails; `committed` is told of each one.
fn write(store: &mut dyn Store, committed: impl Fn(OpId)) {
    let Ok(stored) = store.load() else { return };
    for number in stored.next_op_id.. {
        if store.commit(&commit_of(number)).is_err() {
            return;
        }
        committed(number);
        if number % 5 == 0 && store.compact(number, 4).is_err() {
            return;
        }
    }
}

/// Not a test unless it is told a database: what the process does that is killed.
#[test]
fn child() {
    let Ok(url) = std::env::var(URL) else { return };
    let options = World::options_of(3);
    let mut store = PostgresStore::open(&Target::parse(&url).unwrap(), options).unwrap();
    write(&mut store, |number| eprintln!("committed {number}"));
}

fn check_after(world: &World, reported: OpId) {
    let mut store = world.open();
    let last = store.load().unwrap().next_op_id - 1;
    assert!(last >= reported, "{reported} was committed, and {last} is there");
    check(&mut *store, last);
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn a_killed_writer_leaves_its_last_commit() {
    let world = World::new(Kind::Postgres, 3);
    let mut random = Random(11);
    for _ in 0..6 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::child", "--nocapture"])
            .env(URL, world.database.url())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut commits =
            lines.map(|line| line.unwrap()).filter_map(|line| line.strip_prefix("committed ")?.parse().ok());
        let reported: OpId = commits.nth(random.below(20)).expect("the child commits until it is killed");
        // At some moment of the next commit or compaction, as the machine has it.
        for _ in 0..random.below(2_000_000) {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        check_after(&world, reported);
    }
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn a_killed_server_leaves_the_last_commit() {
    let server = Server::start("");
    let world = World::on(&server, 3);
    let mut random = Random(12);
    for _ in 0..4 {
        let (reported, mut store) = (AtomicI64::new(0), world.open());
        let enough = 3 + random.below(20) as OpId;
        std::thread::scope(|scope| {
            let begun = store.load().unwrap().next_op_id - 1;
            let thread = scope.spawn(|| write(&mut *store, |number| reported.store(number, Ordering::Release)));
            while reported.load(Ordering::Acquire) < begun + enough {
                std::thread::yield_now();
            }
            server.kill();
            thread.join().unwrap();
        });
        drop(store);
        server.resume();
        check_after(&world, reported.into_inner());
    }
}
