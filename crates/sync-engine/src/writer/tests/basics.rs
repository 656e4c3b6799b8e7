//! From a deploy over a snapshot to changes.

use sync_config::Value;

use super::harness::{Harness, SMALL};
use crate::store::{Readers, Store};
use crate::writer::ProblemKind;

pub(super) const LISTS: &str = "
config: {edition: 3}
streams:
  lists:
    query: SELECT id, name FROM lists WHERE owner = auth.user_id()
  todos:
    query: SELECT * FROM todos WHERE list_id IN (SELECT id FROM lists WHERE owner = auth.user_id())
";

pub(super) fn text(text: &str) -> Value {
    Value::text(text)
}

pub(super) fn list(id: i64, name: &str, owner: &str) -> Vec<Value> {
    vec![Value::Integer(id), text(name), text(owner), text("secret")]
}

pub(super) fn todo(id: i64, list: i64, name: &str) -> Vec<Value> {
    vec![Value::Integer(id), Value::Integer(list), text(name)]
}

/// Some lists and todos, and the configuration that syncs them.
pub(super) fn lists() -> Harness {
    let mut harness = Harness::new(SMALL);
    let world = &mut harness.world;
    world.create("lists", &["id", "name", "owner", "note"], &[0]);
    world.create("todos", &["id", "list_id", "text"], &[0]);
    for id in 1..=5 {
        world.put("lists", list(id, &format!("list {id}"), if id % 2 == 0 { "ann" } else { "bob" }));
        world.put("todos", todo(10 + id, id, "todo"));
    }
    world.commit();
    harness.deploy(LISTS);
    harness
}

fn last_op(harness: &Harness) -> i64 {
    harness.store.latest().unwrap().unwrap().checkpoint().op_id
}

#[test]
fn rows_come_from_the_snapshot_and_the_stream() {
    let mut harness = lists();
    assert!(harness.store.latest().unwrap().is_none());
    harness.settle();
    let first = last_op(&harness);
    harness.world.put("lists", list(6, "new", "ann"));
    harness.world.put("lists", list(1, "moved", "ann"));
    harness.world.delete("todos", &[Value::Integer(12)]);
    harness.settle();
    // A new bucket row and entry, a move of both, and a removal.
    assert_eq!(last_op(&harness), first + 4);
}

#[test]
fn what_changes_no_output_makes_no_operation() {
    let mut harness = lists();
    harness.settle();
    let first = last_op(&harness);
    let mut row = list(1, "list 1", "bob");
    row[3] = text("another note");
    harness.world.put("lists", row);
    harness.world.put("todos", todo(11, 1, "todo"));
    harness.settle();
    assert_eq!(last_op(&harness), first);
}

#[test]
fn only_the_newest_of_several_versions_in_a_batch_counts() {
    let mut harness = lists();
    harness.settle();
    let first = last_op(&harness);
    for name in ["a", "b", "c"] {
        harness.world.put("lists", list(1, name, "bob"));
        harness.world.commit();
    }
    harness.settle();
    assert_eq!(last_op(&harness), first + 1);
}

#[test]
fn a_changed_key_removes_the_row_and_puts_another() {
    let mut harness = lists();
    harness.settle();
    harness.world.put_as("lists", Some(&[Value::Integer(1)]), list(100, "list 1", "bob"), &[]);
    // Keys that change places, in one transaction.
    harness.world.put_as("lists", Some(&[Value::Integer(2)]), list(101, "list 2", "ann"), &[]);
    harness.world.put_as("lists", Some(&[Value::Integer(4)]), list(2, "list 4", "ann"), &[]);
    harness.world.put_as("lists", Some(&[Value::Integer(101)]), list(4, "list 2", "ann"), &[]);
    harness.settle();
}

#[test]
fn a_large_transaction_is_invisible_until_its_last_part() {
    let mut harness = lists();
    harness.settle();
    let first = last_op(&harness);
    for id in 20..60 {
        harness.world.put("lists", list(id, "many", "ann"));
    }
    harness.world.commit();
    harness.pump(30);
    harness.flush();
    harness.sync(0);
    assert_eq!(last_op(&harness), first);
    assert!(harness.store.clone().load().unwrap().next_op_id > first + 10, "a part of it is written");
    // A crash in the middle: what is written stays invisible until the transaction has come again.
    harness.restart();
    harness.want();
    harness.flush();
    harness.request_write_checkpoint();
    harness.flush();
    assert_eq!(last_op(&harness), first);
    harness.sync(0);
    harness.settle();
    assert_eq!(last_op(&harness), first + 40, "nothing is written twice");
}

#[test]
fn the_stream_ends_in_the_middle_of_a_large_transaction() {
    let mut harness = lists();
    harness.settle();
    let first = last_op(&harness);
    for id in 20..60 {
        harness.world.put("lists", list(id, "many", "ann"));
    }
    harness.world.commit();
    harness.pump(30);
    harness.flush();
    harness.stream = None;
    harness.writer.stream_ended();
    harness.flush();
    harness.request_write_checkpoint();
    harness.flush();
    assert_eq!(last_op(&harness), first);
    harness.settle();
}

