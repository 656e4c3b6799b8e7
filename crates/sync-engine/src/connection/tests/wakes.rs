//! What a commit costs connections: nothing if it changes nothing of theirs, and little if it does.

use std::sync::Arc;

use super::super::held::Held;
use super::super::{Connection, Step};
use super::CONFIG;
use super::session::{Got, World, asks};
use crate::interests::{ConnectionId, Interested};
use crate::notice::Wake;

fn begun(clients: u32) -> World {
    let mut world = World::new(CONFIG, &["announcements 1 a", "lists l1 u1", "todos t1 l1 x", "list_members m1 l1 u1"]);
    for id in 0..clients {
        let list = format!("region region=r{id}");
        world.connect(id, &asks(true, &["shared_todos", &list]));
        world.lines(id);
    }
    world.backend.shared.counts.take();
    world
}

#[test]
fn a_commit_that_changes_nothing_of_a_client_does_not_wake_it() {
    let mut world = begun(5);
    world.put("regions r3 x");
    assert_eq!(world.commit(), [3]);
    world.put("todos t9 l9 x");
    world.put("lists l9 u9");
    world.put("list_members m9 l9 u9");
    world.backend.acknowledge("u9", "c", 1);
    assert!(world.commit().is_empty());
    world.put("announcements 2 x");
    assert_eq!(world.commit(), [0, 1, 2, 3, 4]);
    world.backend.acknowledge("u1", "c", 1);
    assert_eq!(world.commit(), [0, 1, 2, 3, 4]);
    assert_eq!(world.backend.shared.counts.take(), (0, 0, 0), "waking reads nothing");
}

#[test]
fn only_what_changed_is_read() {
    let mut world = begun(2);
    world.put("announcements 2 x");
    world.commit();
    world.lines(0);
    assert_eq!(world.backend.shared.counts.take(), (1, 1, 0), "one state, and no lookup");
    // Commits in between that did not affect the client make no difference.
    world.put("regions r1 x");
    world.commit();
    world.put("regions r0 x");
    world.commit();
    world.lines(0);
    assert_eq!(world.backend.shared.counts.take(), (1, 1, 0));
    world.backend.acknowledge("u1", "c", 1);
    world.commit();
    world.lines(0);
    assert_eq!(world.backend.shared.counts.take(), (1, 0, 0));
    world.put("list_members m2 l2 u1");
    world.commit();
    world.lines(0);
    let (opened, states, lookups) = world.backend.shared.counts.take();
    assert_eq!((opened, states), (1, 1), "the new bucket");
    assert!(lookups > 0);
    // Without a wake, nothing at all.
    world.lines(0);
    assert_eq!(world.backend.shared.counts.take(), (0, 0, 0));
}

/// A reader can be ahead of the notices. Then nothing is known of what has changed, and the checkpoint must be whole
/// all the same.
#[test]
fn a_reader_ahead_of_the_notices_is_read_completely() {
    let mut world = begun(1);
    world.put("announcements 2 x");
    let first = world.backend.commit();
    world.put("announcements 3 x");
    world.put("todos t2 l1 x");
    let second = world.backend.commit();
    world.route(&first);
    let lines = world.lines(0);
    let l1 = world.backend.bucket("shared_todos", "[\"l1\"]");
    assert!(lines[0].starts_with("diff 6:") && lines[0].contains(&l1), "{lines:?}");
    world.check(0);
    // The late notice is nothing new.
    assert_eq!(world.route(&second), [0]);
    assert!(world.lines(0).is_empty());
    world.put("announcements 4 x");
    world.commit();
    assert_eq!(world.lines(0).len(), 3);
    world.check(0);
}

#[test]
fn a_reader_ahead_of_the_notices_is_evaluated_again() {
    let mut world = begun(1);
    world.put("announcements 2 x");
    let first = world.backend.commit();
    world.put("list_members m2 l2 u1");
    world.put("todos t2 l2 x");
    world.backend.commit();
    world.route(&first);
    let l2 = world.backend.bucket("shared_todos", "[\"l2\"]");
    assert!(world.lines(0)[0].contains(&l2));
    world.check(0);
}

