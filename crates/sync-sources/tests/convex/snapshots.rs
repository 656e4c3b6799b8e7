//! Snapshots: their pages are of one moment, they go on after a restart, and begin again when they are gone.

use fake_convex::{Convex, Options, Route, Value as Field};
use sync_engine::source::{ErrorClass, Source};

use crate::deployment::{delete, follower, open, put};
use crate::follower::patterns_in;

fn deployment() -> Convex {
    let convex = Convex::start(Options { snapshot_rows: Some(2), ..Options::default() });
    let documents = ["a", "b", "c", "d", "e"].map(|id| put("t", id, &[("v", Field::from(id))]));
    convex.commit(documents.to_vec());
    convex
}

#[test]
fn all_pages_are_of_one_moment_also_after_a_restart() {
    let convex = deployment();
    let source = open(&convex);
    let table = source.tables(&patterns_in("convex", &["t"])).unwrap().remove(0);
    let first = source.snapshot_chunk(&table, None, 1).unwrap();
    convex.commit(vec![put("t", "c", &[("v", Field::from("new"))]), delete("t", "d")]);
    drop(source);
    // Another process, with what the first one has stored.
    let source = open(&convex);
    let (mut rows, mut next) = (first.rows.len(), first.next.clone());
    while let Some(after) = next {
        let chunk = source.snapshot_chunk(&table, Some(&after), 1).unwrap();
        assert_eq!(chunk.read_at, first.read_at);
        rows += chunk.rows.len();
        next = chunk.next;
    }
    assert_eq!(rows, 5, "as it was at the beginning");
    let queries = convex.requests(Route::ListSnapshot);
    assert!(queries.iter().filter(|query| query.get("table_name").is_some_and(|name| name == "t")).count() == 3);
}

#[test]
fn a_snapshot_that_is_gone_begins_again() {
    for forget in [Convex::forget_snapshots as fn(&Convex), |convex: &Convex| convex.forget_snapshots()] {
        let convex = deployment();
        let source = open(&convex);
        let mut follower = follower(&["t"]);
        follower.start(&source).unwrap();
        follower.chunk(&source, 1).unwrap();
        convex.commit(vec![delete("t", "a"), put("t", "e", &[("v", Field::from("new"))])]);
        forget(&convex);
        follower.catch_up(&source).unwrap();
        assert_eq!(follower.lost, 0);
        let content = follower.content();
        assert_eq!(content["t"].len(), 4);
        assert!(content["t"].values().any(|row| row["v"] == "t\"new\""));
    }
}

#[test]
fn a_cursor_that_is_not_known_begins_again() {
    let convex = deployment();
    let source = open(&convex);
    let table = source.tables(&patterns_in("convex", &["t"])).unwrap().remove(0);
    let now = sync_config::Value::text(convex.now().to_string());
    let chunk = source.snapshot_chunk(&table, Some(&[now, sync_config::Value::text("?")]), 1).unwrap();
    assert_eq!(chunk.rows.len(), 2);
}

/// Fields that come up in the middle: the tables are asked for again.
#[test]
fn fields_that_come_up_later_are_columns() {
    let convex = deployment();
    let source = open(&convex);
    let patterns = patterns_in("convex", &["t"]);
    let table = source.tables(&patterns).unwrap().remove(0);
    convex.commit(vec![put("t", "a", &[("v", Field::from("x")), ("new", Field::from("y"))])]);
    let error = source.snapshot_chunk(&table, None, 1).unwrap_err();
    assert_eq!(error.class, ErrorClass::PositionLost);
    let table = source.tables(&patterns).unwrap().remove(0);
    let names: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
    assert_eq!(names, ["_id", "_creationTime", "new", "v"]);
    assert_eq!(source.snapshot_chunk(&table, None, 1).unwrap().rows.len(), 2);
}

#[test]
fn a_snapshot_and_the_stream_agree_about_fields_that_come_up() {
    for has_sync_api in [false, true] {
        let convex = Convex::start(Options { snapshot_rows: Some(1), has_sync_api, ..Options::default() });
        convex.commit(vec![put("t", "a", &[("f1", Field::Null)]), put("t", "b", &[("f2", Field::from("x"))])]);
        let source = open(&convex);
        let mut follower = follower(&["t", "u"]);
        follower.start(&source).unwrap();
        for number in 3..9 {
            let name = format!("f{number}");
            convex.commit(vec![put("t", &name, &[(&name, Field::from("x"))]), put("u", "a", &[(&name, Field::Null)])]);
            follower.step().unwrap();
            follower.chunk(&source, 1).unwrap();
        }
        follower.catch_up(&source).unwrap();
        let content = follower.content();
        assert_eq!((content["t"].len(), content["u"].len()), (8, 1));
        for (name, row) in content["t"].values().map(|row| (&row["_id"], row)) {
            assert_eq!(row.len(), if name == "t\"a\"" { 2 } else { 3 }, "{row:?}");
        }
    }
}
