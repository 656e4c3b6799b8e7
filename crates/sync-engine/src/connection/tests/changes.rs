//! Later checkpoints: diffs, buckets that come and go, interruptions, write checkpoints, limits.

use sync_config::Limits;

use super::super::{ConnectionOptions, EndReason};
use super::CONFIG;
use super::session::{Got, LATER, World, asks, quiet};
use crate::store::StoreError;

fn begun(rows: &[&str], ask: &str) -> World {
    let mut world = World::new(CONFIG, rows);
    world.connect(1, ask);
    world.lines(1);
    world
}

#[test]
fn a_change_gives_a_diff_of_its_buckets() {
    let ask = asks(true, &["list_todos list_id=l1"]);
    let mut world = begun(&["announcements 1 a", "lists l1 u1", "todos t1 l1 x"], &ask);
    let bucket = |stream, key| world.backend.bucket(stream, key);
    let (news, l1) = (bucket("announcements", "[]"), bucket("list_todos", "[\"l1\"]"));
    world.put("todos t2 l1 y");
    assert_eq!(world.commit(), [1]);
    // One priority: no partial complete line.
    assert_eq!(world.lines(1), [format!("diff 4: {l1} p3 s0"), format!("data {l1} 1 to 4"), "complete 4".to_owned()]);
    world.put("todos t2 l1 z");
    world.put("announcements 1 b");
    world.commit();
    assert_eq!(
        world.lines(1),
        [
            format!("diff 6: {news} p1 d0 {l1} p3 s0"),
            format!("data {news} 1 to 6"),
            "partial 6 p1".to_owned(),
            format!("data {l1} 1 to 5"),
            "complete 6".to_owned()
        ]
    );
    // Somebody else's.
    world.put("lists l9 u9");
    assert!(world.commit().is_empty());
    assert!(world.lines(1).is_empty());
    world.check_against_new_client(1, &ask);
}

#[test]
fn buckets_come_go_and_return_from_the_beginning() {
    let ask = asks(false, &["shared_todos"]);
    let mut world = begun(&["todos t1 l1 x", "todos t2 l2 x", "list_members m1 l1 u1"], &ask);
    let (l1, l2) = (world.backend.bucket("shared_todos", "[\"l1\"]"), world.backend.bucket("shared_todos", "[\"l2\"]"));
    world.put("list_members m2 l2 u1");
    assert_eq!(world.commit(), [1]);
    assert_eq!(world.lines(1), [format!("diff 2: {l2} p3 s0"), format!("data {l2} 1 to 2"), "complete 2".to_owned()]);
    world.delete("list_members", "m1");
    world.commit();
    assert_eq!(world.lines(1), [format!("diff 2: -{l1}"), "complete 2".to_owned()]);
    // What happens to it meanwhile is none of the client's business.
    world.put("todos t3 l1 x");
    assert!(world.commit().is_empty());
    world.put("list_members m1 l1 u1");
    world.commit();
    assert_eq!(world.lines(1), [format!("diff 3: {l1} p3 s0"), format!("data {l1} 2 to 3"), "complete 3".to_owned()]);
    assert!(world.clients[&1].lines.iter().any(|line| line.contains("\"after\":\"0\"")));
    // Rows and the bucket that reveals them are in one checkpoint.
    world.put("list_members m3 l3 u1");
    world.put("todos t4 l3 x");
    world.delete("list_members", "m2");
    world.commit();
    let l3 = world.backend.bucket("shared_todos", "[\"l3\"]");
    assert_eq!(
        world.lines(1),
        [format!("diff 4: -{l2} {l3} p3 s0"), format!("data {l3} 1 to 4"), "complete 4".to_owned()]
    );
    world.check_against_new_client(1, &ask);
}

#[test]
fn a_lookup_that_changes_nothing_gives_no_line() {
    let mut world = begun(&["todos t1 l1 x", "list_members m1 l1 u1"], &asks(false, &["shared_todos"]));
    world.put("list_members m2 l1 u1");
    assert_eq!(world.commit(), [1]);
    assert!(world.lines(1).is_empty());
    world.delete("list_members", "m1");
    assert_eq!(world.commit(), [1]);
    assert!(world.lines(1).is_empty());
}

#[test]
fn another_reason_is_a_change() {
    let ask = asks(false, &["list_todos list_id=l1", "shared_todos"]);
    let mut world = begun(&["lists l1 u1", "todos t1 l1 x"], &ask);
    let l1 = world.backend.bucket("list_todos", "[\"l1\"]");
    world.put("list_members m1 l1 u1");
    world.commit();
    assert_eq!(world.lines(1), [format!("diff 2: {l1} p3 s0,s1"), "complete 2".to_owned()]);
    world.delete("lists", "l1");
    world.commit();
    assert_eq!(world.lines(1)[0], format!("diff 3: {l1} p3 s1"));
}

