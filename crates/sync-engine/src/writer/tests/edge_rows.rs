//! Rows and tables that change while a configuration is built. The list of all cases is in [`super::edge_cases`].

use sync_config::Value;

use super::basics::{list, lists, text, todo};
use super::edge_cases::{downloaded, half_built, read_chunk, state_of_newest};
use super::grouping::{TODOS, config};
use super::harness::Harness;
use crate::live::ConfigState;
use crate::writer::{ProblemKind, Want};

#[test]
fn a_new_table_joins_the_stream_before_it_is_read() {
    let mut harness = lists();
    harness.settle();
    harness.world.create("notes", &["id", "text"], &[0]);
    (1..=7).for_each(|id| harness.world.put("notes", vec![Value::Integer(id), text("before")]));
    harness.settle();
    harness.deploy("config: {edition: 3}\nstreams: {notes: {query: SELECT * FROM notes}}\n");
    // The source is asked for the table, from when on it gives its changes, before any row is asked for.
    let Want::Tables(patterns) = harness.writer.want() else { panic!("{:?}", harness.writer.want()) };
    assert!(patterns.iter().any(|pattern| pattern.table == "notes"));
    harness.want();
    harness.world.put("notes", vec![Value::Integer(1), text("between")]);
    harness.world.delete("notes", &[Value::Integer(2)]);
    harness.world.commit();
    assert!(matches!(harness.writer.want(), Want::Chunk(wanted) if wanted.table.name == "notes"));
    harness.writer.chunk_failed();
    harness.settle();
}

#[test]
fn a_table_appears_during_the_build() {
    let mut harness = lists();
    harness.world.create("part_1", &["id", "name"], &[0]);
    (1..=5).for_each(|id| harness.world.put("part_1", vec![Value::Integer(id), text("one")]));
    harness.settle();
    harness.deploy("config: {edition: 3}\nstreams: {parts: {query: SELECT * FROM \"part_%\"}}\n");
    read_chunk(&mut harness);
    harness.world.create("part_2", &["id", "name"], &[0]);
    (1..=5).for_each(|id| harness.world.put("part_2", vec![Value::Integer(id), text("two")]));
    harness.world.commit();
    // It comes with the stream, and its rows are read as others might have been there before.
    harness.pump(100);
    harness.flush();
    assert_eq!(harness.writer.jobs().count(), 2);
    let before = downloaded(&harness);
    harness.settle();
    assert_eq!(downloaded(&harness), before + 10);
}

#[test]
fn a_table_is_dropped_during_the_build() {
    for is_told_late in [false, true] {
        let mut harness = half_built();
        harness.world.drop_table("lists");
        harness.world.commit();
        if !is_told_late {
            harness.pump(10);
            harness.flush();
        }
        // The rest of it cannot be read.
        harness.want();
        harness.settle();
        assert_eq!(state_of_newest(&harness), ConfigState::Active);
        harness.world.create("lists", &["id", "name", "owner", "note"], &[0]);
        harness.world.put("lists", list(9, "again", "ann"));
        harness.settle();
    }
}

#[test]
fn a_table_is_renamed_during_the_build() {
    for is_told_late in [false, true] {
        let mut harness = half_built();
        harness.world.rename("lists", "old_lists");
        harness.world.put("old_lists", list(1, "under another name", "ann"));
        harness.world.commit();
        if !is_told_late {
            harness.pump(10);
            harness.flush();
        }
        harness.want();
        harness.settle();
        assert_eq!(state_of_newest(&harness), ConfigState::Active);
        // And back.
        harness.world.rename("old_lists", "lists");
        harness.settle();
        assert_eq!(harness.world.now()["lists"].rows.len(), 5);
    }
}

#[test]
fn a_row_moves_between_buckets_during_the_build() {
    let mut harness = lists();
    harness.settle();
    harness.deploy(
        "config: {edition: 3}\nstreams: {s: {query: 'SELECT id, note FROM lists WHERE owner = auth.user_id()'}}\n",
    );
    read_chunk(&mut harness);
    // One that was read, and one that was not.
    harness.world.put("lists", list(1, "moved", "cas"));
    harness.world.put("lists", list(5, "moved", "cas"));
    harness.world.commit();
    harness.pump(10);
    harness.flush();
    harness.settle();
}

#[test]
fn a_key_changes_during_the_build() {
    let mut harness = half_built();
    // From behind to the part that was read, and the other way round.
    harness.world.put_as("lists", Some(&[Value::Integer(5)]), list(0, "to the front", "ann"), &[]);
    harness.world.put_as("lists", Some(&[Value::Integer(1)]), list(6, "to the end", "ann"), &[]);
    harness.world.commit();
    read_chunk(&mut harness);
    harness.pump(10);
    harness.flush();
    harness.settle();
}

#[test]
fn a_key_is_deleted_and_inserted_between_two_chunks() {
    for is_told_late in [false, true] {
        let mut harness = half_built();
        for id in [2, 4] {
            harness.world.delete("lists", &[Value::Integer(id)]);
            harness.world.commit();
            harness.world.put("lists", list(id, "again", "ann"));
            harness.world.commit();
        }
        if !is_told_late {
            harness.pump(100);
            harness.flush();
        }
        read_chunk(&mut harness);
        harness.settle();
    }
}

#[test]
fn a_row_over_the_limit_shrinks() {
    let mut harness = half_built();
    let large = |id: i64| {
        let mut row = list(id, "large", "ann");
        row[3] = Value::Text("x".repeat(15 * 1024 * 1024));
        row
    };
    // One that clients have or would have, and one that the job reads so.
    harness.world.put("lists", large(1));
    harness.world.put("lists", large(4));
    harness.settle();
    let counted = |harness: &Harness| {
        harness
            .writer
            .problems()
            .filter(|problem| problem.kind == ProblemKind::TooLarge)
            .map(|one| one.count)
            .sum::<u64>()
    };
    assert!(counted(&harness) >= 2);
    let before = downloaded(&harness);
    harness.world.put("lists", list(1, "small", "ann"));
    harness.world.put("lists", list(4, "small", "ann"));
    harness.settle();
    assert_eq!(downloaded(&harness), before + 2);
    // And back.
    harness.world.put("lists", large(1));
    harness.settle();
    assert_eq!(downloaded(&harness), before + 3, "it is removed");
}

#[test]
fn a_value_is_not_sent_for_a_row_that_is_not_read_yet() {
    let mut harness = half_built();
    // The stream names the row without its note, which the new configuration reads, and the old one does not.
    harness.world.put_as("lists", None, list(5, "renamed", "bob"), &[3]);
    harness.world.commit();
    harness.pump(10);
    harness.flush();
    assert!(matches!(harness.writer.want(), Want::Refetch(_)));
    harness.settle();
}

#[test]
fn a_generation_between_two_others() {
    for is_restarted in [false, true] {
        let mut harness = lists();
        harness.settle();
        let columns = ["id", "list_id", "text"];
        harness.world.put("todos", todo(70, 1, "of the first generation"));
        harness.world.commit();
        for physical_id in ["second", "third"] {
            harness.world.alter("todos", Some(physical_id), &columns, &[0], |_| ());
            harness.world.put("todos", todo(71, 2, physical_id));
            harness.world.commit();
        }
        // The writer knows of the third one before the stream has got to the second.
        harness.deploy(&config(&[("s", &[TODOS])]));
        harness.want();
        if is_restarted {
            harness.restart();
            harness.want();
        }
        for _ in 0..12 {
            harness.pump(1);
            harness.flush();
            harness.sync(0);
        }
        harness.settle();
    }
}
