//! `rowtide queue`: what waits, what was rejected, and changing it.

use serde_json::{Value, json};

use crate::app::{App, Ran, out, run};
use crate::pty::Pty;

/// Transaction 1 has two writes, 2 and -4 one each. 3 was rejected.
fn filled() -> App {
    let app = App::synced();
    app.sql(
        "BEGIN; INSERT INTO lists(id, name, size) VALUES ('l2', 'Work', 7), ('l''3', 'Home', NULL); COMMIT;
         UPDATE lists SET name = 'New' WHERE id = 'l1';
         DELETE FROM lists WHERE id = 'l2';
         BEGIN; SELECT powersync_crud_reject(3, '23503', 'still referenced', 'by todos'); COMMIT;
         INSERT INTO ps_crud(data) VALUES ('{\"op\":\"DELETE\",\"type\":\"lists\",\"id\":\"l9\"}');",
    );
    app
}

fn queue(app: &App, command: &str, more: &[&str]) -> Ran {
    let file = app.file();
    run(&[&["queue", command, &file], more].concat())
}

#[test]
fn it_is_listed_in_sentences() {
    let app = filled();
    let list = queue(&app, "list", &[]);
    assert_eq!(list.code, Some(0), "{list:?}");
    let expected = "3 transactions with 4 local writes wait for upload, the oldest first:
   1  PUT lists 'l2' (name, size)
      PUT lists 'l''3' (name)
   2  PATCH lists 'l1' (name)
  -5  DELETE lists 'l9'
1 transaction rejected:
  3  DELETE lists 'l2'
     rejected ";
    assert!(list.out.starts_with(expected), "{}", list.out);
    assert!(list.out.ends_with(": 23503, still referenced, by todos\n"), "{}", list.out);
    let limited = queue(&app, "list", &["--limit", "1"]).out;
    assert!(limited.contains("  and 2 transactions more: add --all\n"), "{limited}");
    assert!(!queue(&app, "list", &["--all"]).out.contains("more"));
    let empty = out(&["queue", "list", &App::synced().file()]);
    assert_eq!(empty, "Nothing waits for its upload.\nNothing was rejected.\n");
}

#[test]
fn json_has_everything() {
    let app = filled();
    let list: Value = serde_json::from_str(&queue(&app, "list", &["--json"]).out).unwrap();
    assert_eq!(
        list["waiting"][1]["crud"][0],
        json!({"entry_id": "3", "op": "PATCH", "table": "lists", "id": "l1", "op_data": {"name": "New"}})
    );
    let rejected = &list["rejected"][0];
    let refusal = json!([
        rejected["transaction_id"],
        rejected["code"],
        rejected["message"],
        rejected["details"],
        rejected["crud"][0]["op"]
    ]);
    assert_eq!(refusal, json!(["3", "23503", "still referenced", "by todos", "DELETE"]));
    let show: Value = serde_json::from_str(&queue(&app, "show", &["1", "--json"]).out).unwrap();
    assert_eq!(show, list["waiting"][0]);
}

#[test]
fn one_transaction_is_shown_with_its_values() {
    let app = filled();
    let show = queue(&app, "show", &["1"]);
    let expected = "Transaction 1 waits for its upload

PUT lists 'l2' (name, size)
column  value
name    Work
size    7

PUT lists 'l''3' (name)
column  value
name    Home
";
    assert_eq!(show.out, expected);
    assert!(queue(&app, "show", &["3"]).out.starts_with("Transaction 3 rejected "));
    assert!(queue(&app, "show", &["-5"]).out.contains("DELETE lists 'l9'"));
    let missing = queue(&app, "show", &["99"]);
    assert_eq!(
        (missing.code, missing.err.as_str()),
        (Some(1), "error: There is no transaction 99: see `rowtide queue list`.\n")
    );
}

