//! Tables that come, go and are replaced; names with wildcards; and what is no table of the app.

use fake_convex::{Convex, Fault, Options, Route, Value as Field};
use sync_engine::source::{ErrorClass, Source};
use sync_sources::convex::{Api, ConvexOptions, ConvexSource, OnTableDrop};

use crate::deployment::{delete, document, follower, open, options, put};
use crate::follower::{Follower, patterns_in};

fn with(has_sync_api: bool) -> Convex {
    let convex = Convex::start(Options { has_sync_api, ..Options::default() });
    convex.commit(vec![put("t", "a", &[]), put("t", "b", &[]), put("u", "a", &[])]);
    convex
}

fn started(source: &dyn Source, tables: &[&str]) -> Follower {
    let mut follower = follower(tables);
    follower.start(source).unwrap();
    follower.catch_up(source).unwrap();
    follower
}

/// Steps until something is so.
fn until(follower: &mut Follower, is_so: impl Fn(&Follower) -> bool) {
    while !is_so(follower) {
        if !follower.step().unwrap() {
            std::thread::yield_now();
        }
    }
}

fn rows(follower: &Follower, table: &str) -> usize {
    follower.content().get(table).map_or(0, |rows| rows.len())
}

#[test]
fn rows_of_a_table_that_is_dropped_go_in_one_transaction() {
    for has_sync_api in [false, true] {
        let convex = with(has_sync_api);
        let source = open(&convex);
        let mut follower = started(&source, &["t", "u"]);
        assert_eq!((rows(&follower, "t"), rows(&follower, "u")), (2, 1));
        convex.drop_table("t");
        until(&mut follower, |follower| rows(follower, "t") != 2);
        assert_eq!((rows(&follower, "t"), rows(&follower, "u")), (0, 1), "sync API: {has_sync_api}");
        // One of the same name is another table.
        convex.commit(vec![put("t", "b", &[])]);
        follower.catch_up(&source).unwrap();
        assert_eq!(rows(&follower, "t"), 1);
    }
}

#[test]
fn a_table_that_was_dropped_while_nobody_looked_is_not_listed() {
    let convex = with(false);
    convex.drop_table("t");
    let tables = open(&convex).tables(&patterns_in("convex", &["t", "u"])).unwrap();
    assert_eq!(tables.iter().map(|table| table.name.as_str()).collect::<Vec<_>>(), ["u"]);
}

#[test]
fn rows_of_a_dropped_table_can_be_kept() {
    let convex = with(false);
    let options = ConvexOptions { on_table_drop: OnTableDrop::Keep, ..options(&convex) };
    let source = ConvexSource::with_options(options).unwrap();
    let mut follower = started(&source, &["t"]);
    convex.drop_table("t");
    convex.commit(vec![put("t", "c", &[])]);
    follower.catch_up(&source).unwrap();
    assert_eq!((rows(&follower, "t"), convex.requests(Route::JsonSchemas).len()), (3, 1), "and nobody looks");
    convex.drop_table("t");
    assert_eq!(source.tables(&patterns_in("convex", &["t"])).unwrap().len(), 1);
}

/// Between two looks nobody can tell which rows are those of the old table: all rows are compared.
#[test]
fn a_table_that_is_created_again_between_two_looks_loses_the_position() {
    let convex = with(false);
    let source = open(&convex);
    let mut follower = started(&source, &["t"]);
    let position = follower.state.position.clone().unwrap();
    let mut stream = source.stream(Some(&position)).unwrap();
    convex.drop_table("t");
    // The first list lacks it, the second one has it again.
    let looked = convex.requests(Route::JsonSchemas).len();
    let error = loop {
        match stream.next(std::time::Duration::ZERO) {
            Ok(_) if convex.requests(Route::JsonSchemas).len() == looked + 1 => {
                convex.commit(vec![put("t", "new", &[])]);
            }
            Ok(_) => assert!(convex.requests(Route::JsonSchemas).len() <= looked + 1, "the table is gone already"),
            Err(error) => break error,
        }
    };
    assert_eq!(error.class, ErrorClass::PositionLost);
    assert_eq!(source.stream(Some(&position)).err().unwrap().class, ErrorClass::PositionLost);
    follower.start(&source).unwrap();
    follower.catch_up(&source).unwrap();
    assert_eq!((follower.lost, rows(&follower, "t")), (1, 1));
}

