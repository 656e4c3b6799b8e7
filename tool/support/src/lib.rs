//! What the project's commands share: starting programs, copying files, building the libraries, examples and tables of documents.
#![forbid(unsafe_code)]

pub mod document;
pub mod examples;
pub mod files;
pub mod library;
pub mod node;
pub mod process;
