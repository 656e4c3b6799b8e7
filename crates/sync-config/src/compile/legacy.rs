//! Legacy bucket definitions (editions 1 and 2): parameter queries become queriers, data queries evaluators of one
//! bucket definition whose key parts are the parameters in the order of the first query.

use std::collections::HashMap;

use super::group::Assembly;
use super::scope::{Body, Builder, Built, Context, Scope};
use super::stream::{only_unauthenticated, warn_unauthenticated};
use super::terms::{Ref, SourceId};
use super::{graph, resolve};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::document::{LegacyText, Named};
use crate::expr::Expr;
use crate::options::CompileOptions;
use crate::plan::{Querier, RequestRef, Settings, Step, Stream};
use crate::sql::ast::{self, ExprKind, FromSource, SelectItem};
use crate::sql::parse_query;
use crate::value::Value;

/// What one parameter query gives.
struct Parameters {
    names: Vec<String>,
    priority: Option<u8>,
    branches: Vec<ParameterBranch>,
    is_static: bool,
}

struct ParameterBranch {
    filters: Vec<Expr<RequestRef>>,
    steps: Vec<Step>,
    /// In the order of `names`.
    values: Vec<Expr<RequestRef>>,
}

/// Compiles a bucket definition into `assembly`.
pub(crate) fn compile(
    named: &Named<LegacyText>,
    options: &CompileOptions,
    settings: &Settings,
    assembly: &mut Assembly,
    findings: &mut Vec<Diagnostic>,
) {
    let context =
        |bucket_parameters| Context { ctes: HashMap::new(), options, settings, legacy: true, bucket_parameters };
    let mut all: Vec<Parameters> = Vec::new();
    for text in &named.value.parameters {
        let compiled = parse_query(text, findings)
            .and_then(|query| parameter_query(&query, &context(false), &named.value, assembly, findings));
        match compiled {
            Ok(parameters) => {
                if let Some(first) = all.first() {
                    check_names(first, &parameters, text.span, findings);
                }
                all.push(parameters);
            }
            Err(error) => findings.push(error),
        }
    }
    let names: Vec<String> = all.first().map(|first| first.names.clone()).unwrap_or_default();
    let failed = all.len() < named.value.parameters.len();
    let mut evaluators = Vec::new();
    for text in &named.value.data {
        // Without the parameters there is nothing to check the query against.
        let compiled = parse_query(text, findings).and_then(|query| match failed {
            true => Ok(()),
            false => data_query(&query, &context(true), &names, assembly, &mut evaluators, findings),
        });
        if let Err(error) = compiled {
            findings.push(error);
        }
    }
    let definition = assembly.definition(&evaluators, names.len(), &mut || named.name.clone());
    let querier =
        |filters, steps, key, priority, null_keys| Querier { definition, priority, filters, steps, key, null_keys };
    let mut queriers = Vec::new();
    if named.value.parameters.is_empty() {
        queriers.push(querier(Vec::new(), Vec::new(), Vec::new(), None, false));
    }
    for parameters in all {
        for branch in parameters.branches {
            let value = |name: &String| {
                let at = parameters.names.iter().position(|other| other == name);
                at.and_then(|at| branch.values.get(at)).cloned().unwrap_or(Expr::Literal(Value::Null))
            };
            let key = names.iter().map(value).collect();
            queriers.push(querier(branch.filters, branch.steps, key, parameters.priority, parameters.is_static));
        }
    }
    assembly.add_stream(Stream {
        name: named.name.clone(),
        auto_subscribe: true,
        priority: named.value.priority.map_or(3, |(priority, _)| priority),
        queriers,
    });
}

fn check_names(first: &Parameters, other: &Parameters, span: Span, findings: &mut Vec<Diagnostic>) {
    let sorted = |names: &[String]| {
        let mut names = names.to_vec();
        names.sort();
        names
    };
    let (expected, got) = (sorted(&first.names), sorted(&other.names));
    if expected != got {
        let message = format!("All parameter queries must give the same names. Expected: {expected:?} Got: {got:?}");
        findings.push(Diagnostic::new(Code::ParameterQuery, span, message));
    }
}

