//! SQL: what is accepted, how it groups, and what is refused by name.

use super::support::{codes, compiled, described, stream};

/// The canonical text of the only filter of `SELECT * FROM t WHERE …`.
fn filter(condition: &str) -> String {
    let described = described(&format!("SELECT * FROM t WHERE {condition}"));
    let start = described.find("where ").unwrap_or_else(|| panic!("{condition}: {described}")) + 6;
    described[start..described.find(" by (").unwrap()].to_owned()
}

#[test]
fn precedence() {
    for (condition, expected) in [
        ("i = 5 IS NOT NULL", "(= \"i\" (is-not 5 null))"),
        ("1 + j ->> 'a'", "(+ 1 (->> \"j\" 'a'))"),
        ("j ->> 'b' :: integer", "(cast integer (->> \"j\" 'b'))"),
        ("1 || 2 + 3 = i", "(= \"i\" (+ (|| 1 2) 3))"),
        ("i & 1 || 2", "(& \"i\" (|| 1 2))"),
        ("a OR b AND NOT c = d", "(or \"a\" (and \"b\" (not (= \"c\" \"d\"))))"),
        ("a - b - c", "(- (- \"a\" \"b\") \"c\")"),
        ("a * b + c % d", "(+ (* \"a\" \"b\") (% \"c\" \"d\"))"),
        ("-a * b", "(* (neg \"a\") \"b\")"),
        ("a < b = c", "(= \"c\" (< \"a\" \"b\"))"),
        ("a < b IN (1, 2)", "(< \"a\" (in \"b\" [1 2]))"),
        ("x BETWEEN 1 AND 2 OR y", "(or \"y\" (and (<= \"x\" 2) (<= 1 \"x\")))"),
        ("a IS NOT TRUE = b", "(= \"b\" (is-not true \"a\"))"),
        ("a IS DISTINCT FROM b", "(is-not \"a\" \"b\")"),
        ("a IS NOT DISTINCT FROM b", "(is \"a\" \"b\")"),
        ("a << 1 | 2", "(| (<< \"a\" 1) 2)"),
        ("a -> 'x' ->> 0", "(->> (-> \"a\" 'x') 0)"),
        ("x > 3", "(< 3 \"x\")"),
        ("x != 3", "(!= \"x\" 3)"),
        ("x <> 3", "(!= \"x\" 3)"),
        ("a LIKE 'x%' AND 1", "(like \"a\" 'x%')"),
        ("a NOT LIKE 'x%'", "(not (like \"a\" 'x%'))"),
        ("CASE a WHEN 1 THEN b ELSE c END", "(case when (= \"a\" 1) \"b\" else \"c\")"),
        ("substring(a from 2 for 3)", "(substring \"a\" 2 3)"),
        ("x IN ('a')", "(in \"x\" ['a'])"),
        ("x IN ARRAY['a', 'b']", "(in \"x\" ['a' 'b'])"),
        ("x IN ROW('a', 'b')", "(in \"x\" ['a' 'b'])"),
        ("x NOT IN (1, 2)", "(not (in \"x\" [1 2]))"),
        ("x = ANY(j)", "(in-array \"x\" \"j\")"),
        ("\"Mixed\" = E'a\\nb'", "(= \"Mixed\" 'a\nb')"),
        ("Folded = 'It''s'", "(= \"folded\" 'It''s')"),
        ("t.\"order\" = 1 /* a /* nested */ comment */ -- end", "(= \"order\" 1)"),
        ("x = -9223372036854775808", "(= \"x\" -9223372036854775808)"),
        ("x ISNULL", "(is \"x\" null)"),
    ] {
        assert_eq!(filter(condition), expected, "{condition}");
    }
}

#[test]
fn conversions_of_casts_are_spelled_out() {
    assert_eq!(filter("cast(a AS integer) = '5'"), "(= (cast integer \"a\") (convert numeric '5'))");
    assert_eq!(filter("cast(a AS text) = 5"), "(= (cast text \"a\") (convert text 5))");
    assert_eq!(filter("cast(a AS text) = b"), "(= \"b\" (cast text \"a\"))");
    assert_eq!(filter("+cast(a AS integer) = '5'"), "(= '5' (coalesce (cast integer \"a\")))");
}

