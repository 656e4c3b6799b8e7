//! Random queries as trees, which render as a sync query, or as SQL for SQLite with the values of one user.

use super::random::Random;

pub(crate) const TABLES: &[&str] = &["a", "b", "c"];
pub(crate) const COLUMNS: &[&str] = &["id", "x", "y", "z", "arr"];

/// A user: the JSON of a request, and what each parameter is in SQL.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub claims: String,
    pub subscription: String,
    pub connection: String,
    /// `auth:sub` and so on.
    pub values: Vec<(String, String)>,
}

impl User {
    pub(crate) fn sql(&self, name: &str) -> &str {
        self.values.iter().find(|(other, _)| other == name).map_or("NULL", |(_, sql)| sql)
    }
}

/// A condition.
#[derive(Clone, Debug)]
pub(crate) enum Cond {
    /// Text with `{part:name}` for values of the request.
    Atom(String),
    /// `left IN array`
    InArray(String, String),
    And(Vec<Cond>),
    Or(Vec<Cond>),
    Not(Box<Cond>),
    In(String, Box<Query>),
    InCte(String, String),
    Exists(Box<Query>),
}

/// An item of FROM.
#[derive(Clone, Debug)]
pub(crate) enum From {
    Table(String, String),
    Derived(Box<Query>, String),
    Each(String, String),
}

/// A query; `select` is a list of expressions.
#[derive(Clone, Debug)]
pub(crate) struct Query {
    pub select: String,
    pub from: Vec<From>,
    /// For each item of FROM but the first: the condition of JOIN, if it is one.
    pub on: Vec<Option<Cond>>,
    pub filter: Option<Cond>,
}

/// How to render.
#[derive(Clone, Copy)]
pub(crate) enum Mode<'a> {
    Sync,
    Sqlite(&'a User),
}

fn template(text: &str, mode: Mode<'_>) -> String {
    let mut out = String::new();
    let mut rest = text;
    while let Some(start) = rest.find('{') {
        out.push_str(&rest[..start]);
        let end = rest[start..].find('}').unwrap() + start;
        let name = &rest[start + 1..end];
        match mode {
            Mode::Sqlite(user) => out.push_str(user.sql(name)),
            Mode::Sync if name == "auth:sub" => out.push_str("auth.user_id()"),
            Mode::Sync => {
                let (part, key) = name.split_once(':').unwrap();
                out.push_str(&format!("{part}.parameter('{key}')"));
            }
        }
        rest = &rest[end + 1..];
    }
    out.push_str(rest);
    out
}

impl Cond {
    pub(crate) fn render(&self, mode: Mode<'_>) -> String {
        let join = |parts: &[Cond], by: &str| {
            let parts: Vec<String> = parts.iter().map(|part| part.render(mode)).collect();
            format!("({})", parts.join(by))
        };
        match self {
            Cond::Atom(text) => format!("({})", template(text, mode)),
            Cond::InArray(left, array) => {
                let (left, array) = (template(left, mode), template(array, mode));
                match mode {
                    Mode::Sync => format!("({left} IN {array})"),
                    Mode::Sqlite(_) => format!("({left} IN (SELECT value FROM json_each({array})))"),
                }
            }
            Cond::And(parts) => join(parts, " AND "),
            Cond::Or(parts) => join(parts, " OR "),
            Cond::Not(inner) => format!("(NOT {})", inner.render(mode)),
            Cond::In(left, query) => format!("({} IN ({}))", template(left, mode), query.render(mode)),
            Cond::InCte(left, cte) => match mode {
                Mode::Sync => format!("({} IN {cte})", template(left, mode)),
                Mode::Sqlite(_) => format!("({} IN (SELECT k FROM {cte}))", template(left, mode)),
            },
            Cond::Exists(query) => format!("EXISTS ({})", query.render(mode)),
        }
    }

    /// Simpler conditions.
    fn smaller(&self) -> Vec<Cond> {
        let mut smaller = Vec::new();
        match self {
            Cond::And(parts) | Cond::Or(parts) => {
                smaller.extend(parts.iter().cloned());
                for (index, part) in parts.iter().enumerate() {
                    for replaced in part.smaller() {
                        let mut parts = parts.clone();
                        parts[index] = replaced;
                        smaller.push(if matches!(self, Cond::And(_)) { Cond::And(parts) } else { Cond::Or(parts) });
                    }
                }
            }
            Cond::Not(inner) => {
                smaller.push((**inner).clone());
                smaller.extend(inner.smaller().into_iter().map(|inner| Cond::Not(Box::new(inner))));
            }
            Cond::In(left, query) => {
                smaller.extend(query.smaller().into_iter().map(|query| Cond::In(left.clone(), Box::new(query))));
            }
            Cond::Exists(query) => {
                smaller.extend(query.smaller().into_iter().map(|query| Cond::Exists(Box::new(query))));
            }
            Cond::Atom(_) | Cond::InArray(..) | Cond::InCte(..) => {}
        }
        smaller
    }
}

