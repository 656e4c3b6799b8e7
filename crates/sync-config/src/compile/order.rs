//! A canonical order of the sources of a branch, so that neither aliases nor the order of FROM, of conditions or of OR
//! terms changes how they are resolved. Labels are refined by what the conditions say about a source and its
//! neighbours; sources that still have the same label are interchangeable.

use std::collections::BTreeMap;

use super::terms::{Ref, SourceId, SourceKind, Sources, text, touched};
use crate::expr::Expr;
use crate::plan::short_digest;

const MAX_ROUNDS: usize = 12;

/// `ids` in canonical order.
pub(crate) fn canonical_order(
    sources: &Sources,
    ids: &[SourceId],
    atoms: &[&Expr<Ref>],
    primary: Option<SourceId>,
) -> Vec<SourceId> {
    let mut labels: BTreeMap<SourceId, String> =
        ids.iter().map(|id| (*id, first_label(sources, *id, primary))).collect();
    // What describes a source: the conditions, and the arguments of functions.
    let mut facts: Vec<(Option<SourceId>, &Expr<Ref>)> = atoms.iter().map(|atom| (None, *atom)).collect();
    for id in ids {
        if let Some(SourceKind::Each { arg, .. }) = sources.get(*id).map(|source| &source.kind) {
            facts.push((Some(*id), arg));
        }
    }
    // Each round looks one source further; queries are not that wide.
    for _ in 0..ids.len().min(MAX_ROUNDS) {
        let refined = labels.iter().map(|(id, label)| (*id, refine(*id, label, &labels, &facts))).collect();
        labels = refined;
    }
    let mut order = ids.to_vec();
    order.sort_by_key(|id| (labels.get(id).cloned().unwrap_or_default(), *id));
    order.dedup();
    order
}

fn first_label(sources: &Sources, id: SourceId, primary: Option<SourceId>) -> String {
    let kind = match sources.get(id).map(|source| &source.kind) {
        Some(SourceKind::Table { pattern, .. }) => format!("{pattern:?}"),
        _ => "each".to_owned(),
    };
    short_digest(&format!("{} {kind}", Some(id) == primary))
}

fn refine(
    id: SourceId,
    label: &str,
    labels: &BTreeMap<SourceId, String>,
    facts: &[(Option<SourceId>, &Expr<Ref>)],
) -> String {
    let name = |other: SourceId| {
        if other == id { "@".to_owned() } else { labels.get(&other).cloned().unwrap_or_default() }
    };
    let mut lines: Vec<String> = facts
        .iter()
        .filter(|(function, expr)| *function == Some(id) || touched(expr).contains(&id))
        .map(|(function, expr)| match function {
            None => text(expr, &name),
            Some(function) => format!("{} of {}", name(*function), text(expr, &name)),
        })
        .collect();
    lines.sort();
    short_digest(&format!("{label}\n{}", lines.join("\n")))
}
