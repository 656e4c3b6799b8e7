//! Diagrams of Mermaid as a list of what leads to what: readable on any screen and by any reader, without a program that draws.

use std::collections::BTreeMap;

use super::escaped;

/// What leads to what, and how.
struct Edge {
    from: Vec<String>,
    to: Vec<String>,
    label: String,
    /// Also the other way.
    is_mutual: bool,
}

/// The markup for a diagram, and its text for searching.
pub(crate) fn of(source: &str) -> (String, String) {
    let mut names = BTreeMap::new();
    let edges: Vec<Edge> = source.lines().flat_map(|line| edges(line.trim(), &mut names)).collect();
    let mut sources: Vec<&[String]> = Vec::new();
    for edge in &edges {
        if !sources.contains(&&*edge.from) {
            sources.push(&edge.from);
        }
    }
    let name = |node: &String| names.get(node).unwrap_or(node).clone();
    let mut markup = String::from("<div class=\"diagram\"><ul>\n");
    for from in sources {
        let nodes: String = from.iter().map(|node| box_of(&name(node), false)).collect();
        markup.push_str(&format!("<li><span class=\"sources\">{nodes}</span><ul>\n"));
        for edge in edges.iter().filter(|edge| edge.from == from) {
            let (word, arrow) = if edge.is_mutual { ("to and from", "↔") } else { ("leads to", "→") };
            markup.push_str(&format!(
                "<li><span class=\"arrow\"><span class=\"unseen\">{word}</span><span aria-hidden=\"true\">{arrow}</span></span> "
            ));
            markup.extend(edge.to.iter().map(|node| box_of(&name(node), true)));
            if !edge.label.is_empty() {
                markup.push_str(&format!("<span class=\"label\">{}</span>", escaped(&edge.label)));
            }
            markup.push_str("</li>\n");
        }
        markup.push_str("</ul></li>\n");
    }
    markup.push_str("</ul></div>\n");
    let labels = edges.iter().map(|edge| edge.label.clone());
    let plain: Vec<String> = labels.chain(names.values().map(|name| name.replace('\n', " "))).collect();
    (markup, plain.join(" "))
}

/// A name and, where others lead to it, what it is.
fn box_of(name: &str, is_target: bool) -> String {
    let (title, about) = name.split_once('\n').unwrap_or((name, ""));
    let about =
        if about.is_empty() || !is_target { String::new() } else { format!("<small>{}</small>", escaped(about)) };
    format!("<span class=\"node\"><b>{}</b>{about}</span> ", escaped(title))
}

/// The edges of a line, such as `a & b -->|label| c["C<br/>about"] --> d` or `A --> B: label`.
fn edges(line: &str, names: &mut BTreeMap<String, String>) -> Vec<Edge> {
    let mut edges = Vec::new();
    let mut parts = line.split("-->");
    let Some(mut before) = parts.next() else { return edges };
    let mut from = nodes(before.trim_end().trim_end_matches('<'), names);
    for part in parts {
        let is_mutual = before.trim_end().ends_with('<');
        before = part;
        let part = part.trim().trim_end_matches('<');
        let (mut label, mut rest) = match part.strip_prefix('|').and_then(|rest| rest.split_once('|')) {
            Some((label, rest)) => (label.to_owned(), rest),
            None => (String::new(), part),
        };
        if let Some((node, text)) =
            rest.split_once(": ").filter(|(node, _)| *node == "[*]" || !node.contains(['[', '(']))
        {
            (rest, label) = (node, text.trim().to_owned());
        }
        let to = nodes(rest, names);
        if !from.is_empty() && !to.is_empty() {
            edges.push(Edge { from: from.clone(), to: to.clone(), label, is_mutual });
        }
        from = to;
    }
    edges
}

/// The nodes between `&`, whose names are noted if they have one.
fn nodes(text: &str, names: &mut BTreeMap<String, String>) -> Vec<String> {
    let mut nodes = Vec::new();
    for part in text.split(" & ").map(str::trim).filter(|part| !part.is_empty()) {
        if part == "[*]" {
            names.insert(part.to_owned(), "start or end".to_owned());
            nodes.push(part.to_owned());
            continue;
        }
        let end = part.find(['[', '(']).unwrap_or(part.len());
        let (id, shape) = part.split_at(end);
        let name = shape.trim_matches(['[', ']', '(', ')', '"']).replace("<br/>", "\n");
        if !name.is_empty() {
            names.insert(id.to_owned(), name);
        }
        nodes.push(id.to_owned());
    }
    nodes
}
