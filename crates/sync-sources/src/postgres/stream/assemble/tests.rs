//! Messages by hand, without a server.

use std::collections::BTreeMap;

use sync_config::TablePattern;
use sync_engine::row::Column;

use super::*;

fn source(oid: u32, name: &str, columns: &[&str]) -> Arc<SourceTable> {
    let column = |name: &&str| Column { name: (*name).to_owned(), type_name: "text".to_owned() };
    Arc::new(SourceTable {
        physical_id: format!("{oid}(id text)"),
        schema: "public".to_owned(),
        name: name.to_owned(),
        columns: columns.iter().map(column).collect(),
        key: vec![0],
        is_schemaless: false,
    })
}

fn layout(oid: u32, name: &str, columns: &[&str]) -> Layout {
    Layout { source: source(oid, name, columns), kinds: vec![Kind::Text; columns.len()] }
}

struct Test {
    assembler: Assembler,
    known: Known,
}

impl Test {
    /// Begins after 100.
    fn new(last_commit: Option<u64>, confirmed: u64) -> Self {
        let from = Place { epoch: 1, lsn: Lsn(100), last_commit: last_commit.map(Lsn) };
        let mut known = Known::default();
        let pattern = |table: &str| TablePattern { connection: None, schema: "public".into(), table: table.into() };
        known.add_patterns(&[pattern("t"), pattern("w_%")]);
        let mut assembler = Assembler::new(from, Lsn(confirmed));
        assembler.describe(1, Some(layout(1, "t", &["id", "v"])), &mut known);
        Self { assembler, known }
    }

    fn take(&mut self, message: Message<'_>) -> Result<Vec<String>> {
        let mut events = Vec::new();
        self.assembler.message(message, &mut self.known, &mut events)?;
        Ok(events.iter().map(shown).collect())
    }

    fn reach(&mut self, lsn: u64) -> Result<Vec<String>> {
        let mut events = Vec::new();
        self.assembler.reached(Lsn(lsn), &mut self.known, &mut events)?;
        Ok(events.iter().map(shown).collect())
    }

    fn all(&mut self, messages: Vec<Message<'_>>) -> Vec<String> {
        messages.into_iter().flat_map(|message| self.take(message).unwrap()).collect()
    }

    fn see(&mut self, at: u64, tables: Vec<Layout>) {
        let serial = self.known.next_serial();
        let oid = |layout: &Layout| layout.source.physical_id.split('(').next().unwrap().parse().unwrap();
        let tables: BTreeMap<u32, Layout> = tables.into_iter().map(|layout| (oid(&layout), layout)).collect();
        self.assembler.see(Seen { tables, serial, at: Lsn(at) }, &self.known);
    }
}

fn shown(event: &SourceEvent) -> String {
    let place = |position: &sync_engine::row::Position| Place::of_position(position).unwrap().lsn.0;
    match event {
        SourceEvent::Relation { number, table } => format!("{number} is {} {}", table.name, table.columns.len()),
        SourceEvent::Begin => "begin".to_owned(),
        SourceEvent::Row(change) => format!("row of {} {:?} {:?}", change.table, change.old_key, change.row),
        SourceEvent::Truncate(numbers) => format!("truncate {numbers:?}"),
        SourceEvent::Dropped(number) => format!("dropped {number}"),
        SourceEvent::Commit { position, time } => format!("commit {} {time:?}", place(position)),
        SourceEvent::Idle { position } => format!("idle {}", place(position)),
    }
}

fn begin(lsn: u64) -> Message<'static> {
    Message::Begin { lsn: Lsn(lsn) }
}

fn commit(end: u64) -> Message<'static> {
    Message::Commit { end: Lsn(end), time: 0 }
}

fn insert(table: u32) -> Message<'static> {
    Message::Insert { table, new: vec![Cell::Text(b"a"), Cell::Null] }
}

const ROW: &str = r#"row of 1 None Some([Value(Text("a")), Value(Null)])"#;

#[test]
fn transactions_of_wanted_tables_are_given() {
    let mut test = Test::new(None, 100);
    test.assembler.describe(2, Some(layout(2, "other", &["id", "v"])), &mut test.known);
    let events = test.all(vec![begin(110), insert(2), insert(1), commit(120), begin(121), insert(1), commit(130)]);
    let time = "Some(946684800000000)";
    let (first, second) = (format!("commit 120 {time}"), format!("commit 130 {time}"));
    assert_eq!(events, ["begin", "1 is t 2", ROW, &first, "begin", ROW, &second]);
    assert_eq!(test.all(vec![begin(140), insert(2), commit(150)]), ["idle 150"]);
    // A table without a key gives nothing.
    test.assembler.describe(3, None, &mut test.known);
    assert_eq!(test.all(vec![begin(160), insert(3), commit(170)]), ["idle 170"]);
}

