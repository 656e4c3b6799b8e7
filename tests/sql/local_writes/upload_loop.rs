//! The functions of an SDK's upload loop: whole transactions from the head of the queue, completed or rejected by what the
//! backend answered (docs/reference/functions.md#upload-queue).

use rowtide_testkit::Host;
use rowtide_testkit::service::Service;
use serde_json::{Value, json};

const SENTINEL: i64 = i64::MAX;

fn host() -> Host {
    let host = Host::open_in_memory();
    host.replace_schema(&json!({"tables": [
        {"name": "lists", "columns": [{"name": "name", "type": "text"}, {"name": "size", "type": "integer"}],
         "include_old": true, "include_metadata": true},
        {"name": "events", "columns": [{"name": "name", "type": "text"}], "insert_only": true},
    ]}));
    host
}

/// Three transactions: of two entries, one, and one.
fn with_writes() -> Host {
    let host = host();
    host.execute("BEGIN; INSERT INTO lists(id, name, size) VALUES ('a', 'A', 1); INSERT INTO events(id, name) VALUES ('e', 'E'); COMMIT");
    host.execute("UPDATE lists SET name = 'B', _metadata = 'why' WHERE id = 'a'");
    host.execute("DELETE FROM lists WHERE id = 'a'");
    host
}

fn json_of(host: &Host, sql: &str) -> Value {
    serde_json::from_str(host.value(sql).as_str().unwrap()).unwrap()
}

fn call(host: &Host, sql: &str) -> Value {
    let rows = host.transaction(sql, []);
    match json!(rows)[0][0].as_str() {
        Some(text) => serde_json::from_str(text).unwrap_or_else(|_| json!(text)),
        None => json!(rows)[0][0].clone(),
    }
}

/// The service acknowledges everything, and the client publishes all that it has.
fn sync(host: &Host, service: &mut Service) {
    call(host, "SELECT powersync_control('target_checkpoint_request_id', 1)");
    service.write_checkpoint = Some(1);
    host.control("start", ());
    service.lines(0).iter().for_each(|line| drop(host.line(line)));
    host.control("stop", ());
}

#[track_caller]
fn refused(host: &Host, sql: &str, message: &str) {
    let before = host.table("SELECT * FROM ps_crud");
    let error = host.try_transaction(sql, []).unwrap_err();
    assert!(error.message.ends_with(message), "{error}");
    assert_eq!(host.table("SELECT * FROM ps_crud"), before);
}

fn transactions(host: &Host) -> Value {
    host.table("SELECT tx_id, count(*) FROM ps_crud GROUP BY tx_id ORDER BY min(id)")
}

#[test]
fn whole_transactions_come_oldest_first() {
    let host = with_writes();
    let first = json!({"transaction_id": "1", "last_entry_id": "2", "crud": [
        {"entry_id": "1", "op": "PUT", "table": "lists", "id": "a", "op_data": {"name": "A", "size": 1}},
        {"entry_id": "2", "op": "PUT", "table": "events", "id": "e", "op_data": {"name": "E"}},
    ]});
    let second = json!({"transaction_id": "2", "last_entry_id": "3", "crud": [
        {"entry_id": "3", "op": "PATCH", "table": "lists", "id": "a", "op_data": {"name": "B"},
         "previous_values": {"name": "A", "size": 1}, "metadata": "why"},
    ]});
    assert_eq!(json_of(&host, "SELECT powersync_crud_next(1)"), json!({"transactions": [first], "more": true}));
    assert_eq!(
        json_of(&host, "SELECT powersync_crud_next('2', NULL)"),
        json!({"transactions": [first, second], "more": true})
    );
    let all = json_of(&host, "SELECT powersync_crud_next(3)");
    assert_eq!(all["more"], false);
    assert_eq!(all["transactions"][2]["crud"][0]["op"], "DELETE");
    // One transaction in any case, and no part of one.
    for bytes in [0, 100, 270] {
        let next = json_of(&host, &format!("SELECT powersync_crud_next(10, {bytes})"));
        assert_eq!(next, json!({"transactions": [first], "more": true}), "{bytes}");
    }
    assert_eq!(json_of(&host, "SELECT powersync_crud_next(10, 100000)"), all);
    host.execute("DELETE FROM ps_crud");
    assert_eq!(json_of(&host, "SELECT powersync_crud_next(10)"), json!({"transactions": [], "more": false}));
}

