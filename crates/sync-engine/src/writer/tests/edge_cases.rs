//! What can happen while a configuration is built and replaced. Each case has a test, here or elsewhere:
//!
//! | case | test |
//! | --- | --- |
//! | deploy during a running snapshot | `deploys::a_newer_deploy_replaces_one_that_is_being_built`, `grouping::what_is_being_built_is_kept_by_the_next_deploy` |
//! | a newer deploy keeps what is finished | [`a_newer_deploy_keeps_what_is_finished`] |
//! | back to the old configuration before the activation | [`back_before_the_activation`] |
//! | back after the activation, within the grace period | `deploys::what_is_shared_is_kept`, [`back_within_the_grace_period`] |
//! | one hash under two names of streams | `grouping::one_hash_under_two_stream_names_is_built_once` |
//! | a table of no definition before | `edge_rows::a_new_table_joins_the_stream_before_it_is_read` |
//! | a table that a wildcard matches appears during the build | `edge_rows::a_table_appears_during_the_build` |
//! | a table is dropped during the build | `edge_rows::a_table_is_dropped_during_the_build` |
//! | a table is renamed during the build | `edge_rows::a_table_is_renamed_during_the_build` |
//! | a table is emptied during the build | `source_changes::a_table_is_emptied_while_its_snapshot_is_read` |
//! | a row moves between buckets during the build | `edge_rows::a_row_moves_between_buckets_during_the_build` |
//! | a key changes during the build | `edge_rows::a_key_changes_during_the_build` |
//! | a key is deleted and inserted again between two chunks | `edge_rows::a_key_is_deleted_and_inserted_between_two_chunks` |
//! | a late chunk has a deleted key | `deploys::deleted_keys_do_not_come_back_with_a_late_chunk` |
//! | crash between every two calls of the store | [`a_crash_at_every_call_of_the_store`] |
//! | the barrier is not reached, as the source rests | [`a_resting_source_is_marked`] |
//! | an empty table | [`an_empty_table`] |
//! | no definitions | [`no_definitions`] |
//! | activation in the middle of a priority | `connection::tests::activation::it_comes_at_the_end_of_the_current_line` |
//! | positions of a client above the last operation | `connection::tests::restart::buckets_above_the_last_operation_are_dropped_and_sent_again` |
//! | a client has a stream that is dropped | `connection::tests::activation::the_stream_goes_on_with_a_full_checkpoint` |
//! | a configuration that fails for all rows | [`a_configuration_that_fails_for_all_rows`] |
//! | a row over the limit that shrinks | `edge_rows::a_row_over_the_limit_shrinks` |
//! | a large value is not sent for a row that the job has not read | `edge_rows::a_value_is_not_sent_for_a_row_that_is_not_read_yet` |
//! | two jobs on one table | [`two_jobs_on_one_table`] |
//! | another version with another semantic version | `grouping::another_semantic_version_builds_everything_again` |
//! | generations of a table that the stream has yet to pass | `edge_rows::a_generation_between_two_others` |
//!
//! The random sessions of [`super::simulation`] mix most of them.

use sync_config::Value;

use super::basics::{LISTS, list, lists, text, todo};
use super::grouping::{LISTS as ALL_LISTS, TODOS, config};
use super::harness::{Harness, SMALL};
use crate::live::ConfigState;
use crate::writer::{ProblemKind, Want};

/// A query that none of the others has.
const NAMES: &str =
    "config: {edition: 3}\nstreams: {names: {query: 'SELECT id, upper(name) AS name, note FROM lists'}}\n";

pub(super) fn downloaded(harness: &Harness) -> usize {
    harness.clients[0].downloaded
}

/// A configuration is active, and of the next one the first chunk of lists is written: rows 1 to 3.
pub(super) fn half_built() -> Harness {
    let mut harness = lists();
    harness.settle();
    harness.deploy(NAMES);
    read_chunk(&mut harness);
    assert_eq!(harness.writer.jobs().map(|job| job.rows).sum::<u64>(), 3);
    harness
}

