//! What fits and what does not, as clauses.

use sync_config::explain::{Condition, Link, Match, NamedValue, Origin, RowLink, Verdict, value_sql};
use sync_config::{Plan, Value};

use super::super::{failing, values_text};

/// `done = 0 (done is 1)`
pub(super) fn misfit(condition: &Condition) -> String {
    let values: Vec<String> =
        condition.values.iter().map(|value| format!("{} is {}", value.name, value_sql(&value.value))).collect();
    let mut text = format!("`{}`", condition.sql);
    let mut more = values;
    match &condition.verdict {
        Verdict::Error(error) => more.push(format!("it has no value: {error}")),
        Verdict::Unknown => more.push("so it is NULL".to_owned()),
        Verdict::Holds | Verdict::Fails => {}
    }
    if !more.is_empty() {
        text.push_str(&format!(" ({})", more.join(", ")));
    }
    text
}

/// A claim or parameter that is not there, and what to do.
pub(super) fn absent(values: &[NamedValue]) -> Option<(String, String)> {
    values.iter().filter(|value| value.value.is_null()).find_map(|value| match &value.origin {
        Origin::Claim(name) => Some((
            format!("the token has no claim `{name}`"),
            format!("Have the app's backend sign tokens with the claim `{name}`."),
        )),
        Origin::Subscription(name) => Some((
            format!("the subscription has no parameter `{name}`"),
            format!("Have the client subscribe with the parameter `{name}`."),
        )),
        Origin::Connection(name) => Some((
            format!("the connection has no parameter `{name}`"),
            format!("Have the client connect with the parameter `{name}`."),
        )),
        Origin::Column => None,
    })
}

/// A link that holds.
pub(super) fn link_text(plan: &Plan, link: &Link) -> String {
    match link {
        Link::Value(value) => format!("{} is {}", value.sql, asked(value)),
        Link::Element { sql, wanted, .. } => format!("{sql} has {}", value_sql(wanted)),
        Link::Row(row) => {
            let known: Vec<String> = row.parts.iter().filter(|part| part.asked.is_some()).map(equal).collect();
            let parts = if known.is_empty() { String::new() } else { format!(" has {}", known.join(" and ")) };
            format!("{}{}{parts}", table(plan, row.index), identity(row))
        }
        Link::NoRow { .. } => String::new(),
        Link::Condition(condition) => format!("`{}` holds", condition.sql),
    }
}

/// `owner_id = 'bob', which is auth.user_id()`
fn equal(part: &Match) -> String {
    let has = part.has.as_ref().map(|has| value_sql(&has.value)).unwrap_or_default();
    format!("{} = {has}, which is {},", part.part, part.sql).trim_end_matches(',').to_owned()
}

/// What does not fit, and what to do.
pub(super) fn broken(plan: &Plan, link: &Link) -> (String, Option<String>) {
    match link {
        Link::Value(value) => part(value, ""),
        Link::Element { sql, inputs, wanted, .. } => match absent(inputs) {
            Some((fact, remedy)) => (fact, Some(remedy)),
            None => (format!("{} is not in {sql}", value_sql(wanted)), None),
        },
        Link::Row(row) => broken_row(plan, row),
        Link::NoRow { index, wanted, asked: by, is_complete } => no_row(plan, *index, wanted, by, *is_complete),
        Link::Condition(condition) => match absent(&condition.values) {
            Some((fact, remedy)) => (format!("{} does not hold: {fact}", misfit(condition)), Some(remedy)),
            None => (format!("{} does not hold", misfit(condition)), None),
        },
    }
}

