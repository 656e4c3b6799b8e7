//! Citations of documents that are not in this repository. Whoever reads one cannot look it up, so a page of the
//! reference is cited instead; [`crate::link`] checks that it exists.
//!
//! The library was specified in a set of numbered documents. Comments used to cite their sections by title, in
//! parentheses or quotation marks. No form of that may come back.

use crate::Problem;
use crate::repository::TextFile;

/// The titles of those documents.
const TITLES: &[&str] = &[
    "SQL interface",
    "sync client",
    "sync protocol",
    "service protocol",
    "sync config",
    "sync engine",
    "quality requirements",
    "quality",
    "schema",
    "storage",
    "performance",
    "beyond",
];

/// Their numbers and file names.
const FILES: &[(&str, &str)] = &[
    ("00", "overview"),
    ("10", "sql-interface"),
    ("20", "storage"),
    ("30", "schema"),
    ("40", "protocol"),
    ("50", "sync-client"),
    ("60", "quality"),
    ("70", "performance"),
    ("75", "beyond"),
    ("80", "service-protocol"),
    ("81", "sync-config"),
    ("82", "sync-engine"),
    ("83", "sources"),
    ("84", "crates"),
    ("85", "write-path"),
    ("86", "scale"),
    ("87", "better"),
    ("88", "program"),
];

/// What may be before the number of a trap: the list of traps, in a citation or as a link.
const TRAPS: [&str; 2] = [concat!("docs/", "reliability.md#traps, "), "["];

/// Where the scenarios are.
const SCENARIOS: &str = "tests/scenarios/";

/// Headers of SQLite: their words are not ours.
const NOT_OURS: &str = "tool/sqlite/";

/// Checks all `files`.
pub fn check(files: &[TextFile]) -> Vec<Problem> {
    files.iter().filter(|file| !file.path.starts_with(NOT_OURS)).flat_map(problems).collect()
}

fn problems(file: &TextFile) -> Vec<Problem> {
    let mut problems = Vec::new();
    for block in Block::all(file) {
        for (offset, what) in block.citations() {
            problems.push(format!(
                "{}:{}: cites {what}, which is not in the repository",
                file.path,
                block.line(offset)
            ));
        }
    }
    if file.path.starts_with(SCENARIOS) && file.path.ends_with(".json") && !has_reference(&file.text) {
        problems.push(format!("{}: the member \"reference\" must begin with a page of the reference", file.path));
    }
    problems
}

/// Whether a scenario says which section it checks.
fn has_reference(scenario: &str) -> bool {
    let scenario: serde_json::Value = serde_json::from_str(scenario).unwrap_or_default();
    scenario.get("reference").and_then(|reference| reference.as_str()).is_some_and(|text| text.starts_with("docs/"))
}

/// What a block is, which decides what counts as a citation in it.
#[derive(Clone, Copy, PartialEq)]
enum Kind {
    /// A comment, or text of a document.
    Prose,
    /// Code. It has identifiers such as `schema` in parentheses.
    Code,
    /// JSON. Its texts can begin with a title.
    Data,
}

/// Neighbouring lines of one kind, joined by spaces, so that a citation may be split between lines.
struct Block {
    kind: Kind,
    text: String,
    /// The offset in `text` at which each line begins, and the line's number.
    lines: Vec<(usize, usize)>,
}

impl Block {
    fn all(file: &TextFile) -> Vec<Self> {
        let mut blocks: Vec<Self> = Vec::new();
        for (number, line) in (1..).zip(file.text.lines()) {
            let (kind, content) = if file.is_document() {
                (Kind::Prose, line)
            } else if file.path.ends_with(".json") || file.path.ends_with(".jsonl") {
                (Kind::Data, line)
            } else {
                comment(line).map_or((Kind::Code, line), |comment| (Kind::Prose, comment))
            };
            if blocks.last().is_none_or(|block| block.kind != kind) {
                blocks.push(Self { kind, text: String::new(), lines: Vec::new() });
            }
            if let Some(block) = blocks.last_mut() {
                block.text.push(' ');
                block.lines.push((block.text.len(), number));
                block.text.push_str(content.trim());
            }
        }
        blocks
    }

