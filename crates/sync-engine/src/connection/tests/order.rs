//! The lines of a checkpoint: which come, in which order, and where they are cut.

use super::CONFIG;
use super::session::{Got, World, asks};
use crate::notice::Wake;

const ROWS: [&str; 7] = [
    "announcements 1 a",
    "lists l1 u1",
    "lists l2 u1",
    "lists l3 u2",
    "todos t1 l1 x",
    "todos t2 l2 y",
    "regions eu Europe",
];

#[test]
fn everything_by_priority_and_partial_complete_lines_between() {
    let mut world = World::new(CONFIG, &ROWS);
    let subscriptions = [
        "list_todos list_id=l1",
        "list_todos list_id=l2 !1",
        "region region=eu",
        "nope x=1",
        "shared_todos",
        "list_todos list_id=l9",
    ];
    world.connect(1, &asks(true, &subscriptions));
    let bucket = |stream, key| world.backend.bucket(stream, key);
    let (news, lists) = (bucket("announcements", "[]"), bucket("my_lists", "[\"u1\"]"));
    let (l1, l2) = (bucket("list_todos", "[\"l1\"]"), bucket("list_todos", "[\"l2\"]"));
    let eu = bucket("region", "[\"eu\"]");
    // Streams without a bucket are listed, unknown ones are not.
    assert_eq!(
        world.lines(1),
        [
            format!(
                "checkpoint 7: {news} p1 d0 {lists} p2 d1 {l1} p3 s0 {l2} p1 s1 {eu} p0 s2 | \
                 announcements* my_lists* list_todos shared_todos region"
            ),
            format!("data {eu} 1 to 7"),
            "partial 7 p0".to_owned(),
            format!("data {news} 1 to 1"),
            format!("data {l2} 1 to 6"),
            "partial 7 p1".to_owned(),
            format!("data {lists} 2 to 3"),
            "partial 7 p2".to_owned(),
            format!("data {l1} 1 to 5"),
            "complete 7".to_owned(),
        ]
    );
    world.check(1);
}

#[test]
fn the_first_line_is_a_checkpoint_even_if_there_is_nothing() {
    let mut world = World::new(CONFIG, &ROWS);
    world.connect(1, &asks(false, &[]));
    let op = world.backend.op_id();
    assert_eq!(world.lines(1), [format!("checkpoint {op}: |"), format!("complete {op}")]);
    assert_eq!(
        world.clients[&1].lines[0],
        format!("{{\"checkpoint\":{{\"last_op_id\":\"{op}\",\"buckets\":[],\"streams\":[]}}}}")
    );
}

#[test]
fn empty_buckets_are_listed_and_get_no_data() {
    let mut world = World::new(CONFIG, &["lists l1 u1"]);
    world.connect(1, &asks(false, &["list_todos list_id=l1", "announcements"]));
    let (news, l1) = (world.backend.bucket("announcements", "[]"), world.backend.bucket("list_todos", "[\"l1\"]"));
    let lines = world.lines(1);
    let op = world.backend.op_id();
    assert_eq!(
        lines,
        [format!("checkpoint {op}: {news} p1 s1 {l1} p3 s0 | announcements* list_todos"), format!("complete {op}")]
    );
    assert!(world.clients[&1].lines[0].contains("\"checksum\":0,\"count\":0"));
}

#[test]
fn a_bucket_has_its_most_urgent_priority_and_every_reason() {
    let mut world = World::new(CONFIG, &["announcements 1 a"]);
    let news = world.backend.bucket("announcements", "[]");
    // Less urgent than the default, which counts, and more urgent.
    world.connect(1, &asks(true, &["announcements !3"]));
    assert!(world.lines(1)[0].contains(&format!("{news} p1 d0,s0")));
    world.connect(2, &asks(true, &["announcements !0", "announcements !2"]));
    assert!(world.lines(2)[0].contains(&format!("{news} p0 d0,s0,s1")));
}

#[test]
fn lines_have_at_most_a_thousand_operations() {
    let rows: Vec<String> = (0..2_000).map(|row| format!("todos t{row} l1 x")).collect();
    let rows: Vec<&str> = rows.iter().map(String::as_str).chain(["lists l1 u1"]).collect();
    let mut world = World::new(CONFIG, &rows);
    world.connect(1, &asks(false, &["list_todos list_id=l1"]));
    let l1 = world.backend.bucket("list_todos", "[\"l1\"]");
    let lines = world.lines(1);
    assert_eq!(lines[1..3], [format!("data {l1} 1000 to 1000"), format!("data {l1} 1000 to 2000")]);
    assert!(lines[3].starts_with("complete"));
    let lines = &world.clients[&1].lines;
    let head = |after: &str, more| {
        format!(
            "{{\"data\":{{\"bucket\":\"{}\",\"after\":\"{after}\",\"has_more\":{more},\"data\":[",
            l1.replace('"', "\\\"")
        )
    };
    assert!(lines[1].starts_with(&head("0", true)) && lines[1].ends_with("],\"next_after\":\"1000\"}}"));
    // The last line says so, although it is full.
    assert!(lines[2].starts_with(&head("1000", false)) && lines[2].ends_with("],\"next_after\":\"2000\"}}"));
}

