//! Dead letters: kept, listed, replayed, discarded.

use serde_json::{Value, json};
use write_path::{Letters, ReplayError, State, WriteUser};

use super::requests::{delete, outcome, patch, put, user_of};
use crate::support::{LETTERS, NOW, RULES, Tested, counted, trigger};

fn list(tested: &Tested, which: &Letters) -> Vec<(i64, State, String)> {
    let letters = tested.path.letters(which).unwrap();
    assert!(letters.iter().all(|letter| letter.transaction.is_none()));
    letters.into_iter().map(|letter| (letter.id, letter.state, letter.error_code)).collect()
}

fn replay(tested: &Tested, id: i64) -> Value {
    serde_json::to_value(tested.path.replay(id, NOW).unwrap()).unwrap()
}

pub(crate) fn a_refused_transaction_is_kept_as_it_was_sent() {
    let tested = Tested::new();
    let transaction = r#"{"transaction_id":7, "crud":[{"op":"PATCH","id":"ta","table":"todos","op_data":{"description":9e999}},
        {"op":"DELETE","table":"todos","id":"tb"}]}"#;
    let body = format!(r#"{{"client_id":"c","queue":"q","transactions":[{transaction}]}}"#);
    tested.path.apply(&user_of("alice"), body.as_bytes(), NOW).unwrap();
    let letter = tested.path.letter(1).unwrap().unwrap();
    assert_eq!(letter.transaction.as_ref().unwrap().get(), transaction);
    let mut shown: Value =
        serde_json::from_str(&serde_json::to_string(&letter).unwrap().replace("9e999", "0")).unwrap();
    shown["transaction"] = Value::Null;
    assert_eq!(
        shown,
        json!({"id": 1, "at": NOW, "user": "alice", "client": "c", "transaction_id": "7", "transaction": null,
            "failed_index": 1, "error_code": "UNAUTHORIZED", "details": null, "state": "open", "note": null,
            "message": "The user may not DELETE this row of the table todos."})
    );
    assert!(tested.path.letter(2).unwrap().is_none());
}

pub(crate) fn a_letter_is_replayed_once_as_the_user_who_sent_it() {
    let mut tested = Tested::new();
    assert_eq!(
        outcome(&tested.send("alice", json!([put("todos", "n", json!({"list_id": "later"}))]))),
        "fatal_error FOREIGN_KEY_VIOLATION"
    );
    // Still so: it stays open, and is no second letter.
    assert_eq!(outcome(&replay(&tested, 1)), "fatal_error FOREIGN_KEY_VIOLATION");
    tested.execute("INSERT INTO lists VALUES ('later', 'bob', 'x')").unwrap();
    assert_eq!(outcome(&replay(&tested, 1)), "fatal_error UNAUTHORIZED", "the list is not one of alice");
    assert_eq!(list(&tested, &Letters::default()), [(1, State::Open, "UNAUTHORIZED".into())]);
    // Also if a client would handle the error now.
    tested.restart(&RULES.replace("columns: [description, done, list_id]", "on_error: client\n      columns: [done]"));
    assert_eq!(replay(&tested, 1)["requires_client_handling"], true);
    assert!(tested.path.letter(1).unwrap().unwrap().message.contains("column list_id"));
    tested.execute("UPDATE lists SET owner_id = 'alice' WHERE id = 'later'").unwrap();
    tested.restart(RULES);
    assert_eq!(outcome(&replay(&tested, 1)), "success");
    assert_eq!(tested.rows("SELECT owner_id FROM todos WHERE id = 'n'"), ["alice"]);
    assert_eq!(list(&tested, &Letters::default()), [(1, State::Replayed, "UNAUTHORIZED".into())]);
    tested.execute("DELETE FROM todos WHERE id = 'n'").unwrap();
    assert_eq!(tested.path.replay(1, NOW), Err(ReplayError::NotOpen(State::Replayed)));
    assert_eq!(tested.path.discard(1, None), Err(ReplayError::NotOpen(State::Replayed)));
    assert_eq!(tested.rows("SELECT id FROM todos WHERE id = 'n'"), [""; 0]);
    assert_eq!(tested.path.replay(5, NOW), Err(ReplayError::NotFound));
    assert_eq!(tested.path.discard(5, None), Err(ReplayError::NotFound));
}