fn refused(span: Span, message: &str) -> Diagnostic {
    Diagnostic::new(Code::ParameterQuery, span, message)
}

/// The literal of `SELECT …, 1 AS _priority`.
fn literal_priority(expr: &ast::Expr, given: Option<(u8, Span)>) -> Built<u8> {
    if given.is_some() {
        return Err(Diagnostic::new(Code::PriorityTwice, expr.span, "Cannot set priority multiple times"));
    }
    match &expr.kind {
        ExprKind::Literal(Value::Integer(priority @ 0..=3)) => Ok(*priority as u8),
        _ => Err(Diagnostic::new(Code::BadValue, expr.span, "`_priority` must be 0, 1, 2 or 3")),
    }
}

fn check_parameter_from(query: &ast::Query) -> Built<()> {
    let [item, rest @ ..] = query.from.as_slice() else { return Ok(()) };
    if let Some(second) = rest.first() {
        return Err(refused(second.span, "A parameter query has only one table"));
    }
    match &item.source {
        FromSource::Query(_) => Err(refused(item.span, "A subquery in a parameter query is not supported")),
        FromSource::Table(_) => match &item.alias {
            Some(alias) => Err(refused(alias.span, "An alias in a parameter query is not supported")),
            None => Ok(()),
        },
        FromSource::Each(_) => Ok(()),
    }
}

fn parameter_query(
    query: &ast::Query,
    context: &Context<'_>,
    definition: &LegacyText,
    assembly: &mut Assembly,
    findings: &mut Vec<Diagnostic>,
) -> Built<Parameters> {
    check_parameter_from(query)?;
    let mut builder = Builder::new(context, findings);
    let body = builder.body(query, None)?;
    check_sources(&builder, &body, query)?;
    let scope = Scope { items: &body.items, parent: None };
    let (mut names, mut wanted, mut priority) = (Vec::new(), Vec::new(), None);
    for item in &query.items {
        let (expr, alias) = match item {
            SelectItem::Star { span, .. } => return Err(refused(*span, "`*` in a parameter query is not supported")),
            SelectItem::Expr { expr, alias, .. } => (expr, alias),
        };
        let name = match (alias, &expr.kind) {
            (Some(alias), _) => alias.text.clone(),
            (None, ExprKind::Column { column, .. }) => column.text.clone(),
            _ => return Err(refused(expr.span, "Each column of a parameter query needs a name")),
        };
        if name == "_priority" {
            priority = Some(literal_priority(expr, definition.priority)?);
            continue;
        }
        if names.contains(&name) {
            return Err(refused(expr.span, "Two columns of this parameter query have the same name"));
        }
        let value = builder.lower(expr, &scope)?;
        if builder.sources.owners(&value).len() > 1 {
            return Err(refused(expr.span, "A column mixes values of the row and of the request"));
        }
        names.push(name);
        wanted.push(value);
    }
    let (sources, unauthenticated) = (builder.sources, builder.unauthenticated);
    let Body { sources: base, cond, .. } = body;
    let span = query.filter.as_ref().map_or(query.span, |filter| filter.span);
    let mut branches = Vec::new();
    for conjunction in cond.branches(span)? {
        let Some(graph) = graph::build(&sources, &base, &conjunction, None)? else { continue };
        let resolved = resolve::resolve_parameters(&graph, &wanted, span)?;
        let steps = assembly.steps(resolved.steps);
        if only_unauthenticated(&resolved.filters, &steps, &resolved.values) && !definition.accept_dangerous {
            warn_unauthenticated(unauthenticated.unwrap_or(span), findings);
        }
        branches.push(ParameterBranch { filters: resolved.filters, steps, values: resolved.values });
    }
    Ok(Parameters { names, priority, branches, is_static: query.from.is_empty() })
}

