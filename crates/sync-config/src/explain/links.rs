//! From the key of a bucket back to the request: which rows of other tables lead to it, and which value does not fit.
//!
//! The steps of a querier are a join from the request to the key. Here it is followed in the other direction. Each step
//! has to give certain values, so there is a row that gives them, and its key says what the step before has to give. Of
//! several rows the one is followed that fits best.

mod link;
mod nearness;

use std::collections::BTreeMap;
use std::rc::Rc;

pub use self::link::{IndexRow, IndexRows, IndexTable, Link, Match, RowLink};
use self::nearness::{distance, is_equal};
use super::condition::{Condition, NamedValue, Verdict, evaluate, members};
use super::sql::{request_sql, row_sql};
use crate::evaluate::{CONTEXT, Request, each_values, request_context};
use crate::expr::Expr;
use crate::plan::{EachColumn, Plan, Querier, RequestRef, RowRef, Step, StepSource};
use crate::value::Value;

/// How many rows that fit equally well are followed.
const FOLLOWED: usize = 5;

/// The links from a request to a bucket with this key, in the order in which a request is evaluated. `parts` are the
/// names of the parts of the key, `parameters` those of the subscription.
///
/// # Errors
/// Rows cannot be read.
pub fn links(
    plan: &Plan,
    querier: &Querier,
    key: (&[String], &[Value]),
    request: (&Request<'_>, Option<&str>),
    rows: &dyn IndexRows,
) -> Result<Vec<Link>, String> {
    let context = request_context(request.0, request.1);
    let mut walk = Walk { plan, querier, context, rows, assumed: BTreeMap::new() };
    let mut wanted = BTreeMap::new();
    let mut links = Vec::new();
    for (number, (expr, value)) in querier.key.iter().zip(key.1).enumerate() {
        let part = key.0.get(number).cloned().unwrap_or_default();
        if let Expr::Ref(RequestRef::Slot(slot)) = expr {
            wanted.insert(*slot, value.clone());
        } else if !uses_slots(expr) {
            links.push(Link::Value(walk.matching(part, Some(value.clone()), expr)));
        }
    }
    // What follows is about the bucket, as if the request asked for it.
    walk.assumed.extend(links.iter().filter_map(|link| match link {
        Link::Value(Match { sql, has: Some(has), .. }) => Some((sql.clone(), has.value.clone())),
        _ => None,
    }));
    links.extend(walk.steps(querier.steps.len(), &wanted)?);
    Ok(links)
}

fn uses_slots(expr: &Expr<RequestRef>) -> bool {
    let mut uses = false;
    expr.visit_refs(&mut |leaf| uses |= matches!(leaf, RequestRef::Slot(_)));
    uses
}

struct Walk<'a> {
    plan: &'a Plan,
    querier: &'a Querier,
    context: [Value; CONTEXT],
    rows: &'a dyn IndexRows,
    /// Values of expressions of the request that the bucket would need.
    assumed: BTreeMap<String, Value>,
}

/// A row that may be the one, and how well it fits.
struct Candidate {
    link: RowLink,
    /// What the steps before have to give.
    wanted: BTreeMap<usize, Value>,
    misfits: usize,
    distance: usize,
}

