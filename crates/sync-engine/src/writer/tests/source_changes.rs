//! Tables that are emptied, dropped, created and changed, values that are not sent, and positions that are lost.

use sync_config::Value;

use super::basics::{LISTS, list, lists, text, todo};
use super::harness::Harness;
use crate::store::{Readers, Store};
use crate::writer::Want;

fn downloaded(harness: &Harness) -> usize {
    harness.clients[0].downloaded
}

#[test]
fn an_emptied_table_has_no_rows() {
    let mut harness = lists();
    harness.settle();
    harness.world.put("lists", list(7, "before", "ann"));
    harness.world.truncate("lists");
    harness.world.put("lists", list(8, "after", "ann"));
    harness.world.put("lists", list(1, "again", "bob"));
    harness.settle();
}

#[test]
fn a_large_table_is_emptied_at_once() {
    let mut harness = lists();
    for id in 100..200 {
        harness.world.put("lists", list(id, "many", "ann"));
    }
    harness.settle();
    harness.world.truncate("lists");
    harness.world.commit();
    harness.pump(10);
    // The store fails in the middle of it.
    harness.fault.arm(2 * 12);
    harness.flush();
    harness.sync(0);
    harness.settle();
}

#[test]
fn a_table_is_emptied_while_its_snapshot_is_read() {
    let mut harness = lists();
    harness.want();
    harness.want();
    assert!(harness.late_chunk.is_some());
    harness.world.truncate("lists");
    harness.world.truncate("todos");
    harness.world.put("lists", list(8, "after", "ann"));
    harness.world.commit();
    harness.pump(10);
    harness.flush();
    harness.deliver_chunk();
    harness.settle();
}

#[test]
fn a_table_is_dropped_and_created() {
    let mut harness = lists();
    harness.settle();
    harness.world.drop_table("lists");
    harness.settle();
    harness.world.create("lists", &["id", "name", "owner"], &[0]);
    harness.world.put("lists", vec![Value::Integer(1), text("again"), text("ann")]);
    harness.settle();
    harness.world.drop_table("lists");
    harness.world.create("lists", &["owner", "id", "name"], &[1]);
    harness.world.put("lists", vec![text("ann"), Value::Integer(1), text("once more")]);
    harness.settle();
}

#[test]
fn a_table_is_dropped_while_the_writer_is_away() {
    let mut harness = lists();
    harness.settle();
    harness.world.drop_table("lists");
    harness.world.commit();
    harness.restart();
    harness.settle();
}

#[test]
fn another_key_is_another_generation() {
    let mut harness = lists();
    harness.settle();
    harness.world.alter("lists", Some("lists-by-name"), &["id", "name", "owner", "note"], &[1], |_| ());
    harness.world.put("lists", list(50, "new", "ann"));
    harness.settle();
    // Rows of both generations have been there: all are downloaded once more, and the old ones are removed.
    harness.world.delete("lists", &[text("list 1")]);
    harness.settle();
}

#[test]
fn columns_come_and_go() {
    let mut harness = lists();
    harness.deploy("config: {edition: 3}\nstreams: {all: {query: 'SELECT id, color FROM lists'}}\n");
    harness.settle();
    assert_eq!(downloaded(&harness), 0, "the column does not exist");
    let add = |row: &mut Vec<Value>| row.push(text("red"));
    harness.world.alter("lists", None, &["id", "name", "owner", "note", "color"], &[0], add);
    harness.settle();
    assert_eq!(downloaded(&harness), 5, "rows that were there before are read");
    let mut row = list(1, "a", "b");
    row.push(text("blue"));
    harness.world.put("lists", row);
    harness.settle();
    assert_eq!(downloaded(&harness), 6);
}

#[test]
fn values_that_are_not_sent_are_read_once() {
    let mut harness = lists();
    harness.deploy("config: {edition: 3}\nstreams: {all: {query: 'SELECT id, name, note FROM lists'}}\n");
    harness.settle();
    let mut refetches = 0;
    let update = |harness: &mut Harness, old_key: Option<i64>, row: Vec<Value>, unsent: &[usize]| {
        let old_key = old_key.map(|id| vec![Value::Integer(id)]);
        harness.world.put_as("lists", old_key.as_deref(), row, unsent);
        harness.world.commit();
        harness.pump(100);
        harness.flush();
        let is_refetch = matches!(harness.writer.want(), Want::Refetch(_));
        harness.settle();
        usize::from(is_refetch)
    };
    refetches += update(&mut harness, None, list(1, "first", "ann"), &[3]);
    assert_eq!(refetches, 1);
    refetches += update(&mut harness, None, list(1, "second", "ann"), &[3]);
    assert_eq!(refetches, 1, "it is known by now");
    let mut row = list(1, "third", "ann");
    row[3] = text("another note");
    refetches += update(&mut harness, None, row.clone(), &[]);
    row[1] = text("fourth");
    refetches += update(&mut harness, Some(1), row.clone(), &[3]);
    row[0] = Value::Integer(70);
    refetches += update(&mut harness, Some(1), row.clone(), &[3]);
    row[1] = text("fifth");
    refetches += update(&mut harness, None, row, &[3]);
    assert_eq!(refetches, 1, "under another key, too");
    // What no configuration reads is not needed.
    refetches += update(&mut harness, None, list(2, "other", "ann"), &[2]);
    assert_eq!(refetches, 1);
}