impl Query {
    pub(crate) fn render(&self, mode: Mode<'_>) -> String {
        let mut text = format!("SELECT {} FROM ", template(&self.select, mode));
        for (index, item) in self.from.iter().enumerate() {
            let on = index.checked_sub(1).and_then(|index| self.on[index].as_ref());
            if index > 0 {
                text.push_str(if on.is_some() { " JOIN " } else { ", " });
            }
            text.push_str(&match item {
                From::Table(table, alias) => format!("{table} AS \"{alias}\""),
                From::Derived(query, alias) => format!("({}) AS {alias}", query.render(mode)),
                From::Each(arg, alias) => format!("json_each({}) AS {alias}", template(arg, mode)),
            });
            if let Some(on) = on {
                text.push_str(&format!(" ON {}", on.render(mode)));
            }
        }
        if let Some(filter) = &self.filter {
            text.push_str(&format!(" WHERE {}", filter.render(mode)));
        }
        text
    }

    /// Simpler queries.
    pub(crate) fn smaller(&self) -> Vec<Query> {
        let mut smaller = Vec::new();
        if self.filter.is_some() {
            smaller.push(Query { filter: None, ..self.clone() });
        }
        for filter in self.filter.iter().flat_map(Cond::smaller) {
            smaller.push(Query { filter: Some(filter), ..self.clone() });
        }
        for index in 0..self.on.len() {
            let mut less = self.clone();
            less.from.remove(index + 1);
            less.on.remove(index);
            smaller.push(less);
            for on in self.on[index].iter().flat_map(Cond::smaller) {
                let mut less = self.clone();
                less.on[index] = Some(on);
                smaller.push(less);
            }
        }
        for (index, item) in self.from.iter().enumerate() {
            if let From::Derived(query, alias) = item {
                for query in query.smaller() {
                    let mut less = self.clone();
                    less.from[index] = From::Derived(Box::new(query), alias.clone());
                    smaller.push(less);
                }
            }
        }
        smaller
    }
}

/// What names are in scope: alias and columns.
type Scope = Vec<(String, Vec<&'static str>)>;

/// Makes random queries.
pub(crate) struct Generator<'r> {
    pub random: &'r mut Random,
    next: usize,
    /// How many tables a query may still get.
    budget: usize,
}

const REQUEST: &[&str] = &["{auth:sub}", "{auth:sub}", "{auth:sub}", "{auth:p}", "{subscription:p}", "{connection:p}"];
const LITERALS: &[&str] = &["1", "2", "'u1'", "'u2'", "'1'", "1.5", "2.0"];

impl<'r> Generator<'r> {
    pub(crate) fn new(random: &'r mut Random) -> Self {
        Self { random, next: 0, budget: 5 }
    }

    fn alias(&mut self) -> String {
        self.next += 1;
        format!("t{}", self.next)
    }

    /// A query for a stream: columns of its first table.
    pub(crate) fn stream(&mut self) -> Query {
        let mut scope = Scope::new();
        let mut query = self.body(&mut scope, &Scope::new(), true);
        query.select = format!("\"{}\".*", scope[0].0);
        query
    }

