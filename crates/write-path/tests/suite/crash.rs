//! A process that applies uploads is killed, in the middle of transactions, too. The client sends again its
//! last transaction, and what it has no answer for.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use rusqlite::Connection;
use serde_json::{Value, json};

use crate::support::{NOW, delete, patch, put, rows, user_of, write_path};

const FILE: &str = "ROWTIDE_WRITE_TEST_FILE";
const FIRST: &str = "ROWTIDE_WRITE_TEST_FIRST";

/// Triggers count what is applied, so that nothing is applied twice unseen.
const TABLES: &str = "PRAGMA journal_mode = WAL;
    CREATE TABLE t(id TEXT PRIMARY KEY, n INTEGER); CREATE TABLE total(n INTEGER); INSERT INTO total VALUES (0);
    CREATE TRIGGER i AFTER INSERT ON t BEGIN UPDATE total SET n = n + 1; END;
    CREATE TRIGGER u AFTER UPDATE ON t BEGIN UPDATE total SET n = n + 1; END;";

const RULES: &str = "writes: {tables: {t: {check: 'n >= 0'}}}";

/// 10 rows, which all have the number of the last transaction. Each fifth one is refused, at its end.
fn body(number: i64) -> String {
    let mut operations: Vec<Value> = (0..10).map(|row| put("t", &row.to_string(), json!({"n": number}))).collect();
    operations.push(delete("t", "none"));
    if number % 5 == 0 {
        operations.push(patch("t", "1", json!({"n": -1})));
    }
    json!({"client_id": "c", "queue": "q", "transactions": [{"transaction_id": number, "crud": operations}]})
        .to_string()
}

/// Not a test: what the process does that is killed.
#[test]
fn child() {
    let (Ok(file), Ok(first)) = (std::env::var(FILE), std::env::var(FIRST)) else { return };
    let path = write_path(file.as_ref(), RULES, &Default::default(), &Default::default());
    for number in first.parse::<i64>().unwrap().. {
        let answer = serde_json::to_value(path.apply(&user_of("u"), body(number).as_bytes(), NOW).unwrap()).unwrap();
        let expected = if number % 5 == 0 { "fatal_error" } else { "success" };
        assert_eq!(answer["results"][0]["status"], expected);
        eprintln!("answered {number}");
    }
}

#[test]
fn a_killed_service_applies_everything_once() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("app.db");
    Connection::open(&file).unwrap().execute_batch(TABLES).unwrap();
    let mut answered = 0_i64;
    let mut random = fastrand::Rng::with_seed(5);
    for _ in 0..12 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "crash::child", "--nocapture"])
            .env(FILE, &file)
            .env(FIRST, answered.max(1).to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        let mut answers =
            lines.map_while(Result::ok).filter_map(|line| line.strip_prefix("answered ")?.parse::<i64>().ok());
        answered = answers.nth(random.usize(0..15)).expect("the child answers until it is killed");
        // At some moment of the next transactions, as the machine has it.
        for _ in 0..random.u32(0..2_000_000) {
            std::hint::spin_loop();
        }
        child.kill().unwrap();
        child.wait().unwrap();
        let app = Connection::open(&file).unwrap();
        let number = |sql: &str| rows(&app, sql)[0].parse::<i64>().unwrap();
        let last = number("SELECT max(CAST(transaction_id AS INTEGER)) FROM _rowtide_write_result");
        assert!(last >= answered, "{answered} was answered, and {last} is there");
        assert_eq!(number("SELECT count(*) FROM _rowtide_write_result"), last);
        let applied = if last % 5 == 0 { last - 1 } else { last };
        assert_eq!(rows(&app, "SELECT DISTINCT n FROM t"), [applied.to_string()], "transactions are applied whole");
        assert_eq!(number("SELECT n FROM total"), (last - last / 5) * 10, "each is applied once");
        assert_eq!(number("SELECT count(*) FROM _rowtide_dead_letter"), last / 5, "each refused one is kept once");
    }
}