#[test]
fn a_row_that_was_read_later_is_not_visible_earlier() {
    let mut harness = lists();
    harness.deploy("config: {edition: 3}\nstreams: {all: {query: 'SELECT id, name, note FROM lists'}}\n");
    harness.settle();
    harness.world.put_as("lists", None, list(1, "x", "ann"), &[3]);
    harness.world.put_as("lists", None, list(2, "x", "ann"), &[3]);
    harness.world.commit();
    let mut later = list(1, "x", "ann");
    later[3] = text("later");
    harness.world.put("lists", later);
    harness.world.delete("lists", &[Value::Integer(2)]);
    harness.world.commit();
    harness.pump(4);
    harness.flush();
    harness.want();
    harness.flush();
    harness.request_write_checkpoint();
    harness.flush();
    harness.sync(0);
    harness.settle();
}

#[test]
fn after_a_lost_position_only_differences_are_downloaded() {
    let mut harness = lists();
    harness.settle();
    harness.world.put("lists", list(1, "changed", "bob"));
    harness.world.delete("lists", &[Value::Integer(2)]);
    harness.world.put("todos", todo(60, 1, "new"));
    harness.world.commit();
    let before = downloaded(&harness);
    harness.lose_position();
    // Nothing is visible before all is compared.
    harness.want();
    harness.deliver_chunk();
    harness.flush();
    let checkpoint = harness.store.latest().unwrap().unwrap().checkpoint().clone();
    assert!(harness.writer.is_withholding() && checkpoint.position < harness.world.head());
    harness.settle();
    assert_eq!(downloaded(&harness), before + 3);
}

#[test]
fn a_position_is_lost_while_a_configuration_is_built() {
    let mut harness = lists();
    harness.want();
    harness.want();
    harness.deliver_chunk();
    harness.world.delete("lists", &[Value::Integer(1)]);
    harness.world.commit();
    harness.lose_position();
    harness.settle();
    harness.deploy("config: {edition: 3}\nstreams: {all: {query: SELECT id FROM lists}}\n");
    harness.want();
    harness.want();
    harness.deliver_chunk();
    harness.world.delete("lists", &[Value::Integer(3)]);
    harness.world.commit();
    harness.lose_position();
    harness.restart();
    harness.settle();
    harness.deploy(LISTS);
    harness.settle();
}

#[test]
fn values_follow_a_row_whose_key_changes_twice() {
    let mut harness = lists();
    harness.deploy("config: {edition: 3}\nstreams: {all: {query: 'SELECT id, name, note FROM lists'}}\n");
    harness.settle();
    harness.world.put_as("lists", None, list(1, "x", "ann"), &[3]);
    harness.settle();
    let mut other = list(1, "other", "ann");
    other[3] = text("of another row");
    harness.world.put_as("lists", Some(&[Value::Integer(1)]), list(70, "x", "ann"), &[3]);
    harness.world.put("lists", other);
    harness.world.commit();
    harness.world.put_as("lists", Some(&[Value::Integer(70)]), list(71, "x", "ann"), &[3]);
    harness.world.delete("lists", &[Value::Integer(2)]);
    harness.world.commit();
    // The first transaction is written while a part of the second one has come.
    (0..5).for_each(|_| assert!(harness.pump(1)));
    harness.flush();
    harness.sync(0);
    harness.settle();
}

#[test]
fn a_value_read_by_a_key_does_not_follow_a_row_that_loses_the_key() {
    let mut harness = lists();
    harness.deploy("config: {edition: 3}\nstreams: {all: {query: 'SELECT id, name, note FROM lists'}}\n");
    harness.settle();
    harness.world.put_as("lists", None, list(1, "x", "ann"), &[3]);
    harness.world.commit();
    harness.world.put_as("lists", Some(&[Value::Integer(1)]), list(70, "x", "ann"), &[3]);
    harness.world.commit();
    let mut other = list(1, "other", "ann");
    other[3] = text("of another row");
    harness.world.put("lists", other);
    harness.world.commit();
    // The source answers with the row that has the key now, and the first change waits while the second one comes.
    harness.pump(3);
    harness.flush();
    assert!(matches!(harness.writer.want(), Want::Refetch(_)));
    harness.want();
    harness.pump(100);
    harness.settle();
}

#[test]
fn a_request_is_stored_while_values_are_read() {
    let mut harness = lists();
    harness.deploy("config: {edition: 3}\nstreams: {all: {query: 'SELECT id, name, note FROM lists'}}\n");
    harness.settle();
    harness.world.put_as("lists", None, list(1, "x", "ann"), &[3]);
    harness.world.commit();
    harness.pump(100);
    harness.request_write_checkpoint();
    harness.flush();
    assert!(matches!(harness.writer.want(), Want::Refetch(_)));
    harness.restart();
    assert_eq!(harness.store.clone().load().unwrap().waiting_write_checkpoints.len(), 1, "its client was answered");
    harness.settle();
}
