//! A bounded run of random sessions with storage in PostgreSQL; the same variables as for those in memory make it other.
#![allow(clippy::unwrap_used, clippy::panic)]

use pg_server::Server;
use rowtide_simulation::session::{Counts, run_on_postgres};

/// Steps of one session.
const SESSION: u64 = 250;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn random_sessions_on_postgresql_show_what_the_source_has() {
    let steps = number("ROWTIDE_SIMULATION_STEPS").unwrap_or(1_000);
    let first = number("ROWTIDE_SIMULATION_SEED").unwrap_or(1);
    let mut counts = Counts::default();
    for seed in first..first + steps.div_ceil(SESSION) {
        println!("ROWTIDE_SIMULATION_SEED={seed} ROWTIDE_SIMULATION_STEPS={SESSION}");
        let database = Server::shared().database();
        counts.add(&run_on_postgres(&database.url(), seed, SESSION.min(steps)));
    }
    println!("{counts:?}");
    let Counts { checkpoints, activations, crashes, operations, compacted, .. } = counts;
    if steps >= 1_000 {
        let happened = [checkpoints, activations, crashes, operations, compacted];
        assert!(happened.iter().all(|count| *count > 0), "everything happens: {counts:?}");
    }
}
