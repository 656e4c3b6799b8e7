//! Every committed input, and every one made of a scenario, goes through its target.
#![allow(clippy::unwrap_used)]

use rowtide_fuzz::{TARGETS, corpus};

#[test]
fn known_inputs_pass() {
    for target in TARGETS {
        let committed = corpus::committed(target).unwrap();
        assert!(!committed.is_empty(), "{} has no inputs", target.name);
        for input in committed.iter().chain(&corpus::made(target)) {
            (target.run)(input);
        }
    }
}