#[test]
fn ids_that_javascript_cannot_hold_are_strings() {
    let host = host();
    host.execute(
        r#"INSERT INTO ps_crud(id, tx_id, data) VALUES (9223372036854775806, 9007199254740993, '{"op":"DELETE","type":"t","id":"1"}')"#,
    );
    let next = json_of(&host, "SELECT powersync_crud_next(1)");
    assert_eq!(next["transactions"][0]["transaction_id"], "9007199254740993");
    assert_eq!(next["transactions"][0]["last_entry_id"], "9223372036854775806");
    assert_eq!(
        call(&host, "SELECT powersync_crud_complete('9223372036854775806')"),
        json!({"removed": 1, "empty": true})
    );
}

#[test]
fn entries_without_a_transaction_are_transactions() {
    let host = host();
    host.execute(r#"INSERT INTO ps_crud(data) VALUES ('{"op":"DELETE","type":"t","id":"1"}'), ('{"op":"DELETE","type":"t","id":"2"}')"#);
    let next = json_of(&host, "SELECT powersync_crud_next(5)");
    let ids: Vec<_> =
        next["transactions"].as_array().unwrap().iter().map(|each| each["transaction_id"].clone()).collect();
    assert_eq!(ids, ["-1", "-2"]);
    call(&host, "SELECT powersync_crud_reject(-2, 'no', NULL)");
    assert_eq!(call(&host, "SELECT powersync_crud_complete(1)"), json!({"removed": 1, "empty": true}));
    assert_eq!(host.table("SELECT transaction_id, entry_id, code FROM ps_rejected"), json!([[-2, 2, "no"]]));
}

#[test]
fn completed_transactions_leave_the_queue_and_the_last_sets_the_target() {
    let host = with_writes();
    let target = "SELECT value FROM ps_kv WHERE key = 'target_checkpoint_request_id'";
    refused(&host, "SELECT powersync_crud_complete(1)", "entry 1 is not the last one of its transaction");
    refused(&host, "SELECT powersync_crud_complete(5)", "there has never been an entry 5");
    assert_eq!(call(&host, "SELECT powersync_crud_complete(2, 7)"), json!({"removed": 2, "empty": false}));
    assert_eq!(host.value(target), SENTINEL, "the queue is not empty");
    assert_eq!(call(&host, "SELECT powersync_crud_complete(2, 7)"), json!({"removed": 0, "empty": false}));
    assert_eq!(call(&host, "SELECT powersync_crud_complete('4', NULL)"), json!({"removed": 2, "empty": true}));
    assert_eq!(host.value(target), SENTINEL);
    assert_eq!(call(&host, "SELECT powersync_crud_complete(4, '12')"), json!({"removed": 0, "empty": true}));
    assert_eq!(host.value(target), 12);
    refused(&host, "SELECT powersync_crud_complete(4, 0)", "write_checkpoint must be a positive integer");
    refused(&host, "SELECT powersync_crud_complete('x')", "last_entry_id must be an integer or decimal text");
}

#[test]
fn results_are_applied_up_to_the_first_that_stays() {
    let host = with_writes();
    let fatal = r#"{"status":"fatal_error","failed_operation":{"error_code":"42501","message":"no","details":"d"}}"#;
    let results = format!(r#"[{{"status":"success"}},{fatal},{{"status":"retryable_error","retry_after_ms":500}}]"#);
    let done =
        call(&host, &format!(r#"SELECT powersync_crud_results('{results}', '{{"transaction_ids":["1","2","3"]}}')"#));
    assert_eq!(
        done,
        json!({"completed": 1, "rejected": ["2"], "blocked_by": null, "retry_after_ms": 500, "empty": false})
    );
    assert_eq!(transactions(&host), json!([[3, 1]]));
    assert_eq!(
        host.table("SELECT transaction_id, entry_id, op, type, id, data, old, metadata, code, message, details, at > 0 FROM powersync_rejected"),
        json!([[2, 3, "PATCH", "lists", "a", r#"{"name":"B"}"#, r#"{"name":"A","size":1}"#, "why", "42501", "no", "d", 1]])
    );
}

#[test]
fn what_needs_the_app_stays_and_is_reported() {
    let host = with_writes();
    let results = r#"[{"status":"success"},{"status":"fatal_error","requires_client_handling":true,"failed_operation":{"error_code":"x","operation_index":0}},{"status":"success"}]"#;
    let done =
        call(&host, &format!(r#"SELECT powersync_crud_results('{results}', '{{"transaction_ids":["1","2","3"]}}')"#));
    let failed = json!({"error_code": "x", "operation_index": 0});
    assert_eq!(
        done,
        json!({"completed": 1, "rejected": [], "blocked_by": {"transaction_id": "2", "failed_operation": failed},
            "retry_after_ms": null, "empty": false})
    );
    assert_eq!(transactions(&host), json!([[2, 1], [3, 1]]));
    let done = call(
        &host,
        r#"SELECT powersync_crud_results('[{"status":"not_attempted"},{"status":"success"}]', '{"transaction_ids":["2","3"]}')"#,
    );
    assert_eq!(done["completed"], 0);
    let done = call(
        &host,
        r#"SELECT powersync_crud_results('[{"status":"success"},{"status":"success"}]', '{"transaction_ids":["2","3"]}')"#,
    );
    assert_eq!((&done["completed"], &done["empty"]), (&json!(2), &json!(true)));
}

#[test]
fn results_that_do_not_fit_change_nothing() {
    let host = with_writes();
    let success = r#"{"status":"success"}"#;
    for (results, ids, message) in [
        (format!("[{success}]"), r#"["1","2"]"#, "there must be as many results as transaction_ids"),
        (format!("[{success},{success}]"), r#"["1"]"#, "there must be as many results as transaction_ids"),
        (format!("[{success}]"), r#"["2"]"#, "transaction_ids[0]: 2 is not the next transaction of the upload queue"),
        (
            format!("[{success},{success}]"),
            r#"["1","3"]"#,
            "transaction_ids[1]: 3 is not the next transaction of the upload queue",
        ),
        (
            format!("[{success},{{\"status\":\"done\"}}]"),
            r#"["1","2"]"#,
            "results[1].status must be success, not_attempted, retryable_error or fatal_error",
        ),
        ("[7]".into(), r#"["1"]"#, "results[0].status must be success, not_attempted, retryable_error or fatal_error"),
        ("{}".into(), r#"["1"]"#, "results must be an array in JSON"),
        ("[".into(), r#"["1"]"#, "results must be an array in JSON"),
    ] {
        let sql = format!(r#"SELECT powersync_crud_results('{results}', '{{"transaction_ids":{ids}}}')"#);
        refused(&host, &sql, message);
    }
    refused(&host, "SELECT powersync_crud_results('[]', '[]')", "options must be an object in JSON");
}

/// Whatever stands before it in the queue.
#[test]
fn a_rejected_transaction_gives_way_to_what_the_service_has() {
    let host = with_writes();
    let mut service = Service::new();
    service.put("b", "lists", "a", &json!({"name": "S", "size": 9}));
    call(&host, "SELECT powersync_crud_reject('3', 'gone', 'no such list', '{\"why\":1}')");
    assert_eq!(transactions(&host), json!([[1, 2], [2, 1]]));
    refused(&host, "SELECT powersync_crud_reject(3, 'x', 'y')", "there is no transaction 3 in the upload queue");
    call(&host, "SELECT powersync_crud_reject(1, 'x', 'y')");
    call(&host, "SELECT powersync_crud_reject(2, 'x', 'y')");
    assert_eq!(host.table("SELECT * FROM lists"), json!([]), "deleted locally");
    sync(&host, &mut service);
    assert_eq!(host.table("SELECT id, name, size FROM lists"), json!([["a", "S", 9]]));
    assert_eq!(host.value("SELECT count(DISTINCT transaction_id) FROM powersync_rejected"), 3);
}

#[test]
fn a_rejected_transaction_can_be_tried_again_as_a_new_one() {
    let host = with_writes();
    for id in [1, 2, 3] {
        call(&host, &format!("SELECT powersync_crud_reject({id}, 'x', 'y')"));
    }
    let mut service = Service::new();
    service.put("b", "lists", "a", &json!({"name": "S", "size": 9}));
    sync(&host, &mut service);
    assert_eq!(call(&host, "SELECT powersync_crud_retry(2)"), 4);
    assert_eq!(host.table("SELECT id, name, size FROM lists"), json!([["a", "B", 9]]));
    assert_eq!(
        host.table("SELECT tx_id, data FROM ps_crud"),
        json!([[
            4,
            r#"{"op":"PATCH","id":"a","type":"lists","data":{"name":"B"},"old":{"name":"A","size":1},"metadata":"why"}"#
        ]])
    );
    assert_eq!(call(&host, "SELECT powersync_crud_retry(3)"), 5);
    assert_eq!(host.table("SELECT * FROM lists"), json!([]));
    assert_eq!(call(&host, "SELECT powersync_crud_retry(1)"), 6);
    assert_eq!(host.table("SELECT id, name, size FROM lists"), json!([["a", "A", 1]]));
    assert_eq!(transactions(&host), json!([[4, 1], [5, 1], [6, 2]]));
    assert_eq!(host.table("SELECT * FROM ps_rejected"), json!([]));
    refused(&host, "SELECT powersync_crud_retry(1)", "there is no rejected transaction 1");
}

#[test]
fn a_transaction_whose_table_is_gone_stays_rejected() {
    let host = with_writes();
    call(&host, "SELECT powersync_crud_reject(1, 'x', 'y')");
    host.replace_schema(&json!({"tables": [{"name": "lists", "columns": [{"name": "name", "type": "text"}]}]}));
    refused(&host, "SELECT powersync_crud_retry(1)", "table lists has no column size");
    host.replace_schema(&json!({"tables": []}));
    refused(&host, "SELECT powersync_crud_retry(1)", "there is no table lists with a column id");
    assert_eq!(host.value("SELECT count(*) FROM ps_rejected"), 2);
    call(&host, "SELECT powersync_crud_discard(1)");
    assert_eq!(host.value("SELECT count(*) FROM ps_rejected"), 0);
    refused(&host, "SELECT powersync_crud_discard(1)", "there is no rejected transaction 1");
}

#[test]
fn rejected_transactions_survive_a_clear_only_if_asked() {
    for (flags, left) in [(0, 0), (2, 0), (1, 0), (4, 1), (6, 1), (7, 1)] {
        let host = with_writes();
        call(&host, "SELECT powersync_crud_reject(2, 'x', 'y')");
        host.transaction("SELECT powersync_clear(?)", [flags]);
        assert_eq!(host.value("SELECT count(*) FROM ps_rejected"), left, "{flags}");
    }
}

#[test]
fn rollbacks_undo_all_of_it() {
    let host = with_writes();
    let before = host.table("SELECT * FROM ps_crud");
    host.execute("BEGIN");
    host.value("SELECT powersync_crud_reject(1, 'x', 'y')");
    host.value("SELECT powersync_crud_complete(3)");
    host.execute("ROLLBACK");
    assert_eq!(host.table("SELECT * FROM ps_crud"), before);
    assert_eq!(host.table("SELECT * FROM ps_rejected"), json!([]));
}

#[test]
fn a_damaged_entry_is_named_and_can_be_rejected() {
    let host = with_writes();
    host.execute("UPDATE ps_crud SET data = 'not JSON' WHERE id = 3");
    let next = json_of(&host, "SELECT powersync_crud_next(5)");
    assert_eq!((next["transactions"].as_array().unwrap().len(), &next["more"]), (1, &json!(true)));
    call(&host, "SELECT powersync_crud_complete(2)");
    let error = host.error("SELECT powersync_crud_next(5)");
    assert!(
        error
            .message
            .ends_with("entry 3 of the upload queue is no JSON: powersync_crud_reject(2, …) takes its transaction out"),
        "{error}"
    );
    call(&host, "SELECT powersync_crud_reject(2, 'invalid', NULL)");
    assert_eq!(json_of(&host, "SELECT powersync_crud_next(5)")["transactions"][0]["transaction_id"], "3");
}

/// Nothing about the rows has changed, so that triggers would record empty updates.
/// SQLite makes of `\\ud800` bytes that are no text.
#[test]
fn half_surrogate_pairs_are_refused_in_arguments_and_named_in_the_queue() {
    let host = with_writes();
    let before = transactions(&host);
    let text = "the JSON has text that is not Unicode, such as half a surrogate pair";
    for result in [
        r#"{"status":"\ud800"}"#,
        r#"{"status":"fatal_error","failed_operation":{"error_code":"\ud800"}}"#,
        r#"{"status":"fatal_error","message":"\ud800"}"#,
    ] {
        let call = format!("SELECT powersync_crud_results('[{result}]', '{{\"transaction_ids\":[\"1\"]}}')");
        refused(&host, &call, text);
    }
    refused(
        &host,
        r#"SELECT powersync_crud_results('[{"status":"success"}]', '{"transaction_ids":["\ud800"]}')"#,
        text,
    );
    assert_eq!(transactions(&host), before);
    host.execute("DELETE FROM ps_crud");
    let entry = r#"{"op":"PUT","type":"lists","id":"\ud800","data":{}}"#;
    host.execute(&format!("INSERT INTO ps_crud(tx_id, data) VALUES (50, '{{}}'), (51, '{{}}'), (51, '{entry}')"));
    assert_eq!(json_of(&host, "SELECT powersync_crud_next(9)")["transactions"].as_array().unwrap().len(), 1);
    host.execute("DELETE FROM ps_crud WHERE tx_id = 50");
    let error = host.error("SELECT powersync_crud_next(9)");
    assert_eq!(error.code, 11);
    assert!(error.message.contains("is no JSON: powersync_crud_reject(51, …)"), "{error}");
}

#[test]
fn a_transaction_that_is_tried_again_at_once_is_uploaded_as_it_was() {
    let host = with_writes();
    let before = host.table("SELECT data FROM ps_crud WHERE tx_id IN (1, 2)");
    call(&host, "SELECT powersync_crud_reject(3, 'x', 'y')");
    for id in [1, 2] {
        call(&host, &format!("SELECT powersync_crud_reject({id}, 'x', 'y')"));
        assert_eq!(call(&host, &format!("SELECT powersync_crud_retry({id})")), id + 3);
    }
    assert_eq!(host.table("SELECT data FROM ps_crud ORDER BY id"), before);
    assert_eq!(host.value("SELECT value FROM ps_kv WHERE key = 'target_checkpoint_request_id'"), SENTINEL);
}

#[test]
fn a_transaction_that_changes_nothing_when_it_is_tried_again_stays_one() {
    let host = host();
    host.execute("INSERT INTO lists(id, name) VALUES ('a', 'A')");
    host.execute("BEGIN; UPDATE lists SET name = 'A'; UPDATE lists SET name = 'A'; COMMIT");
    let last = host.value("SELECT max(tx_id) FROM ps_crud").as_i64().unwrap();
    host.transaction("SELECT powersync_crud_reject(?, 'no', NULL)", [last]);
    let new = host.transaction("SELECT powersync_crud_retry(?)", [last]);
    let ids = host.table("SELECT tx_id FROM ps_crud WHERE tx_id > 1");
    let new: i64 = new[0][0].as_str().unwrap().parse().unwrap();
    assert_eq!(ids, json!([[new], [new]]));
}
