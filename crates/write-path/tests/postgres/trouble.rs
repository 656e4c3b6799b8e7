//! Errors of the database, other transactions, and connections that are cut.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use pg_server::Server;
use serde_json::{Value, json};
use write_path::postgres::{Options, PostgresPersister};
use write_path::{Rules, WritePath};

use crate::support::{Tested, delete, outcome, patch, put, results, trigger, user_of};

const TABLES: &str = "
    CREATE TABLE parent(id TEXT PRIMARY KEY);
    CREATE TABLE t(id TEXT PRIMARY KEY, needed TEXT NOT NULL DEFAULT 'x', one TEXT UNIQUE, small INTEGER CHECK (small < 10),
        parent TEXT REFERENCES parent(id), later TEXT REFERENCES parent(id) DEFERRABLE INITIALLY DEFERRED, word TEXT,
        n smallint, span int4range, EXCLUDE USING gist (span WITH &&));
    CREATE TABLE lost(id TEXT PRIMARY KEY, x TEXT, y TEXT);
    CREATE TABLE gone(id TEXT PRIMARY KEY, x TEXT);
    CREATE TABLE numbered(id INTEGER PRIMARY KEY, x TEXT);
    INSERT INTO parent VALUES ('p');
    INSERT INTO t(id, one, parent, span) VALUES ('1', 'first', 'p', '[1,5)'), ('2', 'other secret', 'p', '[5,9)');
";

const RULES: &str = "writes: {tables: {parent: {check: 'TRUE'}, t: {check: 'TRUE'}, numbered: {check: 'TRUE'},
    lost: {check: 'TRUE'}, gone: {check: 'TRUE'}}}";

fn raising() -> String {
    let body = "IF NEW.word = 'app' THEN RAISE EXCEPTION 'no such word'; ELSIF NEW.word = 'denied' THEN
        RAISE EXCEPTION 'not for you' USING ERRCODE = '42501'; ELSIF NEW.word = 'internal' THEN
        RAISE EXCEPTION 'a secret' USING ERRCODE = 'XX001'; ELSIF NEW.word = 'full' THEN
        RAISE EXCEPTION 'disk' USING ERRCODE = '53100'; ELSIF NEW.word = 'slow' THEN PERFORM pg_sleep(60);
        ELSIF NEW.word = 'ignore' THEN RETURN NULL; END IF";
    trigger("raises", "BEFORE UPDATE OF word", "t", body)
}

