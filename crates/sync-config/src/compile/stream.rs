//! One stream: its queries become branches, the branches queriers of bucket definitions.

use super::group::{Assembly, Branch};
use super::scope::{Body, Builder, Built, Context};
use super::{graph, resolve};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::document::{Named, StreamText};
use crate::expr::Expr;
use crate::plan::{RequestRef, Stream};
use crate::sql::{self, ast};

/// Definitions that one stream may have.
const MAX_DEFINITIONS: usize = 100;

/// Compiles a stream into `assembly`.
pub(crate) fn compile(
    named: &Named<StreamText>,
    context: &Context<'_>,
    assembly: &mut Assembly,
    findings: &mut Vec<Diagnostic>,
) {
    let mut branches = Vec::new();
    for text in &named.value.queries {
        let compiled = sql::parse_query(text, findings).and_then(|query| {
            compile_query(&query, context, named.value.accept_dangerous, assembly, &mut branches, findings)
        });
        if let Err(error) = compiled {
            findings.push(error);
        }
    }
    let (queriers, definitions) = assembly.queriers(&named.name, branches);
    if definitions > MAX_DEFINITIONS {
        let message = format!("The stream '{}' has more than {MAX_DEFINITIONS} bucket definitions", named.name);
        findings.push(Diagnostic::new(Code::TooManyDefinitions, named.span, message));
    }
    assembly.add_stream(Stream {
        name: named.name.clone(),
        auto_subscribe: named.value.auto_subscribe,
        priority: named.value.priority.unwrap_or(3),
        queriers,
    });
}

fn compile_query(
    query: &ast::Query,
    context: &Context<'_>,
    accept_dangerous: bool,
    assembly: &mut Assembly,
    branches: &mut Vec<Branch>,
    findings: &mut Vec<Diagnostic>,
) -> Built<()> {
    if query.items.is_empty() {
        let message = "Must have a result column selecting from a table";
        return Err(Diagnostic::new(Code::NoResultTable, query.span, message));
    }
    let mut builder = Builder::new(context, findings);
    let body = builder.body(query, None)?;
    let selected = builder.select(query, &body)?;
    let name = builder.output_table(selected.primary, query);
    let (sources, unauthenticated) = (builder.sources, builder.unauthenticated);
    let span = query.filter.as_ref().map_or(query.span, |filter| filter.span);
    let Body { sources: base, cond, .. } = body;
    let mut dangerous = false;
    let mut found = 0;
    for conjunction in cond.branches(span)? {
        let Some(graph) = graph::build(&sources, &base, &conjunction, Some(selected.primary))? else { continue };
        let resolved = resolve::resolve(&graph, context.options.push_down, span)?;
        found += 1;
        let steps = assembly.steps(resolved.steps);
        dangerous |= only_unauthenticated(&resolved.filters, &steps, &resolved.key);
        let evaluator = assembly.evaluator(resolved.program, name.clone(), selected.outputs.clone());
        branches.push(Branch { evaluator, filters: resolved.filters, steps, key: resolved.key });
    }
    if found == 0 {
        let message = "The condition is never true, so nothing is synced";
        findings.push(Diagnostic::new(Code::NeverTrue, span, message));
    }
    if dangerous && !accept_dangerous {
        warn_unauthenticated(unauthenticated.unwrap_or(span), findings);
    }
    Ok(())
}

pub(crate) fn warn_unauthenticated(span: Span, findings: &mut Vec<Diagnostic>) {
    let message = "Clients can send any value for this unauthenticated parameter, so anyone can get these rows";
    findings.push(Diagnostic::new(Code::Unauthenticated, span, message));
}

/// Whether values that clients choose decide, and none of the token.
pub(crate) fn only_unauthenticated(
    filters: &[Expr<RequestRef>],
    steps: &[crate::plan::Step],
    key: &[Expr<RequestRef>],
) -> bool {
    let (mut free, mut token) = (false, false);
    let mut note = |expr: &Expr<RequestRef>| {
        expr.visit_refs(&mut |leaf| match leaf {
            RequestRef::Auth => token = true,
            RequestRef::Subscription | RequestRef::Connection => free = true,
            RequestRef::Slot(_) => {}
        });
    };
    filters.iter().chain(key).for_each(&mut note);
    for step in steps {
        step.filters.iter().for_each(&mut note);
        match &step.source {
            crate::plan::StepSource::Each { arg, .. } => note(arg),
            crate::plan::StepSource::Lookup { key, .. } => key.iter().for_each(&mut note),
        }
    }
    free && !token
}
