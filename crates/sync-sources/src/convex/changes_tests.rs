//! Pages of changes, tried without a deployment.

use sync_config::TablePattern;

use super::*;

fn tables() -> Tables {
    let tables = Tables::default();
    let pattern = TablePattern { connection: None, schema: "convex".into(), table: "t%".into() };
    tables.list(&[pattern], std::iter::empty());
    tables
}

fn row(table: &str, ts: i64, id: &str) -> Row {
    let fields = vec![("_id".to_owned(), Value::text(id))];
    Row { component: String::new(), table: table.into(), ts, id: id.into(), fields: Some(fields) }
}

fn deleted(table: &str, ts: i64, id: &str) -> Row {
    Row { fields: None, ..row(table, ts, id) }
}

fn page(rows: Vec<Row>, cursor: i64, has_more: bool) -> DeltasPage {
    DeltasPage { rows, cursor, has_more }
}

/// Events in one line.
fn shown(events: &[SourceEvent]) -> String {
    let ts = |position: &Position| timestamp(position).unwrap();
    let one = |event: &SourceEvent| match event {
        SourceEvent::Relation { number, table } => format!("{number}={}", table.name),
        SourceEvent::Begin => "(".into(),
        SourceEvent::Row(RowChange { table, row: Some(_), .. }) => format!("+{table}"),
        SourceEvent::Row(RowChange { table, .. }) => format!("-{table}"),
        SourceEvent::Truncate(tables) => format!("x{tables:?}"),
        SourceEvent::Dropped(table) => format!("dropped {table}"),
        SourceEvent::Commit { position, .. } => format!("){}", ts(position)),
        SourceEvent::Idle { position } => format!("~{}", ts(position)),
    };
    events.iter().map(one).collect::<Vec<_>>().join(" ")
}

struct Stream {
    changes: Changes,
    tables: Tables,
    start: Instant,
}

impl Stream {
    fn new() -> Self {
        let start = Instant::now();
        Self { changes: Changes::new(10, start), tables: tables(), start }
    }

    fn deltas(&mut self, page: DeltasPage, awaited: i64, seconds: u64) -> Result<String, SourceError> {
        let around = Around { tables: &self.tables, awaited, now: self.start + Duration::from_secs(seconds) };
        self.changes.deltas(page, &around).map(|events| shown(&events))
    }
}

#[test]
fn rows_of_one_timestamp_are_a_transaction() {
    let mut stream = Stream::new();
    let rows = vec![row("t1", 11, "a"), row("t2", 11, "a"), row("other", 12, "x"), deleted("t1", 13, "a")];
    assert_eq!(stream.deltas(page(rows, 13, false), 0, 0).unwrap(), "( 0=t1 +0 1=t2 +1 )11 ( -0 )13");
    // What was given is not given again.
    let rows = vec![row("t1", 13, "a"), row("t1", 14, "b")];
    assert_eq!(stream.deltas(page(rows, 14, false), 0, 0).unwrap(), "( +0 )14");
}

#[test]
fn rows_of_components_are_not_those_of_the_app() {
    let mut stream = Stream::new();
    let rows = vec![Row { component: "mail".into(), ..row("t1", 11, "a") }];
    assert_eq!(stream.deltas(page(rows, 11, false), 0, 0).unwrap(), "");
}

#[test]
fn an_idle_source_says_so_when_somebody_waits_or_after_a_minute() {
    let mut stream = Stream::new();
    assert_eq!(stream.deltas(page(vec![row("other", 20, "x")], 20, true), 0, 1).unwrap(), "");
    assert_eq!(stream.deltas(page(vec![], 30, false), 31, 2).unwrap(), "", "not yet there");
    assert_eq!(stream.deltas(page(vec![], 31, false), 31, 2).unwrap(), "~31");
    assert_eq!(stream.deltas(page(vec![], 40, false), 31, 3).unwrap(), "");
    assert_eq!(stream.deltas(page(vec![row(MARKERS, 41, "m")], 41, false), 31, 4).unwrap(), "~41", "a marker");
    assert_eq!(stream.deltas(page(vec![], 50, false), 31, 63).unwrap(), "");
    assert_eq!(stream.deltas(page(vec![], 51, false), 31, 64).unwrap(), "~51", "a minute later");
}

#[test]
fn a_cursor_that_goes_back_is_a_lost_position() {
    let mut stream = Stream::new();
    let error = stream.deltas(page(vec![], 9, false), 0, 0).unwrap_err();
    assert_eq!(error.class, sync_engine::source::ErrorClass::PositionLost);
    assert!(stream.deltas(page(vec![], 10, true), 0, 0).is_err(), "more, and the same cursor");
    assert!(timestamp(&Position(b"0000000000000000012".to_vec())).is_ok_and(|ts| ts == 12));
    assert!(timestamp(&Position::from_number(12)).is_err());
}

#[test]
fn rows_of_a_table_that_is_gone_go_before_what_is_new() {
    // A table of the same name was created since.
    let mut stream = Stream::new();
    stream.changes.gone = vec!["t1".into()];
    assert_eq!(stream.deltas(page(vec![row("t1", 11, "a")], 11, false), 0, 0).unwrap(), "( 0=t1 x[0] +0 )11");
    // Something else was written.
    stream.changes.gone = vec!["t1".into()];
    let rows = vec![row(MARKERS, 12, "m"), row("t1", 13, "a")];
    assert_eq!(stream.deltas(page(rows, 13, false), 0, 0).unwrap(), "( x[0] )12 ( +0 )13");
    // Nothing was, and time goes on.
    stream.changes.gone = vec!["t1".into()];
    assert_eq!(stream.deltas(page(vec![], 13, false), 0, 0).unwrap(), "");
    assert_eq!(stream.deltas(page(vec![], 14, false), 0, 0).unwrap(), "( x[0] )14");
}

#[test]
fn pages_of_the_sync_api_are_one_transaction() {
    let mut stream = Stream::new();
    let page = |truncates: &[&str], rows, snapshot, has_more| SyncPage {
        truncates: truncates.iter().map(|name| (*name).to_owned()).collect(),
        rows,
        snapshot,
        is_snapshotting: false,
        has_more,
        cursor: "c".into(),
    };
    let mut give = |page| {
        let around = Around { tables: &stream.tables, awaited: 0, now: stream.start };
        stream.changes.sync(page, &around).map(|events| shown(&events))
    };
    assert_eq!(give(page(&["t1", "other"], vec![row("t2", 11, "a")], 12, true)).unwrap(), "( 0=t1 x[0] 1=t2 +1");
    assert_eq!(give(page(&[], vec![], 12, true)).unwrap(), "");
    assert_eq!(give(page(&[], vec![deleted("t2", 12, "b")], 12, false)).unwrap(), "-1 )12");
    assert_eq!(give(page(&[], vec![], 12, false)).unwrap(), "");
    assert_eq!(give(page(&[], vec![row(MARKERS, 13, "m")], 13, false)).unwrap(), "~13");
    assert!(give(page(&[], vec![row("t1", 13, "m")], 13, false)).is_err(), "changes at the position that was given");
    assert!(give(page(&[], vec![], 12, false)).is_err(), "back");
}