    fn line(&self, offset: usize) -> usize {
        self.lines.iter().rev().find(|(start, _)| *start <= offset).map_or(0, |(_, number)| *number)
    }

    /// Where the block cites what, in the order of the forms.
    fn citations(&self) -> Vec<(usize, String)> {
        let mut found = Vec::new();
        for title in TITLES {
            for (start, _) in self.text.match_indices(title) {
                let (before, rest) = self.text.split_at(start);
                if rest.strip_prefix(title).is_some_and(|after| self.is_title(title, before, after)) {
                    found.push((start, format!("\"{title}\"")));
                }
            }
        }
        for (start, trap) in self.text.match_indices("trap") {
            let (before, rest) = self.text.split_at(start);
            let after = rest.strip_prefix(trap).unwrap_or_default();
            let number = after.strip_prefix('s').unwrap_or(after).strip_prefix(' ');
            let is_numbered = number.is_some_and(|number| number.starts_with(|first: char| first.is_ascii_digit()));
            if is_numbered && !TRAPS.iter().any(|list| before.ends_with(list)) {
                found.push((start, "a trap without its list".to_owned()));
            }
        }
        for document in ["contract", "specification"] {
            let silent = format!("{document} is silent");
            found.extend(self.text.match_indices(&silent).map(|(start, _)| (start, format!("a {document}"))));
        }
        for (number, name) in FILES {
            let file = format!("{number}-{name}");
            found.extend(self.text.match_indices(&file).map(|(start, _)| (start, file.clone())));
        }
        found
    }

    /// Whether `title` between `before` and `after` cites a document.
    fn is_title(&self, title: &str, before: &str, after: &str) -> bool {
        let quoted = before.strip_suffix('"');
        let (before, is_quoted) = (quoted.unwrap_or(before), quoted.is_some());
        // In data the whole text is in quotation marks.
        let after = if is_quoted && self.kind != Kind::Data { after.strip_prefix('"').unwrap_or(after) } else { after };
        let has_section = after.strip_prefix(", ").is_some_and(is_section);
        if self.kind == Kind::Data {
            let is_whole = before.ends_with(": ") && title.contains(' ') && after.starts_with('"');
            return is_quoted && (has_section || after.starts_with("; ") || is_whole);
        }
        if self.kind == Kind::Code && !title.contains(' ') {
            return false;
        }
        let opens = [" (", "(see ", "(the ", "; "].iter().any(|opening| before.ends_with(opening));
        // A word such as `schema` may begin an ordinary enumeration.
        let is_unusual = is_quoted || title.contains(' ');
        let follows = has_section
            || (is_unusual && after.starts_with(", "))
            || after.starts_with(')')
            || after.starts_with("; ")
            || after.starts_with(" and \"");
        (opens && follows) || (is_quoted && has_section && !after.starts_with(", \""))
    }
}

/// Whether this may be the name of a section: it is capitalised, quoted, code, or a trap.
fn is_section(text: &str) -> bool {
    let is_name = |first: char| first.is_uppercase() || first == '`';
    text.starts_with(is_name) || ["trap", "\"", "powersync_"].iter().any(|start| text.starts_with(start))
}

