//! Queries that come, go and move between streams: what is kept of their buckets.

use super::basics::{list, lists, todo};
use super::harness::Harness;
use super::plan;
use crate::live::DefinitionId;
use crate::writer::Want;

/// A configuration of streams with queries without parameters.
pub(super) fn config(streams: &[(&str, &[&str])]) -> String {
    let mut yaml = "config: {edition: 3}\nstreams:\n".to_owned();
    for (name, queries) in streams {
        yaml += &format!("  {name}:\n    auto_subscribe: true\n    queries:\n");
        queries.iter().for_each(|query| yaml += &format!("      - {query}\n"));
    }
    yaml
}

pub(super) const LISTS: &str = "SELECT id, name FROM lists";
pub(super) const TODOS: &str = "SELECT id, text FROM todos";
const NOTES: &str = "SELECT id, note FROM lists AS notes";

/// What a deploy costs.
#[derive(Debug, PartialEq, Eq)]
struct Cost {
    /// Tables that are read, once for each job.
    tables: Vec<String>,
    /// Operations that a client downloads, which it then has.
    downloaded: usize,
}

fn free() -> Cost {
    Cost { tables: Vec::new(), downloaded: 0 }
}

/// Deploys a configuration, and follows it until it is active.
fn deployed(harness: &mut Harness, yaml: &str) -> Cost {
    harness.settle();
    let before = harness.clients[0].downloaded;
    harness.deploy(yaml);
    assert!(matches!(harness.writer.want(), Want::Tables(_)));
    harness.want();
    let tables: Vec<_> = harness.writer.jobs().map(|job| job.table).collect();
    let mut tables: Vec<String> =
        tables.into_iter().map(|table| harness.writer.model.tables[&table].table.name.clone()).collect();
    tables.sort();
    harness.settle();
    Cost { tables, downloaded: harness.clients[0].downloaded - before }
}

fn definitions(harness: &Harness) -> Vec<DefinitionId> {
    harness.writer.active_plan().unwrap().definitions.clone()
}

fn cost(table: &str, downloaded: usize) -> Cost {
    Cost { tables: vec![table.to_owned()], downloaded }
}

#[test]
fn a_query_that_is_added_to_a_stream_costs_its_own_rows() {
    let mut harness = lists();
    deployed(&mut harness, &config(&[("s", &[LISTS])]));
    let before = definitions(&harness);
    assert_eq!(deployed(&mut harness, &config(&[("s", &[LISTS, TODOS])])), cost("todos", 5));
    assert_eq!(definitions(&harness)[0], before[0]);
    assert_eq!(deployed(&mut harness, &config(&[("s", &[NOTES, TODOS, LISTS])])), cost("lists", 5));
    assert_eq!(definitions(&harness).len(), 3);
    // And back, one query at a time.
    assert_eq!(deployed(&mut harness, &config(&[("s", &[TODOS, NOTES])])), free());
    assert_eq!(deployed(&mut harness, &config(&[("s", &[NOTES])])), free());
    harness.world.put("lists", list(1, "later", "ann"));
    harness.settle();
}

#[test]
fn a_query_that_was_built_with_others_leaves_them_by_a_new_definition() {
    let mut harness = lists();
    deployed(&mut harness, &config(&[("s", &[LISTS, TODOS])]));
    assert_eq!(definitions(&harness).len(), 1);
    // Its rows must go at once, and those of the other are read and downloaded once more.
    assert_eq!(deployed(&mut harness, &config(&[("s", &[LISTS])])), cost("lists", 5));
    // From then on both are separate, also when the definition of both is forgotten.
    harness.now += 10_000;
    harness.settle();
    assert_eq!(deployed(&mut harness, &config(&[("s", &[LISTS, TODOS])])), cost("todos", 5));
    assert_eq!(deployed(&mut harness, &config(&[("s", &[TODOS])])), free());
}

#[test]
fn queries_move_between_streams() {
    let mut harness = lists();
    deployed(&mut harness, &config(&[("s", &[LISTS]), ("t", &[TODOS])]));
    let apart = definitions(&harness);
    for streams in [
        config(&[("s", &[TODOS]), ("t", &[LISTS])]),
        config(&[("s", &[LISTS, TODOS])]),
        config(&[("both", &[TODOS, LISTS]), ("lists", &[LISTS])]),
        config(&[("t", &[TODOS]), ("s", &[LISTS])]),
    ] {
        assert_eq!(deployed(&mut harness, &streams), free(), "{streams}");
        let mut now = definitions(&harness);
        now.sort_unstable();
        assert_eq!(now, apart, "{streams}");
    }
}

