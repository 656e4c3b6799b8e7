//! Makes sessions from seeds.

use rowtide_testkit::random::Random;

use crate::action::{Action, Disconnect, Statement, Upload};
use crate::rows::{Schema, Table};

/// A session: how many clients, and what happens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Session {
    /// Number of clients, 1 to 4.
    pub clients: usize,
    /// What happens.
    pub actions: Vec<Action>,
}

/// Actions in a session, at least and at most.
const LENGTH: (usize, usize) = (20, 60);

/// The session of a seed.
pub fn generate(seed: u64) -> Session {
    let mut random = Random::new(seed);
    let beside = random.chance(40);
    let clients = if beside { [1, 1, 1, 2][random.below(4)] } else { [1, 1, 2, 2, 2, 3, 4][random.below(7)] };
    let length = LENGTH.0 + random.below(LENGTH.1 - LENGTH.0);
    let mut actions = Vec::new();
    for client in 0..clients {
        if random.chance(50) {
            let client = u8::try_from(client).unwrap_or(0);
            actions.push(Action::Connect { client, second: false, beside: false, by_rows: true });
        }
    }
    while actions.len() < length {
        if beside && random.chance(15) {
            leapfrog(&mut random, clients, &mut actions);
        } else {
            actions.push(any_action(&mut random, clients, beside));
        }
    }
    Session { clients, actions }
}

/// Of two iterations of a client one gets ahead of the other, in any way, and the other goes on where it was.
fn leapfrog(random: &mut Random, clients: usize, actions: &mut Vec<Action>) {
    let client = small(random, clients);
    let other = random.chance(50);
    if random.chance(40) {
        let first = random.chance(50);
        actions.extend([first, !first].map(|second| {
            let by_rows = random.chance(50);
            Action::Connect { client, second, beside: true, by_rows }
        }));
    }
    let announce = |other| Action::Announce { client, wrong_checksum: None, other };
    actions.extend([write(random), Action::Replicate { changes: 8 }, announce(other)]);
    for _ in 0..=random.below(3) {
        let change = if random.chance(70) { write(random) } else { service_action(random, client) };
        actions.extend([change, Action::Replicate { changes: 8 }]);
    }
    actions.push(announce(!other));
    for _ in 0..random.below(4) {
        let other = random.chance(30) == other;
        actions.push(Action::Data { client, lines: 1, size: 1 + small(random, 3), twice: false, other });
    }
    let complete = |random: &mut Random, other| Action::Complete { client, partial: small(random, 8), other };
    if random.chance(30) {
        actions.push(complete(random, !other));
    }
    actions.push(complete(random, other));
    for _ in 0..random.below(4) {
        actions.push(Action::KeepAlive { client, other });
    }
    if random.chance(70) {
        actions.push(complete(random, !other));
    }
}

fn small(random: &mut Random, limit: usize) -> u8 {
    u8::try_from(random.below(limit)).unwrap_or(0)
}

/// Any action of a service with so many clients, which may have several iterations at a time (`beside`).
pub fn any_action(random: &mut Random, clients: usize, beside: bool) -> Action {
    let client = small(random, clients);
    let other = beside && random.chance(50);
    match random.below(if beside { 130 } else { 100 }) {
        0..22 => service_action(random, client),
        22..48 | 100..130 => stream_action(random, client, beside, other),
        48..88 => local_action(random, client, other),
        _ => disturbance(random, clients, client),
    }
}

fn service_action(random: &mut Random, client: u8) -> Action {
    let bucket = small(random, 5);
    match random.below(22) {
        0..11 => write(random),
        11..16 => Action::Replicate { changes: 1 + small(random, 8) },
        16..19 => Action::Compact { bucket, clear: random.chance(80) },
        19 => Action::Redefine { bucket, priority: small(random, 4) },
        20 => Action::DropBucket { bucket },
        _ => Action::Toggle { bucket, client },
    }
}

fn write(random: &mut Random) -> Action {
    const SYNCED: [Table; 5] = [Table::Items, Table::Notes, Table::Direct, Table::Raw, Table::Ghosts];
    let places = if random.chance(55) {
        (0..=random.below(2)).map(|_| (small(random, 5), random.chance(30))).collect()
    } else {
        Vec::new()
    };
    Action::Write {
        table: SYNCED[random.below(5)],
        id: small(random, 5),
        values: random.chance(75).then(|| (small(random, 5), small(random, 5))),
        places,
    }
}

