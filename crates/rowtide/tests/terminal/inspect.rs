//! `rowtide inspect`: files with which an app is stuck, each told in one sentence.

use serde_json::{Value, json};

use crate::app::{App, Ran, run};

/// The first line, without the name of the file.
fn headline(ran: &Ran) -> &str {
    ran.out.lines().next().unwrap().split_once(": ").unwrap().1
}

#[track_caller]
fn assert_stuck(app: &App, expected: &str, code: &str) -> Ran {
    let ran = app.inspect(&[]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(headline(&ran).contains(expected), "{}", ran.out);
    assert!(ran.out.contains(&format!(". {code}")), "{}", ran.out);
    assert!(ran.out.contains("What to do: "), "{}", ran.out);
    assert!(!ran.out.contains("secret"), "row data: {}", ran.out);
    ran
}

#[test]
fn a_healthy_file_is_fine() {
    let app = App::synced();
    let ran = app.inspect(&[]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(headline(&ran).starts_with("Nothing is wrong. The last sync was "), "{}", ran.out);
    for line in [
        "  format        1004, of this version of the library",
        "  state         open: what is downloaded is shown",
        "  waiting       nothing",
        "  rejected      nothing",
        "1 bucket with 1 operation",
        "mine[\"ada\"]           1",
        "lists  json                 1",
        "notes  json, local only     0",
        "No problems",
    ] {
        assert!(ran.out.contains(line), "{line}: {}", ran.out);
    }
}

#[test]
fn an_app_that_never_connected() {
    let app = App::new();
    let ran = assert_stuck(&app, "nothing was ever downloaded", "never-connected");
    assert!(ran.out.contains("everything    never"), "{}", ran.out);
}

#[test]
fn a_queue_that_is_not_uploaded() {
    let app = App::synced();
    app.sql("BEGIN; INSERT INTO lists(id, name) VALUES ('l''2', 'secret'), ('l3', 'x'); COMMIT; DELETE FROM lists WHERE id = 'l3';");
    let ran = assert_stuck(&app, "3 local writes in 2 transactions wait for their upload", "uploads-waiting (1)");
    for line in [
        "state         closed: local writes have not been uploaded yet",
        "waiting       2 transactions with 3 local writes",
        "oldest        transaction 1: PUT lists 'l''2' (name), PUT lists 'l3' (name)",
    ] {
        assert!(ran.out.contains(line), "{line}: {}", ran.out);
    }
    app.sql("BEGIN; SELECT powersync_crud_reject(1, 'P0001', 'refused'); COMMIT;");
    let ran = app.inspect(&[]);
    assert!(ran.out.contains("rejected      1 transaction, see `rowtide queue list "), "{}", ran.out);
}

#[test]
fn uploads_that_nothing_acknowledges() {
    let app = App::synced();
    app.sql("INSERT INTO lists(id) VALUES ('l2'); DELETE FROM ps_crud;");
    let ran = assert_stuck(&app, "no write checkpoint was stored", "gate-unknown-request-id");
    assert!(
        ran.out.contains("state         closed: local writes were uploaded, but the write checkpoint"),
        "{}",
        ran.out
    );
    app.sql("BEGIN; SELECT powersync_control('target_checkpoint_request_id', 7); COMMIT;");
    let ran = assert_stuck(&app, "has not acknowledged write checkpoint 7", "gate-not-acknowledged");
    assert!(
        ran.out.contains("closed: the service has acknowledged write checkpoint none, and 7 is waited for"),
        "{}",
        ran.out
    );
}

#[test]
fn rows_of_a_type_without_a_table() {
    let app = App::new();
    app.download("todos", 5);
    let ran = assert_stuck(&app, "todos: 1 rows were downloaded of a type", "untyped-rows (todos)");
    assert!(ran.out.contains("todos  not in the schema     1"), "{}", ran.out);
}

#[test]
fn a_checksum_that_is_wrong_each_time() {
    let app = App::new();
    for _ in 0..3 {
        app.download("lists", -7);
    }
    let ran = assert_stuck(&app, "was wrong at the last 3 attempts: expected -7, got 5", "repeated-checksum-failures");
    assert!(ran.out.contains("(mine[\"ada\"])"), "{}", ran.out);
}

#[test]
fn the_first_problem_is_the_one_that_keeps_data_away() {
    let app = App::new();
    app.download("todos", 5);
    app.sql("INSERT INTO lists(id) VALUES ('l2');");
    let ran = app.inspect(&[]);
    let expected = "1 local writes in 1 transactions wait for their upload. Downloads wait for them. This is the first of 2 problems.";
    assert_eq!(headline(&ran), expected);
}

#[test]
fn json_is_what_the_library_returns() {
    let app = App::synced();
    app.sql("INSERT INTO lists(id) VALUES ('l2');");
    let ran = app.inspect(&["--json"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!(report["problems"][0]["code"], "uploads-waiting");
    let same = app.rows("SELECT powersync_diagnose() AS report");
    assert_eq!(ran.out.trim(), same[0]["report"].as_str().unwrap());
    let verified: Value = serde_json::from_str(&app.inspect(&["--json", "--verify"]).out).unwrap();
    assert_eq!(verified["verification"]["findings"], json!([]));
}

#[test]
fn damage_is_found_and_repaired_when_asked() {
    let app = App::synced();
    app.sql(
        "INSERT INTO lists(id, name) VALUES ('mine', 'x'); UPDATE ps_data__lists SET data = '{}' WHERE id = 'l1';
        DELETE FROM ps_crud; DELETE FROM ps_kv WHERE key GLOB '*request_id';",
    );
    assert_eq!(app.inspect(&[]).code, Some(0), "only a verification compares rows");
    let before = std::fs::read(app.path()).unwrap();
    let ran = app.inspect(&["--verify"]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(headline(&ran).starts_with("lists/l1: "), "{}", ran.out);
    for line in ["compared      1 operation and ", "1. row-differs (lists/l1)", "--repair row-differs"] {
        assert!(ran.out.contains(line), "{line}: {}", ran.out);
    }
    assert_eq!(std::fs::read(app.path()).unwrap(), before, "nothing was written");

    let ran = app.inspect(&["--repair", "checksum-mismatch"]);
    assert!(ran.out.starts_with("Nothing was repaired.\n\n"), "{}", ran.out);
    let ran = app.inspect(&["--verify", "--repair", "row-differs", "--subject", "lists/l1"]);
    assert_eq!(ran.code, Some(0), "{ran:?}");
    assert!(ran.out.starts_with("Repaired: row-differs (lists/l1)\n\n"), "{}", ran.out);
    assert_eq!(app.rows("SELECT name FROM lists WHERE id = 'l1'"), json!([{"name": "secret"}]));
}

#[test]
fn a_repair_says_what_is_left() {
    let app = App::new();
    app.download("todos", 5);
    // The name of the file may follow the flag.
    let ran = run(&["inspect", "--repair", &app.file()]);
    assert_eq!(ran.code, Some(1), "{ran:?}");
    assert!(ran.out.starts_with("Nothing was repaired.\nLeft: untyped-rows (todos). "), "{}", ran.out);
    let json = app.inspect(&["--repair", "all", "--json"]);
    assert_eq!(json.code, Some(1), "{json:?}");
    let result: Value = serde_json::from_str(&json.out).unwrap();
    assert_eq!(json!([result["repaired"], result["left"][0]["code"]]), json!([[], "untyped-rows"]));
    let unknown = app.inspect(&["--repair", "everything"]);
    assert_eq!(unknown.code, Some(2), "{unknown:?}");
    assert!(unknown.err.contains("is no code of a problem"), "{}", unknown.err);
}

#[test]
fn long_lists_are_cut_unless_all_is_asked_for() {
    let app = App::new();
    app.sql(
        "INSERT INTO ps_buckets(name, downloaded_size) WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 25)
           SELECT 'bucket' || i, i FROM n;",
    );
    let ran = app.inspect(&[]);
    assert!(ran.out.contains("25 buckets") && ran.out.contains("and 15 more: add --all"), "{}", ran.out);
    assert!(ran.out.contains("\nbucket25 ") && !ran.out.contains("\nbucket1 "), "the largest first: {}", ran.out);
    let ran = app.inspect(&["--all"]);
    assert!(ran.out.contains("\nbucket1 ") && !ran.out.contains(" more"), "{}", ran.out);
}