/// 1,500 rows in each of three lists of priorities 1, 2 and 3.
fn large() -> World {
    let rows = (0..4_500).map(|row| format!("todos t{row} l{} x", row / 1_500 + 1));
    let rows: Vec<String> = rows.chain(["lists l1 u1".into(), "lists l2 u1".into(), "lists l3 u1".into()]).collect();
    World::new(CONFIG, &rows.iter().map(String::as_str).collect::<Vec<_>>())
}

const LARGE: [&str; 4] =
    ["list_todos list_id=l1 !1", "list_todos list_id=l2 !2", "list_todos list_id=l3 !3", "region region=eu"];

#[test]
fn a_newer_checkpoint_interrupts_after_a_thousand_operations() {
    let mut world = large();
    let ask = asks(false, &LARGE);
    world.connect(1, &ask);
    let bucket = |world: &World, list: &str| world.backend.bucket("list_todos", &format!("[\"{list}\"]"));
    let (l1, l2, l3) = (bucket(&world, "l1"), bucket(&world, "l2"), bucket(&world, "l3"));
    let eu = world.backend.bucket("region", "[\"eu\"]");
    let step = |world: &mut World| match world.step(1) {
        Got::Line(line) => line,
        other => panic!("{other:?}"),
    };
    step(&mut world);
    world.put("regions eu Europe");
    world.commit();
    // Not before a thousand operations; and what does not affect the client never interrupts.
    assert_eq!(step(&mut world), format!("data {l1} 1000 to 1000"));
    assert_eq!(step(&mut world), format!("diff 4504: {eu} p0 s3"));
    world.put("regions na x");
    world.commit();
    // New urgent data first, then the rest where it stopped.
    assert_eq!(step(&mut world), format!("data {eu} 1 to 4504"));
    assert_eq!(step(&mut world), "partial 4504 p0");
    assert_eq!(step(&mut world), format!("data {l1} 500 to 1500"));
    assert_eq!(step(&mut world), "partial 4504 p1");
    assert_eq!(step(&mut world), format!("data {l2} 1000 to 2500"));
    // A bucket in the middle of its data gets more, and another one goes.
    world.put("todos new l2 y");
    world.delete("lists", "l3");
    world.commit();
    assert_eq!(step(&mut world), format!("diff 4507: -{l3} {l2} p2 s1"));
    assert_eq!(world.lines(1), [format!("data {l2} 501 to 4506"), "complete 4507".to_owned()]);
    assert_eq!(world.clients[&1].model.completed, 1);
    world.check_against_new_client(1, &ask);
}

#[test]
fn a_small_checkpoint_is_not_interrupted() {
    let mut world = World::new(CONFIG, &["announcements 1 a", "lists l1 u1", "todos t1 l1 x"]);
    world.connect(1, &asks(true, &["list_todos list_id=l1"]));
    for _ in 0..2 {
        assert!(matches!(world.step(1), Got::Line(_)));
        world.put("announcements 1 b");
        world.put("announcements 1 c");
        world.commit();
    }
    let lines = world.lines(1);
    let diff = lines.iter().position(|line| line.starts_with("diff")).unwrap();
    assert_eq!(lines[diff - 1], "complete 3");
    assert!(lines[diff].starts_with("diff 7:") && lines.last().unwrap() == "complete 7");
}

#[test]
fn a_write_checkpoint_alone_gives_an_empty_diff() {
    let ask = asks(true, &[]);
    let mut world = begun(&["announcements 1 a"], &ask);
    let news = world.backend.bucket("announcements", "[]");
    world.backend.acknowledge("u1", "c", 7);
    assert_eq!(world.commit(), [1]);
    assert_eq!(world.lines(1), ["diff 1 ack 7:", "complete 1"]);
    let line = "{\"checkpoint_diff\":{\"last_op_id\":\"1\",\"write_checkpoint\":\"7\",\"removed_buckets\":[],\"updated_buckets\":[]}}";
    assert!(world.clients[&1].lines.iter().any(|other| other == line));
    // Another client, another user, and a client without a name.
    for (user, client) in [("u1", "d"), ("u2", "c"), ("u1", "")] {
        world.backend.acknowledge(user, client, 9);
        assert!(world.commit().is_empty());
        assert!(world.lines(1).is_empty());
    }
    // It is repeated, also when the service has forgotten the request.
    world.put("announcements 2 b");
    world.commit();
    assert_eq!(world.lines(1)[0], format!("diff 2 ack 7: {news} p1 d0"));
    world.backend.forget_acknowledged();
    world.put("announcements 3 b");
    world.commit();
    assert_eq!(world.lines(1)[0], format!("diff 3 ack 7: {news} p1 d0"));
    world.backend.acknowledge("u1", "c", 9_007_199_254_740_993);
    world.commit();
    assert_eq!(world.lines(1)[0], "diff 3 ack 9007199254740993:");
    world.disconnect(1);
    world.connect(1, &ask);
    assert!(world.lines(1)[0].starts_with("checkpoint 3 ack 9007199254740993:"));
}

