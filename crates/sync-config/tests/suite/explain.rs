//! What people are told about a row and a request: conditions as SQL, and the rows that lead to a bucket.

use std::rc::Rc;

use sync_config::explain::{IndexRow, IndexRows, IndexTable, Link, NamedValue, NoTracer, links, value_sql};
use sync_config::{Layout, Limits, MissingColumn, Plan, QuerierTrace, Request, TableName, Value};

use crate::support::{Store, plan, stream};

type Table<'a> = (&'a str, &'a [&'a str], &'a [&'a [&'a str]]);

fn names(columns: &[&str]) -> Vec<String> {
    columns.iter().map(|column| (*column).to_owned()).collect()
}

fn texts(row: &[&str]) -> Vec<Value> {
    row.iter().map(|value| if *value == "NULL" { Value::Null } else { Value::text(*value) }).collect()
}

fn name(table: &str) -> TableName<'_> {
    TableName { connection: None, schema: "public", table }
}

/// Rows of tables, as an index reads them.
struct Tables<'a>(&'a Plan, &'a [Table<'a>]);

impl IndexRows for Tables<'_> {
    fn rows(&self, index: usize, _: &[(&str, &Value)]) -> Result<Rc<IndexTable>, String> {
        let mut found = IndexTable { rows: Vec::new(), is_complete: true };
        for (table, columns, rows) in self.1 {
            let columns = names(columns);
            let layout = Layout { columns: &columns, missing: MissingColumn::Mistake };
            let Ok(tracer) = self.0.index_tracer(index, &name(table), &layout) else { continue };
            for row in *rows {
                let row = texts(row);
                let key = vec![NamedValue::column(columns[0].clone(), row[0].clone())];
                found.rows.push(IndexRow { key, trace: tracer.trace(&row) });
            }
        }
        Ok(Rc::new(found))
    }
}

/// The conditions of a query for the row (r, 1, NULL, it's), as `SQL: holds`.
fn conditions(condition: &str) -> String {
    let plan = plan(&stream(&[&format!("SELECT * FROM t WHERE {condition}")]));
    let columns = names(&["id", "a", "b", "c"]);
    let layout = Layout { columns: &columns, missing: MissingColumn::Mistake };
    let row = [Value::text("r"), Value::Integer(1), Value::Null, Value::text("it's")];
    let trace = plan.evaluator_tracer(0, &name("t"), &layout).unwrap().trace(&row);
    assert_eq!(trace.id.as_deref(), Some("r"));
    let shown = |condition: &sync_config::explain::Condition| format!("{}: {:?}", condition.sql, condition.verdict);
    trace.conditions.iter().map(shown).collect::<Vec<_>>().join("; ")
}

#[test]
fn conditions_are_shown_as_sql_with_what_they_are() {
    for (condition, shown) in [
        ("a = 1", "a = 1: Holds"),
        ("b = 1", "b = 1: Unknown"),
        ("c = 'it''s'", "c = 'it''s': Holds"),
        ("b IS NULL", "b IS NULL: Holds"),
        ("b IS NOT TRUE", "b IS NOT TRUE: Holds"),
        ("(a + 1) * 2 = 4", "((a + 1) * 2) = 4: Holds"),
        ("a IN (1, 2)", "a IN (1, 2): Holds"),
        ("lower(c) = 'x'", "lower(c) = 'x': Fails"),
        ("CASE WHEN a = 1 THEN 0 ELSE 1 END", "CASE WHEN a = 1 THEN 0 ELSE 1 END: Fails"),
        ("CAST(a AS text) = '1'", "CAST(a AS text) = '1': Holds"),
        ("c ->> 'k' = 'v'", "(c ->> 'k') = 'v': Unknown"),
        ("a = 2 OR b = 3", "(a = 2) OR (b = 3): Unknown"),
        ("a = 2 AND c = 'x'", "a = 2: Fails; c = 'x': Fails"),
    ] {
        assert_eq!(conditions(condition), shown);
    }
}

#[test]
fn a_condition_names_the_columns_that_it_uses() {
    let plan = plan(&stream(&["SELECT id, secret FROM t WHERE a = 1 AND b IS NULL"]));
    let columns = names(&["id", "a", "b", "secret"]);
    let layout = Layout { columns: &columns, missing: MissingColumn::Mistake };
    let trace = plan.evaluator_tracer(0, &name("t"), &layout).unwrap().trace(&texts(&["r", "x", "y", "z"]));
    let used: Vec<&str> =
        trace.conditions.iter().flat_map(|condition| &condition.values).map(|value| value.name.as_str()).collect();
    assert_eq!(used, ["a", "b"]);
    assert!(!trace.holds());
    let columns = names(&["id", "b", "secret"]);
    let layout = Layout { columns: &columns, missing: MissingColumn::Mistake };
    let lacking = plan.evaluator_tracer(0, &name("t"), &layout).unwrap_err();
    assert_eq!(lacking, NoTracer::Lacks(vec!["a".to_owned()]));
    assert_eq!(plan.evaluator_tracer(0, &name("u"), &layout).unwrap_err(), NoTracer::OtherTable);
}

