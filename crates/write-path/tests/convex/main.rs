//! The write path to a Convex deployment, by the double of one.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::sync::atomic::Ordering;
use std::time::Duration;

use convex_connect::{DeployKey, Deployment, Reach};
use fake_convex::{Convex, Document, Fault, Options, Route, Value as Field, Write};
use serde_json::{Value, json};
use tempfile::TempDir;
use write_path::convex::ConvexPersister;
use write_path::{Letters, Rules, State, WritePath, WriteUser};

const RULES: &str = "
writes:
  tables:
    todos:
      columns: [text, done, count, tags]
      set: {owner: auth.user_id()}
      on_conflict: column
    notes:
      columns: {body: text}
      on_conflict: reject
      on_error: client
";

const NOW: i64 = 1_700_000_000_000_000;

struct Tested {
    convex: Convex,
    folder: TempDir,
    path: WritePath,
}

fn deployment(convex: &Convex) -> Deployment {
    let location = format!("{}?allow_private_addresses=true", convex.url());
    let (reach, _) = Reach::parse(&location, DeployKey::new(&convex.key()).unwrap()).unwrap();
    Deployment::new(Reach { first_pause: Duration::from_millis(1), ..reach }).unwrap()
}

fn open(convex: &Convex, folder: &TempDir, rules: &str) -> WritePath {
    let persister = ConvexPersister::open(deployment(convex), &folder.path().join("data/writes.db")).unwrap();
    let loaded = Rules::load(rules, &persister).unwrap();
    let rules = loaded.rules.unwrap_or_else(|| panic!("{:?}", loaded.diagnostics));
    WritePath::new(rules, Box::new(persister), Default::default())
}

impl Tested {
    fn new() -> Self {
        let convex = Convex::start(Options::default());
        let todos = [("uuid", "string"), ("text", "string"), ("done", "boolean?"), ("count", "int64?")];
        convex.define("todos", &[&todos[..], &[("tags", "array?"), ("owner", "string?")]].concat());
        convex.define("notes", &[("uuid", "string"), ("text", "string?")]);
        convex.define("internal", &[("secret", "string")]);
        let folder = tempfile::tempdir().unwrap();
        let path = open(&convex, &folder, RULES);
        Self { convex, folder, path }
    }

