//! What the project's commands share: starting programs, building the libraries, running the examples of documents.
#![forbid(unsafe_code)]

pub mod examples;
pub mod library;
pub mod node;
pub mod process;