#[test]
fn transactions_are_rejected_retried_and_discarded() {
    let app = filled();
    let ran = queue(&app, "reject", &["1", "-5", "--yes", "--code", "X", "--message", "why"]);
    assert_eq!(
        (ran.code, ran.out.as_str()),
        (Some(0), "Transaction 1 was rejected.\nTransaction -5 was rejected.\n"),
        "{ran:?}"
    );
    assert_eq!(
        app.rows("SELECT DISTINCT code, message FROM powersync_rejected WHERE transaction_id = 1"),
        json!([{"code": "X", "message": "why"}])
    );

    let ran = queue(&app, "retry", &["1", "--yes"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.starts_with("Transaction 1 is back in the queue, as transaction "), "{}", ran.out);
    assert_eq!(app.rows("SELECT name FROM lists WHERE id = 'l2'"), json!([{"name": "Work"}]), "written again");

    let ran = queue(&app, "discard", &["3", "--yes"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), "Transaction 3 was forgotten.\n"));
    let ran = queue(&app, "discard", &["--all", "--yes"]);
    assert_eq!((ran.code, ran.out.as_str()), (Some(0), "Transaction -5 was forgotten.\n"));
    assert_eq!(queue(&app, "discard", &["--all", "--yes"]).out, "There are no rejected transactions.\n");
}

#[test]
fn all_transactions_are_changed_or_none() {
    let app = filled();
    let before = app.rows("SELECT * FROM ps_crud");
    let ran = queue(&app, "reject", &["1", "99", "--yes"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.err.contains("there is no transaction 99 in the upload queue"), "{ran:?}");
    assert_eq!(app.rows("SELECT * FROM ps_crud"), before);
}

#[test]
fn changes_are_asked_for() {
    let app = filled();
    let before = app.rows("SELECT * FROM ps_crud");
    let ran = queue(&app, "reject", &["1"]);
    assert_eq!(ran.code, Some(2), "{ran:?}");
    assert!(ran.err.contains("add --yes"), "{ran:?}");

    let file = app.file();
    for (answer, code, said) in [
        ("n\n", 1, "Nothing was changed."),
        ("\n", 1, "Nothing was changed."),
        ("y\n", 0, "Transaction 1 was rejected."),
    ] {
        assert_eq!(app.rows("SELECT * FROM ps_crud"), before);
        let mut terminal = Pty::start(80, &["queue", "reject", &file, "1"]);
        let asked = terminal.until("[y/N] ");
        assert!(asked.contains("1: PUT lists 'l2' (name, size), PUT lists 'l''3' (name)"), "{asked}");
        terminal.send(answer);
        let (text, ended) = terminal.end();
        assert_eq!(ended, Some(code), "{text}");
        assert!(text.contains(said), "{text}");
    }
}

#[test]
fn an_export_has_a_line_for_each_transaction() {
    let app = filled();
    let lines: Vec<Value> =
        queue(&app, "export", &[]).out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let summary: Vec<Value> = lines.iter().map(|line| json!([line["state"], line["transaction_id"]])).collect();
    assert_eq!(
        summary,
        [json!(["waiting", "1"]), json!(["waiting", "2"]), json!(["waiting", "-5"]), json!(["rejected", "3"])]
    );
    let target = app.folder().join("queue.ndjson");
    let target = target.to_str().unwrap();
    assert_eq!(queue(&app, "export", &["--output", target]).out, format!("4 transactions written to {target}\n"));
    assert_eq!(std::fs::read_to_string(target).unwrap().lines().count(), 4);
    assert_eq!(queue(&app, "export", &["--output", target]).code, Some(2), "never over a file");
}

#[test]
fn a_damaged_transaction_at_the_head_can_be_taken_out() {
    let app = App::synced();
    app.sql("INSERT INTO ps_crud(data, tx_id) VALUES ('{', 1); INSERT INTO lists(id) VALUES ('l2');");
    let ran = queue(&app, "list", &[]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(
        ran.err.contains(&format!("To take it out of the queue: rowtide queue reject {} 1", app.file())),
        "{ran:?}"
    );
    assert_eq!(queue(&app, "reject", &["1", "--yes"]).code, Some(0));
    assert!(queue(&app, "list", &[]).out.contains("PUT lists 'l2'"));
}