    fn upload(&self, body: &Value) -> Vec<Value> {
        let user = WriteUser { id: "ann".into(), claims: r#"{"sub":"ann"}"#.into() };
        let answer = self.path.apply(&user, body.to_string().as_bytes(), NOW).unwrap();
        serde_json::to_value(&answer).unwrap()["results"].as_array().unwrap().clone()
    }

    /// The result of a transaction with a key.
    fn send(&self, transaction: u64, crud: &Value) -> Value {
        let transactions = json!([{"transaction_id": transaction, "crud": crud}]);
        self.upload(&json!({"client_id": "c", "queue": "q", "transactions": transactions})).remove(0)
    }

    /// The documents of a table without what Convex adds, by their client's ids.
    fn rows(&self, table: &str) -> Value {
        let shown = |document: &Document| {
            let fields = document.iter().filter(|(name, _)| !name.starts_with('_'));
            fields.map(|(name, value)| (name.clone(), value.clean())).collect::<serde_json::Map<_, _>>()
        };
        let mut rows: Vec<_> = self.convex.documents(table).values().map(shown).collect();
        rows.sort_by_key(|row| row["uuid"].to_string());
        json!(rows)
    }

    fn letters(&self) -> Vec<write_path::DeadLetter> {
        self.path.letters(&Letters::default()).unwrap()
    }

    fn calls(&self) -> usize {
        self.convex.requests(Route::Mutation).len()
    }
}

fn put(table: &str, id: &str, data: Value) -> Value {
    json!([{"op": "PUT", "table": table, "id": id, "op_data": data}])
}

#[test]
fn operations_are_applied_in_one_mutation() {
    let tested = Tested::new();
    let before = tested.convex.now();
    let result = tested.send(
        1,
        &json!([
            {"op": "PUT", "table": "todos", "id": "a", "op_data": {"text": "one", "done": 1, "tags": "[\"x\"]"}},
            {"op": "PATCH", "table": "todos", "id": "a", "op_data": {"count": 9_007_199_254_740_993_i64}},
            {"op": "PUT", "table": "notes", "id": "n", "op_data": {"body": "hello", "id": "n"}},
        ]),
    );
    assert_eq!(result, json!({"status": "success"}));
    let todo =
        json!({"uuid": "a", "text": "one", "done": true, "count": "9007199254740993", "tags": ["x"], "owner": "ann"});
    assert_eq!(tested.rows("todos"), json!([todo]));
    assert_eq!(tested.rows("notes"), json!([{"uuid": "n", "text": "hello"}]));
    assert!(tested.convex.now() > before);
    let result = tested.send(2, &json!([{"op": "DELETE", "table": "todos", "id": "a"}]));
    assert_eq!((result, tested.rows("todos")), (json!({"status": "success"}), json!([])));
}

#[test]
fn a_transaction_whose_answer_was_lost_is_not_applied_again() {
    for fault in [Fault::AnswerLost, Fault::Cut, Fault::Garbage] {
        let tested = Tested::new();
        tested.convex.fail(Route::Mutation, fault);
        let first = tested.send(1, &put("todos", "a", json!({"text": "mine"})));
        assert_eq!(first["status"], "retryable_error", "{first}");
        assert!(first["retry_after_ms"].is_u64());
        // Meanwhile somebody else changes the row.
        let (id, mut document) = tested.convex.documents("todos").pop_first().unwrap();
        document.insert("text".into(), Field::from("theirs"));
        document.insert("_id".into(), Field::String(id));
        tested.convex.commit(vec![Write::Put { table: "todos".into(), document }]);
        let again = tested.send(1, &put("todos", "a", json!({"text": "mine"})));
        assert_eq!(again, json!({"status": "success"}));
        assert_eq!(tested.rows("todos")[0]["text"], "theirs");
        assert_eq!(tested.path.counters().repeated.load(Ordering::Relaxed), 1);
        let other = tested.send(1, &put("todos", "b", json!({"text": "other"})));
        assert_eq!(other["failed_operation"]["error_code"], "IDEMPOTENCY_MISMATCH", "{other}");
        assert_eq!(tested.letters().len(), 1);
    }
}

#[test]
fn what_the_database_refuses_is_a_dead_letter_and_stays_refused() {
    let mut tested = Tested::new();
    let refused = put("todos", "a", json!({"text": "x", "count": "many"}));
    let first = tested.send(1, &refused);
    assert_eq!(first["status"], "fatal_error");
    assert_eq!(first["failed_operation"]["error_code"], "INVALID_DATA");
    assert_eq!(first["failed_operation"]["operation_index"], 0);
    assert!(!first.to_string().contains("many"), "no values in messages");
    assert_eq!((tested.rows("todos"), tested.letters().len()), (json!([]), 1));
    // Again, also after a restart: what is stored is the answer.
    let calls = tested.calls();
    assert_eq!(tested.send(1, &refused), first);
    assert_eq!(tested.calls(), calls, "Convex is not asked");
    tested.path = open(&tested.convex, &tested.folder, RULES);
    assert_eq!((tested.send(1, &refused), tested.letters().len()), (first, 1));
    let other = tested.send(1, &put("todos", "a", json!({"text": "y"})));
    assert_eq!(other["failed_operation"]["error_code"], "IDEMPOTENCY_MISMATCH");
}

#[test]
fn a_dead_letter_is_replayed_once_also_if_the_answer_is_lost() {
    let tested = Tested::new();
    // The schema needs `text`, and a later version of the app does not.
    let first = tested.send(1, &put("todos", "a", json!({"done": 1})));
    assert_eq!(first["failed_operation"]["error_code"], "INVALID_DATA", "{first}");
    let letter = tested.letters()[0].id;
    let again = serde_json::to_value(tested.path.replay(letter, NOW).unwrap()).unwrap();
    assert_eq!(again["failed_operation"]["error_code"], "INVALID_DATA");
    tested
        .convex
        .define("todos", &[("uuid", "string"), ("text", "string?"), ("done", "boolean?"), ("owner", "string?")]);
    tested.convex.fail(Route::Mutation, Fault::AnswerLost);
    let lost = serde_json::to_value(tested.path.replay(letter, NOW).unwrap()).unwrap();
    assert_eq!((lost["status"].as_str(), tested.letters()[0].state), (Some("retryable_error"), State::Open));
    let results = tested.convex.documents("powersync_results").len();
    let done = serde_json::to_value(tested.path.replay(letter, NOW).unwrap()).unwrap();
    assert_eq!((done["status"].as_str(), tested.letters()[0].state), (Some("success"), State::Replayed));
    assert_eq!(tested.convex.documents("powersync_results").len(), results, "it was applied the first time");
    assert_eq!(tested.rows("todos"), json!([{"uuid": "a", "done": true, "owner": "ann"}]));
    assert!(tested.path.replay(letter, NOW).is_err());
}

#[test]
fn conflicts_are_found_in_the_mutation() {
    let tested = Tested::new();
    tested.send(
        1,
        &json!([
            {"op": "PUT", "table": "todos", "id": "a", "op_data": {"text": "old", "done": 0}},
            {"op": "PUT", "table": "notes", "id": "n", "op_data": {"body": "old"}},
        ]),
    );
    tested.send(
        2,
        &json!([
            {"op": "PATCH", "table": "todos", "id": "a", "op_data": {"text": "theirs"}},
            {"op": "PATCH", "table": "notes", "id": "n", "op_data": {"body": "theirs"}},
        ]),
    );
    let result = tested.send(
        3,
        &json!([{
            "op": "PATCH", "table": "todos", "id": "a", "op_data": {"text": "mine", "done": 1},
            "previous_values": {"text": "old", "done": 0},
        }]),
    );
    let conflict = json!({"operation_index": 0, "table": "todos", "id": "a", "column": "text"});
    assert_eq!(result, json!({"status": "success", "details": {"conflicts": [conflict]}}));
    assert_eq!((&tested.rows("todos")[0]["text"], &tested.rows("todos")[0]["done"]), (&json!("theirs"), &json!(true)));
    let result = tested.send(
        4,
        &json!([{
            "op": "PATCH", "table": "notes", "id": "n", "op_data": {"body": "mine"}, "previous_values": {"body": "old"},
        }]),
    );
    let failed = &result["failed_operation"];
    assert_eq!(
        (failed["error_code"].as_str(), result["requires_client_handling"].as_bool()),
        (Some("CONFLICT"), Some(true))
    );
    let conflict = json!({"operation_index": 0, "table": "notes", "id": "n", "column": "body"});
    assert_eq!(failed["details"]["conflicts"], json!([conflict]), "columns as the client calls them");
    assert!(tested.letters().is_empty(), "the client decides");
    let gone = tested.send(
        5,
        &json!([{
            "op": "PATCH", "table": "notes", "id": "x", "op_data": {"body": "mine"}, "previous_values": {"body": "old"},
        }]),
    );
    assert_eq!(gone["failed_operation"]["details"]["conflicts"][0].get("column"), None, "{gone}");
}

#[test]
fn trouble_of_the_deployment_is_retried() {
    let tested = Tested::new();
    let crud = put("todos", "a", json!({"text": "one"}));
    for fault in [
        Fault::Status(503, "OptimisticConcurrencyControlFailure", Some(3)),
        Fault::Status(429, "TooManyRequests", Some(3)),
        Fault::Status(500, "InternalServerError", Some(3)),
    ] {
        tested.convex.fail(Route::Mutation, fault);
        let result = tested.send(1, &crud);
        assert_eq!(
            (result["status"].as_str(), result["retry_after_ms"].as_u64()),
            (Some("retryable_error"), Some(3_000))
        );
    }
    tested.convex.revoke_key(true);
    assert_eq!(tested.send(1, &crud)["status"], "retryable_error");
    tested.convex.revoke_key(false);
    tested.convex.remove_functions(true);
    let missing = tested.send(1, &crud);
    assert_eq!(missing["status"], "retryable_error");
    assert!(missing["message"].as_str().unwrap().contains("powersync:applyTransaction"));
    tested.convex.remove_functions(false);
    assert_eq!(tested.send(1, &crud), json!({"status": "success"}));
    tested.convex.fail(Route::Mutation, Fault::Status(413, "BodyTooLarge", None));
    let large = tested.send(2, &crud);
    assert_eq!(large["failed_operation"]["error_code"], "INVALID_DATA");
    assert_eq!(tested.letters().len(), 1);
}

#[test]
fn rules_are_checked_against_the_apps_schema() {
    let tested = Tested::new();
    let persister = ConvexPersister::open(deployment(&tested.convex), &tested.folder.path().join("other.db")).unwrap();
    let findings = |rules: &str| {
        let loaded = Rules::load(rules, &persister).unwrap();
        assert!(loaded.rules.is_none(), "{rules}");
        loaded.diagnostics.iter().map(|finding| finding.message.clone()).collect::<Vec<_>>().join("\n")
    };
    let of = |rule: &str| format!("writes: {{tables: {rule}}}");
    assert!(findings(&of("{lists: {}}")).contains("no table 'lists'"));
    assert!(findings(&of("{todos: {columns: [title]}}")).contains("no column 'title'"));
    assert!(findings(&of("{internal: {}}")).contains("'uuid'"));
    assert!(findings(&of("{todos: {check: \"owner = auth.user_id()\"}}")).contains("authorize"));
    assert!(findings(&of("{todos: {set: {owner: \"upper(auth.user_id())\"}}}")).contains("computed"));
    assert!(findings("writes: {role: x, tables: {todos: {}}}").contains("Only PostgreSQL"));
    let constants =
        "{todos: {set: {owner: \"auth.parameter('sub')\", text: \"'x'\", done: {value: \"NULL\", on: [PUT]}}}}";
    let loaded = Rules::load(&of(constants), &persister).unwrap();
    assert!(loaded.rules.is_some(), "{:?}", loaded.diagnostics);
    tested.convex.remove_functions(true);
    let error = Rules::load(RULES, &persister).unwrap_err();
    assert!(error.0.contains("powersync:describe") && error.0.contains("npx convex deploy"), "{error}");
}

#[test]
fn rules_refuse_without_asking_convex() {
    let tested = Tested::new();
    let calls = tested.calls();
    let refused = tested.send(1, &put("todos", "a", json!({"uuid": "b"})));
    assert_eq!(refused["failed_operation"]["error_code"], "UNAUTHORIZED");
    let refused = tested.send(2, &put("internal", "a", json!({})));
    assert_eq!(refused["failed_operation"]["error_code"], "UNAUTHORIZED");
    assert_eq!((tested.calls(), tested.letters().len()), (calls, 2));
    // The server's value counts.
    tested.send(3, &put("todos", "a", json!({"text": "x", "owner": "bob"})));
    assert_eq!(tested.rows("todos")[0]["owner"], "ann");
}
