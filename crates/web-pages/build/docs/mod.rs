//! The documentation as HTML: the Markdown files of the repository, with a sidebar, and an index for searching them.
//!
//! There is no second source. Files that pages link to, such as examples, are shown as pages too.

pub(crate) mod code;
pub(crate) mod diagram;
pub(crate) mod links;
pub(crate) mod markdown;
mod search;
pub(crate) mod sidebar;
mod template;

use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};

use markdown::Document;
use template::Frame;

/// A file of the documentation: its name among the assets, and its content.
pub(crate) type File = (String, String);

/// What was made of the repository.
pub(crate) struct Documentation {
    /// Pages and the index.
    pub(crate) files: Vec<File>,
    /// Pictures, by their paths in the repository, which are their names among the assets too.
    pub(crate) images: BTreeSet<String>,
    /// What all of it was made of.
    pub(crate) sources: Vec<PathBuf>,
}

/// Makes the documentation of a repository.
///
/// # Errors
/// A page of the sidebar cannot be read.
pub(crate) fn build(repository: &Path) -> Result<Documentation, Box<dyn Error>> {
    let (mut documents, mut sources) = (Vec::new(), Vec::new());
    let (mut shown, mut images) = (BTreeSet::new(), BTreeSet::new());
    for (file, label) in sidebar::GROUPS.iter().flat_map(|group| group.pages) {
        let path = repository.join(file);
        let text = fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let document = Document::parse(file, &text, &|target| repository.join(target).is_file());
        shown.extend(document.linked_files.iter().cloned());
        images.extend(document.images.iter().cloned());
        documents.push((*label, document));
        sources.push(path);
    }
    let mut files = Vec::new();
    for (number, (_, document)) in documents.iter().enumerate() {
        let around = |number: Option<usize>| {
            number.and_then(|number| documents.get(number)).map(|(label, document)| (*label, &*document.file))
        };
        let frame =
            Frame { current: &document.file, before: around(number.checked_sub(1)), after: around(Some(number + 1)) };
        files.push((asset(&document.file), frame.page(document)));
    }
    for file in shown {
        let path = repository.join(&file);
        // What is no text is not shown; links to it say so.
        if let Ok(text) = fs::read_to_string(&path) {
            files.push((asset(&file), Frame { current: &file, before: None, after: None }.source(&file, &text)));
        }
        sources.push(path);
    }
    files.push(("docs/missing.html".into(), Frame { current: "", before: None, after: None }.missing()));
    files.push(("docs/search.json".into(), search::index(&documents)));
    sources.extend(images.iter().map(|image| repository.join(image)));
    Ok(Documentation { files, images, sources })
}

/// The name of a page among the assets.
fn asset(file: &str) -> String {
    match links::address(file).strip_prefix("/docs/") {
        Some(name) => format!("docs/{name}.html"),
        None => "docs/index.html".into(),
    }
}

/// Text as it may be in HTML, also in the value of an attribute.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len() + text.len() / 8);
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(character),
        }
    }
    escaped
}
