//! How output looks on terminals of several widths, and elsewhere.

use std::io::{BufRead, BufReader};
use std::process::Stdio;

use console::measure_text_width;

use crate::app::{App, out, program};
use crate::pty::{Pty, plain};

/// With long names, many buckets, and a problem.
fn app() -> App {
    let app = App::synced();
    app.sql(
        "INSERT INTO ps_buckets(name, downloaded_size) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 12)
           SELECT 'a bucket with a long name, and 世界 in it ' || i || '[\"' || hex(randomblob(20)) || '\"]', i FROM n;
         INSERT INTO lists(id, name) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 1234)
           SELECT 'id' || i, 'name' FROM n;",
    );
    app
}

fn at_terminal(columns: u16, arguments: &[&str]) -> (String, Option<i32>) {
    Pty::start(columns, arguments).end()
}

/// In the folder of the app, whose file is `app.db`.
fn at_terminal_of(app: &App, columns: u16, arguments: &[&str]) -> (String, Option<i32>) {
    let mut command = program();
    command.args(arguments).current_dir(app.folder());
    Pty::of(columns, command).end()
}

const ESCAPE: char = '\x1b';

/// Whether a sequence ends with `m`: others move the cursor.
fn has_colours(text: &str) -> bool {
    let mut sequences = text.split(ESCAPE).skip(1);
    sequences
        .any(|text| text.find(|char: char| char.is_ascii_alphabetic()).is_some_and(|end| text[end..].starts_with('m')))
}

#[test]
fn pages_fit_terminals_and_have_boxes_and_colours() {
    let app = app();
    for columns in [40, 80, 200] {
        for arguments in
            [&["inspect", "app.db"] as &[_], &["queue", "list", "app.db"], &["queue", "show", "app.db", "1"]]
        {
            let (text, _) = at_terminal_of(&app, columns, arguments);
            assert!(has_colours(&text), "{columns} {arguments:?}: {text}");
            for line in plain(&text).lines() {
                assert!(measure_text_width(line) <= usize::from(columns), "{columns} {arguments:?}: {line}");
            }
        }
        let (text, code) = at_terminal_of(&app, columns, &["inspect", "app.db"]);
        assert_eq!(code, Some(1));
        assert!(text.contains('┌') && text.contains("1,235"), "{text}");
    }
}

#[test]
fn terminals_without_a_width_get_plain_columns() {
    let app = app();
    for columns in [0, 39] {
        let (text, code) = at_terminal(columns, &["inspect", &app.file()]);
        assert_eq!(code, Some(1));
        assert!(!text.contains('┌') && plain(&text).contains("\nlists  json              1,235\n"), "{text}");
        let (text, _) = at_terminal(columns, &["shell", ":memory:", "SELECT 1 AS a, 2 AS b"]);
        assert_eq!(plain(&text), "a  b\n1  2\n");
    }
}

#[test]
fn what_is_piped_is_plain() {
    let app = app();
    let text = app.inspect(&[]).out;
    assert!(
        !text.contains(ESCAPE) && !text.contains('┌') && text.contains("\nlists  json              1235\n"),
        "{text}"
    );
    let ran = app.inspect(&["--verify"]);
    assert!(!ran.err.contains(ESCAPE), "no progress: {}", ran.err);
}

#[test]
fn colours_are_left_out_when_asked() {
    let app = app();
    for (name, value) in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        for arguments in [["inspect", &app.file(), "--verify"], ["queue", "list", &app.file()]] {
            let mut command = program();
            command.args(arguments).env(name, value);
            let (text, _) = Pty::of(80, command).end();
            assert!(!has_colours(&text), "{name} {arguments:?}: {text:?}");
        }
        let mut command = program();
        command.args(["inspect", &app.file()]).env(name, value);
        assert!(Pty::of(80, command).end().0.contains('┌'), "boxes are no colours");
    }
}

#[test]
fn wide_tables_become_lists_on_narrow_terminals() {
    let sql = "SELECT 'some text' AS first_column, 'more' AS second_column, 'x' AS third, 4 AS fourth, 5 AS fifth";
    let (text, _) = at_terminal(40, &["shell", ":memory:", sql]);
    assert!(plain(&text).starts_with("first_column   some text\nsecond_column  more\nthird          x\n"), "{text}");
    let (text, _) = at_terminal(80, &["shell", ":memory:", sql]);
    assert!(text.contains('┌'), "{text}");
}

#[test]
fn data_cannot_control_the_terminal() {
    let sql = "SELECT 'a' || char(27) || '[2J' || char(8238) || 'b' AS t";
    for mode in ["box", "table", "column", "markdown", "line", "list", "tabs", "csv", "insert"] {
        let (text, _) = at_terminal(80, &["shell", ":memory:", "--mode", mode, sql]);
        assert!(plain(&text).contains("a\\u{1b}[2J\\u{202e}b"), "{mode}: {text:?}");
    }
    assert_eq!(
        out(&["shell", ":memory:", "--mode", "list", sql]),
        "a\x1b[2J\u{202e}b\n",
        "a program gets what is there"
    );
}

#[test]
fn a_closed_pipe_ends_it_silently() {
    let rows = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 300000) SELECT i, i FROM n";
    for arguments in [["shell", ":memory:", rows, "--csv"], ["shell", ":memory:", rows, "--mode=column"]] {
        let mut command = program();
        let mut child = command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        let mut output = BufReader::new(child.stdout.take().unwrap());
        output.read_line(&mut line).unwrap();
        assert!(line.trim_start().starts_with('i'), "{line}");
        drop(output);
        let ended = child.wait_with_output().unwrap();
        assert_eq!(String::from_utf8(ended.stderr).unwrap(), "");
        assert!(!ended.status.success(), "it was ended by the closed pipe");
    }
}