#[test]
fn different_groupings_are_warned_about() {
    for condition in
        ["i = 5 IS NOT NULL", "1 || 2 + 3 = i", "i & 1 || 2", "1 + j ->> 'a'", "a || j ->> 'b'", "j ->> 'b' :: integer"]
    {
        assert!(codes(&stream(&[&format!("SELECT * FROM t WHERE {condition}")])).contains(&"C113"), "{condition}");
    }
    for condition in ["i = (5 IS NOT NULL)", "x = j ->> 'a'", "a + b * c", "x IS NULL AND y = 1"] {
        assert_eq!(codes(&stream(&[&format!("SELECT * FROM t WHERE {condition}")])), [""; 0], "{condition}");
    }
}

#[test]
fn refused_by_name() {
    for (query, message) in [
        ("SELECT x FROM t GROUP BY x", "GROUP BY is not supported"),
        ("SELECT x FROM t HAVING x", "HAVING is not supported"),
        ("SELECT * FROM t ORDER BY x", "ORDER BY is not supported"),
        ("SELECT * FROM t LIMIT 1", "LIMIT is not supported"),
        ("SELECT * FROM t WHERE x = 1 LIMIT 1", "LIMIT is not supported"),
        ("SELECT * FROM t LEFT JOIN u ON 1", "LEFT JOIN is not supported"),
        ("SELECT * FROM t CROSS JOIN u", "CROSS JOIN is not supported"),
        ("SELECT * FROM t UNION SELECT * FROM u", "UNION is not supported"),
        ("WITH x AS (SELECT 1) SELECT * FROM x", "WITH inside a query is not supported"),
        ("SELECT count(*) FROM t", "Unknown function \"count\""),
        ("SELECT sum(x) AS id FROM t", "Unknown function \"sum\""),
        ("SELECT row_number() OVER () AS id FROM t", "A window function is not supported"),
        ("SELECT * FROM t WHERE a && b", "The operator && is not supported"),
        ("SELECT * FROM t WHERE x ILIKE 'a'", "ILIKE is not supported"),
        ("INSERT INTO t VALUES (1)", "Only SELECT statements are supported"),
        ("SELECT * FROM t; SELECT * FROM u", "Only a single SELECT statement is supported"),
        ("SELECT * FROM t WHERE x NOT IN (SELECT y FROM u)", "NOT IN (SELECT …) is not supported"),
        ("SELECT * FROM t WHERE NOT (x IN (SELECT y FROM u) AND z)", "NOT IN (SELECT …) is not supported"),
        ("SELECT * FROM t WHERE NOT EXISTS (SELECT 1 FROM u)", "NOT EXISTS is not supported"),
        ("SELECT random() AS id FROM t", "Sync definitions must be deterministic, random is not"),
        ("SELECT datetime('now') AS id FROM t", "Sync definitions must be deterministic, the current time is not"),
        ("SELECT st_astext(g) AS id FROM t", "The function st_astext is not supported"),
        ("SELECT cast(x AS varchar) AS id FROM t", "Unknown type 'varchar'"),
        ("SELECT auth.user_id(1) AS id FROM t", "Expected no arguments here"),
        ("SELECT (SELECT 1) AS id FROM t", "A subquery is only supported after IN or `=`, in WHERE or ON"),
        ("SELECT * FROM \"a.b\".t", "Several connections are not supported"),
        ("SELECT * FROM \"a%b\"", "The wildcard in 'a%b' is not at the end"),
        ("SELECT substr(x) AS id FROM t", "substr has 2 to 3 arguments, not 1"),
        ("SELECT x FROM t, t", "There are two sources 't' in FROM"),
        ("SELECT x FROM t, u", "Invalid unqualified reference since multiple tables are in scope"),
        ("SELECT * FROM t JOIN u ON t.x = u.x", "Invalid unqualified reference since multiple tables are in scope"),
        (
            "SELECT t.id, u.x FROM t, u",
            "Sync streams can only select from a single table, and this one already selects from 't'",
        ),
        (
            "SELECT auth.user_id() AS id FROM t",
            "This attempts to sync a connection parameter. Only values of tables can be selected",
        ),
        ("SELECT 1 AS id FROM t", "Must have a result column selecting from a table"),
        ("SELECT u.id FROM t", "Table 'u' has not been added in a FROM clause here"),
    ] {
        let messages: Vec<String> = compiled(&stream(&[query])).diagnostics.into_iter().map(|d| d.message).collect();
        assert!(messages.iter().any(|found| found == message), "{query}: {messages:?}");
        assert!(compiled(&stream(&[query])).plan.is_none(), "{query}");
    }
    let mixed = "This expression already references row data, so it can't also reference connection parameters unless the two are compared with an equals operator";
    for condition in
        ["x > auth.parameter('lim')", "x != auth.user_id()", "NOT (x = auth.user_id())", "x || auth.user_id() = 'a'"]
    {
        let messages: Vec<String> = compiled(&stream(&[&format!("SELECT * FROM t WHERE {condition}")]))
            .diagnostics
            .into_iter()
            .map(|d| d.message)
            .collect();
        assert_eq!(messages, [mixed], "{condition}");
    }
    let other = &compiled(&stream(&["SELECT t.* FROM t JOIN u ON t.x < u.x"])).diagnostics[0];
    assert!(other.message.starts_with("This expression already references 't'"), "{}", other.message);
}

