//! The index for searching: every section with its text, which the browser looks through.

use super::links;
use super::markdown::Document;

/// Pages as `[title, address, [[heading, anchor, text], …]]`.
pub(crate) fn index(documents: &[(&str, Document)]) -> String {
    let pages = documents.iter().map(|(_, document)| {
        let sections = document.sections.iter().map(|section| {
            let text = section.text.split_whitespace().collect::<Vec<_>>().join(" ");
            // The page itself is found by its title.
            let anchor = if section.level == 1 { "" } else { &*section.anchor };
            list(&[json(&section.heading), json(anchor), json(&text)])
        });
        let sections: Vec<String> = sections.collect();
        list(&[json(&document.title), json(&links::address(&document.file)), list(&sections)])
    });
    list(&pages.collect::<Vec<_>>())
}

fn list(items: &[String]) -> String {
    format!("[{}]", items.join(","))
}

fn json(text: &str) -> String {
    let mut json = String::from("\"");
    for character in text.chars() {
        match character {
            '"' => json.push_str("\\\""),
            '\\' => json.push_str("\\\\"),
            character if character < ' ' => json.push_str(&format!("\\u{:04x}", u32::from(character))),
            character => json.push(character),
        }
    }
    json.push('"');
    json
}
