//! Clients that know more than the storage: it was restored from a backup.

use super::CONFIG;
use super::session::{World, asks};

#[test]
fn buckets_above_the_last_operation_are_dropped_and_sent_again() {
    let rows = ["announcements 1 a", "lists l1 u1", "todos t1 l1 x", "regions eu Europe"];
    let ask = asks(true, &["list_todos list_id=l1", "list_todos list_id=l2", "region region=eu"]);
    let mut lost = World::new(CONFIG, &rows);
    for row in ["lists l2 u1", "todos t2 l1 y", "todos t3 l2 y"] {
        lost.put(row);
    }
    lost.commit();
    lost.connect(1, &ask);
    lost.lines(1);
    lost.disconnect(1);
    // Everything of the client is above operation 4 now, and its new operations will have the ids of lost ones.
    let mut world = World::new(CONFIG, &rows);
    world.clients.insert(1, lost.clients.remove(&1).unwrap());
    world.connect(1, &ask);
    let bucket = |stream, key| world.backend.bucket(stream, key);
    let (news, lists) = (bucket("announcements", "[]"), bucket("my_lists", "[\"u1\"]"));
    let (l1, eu) = (bucket("list_todos", "[\"l1\"]"), bucket("region", "[\"eu\"]"));
    assert_eq!(
        world.lines(1),
        [
            "checkpoint 4: | announcements* my_lists* list_todos region".to_owned(),
            format!("diff 4: {news} p1 d0 {lists} p2 d1 {l1} p3 s0 {eu} p0 s2"),
            format!("data {eu} 1 to 4"),
            "partial 4 p0".to_owned(),
            format!("data {news} 1 to 1"),
            "partial 4 p1".to_owned(),
            format!("data {lists} 1 to 2"),
            "partial 4 p2".to_owned(),
            format!("data {l1} 1 to 3"),
            "complete 4".to_owned(),
        ]
    );
    world.put("todos t8 l1 z");
    world.put("todos t9 l1 z");
    world.commit();
    world.lines(1);
    world.check_against_new_client(1, &ask);
}

#[test]
fn buckets_that_are_within_the_storage_stay() {
    let mut world = World::new(CONFIG, &["announcements 1 a", "lists l1 u1"]);
    let news = world.backend.bucket("announcements", "[]").replace('"', "\\\"");
    let lists = world.backend.bucket("my_lists", "[\"u1\"]");
    world.connect(1, "{}");
    world.lines(1);
    world.disconnect(1);
    let other = lists.replace('"', "\\\"");
    let ask =
        format!("{{\"buckets\":[{{\"name\":\"{news}\",\"after\":\"2\"}},{{\"name\":\"{other}\",\"after\":\"3\"}}]}}");
    world.connect(1, &ask);
    let news = world.backend.bucket("announcements", "[]");
    assert_eq!(
        world.lines(1),
        [
            format!("checkpoint 2: {news} p1 d0 | announcements* my_lists*"),
            format!("diff 2: {lists} p2 d1"),
            format!("data {lists} 1 to 2"),
            "complete 2".to_owned(),
        ]
    );
    world.check(1);
}

/// An empty bucket has no data line, but what the client has of it is wrong.
#[test]
fn a_bucket_that_the_storage_does_not_have_becomes_empty() {
    let mut lost = World::new(CONFIG, &["announcements 1 a", "regions eu Europe"]);
    lost.connect(1, "{}");
    lost.lines(1);
    lost.disconnect(1);
    let mut world = World::new(CONFIG, &["regions eu Europe"]);
    world.clients.insert(1, lost.clients.remove(&1).unwrap());
    world.connect(1, "{}");
    let lines = world.lines(1);
    assert_eq!(lines.len(), 3);
    assert!(lines[1].starts_with("diff 1:") && lines[2] == "complete 1");
    assert!(world.clients[&1].model.published.values().all(|rows| rows.is_empty()));
}