impl Walk<'_> {
    /// The links of the first `count` steps, which have to give these values of slots.
    fn steps(&self, count: usize, wanted: &BTreeMap<usize, Value>) -> Result<Vec<Link>, String> {
        let Some(step) = count.checked_sub(1).and_then(|last| self.querier.steps.get(last)) else {
            return Ok(Vec::new());
        };
        let mut links = match &step.source {
            StepSource::Each { arg, columns } => {
                let mut links = self.steps(count - 1, wanted)?;
                links.extend(self.elements(step, arg, columns, wanted));
                links
            }
            StepSource::Lookup { index, key } => self.lookup(count, step, *index, key, wanted)?,
        };
        links.extend(step.filters.iter().filter_map(|filter| self.condition(filter, wanted)).map(Link::Condition));
        Ok(links)
    }

    fn elements(
        &self,
        step: &Step,
        arg: &Expr<RequestRef>,
        columns: &[EachColumn],
        wanted: &BTreeMap<usize, Value>,
    ) -> Vec<Link> {
        if uses_slots(arg) {
            return Vec::new();
        }
        let list = evaluate(arg, &self.context).unwrap_or(Value::Null);
        let sql = request_sql(arg, &|slot| self.slot_name(slot));
        let of = step.outputs.iter().zip(columns).filter_map(|(slot, column)| Some((wanted.get(slot)?, column)));
        let link = |(value, column): (&Value, &EachColumn)| Link::Element {
            sql: sql.clone(),
            inputs: members(arg, &self.context),
            wanted: value.clone(),
            holds: each_values(&list, *column).iter().any(|element| is_equal(element, value)),
        };
        of.map(link).collect()
    }

    fn lookup(
        &self,
        count: usize,
        step: &Step,
        index: usize,
        key: &[Expr<RequestRef>],
        wanted: &BTreeMap<usize, Value>,
    ) -> Result<Vec<Link>, String> {
        let needed: Vec<(usize, &Value)> =
            step.outputs.iter().enumerate().filter_map(|(at, slot)| Some((at, wanted.get(slot)?))).collect();
        let table = self.table(index, key, &needed)?;
        let mut candidates: Vec<Candidate> =
            table.rows.iter().flat_map(|row| self.candidates(row, index, key, &needed, wanted)).collect();
        if needed.is_empty() {
            // Any row would do, so only one that nearly fits says anything.
            let is_equal = |part: &Match| part.asked.is_some() && part.holds();
            candidates.retain(|one| one.distance < nearness::FAR || one.link.parts.iter().any(is_equal));
        }
        candidates.sort_by_key(|candidate| (candidate.misfits, candidate.distance));
        let mut best: Option<(usize, Vec<Link>)> = None;
        for candidate in candidates.into_iter().take(FOLLOWED) {
            let mut links = self.steps(count - 1, &candidate.wanted)?;
            links.push(Link::Row(candidate.link));
            let misfits = links.iter().filter(|link| !link.holds()).count();
            if best.as_ref().is_none_or(|(least, _)| misfits < *least) {
                best = Some((misfits, links));
            }
        }
        if let Some((_, links)) = best {
            return Ok(links);
        }
        let asked = self.index_parts(index).into_iter().zip(key).filter(|(_, expr)| !uses_slots(expr));
        Ok(vec![Link::NoRow {
            index,
            wanted: self.gives(index, &needed),
            asked: asked.map(|(part, expr)| self.matching(part, None, expr)).collect(),
            is_complete: table.is_complete,
        }])
    }

    /// The rows for an index, among them those that have the needed values, or that the request asks for.
    fn table(
        &self,
        index: usize,
        key: &[Expr<RequestRef>],
        needed: &[(usize, &Value)],
    ) -> Result<Rc<IndexTable>, String> {
        let Some(parts) = self.plan.indexes.get(index) else { return Ok(Rc::default()) };
        let column = |expr: &Expr<RowRef>| match expr {
            Expr::Ref(RowRef::Column(name)) => Some(name.clone()),
            _ => None,
        };
        let mut known: Vec<(String, Value)> = Vec::new();
        for (at, value) in needed {
            known.extend(parts.outputs.get(*at).and_then(column).map(|name| (name, (*value).clone())));
        }
        if needed.is_empty() {
            for (part, expr) in parts.program.key.iter().zip(key).filter(|(_, expr)| !uses_slots(expr)) {
                let asked = self.matching(String::new(), None, expr).asked;
                known.extend(column(part).zip(asked.map(|asked| asked.value)));
            }
        }
        let columns: Vec<(&str, &Value)> = known.iter().map(|(name, value)| (name.as_str(), value)).collect();
        self.rows.rows(index, &columns)
    }

    /// What a row gives that has the needed values.
    fn candidates(
        &self,
        row: &IndexRow,
        index: usize,
        key: &[Expr<RequestRef>],
        needed: &[(usize, &Value)],
        wanted: &BTreeMap<usize, Value>,
    ) -> Vec<Candidate> {
        let fits = |outputs: &[Value]| {
            needed.iter().all(|(at, value)| outputs.get(*at).is_some_and(|output| is_equal(output, value)))
        };
        let entries = row.trace.entries.iter().filter(|entry| fits(&entry.outputs));
        let candidate = |entry: &super::row::EntryTrace| {
            let mut wanted = wanted.clone();
            let mut parts = Vec::new();
            for ((part, has), expr) in self.index_parts(index).into_iter().zip(&entry.key).zip(key) {
                match expr {
                    Expr::Ref(RequestRef::Slot(slot)) => {
                        let before = wanted.entry(*slot).or_insert_with(|| has.clone()).clone();
                        let sql = self.slot_name(*slot);
                        let asked = (!is_equal(&before, has)).then(|| NamedValue::column(sql.clone(), before));
                        let has = Some(NamedValue::column(part.clone(), has.clone()));
                        parts.push(Match { part, has, sql, asked, inputs: Vec::new() });
                    }
                    expr => parts.push(self.matching(part, Some(has.clone()), expr)),
                }
            }
            let failing = row.trace.conditions.iter().filter(|condition| !condition.holds()).count();
            let far = |part: &Match| match (&part.has, &part.asked) {
                (Some(has), Some(asked)) => distance(&has.value, &asked.value),
                _ => 0,
            };
            Candidate {
                misfits: failing
                    + parts.iter().filter(|part| !part.holds()).map(|part| self.weight(part)).sum::<usize>(),
                distance: parts.iter().map(far).sum(),
                wanted,
                link: RowLink {
                    index,
                    row: row.key.clone(),
                    gives: self.gives(index, needed),
                    parts,
                    conditions: row.trace.conditions.clone(),
                },
            }
        };
        entries.map(candidate).collect()
    }

    /// How much it says against a row that a part does not hold: more if the bucket needs it.
    fn weight(&self, part: &Match) -> usize {
        1 + usize::from(self.assumed.contains_key(&part.sql))
    }

    /// A part of a key against an expression of the request.
    fn matching(&self, part: String, has: Option<Value>, expr: &Expr<RequestRef>) -> Match {
        let sql = request_sql(expr, &|slot| self.slot_name(slot));
        let asked = (!uses_slots(expr)).then(|| {
            let value = || evaluate(expr, &self.context).unwrap_or(Value::Null);
            NamedValue::column(sql.clone(), self.assumed.get(&sql).cloned().unwrap_or_else(value))
        });
        let is_known = uses_slots(expr) || self.assumed.contains_key(&sql);
        let inputs = if is_known { Vec::new() } else { members(expr, &self.context) };
        let has = has.map(|has| NamedValue::column(part.clone(), has));
        Match { part, has, sql, asked, inputs }
    }

    /// A condition whose slots all have known values.
    fn condition(&self, filter: &Expr<RequestRef>, wanted: &BTreeMap<usize, Value>) -> Option<Condition> {
        let known = filter.replace(&mut |leaf| match leaf {
            RequestRef::Slot(slot) => wanted.get(slot).cloned().map(Expr::Literal).ok_or(()),
            leaf => Ok(Expr::Ref(*leaf)),
        });
        let known = known.ok()?;
        let verdict = Verdict::of(evaluate(&known, &self.context).map(std::borrow::Cow::Owned));
        let mut values = members(&known, &self.context);
        filter.visit_refs(&mut |leaf| {
            if let RequestRef::Slot(slot) = leaf
                && let Some(value) = wanted.get(slot)
            {
                values.push(NamedValue::column(self.slot_name(*slot), value.clone()));
            }
        });
        Some(Condition { sql: request_sql(filter, &|slot| self.slot_name(slot)), values, verdict })
    }

    fn gives(&self, index: usize, needed: &[(usize, &Value)]) -> Vec<NamedValue> {
        let outputs = self.plan.indexes.get(index).map(|index| (index.outputs.as_slice(), &index.program));
        let (outputs, program) = match outputs {
            Some(found) => found,
            None => return Vec::new(),
        };
        let name = |at: usize| outputs.get(at).map(|output| row_sql(output, program)).unwrap_or_default();
        needed.iter().map(|(at, value)| NamedValue::column(name(*at), (*value).clone())).collect()
    }

    fn index_parts(&self, index: usize) -> Vec<String> {
        let program = self.plan.indexes.get(index).map(|index| &index.program);
        program.map(|program| program.key.iter().map(|part| row_sql(part, program)).collect()).unwrap_or_default()
    }

    /// What fills a slot: `lists.id`, or the list of a request.
    fn slot_name(&self, slot: usize) -> String {
        for step in &self.querier.steps {
            let Some(at) = step.outputs.iter().position(|output| *output == slot) else { continue };
            return match &step.source {
                StepSource::Each { arg, .. } => request_sql(arg, &|slot| format!("${slot}")),
                StepSource::Lookup { index, .. } => match self.plan.indexes.get(*index) {
                    Some(index) => {
                        let output = index.outputs.get(at).map(|output| row_sql(output, &index.program));
                        format!("{}.{}", index.program.table.table, output.unwrap_or_default())
                    }
                    None => String::new(),
                },
            };
        }
        String::new()
    }
}
