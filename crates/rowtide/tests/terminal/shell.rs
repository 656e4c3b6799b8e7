//! `rowtide shell` in scripts: modes, standard input, errors and what it may write.

use crate::app::{App, Ran, out, run, run_with};

const VALUES: &str = "SELECT 1 AS i, 0.5 AS r, 'a''b,\"c\"' AS t, x'00ff' AS b, NULL AS n";

fn memory(arguments: &[&str]) -> String {
    out(&[&["shell", ":memory:"], arguments].concat())
}

fn script(text: &str) -> Ran {
    run_with(&["shell", ":memory:"], text)
}

#[test]
fn every_mode_shows_every_value() {
    let mode = |mode: &str| memory(&["--mode", mode, VALUES]);
    assert_eq!(mode("list"), "1|0.5|a'b,\"c\"|x'00ff'|\n");
    assert_eq!(mode("tabs"), "1\t0.5\ta'b,\"c\"\tx'00ff'\t\n");
    assert_eq!(mode("csv"), "i,r,t,b,n\n1,0.5,\"a'b,\"\"c\"\"\",x'00ff',\n");
    assert_eq!(mode("json"), "[{\"i\":1,\"r\":0.5,\"t\":\"a'b,\\\"c\\\"\",\"b\":\"x'00ff'\",\"n\":null}]\n");
    assert_eq!(mode("line"), "    i = 1\n    r = 0.5\n    t = a'b,\"c\"\n    b = x'00ff'\n    n = NULL\n");
    assert_eq!(mode("quote"), "1,0.5,'a''b,\"c\"',X'00ff',NULL\n");
    assert_eq!(mode("insert"), "INSERT INTO \"table\" VALUES(1,0.5,'a''b,\"c\"',X'00ff',NULL);\n");
    assert_eq!(mode("column"), "i    r  t        b        n\n1  0.5  a'b,\"c\"  x'00ff'  NULL\n");
    assert_eq!(memory(&[VALUES]), mode("column"), "what is piped has plain columns");
    assert!(mode("box").starts_with("┌───┬─────┬"), "{}", mode("box"));
    assert!(mode("table").starts_with("+---+-----+"), "{}", mode("table"));
    assert!(mode("markdown").starts_with("| i |   r | t"), "{}", mode("markdown"));
    assert_eq!(memory(&["--json", VALUES]), mode("json"));
    assert_eq!(memory(&["--csv", VALUES]), mode("csv"));
}

#[test]
fn results_without_rows_are_still_results_for_programs() {
    let nothing = "SELECT 1 AS a WHERE 0";
    assert_eq!(memory(&["--json", nothing]), "[]\n");
    assert_eq!(memory(&["--csv", nothing]), "a\n");
    assert_eq!(memory(&[nothing]), "");
    assert_eq!(memory(&["--json", "CREATE TABLE t(a)"]), "");
}

#[test]
fn a_script_has_statements_over_several_lines_and_commands() {
    let ran = script(
        ".mode list
CREATE TABLE t(a, b); -- first
CREATE TRIGGER both AFTER INSERT ON t BEGIN
  UPDATE t SET b = a + 1; SELECT CASE WHEN 1 THEN 2 END;
END;
INSERT INTO t(a)
  VALUES (1), (';');
.headers on
.separator ' - '
.nullvalue nothing
SELECT *, NULL AS c FROM t;
.print 'the end'
SELECT 'no semicolon'",
    );
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert_eq!(ran.out, "a - b - c\n1 - 2 - nothing\n; - 1 - nothing\nthe end\n'no semicolon'\nno semicolon\n");
}

#[test]
fn the_first_error_of_a_script_ends_it_and_says_its_line() {
    let ran = script("SELECT 1;\n\n  SELECT 2 +\n  FRM;\nSELECT 3;\n");
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert_eq!(ran.out, "1\n1\n", "{ran:?}");
    assert_eq!(ran.err, "error: standard input: line 4: no such column: FRM\n    FRM;\n    ^\n");
    let command = script("SELECT 1;\n.nothing\nSELECT 2;");
    assert_eq!((command.code, command.out.as_str()), (Some(1), "1\n1\n"));
    assert!(command.err.contains("standard input: line 2: There is no command .nothing"), "{command:?}");
    let all = script(".bail off\nSELEC;\nSELECT 3;");
    assert_eq!((all.code, all.out.as_str()), (Some(1), "3\n3\n"), "{all:?}");
    let argument = run(&["shell", ":memory:", "SELECT absent"]);
    assert_eq!(argument.err, "error: no such column: absent\n  SELECT absent\n         ^\n");
    assert_eq!(argument.code, Some(1));
}

