//! Rows: output columns, ids, JSON, wildcards, and what keeps a row out.

use super::support::{plan, stream};
use sync_config::{BoundTable, CompileOptions, Layout, MissingColumn, Plan, RowProblem, TableName, Value, compile};

fn bind(plan: &Plan, schema: &str, table: &str, columns: &[&str], missing: MissingColumn) -> BoundTable {
    let columns: Vec<String> = columns.iter().map(|column| (*column).to_owned()).collect();
    plan.bind(&TableName { connection: None, schema, table }, &Layout { columns: &columns, missing })
}

/// (table, id, data) of the entries of a row.
fn rows(query: &str, table: &str, columns: &[(&str, Value)]) -> Vec<(String, String, String)> {
    let plan = plan(&stream(&[query]));
    let names: Vec<&str> = columns.iter().map(|(name, _)| *name).collect();
    let values: Vec<Value> = columns.iter().map(|(_, value)| value.clone()).collect();
    let result = bind(&plan, "public", table, &names, MissingColumn::Mistake).evaluate(&values);
    assert_eq!(result.problems, []);
    result.buckets.iter().map(|e| (e.table.to_string(), e.id.to_string(), e.data.to_string())).collect()
}

fn data(query: &str, columns: &[(&str, Value)]) -> String {
    rows(query, "t", columns).pop().map(|row| row.2).unwrap_or_default()
}

#[test]
fn values_as_json() {
    let t = |text: &str| Value::text(text);
    let row = [
        ("id", t("1")),
        ("n", Value::Null),
        ("i", Value::Integer(i64::MAX)),
        ("r", Value::Real(1.0)),
        ("big", Value::Real(1e21)),
        ("small", Value::Real(1e-7)),
        ("zero", Value::Real(-0.0)),
        ("inf", Value::Real(f64::NEG_INFINITY)),
        ("text", t("a\"\\\n\u{1}é")),
        ("blob", Value::Blob(vec![1])),
        ("_x", Value::Real(123456.5)),
    ];
    assert_eq!(
        data("SELECT * FROM t", &row),
        "{\"id\":\"1\",\"n\":null,\"i\":9223372036854775807,\"r\":1.0,\"big\":1e+21,\"small\":1e-7,\"zero\":0.0,\
         \"inf\":-9e999,\"text\":\"a\\\"\\\\\\n\\u0001é\",\"_x\":123456.5}"
    );
    assert_eq!(Value::real(f64::NAN).type_name(), "null");
    assert_eq!(
        data("SELECT id, hex(blob) AS h, base64(blob) AS b FROM t", &row),
        "{\"id\":\"1\",\"h\":\"01\",\"b\":\"AQ==\"}"
    );
}

#[test]
fn columns_apply_in_order() {
    let row = [("id", Value::Integer(1)), ("uuid", Value::text("u")), ("x", Value::Integer(2))];
    assert_eq!(data("SELECT uuid AS id, * FROM t", &row), "{\"id\":1,\"uuid\":\"u\",\"x\":2}");
    assert_eq!(data("SELECT *, uuid AS id FROM t", &row), "{\"id\":\"u\",\"uuid\":\"u\",\"x\":2}");
    assert_eq!(data("SELECT id, x AS y, x + 1 AS y FROM t", &row), "{\"id\":1,\"y\":3}");
    assert_eq!(data("SELECT id, upper(uuid) FROM t", &row), "{\"id\":1,\"upper(uuid)\":\"U\"}");
}

#[test]
fn ids_and_tables() {
    let id = |value: Value| rows("SELECT * FROM t AS out", "t", &[("id", value)]).pop().map(|row| (row.0, row.1));
    let named = |text: &str| Some(("out".to_owned(), text.to_owned()));
    assert_eq!(id(Value::text("a")), named("a"));
    assert_eq!(id(Value::Integer(7)), named("7"));
    assert_eq!(id(Value::Real(7.0)), named("7"));
    assert_eq!(id(Value::Real(7.5)), named("7.5"));
    let plan = plan(&stream(&["SELECT * FROM t"]));
    for value in [Value::Null, Value::text(""), Value::Blob(vec![1])] {
        let result = bind(&plan, "public", "t", &["id"], MissingColumn::Mistake).evaluate(&[value]);
        assert!(result.buckets.is_empty());
        assert_eq!(result.problems, [RowProblem::NoId(0)]);
    }
}

