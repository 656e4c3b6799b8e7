//! Reading a Markdown page: its headings, tables and code blocks. Only what our pages use is understood.

use std::collections::HashMap;

/// A page taken apart. Lines are counted from 1.
#[derive(Debug, Default)]
pub struct Page {
    /// Path from the top of the repository.
    pub path: String,
    /// The headings in order.
    pub headings: Vec<Heading>,
    /// The rows of all tables in order, without header and separator rows.
    pub rows: Vec<Row>,
    /// The code blocks in order.
    pub blocks: Vec<Block>,
    /// All other lines with their numbers. Headings and table rows are among them.
    pub prose: Vec<(usize, String)>,
}

/// A heading.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Heading {
    /// 1 for `#`, 2 for `##`, …
    pub level: usize,
    /// The text without markup.
    pub text: String,
    /// How a link names it.
    pub anchor: String,
    /// The line.
    pub line: usize,
}

/// A row of a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The cells, trimmed.
    pub cells: Vec<String>,
    /// The line.
    pub line: usize,
}

/// A code block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// What follows the opening fence, such as `sql`.
    pub language: String,
    /// The lines between the fences.
    pub lines: Vec<String>,
    /// The line of the opening fence.
    pub line: usize,
}

impl Page {
    /// Reads `text`, the content of the file at `path`.
    pub fn parse(path: &str, text: &str) -> Self {
        let mut page = Self { path: path.to_owned(), ..Self::default() };
        let mut anchors = HashMap::new();
        let mut open: Option<(String, Block)> = None;
        let mut is_table = false;
        for (line, content) in (1..).zip(text.lines()) {
            if let Some((fence, block)) = &mut open {
                if content.trim() == fence {
                    page.blocks.extend(open.take().map(|(_, block)| block));
                } else {
                    block.lines.push(content.to_owned());
                }
                continue;
            }
            if let Some((fence, language)) = opening_fence(content) {
                open = Some((fence, Block { language, lines: Vec::new(), line }));
                is_table = false;
                continue;
            }
            if let Some((level, text)) = heading(content) {
                let text = without_markup(text);
                let anchor = unused_anchor(&text, &mut anchors);
                page.headings.push(Heading { level, text, anchor, line });
            }
            let cells = cells(content);
            // The first row of a table is its header; the second separates.
            if let Some(cells) = cells.clone().filter(|cells| is_table && !is_separator(cells)) {
                page.rows.push(Row { cells, line });
            }
            is_table = cells.is_some();
            page.prose.push((line, content.to_owned()));
        }
        page
    }

    /// The lines, first and behind the last, of the section under the heading `text`; None without it.
    pub fn section(&self, text: &str) -> Option<(usize, usize)> {
        let position = self.headings.iter().position(|heading| heading.text == text)?;
        let heading = self.headings.get(position)?;
        let mut later = self.headings.iter().skip(position + 1);
        let end = later.find(|later| later.level <= heading.level).map_or(usize::MAX, |next| next.line);
        Some((heading.line, end))
    }

    /// The names in the first column of the tables between two lines: see [`code_words`].
    pub fn names(&self, (first, end): (usize, usize)) -> Vec<(&Row, String)> {
        let rows = self.rows.iter().filter(|row| (first..end).contains(&row.line));
        rows.flat_map(|row| row.cells.first().into_iter().flat_map(move |cell| code_words(cell).map(move |w| (row, w))))
            .collect()
    }

    /// All lines.
    pub fn whole(&self) -> (usize, usize) {
        (0, usize::MAX)
    }
}

/// The name that each code span in `text` begins with: letters, digits, `_` and `$`. Of a path such as `a[].b` it is the
/// last part, of a call such as `f(x.y)` what is called.
pub fn code_words(text: &str) -> impl Iterator<Item = String> {
    let is_word = |character: &char| character.is_alphanumeric() || "_$".contains(*character);
    code_spans(text).map(move |span| {
        let path = span.split('(').next().unwrap_or_default();
        let name = path.rsplit('.').next().unwrap_or_default();
        name.trim_matches('"').chars().take_while(is_word).collect()
    })
}

