//! Checks of the documents and of the modules' layers. `tests/documents.rs` and `tests/layers.rs` run them on the
//! repository.
//!
//! - [`coverage`]: everything that the running library registers, returns or stores is in the reference.
//! - [`example`]: each `sql` block of a page runs and prints what the page says.
//! - [`foreign`]: nothing cites a document that is not in the repository.
//! - [`layers`]: modules use only lower ones, and the diagram of the architecture shows that.
//! - [`link`]: each link, and each citation of a page in code, leads somewhere.
//! - [`path`]: the files and tests that documents name exist.
//!
//! Each check takes text and gives a list of problems, so that its tests can hand it a broken page.

pub mod coverage;
pub mod example;
pub mod foreign;
pub mod layers;
pub mod library;
pub mod link;
pub mod page;
pub mod path;
pub mod repository;
pub mod session;
pub mod source;

/// Something wrong with a document, and where.
pub type Problem = String;