fn no_row(
    plan: &Plan,
    index: usize,
    wanted: &[NamedValue],
    by: &[Match],
    is_complete: bool,
) -> (String, Option<String>) {
    if let Some((fact, remedy)) = by.iter().find_map(|part| absent(&part.inputs)) {
        return (fact, Some(remedy));
    }
    let table = table(plan, index);
    let (among, remedy) = if is_complete {
        ("", format!("Add the row of {table}."))
    } else {
        (", as far as its rows were compared", format!("Look for it in {table} at the source."))
    };
    if !wanted.is_empty() {
        return (format!("{table} has no row with {}{among}", values_text(wanted)), Some(remedy));
    }
    let by: Vec<String> = by.iter().map(|part| format!("{} = {} ({})", part.part, asked(part), part.sql)).collect();
    (format!("{table} has no row with {}{among}", by.join(" and ")), Some(remedy))
}

fn broken_row(plan: &Plan, row: &RowLink) -> (String, Option<String>) {
    let table = table(plan, row.index);
    let failed: Vec<String> = failing(&row.conditions).map(misfit).collect();
    if !failed.is_empty() {
        let text = format!("{table}{} does not meet {}", identity(row), failed.join(", and not "));
        return (text, Some(format!("Change that row of {table}, or the condition of the query.")));
    }
    let misfits: Vec<&Match> = row.parts.iter().filter(|part| !part.holds()).collect();
    let has_match = row.parts.iter().any(|part| part.asked.is_some() && part.holds());
    if row.gives.is_empty() && !has_match {
        // Nothing says that this row is meant; it is only the nearest one.
        let asked: Vec<String> =
            misfits.iter().map(|part| format!("{} = {} ({})", part.part, asked(part), part.sql)).collect();
        let near: Vec<String> = misfits.iter().map(|part| has(part)).collect();
        let text = format!(
            "{table} by {}: no row; nearest: {} of the row{}",
            asked.join(" and "),
            near.join(" and "),
            identity(row)
        );
        return (text, misfits.iter().find_map(|part| hint(part)));
    }
    let mut texts = Vec::new();
    let mut remedy = None;
    for misfit in misfits {
        let (text, found) = part(misfit, &format!("{table}{} has ", identity(row)));
        texts.push(text);
        remedy = remedy.or(found);
    }
    let change = format!("Change that row of {table}, or ask as another user.");
    (texts.join(", and "), remedy.or(Some(change)))
}

/// What is wrong with a part of a key.
fn part(part: &Match, row: &str) -> (String, Option<String>) {
    if let Some((fact, remedy)) = absent(&part.inputs) {
        return (fact, Some(remedy));
    }
    let text = if row.is_empty() {
        format!("{} is {}, and not {}", part.sql, asked(part), has(part))
    } else {
        format!("{row}{} = {}, and {} is {}", part.part, has(part), part.sql, asked(part))
    };
    (text, hint(part))
}

fn has(part: &Match) -> String {
    part.has.as_ref().map(|has| value_sql(&has.value)).unwrap_or_default()
}

fn asked(part: &Match) -> String {
    part.asked.as_ref().map(|asked| value_sql(&asked.value)).unwrap_or_default()
}

/// What values that differ have in common.
fn hint(part: &Match) -> Option<String> {
    let (has, asked) = (&part.has.as_ref()?.value, &part.asked.as_ref()?.value);
    let (left, right) = (has.as_text()?, asked.as_text()?);
    let is_text = |value: &Value| matches!(value, Value::Text(_));
    if left == right && is_text(has) != is_text(asked) {
        return Some("One is text and the other a number, which are never equal: use CAST in the query.".into());
    }
    if left.to_lowercase() == right.to_lowercase() {
        return Some("They differ in upper and lower case: write them alike, or compare lower(…) of both.".into());
    }
    (left.trim() == right.trim()).then(|| "They differ in blanks: write them alike.".into())
}

/// ` with id = 'l1'`
fn identity(row: &RowLink) -> String {
    if row.row.is_empty() { String::new() } else { format!(" with {}", values_text(&row.row)) }
}

fn table(plan: &Plan, index: usize) -> String {
    plan.indexes.get(index).map(|index| index.program.table.table.clone()).unwrap_or_default()
}