fn stream_action(random: &mut Random, client: u8, beside: bool, other: bool) -> Action {
    match random.below(26) {
        0..3 => {
            let second = random.chance(if beside { 50 } else { 20 });
            Action::Connect { client, second, beside, by_rows: random.chance(50) }
        }
        // With another iteration, most steps are for one line alone.
        17.. if beside && random.chance(50) => Action::Announce { client, wrong_checksum: None, other },
        3..7 => Action::Announce { client, wrong_checksum: random.chance(8).then(|| small(random, 5)), other },
        7..12 => {
            let (lines, size, twice) = (1 + small(random, 5), 1 + small(random, 4), random.chance(15));
            Action::Data { client, lines, size, twice, other }
        }
        12..15 => Action::Complete { client, partial: small(random, 16), other },
        15 => Action::KeepAlive { client, other },
        16 => {
            const ALL: [Disconnect; 4] = [Disconnect::Stop, Disconnect::End, Disconnect::Token, Disconnect::Expired];
            Action::Disconnect { client, how: ALL[random.below(4)], other }
        }
        _ => Action::Sync { client, partial: small(random, 16), other },
    }
}

fn local_action(random: &mut Random, client: u8, other: bool) -> Action {
    match random.below(50) {
        0..20 => {
            let statements = (0..=random.below(5)).map(|_| statement(random)).collect();
            Action::Local { client, second: random.chance(30), statements, commit: random.chance(85) }
        }
        20..30 => {
            const RESULTS: [Upload; 8] = [
                Upload::Accept,
                Upload::Accept,
                Upload::Accept,
                Upload::Accept,
                Upload::Accept,
                Upload::Reject,
                Upload::Fail,
                Upload::LoseAnswer,
            ];
            let result = RESULTS[random.below(RESULTS.len())];
            let (transactions, mark, together) = (1 + small(random, 4), random.chance(50), random.chance(50));
            Action::Upload { client, transactions, result, mark, together }
        }
        30..32 => Action::Reject { client, transaction: small(random, 4) },
        32..40 => Action::Retry { client, transaction: small(random, 4), discard: random.chance(30) },
        _ => Action::Acknowledge { client, write_between: random.chance(10), other },
    }
}

fn statement(random: &mut Random) -> Statement {
    let table = Table::ALL[random.below(Table::ALL.len())];
    let id = small(random, 5);
    match random.below(23) {
        20.. => {
            let column = |random: &mut Random| random.chance(70).then(|| small(random, 5));
            Statement::Upsert { table, id, name: column(random), n: column(random) }
        }
        0..9 => {
            let rows = (0..=random.below(2))
                .map(|_| {
                    let id = (!random.chance(8)).then(|| small(random, 5));
                    (id, (small(random, 5), small(random, 5)))
                })
                .collect();
            Statement::Insert { table, rows, replace: random.chance(40) }
        }
        9..13 => {
            let column = |random: &mut Random| random.chance(60).then(|| small(random, 5));
            let (name, n) = (column(random), column(random));
            Statement::Update { table, id, name, n, metadata: random.chance(30) }
        }
        13..15 => Statement::Delete { table, id },
        15 => Statement::ChangeId { table, id },
        16 | 17 => Statement::Savepoint,
        18 => Statement::RollbackTo,
        _ => Statement::Release,
    }
}

fn disturbance(random: &mut Random, clients: usize, client: u8) -> Action {
    match random.below(28) {
        26.. => Action::Damage { client, how: small(random, 5) },
        24.. => {
            let (from, export, with_local) = (small(random, clients), random.chance(50), random.chance(50));
            Action::Replace { client, from, export, with_local }
        }
        0..10 => Action::Kill { client, after: small(random, 24) },
        10..14 => Action::RollBack { client, after: small(random, 6), repeat: random.chance(50) },
        14..16 => Action::Reopen { client },
        16 => Action::Migrate { client },
        17..20 => Action::Clear { client, flags: small(random, 8), behind: random.chance(30) },
        20 | 21 => Action::Resync { client },
        _ => {
            let schema = if random.chance(50) { Schema::First } else { Schema::Second };
            Action::ChangeSchema { client, schema }
        }
    }
}