fn limited(buckets: usize) -> ConnectionOptions {
    ConnectionOptions { limits: Limits { buckets, rows: 1_000 }, ..quiet() }
}

#[test]
fn only_the_stream_over_the_limit_fails() {
    let mut world = World::new(CONFIG, &["announcements 1 a", "lists l1 u1", "todos t1 l1 x", "list_members m1 l1 u1"]);
    let ask = asks(true, &["shared_todos"]);
    world.connect_with(1, &ask, limited(3), LATER);
    assert!(world.lines(1)[0].ends_with("| announcements* my_lists* shared_todos"));
    // Errors are only in full checkpoints, so one is sent.
    world.put("list_members m2 l2 u1");
    world.commit();
    let lines = world.lines(1);
    assert!(lines[0].starts_with("checkpoint 3:") && lines[0].ends_with("shared_todos!"), "{}", lines[0]);
    assert_eq!(lines[1..], ["complete 3"]);
    assert_eq!(world.clients[&1].model.published.len(), 2);
    world.delete("list_members", "m1");
    world.commit();
    let lines = world.lines(1);
    assert!(lines[0].starts_with("checkpoint 3:") && lines[0].ends_with("shared_todos"), "{}", lines[0]);
    assert!(lines[0].contains(&world.backend.bucket("shared_todos", "[\"l2\"]")));
}

#[test]
fn no_stream_within_the_limits_is_an_error() {
    let rows = ["list_members m1 l1 u1", "list_members m2 l2 u1", "todos t1 l1 x"];
    let mut world = World::new(CONFIG, &rows);
    let too_many = || EndReason::LimitExceeded("Too many buckets: the limit is 1 per connection".to_owned());
    world.connect_with(1, &asks(false, &["shared_todos", "nope"]), limited(1), LATER);
    assert_eq!(world.step(1), Got::End(too_many()));
    assert_eq!(world.step(1), Got::End(too_many()));
    assert!(!too_many().is_clean());
    // One that has no bucket remains.
    world.connect_with(2, &asks(false, &["shared_todos", "list_todos list_id=x"]), limited(1), LATER);
    assert!(world.lines(2)[0].ends_with("| list_todos shared_todos!"));
    // Later the stream is cut, and the client keeps what it has.
    world.delete("list_members", "m2");
    world.commit();
    world.connect_with(3, &asks(false, &["shared_todos"]), limited(1), LATER);
    assert_eq!(world.lines(3).len(), 3);
    world.put("list_members m2 l2 u1");
    world.commit();
    assert_eq!(world.step(3), Got::End(too_many()));
    let rows = ConnectionOptions { limits: Limits { buckets: 100, rows: 1 }, ..quiet() };
    world.connect_with(4, &asks(false, &["shared_todos"]), rows, LATER);
    let message = "Too many parameter query results: the limit is 1 per connection";
    assert_eq!(world.step(4), Got::End(EndReason::LimitExceeded(message.to_owned())));
}

#[test]
fn a_store_that_cannot_be_read_ends_the_stream() {
    let broken = |world: &World, is| world.backend.shared.is_broken.store(is, std::sync::atomic::Ordering::Relaxed);
    let gone = || Got::End(EndReason::Store(StoreError::Unavailable("the disk is gone".to_owned())));
    let mut world = World::new(CONFIG, &["lists l1 u1", "todos t1 l1 x"]);
    let ask = asks(true, &["list_todos list_id=l1"]);
    world.connect(1, &ask);
    broken(&world, true);
    assert_eq!(world.step(1), gone());
    broken(&world, false);
    assert_eq!(world.step(1), gone());
    // In the middle of data.
    world.connect(2, &ask);
    assert!(matches!(world.step(2), Got::Line(_)));
    broken(&world, true);
    assert_eq!(world.step(2), gone());
    broken(&world, false);
    // A lookup that fails is no stream without buckets.
    world.connect(3, &ask);
    world.lines(3);
    world.put("lists l1 u2");
    world.commit();
    world.backend.shared.is_broken_for_lookups.store(true, std::sync::atomic::Ordering::Relaxed);
    assert_eq!(world.step(3), gone());
}
