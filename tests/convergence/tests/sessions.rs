//! Bounded runs of what `cargo xtask converge` and `cargo xtask soak` do for as long as one likes.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::path::Path;
use std::time::Duration;

use rowtide_convergence::campaign::{Limit, replay, run_many};
use rowtide_convergence::processes::{self, Plan};
use rowtide_convergence::{concurrent, soak};

#[test]
fn sessions_that_once_failed() {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("sessions");
    let mut files: Vec<_> = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        if let Err(message) = replay(&file) {
            panic!("{}: {message}", file.display());
        }
    }
}

#[test]
fn random_sessions_converge() {
    match run_many(1, Limit::Sessions(200)) {
        Ok(counts) => {
            assert_eq!(counts.sessions, 200);
            // They get somewhere, and are disturbed on the way.
            assert!(counts.published > 800 && counts.kills > 100 && counts.put_off > 20, "{counts:?}");
            assert!(counts.around > 100 && counts.retried > 5 && counts.replaced > 40, "{counts:?}");
        }
        Err(failure) => panic!("{failure}"),
    }
}

#[test]
fn several_processes_share_a_file() {
    let directory = tempfile::tempdir().unwrap();
    let program = env!("CARGO_BIN_EXE_rowtide-convergence").into();
    let plan = Plan { program, seed: 1, writers: 3, transactions: 40 };
    let report = processes::run(&plan, directory.path()).unwrap();
    assert!(report.transactions == 120 && report.published > 0, "{report:?}");
}

#[test]
fn two_concurrent_processes_share_the_work() {
    for latency in [[0, 0], [0, 150], [150, 150]] {
        let directory = tempfile::tempdir().unwrap();
        let program = env!("CARGO_BIN_EXE_rowtide-convergence").into();
        let latency = latency.map(Duration::from_millis);
        let plan = concurrent::Plan { program, latency, rows: 1000, heartbeats: 5, changes: 5, writes: 4 };
        let report = concurrent::run(&plan, directory.path()).unwrap();
        assert_eq!(report.streams, [1, 1], "{latency:?}");
        // Each is sent every operation once, but for those that the other had stored before it started.
        assert_eq!(report.operations, 1013);
        assert!(report.received.iter().all(|received| *received <= 1013), "downloaded again: {report:?}");
        assert_eq!((report.published, report.arrived), (1005, 8), "{latency:?}");
    }
}

#[test]
fn a_process_that_ends_is_an_error_with_its_last_words() {
    let directory = tempfile::tempdir().unwrap();
    // Cargo has no command for workers.
    let program = env!("CARGO").into();
    let plan =
        concurrent::Plan { program, latency: [Duration::ZERO; 2], rows: 1, heartbeats: 0, changes: 0, writes: 0 };
    let problem = concurrent::run(&plan, directory.path()).unwrap_err();
    let is_explained = problem.contains("exit status: 101") && problem.contains("no such command");
    assert!(problem.starts_with("process ") && is_explained, "{problem}");
}

#[test]
fn memory_and_files_stay_small() {
    let directory = tempfile::tempdir().unwrap();
    let report = soak::run(2, soak::Limit::Rounds(240), directory.path()).unwrap();
    assert!(report.before.allocated > 0 && report.before.files > 0, "{report:?}");
}
