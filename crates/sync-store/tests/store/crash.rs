//! A process that writes is killed; what it has committed is there, and nothing of what it has not.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use sync_engine::store::{OpId, Store};
use sync_store::SqliteStore;

use crate::history::{check, commit_of};
use crate::support::Random;
use crate::world::{folder, options};

const FOLDER: &str = "ROWTIDE_STORE_TEST_FILE";

/// Not a test unless it is told a file: what the process does that is killed. Goes on where the file ends.
#[test]
fn child() {
    let Ok(path) = std::env::var(FOLDER) else { return };
    let mut store = SqliteStore::open(path.as_ref(), options(3)).unwrap();
    for number in store.load().unwrap().next_op_id.. {
        store.commit(&commit_of(number)).unwrap();
        eprintln!("committed {number}");
        if number % 5 == 0 {
            store.compact(number, 4).unwrap();
        }
    }
}

#[test]
fn a_killed_writer_leaves_its_last_commit() {
    let folder = folder();
    let path = folder.path().join("store");
    let mut random = Random(11);
    for _ in 0..12 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::child", "--nocapture"])
            .env(FOLDER, &path)
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut commits =
            lines.map(|line| line.unwrap()).filter_map(|line| line.strip_prefix("committed ")?.parse().ok());
        let reported: OpId = commits.nth(random.below(20)).expect("the child commits until it is killed");
        // At some moment of the next commit, compaction or copy of the log into the file, as the machine has it.
        for _ in 0..random.below(2_000_000) {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let mut store = SqliteStore::open(&path, options(3)).unwrap();
        let last = store.load().unwrap().next_op_id - 1;
        assert!(last >= reported, "{reported} was committed, and {last} is there");
        check(&mut store, last);
    }
}
