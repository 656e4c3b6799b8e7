//! Links between documents, and citations of documents in code.
//!
//! A link is Markdown's `[text](target)`. A citation is the path of a page in a document or a comment, such as
//! `docs/architecture.md`, with or without `#` and the anchor of a heading.

use std::collections::{HashMap, HashSet};

use crate::Problem;
use crate::page::Page;
use crate::repository::{self, TextFile};

/// What the citation of a page begins with.
const PAGES: &str = concat!("doc", "s/");

/// Documents outside of that directory that are cited.
const OTHERS: [&str; 2] = ["SECURITY.md", "CONTRIBUTING.md"];

/// Checks all links of documents, and all citations in `files`.
pub fn check(files: &[TextFile]) -> Vec<Problem> {
    check_with(files, &repository::exists)
}

/// The same, with `exists` to ask for files that are not in `files`.
fn check_with(files: &[TextFile], exists: &dyn Fn(&str) -> bool) -> Vec<Problem> {
    let documents = files.iter().filter(|file| file.is_document());
    let pages: HashMap<&str, Page> =
        documents.map(|file| (file.path.as_str(), Page::parse(&file.path, &file.text))).collect();
    let anchors: HashMap<&str, HashSet<&str>> = pages
        .iter()
        .map(|(path, page)| (*path, page.headings.iter().map(|heading| heading.anchor.as_str()).collect()))
        .collect();
    let leads_nowhere = |target: &str| {
        let (path, anchor) = target.split_once('#').map_or((target, None), |(path, anchor)| (path, Some(anchor)));
        match (anchors.get(path), anchor) {
            (Some(anchors), Some(anchor)) if !anchors.contains(anchor) => {
                Some(format!("{path} has no heading #{anchor}"))
            }
            (Some(_), _) => None,
            (None, Some(_)) => Some(format!("there is no page {path}")),
            (None, None) if exists(path) => None,
            (None, None) => Some(format!("there is no {path}")),
        }
    };
    let mut problems = Vec::new();
    for file in files {
        if let Some(page) = pages.get(file.path.as_str()) {
            for (line, content) in &page.prose {
                let targets = links(content).into_iter().filter_map(|target| resolve(&file.path, target));
                problems.extend(
                    targets.filter_map(|target| leads_nowhere(&target)).map(|what| problem(&file.path, *line, &what)),
                );
            }
        }
        for (line, content) in (1..).zip(file.text.lines()) {
            let cited = citations(content).into_iter();
            problems.extend(cited.filter_map(leads_nowhere).map(|what| problem(&file.path, line, &what)));
        }
    }
    problems.sort();
    problems.dedup();
    problems
}

fn problem(path: &str, line: usize, what: &str) -> Problem {
    format!("{path}:{line}: {what}")
}

/// The targets of the links in a line. Code spans hold no links.
fn links(line: &str) -> Vec<&str> {
    let mut targets = Vec::new();
    let mut rest = line;
    while let Some((before, after)) = rest.split_once("](") {
        // A link whose text is a code span has an even number of backquotes before it.
        let is_code = before.matches('`').count() % 2 == 1;
        match after.split_once(')') {
            Some((target, after)) if !is_code => {
                targets.push(target);
                rest = after;
            }
            _ => rest = after,
        }
    }
    targets
}

/// The target of a link in the document at `path`, from the top of the repository; None for addresses elsewhere.
fn resolve(path: &str, target: &str) -> Option<String> {
    if target.contains("://") || target.starts_with("mailto:") {
        return None;
    }
    if target.starts_with('#') {
        return Some(format!("{path}{target}"));
    }
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    for part in target.split('/') {
        match part {
            "." | "" => {}
            ".." => {
                parts.pop();
            }
            other => parts.push(other),
        }
    }
    Some(parts.join("/"))
}

