//! The checks of this crate on the documents of this repository.
#![allow(clippy::unwrap_used)]

use std::collections::BTreeMap;

use rowtide_project_tests::coverage::{self, Pages};
use rowtide_project_tests::library::Library;
use rowtide_project_tests::page::Page;
use rowtide_project_tests::repository::{self, TextFile};
use rowtide_project_tests::session::Seen;
use rowtide_project_tests::{Problem, example, foreign, link, path};

const REFERENCE: &str = "docs/reference/";

fn files() -> Vec<TextFile> {
    repository::text_files().unwrap()
}

fn pages() -> Vec<Page> {
    files().iter().filter(|file| file.is_document()).map(|file| Page::parse(&file.path, &file.text)).collect()
}

#[track_caller]
fn assert_none(problems: &[Problem]) {
    assert!(problems.is_empty(), "{} problems:\n{}", problems.len(), problems.join("\n"));
}

#[test]
fn nothing_of_the_library_is_missing_from_the_reference() {
    let pages: Pages = pages()
        .into_iter()
        .filter_map(|page| Some((page.path.strip_prefix(REFERENCE)?.to_owned(), page)))
        .collect::<BTreeMap<_, _>>();
    assert_none(&coverage::check(&pages, &Library::ask().unwrap(), &Seen::run().unwrap()));
}

#[test]
fn examples_print_what_the_pages_say() {
    let problems: Vec<Problem> = pages().iter().flat_map(example::check).collect();
    assert_none(&problems);
}

#[test]
fn links_and_citations_resolve() {
    assert_none(&link::check(&files()));
}

#[test]
fn nothing_cites_documents_from_elsewhere() {
    assert_none(&foreign::check(&files()));
}

#[test]
fn named_files_and_tests_exist() {
    assert_none(&path::check(&files(), &repository::exists));
}
