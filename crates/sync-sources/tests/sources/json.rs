//! What is special about folders of JSON files.

use std::fs;

use sync_engine::row::Position;
use sync_engine::source::{ErrorClass, Source, SourceEvent};
use sync_sources::json::JsonSource;
use tempfile::TempDir;

use crate::follower::{Follower, Row, State};
use crate::patterns;

struct Folder {
    folder: TempDir,
    source: JsonSource,
    follower: Follower,
}

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (name, text) in files {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let source = JsonSource::open(folder.path()).unwrap();
        let mut follower = Follower::new(patterns(&["%"]), State::default());
        follower.start(&source).unwrap();
        follower.catch_up(&source).unwrap();
        Self { folder, source, follower }
    }

    fn write(&mut self, name: &str, text: &str) {
        fs::write(self.folder.path().join(name), text).unwrap();
        self.follower.catch_up(&self.source).unwrap();
    }

    /// The rows of a table, as text.
    fn rows(&self, table: &str) -> Vec<String> {
        let content = self.follower.content();
        let shown = |row: &Row| row.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ");
        content[table].values().map(shown).collect()
    }

    fn problems(&self) -> Vec<String> {
        let checks = self.source.test(&[]);
        checks.into_iter().filter(|check| !check.ok).map(|check| check.message).collect()
    }

    /// How many transactions and rows a stream gives after a position.
    fn changes_since(&self, position: &Position) -> (usize, usize) {
        let events = self.source.stream(Some(position)).unwrap().next(std::time::Duration::ZERO).unwrap();
        let commits = events.iter().filter(|event| matches!(event, SourceEvent::Commit { .. })).count();
        (commits, events.iter().filter(|event| matches!(event, SourceEvent::Row(_))).count())
    }
}

#[test]
fn values_are_those_of_sqlite() {
    let folder = Folder::new(&[(
        "t.json",
        r#"[{"id": "1", "max": 9223372036854775807, "more": 9223372036854775808, "real": 1.0, "exact": 0.30000000000000004,
            "exponent": 1e2, "yes": true, "no": false, "none": null, "text": "\u0000\ud83e\udd80\"", "list": [1, { "a b" : "c d\" e" }]}]"#,
    )]);
    assert_eq!(
        folder.rows("t")[0].split(' ').collect::<Vec<_>>(),
        [
            "exact=r3fd3333333333334",
            "exponent=r4059000000000000",
            "id=t\"1\"",
            "list=t\"[1,{\\\"a",
            "b\\\":\\\"c",
            "d\\\\\\\"",
            "e\\\"}]\"",
            "max=i9223372036854775807",
            "more=r43e0000000000000",
            "no=i0",
            "real=r3ff0000000000000",
            "text=t\"\\0\u{1f980}\\\"\"",
            "yes=i1"
        ]
    );
}