#[test]
fn tables_that_are_wanted_later_are_given_from_then_on() {
    let mut test = Test::new(None, 100);
    test.assembler.describe(2, Some(layout(2, "other", &["id", "v"])), &mut test.known);
    assert_eq!(test.all(vec![begin(110), insert(2)]).len(), 0);
    test.known.add_patterns(&[TablePattern { connection: None, schema: "public".into(), table: "other".into() }]);
    let events = test.all(vec![insert(2), commit(120)]);
    assert_eq!(events[..2], ["begin", "2 is other 2"]);
}

#[test]
fn positions_grow_and_are_no_part_of_a_transaction() {
    let mut test = Test::new(None, 100);
    assert_eq!(test.reach(90).unwrap().len(), 0);
    assert_eq!(test.reach(100).unwrap().len(), 0);
    assert_eq!(test.reach(105).unwrap(), ["idle 105"]);
    assert_eq!(test.reach(105).unwrap().len(), 0);
    test.take(begin(110)).unwrap();
    assert_eq!(test.reach(108).unwrap().len(), 0);
    assert_eq!(test.all(vec![commit(120)]), ["idle 120"]);
    assert_eq!(test.take(Message::Logical { is_transactional: false, lsn: Lsn(125) }).unwrap(), ["idle 125"]);
    let mut events = Vec::new();
    for lsn in [130, 131, 132] {
        test.assembler.reached(Lsn(lsn), &mut test.known, &mut events).unwrap();
    }
    assert_eq!(events.iter().map(shown).collect::<Vec<_>>(), ["idle 132"], "of several, the last is enough");
}

#[test]
fn what_was_complete_before_comes_again_and_is_left_out() {
    let mut test = Test::new(Some(90), 50);
    assert_eq!(test.all(vec![begin(70), insert(1), commit(80), begin(81), insert(1), commit(90)]).len(), 0);
    assert_eq!(test.all(vec![begin(110), insert(1), commit(120)])[0], "begin");
}

#[test]
fn another_history_is_recognized() {
    // The last transaction is another one.
    let mut test = Test::new(Some(90), 50);
    test.all(vec![begin(70), commit(80), begin(81), commit(91)]);
    assert_eq!(test.take(begin(110)), Err(Broken::OtherHistory));
    // It is missing.
    let mut test = Test::new(Some(90), 50);
    assert_eq!(test.reach(99).unwrap().len(), 0, "it may come");
    assert_eq!(test.reach(101), Err(Broken::OtherHistory));
    // There is one more than there was.
    let mut test = Test::new(Some(40), 50);
    test.all(vec![begin(70), commit(80)]);
    assert_eq!(test.reach(101), Err(Broken::OtherHistory));
    // It was confirmed, so it does not come.
    let mut test = Test::new(Some(50), 50);
    assert_eq!(test.reach(101).unwrap(), ["idle 101"]);
    // Nothing is known of it.
    let mut test = Test::new(None, 100);
    assert_eq!(test.reach(101).unwrap(), ["idle 101"]);
}

#[test]
fn old_keys_are_given_if_they_are_others() {
    let mut test = Test::new(None, 100);
    test.all(vec![begin(110), insert(1)]);
    let (a, b) = (Cell::Text(b"a"), Cell::Text(b"b"));
    let update = |old: Option<Vec<Cell<'static>>>, new: Vec<Cell<'static>>| Message::Update { table: 1, old, new };
    let all = test.all(vec![
        update(None, vec![a, b]),
        update(Some(vec![a, Cell::Null]), vec![b, Cell::Unchanged]),
        // A whole old row fills in what is missing.
        update(Some(vec![a, b]), vec![a, Cell::Unchanged]),
        // So does an old key that is large itself.
        update(Some(vec![a, Cell::Null]), vec![Cell::Unchanged, b]),
        Message::Delete { table: 1, old: vec![b, Cell::Null] },
    ]);
    let expected = [
        r#"row of 1 None Some([Value(Text("a")), Value(Text("b"))])"#,
        r#"row of 1 Some([Text("a")]) Some([Value(Text("b")), Missing])"#,
        r#"row of 1 None Some([Value(Text("a")), Value(Text("b"))])"#,
        r#"row of 1 None Some([Value(Text("a")), Value(Text("b"))])"#,
        r#"row of 1 Some([Text("b")]) None"#,
    ];
    assert_eq!(all, expected);
}

