//! The shapes of requests and results.

use serde_json::{Value, json};
use write_path::{OnFatal, Options, TransactionResult};

use super::requests::{delete, outcome, patch, put, user_of};
use crate::support::{NOW, RULES, TABLES, Tested};

fn three(second: Value) -> Value {
    json!({"transactions": [
        {"transaction_id": 1, "crud": [put("lists", "x", json!({"name": "1"}))]},
        {"transaction_id": 2, "crud": [second]},
        {"transaction_id": 3, "crud": [put("lists", "z", json!({"name": "3"}))]}]})
}

pub(crate) fn the_rest_is_not_attempted() {
    let tested = Tested::new();
    let results = tested.upload("alice", &three(delete("lists", "b")));
    let refused = json!({
        "status": "fatal_error",
        "requires_client_handling": false,
        "message": "The user may not DELETE this row of the table lists.",
        "failed_operation": {
            "error_code": "UNAUTHORIZED",
            "message": "The user may not DELETE this row of the table lists.",
            "operation_index": 0,
        },
    });
    assert_eq!(results, [json!({"status": "success"}), refused, json!({"status": "not_attempted"})]);
    assert_eq!(tested.rows("SELECT id FROM lists ORDER BY id"), ["a", "b", "x"]);
}

pub(crate) fn the_rest_is_applied_if_the_server_says_so() {
    let options = Options { on_fatal: OnFatal::Skip };
    let tested = Tested::with_options(TABLES, RULES, &options);
    let results = tested.upload("alice", &three(delete("lists", "b")));
    let outcomes: Vec<String> = results.iter().map(outcome).collect();
    assert_eq!(outcomes, ["success", "fatal_error UNAUTHORIZED", "success"]);
    assert_eq!(tested.rows("SELECT id FROM lists ORDER BY id"), ["a", "b", "x", "z"]);
    // But not behind what the app has to decide about.
    let rules = RULES.replace("columns: [name]", "columns: [name]\n      on_error: client");
    let tested = Tested::with_options(TABLES, &rules, &options);
    let results = tested.upload("alice", &three(delete("lists", "b")));
    assert_eq!(results[1]["requires_client_handling"], true);
    assert_eq!(results[2], json!({"status": "not_attempted"}));
}

pub(crate) fn the_app_handles_errors_if_the_rule_says_so() {
    let rules = RULES.replace("columns: [name]", "columns: [name]\n      on_error: client");
    let tables = TABLES.replace("name TEXT)", "name TEXT CHECK (name <> 'bad'))");
    let tested = Tested::with(&tables, &rules);
    for operation in
        [delete("lists", "b"), put("lists", "x", json!({"secret": 1})), patch("lists", "a", json!({"name": "bad"}))]
    {
        let result = tested.send("alice", json!([operation]));
        assert_eq!((&result["status"], &result["requires_client_handling"]), (&json!("fatal_error"), &json!(true)));
    }
    assert_eq!(tested.letters(), 0, "the app decides");
    let result = tested.send("alice", json!([put("lists", "x", json!({"name": "fine"})), delete("todos", "tb")]));
    assert_eq!(result["requires_client_handling"], false, "the rule of the operation that failed counts");
}

pub(crate) fn an_error_of_the_commit_is_handled_as_the_rules_say() {
    let tables = "CREATE TABLE p(id TEXT PRIMARY KEY); CREATE TABLE t(id TEXT PRIMARY KEY,
        p TEXT REFERENCES p(id) DEFERRABLE INITIALLY DEFERRED)";
    for (rule, is_client) in [("on_error: client", true), ("on_error: server", false)] {
        let tested = Tested::with(tables, &format!("writes: {{tables: {{t: {{check: 'TRUE', {rule}}}}}}}"));
        let result = tested.send("u", json!([put("t", "1", json!({"p": "none"}))]));
        assert_eq!(outcome(&result), "fatal_error FOREIGN_KEY_VIOLATION");
        assert_eq!(result["requires_client_handling"], is_client);
        assert_eq!(tested.letters() == 0, is_client);
    }
}

