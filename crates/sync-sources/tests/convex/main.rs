//! A Convex deployment as a source, by the double of one: what holds for each source, and what is of Convex alone.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]
#![allow(dead_code, reason = "the machinery of all sources does more than is needed here")]

#[path = "../sources/follower.rs"]
mod follower;
#[path = "../sources/session.rs"]
mod session;
#[path = "../sources/world.rs"]
mod world;

mod addresses;
mod checks;
mod deployment;
mod failures;
mod snapshots;
mod tables;
mod values;

use deployment::Deployment;
use session::session;

fn sessions(count: u64, has_sync_api: bool) {
    let seeds = std::env::var("SYNC_SOURCES_SEED").ok().and_then(|seed| seed.parse().ok());
    for seed in seeds.map_or(0..count, |seed| seed..seed + 1) {
        session(&mut Deployment::new(has_sync_api), seed, 40);
    }
}

#[test]
fn deltas_converge() {
    sessions(12, false);
}

#[test]
fn the_sync_api_converges() {
    sessions(12, true);
}
