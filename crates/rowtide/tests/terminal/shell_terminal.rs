//! `rowtide shell` at a terminal.

use tempfile::TempDir;

use crate::app::{App, program};
use crate::pty::Pty;

fn shell(state: &TempDir, arguments: &[&str], term: &str) -> Pty {
    let mut command = program();
    command
        .arg("shell")
        .args(arguments)
        .env("XDG_STATE_HOME", state.path())
        .env("HOME", state.path())
        .env("TERM", term);
    Pty::of(80, command)
}

#[test]
fn statements_run_and_errors_do_not_end_it() {
    let state = tempfile::tempdir().unwrap();
    let app = App::synced();
    let mut shell = shell(&state, &[&app.file()], "xterm");
    let greeting = shell.until("rowtide> ");
    assert!(greeting.contains("app.db, only read (--write changes it)"), "{greeting}");
    shell.send("SELECT id,\r");
    shell.until("   ...> ");
    shell.send("name FROM lists;\r");
    let shown = shell.until("rowtide> ");
    assert!(shown.contains("│ l1 ┆ secret │"), "{shown}");
    shell.send("SELEC 1;\r");
    let error = shell.until("rowtide> ");
    assert!(error.contains("near \"SELEC\": syntax error") && error.contains("  ^"), "{error}");
    shell.send("INSERT INTO lists(id) VALUES (1);\r");
    assert!(shell.until("rowtide> ").contains("start the shell with --write"));
    shell.send(".nothing\r");
    assert!(shell.until("rowtide> ").contains("There is no command .nothing"));
    shell.send("SELECT 1 +\r");
    shell.until("   ...> ");
    shell.send("\x03");
    shell.until("rowtide> ");
    shell.send(".tables l%\r");
    assert!(shell.until("rowtide> ").contains("lists\n"));
    shell.send("\x04");
    assert_eq!(shell.end().1, Some(0));
}

#[test]
fn a_statement_is_interrupted_and_the_shell_goes_on() {
    let state = tempfile::tempdir().unwrap();
    let mut shell = shell(&state, &[":memory:", "--mode", "list"], "xterm");
    shell.until("rowtide> ");
    shell.send("WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n) SELECT i FROM n;\r");
    shell.until("1000");
    shell.interrupt();
    shell.until("interrupted");
    shell.until("rowtide> ");
    shell.send("SELECT 'still ' || 'here';\r");
    shell.until("still here");
    shell.send(".quit\r");
    assert_eq!(shell.end().1, Some(0));
}

#[test]
fn the_history_is_kept_with_whole_statements() {
    let state = tempfile::tempdir().unwrap();
    let mut first = shell(&state, &[":memory:"], "xterm");
    first.until("rowtide> ");
    first.send("SELECT 'first',\r");
    first.until("   ...> ");
    first.send("'second';\r");
    first.until("rowtide> ");
    first.send(" SELECT 'hidden';\r");
    first.until("rowtide> ");
    first.send(".quit\r");
    assert_eq!(first.end().1, Some(0));
    let mut second = shell(&state, &[":memory:", "--mode", "list"], "xterm");
    second.until("rowtide> ");
    // Up, past the command that has ended the first one.
    second.send("\x1b[A\x1b[A\r");
    second.until("first|second");
    second.send(".quit\r");
    assert_eq!(second.end().1, Some(0));
}

#[test]
fn a_dumb_terminal_is_enough() {
    let state = tempfile::tempdir().unwrap();
    let mut shell = shell(&state, &[":memory:"], "dumb");
    shell.until("rowtide> ");
    shell.send("SELECT 'a' || 'b' AS c;\n");
    shell.until("│ ab │");
    shell.send(".quit\n");
    let (rest, code) = shell.end();
    assert_eq!(code, Some(0));
    assert!(!rest.contains('\x1b'), "{rest:?}");
}