/// The comment in a line of code.
fn comment(line: &str) -> Option<&str> {
    let line = line.trim();
    let markers = ["//!", "///", "//", "/*", "<!--", "# ", "-- ", "* "];
    let whole = markers.iter().find_map(|marker| line.strip_prefix(marker));
    whole.or_else(|| line.split_once(" // ").or_else(|| line.split_once("  # ")).map(|(_, comment)| comment))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `_` is a space, `~` an underscore and `^` nothing, so that no line here is a citation itself.
    fn found(path: &str, text: &str) -> usize {
        let text = text.replace('_', " ").replace('~', "_").replace('^', "");
        problems(&TextFile { path: path.to_owned(), text }).len()
    }

    #[track_caller]
    fn assert_found(path: &str, texts: &[&str]) {
        for text in texts {
            assert_eq!(found(path, text), 1, "{path}: {text}");
        }
    }

    #[track_caller]
    fn assert_none(path: &str, texts: &[&str]) {
        for text in texts {
            assert_eq!(found(path, text), 0, "{path}: {text}");
        }
    }

    #[test]
    fn each_old_form_is_found_in_comments() {
        let comments = [
            "Loading_(SQL_interface).",
            "Text_(SQL_interface;_more).",
            "Text_(SQL_interface,_`powersync~diff`).",
            "Text_(sync_client,_The_gate).",
            "Text_(sync_client,_the_table_of_ops).",
            "Text_(sync_protocol,_`data`).",
            "Text_(quality_requirements,_Errors).",
            "Text_(quality,_Size).",
            "Text_(schema,_Raw_tables).",
            "Text_(schema,_\"Binding_JSON_values\").",
            "Text_(schema,_powersync~crud_and_powersync~crud~).",
            "Text_(schema).",
            "Text_(storage,_Migrations).",
            "Text_(the_performance).",
            "Text_(more;_storage,_Migrations).",
            "Text_(\"SQL_interface\").",
            "Text_(\"SQL_interface\",_minimum_version).",
            "Text_(sync_client,_powersync~control).",
            "Text_(\"sync_client\",_Errors).",
            "Text_(\"quality\"_and_\"more\").",
            "Text,_see_\"storage\",_Migrations.",
            "Text_(trap_24).",
            "Text,_traps_2_to_4.",
            "Where_the_contract_is_silent:_text.",
            "Where_the_specification_is_silent:_text.",
            "See_3^0-schema.",
            "See_`5^0-sync-client.md`.",
        ];
        for text in comments {
            for marker in ["//! ", "/// ", "    // ", "let x = 1; // ", "# ", "x = 1  # ", "/* ", " * ", "<!-- "] {
                assert_eq!(found("a.rs", &format!("{marker}{text}")), 1, "{marker}{text}");
            }
            assert_found("a.md", &[text, &format!("|_a_|_{text}_|")]);
        }
    }

    #[test]
    fn a_citation_may_be_split_between_lines() {
        assert_found("a.rs", &["//! text (sync\n//! client, The_gate)", "    /// (quality,\n    /// Size)"]);
        assert_found("a.md", &["Text (schema,\nRaw_tables)."]);
        let problem = problems(&TextFile { path: "a.rs".to_owned(), text: ["//! a\n//! b (sch", "ema)\n"].concat() });
        assert_eq!(problem, ["a.rs:2: cites \"schema\", which is not in the repository"]);
    }

    #[test]
    fn titles_of_two_words_are_found_in_code_and_data_too() {
        assert_found("a.rs", &["assert!(x,_\"text_(sync_client,_Errors)\");", "panic!(\"trap_5\")"]);
        let data = [
            "{\"specification\":_\"schema,_Raw_tables\"}",
            "{\"specification\":_\"sync_protocol\"}",
            "{\"specification\":_\"sync_protocol;_more\"}",
            "{\"specification\":_\"quality,_trap\"}",
            "{\"about\":_\"text,_trap_7\"}",
        ];
        for text in data {
            assert_found("a.json", &[text]);
            assert_found("a.jsonl", &[text]);
        }
    }

    #[test]
    fn other_uses_of_the_words_are_no_problem() {
        assert_none("a.rs", &["fn a(schema: &str) { b (schema); c(storage, X) }", "[\"schema\", \"storage\"]"]);
        assert_none("a.rs", &["// Tables of a source: (schema, table) to columns.", "// the schema, and more"]);
        assert_none("a.rs", &["// (docs/reference/schema.md#raw-tables; docs/reliability.md#traps, trap_23)"]);
        assert_none("a.rs", &["// SAFETY: by contract.", "// each of the 27 traps", "#[schema]"]);
        assert_none("a.md", &["`f(schema)`, the sync client: [trap_1](reliability.md#traps)"]);
        assert_none("a.json", &["{\"schema\": {\"name\": \"schema\"}, \"about\": \"the sync client\"}"]);
        let header = TextFile { path: "tool/sqlite/a.h".to_owned(), text: "** (schema)".to_owned() };
        assert_eq!(check(&[header]), Vec::<Problem>::new());
    }

    #[test]
    fn a_scenario_names_its_section() {
        let path = "tests/scenarios/a.json";
        assert_none(path, &["{\"reference\": \"docs/reference/schema.md#raw-tables\"}"]);
        assert_found(path, &["{}", "{\"reference\": \"raw tables\"}", "{\"reference\": 1}"]);
    }
}
