//! The modules of this repository use only lower layers, as `docs/architecture.md` shows them.
#![allow(clippy::unwrap_used)]

use rowtide_project_tests::layers::{self, MAY_USE};
use rowtide_project_tests::page::Page;
use rowtide_project_tests::repository;

#[test]
fn modules_use_only_lower_layers_and_all_that_they_may() {
    let problems = layers::check(&repository::text_files().unwrap(), MAY_USE);
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}

#[test]
fn the_diagram_shows_the_layers() {
    let path = "docs/architecture.md";
    let problems = layers::check_diagram(&Page::parse(path, &repository::read(path).unwrap()), MAY_USE);
    assert!(problems.is_empty(), "\n{}", problems.join("\n"));
}
