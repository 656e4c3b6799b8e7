//! Values of all types, as clients have them.

use serde_json::{Value, json};

use crate::support::{Tested, outcome, patch, put};

/// Types, what a client sends, and what PostgreSQL then shows as text.
const CASES: &[(&str, &str, &str)] = &[
    ("boolean", "1", "t"),
    ("boolean", "0", "f"),
    ("boolean", "true", "t"),
    ("boolean", r#""false""#, "f"),
    ("smallint", "7", "7"),
    ("integer", "7.0", "7"),
    ("integer", r#""7""#, "7"),
    ("bigint", "9223372036854775807", "9223372036854775807"),
    ("bigint", r#""9223372036854775807""#, "9223372036854775807"),
    ("real", "1.5", "1.5"),
    ("double precision", "0.1", "0.1"),
    ("double precision", "3", "3"),
    ("double precision", "9e999", "Infinity"),
    ("numeric", "1.10", "1.1"),
    ("numeric(10,2)", r#""12345678.90""#, "12345678.90"),
    ("numeric", r#""123456789012345678901234567890.5""#, "123456789012345678901234567890.5"),
    ("text", r#""it's \"é\" \\ ?""#, r#"it's "é" \ ?"#),
    ("text", "5", "5"),
    ("text", r#"{"a": 1}"#, r#"{"a": 1}"#),
    ("varchar(5)", r#""abc""#, "abc"),
    ("char(4)", r#""ab""#, "ab  "),
    ("name", r#""n""#, "n"),
    ("\"char\"", r#""c""#, "c"),
    ("uuid", r#""6F0A5B1C-0000-4000-8000-000000000001""#, "6f0a5b1c-0000-4000-8000-000000000001"),
    ("bytea", r#""AAH/""#, "\\x0001ff"),
    ("bytea", r#""\\x00ff""#, "\\x00ff"),
    ("date", r#""2024-02-29""#, "2024-02-29"),
    ("date", r#""2024-02-29T10:11:12Z""#, "2024-02-29"),
    ("time", r#""10:11:12.5""#, "10:11:12.5"),
    ("timestamp", r#""2024-02-29T10:11:12.123456""#, "2024-02-29 10:11:12.123456"),
    ("timestamptz", r#""2024-02-29T10:11:12.123456Z""#, "2024-02-29 10:11:12.123456+00"),
    ("timestamptz", r#""2024-02-29T10:11:12+02:00""#, "2024-02-29 08:11:12+00"),
    ("interval", r#""1 day 02:00:00""#, "1 day 02:00:00"),
    ("json", r#""{\"b\": 1, \"a\": 1.50}""#, r#"{"b": 1, "a": 1.50}"#),
    ("json", r#"{"b":1,"a":1.50}"#, r#"{"b":1,"a":1.50}"#),
    ("jsonb", r#""[1, {\"a\": null}]""#, r#"[1, {"a": null}]"#),
    ("jsonb", "5", "5"),
    ("jsonb", r#""\"a text\"""#, r#""a text""#),
    ("integer[]", r#""[1, null, 3]""#, "{1,NULL,3}"),
    ("integer[]", "[1,2]", "{1,2}"),
    ("integer[]", r#""{4,5}""#, "{4,5}"),
    ("text[]", r#""[\"a b\", \"c,\\\"d\", \"\", \"NULL\"]""#, r#"{"a b","c,\"d","","NULL"}"#),
    ("integer[]", r#""[[1, 2], [3, 4]]""#, "{{1,2},{3,4}}"),
    ("boolean[]", "[true, 0, null]", "{t,f,NULL}"),
    ("jsonb[]", r#""[{\"a\": [1]}, [2]]""#, r#"{"{\"a\": [1]}",[2]}"#),
    ("bytea[]", r#"["AAH/"]"#, r#"{"\\x0001ff"}"#),
    ("mood", r#""happy""#, "happy"),
    ("mood[]", r#"["sad"]"#, "{sad}"),
    ("positive", "5", "5"),
    ("tags", r#"["x"]"#, "{x}"),
    ("int4range", r#"{"lower": 1, "upper": 5, "lower_exclusive": 0, "upper_exclusive": 1}"#, "[1,5)"),
    ("int4range", r#""empty""#, "empty"),
    ("int4multirange", r#"[{"lower": 1, "upper": 5, "upper_exclusive": 1}]"#, "{[1,5)}"),
    ("place", r#"{"street": "a, b", "number": 5}"#, r#"("a, b",5)"#),
    ("place", r#""(x,6)""#, "(x,6)"),
    ("inet", r#""10.0.0.1/8""#, "10.0.0.1/8"),
    ("macaddr", r#""08:00:2b:01:02:03""#, "08:00:2b:01:02:03"),
    ("bit(3)", r#""101""#, "101"),
    ("point", r#""(1,2)""#, "(1,2)"),
    ("xml", r#""<a/>""#, "<a/>"),
    ("tsvector", r#""'a' 'b'""#, "'a' 'b'"),
    ("money", r#""12.50""#, "$12.50"),
    ("pg_lsn", r#""16/B374D848""#, "16/B374D848"),
    ("other.mood", r#""calm""#, "calm"),
];

const TYPES: &str = "CREATE TYPE mood AS ENUM ('sad', 'happy'); CREATE DOMAIN positive AS integer CHECK (VALUE > 0);
    CREATE DOMAIN tags AS text[]; CREATE TYPE place AS (street text, number integer); CREATE SCHEMA other;
    CREATE TYPE other.mood AS ENUM ('calm');";

/// A table with a column for each case.
fn all_types() -> Tested {
    let columns: Vec<String> = CASES.iter().enumerate().map(|(at, (ty, ..))| format!("c{at} {ty}")).collect();
    let tables = format!("{TYPES} CREATE TABLE v(id uuid PRIMARY KEY, {})", columns.join(", "));
    Tested::with(&tables, "writes: {tables: {v: {check: 'TRUE', on_conflict: reject}}}")
}

const ID: &str = "00000000-0000-4000-8000-000000000001";

fn stored(tested: &Tested, at: usize) -> String {
    tested.rows(&format!("SELECT c{at} FROM v")).remove(0)
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn each_type_takes_what_clients_have() {
    let tested = all_types();
    for kind in ["PUT", "PATCH"] {
        for (at, (ty, sent, expected)) in CASES.iter().enumerate() {
            let body = format!(
                r#"{{"transactions": [{{"crud": [{{"op": "{kind}", "table": "v", "id": "{ID}", "op_data": {{"c{at}": {sent}}}}}]}}]}}"#
            );
            let answer = tested.path.apply(&crate::support::user_of("u"), body.as_bytes(), 1).unwrap();
            let result = serde_json::to_value(answer).unwrap()["results"][0].clone();
            assert_eq!(outcome(&result), "success", "{ty} {sent}: {result}");
            assert_eq!(stored(&tested, at), *expected, "{kind} {ty} {sent}");
            // NULL is NULL for each type.
            let null = tested.send("u", json!([patch("v", ID, json!({format!("c{at}"): null}))]));
            assert_eq!((outcome(&null).as_str(), stored(&tested, at).as_str()), ("success", "NULL"), "{ty}");
        }
    }
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn what_the_client_has_seen_is_compared_by_type() {
    let tested = all_types();
    for (at, (ty, sent, _)) in CASES.iter().enumerate() {
        let column = format!("c{at}");
        let sent = sent.replace("9e999", "1e300");
        let value: Value = serde_json::from_str(&sent).unwrap();
        let fine = put("v", ID, json!({column.clone(): value}));
        assert_eq!(outcome(&tested.send("u", json!([fine]))), "success", "{ty} {sent}");
        let again = json!([{"op": "PATCH", "table": "v", "id": ID, "op_data": {column.clone(): value},
            "previous_values": {column.clone(): value}}]);
        assert_eq!(outcome(&tested.send("u", again)), "success", "{ty} {sent} is what is stored");
        let other = json!([{"op": "PATCH", "table": "v", "id": ID, "op_data": {column.clone(): value},
            "previous_values": {column.clone(): null}}]);
        assert_eq!(outcome(&tested.send("u", other)), "fatal_error CONFLICT", "{ty} {sent} is not NULL");
    }
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn what_is_no_value_of_the_type_is_refused() {
    let tested = Tested::with(
        &format!(
            "{TYPES} CREATE TABLE v(id integer PRIMARY KEY, n integer, b boolean, u uuid, t timestamptz, d varchar(3),
            j jsonb, a integer[], y bytea, m mood, p positive, s text, r int4range)"
        ),
        "writes: {tables: {v: {check: 'TRUE'}}}",
    );
    for (id, data, code) in [
        ("x", json!({}), "INVALID_DATA"),
        ("1", json!({"n": "seven"}), "INVALID_DATA"),
        ("1", json!({"n": 7.5}), "INVALID_DATA"),
        ("1", json!({"n": 3_000_000_000_i64}), "INVALID_DATA"),
        ("1", json!({"b": "maybe"}), "INVALID_DATA"),
        ("1", json!({"u": "secret"}), "INVALID_DATA"),
        ("1", json!({"t": "yesterday noon"}), "INVALID_DATA"),
        ("1", json!({"d": "long"}), "INVALID_DATA"),
        ("1", json!({"j": "no json"}), "INVALID_DATA"),
        ("1", json!({"a": "no array"}), "INVALID_DATA"),
        ("1", json!({"a": [[1], 2]}), "INVALID_DATA"),
        ("1", json!({"y": "§"}), "INVALID_DATA"),
        ("1", json!({"m": "angry"}), "INVALID_DATA"),
        ("1", json!({"p": 0}), "CHECK_VIOLATION"),
        ("1", json!({"s": "a\u{0}b"}), "INVALID_DATA"),
        ("1", json!({"r": "{"}), "INVALID_DATA"),
    ] {
        let result = tested.send("u", json!([put("v", id, data.clone())]));
        assert_eq!(outcome(&result), format!("fatal_error {code}"), "{data}: {result}");
        assert_eq!(result["failed_operation"]["operation_index"], 0);
    }
    assert_eq!(tested.letters(), 16, "each is kept");
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn keys_and_columns_that_the_database_makes() {
    let tested = Tested::with(
        "CREATE TABLE v(id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, x integer, twice integer GENERATED ALWAYS AS (x * 2) STORED,
            n integer GENERATED BY DEFAULT AS IDENTITY, made timestamptz DEFAULT now(), strict integer GENERATED ALWAYS AS IDENTITY)",
        "writes: {tables: {v: {check: 'TRUE'}}}",
    );
    assert_eq!(outcome(&tested.send("u", json!([put("v", "7", json!({"x": 4, "n": 9}))]))), "success");
    assert_eq!(tested.values("id, x, twice, n, made IS NOT NULL", "v"), [json!([7, 4, 8, 9, true])]);
    for column in ["twice", "strict"] {
        let result = tested.send("u", json!([put("v", "7", json!({column: 1}))]));
        assert_eq!(outcome(&result), "fatal_error UNAUTHORIZED", "{column}");
    }
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn names_and_schemas_are_quoted() {
    let tested = Tested::with(
        "CREATE SCHEMA \"My App\"; CREATE TABLE \"My App\".\"Todo \"\"Items\"\"\"(\"Uuid\" TEXT PRIMARY KEY, \"is\"\"done\" boolean, id INTEGER, \"Owner\" TEXT);
         CREATE TABLE parts(id TEXT, region TEXT, n INTEGER, PRIMARY KEY (id, region), UNIQUE (id, region, n)) PARTITION BY LIST (region);
         CREATE TABLE \"a.b\"(id TEXT PRIMARY KEY, x INTEGER)",
        "
writes:
  tables:
    todos:
      table: My App.Todo \"Items\"
      key: Uuid
      columns: {done: 'is\"done', number: id}
      set: {Owner: auth.parameter('$.sub')}
      check: \"\\\"Owner\\\" = auth.user_id() AND \\\"Todo \\\"\\\"Items\\\"\\\"\\\".\\\"is\\\"\\\"done\\\" IS NOT FALSE\"
    a.b: {check: '\"a.b\".x > 0'}
",
    );
    assert_eq!(outcome(&tested.send("alice", json!([put("todos", "x", json!({"done": 1, "number": 3}))]))), "success");
    let all = "\"My App\".\"Todo \"\"Items\"\"\"";
    assert_eq!(tested.values("\"Uuid\", \"is\"\"done\", id, \"Owner\"", all), [json!(["x", true, 3, "alice"])]);
    let refused = tested.send("alice", json!([patch("todos", "x", json!({"done": 0}))]));
    assert_eq!(outcome(&refused), "fatal_error UNAUTHORIZED");
    assert_eq!(outcome(&tested.send("alice", json!([put("a.b", "x", json!({"x": 1}))]))), "success");
}
