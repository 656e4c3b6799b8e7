//! The modules of the crate `core` and the crates `protocol` and `json` use only lower ones: their permissions, compared
//! with the code and with the diagram of `docs/architecture.md`.

use std::collections::{BTreeMap, BTreeSet};

use crate::Problem;
use crate::page::Page;
use crate::repository::TextFile;

/// What each module may use, from the lowest layer up. `sqlite_nostd`, `json` and `protocol` are crates, and count as one
/// module each.
pub const MAY_USE: Permissions = &[
    ("json", &[]),
    ("protocol", &["json"]),
    ("error", &["sqlite_nostd", "json", "protocol"]),
    ("collections", &["error", "json"]),
    ("text", &["error", "json"]),
    ("uuid", &["sqlite_nostd"]),
    ("version", &[]),
    ("cell", &[]),
    ("connection", &["sqlite_nostd", "error", "cell", "collections", "text"]),
    ("updated_rows", &["sqlite_nostd", "error", "connection"]),
    ("packed_sql", &["error"]),
    ("in_place", &["sqlite_nostd", "error", "packed_sql", "text", "connection"]),
    ("sync_client", &["error", "collections", "json", "protocol", "text"]),
    (
        "schema",
        &[
            "sqlite_nostd",
            "error",
            "packed_sql",
            "cell",
            "collections",
            "json",
            "protocol",
            "text",
            "version",
            "connection",
            "in_place",
        ],
    ),
    ("crud", &["sqlite_nostd", "error", "json", "text", "connection", "updated_rows"]),
    (
        "migrations",
        &[
            "sqlite_nostd",
            "error",
            "packed_sql",
            "collections",
            "json",
            "text",
            "uuid",
            "connection",
            "in_place",
            "sync_client",
            "schema",
        ],
    ),
    (
        "bucket_storage",
        &[
            "sqlite_nostd",
            "error",
            "packed_sql",
            "cell",
            "collections",
            "json",
            "protocol",
            "text",
            "uuid",
            "connection",
            "updated_rows",
            "in_place",
            "sync_client",
            "schema",
            "migrations",
        ],
    ),
    (
        "diagnosis",
        &[
            "sqlite_nostd",
            "error",
            "packed_sql",
            "collections",
            "json",
            "text",
            "version",
            "connection",
            "schema",
            "bucket_storage",
            "migrations",
        ],
    ),
];

/// Modules, each with those that it may use.
pub type Permissions = &'static [(&'static str, &'static [&'static str])];

/// Modules without limits: the SQL surface, which ties all others together, and the top of a crate.
const TOP: &[&str] = &["sql_api", "lib"];

/// The crate of the bindings, below all modules.
const BINDINGS: &str = "sqlite_nostd";

const CORE: &str = "crates/core/src/";

/// Crates that count as one module: its name, where its sources are, and the name that code has for it.
const CRATES: &[(&str, &str, &str)] =
    &[("json", "crates/json/src/", "rowtide_json"), ("protocol", "crates/protocol/src/", "rowtide_protocol")];

/// Where a module's code is in `files`, and what is wrong with its uses: those that are not permitted, and permissions
/// that no code needs. Tests need permissions too, but they do not justify one.
pub fn check(files: &[TextFile], may_use: Permissions) -> Vec<Problem> {
    let mut problems = upward(may_use);
    let mut needed = BTreeSet::new();
    for file in files {
        let Some((module, is_core)) = module_of(&file.path) else { continue };
        if TOP.contains(&module.as_str()) {
            continue;
        }
        let Some((_, permitted)) = may_use.iter().find(|(name, _)| *name == module) else {
            problems.push(format!("{}: the module {module} is in no layer", file.path));
            continue;
        };
        let used = |code: &str| {
            let named = used_names(code, is_core).into_iter();
            named.filter(|name| *name != module).collect::<BTreeSet<_>>()
        };
        let forbidden = used(&file.text).into_iter().filter(|name| !permitted.contains(&name.as_str()));
        problems.extend(forbidden.map(|name| format!("{}: {module} must not use {name}", file.path)));
        if !file.path.contains("/tests/") {
            needed.extend(used(without_tests(&file.text)).into_iter().map(|name| (module.clone(), name)));
        }
    }
    for (module, permitted) in may_use {
        let unused = permitted.iter().filter(|name| !needed.contains(&((*module).to_owned(), (**name).to_owned())));
        problems.extend(unused.map(|name| format!("{module} may use {name}, and does not")));
    }
    problems
}

