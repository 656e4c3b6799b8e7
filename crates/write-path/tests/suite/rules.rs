//! What rules permit.

use serde_json::{Value, json};
use write_path::WriteUser;

use crate::support::{RULES, TABLES, Tested, delete, outcome, patch, put};

const REFUSED: &str = "fatal_error UNAUTHORIZED";

#[test]
fn each_operation_is_applied() {
    let tested = Tested::new();
    let operations = json!([
        put("lists", "l", json!({"name": "new"})),
        put("todos", "t", json!({"list_id": "l", "description": "one", "done": true})),
        patch("todos", "t", json!({"description": "two"})),
        put("todos", "u", json!({"list_id": "l"})),
        delete("todos", "u"),
    ]);
    assert_eq!(tested.send("alice", operations), json!({"status": "success"}));
    let all = "SELECT json_array(id, list_id, description, done, owner_id) FROM todos WHERE list_id = 'l'";
    assert_eq!(tested.rows(all), [r#"["t","l","two",1,"alice"]"#]);
    // A PUT of a row that is there updates the given columns.
    let again = json!([put("todos", "t", json!({"list_id": "l", "done": false}))]);
    assert_eq!(tested.send("alice", again), json!({"status": "success"}));
    assert_eq!(tested.rows(all), [r#"["t","l","two",0,"alice"]"#]);
}

#[test]
fn a_row_that_is_not_there_is_no_error() {
    let tested = Tested::new();
    let operations = json!([patch("todos", "none", json!({"description": "x"})), delete("todos", "none")]);
    assert_eq!(tested.send("alice", operations), json!({"status": "success"}));
    assert_eq!(tested.rows("SELECT id FROM todos"), ["ta", "tb"]);
}

#[test]
fn nobody_writes_or_moves_or_reads_rows_of_others() {
    let tested = Tested::new();
    let before = tested.rows("SELECT json_array(id, list_id, description, done, owner_id) FROM todos ORDER BY id");
    for operation in [
        // Into a list of somebody else: the row after.
        put("todos", "n", json!({"list_id": "b"})),
        patch("todos", "ta", json!({"list_id": "b"})),
        // From it: the row before.
        patch("todos", "tb", json!({"list_id": "a"})),
        patch("todos", "tb", json!({"description": "mine"})),
        delete("todos", "tb"),
        // A PUT of an id that somebody else has would be a theft, too.
        put("todos", "tb", json!({"list_id": "a", "description": "mine"})),
        put("lists", "b", json!({"name": "mine"})),
        delete("lists", "b"),
    ] {
        let result = tested.send("alice", json!([operation]));
        let text = result.to_string();
        assert_eq!(
            (outcome(&result).as_str(), &result["failed_operation"]["operation_index"]),
            (REFUSED, &json!(0)),
            "{operation}"
        );
        assert!(!text.contains("secret") && !text.contains("bob"), "{text}");
    }
    let after = tested.rows("SELECT json_array(id, list_id, description, done, owner_id) FROM todos ORDER BY id");
    assert_eq!(after, before);
    // The others may.
    assert_eq!(outcome(&tested.send("bob", json!([patch("todos", "tb", json!({"done": 1}))]))), "success");
}

#[test]
fn a_refused_operation_takes_the_transaction_with_it() {
    let tested = Tested::new();
    let operations = json!([patch("todos", "ta", json!({"done": 1})), delete("todos", "tb")]);
    let result = tested.send("alice", operations);
    assert_eq!((outcome(&result).as_str(), &result["failed_operation"]["operation_index"]), (REFUSED, &json!(1)));
    assert_eq!(tested.rows("SELECT CAST(sum(done) AS TEXT) FROM todos"), ["0"]);
}

#[test]
fn tables_operations_and_columns_are_refused_by_name() {
    let rules = RULES.replace("    todos:", "    todos:\n      ops: [PATCH]");
    let tested = Tested::with(TABLES, &rules);
    for (operation, named) in [
        (put("users", "u", json!({})), "table users"),
        (put("_rowtide_dead_letter", "1", json!({"message": "x"})), "table _rowtide_dead_letter"),
        (put("todos", "t", json!({"list_id": "a"})), "PUT is not permitted on the table todos"),
        (delete("todos", "ta"), "DELETE is not permitted on the table todos"),
        (patch("todos", "ta", json!({"secret": 1})), "column secret of the table todos"),
        (patch("todos", "ta", json!({"ID": 1})), "column ID of the table todos"),
        (patch("todos", "ta", json!({"id": "tb"})), "column id of the table todos"),
        (patch("todos", "ta", json!({"done\" = 1, \"owner_id": 1})), "column done\" = 1, \"owner_id of"),
    ] {
        let result = tested.send("alice", json!([operation]));
        assert_eq!(outcome(&result), REFUSED, "{operation}");
        let message = result["message"].as_str().unwrap();
        assert!(message.contains(named), "{message}");
        assert_eq!(result["failed_operation"]["message"], message);
    }
    // A deleted row gets no values.
    let deleted = json!({"op": "DELETE", "table": "lists", "id": "l", "op_data": {"secret": 1}});
    assert_eq!(outcome(&tested.send("alice", json!([deleted]))), "success");
    // The id itself is no change.
    assert_eq!(
        outcome(&tested.send("alice", json!([patch("todos", "ta", json!({"id": "ta", "done": 1}))]))),
        "success"
    );
    assert_eq!(tested.rows("SELECT CAST(done AS TEXT) FROM todos WHERE id = 'ta'"), ["1"]);
}

#[test]
fn what_the_server_sets_is_not_the_clients() {
    let rules = RULES.replace(
        "set: {owner_id: auth.user_id()}\n      check: list_id",
        "set: {owner_id: {value: auth.user_id(), on: [PUT]}, done: '2 + 3'}\n      check: list_id",
    );
    let tested = Tested::with(TABLES, &rules);
    let operations = json!([put("todos", "t", json!({"list_id": "a", "owner_id": "bob", "done": 1}))]);
    assert_eq!(outcome(&tested.send("alice", operations)), "success");
    let row = "SELECT json_array(done, owner_id, description) FROM todos WHERE id = 't'";
    assert_eq!(tested.rows(row), [r#"[5,"alice",null]"#]);
    tested.app.execute_batch("UPDATE todos SET owner_id = 'carol', done = 0 WHERE id = 't'").unwrap();
    let operations = json!([patch("todos", "t", json!({"description": "x", "owner_id": "bob"}))]);
    assert_eq!(outcome(&tested.send("alice", operations)), "success");
    assert_eq!(tested.rows(row), [r#"[5,"carol","x"]"#]);
    // Nothing to write: the server writes nothing, either.
    tested.app.execute_batch("UPDATE todos SET done = 0 WHERE id = 't'").unwrap();
    assert_eq!(outcome(&tested.send("alice", json!([patch("todos", "t", json!({"done": 1}))]))), "success");
    assert_eq!(tested.rows(row), [r#"[0,"carol","x"]"#]);
}

#[test]
fn names_of_clients_are_mapped() {
    let tables = "CREATE TABLE \"Todo Items\"(uuid TEXT PRIMARY KEY, \"is\"\"done\" INTEGER, id INTEGER, owner TEXT)";
    let rules = "
writes:
  tables:
    todos:
      table: main.Todo Items
      key: uuid
      columns: {done: 'is\"done', number: id}
      set: {owner: auth.parameter('$.sub')}
      check: owner = auth.user_id() AND \"Todo Items\".\"is\"\"done\" IS NOT 7
";
    let tested = Tested::with(tables, rules);
    let operations = json!([put("todos", "x", json!({"done": true, "number": 3}))]);
    assert_eq!(outcome(&tested.send("alice", operations)), "success");
    assert_eq!(
        tested.rows("SELECT json_array(uuid, \"is\"\"done\", id, owner) FROM \"Todo Items\""),
        [r#"["x",1,3,"alice"]"#]
    );
    assert_eq!(outcome(&tested.send("alice", json!([patch("todos", "x", json!({"done": 7}))]))), REFUSED);
    assert_eq!(outcome(&tested.send("alice", json!([patch("Todo Items", "x", json!({"done": 2}))]))), REFUSED);
}

#[test]
fn values_are_bound_by_their_type() {
    let rules = "writes: {tables: {v: {check: 'TRUE'}}}";
    let tested = Tested::with("CREATE TABLE v(id PRIMARY KEY, x)", rules);
    for (json, expected) in [
        ("9007199254740993", "integer 9007199254740993"),
        ("9223372036854775807", "integer 9223372036854775807"),
        ("1.0", "real 1.0"),
        ("-9e999", "real -Inf"),
        ("true", "integer 1"),
        ("null", "null NULL"),
        (r#""'; DROP TABLE v; --""#, "text '; DROP TABLE v; --"),
        (r#"{"b":1,"a":[1.50]}"#, r#"text {"b":1,"a":[1.50]}"#),
    ] {
        let body = format!(
            r#"{{"transactions":[{{"crud":[{{"op":"PUT","table":"v","id":"1","op_data":{{"x":{json}}}}}]}}]}}"#
        );
        let user = WriteUser { id: "u".into(), claims: "{}".into() };
        let answer = tested.path.apply(&user, body.as_bytes(), 1).unwrap();
        assert_eq!(serde_json::to_value(answer).unwrap()["results"][0]["status"], "success", "{json}");
        let stored = tested.rows("SELECT typeof(x) || ' ' || coalesce(CAST(x AS TEXT), 'NULL') FROM v");
        assert_eq!(stored, [expected]);
    }
}

/// Whether alice may write a row with a check; the table has one row of hers.
fn permits(check: &str) -> bool {
    let rules = format!("writes: {{tables: {{r: {{columns: [x, members], check: {check:?}}}}}}}");
    let tables = "CREATE TABLE r(id TEXT PRIMARY KEY, x, members TEXT); CREATE TABLE m(id TEXT, u TEXT, r TEXT, x);
        INSERT INTO m VALUES ('1', 'alice', 'one', 5), ('2', 'bob', 'two', 6);";
    let tested = Tested::with(tables, &rules);
    let user = WriteUser {
        id: "alice".into(),
        claims: json!({"sub": "alice", "admin": true, "orgs": ["o", "p"], "a": {"b": 5}, "a.b": 6}).to_string(),
    };
    let row = put("r", "one", json!({"x": 5, "members": "[\"alice\",\"carol\"]"}));
    let results = tested.upload_as(&user, &json!({"transactions": [{"crud": [row]}]}));
    match outcome(&results[0]).as_str() {
        "success" => true,
        REFUSED => false,
        other => panic!("{check}: {other}"),
    }
}

#[test]
fn checks_are_expressions_of_the_sync_language() {
    for check in [
        "x = 5",
        "r.x = 5 AND NOT (x = 6)",
        "x BETWEEN 5 AND 5 AND x IS NOT NULL AND (x = 5) IS TRUE",
        "x IN (4, 5) AND x NOT IN (1, 2)",
        "x = ANY(auth.parameter('$.orgs')) OR x::text = '5'",
        "auth.parameter('admin')",
        "auth.parameter('$.a.b') = x AND auth.parameter('a.b') = 6",
        "auth.parameters() ->> 'sub' = auth.user_id() AND request.user_id() = 'alice'",
        "'o' IN auth.parameter('orgs')",
        "auth.user_id() IN members",
        "EXISTS (SELECT * FROM m WHERE m.r = r.id AND m.u = auth.user_id())",
        "NOT EXISTS (SELECT 1 FROM m WHERE m.r = r.id AND m.u = 'bob')",
        "id = (SELECT r FROM m WHERE u = auth.user_id())",
        "(id, x) IN (SELECT r, x FROM m WHERE u = auth.user_id())",
        "id NOT IN (SELECT r FROM m WHERE u = 'bob')",
        "id IN (SELECT a.r FROM m a JOIN m b ON a.r = b.r WHERE b.u = auth.user_id())",
        "id IN (SELECT a.r FROM m AS a INNER JOIN m AS b USING (id) WHERE b.u = auth.user_id())",
        "id IN (SELECT q.k FROM (SELECT r, u FROM m) AS q(k, who) WHERE q.who = auth.user_id())",
        "id IN (SELECT m.r FROM m, json_each(r.members) e WHERE e.value = m.u)",
        "CASE x WHEN 5 THEN TRUE ELSE FALSE END",
        "iif(x = 5, 1, 0) AND coalesce(NULL, x) = 5 AND length(id) = 3 AND substring(id, 1, 1) = 'o'",
        "json_array_length(members) = 2 AND members ->> 1 = 'carol' AND id LIKE 'O%' AND id GLOB 'o*'",
        "-x = -5 AND +x = 5 AND x + 1 * 2 = 7 AND x % 2 = 1 AND x << 1 = 10 AND id || 'a' = 'onea'",
        "unixepoch('now') > 1700000000",
    ] {
        assert!(permits(check), "{check}");
    }
    for check in [
        "x = 6",
        // Neither true nor false.
        "x = NULL",
        "NULL",
        "x > auth.parameter('none')",
        "'q' IN auth.parameter('orgs')",
        "id IN (SELECT r FROM m WHERE u = 'bob')",
        // Cannot be evaluated.
        "json_array_length(id) = 2",
    ] {
        assert!(!permits(check), "{check}");
    }
}

#[test]
fn a_name_in_a_subquery_is_never_one_of_the_row_outside() {
    // SQLite would take `x` from the outer row if m had none; a column that m lacks is an error instead.
    let tested = Tested::with(
        "CREATE TABLE r(id TEXT PRIMARY KEY, x, u); CREATE TABLE m(id TEXT, u TEXT); INSERT INTO m VALUES ('k', 'bob')",
        "writes: {tables: {r: {check: \"x IN (SELECT id FROM m WHERE u = auth.user_id())\"}}}",
    );
    let row = |user: &str| outcome(&tested.send(user, json!([put("r", "1", json!({"x": "k", "u": user}))])));
    assert_eq!((row("alice").as_str(), row("bob").as_str()), (REFUSED, "success"));
}

#[test]
fn a_trigger_that_gives_a_row_another_id_does_not_evade_the_check() {
    let trigger =
        "CREATE TRIGGER t AFTER INSERT ON todos BEGIN UPDATE todos SET id = 'x' || id WHERE id = NEW.id; END;";
    let tested = Tested::with(&format!("{TABLES}{trigger}"), RULES);
    let result = tested.send("alice", json!([put("todos", "n", json!({"list_id": "b"}))]));
    assert_eq!(outcome(&result), REFUSED);
    assert_eq!(tested.rows("SELECT id FROM todos"), ["ta", "tb"]);
}

#[test]
fn allow_opens_the_tables_that_no_rule_names() {
    let tables = format!("{TABLES} CREATE TABLE open(id TEXT PRIMARY KEY, x, g AS (x + 1));");
    let rules = "
writes:
  default: allow
  tables:
    tasks: {table: todos, check: list_id IN (SELECT id FROM lists WHERE owner_id = auth.user_id())}
";
    let tested = Tested::with(&tables, rules);
    assert_eq!(outcome(&tested.send("alice", json!([put("open", "o", json!({"x": 1}))]))), "success");
    for operation in [
        // By the name that its rule does not have.
        put("todos", "t", json!({"list_id": "b"})),
        put("open", "o", json!({"g": 1})),
        put("none", "o", json!({})),
        put("_rowtide_write_result", "1", json!({"client": "x"})),
        put("sqlite_master", "1", json!({})),
    ] {
        assert_eq!(outcome(&tested.send("alice", json!([operation.clone()]))), REFUSED, "{operation}");
    }
    let member: Value = json!([put("tasks", "t", json!({"list_id": "a"}))]);
    assert_eq!(outcome(&tested.send("alice", member)), "success");
}
