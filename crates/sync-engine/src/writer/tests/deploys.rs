//! Configurations that replace each other.

use super::basics::{LISTS, list, lists, text, todo};
use super::harness::Harness;
use crate::live::ConfigState;
use crate::store::{ContentState, Readers, Store};
use sync_config::Value;

/// The same queries under other names, and one more.
const MORE: &str = "
config: {edition: 3}
streams:
  my_todos:
    priority: 1
    query: SELECT * FROM todos WHERE list_id IN (SELECT id FROM lists WHERE owner = auth.user_id())
  my_lists:
    auto_subscribe: true
    query: SELECT id, name FROM lists WHERE owner = auth.user_id()
  all:
    query: SELECT id, upper(name) AS name FROM lists
";

fn downloaded(harness: &Harness) -> usize {
    harness.clients[0].downloaded
}

#[test]
fn what_is_shared_is_kept() {
    let mut harness = lists();
    harness.settle();
    let before = downloaded(&harness);
    harness.deploy(MORE);
    while harness.writer.jobs().next().is_none() {
        harness.want();
    }
    let jobs: Vec<_> = harness.writer.jobs().map(|job| (job.definitions.len(), job.indexes.len())).collect();
    assert_eq!(jobs, [(1, 0)], "only the new query is built");
    harness.settle();
    assert_eq!(downloaded(&harness), before + 5, "only the rows of the new query are downloaded");
    let states: Vec<ConfigState> = harness.writer.configs().map(|config| config.state.clone()).collect();
    assert_eq!(states, [ConfigState::Retired, ConfigState::Active]);
    // Back at once: nothing is read, nothing is built.
    harness.deploy(LISTS);
    harness.want();
    assert_eq!(harness.writer.jobs().count(), 0);
    let before = downloaded(&harness);
    harness.settle();
    assert_eq!(downloaded(&harness), before);
}

#[test]
fn clients_see_the_old_configuration_until_the_new_one_is_complete() {
    let mut harness = lists();
    harness.settle();
    harness.deploy(MORE);
    harness.want();
    for round in 0..4 {
        harness.want();
        harness.deliver_chunk();
        harness.world.put("lists", list(1, &format!("round {round}"), "ann"));
        harness.world.commit();
        harness.pump(10);
        harness.flush();
        harness.sync(0);
    }
    harness.settle();
}

#[test]
fn retired_configurations_are_dropped_after_their_time() {
    let mut harness = lists();
    harness.settle();
    harness.deploy("config: {edition: 3}\nstreams: {all: {query: SELECT id FROM lists}}\n");
    harness.settle();
    let reader = harness.store.latest().unwrap();
    harness.now += 100_000;
    harness.settle();
    drop(reader);
    let stored = harness.store.clone().load().unwrap();
    assert_eq!(stored.configs.len(), 1);
    assert!(stored.definitions.iter().any(|definition| definition.state == ContentState::Dropping));
    harness.writer.compact(1000).unwrap();
    let stored = harness.store.clone().load().unwrap();
    assert_eq!((stored.definitions.len(), stored.indexes.len()), (1, 0));
    harness.world.put("lists", list(1, "after", "ann"));
    harness.world.put("todos", todo(11, 2, "after"));
    harness.settle();
}

#[test]
fn a_configuration_is_kept_while_a_reader_uses_it() {
    let mut harness = lists();
    harness.settle();
    let reader = harness.store.latest().unwrap();
    harness.deploy("config: {edition: 3}\nstreams: {all: {query: SELECT id FROM lists}}\n");
    harness.settle();
    harness.now += 100_000;
    harness.settle();
    assert_eq!(harness.writer.configs().count(), 2);
    drop(reader);
    harness.now += 100_000;
    harness.settle();
    assert_eq!(harness.writer.configs().count(), 1);
}

#[test]
fn a_newer_deploy_replaces_one_that_is_being_built() {
    let mut harness = lists();
    harness.settle();
    harness.deploy(MORE);
    harness.want();
    harness.want();
    harness.deliver_chunk();
    harness.deploy("config: {edition: 3}\nstreams: {all: {query: SELECT id FROM todos}}\n");
    harness.settle();
    harness.deploy(MORE);
    harness.settle();
}

#[test]
fn a_configuration_without_rows_becomes_active() {
    let mut harness = lists();
    harness.deploy("config: {edition: 3}\nstreams: {none: {query: SELECT id FROM nothing_yet}}\n");
    harness.settle();
    harness.world.create("nothing_yet", &["id"], &[0]);
    harness.world.put("nothing_yet", vec![Value::Integer(1)]);
    harness.settle();
    assert_eq!(downloaded(&harness), 1);
}

#[test]
fn deleted_keys_do_not_come_back_with_a_late_chunk() {
    let mut harness = lists();
    harness.settle();
    harness.deploy(MORE);
    harness.want();
    harness.want();
    assert!(harness.late_chunk.is_some());
    harness.world.delete("lists", &[Value::Integer(1)]);
    harness.world.put("lists", vec![Value::Integer(2), text("newer"), text("ann"), text("")]);
    harness.world.commit();
    harness.pump(10);
    harness.flush();
    assert!(harness.deliver_chunk());
    harness.settle();
}
