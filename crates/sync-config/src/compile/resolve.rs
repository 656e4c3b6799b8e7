//! From a branch to a row evaluator and the steps that find its buckets: which table is looked up by what, in which
//! order, and what it gives to those after it.

use std::collections::BTreeMap;

use super::edges::{Edge, Step, classes, row_expression};
use super::graph::{Graph, Side};
use super::scope::Built;
use super::terms::{Owner, Ref, SourceId, SourceKind};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::expr::{Expr, Operator};
use crate::plan::{EachColumn, RequestRef, RowProgram, RowRef, row_text};

/// A branch, resolved.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub(super) program: RowProgram,
    pub(super) filters: Vec<Expr<RequestRef>>,
    pub(super) steps: Vec<ResolvedStep>,
    pub(super) key: Vec<Expr<RequestRef>>,
    /// For legacy definitions: the bucket parameter that each part of the key is compared with.
    pub(super) bucket_parameters: Vec<Vec<String>>,
}

/// A step with its index, which is not numbered yet.
#[derive(Debug)]
pub(crate) struct ResolvedStep {
    pub(super) source: ResolvedSource,
    pub(super) outputs: Vec<usize>,
    pub(super) filters: Vec<Expr<RequestRef>>,
}

/// Where the rows of a step come from.
#[derive(Debug)]
pub(crate) enum ResolvedSource {
    Each { arg: Expr<RequestRef>, columns: Vec<EachColumn> },
    Lookup { program: RowProgram, outputs: Vec<Expr<RowRef>>, key: Vec<Expr<RequestRef>> },
}

/// A program, the values of its key, and the bucket parameters that each part of the key is compared with.
type Program = (RowProgram, Vec<Expr<RequestRef>>, Vec<Vec<String>>);

struct Resolver<'g> {
    graph: &'g Graph<'g>,
    /// Values that the query gives, if it only gives parameters.
    wanted: &'g [Expr<Ref>],
    /// Values known before any lookup, by table: the side of the table and the value.
    known: BTreeMap<SourceId, Vec<(Side, Expr<Ref>)>>,
    edges: Vec<Edge>,
    /// Conditions between values of the request and of functions over it.
    constraints: Vec<Expr<Ref>>,
    slots: BTreeMap<(SourceId, String), usize>,
    steps: Vec<ResolvedStep>,
    request_filters: Vec<Expr<RequestRef>>,
    resolved: Vec<SourceId>,
}

/// A branch of a query that only gives parameters.
pub(crate) struct ResolvedParameters {
    pub(super) filters: Vec<Expr<RequestRef>>,
    pub(super) steps: Vec<ResolvedStep>,
    pub(super) values: Vec<Expr<RequestRef>>,
}

/// Resolves a branch; with `push_down`, values that a request knows replace outputs of lookups.
pub(crate) fn resolve(graph: &Graph<'_>, push_down: bool, span: Span) -> Built<Resolved> {
    let mut resolver = Resolver::new(graph, &[]);
    resolver.sort_matches(push_down);
    let resolved = resolver.run().and_then(|()| match graph.primary {
        Some(primary) => resolver.program(primary),
        None => Err("a table was expected"),
    });
    let (program, key, bucket_parameters) =
        resolved.map_err(|message| Diagnostic::new(Code::NotSupported, span, message))?;
    Ok(Resolved { program, filters: resolver.request_filters, steps: resolver.steps, key, bucket_parameters })
}

/// Resolves a branch of a query that only gives `wanted`, expressions of one source each.
pub(crate) fn resolve_parameters(graph: &Graph<'_>, wanted: &[Expr<Ref>], span: Span) -> Built<ResolvedParameters> {
    let mut resolver = Resolver::new(graph, wanted);
    resolver.sort_matches(true);
    let values = resolver.run().and_then(|()| wanted.iter().map(|expr| resolver.wanted_value(expr)).collect());
    let values = values.map_err(|message| Diagnostic::new(Code::NotSupported, span, message))?;
    Ok(ResolvedParameters { filters: resolver.request_filters, steps: resolver.steps, values })
}