/// Permissions that do not lead to a lower layer: a module that comes later, or none.
fn upward(may_use: Permissions) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut lower = BTreeSet::from([BINDINGS]);
    for (module, permitted) in may_use {
        let upward = permitted.iter().filter(|name| !lower.contains(**name));
        problems.extend(upward.map(|name| format!("{module} may use {name}, which is no lower layer")));
        if !lower.insert(module) {
            problems.push(format!("{module} is listed twice"));
        }
    }
    problems
}

/// The module whose code is in the file at `path`, and whether that is in the crate `core`.
fn module_of(path: &str) -> Option<(String, bool)> {
    if let Some((name, ..)) = CRATES.iter().find(|(_, sources, _)| path.starts_with(sources)) {
        return Some(((*name).to_owned(), false));
    }
    let name = path.strip_prefix(CORE)?.split('/').next()?.trim_end_matches(".rs").to_owned();
    Some((name, true))
}

/// The code before a file's unit tests.
fn without_tests(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod tests {").next().unwrap_or_default()
}

/// The modules that a file's code uses, in `use` declarations or paths: what follows `crate::` in the crate `core`, and the
/// names of crates.
fn used_names(text: &str, is_core: bool) -> BTreeSet<String> {
    let code: String =
        text.lines().map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n");
    let mut used = if is_core { names_after("crate::", &code) } else { BTreeSet::new() };
    let crates = CRATES.iter().map(|(name, _, in_code)| (*name, *in_code)).chain([(BINDINGS, BINDINGS)]);
    // `use` may also name a crate alone.
    let is_used = |name: &str| code.contains(&format!("{name}::")) || code.contains(&format!("use {name};"));
    used.extend(crates.filter(|(_, in_code)| is_used(in_code)).map(|(name, _)| name.to_owned()));
    used
}

/// The names that follow `prefix` in paths: one, or those of a group.
fn names_after(prefix: &str, code: &str) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for (position, start) in code.match_indices(prefix) {
        let (before, rest) = code.split_at(position);
        if before.ends_with(|character: char| is_part_of_name(character) || character == '$') {
            continue;
        }
        let rest = rest.strip_prefix(start).unwrap_or(rest).trim_start();
        match rest.strip_prefix('{') {
            Some(group) => names.extend(members_of(group).iter().map(|path| first_name(path))),
            None => names.extend([first_name(rest)]),
        }
    }
    names.remove("");
    names
}

/// The paths of a group `{a::{b, c}, d}` whose opening brace is gone.
fn members_of(group: &str) -> Vec<String> {
    let (mut depth, mut members, mut member) = (0, Vec::new(), String::new());
    for character in group.chars() {
        match character {
            '}' if depth == 0 => break,
            ',' if depth == 0 => members.push(std::mem::take(&mut member)),
            other => {
                depth += i32::from(other == '{') - i32::from(other == '}');
                member.push(other);
            }
        }
    }
    members.push(member);
    members
}

fn first_name(path: &str) -> String {
    path.trim_start().chars().take_while(|character| is_part_of_name(*character)).collect()
}