fn path_with(url: &str, rules: &str, options: &Options) -> WritePath {
    let persister = PostgresPersister::open(url, options).unwrap();
    WritePath::new(Rules::load(rules, &persister).unwrap().rules.unwrap(), Box::new(persister), Default::default())
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn each_error_has_its_code() {
    let mut tested = Tested::with(&format!("{TABLES} {}", raising()), RULES);
    tested.path = path_with(
        &tested.database.url(),
        RULES,
        &Options { statement_timeout: Duration::from_millis(200), ..Options::default() },
    );
    tested.execute("ALTER TABLE lost DROP COLUMN y; DROP TABLE gone").unwrap();
    let cases: [(Value, &str); 20] = [
        (patch("t", "1", json!({"needed": null})), "fatal_error NOT_NULL_VIOLATION"),
        (put("t", "3", json!({"needed": null})), "fatal_error NOT_NULL_VIOLATION"),
        (patch("t", "1", json!({"one": "other secret"})), "fatal_error UNIQUE_VIOLATION"),
        (put("t", "3", json!({"one": "other secret"})), "fatal_error UNIQUE_VIOLATION"),
        (patch("t", "1", json!({"small": 10})), "fatal_error CHECK_VIOLATION"),
        (patch("t", "1", json!({"parent": "none"})), "fatal_error FOREIGN_KEY_VIOLATION"),
        (delete("parent", "p"), "fatal_error FOREIGN_KEY_VIOLATION"),
        (patch("t", "1", json!({"later": "none"})), "fatal_error FOREIGN_KEY_VIOLATION"),
        (patch("t", "1", json!({"span": "[6,7)"})), "fatal_error CONSTRAINT_VIOLATION"),
        (patch("t", "1", json!({"n": 70000})), "fatal_error INVALID_DATA"),
        (put("numbered", "no number", json!({})), "fatal_error INVALID_DATA"),
        (put("lost", "1", json!({"y": "1"})), "fatal_error SCHEMA_MISMATCH"),
        (put("gone", "1", json!({"x": "1"})), "fatal_error SCHEMA_MISMATCH"),
        (patch("t", "1", json!({"word": "app"})), "fatal_error UNCLASSIFIED_ERROR"),
        (patch("t", "1", json!({"word": "denied"})), "fatal_error UNAUTHORIZED"),
        (patch("t", "1", json!({"word": "internal"})), "fatal_error UNCLASSIFIED_ERROR"),
        (patch("t", "1", json!({"word": "full"})), "retryable_error"),
        (patch("t", "1", json!({"word": "slow"})), "retryable_error"),
        // A trigger has done something else.
        (patch("t", "1", json!({"word": "ignore"})), "success"),
        (patch("t", "1", json!({"word": "fine"})), "success"),
    ];
    for (number, (operation, expected)) in cases.iter().enumerate() {
        let body = json!({"client_id": "c", "queue": "q", "transactions": [
            {"transaction_id": number, "crud": [put("numbered", "7", json!({"x": "first"})), operation]}]});
        let result = tested.upload("u", &body).remove(0);
        assert_eq!(outcome(&result), *expected, "{operation}: {result}");
        assert!(!result.to_string().contains("secret"), "{result}");
        if expected.starts_with("fatal") {
            assert_eq!(tested.rows("SELECT id FROM numbered"), [""; 0], "{operation}: nothing of it is applied");
            assert_eq!(tested.upload("u", &body).remove(0), result, "{operation}: it is stored");
        }
    }
    let messages = tested
        .rows("SELECT message FROM rowtide_writes.dead_letter WHERE error_code = 'UNCLASSIFIED_ERROR' ORDER BY id");
    assert_eq!(messages, ["no such word", "a secret"], "what the client may not read is for those who run the service");
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn a_deadlock_is_tried_again_at_once() {
    // The trigger reports a deadlock when it runs for the first time.
    let body = "PERFORM nextval('tries'); IF (SELECT last_value FROM tries) <= (SELECT n FROM fail) THEN
        RAISE EXCEPTION 'x' USING ERRCODE = '40P01'; END IF";
    let tables = format!(
        "CREATE TABLE t(id TEXT PRIMARY KEY); CREATE SEQUENCE tries; CREATE TABLE fail(n int); INSERT INTO fail VALUES (1); {}",
        trigger("d", "BEFORE INSERT", "t", body)
    );
    let tested = Tested::with(&tables, "writes: {tables: {t: {check: 'TRUE'}}}");
    assert_eq!(outcome(&tested.send("u", json!([put("t", "1", json!({}))]))), "success");
    tested.execute("ALTER SEQUENCE tries RESTART; UPDATE fail SET n = 2").unwrap();
    assert_eq!(outcome(&tested.send("u", json!([put("t", "2", json!({}))]))), "retryable_error", "once, not for ever");
    assert_eq!(outcome(&tested.send("u", json!([put("t", "2", json!({}))]))), "success");
    assert_eq!(tested.letters(), 0);
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn real_deadlocks_end_well() {
    let tested = Tested::with(
        "CREATE TABLE t(id TEXT PRIMARY KEY, n int); INSERT INTO t VALUES ('a', 0), ('b', 0)",
        "writes: {tables: {t: {check: 'TRUE'}}}",
    );
    let database = tested.database.name();
    tested.execute(&format!("ALTER DATABASE {database} SET deadlock_timeout = '10ms'")).unwrap();
    let path = &tested.path;
    std::thread::scope(|scope| {
        for user in 0..4 {
            scope.spawn(move || {
                let order = if user % 2 == 0 { ["a", "b"] } else { ["b", "a"] };
                for number in 0..20 {
                    let crud: Vec<Value> = order.iter().map(|id| patch("t", id, json!({"n": number}))).collect();
                    let body = json!({"transactions": [{"crud": crud}]});
                    while outcome(&results(path, &user_of(&format!("user {user}")), &body)[0]) != "success" {}
                }
            });
        }
    });
    assert_eq!(tested.letters(), 0, "no deadlock is the fault of a transaction");
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn an_upload_waits_for_another_one_of_its_client_in_another_service() {
    // While one service is at work for a client, another one waits, and gives up in time.
    let tested = Tested::with(
        "CREATE TABLE t(id TEXT PRIMARY KEY, n int); INSERT INTO t VALUES ('1', 0)",
        "writes: {tables: {t: {check: 'TRUE'}}}",
    );
    let other = path_with(
        &tested.database.url(),
        "writes: {tables: {t: {check: 'TRUE'}}}",
        &Options { statement_timeout: Duration::from_millis(300), ..Options::default() },
    );
    let body = |client: &str, n: i32| json!({"client_id": client, "transactions": [{"crud": [patch("t", "1", json!({"n": n}))]}, {"crud": []}]});
    tested.execute("BEGIN; UPDATE t SET n = 5").unwrap();
    let mut watcher = tested.database.client();
    std::thread::scope(|scope| {
        let path = &tested.path;
        let first = scope.spawn(move || results(path, &user_of("u"), &body("c", 1)));
        let waiting =
            "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()";
        while watcher.query_one(waiting, &[]).unwrap().get::<_, i64>(0) == 0 {
            assert!(!first.is_finished());
        }
        // There is nothing in it that could wait, except for the turn of the client.
        let second =
            results(&other, &user_of("u"), &json!({"client_id": "c", "transactions": [{"crud": []}, {"crud": []}]}));
        assert_eq!((outcome(&second[0]).as_str(), outcome(&second[1]).as_str()), ("retryable_error", "not_attempted"));
        assert_eq!(second[0]["message"], "The database was too slow.");
        // Another client of the user has its own turn.
        assert_eq!(
            outcome(&results(&other, &user_of("u"), &json!({"client_id": "d", "transactions": [{"crud": []}]}))[0]),
            "success"
        );
        tested.execute("COMMIT").unwrap();
        assert_eq!(outcome(&first.join().unwrap()[0]), "success");
    });
    assert_eq!(outcome(&results(&other, &user_of("u"), &body("c", 3))[0]), "success");
    assert_eq!(tested.number("SELECT n FROM t"), 3);
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn a_server_that_starts_again_is_used_again() {
    // What is committed survives, as on servers of users.
    let server = Server::start("synchronous_commit = on");
    let url = server.url("postgres");
    server.client("postgres").batch_execute("CREATE TABLE t(id TEXT PRIMARY KEY, n int)").unwrap();
    let path = path_with(&url, "writes: {tables: {t: {check: 'TRUE'}}}", &Options::default());
    let body = |id: i32| json!({"client_id": "c", "queue": "q", "transactions": [{"transaction_id": id, "crud": [put("t", &id.to_string(), json!({}))]}]});
    assert_eq!(outcome(&results(&path, &user_of("u"), &body(1))[0]), "success");
    server.kill();
    let result = results(&path, &user_of("u"), &body(2)).remove(0);
    assert_eq!(outcome(&result), "retryable_error", "{result}");
    assert!(path.letters(&Default::default()).is_err());
    server.resume();
    let result = results(&path, &user_of("u"), &body(2)).remove(0);
    assert_eq!(outcome(&result), "success", "old connections are not in the way: {result}");
    assert_eq!(path.letters(&Default::default()).unwrap().len(), 0);
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn uploads_share_a_few_connections() {
    let tested = Tested::with("CREATE TABLE t(id TEXT PRIMARY KEY, n int)", "writes: {tables: {t: {check: 'TRUE'}}}");
    let path = path_with(
        &tested.database.url(),
        "writes: {tables: {t: {check: 'TRUE'}}}",
        &Options { max_connections: 2, ..Options::default() },
    );
    let most = AtomicBool::new(true);
    std::thread::scope(|scope| {
        let (path, most) = (&path, &most);
        let threads: Vec<_> = (0..8)
            .map(|user| {
                scope.spawn(move || {
                    for id in 0..10 {
                        let body =
                            json!({"transactions": [{"crud": [put("t", &format!("{user} {id}"), json!({"n": id}))]}]});
                        assert_eq!(outcome(&results(path, &user_of(&format!("user {user}")), &body)[0]), "success");
                    }
                })
            })
            .collect();
        let mut watcher = tested.database.client();
        while !threads.iter().all(|thread| thread.is_finished()) {
            let sql = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'rowtide writes' AND datname = current_database()";
            // Those of the first path, too.
            if watcher.query_one(sql, &[]).unwrap().get::<_, i64>(0) > 3 {
                most.store(false, Ordering::Relaxed);
            }
        }
    });
    assert!(most.into_inner(), "there are more connections than the options permit");
    assert_eq!(tested.number("SELECT count(*) FROM t"), 80);
}