#[test]
fn lines_have_about_a_mebibyte() {
    let text = "x".repeat(96_000);
    let rows: Vec<String> = (0..24).map(|row| format!("todos t{row} l1 {text}")).collect();
    let huge = format!("todos huge l1 {}", "y".repeat(3 << 20));
    let rows: Vec<&str> = rows.iter().chain([&huge]).map(String::as_str).chain(["lists l1 u1"]).collect();
    let mut world = World::new(CONFIG, &rows);
    world.connect(1, &asks(false, &["list_todos list_id=l1"]));
    let lines = world.lines(1);
    let counts: Vec<&str> = lines[1..lines.len() - 1].iter().map(|line| line.split(' ').nth(2).unwrap()).collect();
    assert_eq!(counts, ["10", "10", "4", "1"]);
}

#[test]
fn a_client_continues_where_it_was() {
    let mut world = World::new(CONFIG, &ROWS);
    let ask = asks(true, &["list_todos list_id=l1"]);
    world.connect(1, &ask);
    world.lines(1);
    world.disconnect(1);
    world.put("todos t9 l1 z");
    world.delete("lists", "l2");
    world.commit();
    world.connect(1, &ask);
    let lines = world.lines(1);
    assert!(lines[0].starts_with("checkpoint"));
    let data: Vec<&String> = lines.iter().filter(|line| line.starts_with("data")).collect();
    let bucket = |stream, key| world.backend.bucket(stream, key);
    let (lists, l1) = (bucket("my_lists", "[\"u1\"]"), bucket("list_todos", "[\"l1\"]"));
    assert_eq!(data, [&format!("data {lists} 1 to 9"), &format!("data {l1} 1 to 8")]);
    world.check_against_new_client(1, &ask);
    // Nothing has changed.
    world.disconnect(1);
    world.connect(1, &ask);
    assert_eq!(world.lines(1).len(), 2);
    // What it had, and has not any more, goes without a word.
    world.disconnect(1);
    world.connect(1, &asks(false, &["list_todos list_id=l1"]));
    assert_eq!(world.lines(1).len(), 2);
    assert_eq!(world.clients[&1].model.published.len(), 1);
}

#[test]
fn names_that_the_request_makes_up_are_ignored() {
    let mut world = World::new(CONFIG, &ROWS);
    let ask = "{\"buckets\":[{\"name\":\"d0[\\\"u2\\\"]\",\"after\":\"3\"},{\"name\":\"\",\"after\":\"9\"}]}";
    world.connect(1, ask);
    assert!(world.lines(1)[0].starts_with("checkpoint"));
    world.check_against_new_client(1, "{}");
}

#[test]
fn operations_that_are_compacted_leave_their_checksums() {
    let mut world = World::new(CONFIG, &["lists l1 u1", "todos t1 l1 a"]);
    let ask = asks(false, &["list_todos list_id=l1"]);
    for id in [1, 2] {
        world.connect(id, &ask);
        world.lines(id);
    }
    // One client is in the middle of what will be a CLEAR, the other one at its end.
    world.disconnect(1);
    for text in ["b", "c", "d"] {
        world.put(&format!("todos t1 l1 {text}"));
        world.put(&format!("todos t2 l1 {text}"));
    }
    world.commit();
    world.lines(2);
    world.backend.compact();
    world.commit();
    world.connect(1, &ask);
    world.lines(1);
    assert!(world.clients[&1].lines.iter().any(|line| line.contains("\"op\":\"CLEAR\"")));
    for id in [1, 2] {
        world.check_against_new_client(id, &ask);
    }
    // The count is smaller now, but a client that has everything is told nothing.
    world.put("regions eu x");
    let unseen = world.backend.commit();
    world.clients.get_mut(&2).unwrap().connection.wake(Wake { everything: true, ..Wake::default() });
    assert!(world.lines(2).is_empty());
    world.route(&unseen);
}

#[test]
fn streams_that_cannot_be_evaluated_are_listed_with_an_error() {
    let mut world = World::new(CONFIG, &ROWS);
    let ask = asks(false, &["fragile n=-9223372036854775808", "fragile n=1", "region region=eu"]);
    world.connect(1, &ask.replace("\"-9223372036854775808\"", "-9223372036854775808"));
    let lines = world.lines(1);
    let eu = world.backend.bucket("region", "[\"eu\"]");
    assert!(lines[0].contains(&format!("{eu} p0 s2")) && lines[0].ends_with("| region fragile!"), "{}", lines[0]);
    let errors = "\"errors\":[{\"subscription\":0,\"message\":\"Error evaluating bucket ids: integer overflow\"}]";
    assert!(world.clients[&1].lines[0].contains(errors), "{}", world.clients[&1].lines[0]);
    assert!(matches!(world.step(1), Got::Wait(_)));
}