/// The code spans in `text`, without their backquotes.
pub fn code_spans(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

fn opening_fence(line: &str) -> Option<(String, String)> {
    let trimmed = line.trim_start();
    let fence: String = trimmed.chars().take_while(|&character| character == '`').collect();
    (fence.len() >= 3).then(|| (fence.clone(), trimmed.trim_start_matches('`').trim().to_owned()))
}

fn heading(line: &str) -> Option<(usize, &str)> {
    let text = line.trim_start_matches('#');
    let level = line.len() - text.len();
    (1..=6).contains(&level).then(|| text.strip_prefix(' ')).flatten().map(|text| (level, text.trim()))
}

/// The cells of a table's row. A `\|` does not separate.
fn cells(line: &str) -> Option<Vec<String>> {
    let inner = line.trim().strip_prefix('|')?.strip_suffix('|')?;
    let cells = inner.replace("\\|", "\u{1}");
    Some(cells.split('|').map(|cell| cell.trim().replace('\u{1}', "|")).collect())
}

fn is_separator(cells: &[String]) -> bool {
    cells.iter().all(|cell| !cell.is_empty() && cell.chars().all(|character| "-: ".contains(character)))
}

/// The text of a heading as a reader sees it: of links only their text, no backquotes, no asterisks.
fn without_markup(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, link)) = rest.split_once('[') {
        plain.push_str(before);
        let Some((label, after)) = link.split_once("](") else {
            plain.push('[');
            rest = link;
            continue;
        };
        plain.push_str(label);
        rest = after.split_once(')').map_or("", |(_, after)| after);
    }
    plain.push_str(rest);
    plain.replace(['`', '*'], "")
}

/// The anchor that GitHub gives a heading.
fn unused_anchor(text: &str, used: &mut HashMap<String, usize>) -> String {
    let is_kept = |character: &char| character.is_alphanumeric() || " -_".contains(*character);
    let anchor: String = text.to_lowercase().chars().filter(is_kept).collect::<String>().replace(' ', "-");
    let count = used.entry(anchor.clone()).or_default();
    *count += 1;
    if *count == 1 { anchor } else { format!("{anchor}-{}", *count - 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = "# A page\n\n| name | about |\n| --- | --- |\n| [`a(x)`](#b), `c` | d \\| e |\n\n\
                        ## `b` and *c*\n```sql\n# no heading\n| no | row |\n```\n## `b` and *c*\n| `x` | y |\n|---|---|\n\
                        | `z` | |\n";

    #[test]
    fn headings_have_the_anchors_of_github() {
        let page = Page::parse("p.md", PAGE);
        let anchors: Vec<_> = page.headings.iter().map(|heading| heading.anchor.as_str()).collect();
        assert_eq!(anchors, ["a-page", "b-and-c", "b-and-c-1"]);
        assert_eq!(page.headings[1].text, "b and c");
        let one = |text: &str| Page::parse("p.md", &format!("## {text}")).headings.remove(0).anchor;
        assert_eq!(one("powersync_control(op, payload)"), "powersync_controlop-payload");
        assert_eq!(one("When [it](x.md#y) waits: why?"), "when-it-waits-why");
    }

    #[test]
    fn rows_are_those_below_a_header() {
        let page = Page::parse("p.md", PAGE);
        let rows: Vec<_> = page.rows.iter().map(|row| (row.line, row.cells.len(), row.cells[1].as_str())).collect();
        assert_eq!(rows, [(5, 2, "d | e"), (15, 2, "")]);
    }

    #[test]
    fn names_are_found_by_section() {
        let page = Page::parse("p.md", PAGE);
        let names = |lines| page.names(lines).into_iter().map(|(_, name)| name).collect::<Vec<_>>();
        assert_eq!(names(page.whole()), ["a", "c", "z"]);
        assert_eq!(names(page.section("A page").unwrap()), ["a", "c", "z"]);
        assert!(names(page.section("b and c").unwrap()).is_empty());
        assert!(page.section("d").is_none());
    }

    #[test]
    fn a_name_is_the_last_part_of_a_path() {
        let words: Vec<_> = code_words("`a[].b`, `….c`, `f(x.y)`, `\"d\"`, `prio_<n>`, `e: f`").collect();
        assert_eq!(words, ["b", "c", "f", "d", "prio_", "e"]);
    }

    #[test]
    fn code_blocks_are_kept_apart() {
        let page = Page::parse("p.md", PAGE);
        assert_eq!(page.blocks.len(), 1);
        assert_eq!((page.blocks[0].language.as_str(), page.blocks[0].line), ("sql", 8));
        assert_eq!(page.blocks[0].lines, ["# no heading", "| no | row |"]);
    }
}