fn is_part_of_name(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// What the diagram of a page, a block of `mermaid`, and the permissions do not share: modules that it does not have,
/// permissions that its arrows do not lead to, and arrows between modules that no permission justifies.
///
/// A node has the modules that the first line of its label names. An arrow permits everything below it, so that the
/// diagram needs no arrow past a layer.
pub fn check_diagram(page: &Page, may_use: Permissions) -> Vec<Problem> {
    let Some(block) = page.blocks.iter().find(|block| block.language == "mermaid") else {
        return vec![format!("{}: there is no diagram", page.path)];
    };
    let modules: BTreeSet<&str> = may_use.iter().map(|(name, _)| *name).chain([BINDINGS]).collect();
    let diagram = Diagram::read(&block.lines, &modules);
    let mut problems = Vec::new();
    let missing = modules.iter().filter(|module| !diagram.has(module));
    problems.extend(missing.map(|module| format!("{}: the diagram has no {module}", page.path)));
    for (module, used) in may_use.iter().flat_map(|(module, all)| all.iter().map(move |used| (module, used))) {
        if !diagram.leads(module, used) {
            problems.push(format!("{}: no arrow of the diagram leads from {module} to {used}", page.path));
        }
    }
    for (from, to) in &diagram.arrows {
        let (sources, targets) = (diagram.modules(from), diagram.modules(to));
        let permitted = |module: &&str| {
            let all = may_use.iter().find(|(name, _)| name == module).map_or(&[][..], |(_, all)| *all);
            all.iter().any(|used| targets.contains(used)) || targets.contains(module)
        };
        // What is above the layers may use all of them.
        if !sources.is_empty() && !targets.is_empty() && !sources.iter().any(permitted) {
            problems
                .push(format!("{}: an arrow of the diagram leads from {from} to {to}, which is not used", page.path));
        }
    }
    problems
}

/// The nodes of a flowchart with their modules, and its arrows.
#[derive(Debug, Default)]
struct Diagram {
    nodes: BTreeMap<String, BTreeSet<String>>,
    arrows: BTreeSet<(String, String)>,
}

impl Diagram {
    /// Reads `a["label"] & b -->|text| c`; other lines have no arrow.
    fn read(lines: &[String], modules: &BTreeSet<&str>) -> Self {
        let mut diagram = Self::default();
        for line in lines {
            let Some((left, right)) = line.split_once("-->").or_else(|| line.split_once("-.->")) else { continue };
            let right = right.strip_prefix('|').and_then(|text| text.split_once('|')).map_or(right, |(_, node)| node);
            let [sources, targets] = [left, right]
                .map(|side| side.split(" & ").map(|node| diagram.node(node.trim(), modules)).collect::<Vec<_>>());
            for from in &sources {
                diagram.arrows.extend(targets.iter().map(|to| (from.clone(), to.clone())));
            }
        }
        diagram
    }

    /// Keeps the modules in the first line of the label of `name["label"]`, and returns the name.
    fn node(&mut self, text: &str, modules: &BTreeSet<&str>) -> String {
        let name = first_name(text);
        let known = self.nodes.entry(name.clone()).or_default();
        if let Some((_, label)) = text.split_once('"') {
            let first = label.split("<br/>").next().unwrap_or_default().replace('-', "_");
            let words = first.split(|character: char| !is_part_of_name(character));
            known.extend(words.filter(|word| modules.contains(word)).map(str::to_owned));
        }
        name
    }

    fn modules(&self, node: &str) -> BTreeSet<&str> {
        self.nodes.get(node).into_iter().flatten().map(String::as_str).collect()
    }

    fn has(&self, module: &str) -> bool {
        self.nodes.values().any(|modules| modules.contains(module))
    }

    /// Whether arrows lead from a node with one module to a node with the other, or one node has both.
    fn leads(&self, from: &str, to: &str) -> bool {
        let with = |module: &str| {
            let all = self.nodes.iter().filter(|(_, modules)| modules.contains(module));
            all.map(|(name, _)| name.as_str()).collect::<BTreeSet<_>>()
        };
        let (mut reached, targets) = (with(from), with(to));
        loop {
            let next =
                self.arrows.iter().filter(|(from, _)| reached.contains(from.as_str())).map(|(_, to)| to.as_str());
            let all: BTreeSet<&str> = reached.iter().copied().chain(next).collect();
            if all.len() == reached.len() {
                return !reached.is_disjoint(&targets);
            }
            reached = all;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LAYERS: Permissions = &[("json", &[]), ("protocol", &["json"]), ("schema", &["protocol"])];

    fn file(path: &str, text: &str) -> TextFile {
        TextFile { path: path.to_owned(), text: text.to_owned() }
    }

    fn files() -> Vec<TextFile> {
        vec![
            file("crates/protocol/src/reader.rs", "use crate::error::Error;\nuse rowtide_json::Number;\n"),
            file("crates/core/src/schema/mod.rs", "use crate::protocol;\nuse crate::schema::apply;\n"),
            file("crates/core/src/sql_api/mod.rs", "use crate::{schema, json};\n"),
            file("crates/core/tests/sources.rs", "use crate::anything;\n"),
        ]
    }

    #[test]
    fn permitted_uses_are_no_problem() {
        assert_eq!(check(&files(), LAYERS), Vec::<Problem>::new());
    }

    #[test]
    fn a_missing_permission_is_a_problem() {
        let mut files = files();
        files.push(file("crates/core/src/schema/apply.rs", "use crate::json::Error;\n"));
        assert_eq!(check(&files, LAYERS), ["crates/core/src/schema/apply.rs: schema must not use json"]);
        files.push(file("crates/json/src/lexer.rs", "use rowtide_protocol::Reader;\n"));
        files.push(file("crates/core/src/uuid.rs", ""));
        let expected = [
            "crates/json/src/lexer.rs: json must not use protocol",
            "crates/core/src/uuid.rs: the module uuid is in no layer",
        ];
        assert_eq!(check(&files, LAYERS)[1..], expected);
    }

    #[test]
    fn an_unused_permission_is_a_problem() {
        let mut files = files();
        files[1].text = "// crate::protocol\n".to_owned();
        assert_eq!(check(&files, LAYERS), ["schema may use protocol, and does not"]);
        let tests = "#[cfg(test)]\nmod tests {\n    use crate::protocol;\n}\n";
        files[1].text = tests.to_owned();
        files.push(file("crates/core/src/schema/tests/mod.rs", "use crate::protocol;\n"));
        assert_eq!(check(&files, LAYERS), ["schema may use protocol, and does not"]);
    }

    #[test]
    fn layers_are_listed_from_the_lowest_up() {
        assert_eq!(upward(&[("a", &["sqlite_nostd", "b"]), ("b", &[])]), ["a may use b, which is no lower layer"]);
        assert_eq!(upward(&[("a", &[]), ("a", &[])]), ["a is listed twice"]);
    }

    #[test]
    fn every_way_of_using_a_module_is_seen() {
        let text = "use crate::store::{Store, gate};\nuse crate::{engine::{Engine, Event}, text};\n\
                    // use crate::ignored;\nfn f() { crate::json::parse(); other_crate::nothing(); sqlite_nostd::log() }\n\
                    use crate::{\n    crud,\n};\nuse rowtide_protocol::{Priority, error::Error};";
        let expected = ["crud", "engine", "json", "protocol", "sqlite_nostd", "store", "text"];
        assert_eq!(used_names(text, true).into_iter().collect::<Vec<_>>(), expected);
        assert_eq!(used_names(text, false).into_iter().collect::<Vec<_>>(), ["protocol", "sqlite_nostd"]);
    }

    fn diagram(lines: &str) -> Vec<Problem> {
        check_diagram(&Page::parse("p.md", &format!("```mermaid\nflowchart TD\n{lines}```\n")), LAYERS)
    }

    #[test]
    fn a_diagram_that_shows_the_layers_is_no_problem() {
        let lines = "    api[\"sql_api\"] -->|x| schema[\"schema<br/>tables, json\"]\n    schema --> low[\"protocol, json\"]\n\
                     low -.-> bindings[\"sqlite-nostd\"]\n";
        let expected = ["p.md: an arrow of the diagram leads from low to bindings, which is not used"];
        assert_eq!(diagram(lines), expected, "but for what it has too much");
        let lines = lines.replace("low -.-> bindings", "api -.-> bindings");
        assert_eq!(diagram(&lines), Vec::<Problem>::new());
    }

    #[test]
    fn a_diagram_must_show_each_permission_and_module() {
        let lines = "a[\"schema\"] --> b[\"protocol\"]\nc[\"json, sqlite-nostd\"] --> d[\"others\"]\n";
        assert_eq!(diagram(lines), ["p.md: no arrow of the diagram leads from protocol to json"]);
        let lines = "a[\"schema\"] --> b[\"protocol, json\"]\n";
        assert_eq!(diagram(lines), ["p.md: the diagram has no sqlite_nostd"]);
        assert_eq!(check_diagram(&Page::parse("p.md", ""), LAYERS), ["p.md: there is no diagram"]);
    }

    #[test]
    fn an_arrow_of_a_diagram_must_be_a_permission() {
        let lines = "a[\"schema\"] --> b[\"protocol\"]\nb --> c[\"json\"]\nb & c --> a\nx --> d[\"sqlite-nostd\"]\n";
        let expected = [
            "p.md: an arrow of the diagram leads from b to a, which is not used",
            "p.md: an arrow of the diagram leads from c to a, which is not used",
        ];
        assert_eq!(diagram(lines), expected);
    }
}