impl<'g> Resolver<'g> {
    fn new(graph: &'g Graph<'g>, wanted: &'g [Expr<Ref>]) -> Self {
        Self {
            graph,
            wanted,
            known: BTreeMap::new(),
            edges: Vec::new(),
            constraints: Vec::new(),
            slots: BTreeMap::new(),
            steps: Vec::new(),
            request_filters: Vec::new(),
            resolved: Vec::new(),
        }
    }

    fn is_table(&self, side: &Side) -> Option<SourceId> {
        match side.owner {
            Owner::Source(id) if self.graph.sources.is_table(id) => Some(id),
            _ => None,
        }
    }

    /// Splits the matches into known values, edges and constraints.
    fn sort_matches(&mut self, push_down: bool) {
        let graph = self.graph;
        if !push_down {
            for (left, right) in &graph.matches {
                self.add_match(left, right);
            }
            return;
        }
        for class in classes(&graph.matches) {
            let mut sides = class;
            sides.sort_by(|a, b| (a.owner, &a.text).cmp(&(b.owner, &b.text)));
            sides.dedup_by(|a, b| a.text == b.text);
            // A value of the request, else of a function over it, is equal to all others of the class.
            sides.sort_by_key(|side| match side.owner {
                Owner::Request => 0,
                Owner::Source(id) => 1 + graph.functions.iter().position(|f| *f == id).unwrap_or(usize::MAX - 1),
            });
            match sides.split_first() {
                Some((anchor, rest)) if self.is_table(anchor).is_none() => {
                    rest.iter().for_each(|other| self.add_match(anchor, other));
                }
                _ => {
                    for (left, right) in &graph.matches {
                        if sides.iter().any(|side| side.text == left.text) {
                            self.add_match(left, right);
                        }
                    }
                }
            }
        }
    }

    fn add_match(&mut self, left: &Side, right: &Side) {
        match (self.is_table(left), self.is_table(right)) {
            (Some(_), Some(_)) => self.edges.push(Edge { ends: [left.clone(), right.clone()] }),
            (Some(table), None) => self.known.entry(table).or_default().push((left.clone(), right.expr.clone())),
            (None, Some(table)) => self.known.entry(table).or_default().push((right.clone(), left.expr.clone())),
            (None, None) => {
                let equal = Expr::binary(Operator::Eq, left.expr.clone(), right.expr.clone());
                self.constraints.push(equal);
            }
        }
    }

    fn run(&mut self) -> Step<()> {
        let graph = self.graph;
        for id in &graph.functions {
            self.function(*id)?;
        }
        for filter in graph.request_filters.iter().chain(&std::mem::take(&mut self.constraints)) {
            self.place(filter)?;
        }
        for id in &graph.functions {
            for filter in graph.filters.get(id).into_iter().flatten() {
                self.place(filter)?;
            }
        }
        let mut waiting = self.outwards();
        while !waiting.is_empty() {
            let next = self.choose(&waiting);
            let id = waiting.remove(next);
            self.lookup(id)?;
        }
        Ok(())
    }

