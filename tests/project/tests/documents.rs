//! The checks of this crate on the documents of this repository.

use rowtide_project_tests::page::Page;
use rowtide_project_tests::repository::{self, TextFile};
use rowtide_project_tests::{Problem, example, link, path};

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
fn examples_print_what_the_pages_say() {
    let problems: Vec<Problem> = pages().iter().flat_map(example::check).collect();
    assert_none(&problems);
}

#[test]
fn links_and_citations_resolve() {
    assert_none(&link::check(&files()));
}

#[test]
fn named_files_and_tests_exist() {
    assert_none(&path::check(&files(), &repository::exists));
}