#[test]
fn an_import_that_replaces_is_seen_by_the_sync_api_and_half_by_deltas() {
    for has_sync_api in [false, true] {
        let convex = with(has_sync_api);
        let source = open(&convex);
        let mut follower = started(&source, &["t"]);
        convex.import_replace("t", vec![document(&[("_id", Field::from("c"))])]);
        follower.catch_up(&source).unwrap();
        // With deltas, the old rows stay: this is a limit of theirs, which the documentation says.
        assert_eq!(rows(&follower, "t"), if has_sync_api { 1 } else { 3 });
        let comparing = open(&convex);
        assert_eq!(rows(&started(&comparing, &["t"]), "t"), 1, "a comparison of all rows ends it");
    }
}

#[test]
fn tables_that_come_up_are_complete_by_the_stream() {
    for has_sync_api in [false, true] {
        let convex = with(has_sync_api);
        let source = open(&convex);
        let mut follower = started(&source, &["x%"]);
        convex.commit(vec![put("x1", "a", &[("v", Field::Boolean(true))]), put("y", "a", &[])]);
        convex.commit(vec![put("x1", "b", &[]), delete("x1", "a")]);
        follower.catch_up(&source).unwrap();
        assert_eq!((rows(&follower, "x1"), rows(&follower, "y")), (1, 0));
    }
}

#[test]
fn names_of_schemas_are_checked() {
    let convex = with(false);
    let source = open(&convex);
    for schema in ["%", "con%", "public"] {
        let error = source.tables(&patterns_in(schema, &["t"])).unwrap_err();
        assert_eq!(error.class, ErrorClass::Configuration);
        assert!(error.message.contains("schema convex"), "{}", error.message);
    }
    let tables = source.tables(&patterns_in("convex", &["%"])).unwrap();
    assert_eq!(tables.iter().map(|table| table.name.as_str()).collect::<Vec<_>>(), ["t", "u"]);
    let schema = source.schema().unwrap();
    assert_eq!((schema.len(), schema[0].columns[1].type_name.as_str()), (2, "real"));
}

#[test]
fn the_table_of_markers_is_not_synced_and_moves_the_position() {
    for has_sync_api in [false, true] {
        let convex = with(has_sync_api);
        let source = open(&convex);
        source.mark().unwrap();
        assert!(source.tables(&patterns_in("convex", &["powersync_checkpoints"])).unwrap().is_empty());
        let before = source.head().unwrap();
        let mut stream = source.stream(Some(&before)).unwrap();
        source.mark().unwrap();
        let events = crate::deployment::next(&mut *stream);
        assert!(matches!(&events[..], [sync_engine::source::SourceEvent::Idle { position }] if *position > before));
    }
}

#[test]
fn an_older_deployment_is_read_by_deltas_and_a_sync_api_that_does_not_work_is_left_alone() {
    let convex = with(false);
    let source = open(&convex);
    started(&source, &["t"]);
    assert!(!convex.requests(Route::DocumentDeltas).is_empty());
    // It is there, and does not take what is asked.
    let convex = with(true);
    convex.fail(Route::CursorFromDeltas, Fault::Status(400, "BadArguments", None));
    started(&open(&convex), &["t"]);
    assert!(convex.requests(Route::DataSync).is_empty());
    // Who wants the sync API is told.
    let convex = with(false);
    let options = ConvexOptions { api: Api::Sync, ..options(&convex) };
    let source = ConvexSource::with_options(options).unwrap();
    let error = source.stream(None).err().unwrap();
    assert_eq!(error.class, ErrorClass::Configuration);
    assert!(error.message.contains("api=sync"));
}
