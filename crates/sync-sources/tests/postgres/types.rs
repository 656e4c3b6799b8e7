//! Values of all types, by the snapshot and by the stream.

use sync_config::Value;

use crate::app::App;
use crate::follower::{Row, shown};

fn text(text: &str) -> Value {
    Value::text(text)
}

/// A type, a literal of it, and what it becomes.
type Case = (&'static str, &'static str, Value);

fn cases() -> Vec<Case> {
    [numbers_and_texts(), times_and_others(), made_of_others()].concat()
}

fn numbers_and_texts() -> Vec<Case> {
    use Value::{Blob, Integer, Null, Real};
    vec![
        ("int2", "-32768", Integer(-32768)),
        ("int4", "2147483647", Integer(2_147_483_647)),
        ("int8", "-9223372036854775808", Integer(i64::MIN)),
        ("int8", "9223372036854775807", Integer(i64::MAX)),
        ("oid", "4294967295", Integer(4_294_967_295)),
        ("float4", "'0.1'", Real(0.1)),
        ("float8", "'0.1'::float8 + 0.2", Real(0.1 + 0.2)),
        ("float8", "1", Real(1.0)),
        ("float8", "'Infinity'", Real(f64::INFINITY)),
        ("float8", "'-Infinity'", Real(f64::NEG_INFINITY)),
        ("float8", "'NaN'", Null),
        ("float8", "'4.9406564584124654e-324'", Real(5e-324)),
        ("float8", "'1.7976931348623157e308'", Real(f64::MAX)),
        ("bool", "true", Integer(1)),
        ("bool", "false", Integer(0)),
        ("numeric", "'NaN'", text("NaN")),
        ("numeric", "123456789012345678901234567890.10", text("123456789012345678901234567890.10")),
        ("numeric(10,2)", "1.5", text("1.50")),
        ("text", "E'a\\tb\\n\\\\.\\\\N \\r\u{1f980}'", text("a\tb\n\\.\\N \r\u{1f980}")),
        ("text", "''", text("")),
        ("varchar(5)", "'abc'", text("abc")),
        ("char(5)", "'abc'", text("abc  ")),
        ("name", "'n'", text("n")),
        ("\"char\"", "'c'", text("c")),
        ("uuid", "'A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11'", text("a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11")),
        ("bytea", "'\\x00ff5c'", Blob(vec![0, 255, 92])),
        ("bytea", "''", Blob(Vec::new())),
    ]
}

fn times_and_others() -> Vec<Case> {
    vec![
        ("date", "'2024-02-29'", text("2024-02-29")),
        ("date", "'infinity'", text("9999-12-31")),
        ("date", "'-infinity'", text("0000-01-01")),
        ("date", "'0044-03-15 BC'", text("0044-03-15 BC")),
        ("time", "'24:00:00'", text("24:00:00.000000")),
        ("time(2)", "'01:02:03.456'", text("01:02:03.46")),
        ("timetz", "'01:02:03.5+05:30'", text("01:02:03.500000+05:30")),
        ("timestamp", "'2024-01-02 03:04:05.6'", text("2024-01-02T03:04:05.600000")),
        ("timestamp(0)", "'2024-01-02 03:04:05'", text("2024-01-02T03:04:05")),
        ("timestamp(3)", "'2024-01-02 03:04:05.6'", text("2024-01-02T03:04:05.600")),
        ("timestamp", "'infinity'", text("9999-12-31T23:59:59.999999")),
        ("timestamptz", "'2024-01-02 03:04:05.123456+02'", text("2024-01-02T01:04:05.123456Z")),
        ("timestamptz", "'-infinity'", text("0000-01-01T00:00:00.000000Z")),
        ("timestamptz", "'294276-12-31 23:59:59+00'", text("294276-12-31T23:59:59.000000Z")),
        ("interval", "'1 year 2 days 03:04:05.5'", text("1 year 2 days 03:04:05.5")),
        ("json", "' {\"a\" : 1} '", text(" {\"a\" : 1} ")),
        ("jsonb", "'{\"b\":[1, null], \"a\":\"x\"}'", text("{\"a\": \"x\", \"b\": [1, null]}")),
        ("xml", "'<a/>'", text("<a/>")),
        ("inet", "'10.0.0.1/8'", text("10.0.0.1/8")),
        ("bit(3)", "B'101'", text("101")),
        ("money", "1.5", text("$1.50")),
        ("tsvector", "'a b'", text("'a' 'b'")),
        ("point", "'(1,2)'", text("(1,2)")),
        ("pg_lsn", "'16/B374D848'", text("00000016/B374D848")),
        ("regclass", "'pg_class'", text("pg_class")),
        ("mood", "'so so'", text("so so")),
    ]
}