pub(crate) fn concurrent_replays_apply_once() {
    let tested = Tested::with(
        &format!(
            "CREATE TABLE gate(id TEXT PRIMARY KEY); CREATE TABLE t(id TEXT PRIMARY KEY, x TEXT REFERENCES gate(id)); {}",
            counted(&["t"])
        ),
        "writes: {tables: {t: {check: 'TRUE'}}}",
    );
    tested.send("u", json!([put("t", "1", json!({"x": "1"}))]));
    tested.execute("INSERT INTO gate VALUES ('1')").unwrap();
    let other = tested.another("writes: {tables: {t: {check: 'TRUE'}}}");
    let applied: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|number| {
                let path = if number % 2 == 0 { &tested.path } else { &other };
                scope.spawn(move || match path.replay(1, NOW) {
                    Ok(write_path::TransactionResult::Success { .. }) => 1,
                    // The other service was quicker.
                    Ok(result) => {
                        let result = serde_json::to_value(result).unwrap();
                        assert_eq!(outcome(&result), "fatal_error CONFLICT");
                        0
                    }
                    Err(error) => {
                        assert_eq!(error, ReplayError::NotOpen(State::Replayed));
                        0
                    }
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    assert_eq!((applied, tested.number("SELECT n FROM total")), (1, 1));
}

pub(crate) fn a_letter_that_somebody_else_has_closed_meanwhile_is_not_applied() {
    let tested = Tested::new();
    tested.send("alice", json!([put("todos", "n", json!({"list_id": "later"}))]));
    let body = format!("UPDATE {LETTERS} SET state = 'discarded'");
    let sql = trigger("c", "AFTER INSERT", "todos", &body);
    tested.execute(&format!("INSERT INTO lists VALUES ('later', 'alice', 'x'); {sql}")).unwrap();
    assert_eq!(outcome(&replay(&tested, 1)), "fatal_error CONFLICT");
    assert_eq!(tested.rows("SELECT id FROM todos WHERE id = 'n'"), [""; 0]);
}

pub(crate) fn letters_are_listed_and_discarded() {
    let tested = Tested::new();
    for _ in 0..5 {
        tested.send("alice", json!([delete("todos", "tb")]));
    }
    tested.path.discard(2, Some("sent by mistake")).unwrap();
    tested.path.discard(3, None).unwrap();
    let ids = |which: Letters| list(&tested, &which).iter().map(|letter| letter.0).collect::<Vec<_>>();
    assert_eq!(ids(Letters::default()), [5, 4, 3, 2, 1]);
    assert_eq!(ids(Letters { state: Some(State::Open), ..Letters::default() }), [5, 4, 1]);
    assert_eq!(ids(Letters { state: Some(State::Discarded), ..Letters::default() }), [3, 2]);
    assert_eq!(ids(Letters { before: Some(4), limit: 2, ..Letters::default() }), [3, 2]);
    let note = |id: i64| tested.path.letter(id).unwrap().unwrap().note;
    assert_eq!((note(2).as_deref(), note(3)), (Some("sent by mistake"), None));
    assert_eq!(tested.path.replay(2, NOW), Err(ReplayError::NotOpen(State::Discarded)));
}

pub(crate) fn of_a_token_only_the_claims_that_rules_use_are_kept() {
    let tables = "CREATE TABLE t(id TEXT PRIMARY KEY, org TEXT); CREATE TABLE orgs(id TEXT); ";
    let claims =
        json!({"sub": "u", "org": "o", "a": {"b": 1, "c": 2}, "email": "x@y", "exp": 1, "jti": "j"}).to_string();
    let user = WriteUser { id: "u".into(), claims };
    let body = json!({"transactions": [{"crud": [put("t", "1", json!({}))]}]});
    for (rule, kept) in [
        ("check: auth.user_id() IN (SELECT id FROM orgs)", json!({})),
        (
            "set: {org: auth.parameter('org')}, check: org IN (SELECT id FROM orgs WHERE auth.parameter('$.a.b') = 1)",
            json!({"org": "o", "a": {"b": 1, "c": 2}}),
        ),
        ("check: auth.parameters() ->> 'exp' = 2", serde_json::from_str(&user.claims).unwrap()),
    ] {
        let tested = Tested::with(
            tables,
            &format!("writes:\n  tables:\n    t: {{{}}}", rule.replace("check: ", "check: \"") + "\""),
        );
        assert_eq!(outcome(&tested.upload_as(&user, &body)[0]), "fatal_error UNAUTHORIZED");
        let stored: Value = serde_json::from_str(&tested.rows(&format!("SELECT claims FROM {LETTERS}"))[0]).unwrap();
        assert_eq!(stored, kept, "{rule}");
        if rule.starts_with("set") {
            tested.execute("INSERT INTO orgs VALUES ('o')").unwrap();
            assert_eq!(outcome(&replay(&tested, 1)), "success");
            assert_eq!(tested.rows("SELECT org FROM t"), ["o"]);
        }
    }
}

pub(crate) fn what_cannot_be_kept_is_not_refused() {
    // The table of letters is gone: the client must keep what nobody else has.
    let tested = Tested::new();
    tested.execute(&format!("DROP TABLE {LETTERS}")).unwrap();
    let operations = json!([patch("todos", "ta", json!({"done": 1})), delete("todos", "tb")]);
    assert_eq!(outcome(&tested.send("alice", operations)), "retryable_error");
    assert_eq!(tested.number("SELECT done FROM todos WHERE id = 'ta'"), 0);
    assert!(tested.path.letters(&Letters::default()).is_err());
}
