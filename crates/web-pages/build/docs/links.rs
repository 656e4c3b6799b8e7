//! Where links of the Markdown files lead on these pages.

/// What a link leads to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Target {
    /// Something on another host, or in the same page: as it is.
    AsItIs(String),
    /// A file of the repository, by its address here.
    File {
        /// Its path in the repository.
        file: String,
        /// Its address, with the anchor.
        address: String,
    },
    /// Nothing: there is no such file, or the address is none that a page should lead to.
    Nowhere,
}

/// The target of a link in a file.
pub(crate) fn target(from: &str, link: &str, exists: &dyn Fn(&str) -> bool) -> Target {
    if link.starts_with('#')
        || link.starts_with("https://")
        || link.starts_with("http://")
        || link.starts_with("mailto:")
    {
        return Target::AsItIs(link.to_owned());
    }
    // A colon before any slash is a scheme, such as `javascript`.
    let scheme = link.split(['/', '?', '#']).next().is_some_and(|first| first.contains(':'));
    if scheme || link.starts_with('/') {
        return Target::Nowhere;
    }
    let (path, anchor) = link.split_once('#').map_or((link, None), |(path, anchor)| (path, Some(anchor)));
    let Some(file) = resolved(from, path).filter(|file| exists(file)) else { return Target::Nowhere };
    let anchor = anchor.map(|anchor| format!("#{anchor}")).unwrap_or_default();
    Target::File { address: format!("{}{anchor}", address(&file)), file }
}

/// The address of a file of the repository.
pub(crate) fn address(file: &str) -> String {
    let Some(page) = file.strip_suffix(".md") else { return format!("/docs/source/{file}") };
    let page = page.strip_prefix("docs/").unwrap_or(page);
    match page.strip_suffix("README") {
        Some("") => "/docs".into(),
        Some(folder) => format!("/docs/{}", folder.trim_end_matches('/')),
        None => format!("/docs/{}", page.to_lowercase()),
    }
}

/// A path that is relative to a file's folder, from the top of the repository; none if it leaves that.
fn resolved(from: &str, path: &str) -> Option<String> {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}