fn made_of_others() -> Vec<Case> {
    use Value::Integer;
    let range = |lower: &str, upper: &str, flags: (u8, u8)| {
        let (lower_exclusive, upper_exclusive) = flags;
        text(&format!(
            r#"{{"lower":{lower},"upper":{upper},"lower_exclusive":{lower_exclusive},"upper_exclusive":{upper_exclusive}}}"#
        ))
    };
    vec![
        ("int4[]", "'{1,NULL,-3}'", text("[1,null,-3]")),
        ("int4[]", "'{{1,2},{3,4}}'", text("[[1,2],[3,4]]")),
        ("int4[]", "'[5:6]={1,2}'", text("[1,2]")),
        ("int4[]", "'{}'", text("[]")),
        ("text[]", "ARRAY['a,\"b\\', NULL, 'NULL', '']", text(r#"["a,\"b\\",null,"NULL",""]"#)),
        ("float8[]", "'{1,NaN,-Infinity}'", text("[1.0,null,-9e999]")),
        ("bool[]", "'{t,f}'", text("[1,0]")),
        ("jsonb[]", "ARRAY['{\"a\": 1}'::jsonb]", text(r#"[{"a": 1}]"#)),
        ("numeric[]", "'{1.50}'", text(r#"["1.50"]"#)),
        ("mood[]", "ARRAY['so so'::mood]", text(r#"["so so"]"#)),
        ("timestamptz(3)[]", "'{2024-01-02 03:04:05+00}'", text(r#"["2024-01-02T03:04:05.000Z"]"#)),
        ("box[]", "'{(2,2),(1,1);(4,4),(3,3)}'", text(r#"["(2,2),(1,1)","(4,4),(3,3)"]"#)),
        ("positive", "5", Integer(5)),
        ("positives", "'{5}'", text("[5]")),
        ("pair", "ROW(1, 'a \"b\",', NULL)", text(r#"{"n":1,"t":"a \"b\",","at":null}"#)),
        ("pair", "ROW(NULL, '', '2024-01-02')", text(r#"{"n":null,"t":"","at":"2024-01-02T00:00:00.000000"}"#)),
        ("pair[]", "ARRAY[ROW(1, NULL, NULL)::pair]", text(r#"[{"n":1,"t":null,"at":null}]"#)),
        ("outer_pair", "ROW(ROW(1, 'x', NULL), '{7}')", text(r#"{"p":{"n":1,"t":"x","at":null},"ns":[7]}"#)),
        ("int4range", "'(0,5]'", range("1", "6", (0, 1))),
        ("numrange", "'(,1.5]'", range("null", "\"1.5\"", (1, 0))),
        (
            "tsrange",
            "'[2024-01-01, infinity)'",
            range("\"2024-01-01T00:00:00.000000\"", "\"9999-12-31T23:59:59.999999\"", (0, 1)),
        ),
        ("int4range", "'empty'", text("\"empty\"")),
        (
            "int4range[]",
            "ARRAY['[1,2)'::int4range]",
            text(r#"[{"lower":1,"upper":2,"lower_exclusive":0,"upper_exclusive":1}]"#),
        ),
        (
            "int4multirange",
            "'{[1,2),[4,6)}'",
            text(
                r#"[{"lower":1,"upper":2,"lower_exclusive":0,"upper_exclusive":1},{"lower":4,"upper":6,"lower_exclusive":0,"upper_exclusive":1}]"#,
            ),
        ),
    ]
}

const TYPES: &str = "
    CREATE TYPE mood AS ENUM ('sad', 'so so');
    CREATE DOMAIN positive AS int CHECK (VALUE > 0);
    CREATE DOMAIN positives AS positive[];
    CREATE TYPE pair AS (n int, t text, at timestamp);
    CREATE TYPE outer_pair AS (p pair, ns positive[]);";

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn a_snapshot_and_the_stream_give_the_same_values() {
    let cases = cases();
    let columns: Vec<String> = cases.iter().enumerate().map(|(at, (of, ..))| format!("c{at} {of}")).collect();
    let literals: Vec<&str> = cases.iter().map(|(_, literal, _)| *literal).collect();
    let casts: Vec<String> =
        cases.iter().zip(&literals).map(|((of, ..), literal)| format!("CAST({literal} AS {of})")).collect();
    let table = |name: &str| format!("CREATE TABLE {name}(id int PRIMARY KEY, {});", columns.join(", "));
    let insert =
        |name: &str| format!("INSERT INTO {name} VALUES (1, {}); INSERT INTO {name}(id) VALUES (2);", casts.join(", "));
    let sql = format!("{TYPES}{}{}{}", table("read"), table("streamed"), insert("read"));
    // Texts do not depend on what the database or the role prefers.
    let mut app = App::new(&["read", "streamed"], &sql);
    app.check_after(&insert("streamed"));
    let content = app.follower.content();
    for name in ["read", "streamed"] {
        let rows: Vec<&Row> = content[name].values().collect();
        assert_eq!(rows.len(), 2);
        let mut wrong = Vec::new();
        for (at, (of, literal, expected)) in cases.iter().enumerate() {
            let found = rows.iter().find_map(|row| row.get(&format!("c{at}"))).cloned();
            let expected = (!expected.is_null()).then(|| shown(expected));
            if found != expected {
                wrong.push(format!("{of} {literal}: {found:?}, expected {expected:?}"));
            }
        }
        assert!(wrong.is_empty(), "{name}: {wrong:#?}");
        assert!(rows.iter().any(|row| row.len() == 1), "NULL is NULL in all types");
    }
}

#[test]
#[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
fn settings_of_the_database_change_no_text() {
    let mut app = App::new(&["t"], "CREATE TABLE t(id int PRIMARY KEY, at timestamptz, f float8, b bytea, i interval)");
    let name = app.database.name().to_owned();
    for (setting, value) in [
        ("datestyle", "'German, DMY'"),
        ("timezone", "'Asia/Kathmandu'"),
        ("extra_float_digits", "0"),
        ("bytea_output", "'escape'"),
        ("intervalstyle", "'iso_8601'"),
    ] {
        app.run(&format!("ALTER DATABASE {name} SET {setting} = {value}"));
    }
    app.run("INSERT INTO t VALUES (1, '2024-01-02 03:04:05+00', 0.1::float8 + 0.2, '\\x01ff', '1 day 02:00')");
    app.restart();
    app.check_after("INSERT INTO t SELECT 2, at, f, b, i FROM t");
    let content = app.follower.content();
    let rows: Vec<&Row> = content["t"].values().collect();
    for row in rows {
        let values = ["at", "f", "b", "i"].map(|column| row[column].clone());
        let expected = [
            text("2024-01-02T03:04:05.000000Z"),
            Value::Real(0.1 + 0.2),
            Value::Blob(vec![1, 255]),
            text("1 day 02:00:00"),
        ];
        assert_eq!(values, expected.map(|value| shown(&value)));
    }
}