#[test]
fn truncate_names_wanted_tables_only() {
    let mut test = Test::new(None, 100);
    test.assembler.describe(2, Some(layout(2, "other", &["id", "v"])), &mut test.known);
    test.assembler.describe(3, Some(layout(3, "w_1", &["id", "v"])), &mut test.known);
    let events = test
        .all(vec![begin(110), Message::Truncate { tables: vec![2, 1, 3] }, begin(110)].into_iter().take(2).collect());
    assert_eq!(events, ["begin", "1 is t 2", "3 is w_1 2", "truncate [1, 3]"]);
}

#[test]
fn what_the_catalog_shows_comes_where_it_was_seen() {
    let mut test = Test::new(None, 100);
    test.all(vec![begin(110), insert(1), commit(120)]);
    // Another name, a new table, and the first has a column more.
    test.see(150, vec![layout(1, "t", &["id", "v", "x"]), layout(3, "w_1", &["id"])]);
    assert!(test.assembler.has_seen());
    assert_eq!(test.reach(140).unwrap(), ["idle 140"]);
    assert_eq!(test.reach(150).unwrap(), ["begin", "1 is t 3", "3 is w_1 1", "commit 150 None"]);
    // Rows are described as the server has described them.
    assert_eq!(test.all(vec![begin(151), insert(1), commit(152)])[..2], ["begin", "1 is t 2"]);
    test.see(155, vec![layout(1, "t", &["id", "v"]), layout(3, "w_1", &["id"])]);
    assert!(!test.assembler.has_seen(), "nothing has changed");
    // Gone ones end within the next transaction, too.
    test.see(155, vec![layout(3, "w_1", &["id"])]);
    let events = test.all(vec![begin(156), insert(1), commit(160)]);
    assert_eq!(events[1..3], [ROW.to_owned(), "dropped 1".to_owned()]);
}

#[test]
fn what_was_seen_before_the_server_described_a_table_is_older() {
    let mut test = Test::new(None, 100);
    test.see(150, vec![]);
    test.assembler.describe(1, Some(layout(1, "t", &["id", "v", "x"])), &mut test.known);
    assert_eq!(test.reach(160).unwrap(), ["idle 160"]);
}

#[test]
fn contradictions_are_errors() {
    for messages in [
        vec![begin(110), begin(111)],
        vec![commit(110)],
        vec![insert(1)],
        vec![begin(110), insert(9)],
        vec![begin(110), Message::Insert { table: 1, new: vec![Cell::Null] }],
        vec![begin(110), Message::Delete { table: 1, old: vec![Cell::Unchanged, Cell::Null] }],
        vec![begin(110), Message::Delete { table: 1, old: vec![] }],
    ] {
        let mut test = Test::new(None, 100);
        let failed = messages.into_iter().find_map(|message| test.take(message).err());
        assert!(matches!(failed, Some(Broken::Contradiction(_))), "{failed:?}");
    }
}

#[test]
fn no_order_of_messages_makes_it_panic() {
    let mut rng = fastrand::Rng::with_seed(4);
    for _ in 0..2_000 {
        let mut test = Test::new(rng.bool().then_some(90), 50);
        for lsn in 60..100 {
            let cell = |rng: &mut fastrand::Rng| [Cell::Null, Cell::Unchanged, Cell::Text(b"x")][rng.usize(..3)];
            let row = |rng: &mut fastrand::Rng| (0..rng.usize(..4)).map(|_| cell(rng)).collect::<Vec<_>>();
            let table = rng.u32(..4);
            let done = match rng.u8(..9) {
                0 => test.take(begin(lsn)),
                1 => test.take(commit(lsn)),
                2 => test.take(Message::Insert { table, new: row(&mut rng) }),
                3 => test.take(Message::Update { table, old: Some(row(&mut rng)), new: row(&mut rng) }),
                4 => test.take(Message::Delete { table, old: row(&mut rng) }),
                5 => test.take(Message::Truncate { tables: vec![table] }),
                6 => test.reach(lsn * 2),
                7 => {
                    test.see(lsn * 2, vec![layout(table, "w_2", &["id"])]);
                    continue;
                }
                _ => {
                    test.assembler.describe(table, Some(layout(table, "t", &["id", "v"])), &mut test.known);
                    continue;
                }
            };
            if done.is_err() {
                break;
            }
        }
    }
}