    /// The table that a wanted value comes from, and its text.
    fn wanted_of<'e>(&self, expr: &'e Expr<Ref>) -> Option<(SourceId, &'e Expr<Ref>, String)> {
        let owners = self.graph.sources.owners(expr);
        match owners.first() {
            Some(Owner::Source(id)) if owners.len() == 1 && self.graph.sources.is_table(*id) => {
                Some((*id, expr, format!("wanted {}", super::terms::text(expr, &|_| String::new()))))
            }
            _ => None,
        }
    }

    fn wanted_value(&self, expr: &Expr<Ref>) -> Step<Expr<RequestRef>> {
        match self.wanted_of(expr) {
            None => self.request(expr),
            Some((id, _, text)) => match self.slots.get(&(id, text)) {
                Some(slot) => Ok(Expr::Ref(RequestRef::Slot(*slot))),
                None => Err("this column of a parameter query is not supported"),
            },
        }
    }

    /// All tables but the primary one, the farthest from it first; tables that nothing connects with it come last.
    fn outwards(&self) -> Vec<SourceId> {
        let mut visited: Vec<SourceId> = self.graph.primary.into_iter().collect();
        let mut order = Vec::new();
        if let Some(primary) = self.graph.primary {
            self.visit(primary, &mut visited, &mut order);
        }
        for table in &self.graph.tables {
            if !visited.contains(table) {
                visited.push(*table);
                self.visit(*table, &mut visited, &mut order);
                order.push(*table);
            }
        }
        order
    }

    fn visit(&self, from: SourceId, visited: &mut Vec<SourceId>, order: &mut Vec<SourceId>) {
        for table in &self.graph.tables {
            if !visited.contains(table) && self.edges.iter().any(|edge| edge.joins(from, *table)) {
                visited.push(*table);
                self.visit(*table, visited, order);
                order.push(*table);
            }
        }
    }

    /// The next table to look up: one for which values are known, and best one that only gates the others.
    fn choose(&self, waiting: &[SourceId]) -> usize {
        let has_input = |id: SourceId| {
            self.known.contains_key(&id)
                || self.edges.iter().any(|edge| self.resolved.iter().any(|done| edge.joins(id, *done)))
        };
        let gates = |id: SourceId| {
            let open = |other: SourceId| Some(other) == self.graph.primary || waiting.contains(&other);
            !self.edges.iter().any(|edge| edge.other(id).is_some_and(open))
        };
        let position = |test: &dyn Fn(SourceId) -> bool| waiting.iter().position(|id| test(*id));
        position(&|id| has_input(id) && gates(id)).or_else(|| position(&has_input)).unwrap_or(0)
    }

    fn new_slot(&mut self, id: SourceId, text: String) -> usize {
        let next = self.slots.len();
        *self.slots.entry((id, text)).or_insert(next)
    }

    /// `json_each` over request data.
    fn function(&mut self, id: SourceId) -> Step<()> {
        let Some(SourceKind::Each { arg, .. }) = self.graph.sources.get(id).map(|source| &source.kind) else {
            return Err("this function is not supported");
        };
        let arg = self.request(arg)?;
        let columns = self.used_columns(id);
        let outputs = columns.iter().map(|column| self.new_slot(id, format!("{column:?}"))).collect();
        self.steps.push(ResolvedStep { source: ResolvedSource::Each { arg, columns }, outputs, filters: Vec::new() });
        Ok(())
    }

    fn used_columns(&self, id: SourceId) -> Vec<EachColumn> {
        let mut columns = Vec::new();
        let mut note = |expr: &Expr<Ref>| {
            expr.visit_refs(&mut |leaf| {
                if let Ref::Each(other, column) = leaf
                    && *other == id
                {
                    columns.push(*column);
                }
            });
        };
        for (left, right) in &self.graph.matches {
            note(&left.expr);
            note(&right.expr);
        }
        self.graph.filters.get(&id).into_iter().flatten().for_each(&mut note);
        self.wanted.iter().for_each(&mut note);
        for other in &self.graph.functions {
            if let Some(SourceKind::Each { arg, .. }) = self.graph.sources.get(*other).map(|source| &source.kind) {
                note(arg);
            }
        }
        columns.sort();
        columns.dedup();
        columns
    }

    /// An expression over the request and functions over it.
    fn request(&self, expr: &Expr<Ref>) -> Step<Expr<RequestRef>> {
        expr.replace(&mut |leaf| match leaf {
            Ref::Request(request) => Ok(Expr::Ref(*request)),
            Ref::Each(id, column) => match self.slots.get(&(*id, format!("{column:?}"))) {
                Some(slot) => Ok(Expr::Ref(RequestRef::Slot(*slot))),
                None => Err("this reference to a function is not supported"),
            },
            // The values of bucket parameters come from other queries.
            Ref::Bucket(_) => Ok(Expr::Literal(crate::value::Value::Null)),
            Ref::Row(..) => Err("a value of the request was expected"),
        })
    }

    fn place(&mut self, condition: &Expr<Ref>) -> Step<()> {
        let condition = self.request(condition)?;
        self.place_request(condition);
        Ok(())
    }

    /// Adds a condition where all of its slots are filled.
    fn place_request(&mut self, condition: Expr<RequestRef>) {
        let mut last = None;
        condition.visit_refs(&mut |leaf| {
            if let RequestRef::Slot(slot) = leaf {
                last = last.max(self.steps.iter().position(|step| step.outputs.contains(slot)));
            }
        });
        match last.and_then(|last| self.steps.get_mut(last)) {
            Some(step) => step.filters.push(condition),
            None => self.request_filters.push(condition),
        }
    }

    /// Filters and key of a table, the values of the key, and the bucket parameters that it is compared with.
    fn program(&mut self, id: SourceId) -> Step<Program> {
        let graph = self.graph;
        let Some(SourceKind::Table { pattern, .. }) = graph.sources.get(id).map(|source| &source.kind) else {
            return Err("a table was expected");
        };
        let mut each = Vec::new();
        for function in graph.attached.get(&id).into_iter().flatten() {
            if let Some(SourceKind::Each { arg, .. }) = graph.sources.get(*function).map(|source| &source.kind) {
                each.push(self.row(arg, id)?);
            }
        }
        let mut filters = Vec::new();
        for filter in graph.filters.get(&id).into_iter().flatten() {
            filters.push(self.row(filter, id)?);
        }
        filters.sort_by_cached_key(row_text);
        filters.dedup_by(|a, b| row_text(a) == row_text(b));
        // By text of the part: the part, and its values.
        type Part = (Expr<RowRef>, Vec<Expr<RequestRef>>, Vec<String>);
        let mut parts: BTreeMap<String, Part> = BTreeMap::new();
        for (side, value) in self.known.get(&id).into_iter().flatten() {
            let part = self.row(&side.expr, id)?;
            let text = row_text(&part);
            let entry = parts.entry(text).or_insert((part, Vec::new(), Vec::new()));
            if let Expr::Ref(Ref::Bucket(name)) = value {
                entry.2.push(name.clone());
            }
            entry.1.push(self.request(value)?);
        }
        for edge in &self.edges {
            for (own, other) in edge.oriented(id) {
                let slot = self.is_table(other).and_then(|table| self.slots.get(&(table, other.text.clone())));
                // The other table comes later: then this is an output.
                let Some(slot) = slot else { continue };
                let part = self.row(&own.expr, id)?;
                let text = row_text(&part);
                let entry = parts.entry(text).or_insert((part, Vec::new(), Vec::new()));
                entry.1.push(Expr::Ref(RequestRef::Slot(*slot)));
            }
        }
        let (mut key, mut values, mut names) = (Vec::new(), Vec::new(), Vec::new());
        for (part, sources, bucket) in parts.into_values() {
            let mut sources = sources.into_iter();
            let Some(first) = sources.next() else { continue };
            for other in sources {
                self.place_request(Expr::binary(Operator::Eq, first.clone(), other));
            }
            key.push(part);
            values.push(first);
            names.push(bucket);
        }
        Ok((RowProgram { table: pattern.clone(), each, filters, key }, values, names))
    }

    /// Looks up a table with what is known so far.
    fn lookup(&mut self, id: SourceId) -> Step<()> {
        let (program, key, _) = self.program(id)?;
        let mut outputs: BTreeMap<String, (Expr<RowRef>, String)> = BTreeMap::new();
        for edge in &self.edges {
            for (own, other) in edge.oriented(id) {
                if self.is_table(other).is_some_and(|table| !self.resolved.contains(&table)) {
                    let output = self.row(&own.expr, id)?;
                    outputs.insert(row_text(&output), (output, own.text.clone()));
                }
            }
        }
        for (_, expr, text) in self.wanted.iter().filter_map(|expr| self.wanted_of(expr)).filter(|(of, ..)| *of == id) {
            let output = self.row(expr, id)?;
            outputs.insert(format!("wanted {}", row_text(&output)), (output, text));
        }
        let mut exprs = Vec::new();
        let mut slots = Vec::new();
        for (expr, text) in outputs.into_values() {
            exprs.push(expr);
            slots.push(self.new_slot(id, text));
        }
        let source = ResolvedSource::Lookup { program, outputs: exprs, key };
        self.steps.push(ResolvedStep { source, outputs: slots, filters: Vec::new() });
        self.resolved.push(id);
        Ok(())
    }

    /// An expression over the rows of one table.
    fn row(&self, expr: &Expr<Ref>, id: SourceId) -> Step<Expr<RowRef>> {
        let attached = self.graph.attached.get(&id).map(Vec::as_slice).unwrap_or_default();
        row_expression(expr, id, attached)
    }
}
