//! What is around the text of a page: the sidebar, the contents of the page, and the pages before and after it.

use super::markdown::Document;
use super::sidebar::GROUPS;
use super::{code, escaped, links};

const TEMPLATE: &str = include_str!("page.html");

/// The place of a page among the others.
pub(crate) struct Frame<'a> {
    /// Its file in the repository.
    pub(crate) current: &'a str,
    /// Label and file of the page before it.
    pub(crate) before: Option<(&'a str, &'a str)>,
    pub(crate) after: Option<(&'a str, &'a str)>,
}

impl Frame<'_> {
    /// A page of the sidebar.
    pub(crate) fn page(&self, document: &Document) -> String {
        self.fill(&document.title, &document.html, &contents(document))
    }

    /// A file that pages link to.
    pub(crate) fn source(&self, file: &str, text: &str) -> String {
        let content = format!("<h1 class=\"file\">{}</h1>\n{}", escaped(file), code::block(code::of_file(file), text));
        self.fill(file, &content, "")
    }

    /// What is shown in place of a page that there is not.
    pub(crate) fn missing(&self) -> String {
        let content = "<h1>There is no such page</h1>\n<p>Search for it, or choose one from the list of pages. \
                       <a href=\"/docs\">The overview</a> is a good start.</p>";
        self.fill("There is no such page", content, "")
    }

    fn fill(&self, title: &str, content: &str, contents: &str) -> String {
        let link = |place: &str, what: &str, (label, file): (&str, &str)| {
            let (label, address) = (escaped(label), escaped(&links::address(file)));
            format!("<a class=\"{place}\" href=\"{address}\"><small>{what}</small> <b>{label}</b></a>\n")
        };
        let before = self.before.map(|page| link("before", "Previous", page)).unwrap_or_default();
        let after = self.after.map(|page| link("after", "Next", page)).unwrap_or_default();
        let around = match before.is_empty() && after.is_empty() {
            true => String::new(),
            false => format!("<nav class=\"around\" aria-label=\"Previous and next page\">\n{before}{after}</nav>"),
        };
        let has_contents = if contents.is_empty() { "hidden" } else { "" };
        let parts = [
            ("title", escaped(title)),
            ("sidebar", self.sidebar()),
            ("contents", contents.to_owned()),
            ("has-contents", has_contents.to_owned()),
            ("around", around),
            // Last, as it may hold anything.
            ("content", content.to_owned()),
        ];
        parts
            .iter()
            .fold(TEMPLATE.to_owned(), |page, (name, value)| page.replacen(&format!("{{{{{name}}}}}"), value, 2))
    }

    fn sidebar(&self) -> String {
        let mut list = String::new();
        for (number, group) in GROUPS.iter().enumerate() {
            list.push_str(&format!(
                "<p id=\"group-{number}\">{}</p>\n<ul aria-labelledby=\"group-{number}\">\n",
                escaped(group.name)
            ));
            for (file, label) in group.pages {
                let current = if *file == self.current { " aria-current=\"page\"" } else { "" };
                let address = escaped(&links::address(file));
                list.push_str(&format!("<li><a href=\"{address}\"{current}>{}</a></li>\n", escaped(label)));
            }
            list.push_str("</ul>\n");
        }
        list
    }
}

/// Links to the sections of a page, if there are several.
fn contents(document: &Document) -> String {
    let sections = document.sections.iter().filter(|section| matches!(section.level, 2 | 3));
    let links: Vec<String> = sections
        .map(|section| {
            let (anchor, heading) = (escaped(&section.anchor), escaped(&section.heading));
            format!("<li class=\"level-{}\"><a href=\"#{anchor}\">{heading}</a></li>\n", section.level)
        })
        .collect();
    if links.len() < 2 { String::new() } else { links.concat() }
}