#[test]
fn one_hash_under_two_stream_names_is_built_once() {
    let mut harness = lists();
    assert_eq!(deployed(&mut harness, &config(&[("s", &[TODOS]), ("t", &[TODOS])])), cost("todos", 5));
    assert_eq!(definitions(&harness).len(), 1);
    // One name goes, the other one stays; then a third one comes.
    assert_eq!(deployed(&mut harness, &config(&[("t", &[TODOS])])), free());
    assert_eq!(deployed(&mut harness, &config(&[("t", &[TODOS]), ("u", &[TODOS])])), free());
    harness.world.put("todos", todo(70, 1, "later"));
    harness.settle();
}

#[test]
fn the_definition_that_keeps_most_is_chosen() {
    let mut harness = lists();
    deployed(&mut harness, &config(&[("s", &[LISTS]), ("t", &[LISTS, TODOS])]));
    let before = definitions(&harness);
    assert_eq!(before.len(), 2);
    assert_eq!(deployed(&mut harness, &config(&[("s", &[LISTS, TODOS, NOTES])])), cost("lists", 5));
    assert_eq!(definitions(&harness)[0], before[1]);
}

#[test]
fn what_is_being_built_is_kept_by_the_next_deploy() {
    let mut harness = lists();
    deployed(&mut harness, &config(&[("s", &[LISTS])]));
    harness.deploy(&config(&[("s", &[LISTS, TODOS])]));
    harness.want();
    harness.want();
    harness.deliver_chunk();
    let job = harness.writer.jobs().next().unwrap().clone();
    assert!(job.rows > 0);
    // The newer one replaces it, and goes on with what it has begun.
    harness.deploy(&config(&[("renamed", &[TODOS, LISTS])]));
    harness.want();
    let jobs: Vec<_> = harness.writer.jobs().map(|job| (job.id, job.rows)).collect();
    assert_eq!(jobs, [(job.id, job.rows)]);
    let before = harness.clients[0].downloaded;
    harness.settle();
    assert_eq!(harness.clients[0].downloaded, before + 5);
}

#[test]
fn the_same_history_gives_the_same_definitions() {
    let history = [
        config(&[("s", &[LISTS])]),
        config(&[("s", &[LISTS, TODOS])]),
        config(&[("s", &[NOTES, TODOS]), ("t", &[LISTS, TODOS])]),
        config(&[("s", &[NOTES, TODOS, LISTS])]),
    ];
    let run = || {
        let mut harness = lists();
        history.iter().for_each(|yaml| drop(deployed(&mut harness, yaml)));
        harness.restart();
        format!("{:?}", harness.writer.active_plan())
    };
    assert_eq!(run(), run());
}

/// What another version of the program makes of a configuration, if it evaluates otherwise.
pub(super) fn by_another_version(yaml: &str) -> sync_config::Plan {
    let mut plan = plan(yaml);
    plan.evaluators.iter_mut().for_each(|evaluator| evaluator.hash.0[0] ^= 1);
    plan.indexes.iter_mut().for_each(|index| index.hash.0[0] ^= 1);
    plan.definitions.iter_mut().for_each(|definition| definition.hash.0[0] ^= 1);
    plan
}

#[test]
fn another_semantic_version_builds_everything_again() {
    let mut harness = lists();
    let yaml = config(&[("s", &[LISTS]), ("t", &[TODOS])]);
    deployed(&mut harness, &yaml);
    let (before, downloaded) = (definitions(&harness), harness.clients[0].downloaded);
    assert!(harness.writer.is_compiled_alike(&plan(&yaml)));
    let other = by_another_version(&yaml);
    assert!(!harness.writer.is_compiled_alike(&other));
    harness.restart();
    harness.writer.deploy(&yaml, other.clone(), harness.now).unwrap();
    harness.want();
    assert_eq!(harness.writer.jobs().count(), 2);
    harness.settle();
    let now = definitions(&harness);
    assert!(now.iter().all(|definition| !before.contains(definition)));
    assert_eq!(harness.clients[0].downloaded, downloaded + 10, "everything is downloaded once more");
    assert!(harness.writer.is_compiled_alike(&other));
}
