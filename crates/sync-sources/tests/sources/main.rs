//! What holds for each source: snapshots and the stream together give the content of the tables, whatever is written
//! meanwhile, wherever the service restarts, and from whichever position it goes on.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod follower;
mod json;
mod memory;
mod session;
mod sqlite;
mod world;
mod worlds;

use follower::patterns_in;
use session::session;
use world::World;

fn patterns(names: &[&str]) -> Vec<sync_config::TablePattern> {
    patterns_in("main", names)
}

fn sessions(count: u64, world: impl Fn() -> Box<dyn World>) {
    let seeds = std::env::var("SYNC_SOURCES_SEED").ok().and_then(|seed| seed.parse().ok());
    for seed in seeds.map_or(0..count, |seed| seed..seed + 1) {
        session(&mut *world(), seed, 80);
    }
}

#[test]
fn memory_converges() {
    sessions(200, || Box::new(worlds::Memory::new()));
}

#[test]
fn a_folder_of_json_files_converges() {
    sessions(40, || Box::new(worlds::Json::new()));
}

#[test]
fn an_sqlite_file_in_wal_mode_converges() {
    sessions(40, || Box::new(worlds::Sqlite::new("wal")));
}

#[test]
fn an_sqlite_file_with_a_rollback_journal_converges() {
    sessions(15, || Box::new(worlds::Sqlite::new("delete")));
}
