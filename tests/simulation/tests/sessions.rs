//! Bounded runs of random sessions. `ROWTIDE_SIMULATION_STEPS` and `ROWTIDE_SIMULATION_SEED` make them longer and other.
#![allow(clippy::unwrap_used, clippy::panic)]

use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use rowtide_simulation::session::{Counts, run};

/// Steps of one session: short, as a failure is easier to understand then.
const SESSION: u64 = 500;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

#[test]
fn random_sessions_show_what_the_source_has() {
    let steps = number("ROWTIDE_SIMULATION_STEPS").unwrap_or(100_000);
    let first = number("ROWTIDE_SIMULATION_SEED").unwrap_or(1);
    let session = SESSION.min(steps);
    let (next, end) = (AtomicU64::new(first), first + steps / session);
    let (counts, failed) = (Mutex::new(Counts::default()), Mutex::new(Vec::new()));
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from).min(8) {
            scope.spawn(|| {
                while failed.lock().unwrap().is_empty() {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= end {
                        break;
                    }
                    match std::panic::catch_unwind(|| run(seed, session)) {
                        Ok(its) => counts.lock().unwrap().add(&its),
                        Err(_) => failed.lock().unwrap().push(seed),
                    }
                }
            });
        }
    });
    let (counts, failed) = (counts.into_inner().unwrap(), failed.into_inner().unwrap());
    println!("{counts:?}");
    assert!(
        failed.is_empty(),
        "these fail: ROWTIDE_SIMULATION_STEPS={session} with ROWTIDE_SIMULATION_SEED one of {failed:?}"
    );
    let Counts { steps, checkpoints, activations, crashes, rebuilds, operations, compacted, .. } = counts;
    let Counts { publishes, parts, delays, uploads, .. } = counts;
    if steps >= 100_000 {
        let happened =
            [checkpoints, activations, crashes, rebuilds, operations, compacted, publishes, parts, delays, uploads];
        assert!(happened.iter().all(|count| *count > 50), "everything happens: {counts:?}");
    }
}