pub(crate) fn results_are_read_back_as_they_were_written() {
    for result in [
        json!({"status": "success"}),
        json!({"status": "success", "details": {"conflicts": []}}),
        json!({"status": "not_attempted"}),
        json!({"status": "retryable_error", "message": "m", "retry_after_ms": 5}),
        json!({"status": "fatal_error", "requires_client_handling": true, "message": "m",
            "failed_operation": {"error_code": "X", "message": "m", "details": {"a": 1}, "operation_index": 3}}),
    ] {
        let read: TransactionResult = serde_json::from_value(result.clone()).unwrap();
        assert_eq!(serde_json::to_value(read).unwrap(), result);
    }
}

pub(crate) fn unknown_members_are_ignored_and_null_is_as_absent() {
    let tested = Tested::new();
    let body = json!({"x": 1, "client_id": null, "queue": null, "transactions": [
        {"x": {}, "transaction_id": null, "crud": [{"op": "DELETE", "table": "todos", "id": "ta", "op_data": null,
            "previous_values": null, "metadata": "m", "transaction_id": 7, "op_id": 5}]},
        {"crud": []}]});
    assert_eq!(tested.upload("alice", &body), vec![json!({"status": "success"}); 2]);
    assert_eq!(tested.rows("SELECT id FROM todos"), ["tb"]);
}

pub(crate) fn a_body_that_is_no_upload_changes_nothing() {
    let tested = Tested::new();
    let fine = json!({"transaction_id": 1, "crud": [delete("todos", "ta")]});
    let with = |transaction: Value| json!({"transactions": [fine, transaction]}).to_string();
    let crud = |operation: Value| with(json!({"crud": [operation]}));
    for (body, named) in [
        (String::new(), "EOF"),
        ("[]".into(), "expected"),
        ("{}".into(), "transactions"),
        (json!({"transactions": []}).to_string(), "1 to 50 transactions, not 0"),
        (json!({"transactions": vec![&fine; 51]}).to_string(), "1 to 50 transactions, not 51"),
        (json!({"transactions": {}}).to_string(), "expected a sequence"),
        (json!({"transactions": [fine], "client_id": 5}).to_string(), "expected a string"),
        (with(json!({})), "transactions[1] is wrong: missing field `crud`"),
        (with(json!({"crud": [], "transaction_id": 1.5})), "transactions[1] is wrong: transaction_id"),
        (with(json!({"crud": [], "transaction_id": true})), "transaction_id"),
        (crud(json!({"op": "PUT", "table": "t"})), "missing field `id`"),
        (crud(json!({"op": "PUT", "id": "t"})), "missing field `table`"),
        (crud(json!({"table": "PUT", "id": "t"})), "missing field `op`"),
        (crud(json!({"op": "put", "table": "t", "id": "1"})), "crud[0].op must be PUT, PATCH or DELETE"),
        (crud(json!({"op": "PUT", "table": "t", "id": 1})), "expected a string"),
        (crud(json!({"op": "PUT", "table": "t", "id": "1", "op_data": []})), "an object of columns and values"),
        (with(fine.clone()) + "}", "trailing"),
    ] {
        let error = tested.path.apply(&user_of("alice"), body.as_bytes(), NOW).unwrap_err();
        assert!(error.message.contains(named), "{body}: {error}");
    }
    let error = tested.path.apply(&user_of("alice"), b"{\"transactions\": \"\xff\"}", NOW).unwrap_err();
    assert!(error.message.contains("UTF-8"), "{error}");
    assert_eq!(tested.rows("SELECT id FROM todos"), ["ta", "tb"]);
    let most = json!({"transactions": vec![&fine; 50]});
    assert_eq!(tested.upload("alice", &most).len(), 50);
}