#[test]
fn transactions_that_come_again_change_nothing() {
    let mut harness = lists();
    harness.settle();
    harness.world.put("lists", list(1, "old", "bob"));
    harness.world.commit();
    harness.pump(100);
    harness.flush();
    let position = harness.stream.as_ref().unwrap().position();
    harness.world.put("lists", list(1, "new", "bob"));
    harness.settle();
    let last = last_op(&harness);
    let stream = harness.stream.as_mut().unwrap();
    let events = harness.world.repeated(stream, position);
    assert!(harness.push(events), "there is something to repeat");
    harness.settle();
    assert_eq!(last_op(&harness), last);
}

#[test]
fn rows_without_id_are_counted_and_left_out() {
    let mut harness = lists();
    harness.world.create("bad", &["key", "id"], &[0]);
    harness.world.put("bad", vec![Value::Integer(1), Value::Null]);
    harness.world.put("bad", vec![Value::Integer(2), text("x")]);
    harness.world.commit();
    harness.deploy("config: {edition: 3}\nstreams: {bad: {query: SELECT id FROM bad}}\n");
    harness.settle();
    let problems: Vec<_> = harness.writer.problems().map(|problem| (problem.kind, problem.count)).collect();
    assert_eq!(problems, [(ProblemKind::NoId, 1)]);
}

#[test]
fn write_checkpoints_wait_for_their_position() {
    let mut harness = lists();
    harness.settle();
    harness.request_write_checkpoint();
    harness.world.put("lists", list(1, "mine", "bob"));
    harness.world.commit();
    harness.request_write_checkpoint();
    let reader = harness.store.latest().unwrap().unwrap();
    let told = |reader: &dyn crate::store::Reader| reader.write_checkpoint("u", "c").unwrap();
    harness.flush().expect("the first one is at the head");
    drop(reader);
    assert_eq!(told(&*harness.store.latest().unwrap().unwrap()), Some(1));
    harness.settle();
    assert_eq!(told(&*harness.store.latest().unwrap().unwrap()), Some(2));
    // The source rests, but its head moves on: a mark is needed.
    harness.world.mark();
    harness.request_write_checkpoint();
    harness.settle();
    let head = harness.world.head();
    let request =
        |harness: &mut Harness, id| harness.writer.request_write_checkpoint("u", "d", id, head.clone(), 1).unwrap();
    assert_eq!(request(&mut harness, Some(6)), 6);
    assert_eq!(request(&mut harness, Some(4)), 6, "the larger one counts");
    assert_eq!(request(&mut harness, None), 7, "one namespace for both");
    assert!(harness.writer.has_unstored_requests());
    harness.writer.flush(harness.now).unwrap();
    assert!(!harness.writer.has_unstored_requests());
}

#[test]
fn requests_of_clients_are_forgotten_but_the_count_of_the_service_never() {
    let mut harness = lists();
    harness.settle();
    let head = harness.world.head();
    let request = |harness: &mut Harness, client: &str, id| {
        harness.writer.request_write_checkpoint("u", client, id, head.clone(), 1_000).unwrap()
    };
    assert_eq!((request(&mut harness, "counted", None), request(&mut harness, "counted", None)), (1, 2));
    assert_eq!(request(&mut harness, "counting", Some(6)), 6);
    harness.writer.flush(harness.now).unwrap();
    harness.writer.forget_requests_before(2_000);
    harness.writer.flush(harness.now).unwrap();
    let reader = harness.store.latest().unwrap().unwrap();
    let told = |client: &str| reader.write_checkpoint("u", client).unwrap();
    assert_eq!((told("counted"), told("counting")), (Some(2), None));
    assert_eq!(request(&mut harness, "counted", None), 3);
}

#[test]
fn nothing_is_written_while_the_source_rests() {
    let mut harness = lists();
    harness.settle();
    for _ in 0..5 {
        harness.now += 1_000 * SMALL.idle_interval;
        assert!(harness.flush().is_none());
    }
    harness.world.mark();
    harness.pump(100);
    harness.now += SMALL.idle_interval;
    assert!(harness.flush().is_some(), "another position is stored after a while");
}

#[test]
fn operations_are_counted_by_definition() {
    let mut harness = lists();
    let counts = |harness: &Harness| -> Vec<(String, u64)> {
        let counts = harness.writer.operations_written();
        counts.map(|(prefix, count)| (prefix.split('|').next().unwrap().to_owned(), count)).collect()
    };
    assert!(counts(&harness).is_empty());
    harness.settle();
    let expected = |lists, todos| vec![("lists".to_owned(), lists), ("todos".to_owned(), todos)];
    assert_eq!(counts(&harness), expected(5, 5));
    harness.world.put("lists", list(6, "new", "ann"));
    harness.world.put("todos", todo(11, 1, "changed"));
    harness.world.delete("todos", &[Value::Integer(12)]);
    harness.settle();
    assert_eq!(counts(&harness), expected(6, 7));
}