/// Goes on until a chunk is written.
pub(super) fn read_chunk(harness: &mut Harness) {
    while harness.late_chunk.is_none() {
        assert!(harness.want());
    }
    assert!(harness.deliver_chunk());
}

pub(super) fn state_of_newest(harness: &Harness) -> ConfigState {
    harness.writer.configs().last().unwrap().state.clone()
}

#[test]
fn a_newer_deploy_keeps_what_is_finished() {
    let mut harness = lists();
    harness.settle();
    let mut many = config(&[("lists", &[ALL_LISTS]), ("todos", &[TODOS])]);
    harness.deploy(&many);
    // All of lists is read, and nothing of todos.
    while harness.writer.jobs().count() != 1 {
        harness.want();
        if let Some((job, _)) = &harness.late_chunk {
            let table = harness.writer.jobs().find(|one| one.id == *job).unwrap().table;
            if harness.writer.model.tables[&table].table.name == "lists" {
                harness.deliver_chunk();
            } else {
                harness.late_chunk = None;
                harness.writer.chunk_failed();
            }
        }
        harness.pump(10);
        harness.flush();
    }
    many = config(&[("renamed", &[ALL_LISTS])]);
    harness.deploy(&many);
    harness.want();
    assert_eq!(harness.writer.jobs().count(), 0, "lists are ready, todos are not wanted any more");
    let before = downloaded(&harness);
    harness.settle();
    assert_eq!(downloaded(&harness), before + 5);
}

#[test]
fn back_before_the_activation() {
    let mut harness = half_built();
    let before = downloaded(&harness);
    harness.deploy(LISTS);
    harness.want();
    assert_eq!(harness.writer.jobs().count(), 0, "nobody needs what was being built");
    harness.world.put("lists", list(1, "later", "bob"));
    harness.settle();
    assert_eq!(downloaded(&harness), before + 1);
}

#[test]
fn back_within_the_grace_period() {
    let mut harness = half_built();
    harness.settle();
    harness.world.put("lists", list(1, "while it is retired", "bob"));
    harness.settle();
    harness.deploy(LISTS);
    let before = downloaded(&harness);
    // The tables are looked at, and no row is read.
    assert!(matches!(harness.writer.want(), Want::Tables(_)));
    harness.want();
    assert_eq!(harness.writer.jobs().count(), 0);
    harness.settle();
    assert_eq!(downloaded(&harness), before + 11, "its ten rows, of which one has changed meanwhile");
    // After it, everything is built again.
    harness.now += 2_000;
    harness.settle();
    harness.deploy(NAMES);
    harness.want();
    assert_eq!(harness.writer.jobs().count(), 1);
    harness.settle();
}

/// A build with everything that takes several transactions of the store. Gives whether the call failed.
fn build_with_a_crash(calls: i64) -> bool {
    let mut harness = lists();
    harness.settle();
    harness.fault.arm(calls);
    let plan = super::plan(NAMES);
    let deployed = harness.writer.deploy(NAMES, plan.clone(), harness.now);
    if harness.check(deployed).is_none() && harness.writer.configs().all(|config| &*config.yaml != NAMES) {
        let again = harness.writer.deploy(NAMES, plan, harness.now).map(drop);
        harness.check(again);
    }
    for round in 0..3 {
        harness.want();
        harness.want();
        harness.deliver_chunk();
        harness.world.put("lists", list(round, "changed", "cas"));
        harness.world.delete("lists", &[Value::Integer(5 - round)]);
        harness.world.put("todos", todo(60 + round, 1, "new"));
        harness.world.commit();
        harness.pump(3);
        harness.flush();
        harness.sync(0);
    }
    harness.settle();
    assert_eq!(state_of_newest(&harness), ConfigState::Active);
    assert_eq!(harness.writer.active_plan().unwrap().plan.streams[0].name, "names");
    let has_struck = harness.fault.has_struck() || harness.crashes > 0;
    harness.fault.disarm();
    harness.settle();
    has_struck
}