#[test]
fn wildcards_and_metadata() {
    let query = "SELECT id, t.schema() AS s, t.table_name() AS n, t.table_suffix() AS f FROM \"todo_%\" AS t";
    let rows = rows(query, "todo_7", &[("id", Value::Integer(1))]);
    assert_eq!(rows[0].2, "{\"id\":1,\"s\":\"public\",\"n\":\"todo_7\",\"f\":\"7\"}");
    let plan = plan(&stream(&["SELECT * FROM \"todo_%\" WHERE x = auth.user_id()"]));
    let bound = |schema, table| bind(&plan, schema, table, &["id", "x"], MissingColumn::Mistake);
    assert!(bound("public", "todos").is_empty() && bound("other", "todo_1").is_empty());
    let result = bound("public", "todo_").evaluate(&[Value::Integer(1), Value::text("u")]);
    assert_eq!((&*result.buckets[0].table, &*result.buckets[0].key), ("todo_", "[\"u\"]"));
}

#[test]
fn keys_of_equal_numbers_are_equal() {
    let plan = plan(&stream(&["SELECT * FROM t WHERE x = auth.parameter('p')"]));
    let key = |value: Value| {
        let result =
            bind(&plan, "public", "t", &["id", "x"], MissingColumn::Mistake).evaluate(&[Value::Integer(1), value]);
        result.buckets.first().map(|entry| entry.key.to_string())
    };
    assert_eq!(key(Value::Real(1.0)), key(Value::Integer(1)));
    assert_eq!(key(Value::Integer(1)).unwrap(), "[1]");
    assert_eq!(key(Value::text("1")).unwrap(), "[\"1\"]");
    assert_eq!(key(Value::Real(1.5)).unwrap(), "[1.5]");
    assert_eq!(key(Value::Real(-9_223_372_036_854_775_808.0)).unwrap(), "[-9223372036854775808]");
    assert_eq!(key(Value::Null), None);
    assert_eq!(key(Value::Blob(vec![1])), None);
}

#[test]
fn a_missing_column_never_widens() {
    let plan = plan(&stream(&["SELECT id FROM t WHERE deleted IS NULL"]));
    let mistake = bind(&plan, "public", "t", &["id"], MissingColumn::Mistake);
    assert!(mistake.evaluate(&[Value::Integer(1)]).buckets.is_empty());
    assert_eq!(mistake.unbound.len(), 1);
    let open = bind(&plan, "public", "t", &["id"], MissingColumn::Null);
    assert_eq!(open.evaluate(&[Value::Integer(1)]).buckets.len(), 1);
}