/// Only the table of FROM, without wildcard, and `json_each`.
fn check_sources(builder: &Builder<'_>, body: &Body, query: &ast::Query) -> Built<()> {
    for (id, source) in builder.sources.all.iter().enumerate() {
        let super::terms::SourceKind::Table { pattern, .. } = &source.kind else { continue };
        if !body.sources.contains(&id) {
            return Err(refused(query.span, "A subquery in a parameter query is not supported"));
        }
        if pattern.is_wildcard() || pattern.schema.ends_with('%') {
            return Err(refused(query.span, "A wildcard in a parameter query is not supported"));
        }
    }
    Ok(())
}

fn data_query(
    query: &ast::Query,
    context: &Context<'_>,
    names: &[String],
    assembly: &mut Assembly,
    evaluators: &mut Vec<usize>,
    findings: &mut Vec<Diagnostic>,
) -> Built<()> {
    match query.from.as_slice() {
        [item] if matches!(item.source, FromSource::Table(_)) => {}
        _ => {
            let message = "A data query selects from exactly one table";
            return Err(Diagnostic::new(Code::BucketParameters, query.span, message));
        }
    }
    let mut builder = Builder::new(context, findings);
    let body = builder.body(query, None)?;
    let tables: Vec<SourceId> = (0..builder.sources.all.len()).filter(|id| builder.sources.is_table(*id)).collect();
    if tables.len() != 1 {
        let message = "A subquery in a data query is not supported";
        return Err(Diagnostic::new(Code::NotSupported, query.span, message));
    }
    let selected = builder.select(query, &body)?;
    let name = builder.output_table(selected.primary, query);
    let sources = builder.sources;
    let span = query.filter.as_ref().map_or(query.span, |filter| filter.span);
    for conjunction in body.cond.branches(span)? {
        if conjunction.atoms.iter().any(|(atom, _)| only_bucket_parameters(atom)) {
            let message = "A condition on bucket parameters alone is not supported in a data query";
            return Err(Diagnostic::new(Code::BucketParameters, span, message));
        }
        let Some(graph) = graph::build(&sources, &body.sources, &conjunction, Some(selected.primary))? else {
            continue;
        };
        let mut resolved = resolve::resolve(&graph, true, span)?;
        resolved.program.key = in_order(&resolved, names, span)?;
        evaluators.push(assembly.evaluator(resolved.program, name.clone(), selected.outputs.clone()));
    }
    Ok(())
}

fn only_bucket_parameters(expr: &Expr<Ref>) -> bool {
    let (mut bucket, mut other) = (false, false);
    expr.visit_refs(&mut |leaf| match leaf {
        Ref::Bucket(_) => bucket = true,
        _ => other = true,
    });
    bucket && !other
}

/// The key parts in the order of the parameters; each must be covered exactly once.
fn in_order(resolved: &resolve::Resolved, names: &[String], span: Span) -> Built<Vec<Expr<crate::plan::RowRef>>> {
    let got: Vec<&String> = resolved.bucket_parameters.iter().flatten().collect();
    let exact = resolved.bucket_parameters.iter().all(|parameters| parameters.len() == 1)
        && resolved.filters.is_empty()
        && resolved.steps.is_empty()
        && got.len() == names.len();
    let mut parts = Vec::with_capacity(names.len());
    for name in names {
        let at = got.iter().position(|other| *other == name);
        let part = at.filter(|_| exact).and_then(|at| resolved.program.key.get(at));
        let Some(part) = part else {
            return Err(not_covered(names, &got, span));
        };
        parts.push(part.clone());
    }
    if exact { Ok(parts) } else { Err(not_covered(names, &got, span)) }
}

fn not_covered(names: &[String], got: &[&String], span: Span) -> Diagnostic {
    let message = format!("Query must cover all bucket parameters. Expected: {names:?} Got: {got:?}");
    Diagnostic::new(Code::BucketParameters, span, message)
}