#[test]
fn a_change_of_a_file_is_one_transaction_of_what_is_different() {
    let mut folder =
        Folder::new(&[("t.json", r#"[{"id": 1, "v": 1, "w": [1]}, {"id": 2, "v": 2}, {"id": 3, "v": 3}]"#)]);
    let before = folder.follower.state.position.clone().unwrap();
    folder.write("t.json", "[ {\"v\": 1, \"w\": [ 1 ], \"id\": 1}, {\"id\": 2, \"v\": 5}, {\"id\": 4, \"v\": 4}\n]");
    // Columns are in another order now, which is a change of all rows.
    assert_eq!(folder.rows("t"), ["id=i1 v=i1 w=t\"[1]\"", "id=i2 v=i5", "id=i4 v=i4"]);
    assert_eq!(folder.changes_since(&before).0, 1);
    let before = folder.follower.state.position.clone().unwrap();
    folder.write("t.json", "[{\"v\": 1, \"w\": [1], \"id\": 1}, {\"id\": 2, \"v\": 6}]");
    assert_eq!(folder.changes_since(&before), (1, 2));
    let before = folder.follower.state.position.clone().unwrap();
    folder.write("t.json", "[\n{\"v\": 1, \"w\": [1],\n\"id\": 1}, {\"id\": 2, \"v\": 6}]");
    assert_eq!(folder.follower.state.position, Some(before), "another layout is no change");
}

#[test]
fn a_malformed_file_keeps_its_last_good_content() {
    let mut folder = Folder::new(&[("t.json", r#"[{"id": "a"}]"#)]);
    for (text, problem) in [
        ("", "line 1, column 1: EOF while parsing a value"),
        ("[\n  {\"id\": \"ä\"},\n  {\"id\" 1}\n]", "line 3, column 9: expected `:`"),
        ("{}", "line 1, column 1: expected a sequence"),
        ("[{\"id\": 1},\n   7]", "line 2, column 4: expected an object"),
        ("[\n{\"id\": 1}, {\"id\": 1}]", "line 2, column 12: another row has the same `id`"),
        ("[{\"key\": 1}]", "line 1, column 2: the row has no `id`"),
        ("[{\"id\": null}]", "line 1, column 2: `id` is null"),
        ("[{\"id\": 1,\n \"v\": 1e999}]", "a number out of range"),
        ("[{\"id\": \"\\ud800\"}]", "a string with an invalid escape"),
        ("[{\"id\": 1}", "line 1, column 10: EOF while parsing a list"),
    ] {
        folder.write("t.json", text);
        assert_eq!(folder.rows("t"), ["id=t\"a\""], "{text}");
        let problems = folder.problems();
        assert!(problems.len() == 1 && problems[0].contains(problem), "{text}: {problems:?}");
    }
    fs::write(folder.folder.path().join("t.json"), b"[{\"id\": \"\xff\"}]").unwrap();
    assert!(folder.problems()[0].contains("line 1, column 10: the file is not UTF-8"), "{:?}", folder.problems());
    folder.write("t.json", "\u{feff}[{\"_id\": \"b\"}]");
    assert_eq!(folder.problems(), Vec::<String>::new());
    assert_eq!(folder.rows("t"), ["_id=t\"b\""]);
}

#[test]
fn files_come_and_go() {
    let mut folder = Folder::new(&[("t.json", r#"[{"id": "a"}]"#), (".hidden.json", "[]"), ("readme.md", "")]);
    folder.write("u.json", r#"[{"id": "b"}]"#);
    assert_eq!(folder.rows("u"), ["id=t\"b\""]);
    fs::remove_file(folder.folder.path().join("t.json")).unwrap();
    while folder.follower.content().len() > 1 {
        folder.follower.catch_up(&folder.source).unwrap();
    }
    assert_eq!(folder.follower.content().keys().collect::<Vec<_>>(), ["u"]);
    folder.write("t.json", "[]");
    assert!(folder.follower.state.tables.contains_key("t(id)#2"));
    fs::remove_dir_all(folder.folder.path()).unwrap();
    assert_eq!(folder.source.head().unwrap_err().class, ErrorClass::Retry);
}

#[test]
fn lines_that_are_appended_are_transactions() {
    let first = "{\"put\": {\"t\": [{\"id\": 1}, {\"id\": 2}]}}\n";
    let mut folder = Folder::new(&[("log.ndjson", first)]);
    let before = folder.follower.state.position.clone().unwrap();
    let second = format!(
        "{first}{{\"delete\": {{\"t\": [1]}}, \"put\": {{\"t\": [{{\"id\": 3}}], \"u\": [{{\"id\": 9}}]}}}}\n{{\"truncate\": [\"u\"]}}"
    );
    folder.write("log.ndjson", &second);
    assert_eq!(folder.changes_since(&before).0, 2);
    assert_eq!(folder.rows("t"), ["id=i2", "id=i3"]);
    assert_eq!(folder.rows("u").len(), 0);
    // A line that is not complete is waited for.
    folder.write("log.ndjson", &format!("{second}\n{{\"put\": {{\"t\": [{{\"id\": 4}}"));
    assert!(folder.problems()[0].contains("line 4"), "{:?}", folder.problems());
    folder.write("log.ndjson", &format!("{second}\n{{\"put\": {{\"t\": [{{\"id\": 4, \"v\": 1}}]}}}}\n"));
    assert_eq!(folder.rows("t"), ["id=i2", "id=i3", "id=i4 v=i1"]);
    assert_eq!(folder.problems(), Vec::<String>::new());
    // Lines that were run already are different: what the file says now counts.
    let before = folder.follower.state.position.clone().unwrap();
    folder.write("log.ndjson", "{\"put\": {\"t\": [{\"id\": 2}, {\"id\": 3}, {\"id\": 5}]}}\n");
    assert_eq!(folder.changes_since(&before).0, 1);
    assert_eq!(folder.rows("t"), ["id=i2", "id=i3", "id=i5"]);
    assert_eq!(folder.follower.content().len(), 1);
    folder.write("log.ndjson", "{\"put\": {\"t\": [{\"id\": 1}]}}\n{\"puts\": 1}\n");
    assert!(folder.problems()[0].contains("line 2"), "{:?}", folder.problems());
    assert_eq!(folder.rows("t").len(), 3);
    // A table has one file.
    folder.write("t.json", "[]");
    assert!(folder.problems().iter().any(|problem| problem.contains("another file has a table t")));
    assert_eq!(folder.rows("t").len(), 3);
}