/// What a document gives does not depend on which members of others are known.
#[test]
fn members_that_a_document_has_not_are_left_out() {
    let plan = plan(&stream(&["SELECT id, *, CAST(n AS INTEGER) AS n, x AS y FROM t"]));
    let data = |columns: &[&str], row: &[Value]| {
        let bound = bind(&plan, "public", "t", columns, MissingColumn::Null);
        bound.evaluate(row).buckets[0].data.to_string()
    };
    let (id, three, null) = (Value::Integer(1), Value::text("3"), Value::Null);
    assert_eq!(data(&["id"], std::slice::from_ref(&id)), r#"{"id":1,"n":null,"y":null}"#);
    assert_eq!(data(&["id", "n", "x"], &[id.clone(), null.clone(), null.clone()]), r#"{"id":1,"n":null,"y":null}"#);
    assert_eq!(data(&["id", "n"], &[id.clone(), three.clone()]), r#"{"id":1,"n":3,"y":null}"#);
    assert_eq!(data(&["id", "a", "n"], &[id.clone(), null.clone(), three.clone()]), r#"{"id":1,"n":3,"y":null}"#);
    let bound = bind(&plan, "public", "t", &["id", "n", "x"], MissingColumn::Mistake);
    assert_eq!(&*bound.evaluate(&[id, three, null]).buckets[0].data, r#"{"id":1,"n":3,"x":null,"y":null}"#);
}

/// An array that cannot be read does not make NOT IN true.
#[test]
fn a_malformed_array_never_widens() {
    let plan = plan(&stream(&["SELECT id FROM t WHERE 'x' NOT IN blocked"]));
    let bound = bind(&plan, "public", "t", &["id", "blocked"], MissingColumn::Mistake);
    let visible = |array: Value| bound.evaluate(&[1.into(), array]).buckets.len();
    let found = ["[\"y\"]", "[]", "[\"x\"]", "[x", "\"x\"", ""].map(|array| visible(array.into()));
    assert_eq!(found, [1, 1, 0, 0, 0, 0]);
    assert_eq!(visible(Value::Null), 1);
}

#[test]
fn errors_leave_a_row_out_of_one_evaluator() {
    let plan = plan(&stream(&["SELECT id, abs(x) AS y FROM t", "SELECT id, x FROM t AS u"]));
    let bound = bind(&plan, "public", "t", &["id", "x"], MissingColumn::Mistake);
    let result = bound.evaluate(&[Value::Integer(1), Value::Integer(i64::MIN)]);
    assert_eq!(result.buckets.len(), 1);
    assert!(matches!(result.problems[..], [RowProblem::Evaluator(0, _)]));
    let plan = super::support::plan(&stream(&["SELECT id, j ->> 'a' AS a FROM t"]));
    let result = bind(&plan, "public", "t", &["id", "j"], MissingColumn::Mistake).evaluate(&[1.into(), "no".into()]);
    assert_eq!((&*result.buckets[0].data, result.malformed_json), ("{\"id\":1,\"a\":null}", 1));
}

#[test]
fn one_row_in_many_buckets_and_collisions() {
    let plan = plan(&stream(&["SELECT * FROM t WHERE auth.user_id() IN members"]));
    let bound = bind(&plan, "public", "t", &["id", "members"], MissingColumn::Mistake);
    let result = bound.evaluate(&[1.into(), "[\"a\",\"b\",\"a\",null,1,1.0]".into()]);
    let keys: Vec<&str> = result.buckets.iter().map(|entry| &*entry.key).collect();
    assert_eq!(keys, ["[\"a\"]", "[\"b\"]", "[1]"]);
    // Two evaluators of one definition: the first one counts.
    let plan = super::support::plan(&stream(&[
        "SELECT id, 1 AS n FROM t WHERE x = auth.user_id()",
        "SELECT id, 2 AS n FROM t WHERE x = auth.user_id()",
    ]));
    let result = bind(&plan, "public", "t", &["id", "x"], MissingColumn::Mistake).evaluate(&[1.into(), "u".into()]);
    assert_eq!(result.buckets.len(), 1);
    assert_eq!(&*result.buckets[0].data, "{\"id\":1,\"n\":1}");
    assert_eq!(result.problems, [RowProblem::Collision(1)]);
}

#[test]
fn unicode_letters_map_one_to_one() {
    let row = [("id", Value::Integer(1)), ("x", Value::text("ÄßİA"))];
    assert_eq!(
        data("SELECT id, lower(x) AS l, upper(x) AS u FROM t", &row),
        "{\"id\":1,\"l\":\"äßİa\",\"u\":\"ÄßİA\"}"
    );
}

#[test]
fn paths_without_fixed_json_extract() {
    let yaml = "bucket_definitions: {g: {data: [\"SELECT id, j ->> 'a.b' AS x FROM t\"]}}";
    let plan = compile(yaml, &CompileOptions::default()).plan.unwrap();
    let result = bind(&plan, "public", "t", &["id", "j"], MissingColumn::Mistake)
        .evaluate(&[1.into(), "{\"a\":{\"b\":5}}".into()]);
    assert_eq!(&*result.buckets[0].data, "{\"id\":1,\"x\":5}");
}

#[test]
fn the_first_evaluator_of_a_definition_counts_whatever_the_order_of_all() {
    let queries = ["SELECT id, x AS v FROM t", "SELECT id, y AS v FROM t"];
    let evaluated = |change: &dyn Fn(&mut Plan)| {
        let mut plan = plan(&stream(&queries));
        change(&mut plan);
        let row = [Value::text("1"), Value::text("x"), Value::text("y")];
        let result = bind(&plan, "public", "t", &["id", "x", "y"], MissingColumn::Mistake).evaluate(&row);
        assert_eq!(result.buckets.len(), 1);
        (result.buckets[0].data.to_string(), result.buckets[0].evaluator, result.problems)
    };
    let first = evaluated(&|_| ());
    assert_eq!(first, (r#"{"id":"1","v":"x"}"#.to_owned(), 0, vec![RowProblem::Collision(1)]));
    let reversed = evaluated(&|plan| plan.definitions[0].evaluators.reverse());
    assert_eq!(reversed, (r#"{"id":"1","v":"y"}"#.to_owned(), 1, vec![RowProblem::Collision(0)]));
}
