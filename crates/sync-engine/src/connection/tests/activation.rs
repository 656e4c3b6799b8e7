//! Another configuration becomes active while streams are open.

use super::super::{ConnectionOptions, EndReason};
use super::CONFIG;
use super::session::{Got, LATER, World, asks, quiet};

const ROWS: [&str; 4] = ["announcements 1 a", "lists l1 u1", "todos t1 l1 x", "regions eu Europe"];

/// One stream is as before under another name and priority, one is new, and the others are gone.
const NEXT: &str = "config: {edition: 3}
streams:
  news:
    auto_subscribe: true
    priority: 0
    query: SELECT * FROM announcements
  regions:
    auto_subscribe: true
    query: SELECT * FROM regions
";

#[test]
fn the_stream_goes_on_with_a_full_checkpoint() {
    let mut world = World::new(CONFIG, &ROWS);
    let ask = asks(true, &["list_todos list_id=l1"]);
    world.connect(1, &ask);
    world.lines(1);
    let news = world.backend.bucket("announcements", "[]");
    world.backend.deploy(NEXT);
    assert_eq!(world.commit(), [1]);
    assert_eq!(world.backend.bucket("news", "[]"), news);
    let regions = world.backend.bucket("regions", "[]");
    // What is as before keeps its name, and is not sent again.
    assert_eq!(
        world.lines(1),
        [
            format!("checkpoint 5: {news} p0 d0 {regions} p3 d1 | news* regions*"),
            format!("data {regions} 1 to 5"),
            "complete 5".to_owned(),
        ]
    );
    world.check_against_new_client(1, &ask);
    // Later changes are found under the new plan, and those of the old one are not.
    world.put("todos t2 l1 x");
    assert!(world.commit().is_empty());
    world.put("announcements 2 b");
    assert_eq!(world.commit(), [1]);
    assert_eq!(world.lines(1), [format!("diff 7: {news} p0 d0"), format!("data {news} 1 to 7"), "complete 7".into()]);
    // And back.
    world.backend.deploy(CONFIG);
    world.commit();
    let lines = world.lines(1);
    assert!(lines[0].starts_with("checkpoint 7:") && lines[0].ends_with("announcements* my_lists* list_todos"));
    assert!(!lines.iter().any(|line| line.starts_with(&format!("data {news}"))));
    world.check_against_new_client(1, &ask);
}

#[test]
fn it_comes_at_the_end_of_the_current_line() {
    let rows: Vec<String> = (0..20).map(|row| format!("announcements {row} x")).collect();
    let mut world = World::new(CONFIG, &rows.iter().map(String::as_str).chain(["lists l1 u1"]).collect::<Vec<_>>());
    world.connect(1, "{}");
    assert!(matches!(world.step(1), Got::Line(line) if line.starts_with("checkpoint")));
    assert!(matches!(world.step(1), Got::Line(line) if line.starts_with("data")));
    world.backend.deploy(NEXT);
    world.commit();
    let lines = world.lines(1);
    assert!(lines[0].starts_with("checkpoint"), "{lines:?}");
    assert_eq!(lines.len(), 2, "the bucket that was sent is not sent again");
    world.check_against_new_client(1, "{}");
}

#[test]
fn a_connection_may_be_told_to_end_instead() {
    let mut world = World::new(CONFIG, &ROWS);
    world.connect_with(1, "{}", ConnectionOptions { ends_at_activation: true, ..quiet() }, LATER);
    assert!(matches!(world.step(1), Got::Line(_)));
    world.backend.deploy(NEXT);
    world.commit();
    assert_eq!(world.step(1), Got::End(EndReason::ConfigurationChanged));
    assert!(EndReason::ConfigurationChanged.is_clean());
}

#[test]
fn a_connection_that_missed_the_activation_is_told_when_it_registers() {
    let mut world = World::new(CONFIG, &ROWS);
    world.connect(1, "{}");
    let mut client = world.clients.remove(&1).unwrap();
    world.interests.unregister(crate::interests::ConnectionId(1));
    // It reads under the old plan while the notice passes.
    let step = client.connection.next(&*world.backend.shared, None, world.now);
    assert!(matches!(step, super::super::Step::Line(_)));
    world.backend.deploy(NEXT);
    assert!(world.commit().is_empty());
    let wake = world.interests.register(crate::interests::ConnectionId(1), &mut client.connection).unwrap();
    assert!(wake.plan.is_some() && wake.everything);
    client.connection.wake(wake);
    world.clients.insert(1, client);
    assert!(matches!(world.step(1), Got::Line(line) if line.contains("| news* regions*")));
}

#[test]
fn an_activation_of_the_same_plan_reads_everything_again() {
    let mut world = World::new(CONFIG, &ROWS);
    let options = ConnectionOptions { ends_at_activation: true, ..quiet() };
    world.connect_with(1, &asks(true, &["list_todos list_id=l1"]), options, LATER);
    world.lines(1);
    let mut notice = world.backend.commit();
    notice.activated = Some(world.backend.plan.clone());
    assert_eq!(world.route(&notice), [1]);
    assert!(world.lines(1).is_empty());
    assert!(matches!(world.step(1), Got::Wait(_)));
    // A writer that begins does not know what the one before it has changed.
    world.put("todos t2 l1 x");
    let mut notice = world.backend.commit();
    notice.buckets.clear();
    notice.activated = Some(world.backend.plan.clone());
    assert_eq!(world.route(&notice), [1]);
    assert_eq!(world.lines(1).len(), 3);
    world.check(1);
}

/// The switch of a connection can be put off, while notices are of the new plan only.
#[test]
fn under_an_older_plan_everything_is_read() {
    let mut world = World::new(CONFIG, &ROWS);
    world.connect(1, &asks(true, &["list_todos list_id=l1"]));
    world.lines(1);
    world.backend.deploy(NEXT);
    let activation = world.backend.commit();
    let put_off = world.interests.affected(&activation);
    for text in ["x", "y"] {
        world.put(&format!("todos t2 l1 {text}"));
        world.put(&format!("announcements 2 {text}"));
        let mut notice = world.backend.commit();
        let news = world.backend.plan.definitions[0];
        notice.buckets.retain(|changed| changed.definition == news);
        assert_eq!(world.route(&notice), [1]);
        let lines = world.lines(1);
        assert!(lines[0].starts_with("diff") && lines[0].contains("list_todos"), "{lines:?}");
        world.check(1);
    }
    for (_, wake) in put_off {
        world.clients.get_mut(&1).unwrap().connection.wake(wake);
    }
    assert!(world.lines(1)[0].ends_with("| news* regions*"));
    world.check_against_new_client(1, &asks(true, &[]));
}

#[test]
fn a_plan_may_be_missed_between_two_others() {
    let mut world = World::new(CONFIG, &ROWS);
    let ask = asks(true, &["list_todos list_id=l1"]);
    world.connect(1, &ask);
    world.lines(1);
    world.backend.deploy(NEXT);
    world.commit();
    // While that one is active, notices do not name what only the others use.
    world.put("todos t2 l1 x");
    let mut notice = world.backend.commit();
    notice.buckets.clear();
    world.route(&notice);
    world.backend.deploy(CONFIG);
    world.commit();
    world.lines(1);
    world.check_against_new_client(1, &ask);
}
