//! Keep-alive lines and the end of the token, at given times.

use super::super::clock::Clock;
use super::super::{ConnectionOptions, EndReason};
use super::CONFIG;
use super::session::{Got, LATER, SECOND, START, World, asks, quiet};

fn lively(seed: u64) -> ConnectionOptions {
    ConnectionOptions { seed, ..ConnectionOptions::default() }
}

fn world(options: ConnectionOptions, expires_at: i64) -> World {
    let mut world = World::new(CONFIG, &["announcements 1 a"]);
    world.connect_with(1, &asks(true, &[]), options, expires_at);
    world
}

#[test]
fn keep_alive_lines_come_about_every_twenty_seconds() {
    let mut pauses = std::collections::BTreeSet::new();
    for seed in 0..20 {
        let mut world = world(lively(seed), LATER);
        world.lines(1);
        let mut before = START;
        for _ in 0..5 {
            let Got::Wait(until) = world.step(1) else { panic!() };
            let pause = until - before;
            assert!((18 * SECOND..=22 * SECOND).contains(&pause), "{pause}");
            pauses.insert(pause);
            world.now = until - 1;
            assert_eq!(world.step(1), Got::Wait(until));
            world.now = until;
            let seconds = (LATER - until + SECOND - 1) / SECOND;
            assert_eq!(world.lines(1), [format!("expires {seconds}")]);
            before = until;
        }
    }
    assert!(pauses.len() > 90, "the pauses are spread");
    assert!(pauses.first().unwrap() < &(19 * SECOND) && pauses.last().unwrap() > &(21 * SECOND));
}

#[test]
fn keep_alive_lines_come_between_data_but_not_before_the_checkpoint() {
    let mut world = world(lively(1), LATER);
    world.now += 3600 * SECOND;
    let lines = world.lines(1);
    // However late, one is enough.
    assert_eq!(lines.iter().filter(|line| line.starts_with("expires")).count(), 1);
    assert!(lines[0].starts_with("checkpoint") && lines[1].starts_with("expires") && lines[2].starts_with("data"));
}

#[test]
fn the_expiry_is_announced_and_ends_the_stream() {
    let expires_at = START + 100 * SECOND;
    let mut world = world(quiet(), expires_at);
    world.lines(1);
    assert_eq!(world.step(1), Got::Wait(expires_at - 20 * SECOND));
    world.now = expires_at - 20 * SECOND;
    assert_eq!(world.lines(1), ["expires 20"]);
    assert_eq!(world.step(1), Got::Wait(expires_at));
    world.now = expires_at - 1;
    assert_eq!(world.step(1), Got::Wait(expires_at));
    world.now = expires_at;
    // Nothing comes between.
    world.put("announcements 2 b");
    world.commit();
    assert_eq!(world.step(1), Got::Line("expires 0".to_owned()));
    assert_eq!(world.step(1), Got::End(EndReason::TokenExpired));
    assert_eq!(world.step(1), Got::End(EndReason::TokenExpired));
    assert!(EndReason::TokenExpired.is_clean());
}

#[test]
fn a_token_that_is_expired_gets_one_line() {
    for late in [0, 1, 59 * SECOND] {
        let mut world = world(lively(1), START - late);
        assert_eq!(world.lines(1), ["expires 0"]);
        assert_eq!(world.step(1), Got::End(EndReason::TokenExpired));
        assert_eq!(world.clients[&1].lines, ["{\"token_expires_in\":0}"]);
    }
}

#[test]
fn a_token_of_a_few_seconds_is_warned_about_at_once() {
    let mut world = world(lively(1), START + 5 * SECOND);
    let lines = world.lines(1);
    assert_eq!(lines[1], "expires 5");
    assert_eq!(world.step(1), Got::Wait(START + 5 * SECOND));
}

#[test]
fn seconds_are_rounded_up_so_that_zero_means_expired() {
    let mut clock = Clock::new(0, 30 * SECOND, Some(20 * SECOND), 1);
    assert_eq!(clock.due(10 * SECOND + 1), Some(20));
    let mut clock = Clock::new(0, 30 * SECOND, Some(20 * SECOND), 1);
    assert_eq!(clock.due(30 * SECOND - 1), Some(1));
    let mut clock = Clock::new(i64::MAX, i64::MAX, Some(20 * SECOND), u64::MAX);
    assert!(clock.due(i64::MIN).is_none());
}

#[test]
fn checkpoints_that_follow_each_other_wait_a_little() {
    let mut world = world(ConnectionOptions { pause: 10_000, ..quiet() }, LATER);
    world.lines(1);
    for title in ["b", "c"] {
        world.put(&format!("announcements 1 {title}"));
        world.commit();
        assert_eq!(world.step(1), Got::Wait(START + 10_000));
    }
    world.now += 10_000;
    // One checkpoint of both.
    assert_eq!(world.lines(1).len(), 3);
    assert_eq!(world.clients[&1].model.operations, 3);
}
