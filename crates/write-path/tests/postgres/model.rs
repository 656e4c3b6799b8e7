//! Exactly once and in order, whatever happens: clients send to two services, send again what they have no answer for,
//! some of it twice at the same time, while connections are cut and the server is killed.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use fastrand::Rng;
use pg_server::Server;
use serde_json::{Value, json};
use write_path::WritePath;

use crate::support::{outcome, patch, put, results, trigger, user_of};

const RULES: &str = "writes: {tables: {log: {check: 'n >= 0'}, shared: {check: 'TRUE'}}}";

/// Transactions of each client.
const EACH: i64 = 40;

const CLIENTS: u64 = 4;

/// Each fifth one is refused, at its end.
fn transaction(client: u64, number: i64) -> Value {
    let mut operations = vec![
        put("log", &format!("{client} {number}"), json!({"client": client, "n": number})),
        patch("shared", "1", json!({"x": number})),
    ];
    if number % 5 == 0 {
        operations.push(put("log", &format!("{client} {number} more"), json!({"n": -1})));
    }
    json!({"transaction_id": number, "crud": operations})
}

fn is_refused(number: i64) -> bool {
    number % 5 == 0
}

/// What a client does until all that it has is answered.
fn run_client(client: u64, paths: &[WritePath; 2], uploads: &AtomicU64) {
    let mut random = Rng::with_seed(client);
    let user = user_of(&format!("user {}", client % 2));
    let mut first = 1;
    while first <= EACH {
        let last = (first + random.i64(0..4)).min(EACH);
        let transactions: Vec<Value> = (first..=last).map(|number| transaction(client, number)).collect();
        let body = json!({"client_id": client.to_string(), "queue": "q", "transactions": transactions});
        let path = &paths[random.usize(0..2)];
        let twice = random.u32(0..4) == 0;
        let answers = std::thread::scope(|scope| {
            // The client has given up waiting, and has sent it again, to the other service.
            let again = twice.then(|| scope.spawn(|| results(&paths[random.usize(0..2)], &user, &body)));
            let answers = results(path, &user, &body);
            again.map(|again| again.join().unwrap());
            answers
        });
        uploads.fetch_add(1, Ordering::Relaxed);
        let mut next = first;
        for answer in &answers {
            match outcome(answer).as_str() {
                "success" => assert!(!is_refused(next), "{answer}"),
                "fatal_error UNAUTHORIZED" => assert!(is_refused(next), "{answer}"),
                "retryable_error" => {
                    // What has broken needs a moment.
                    std::thread::sleep(Duration::from_millis(5));
                    break;
                }
                "not_attempted" => break,
                other => panic!("{other}: {answer}"),
            }
            next += 1;
        }
        // Some answers are lost on the way.
        if random.u32(0..3) != 0 {
            first = next;
        }
    }
}

/// Cuts connections, and kills the server now and then.
fn run_chaos(server: &Arc<Server>, is_over: &AtomicBool, uploads: &AtomicU64) -> (u64, u64) {
    let mut random = Rng::with_seed(99);
    let (mut cuts, mut kills, mut kill_at) = (0, 0, 20);
    while !is_over.load(Ordering::Relaxed) {
        if uploads.load(Ordering::Relaxed) >= kill_at && kills < 2 {
            server.kill();
            server.resume();
            kills += 1;
            kill_at += 40;
        }
        let sql = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'rowtide writes'
            AND state <> 'idle' ORDER BY random() LIMIT 1";
        cuts += u64::try_from(server.client("postgres").query(sql, &[]).unwrap().len()).unwrap();
        std::thread::sleep(Duration::from_millis(random.u64(5..40)));
    }
    (cuts, kills)
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn each_transaction_is_applied_once_and_in_order() {
    let server = Server::start("synchronous_commit = on");
    let mut app = server.client("postgres");
    let count = "INSERT INTO entry(client, n) VALUES (NEW.client, NEW.n)";
    app.batch_execute(&format!(
        "CREATE TABLE log(id text PRIMARY KEY, client integer, n integer); CREATE TABLE shared(id text PRIMARY KEY, x integer);
        CREATE TABLE entry(seq bigserial PRIMARY KEY, client integer, n integer); INSERT INTO shared VALUES ('1', 0); {}",
        trigger("counts", "AFTER INSERT OR UPDATE", "log", count)
    ))
    .unwrap();
    let path = || crate::support::write_path(&server.url("postgres"), RULES, &Default::default());
    let paths = [path(), path()];
    let (is_over, uploads) = (AtomicBool::new(false), AtomicU64::new(0));
    let (cuts, kills) = std::thread::scope(|scope| {
        let (paths, is_over, uploads, server) = (&paths, &is_over, &uploads, &server);
        let chaos = scope.spawn(move || run_chaos(server, is_over, uploads));
        let clients: Vec<_> =
            (0..CLIENTS).map(|client| scope.spawn(move || run_client(client, paths, uploads))).collect();
        let ended: Vec<_> = clients.into_iter().map(|client| client.join()).collect();
        is_over.store(true, Ordering::Relaxed);
        let chaos = chaos.join().unwrap();
        assert!(ended.iter().all(Result::is_ok));
        chaos
    });
    assert!(cuts > 0 && kills == 2, "{cuts} connections were cut, the server was killed {kills} times");
    let mut app = server.client("postgres");
    let expected: Vec<i64> = (1..=EACH).filter(|number| !is_refused(*number)).collect();
    for client in 0..CLIENTS {
        let sql = format!("SELECT n::bigint FROM entry WHERE client = {client} ORDER BY seq");
        let applied: Vec<i64> = app.query(&sql, &[]).unwrap().iter().map(|row| row.get(0)).collect();
        assert_eq!(applied, expected, "client {client}");
        let sql = format!(
            "SELECT transaction_id::bigint FROM rowtide_writes.dead_letter WHERE client = '{client}' ORDER BY id"
        );
        let refused: Vec<i64> = app.query(&sql, &[]).unwrap().iter().map(|row| row.get(0)).collect();
        assert_eq!(refused, (1..=EACH).filter(|number| is_refused(*number)).collect::<Vec<_>>(), "client {client}");
    }
    let results: i64 = app.query_one("SELECT count(*) FROM rowtide_writes.result", &[]).unwrap().get(0);
    assert_eq!(results, EACH * i64::try_from(CLIENTS).unwrap());
}