/// Between reading and registering, a notice can pass by.
#[test]
fn a_notice_missed_before_registering_is_made_up_for() {
    let mut world = begun(1);
    world.put("list_members m2 l2 u1");
    world.commit();
    let client = world.clients.get_mut(&0).unwrap();
    let step = client.connection.next(&*world.backend.shared, world.interests.newest(), world.now);
    let Step::Line(line) = step else { panic!("{step:?}") };
    assert!(matches!(line, crate::lines::Line::CheckpointDiff { .. }));
    // The connection has the bucket, and the map does not know it yet.
    world.put("todos t2 l2 x");
    assert!(world.commit().is_empty());
    let client = world.clients.get_mut(&0).unwrap();
    assert!(client.connection.take_interest_change());
    let wake = world.interests.register(ConnectionId(0), &mut client.connection).unwrap();
    assert!(wake.everything);
    // Without a missed notice there is nothing to tell.
    let client = world.clients.get_mut(&0).unwrap();
    client.connection.wake(wake);
    while let Step::Line(_) = client.connection.next(&*world.backend.shared, world.interests.newest(), world.now) {}
    assert!(world.interests.register(ConnectionId(0), &mut client.connection).is_none());
    world.put("todos t3 l2 x");
    assert_eq!(world.commit(), [0]);
}

#[test]
fn a_connection_finds_out_by_itself_whether_a_notice_affects_it() {
    let mut world = begun(2);
    let mut notices = |row: &str| {
        world.put(row);
        let notice = world.backend.commit();
        let affected = [0, 1].map(|id| world.clients.get_mut(&id).unwrap().connection.notice(&notice));
        let routed: Vec<u32> = world.interests.affected(&notice).iter().map(|(id, _)| id.0).collect();
        assert_eq!(routed, (0..2).filter(|id| affected[*id as usize]).collect::<Vec<_>>(), "{row}");
        affected
    };
    assert_eq!(notices("regions r1 x"), [false, true]);
    assert_eq!(notices("todos t9 l9 x"), [false, false]);
    assert_eq!(notices("list_members m7 l7 u1"), [true, true]);
    assert_eq!(notices("announcements 1 b"), [true, true]);
    assert_eq!(world.lines(0).len(), 3);
    assert!(world.lines(1).len() > 3);
    world.check(0);
    world.check(1);
}

#[test]
fn nothing_is_left_of_connections_that_are_gone() {
    let mut world = begun(20);
    assert_eq!(world.interests.connections(), 20);
    for id in 0..20 {
        world.disconnect(id);
    }
    assert_eq!(world.interests.connections(), 0);
    assert!(world.interests.is_empty());
    world.put("announcements 1 b");
    assert!(world.commit().is_empty());
    // Numbers are used again.
    world.connect(3, &asks(true, &[]));
    world.lines(3);
    world.put("announcements 1 c");
    assert_eq!(world.commit(), [3]);
}

#[test]
fn connections_share_keys() {
    let mut world = begun(3);
    let mut keys = |id: u32| {
        let mut keys: Vec<Arc<str>> = Vec::new();
        let connection = &mut world.clients.get_mut(&id).unwrap().connection;
        connection.visit_buckets(&mut |_, key| keys.push(key.clone()));
        connection.visit_lookups(&mut |_, key| keys.push(key.clone()));
        keys
    };
    let (a, b) = (keys(0), keys(1));
    let shared = a.iter().filter(|key| b.iter().any(|other| Arc::ptr_eq(key, other))).count();
    assert_eq!(shared, a.len() - 1, "all but the region");
}

#[test]
fn an_idle_connection_is_small() {
    assert!(size_of::<Held>() <= 96, "{}", size_of::<Held>());
    assert!(size_of::<Connection>() <= 448, "{}", size_of::<Connection>());
}

#[test]
fn many_wakes_become_one() {
    let mut wake = Wake::default();
    assert!(wake.is_empty());
    let world = begun(1);
    let changed =
        |key: String| Wake { buckets: vec![(world.backend.plan.definitions[0], key.into())], ..Wake::default() };
    for number in 0..20_000 {
        wake.merge(changed(format!("[{}]", number % 100)));
    }
    assert!(!wake.everything && wake.buckets.len() <= 10_000, "repeated ones are forgotten");
    for number in 0..20_000 {
        wake.merge(changed(format!("[{number}]")));
    }
    assert!(wake.everything && wake.buckets.is_empty(), "too many are everything");
}

#[test]
fn without_a_checkpoint_there_is_nothing_to_say() {
    let mut world = World::new(CONFIG, &[]);
    world.backend.forget_checkpoint();
    world.connect(1, "{}");
    assert!(matches!(world.step(1), Got::Wait(_)));
    world.commit();
    assert!(world.lines(1)[0].starts_with("checkpoint"));
}

#[test]
fn if_not_all_changes_are_known_everything_is_read() {
    let mut world = begun(1);
    world.put("announcements 2 x");
    world.put("list_members m2 l2 u1");
    let mut notice = world.backend.commit();
    (notice.buckets, notice.lookups) = (Vec::new(), Vec::new());
    notice.everything = true;
    // The plan of such a notice can be given later, so it does not say that everything is to be read.
    assert_eq!(world.route(&notice), [0]);
    world.lines(0);
    let request = asks(true, &["shared_todos", "region region=r0"]);
    world.check_against_new_client(0, &request);
}