#[test]
fn deep_and_long_queries_are_refused() {
    for query in [
        format!("SELECT * FROM t WHERE {}x{}", "(".repeat(5000), ")".repeat(5000)),
        format!("SELECT * FROM t WHERE {}x", "NOT ".repeat(5000)),
        format!("SELECT * FROM t WHERE x{}", " + 1".repeat(5000)),
        format!("SELECT * FROM t WHERE x{}", " = 1 OR x".repeat(50_000)),
        format!("SELECT * FROM t WHERE {}1{}", "x IN (SELECT y FROM t WHERE ".repeat(300), ")".repeat(300)),
    ] {
        assert_eq!(codes(&stream(&[&query])), ["C024"]);
    }
    let many = ["(x = auth.user_id() OR y = auth.parameter('a'))"; 8].join(" AND ");
    // Eight times the same two terms are 256 branches.
    assert_eq!(codes(&stream(&[&format!("SELECT * FROM t WHERE {many}")])), ["C045"]);
}

/// The largest queries use little of the stack of a thread, compiled and evaluated.
#[test]
fn the_largest_queries_fit_the_stack() {
    let chain = |operator: &str| format!("x{}", format!(" {operator} 1").repeat(240));
    for condition in [
        format!("({} + 1) = 2", chain("+")),
        format!("{} = auth.user_id()", chain("||")),
        vec!["x = 1"; 240].join(" OR "),
        vec!["x = 1"; 240].join(" AND "),
        format!("({}) OR y = auth.user_id()", vec!["x = 1"; 200].join(" OR ")),
        format!("{}x = 1{}", "(".repeat(25), ")".repeat(25)),
        format!("x IN ({})", vec!["'a'"; 5000].join(",")),
        format!("x IN ({})", "SELECT y FROM t WHERE z IN (".repeat(12) + "SELECT a FROM t" + &")".repeat(12)),
    ] {
        let result = compiled(&stream(&[&format!("SELECT * FROM t WHERE {condition}")]));
        let plan = result.plan.unwrap_or_else(|| panic!("{:?}", result.diagnostics));
        let columns = ["id", "x", "y", "z", "a"].map(str::to_owned);
        let name = sync_config::TableName { connection: None, schema: "public", table: "t" };
        let layout = sync_config::Layout { columns: &columns, missing: sync_config::MissingColumn::Mistake };
        let row = [1, 1, 1, 1, 1].map(sync_config::Value::Integer);
        assert_eq!(plan.bind(&name, &layout).evaluate(&row).problems, []);
    }
}

#[test]
fn accepted_extensions() {
    for query in [
        "SELECT * FROM t WHERE x = ANY(auth.parameter('ids'))",
        "SELECT * FROM t WHERE x = (SELECT y FROM u WHERE z = auth.user_id())",
        "SELECT * FROM t WHERE EXISTS (SELECT 1 FROM u WHERE u.y = t.x AND u.z = auth.user_id())",
        "SELECT * FROM t WHERE (x, y) IN (SELECT a, b FROM u WHERE z = auth.user_id())",
        "SELECT t.* FROM t JOIN u USING (x) WHERE u.y = auth.user_id()",
        "SELECT * FROM t WHERE coalesce(x, y) = auth.user_id() AND nullif(z, '') IS NOT NULL",
        "SELECT * FROM t JOIN json_each(t.members) m WHERE m.value = auth.user_id()",
        "SELECT DISTINCT * FROM t WHERE x = auth.user_id();",
        "SELECT * FROM other.t WHERE t.table_name() = 't' AND x = auth.user_id()",
    ] {
        let result = compiled(&stream(&[query]));
        assert!(result.plan.is_some(), "{query}: {:?}", result.diagnostics);
    }
}