    fn item(&mut self, scope: &Scope, table_only: bool) -> (From, (String, Vec<&'static str>)) {
        let alias = self.alias();
        let kind = if table_only { 0 } else { self.random.below(10) };
        match kind {
            7 => {
                let mut inner = Scope::new();
                let mut query = self.body(&mut inner, &Scope::new(), false);
                let (first, second) = (self.column(&inner), self.column(&inner));
                query.select = format!("{first} AS k, {second} AS v");
                (From::Derived(Box::new(query), alias.clone()), (alias, vec!["k", "v"]))
            }
            8 => {
                let arrays: Vec<String> = scope
                    .iter()
                    .filter(|(_, columns)| columns.contains(&"arr"))
                    .map(|(alias, _)| format!("\"{alias}\".arr"))
                    .collect();
                let arg = match arrays.len() {
                    0 => "{auth:ids}".to_owned(),
                    count if self.random.chance(60) => arrays[self.random.below(count)].clone(),
                    _ => self.random.pick(&["{auth:ids}", "{subscription:ids}"]).to_owned(),
                };
                (From::Each(arg, alias.clone()), (alias, vec!["value", "key"]))
            }
            9 => (From::Table("cte".to_owned(), alias.clone()), (alias, vec!["k", "v"])),
            _ => {
                let table = self.random.pick(TABLES);
                (From::Table(table.to_owned(), alias.clone()), (alias, COLUMNS.to_vec()))
            }
        }
    }

    /// FROM and WHERE; `scope` receives the items, `outer` is visible too.
    fn body(&mut self, scope: &mut Scope, outer: &Scope, primary: bool) -> Query {
        let mut query = Query { select: String::new(), from: Vec::new(), on: Vec::new(), filter: None };
        let (item, names) = self.item(scope, primary || outer.is_empty());
        query.from.push(item);
        scope.push(names);
        while self.budget > 0 && self.random.chance(if primary { 40 } else { 20 }) {
            self.budget -= 1;
            let (item, names) = self.item(scope, false);
            query.from.push(item);
            scope.push(names);
            let on = self.random.chance(70).then(|| self.join(scope));
            query.on.push(on);
        }
        if self.random.chance(92) {
            let all: Scope = scope.iter().chain(outer).cloned().collect();
            query.filter = Some(self.condition(&all, 3));
        }
        query
    }

    fn join(&mut self, scope: &Scope) -> Cond {
        let last: Scope = scope[scope.len() - 1..].to_vec();
        let before: Scope = scope[..scope.len() - 1].to_vec();
        let mut parts = vec![Cond::Atom(format!("{} = {}", self.column(&before), self.column(&last)))];
        if self.random.chance(20) {
            parts.push(self.condition(scope, 1));
        }
        Cond::And(parts)
    }

    fn column(&mut self, scope: &Scope) -> String {
        // The inner names are the more interesting ones.
        let (alias, columns) = &scope[self.random.below(scope.len())];
        let columns: Vec<&str> = columns.iter().copied().filter(|column| *column != "arr").collect();
        let column = columns[self.random.below(columns.len())];
        format!("\"{alias}\".{column}")
    }

    fn value(&mut self, scope: &Scope) -> String {
        let column = self.column(scope);
        match self.random.below(12) {
            0 => format!("lower({column})"),
            1 => format!("cast({column} AS text)"),
            2 => format!("coalesce({column}, 'u1')"),
            3 => format!("cast({column} AS integer)"),
            _ => column,
        }
    }

    fn condition(&mut self, scope: &Scope, depth: usize) -> Cond {
        if depth > 0 && self.random.chance(55) {
            let count = 2 + usize::from(self.random.chance(20));
            let parts = (0..count).map(|_| self.condition(scope, depth - 1)).collect();
            return match self.random.below(10) {
                0..=5 => Cond::And(parts),
                6..=8 => Cond::Or(parts),
                _ => Cond::Not(Box::new(self.condition(scope, depth - 1))),
            };
        }
        self.atom(scope, depth)
    }

    fn atom(&mut self, scope: &Scope, depth: usize) -> Cond {
        let value = self.value(scope);
        let request = self.random.pick(REQUEST).to_owned();
        match self.random.below(20) {
            0..=4 => Cond::Atom(format!("{value} = {request}")),
            5 => Cond::Atom(format!("{request} = {value}")),
            6 | 7 => Cond::Atom(format!("{value} = {}", self.random.pick(LITERALS))),
            8 => {
                let operator = self.random.pick(&["<", ">=", "!=", "IS", "IS NOT"]);
                Cond::Atom(format!("{value} {operator} {}", self.random.pick(LITERALS)))
            }
            9 => Cond::Atom(format!("{value} IS {}NULL", self.random.pick(&["", "NOT "]))),
            10 => Cond::Atom(format!("{value} = {}", self.value(scope))),
            11 => {
                let not = self.random.pick(&["", "", "NOT "]);
                Cond::Atom(format!("{value} {not}IN ('u1', 2, {})", self.random.pick(LITERALS)))
            }
            12 => {
                Cond::Atom(self.random.pick(&["{auth:admin} = 1", "{auth:admin}", "{subscription:p} = 2"]).to_owned())
            }
            13 => Cond::InArray(value, self.random.pick(&["{auth:ids}", "{subscription:ids}"]).to_owned()),
            14 => {
                let arrays: Vec<&String> =
                    scope.iter().filter(|(_, columns)| columns.contains(&"arr")).map(|(alias, _)| alias).collect();
                match arrays.len() {
                    0 => Cond::Atom(format!("{value} = {request}")),
                    count => {
                        let array = format!("\"{}\".arr", arrays[self.random.below(count)]);
                        let left = if self.random.chance(60) { request } else { value };
                        Cond::InArray(left, array)
                    }
                }
            }
            15 => {
                let left = if self.random.chance(80) { value } else { request };
                Cond::InCte(left, "cte1".to_owned())
            }
            16 if self.budget > 0 && depth > 0 => {
                let (query, _) = self.subquery(scope, 0);
                Cond::Exists(Box::new(query))
            }
            _ if self.budget > 0 && depth > 0 => {
                let pair = self.random.chance(15);
                let left = match (pair, self.random.chance(80)) {
                    (true, _) => format!("({value}, {})", self.value(scope)),
                    (false, true) => value,
                    (false, false) => request,
                };
                let (query, _) = self.subquery(scope, if pair { 2 } else { 1 });
                Cond::In(left, Box::new(query))
            }
            _ => Cond::Atom(format!("{value} = {request}")),
        }
    }

    fn subquery(&mut self, outer: &Scope, columns: usize) -> (Query, Scope) {
        self.budget -= 1;
        let mut inner = Scope::new();
        let visible = if self.random.chance(30) { outer.clone() } else { Scope::new() };
        let mut query = self.body(&mut inner, &visible, true);
        let columns: Vec<String> = (0..columns).map(|_| self.value(&inner)).collect();
        query.select = if columns.is_empty() { "1 AS one".to_owned() } else { columns.join(", ") };
        (query, inner)
    }
}