#[test]
fn a_row_with_a_list_has_a_key_for_each_element() {
    let plan = plan(&stream(&["SELECT t.* FROM t JOIN json_each(t.members) m WHERE m.value = auth.user_id()"]));
    let columns = names(&["id", "members"]);
    let layout = Layout { columns: &columns, missing: MissingColumn::Mistake };
    let tracer = plan.evaluator_tracer(0, &name("t"), &layout).unwrap();
    let keys = |members: &str| {
        let trace = tracer.trace(&texts(&["r", members]));
        let keys: Vec<String> = trace.entries.iter().filter_map(|entry| entry.key_text()).collect();
        (keys, trace.holds())
    };
    assert_eq!(keys(r#"["u1","u2","u1"]"#), (vec![r#"["u1"]"#.to_owned(), r#"["u2"]"#.to_owned()], true));
    assert_eq!(keys("[]"), (Vec::new(), false));
    assert_eq!(plan.evaluator_key_sql(0), ["json_each(members).value"]);
}

/// The links of the first querier to a bucket, as texts with a mark for those that do not hold.
fn found(query: &str, tables: &[Table<'_>], key: &[&str], claims: &str, parameters: Option<&str>) -> Vec<String> {
    let plan = plan(&stream(&[query]));
    let querier = &plan.streams[0].queriers[0];
    let request = Request { claims, parameters: "{}", include_defaults: true, subscriptions: &[] };
    let names = plan.evaluator_key_sql(plan.definitions[querier.definition].evaluators[0]);
    let rows = Tables(&plan, tables);
    let links = links(&plan, querier, (&names, &texts(key)), (&request, parameters), &rows).unwrap();
    links.iter().map(|link| format!("{}{}", if link.holds() { "" } else { "NOT " }, shown(link))).collect()
}

fn shown(link: &Link) -> String {
    let value = |value: &Option<NamedValue>| value.as_ref().map_or("?".to_owned(), |value| value_sql(&value.value));
    let part = |part: &sync_config::explain::Match| {
        format!("{} {} = {} {}", part.part, value(&part.has), part.sql, value(&part.asked))
    };
    match link {
        Link::Value(one) => part(one),
        Link::Element { sql, wanted, .. } => format!("{} in {sql}", value_sql(wanted)),
        Link::Row(row) => {
            let conditions = row.conditions.iter().map(|one| format!(", {} {:?}", one.sql, one.verdict));
            let parts: Vec<String> = row.parts.iter().map(part).collect();
            format!("{}: {}{}", value_sql(&row.row[0].value), parts.join(" & "), conditions.collect::<String>())
        }
        Link::NoRow { wanted, asked, .. } => {
            let wanted: Vec<String> =
                wanted.iter().map(|one| format!("{} = {}", one.name, value_sql(&one.value))).collect();
            format!("no row with {} by {}", wanted.join(" & "), asked.iter().map(part).collect::<Vec<_>>().join(" & "))
        }
        Link::Condition(condition) => format!("if {}", condition.sql),
    }
}

const LISTS: &[Table<'_>] =
    &[("lists", &["id", "owner", "archived"], &[&["l1", "u1", "no"], &["l2", "u2", "no"], &["l3", "u1", "yes"]])];

#[test]
fn the_row_that_leads_to_a_bucket_is_found_and_what_does_not_fit_in_it() {
    let query =
        "SELECT * FROM todos WHERE list_id IN (SELECT id FROM lists WHERE owner = auth.user_id() AND archived = 'no')";
    let of = |list: &str| found(query, LISTS, &[list], r#"{"sub":"u1"}"#, None);
    assert_eq!(of("l1"), ["'l1': owner 'u1' = auth.user_id() 'u1', archived = 'no' Holds"]);
    assert_eq!(of("l2"), ["NOT 'l2': owner 'u2' = auth.user_id() 'u1', archived = 'no' Holds"]);
    assert_eq!(of("l3"), ["NOT 'l3': owner 'u1' = auth.user_id() 'u1', archived = 'no' Fails"]);
    assert_eq!(of("l4"), ["NOT no row with id = 'l4' by owner ? = auth.user_id() 'u1'"]);
}

#[test]
fn several_stages_are_followed_from_the_bucket_to_the_request() {
    let query = "SELECT t.* FROM todos t JOIN lists l ON t.list_id = l.id JOIN orgs o ON l.org_id = o.id WHERE o.owner = auth.user_id()";
    let tables: &[Table<'_>] = &[
        ("lists", &["id", "org_id"], &[&["l1", "o1"], &["l2", "o2"]]),
        ("orgs", &["id", "owner"], &[&["o1", "u1"], &["o2", "u2"]]),
    ];
    let of = |list: &str| found(query, tables, &[list], r#"{"sub":"u1"}"#, None);
    assert_eq!(of("l1"), ["'o1': owner 'u1' = auth.user_id() 'u1'", "'l1': org_id 'o1' = orgs.id ?"]);
    assert_eq!(of("l2"), ["NOT 'o2': owner 'u2' = auth.user_id() 'u1'", "'l2': org_id 'o2' = orgs.id ?"]);
}

#[test]
fn of_several_rows_the_one_is_followed_that_fits_best() {
    let query = "SELECT * FROM docs WHERE org IN (SELECT org FROM members WHERE user = auth.user_id())"
        .replace("user =", "\"user\" =");
    let tables: &[Table<'_>] = &[(
        "members",
        &["id", "org", "user"],
        &[
            &["m1", "o1", "u8"],
            &["m2", "o1", "U7"],
            &["m3", "o1", "u7"],
            &["m4", "o2", "U7"],
            &["m5", "o2", "someone else"],
        ],
    )];
    let of = |org: &str| found(&query, tables, &[org], r#"{"sub":"u7"}"#, None);
    assert_eq!(of("o1"), ["'m3': user 'u7' = auth.user_id() 'u7'"]);
    assert_eq!(of("o2"), ["NOT 'm4': user 'U7' = auth.user_id() 'u7'"]);
}

#[test]
fn of_rows_that_would_only_have_to_exist_the_nearest_is_shown_if_it_is_near() {
    let query = "SELECT * FROM a WHERE auth.user_id() IN (SELECT name FROM members)";
    let members: &[Table<'_>] = &[("members", &["id", "name"], &[&["m1", "somebody"], &["m2", "Bob"]])];
    let of = |user: &str| found(query, members, &[], &format!(r#"{{"sub":"{user}"}}"#), None);
    assert_eq!(of("Bob"), ["'m2': name 'Bob' = auth.user_id() 'Bob'"]);
    assert_eq!(of("bob"), ["NOT 'm2': name 'Bob' = auth.user_id() 'bob'"]);
    assert_eq!(of("carol"), ["NOT no row with  by name ? = auth.user_id() 'carol'"]);
}

#[test]
fn values_and_lists_of_the_request_are_compared() {
    let by_parameter = "SELECT * FROM todos WHERE list_id = subscription.parameter('list')
        AND list_id IN (SELECT id FROM lists WHERE owner = auth.user_id())"
        .replace('\n', " ");
    let of = |list: &str, parameters| found(&by_parameter, LISTS, &[list], r#"{"sub":"u1"}"#, parameters);
    let fits = of("l1", Some(r#"{"list":"l1"}"#));
    assert!(fits.iter().all(|link| !link.starts_with("NOT")), "{fits:?}");
    let other = of("l2", Some(r#"{"list":"l1"}"#));
    assert_eq!(other[0], "NOT list_id 'l2' = subscription.parameter('list') 'l1'");
    assert!(other[1].starts_with("NOT 'l2': ") && other[1].contains("owner 'u2' = auth.user_id() 'u1'"), "{other:?}");
    assert_eq!(of("l1", None)[0], "NOT list_id 'l1' = subscription.parameter('list') NULL");

    let by_list = "SELECT * FROM a WHERE id IN auth.parameter('ids')";
    assert_eq!(found(by_list, &[], &["x"], r#"{"ids":["x","y"]}"#, None), ["'x' in auth.parameter('ids')"]);
    assert_eq!(found(by_list, &[], &["z"], r#"{"ids":["x","y"]}"#, None), ["NOT 'z' in auth.parameter('ids')"]);
}

#[test]
fn the_trace_of_a_request_agrees_with_its_evaluation() {
    let query = "SELECT * FROM todos WHERE list_id IN (SELECT id FROM lists WHERE owner = auth.user_id()) AND auth.parameter('role') = 'x'";
    let plan = plan(&stream(&[query]));
    let mut store = Store::default();
    let rows: Vec<Vec<Value>> = LISTS[0].2.iter().map(|row| texts(row)).collect();
    store.add(&plan, "lists", &names(LISTS[0].1), &rows);
    let trace = |claims: &str| {
        let request = Request { claims, parameters: "{}", include_defaults: true, subscriptions: &[] };
        QuerierTrace::new(&plan.streams[0].queriers[0], &request, None, &store, &Limits::default())
    };
    let fits = trace(r#"{"sub":"u1","role":"x"}"#);
    assert_eq!(fits.keys, [r#"["l1"]"#, r#"["l3"]"#]);
    assert_eq!((fits.key_count, fits.steps[0].asked[0].rows, fits.steps[0].rows), (2, 2, 2));
    assert!(fits.keys_may_have(&[Value::text("l1")]) && !fits.keys_may_have(&[Value::text("l2")]));
    let other = trace(r#"{"sub":"u1"}"#);
    assert_eq!((other.key_count, other.steps.len()), (0, 0));
    assert_eq!(other.conditions[0].sql, "auth.parameter('role') = 'x'");
    assert!(!other.conditions[0].holds());
    assert!(trace(r#"{"sub":"nobody","role":"x"}"#).keys.is_empty());
}