/// The pages that a line cites.
fn citations(line: &str) -> Vec<&str> {
    let is_part = |character: char| character.is_ascii_alphanumeric() || "/._-".contains(character);
    let mut found = Vec::new();
    for start in starts(line) {
        let (before, rest) = line.split_at(start);
        // The end of a longer path is relative to something else: a link, or another repository.
        if before.ends_with(|last: char| is_part(last)) {
            continue;
        }
        let path = rest.split(|character: char| !is_part(character)).next().unwrap_or_default();
        let Some(path) = path.rfind(".md").and_then(|end| rest.get(..end + ".md".len())) else { continue };
        let after = rest.get(path.len()..).unwrap_or_default();
        let anchor = after.strip_prefix('#').map_or("", |anchor| {
            let end = anchor.find(|character: char| !(character.is_alphanumeric() || "_-".contains(character)));
            anchor.get(..end.unwrap_or(anchor.len())).unwrap_or_default()
        });
        let length = if anchor.is_empty() { path.len() } else { path.len() + 1 + anchor.len() };
        found.extend(rest.get(..length));
    }
    found
}

/// Where a citation may begin.
fn starts(line: &str) -> Vec<usize> {
    let begins = |with| line.match_indices(with).map(|(start, _)| start);
    begins(PAGES).chain(OTHERS.into_iter().flat_map(begins)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// No line here is a citation itself.
    fn with_paths(text: &str) -> String {
        text.replace("DOCS/", PAGES)
    }

    fn file(path: &str, text: &str) -> TextFile {
        TextFile { path: with_paths(path), text: with_paths(text) }
    }

    fn problems(files: &[TextFile]) -> Vec<Problem> {
        check_with(files, &|path| path == "Cargo.toml")
    }

    fn page() -> TextFile {
        file("DOCS/a.md", "# One\n## Two words\n")
    }

    #[test]
    fn links_that_lead_somewhere_are_no_problem() {
        let text = "[a](a.md) [b](a.md#two-words), [c](#here) [d](../Cargo.toml) [`e`](../DOCS/a.md#one)\n\
                    [f](https://example.com/x#y) `[g](nowhere.md)`\n# Here\n```text\n[h](nowhere.md)\n```\n";
        assert_eq!(problems(&[page(), file("DOCS/b.md", text)]), Vec::<Problem>::new());
    }

    #[test]
    fn a_link_to_a_missing_page_is_a_problem() {
        let found = problems(&[page(), file("DOCS/b.md", "\n[x](c.md)")]);
        assert_eq!(found, [with_paths("DOCS/b.md:2: there is no DOCS/c.md")]);
        assert_eq!(problems(&[file("x/b.md", "[x](../c.md#y)")]), ["x/b.md:1: there is no page c.md"]);
        assert_eq!(problems(&[file("llms.txt", "[x](c.md)")]), ["llms.txt:1: there is no c.md"]);
    }

    #[test]
    fn a_link_to_a_missing_heading_is_a_problem() {
        let found = problems(&[page(), file("DOCS/b.md", "# One\n[x](a.md#three) [y](#two)")]);
        let expected = [
            with_paths("DOCS/b.md:2: DOCS/a.md has no heading #three"),
            with_paths("DOCS/b.md:2: DOCS/b.md has no heading #two"),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn citations_in_code_are_checked() {
        let good = file(
            "src/a.rs",
            "//! See DOCS/a.md#two-words, (DOCS/a.md#one). `DOCS/a.md`: x\n// https://x.org/DOCS/z.md",
        );
        assert_eq!(problems(&[page(), good]), Vec::<Problem>::new());
        let bad = file("src/a.rs", "// DOCS/a.md#three\n/* DOCS/reference/c.md. */");
        let expected = [
            with_paths("src/a.rs:1: DOCS/a.md has no heading #three"),
            with_paths("src/a.rs:2: there is no DOCS/reference/c.md"),
        ];
        assert_eq!(problems(&[page(), bad]), expected);
    }

    #[test]
    fn citations_of_other_documents_are_checked() {
        let cited =
            file("src/a.rs", "// (SECURITY.md, DOCS/a.md), (SECURITY.md~reporting), a/SECURITY.md, SECURITY.md~x");
        let cited = TextFile { text: cited.text.replace('~', "#"), ..cited };
        let found = problems(&[page(), file("SECURITY.md", "# Security\n## Reporting\n"), cited]);
        assert_eq!(found, ["src/a.rs:1: SECURITY.md has no heading #x"]);
    }

    #[test]
    fn citations_in_documents_are_checked_also_in_code() {
        let found = problems(&[page(), file("README.md", "`DOCS/a.md#three`\n```sh\ncat DOCS/b.md\n```\n")]);
        assert_eq!(found.len(), 2, "{found:?}");
    }
}