#[test]
fn rows_before_an_error_are_shown() {
    let ran = run(&["shell", ":memory:", "--mode", "list", "SELECT 1 UNION ALL SELECT abs(-9223372036854775808)"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(1), "1\n"), "{ran:?}");
    assert!(ran.err.contains("integer overflow"), "{ran:?}");
}

#[test]
fn nothing_is_written_unless_that_is_allowed() {
    let app = App::synced();
    let before = std::fs::read(app.path()).unwrap();
    for sql in ["INSERT INTO lists(id) VALUES ('x')", "DROP TABLE ps_crud", "BEGIN; SELECT powersync_clear(0)"] {
        let ran = run(&["shell", &app.file(), sql]);
        assert_eq!(ran.code, Some(1), "{ran:?}");
    }
    let ran = run(&["shell", &app.file(), "DELETE FROM ps_crud"]);
    assert!(ran.err.contains("start the shell with --write"), "{ran:?}");
    assert_eq!(std::fs::read(app.path()).unwrap(), before);
    app.sql("INSERT INTO lists(id, name) VALUES ('x', 'y');");
    assert_eq!(app.rows("SELECT data ->> 'op' AS op FROM ps_crud"), serde_json::json!([{"op": "PUT"}]));
    let over = run(&["shell", &app.file(), &format!(".output {}", app.file())]);
    assert_eq!(over.code, Some(1), "{over:?}");
    assert!(over.err.contains("is the database"), "{over:?}");
}

#[test]
fn an_open_transaction_is_rolled_back_and_that_is_said() {
    let app = App::synced();
    let ran = run(&["shell", &app.file(), "--write", "BEGIN; DELETE FROM lists"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.err.contains("It was rolled back"), "{ran:?}");
    assert_eq!(app.rows("SELECT count(*) AS n FROM lists"), serde_json::json!([{"n": 1}]));
}

#[test]
fn the_catalogue_is_listed() {
    let ran = script(
        "CREATE TABLE lists(id PRIMARY KEY, name); CREATE INDEX by_name ON lists(name); CREATE VIEW named AS SELECT name FROM lists; -- x
.tables
.tables n%
.indexes lists
.schema %name%
.databases
.version
",
    );
    assert_eq!(ran.code, Some(0), "{ran:?}");
    let expected = "lists\nnamed\nnamed\nby_name\nsqlite_autoindex_lists_1\nCREATE INDEX by_name ON lists(name);\n\
        CREATE VIEW named AS SELECT name FROM lists;\nmain: in memory, read and written\nSQLite 3.";
    assert!(ran.out.starts_with(expected), "{}", ran.out);
    let help = script(".help").out;
    for command in [
        ".help",
        ".tables",
        ".schema",
        ".indexes",
        ".mode",
        ".headers",
        ".read",
        ".dump",
        ".output",
        ".databases",
        ".quit",
    ] {
        assert!(help.contains(command), "{command}");
    }
    let usage = script(".mode nothing").err;
    assert!(usage.contains("there is no mode nothing. Modes are: box, table, column"), "{usage}");
    assert!(script(".read").err.contains(".read is used so: .read FILE"));
}

#[test]
fn files_are_read_and_results_written_to_files() {
    let app = App::empty();
    let path = |name: &str| app.folder().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("inner.sql"), "SELECT 'inner';\n").unwrap();
    std::fs::write(path("bad.sql"), "SELECT 1;\nSELEC 2;\n").unwrap();
    std::fs::write(path("endless.sql"), format!(".read '{}'\n", path("endless.sql"))).unwrap();
    let ran = script(&format!(
        ".mode list\n.read {}\n.once '{}'\nSELECT 'once';\nSELECT 'shown';\n.output {}\nSELECT 'all';\n.output\nSELECT 'end';\n",
        path("inner.sql"),
        path("once.txt"),
        path("all.txt")
    ));
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), "inner\nshown\nend\n"), "{ran:?}");
    assert_eq!(std::fs::read_to_string(path("once.txt")).unwrap(), "once\n");
    assert_eq!(std::fs::read_to_string(path("all.txt")).unwrap(), "all\n");
    let bad = script(&format!(".read {}\n.print never", path("bad.sql")));
    assert_eq!(bad.code, Some(1), "{bad:?}");
    assert!(bad.err.contains("bad.sql: line 2: near \"SELEC\"") && !bad.out.contains("never"), "{bad:?}");
    let endless = script(&format!(".read {}", path("endless.sql")));
    assert!(endless.code == Some(1) && endless.err.contains("nested deeper"), "{endless:?}");
}

#[test]
fn an_exit_in_a_script_is_no_error() {
    let ran = script("SELECT 1;\n.quit\nSELEC;\n");
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), "1\n1\n"));
}

#[test]
fn the_extension_is_there() {
    let version = memory(&["--mode", "list", "SELECT powersync_rs_version()"]);
    assert!(version.starts_with(env!("CARGO_PKG_VERSION")), "{version}");
}
