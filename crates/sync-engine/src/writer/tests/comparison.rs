//! Rows that are compared with the source's because somebody wants it, and the turns that jobs have.

use sync_config::Value;

use super::basics::{list, lists, text, todo};
use super::grouping::{LISTS, TODOS, config};
use super::harness::{Harness, SMALL};
use crate::row::RowKey;
use crate::store::Readers;
use crate::writer::{Want, WriterOptions};

fn downloaded(harness: &Harness) -> usize {
    harness.clients[0].downloaded
}

/// Changes lists behind the stream's back: one row is changed, one is deleted, and one is new.
fn corrupt(harness: &mut Harness) {
    harness.world.change_secretly("lists", |rows| {
        rows.insert(RowKey::new(&[Value::Integer(1)]), list(1, "changed", "bob"));
        rows.remove(&RowKey::new(&[Value::Integer(2)]));
        rows.insert(RowKey::new(&[Value::Integer(6)]), list(6, "new", "bob"));
    });
}

#[test]
fn differences_alone_are_downloaded() {
    let mut harness = lists();
    harness.deploy(&config(&[("lists", &[LISTS]), ("todos", &[TODOS])]));
    harness.settle();
    corrupt(&mut harness);
    let before = downloaded(&harness);
    // Another table is compared in vain.
    assert_eq!(harness.reprocess(&["todos", "nothing"]), 1);
    while harness.writer.jobs().next().is_some() {
        harness.want();
        harness.deliver_chunk();
        harness.pump(10);
        harness.flush();
    }
    assert_eq!(harness.reprocess(&["lists"]), 1);
    harness.settle();
    assert_eq!(downloaded(&harness), before + 3);
    // Nothing differs any more.
    harness.reprocess(&["lists", "todos"]);
    harness.settle();
    assert_eq!(downloaded(&harness), before + 3);
}

#[test]
fn clients_see_changes_meanwhile() {
    let mut harness = lists();
    (7..30).for_each(|id| harness.world.put("lists", list(id, "more", "ann")));
    harness.settle();
    harness.reprocess(&["lists", "todos"]);
    let mut checkpoints = 0;
    let mut round = 0;
    while harness.writer.jobs().next().is_some() {
        round += 1;
        harness.world.put("todos", todo(50 + round, 1, "meanwhile"));
        harness.world.put("lists", list(7 + round % 20, "changed", "bob"));
        harness.world.commit();
        harness.want();
        harness.deliver_chunk();
        harness.pump(100);
        checkpoints += i64::from(harness.flush().is_some());
        harness.sync(0);
        assert!(round < 100);
    }
    assert!(checkpoints >= 8, "{checkpoints} in {round} rounds");
    harness.settle();
}

#[test]
fn a_comparison_goes_on_after_a_crash() {
    let mut harness = lists();
    harness.settle();
    corrupt(&mut harness);
    harness.reprocess(&["lists"]);
    harness.want();
    harness.deliver_chunk();
    harness.restart();
    assert_eq!(harness.writer.jobs().map(|job| job.rows).sum::<u64>(), 3);
    let before = downloaded(&harness);
    harness.settle();
    // Lists are in a bucket and in an index, and what differs is of bob and ann.
    assert_eq!(downloaded(&harness), before + 3);
}

#[test]
fn without_a_configuration_there_is_nothing_to_compare() {
    let mut harness = Harness::new(SMALL);
    harness.world.create("lists", &["id"], &[0]);
    harness.world.commit();
    assert_eq!(harness.reprocess(&["lists"]), 0);
    assert!(harness.writer.position().is_none());
}

#[test]
fn rows_get_a_column_that_appears_by_themselves() {
    let mut harness = lists();
    harness.deploy("config: {edition: 3}\nstreams:\n  all: {query: SELECT id FROM lists}\n  colors: {query: 'SELECT id, color FROM lists'}\n");
    harness.settle();
    let before = downloaded(&harness);
    // The rows have it at once, and the source tells nothing of them.
    let add = |row: &mut Vec<Value>| row.push(text("red"));
    harness.world.alter("lists", None, &["id", "name", "owner", "note", "color"], &[0], add);
    harness.settle();
    assert_eq!(downloaded(&harness), before + 5, "rows of the stream that names it, and no others");
}

/// What has a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Stream,
    Job,
}

/// Turns while the stream is behind, and after it.
fn turns(tables: i64) -> Vec<Turn> {
    let options = WriterOptions { max_changes: 20, chunk_rows: 5, ..SMALL };
    let mut harness = Harness::new(options);
    for table in 0..tables {
        let name = format!("part_{table}");
        harness.world.create(&name, &["id", "name"], &[0]);
        (0..50).for_each(|id| harness.world.put(&name, vec![Value::Integer(id), text("before")]));
    }
    harness.world.create("lists", &["id", "name", "owner", "note"], &[0]);
    harness.world.commit();
    harness.deploy(&config(&[("s", &[LISTS])]));
    harness.settle();
    for id in 0..800 {
        harness.world.put("lists", list(id, "backlog", "ann"));
        harness.world.commit();
    }
    harness.deploy(&config(&[("s", &[LISTS, "SELECT * FROM \"part_%\""])]));
    let mut turns = Vec::new();
    while harness.writer.position() < Some(&harness.world.head()) {
        while !harness.writer.is_full() && harness.pump(7) {}
        match harness.writer.want() {
            Want::Chunk(wanted) => {
                assert!(wanted.limit <= 5);
                harness.late_chunk = harness
                    .world
                    .chunk(&wanted.table, wanted.after.as_deref(), wanted.limit)
                    .map(|one| (wanted.job, one));
                harness.deliver_chunk();
                turns.push(Turn::Job);
            }
            Want::Flush => {
                harness.flush();
                turns.push(Turn::Stream);
            }
            Want::Events => {
                harness.flush();
            }
            _ => drop(harness.want()),
        }
    }
    harness.settle();
    assert_eq!(harness.store.latest().unwrap().unwrap().checkpoint().position, harness.world.head());
    turns
}

/// The latency of the stream is bounded, and so is the time of a build: counted in turns.
#[test]
fn a_job_has_every_other_turn_while_the_stream_is_behind() {
    for tables in [1, 3] {
        let turns = turns(tables);
        assert!(!turns.windows(2).any(|two| two == [Turn::Job, Turn::Job]), "{turns:?}");
        let jobs = turns.iter().filter(|turn| **turn == Turn::Job).count();
        let streams = turns.len() - jobs;
        assert!(streams >= 40 && jobs <= streams, "at most half of the turns: {jobs} and {streams}");
        assert!(jobs >= usize::try_from(10 * tables).unwrap(), "the build goes on: {turns:?}");
    }
}