#[test]
fn a_crash_at_every_call_of_the_store() {
    // Even numbers fail before they have an effect, odd ones afterwards.
    let count = (0..).find(|calls| !build_with_a_crash(*calls)).unwrap();
    assert!(count > 40, "only {count} calls");
    assert!(!build_with_a_crash(count + 1));
}

#[test]
fn a_resting_source_is_marked() {
    let mut harness = lists();
    harness.settle();
    // The source is ahead of what its stream gives while it rests, as if others had written to it.
    harness.deploy(NAMES);
    harness.world.mark();
    read_chunk(&mut harness);
    read_chunk(&mut harness);
    let barrier = harness.writer.jobs().next().unwrap().barrier.clone();
    assert!(harness.writer.position() < barrier.as_ref());
    harness.flush();
    assert_eq!(state_of_newest(&harness), ConfigState::Ready, "all rows are read, and the stream is behind");
    assert!(matches!(harness.writer.want(), Want::Mark));
    harness.want();
    assert!(matches!(harness.writer.want(), Want::Events), "once is enough");
    harness.pump(10);
    harness.flush();
    assert_eq!(state_of_newest(&harness), ConfigState::Active);
}

#[test]
fn an_empty_table() {
    let mut harness = lists();
    harness.world.create("empty", &["id"], &[0]);
    harness.settle();
    harness.deploy("config: {edition: 3}\nstreams: {s: {query: SELECT id FROM empty}}\n");
    harness.settle();
    assert_eq!(state_of_newest(&harness), ConfigState::Active);
    let before = downloaded(&harness);
    harness.world.put("empty", vec![Value::Integer(1)]);
    harness.settle();
    assert_eq!(downloaded(&harness), before + 1);
}

#[test]
fn no_definitions() {
    let none = "config: {edition: 3}\nstreams: {}\n";
    let mut first = Harness::new(SMALL);
    first.deploy(none);
    first.settle();
    assert_eq!(state_of_newest(&first), ConfigState::Active);
    let mut harness = lists();
    harness.settle();
    harness.deploy(none);
    harness.settle();
    assert_eq!(state_of_newest(&harness), ConfigState::Active);
    harness.now += 10_000;
    harness.settle();
    harness.deploy(LISTS);
    harness.settle();
}

#[test]
fn a_configuration_that_fails_for_all_rows() {
    let mut harness = lists();
    (1..=5).for_each(|id| {
        let mut row = list(id, "list", "ann");
        row[3] = text("[1]");
        harness.world.put("lists", row);
    });
    harness.settle();
    let before = downloaded(&harness);
    harness.deploy("config: {edition: 3}\nstreams: {s: {query: 'SELECT id, json_keys(note) AS keys FROM lists'}}\n");
    harness.settle();
    // It is active, as it says, has no rows, and somebody can find out why.
    assert_eq!(state_of_newest(&harness), ConfigState::Active);
    assert_eq!(downloaded(&harness), before);
    let problems: Vec<_> = harness.writer.problems().collect();
    assert_eq!(
        problems.iter().map(|problem| (problem.kind, problem.count)).collect::<Vec<_>>(),
        [(ProblemKind::Evaluation, 5)]
    );
    let mut row = list(1, "list", "ann");
    row[3] = text("{\"a\":1}");
    harness.world.put("lists", row);
    harness.settle();
    assert_eq!(downloaded(&harness), before + 1);
}

#[test]
fn two_jobs_on_one_table() {
    let mut harness = half_built();
    // The same table is compared for what is active.
    assert_eq!(harness.reprocess(&["lists"]), 1);
    assert_eq!(harness.writer.jobs().count(), 2);
    let tables: Vec<_> = harness.writer.jobs().map(|job| job.table).collect();
    assert_eq!(tables[0], tables[1]);
    harness.world.put("lists", list(2, "changed", "cas"));
    harness.world.delete("lists", &[Value::Integer(3)]);
    harness.world.commit();
    for _ in 0..3 {
        harness.want();
        harness.deliver_chunk();
        harness.pump(1);
        harness.flush();
        harness.sync(0);
    }
    harness.settle();
}
