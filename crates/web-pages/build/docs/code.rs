//! Code with colours: comments, strings, numbers and keywords are marked when the pages are made, so that browsers do not have to.

use super::escaped;

/// How a language is written.
struct Language {
    /// Begins a comment that ends with the line.
    comments: &'static [&'static str],
    /// Begin and end of comments over several lines.
    block_comment: Option<(&'static str, &'static str)>,
    quotes: &'static [char],
    keywords: &'static str,
    /// Whether keywords may be in any case.
    ignores_case: bool,
    /// Whether names before a colon are marked.
    has_members: bool,
    has_numbers: bool,
    /// Whether strings go on in the next line.
    has_long_strings: bool,
}

const PLAIN: Language = Language {
    comments: &[],
    block_comment: None,
    quotes: &[],
    keywords: "",
    ignores_case: false,
    has_members: false,
    has_numbers: false,
    has_long_strings: false,
};
const C_LIKE: Language =
    Language { comments: &["//"], block_comment: Some(("/*", "*/")), quotes: &['"', '\''], has_numbers: true, ..PLAIN };
const SQL: Language = Language {
    comments: &["--", "#>"],
    block_comment: Some(("/*", "*/")),
    quotes: &['\'', '"'],
    keywords: "select from where and or not in is null insert into values update set delete create table view index trigger \
        drop alter add column primary key unique references on conflict do begin commit rollback savepoint release with \
        recursive as union all order by group having limit offset join left inner outer cross case when then else end like glob \
        exists between distinct pragma attach returning if replace instead of before after for each row references default check \
        text integer real blob any virtual using grant to role publication replication login superuser user database temp",
    ignores_case: true,
    has_numbers: true,
    has_long_strings: true,
    ..PLAIN
};

fn language(name: &str) -> Language {
    match name {
        "sql" | "pgsql" => SQL,
        "sh" | "bash" | "console" => Language {
            comments: &["#"],
            quotes: &['\'', '"'],
            keywords: "if then else fi for in do done while export cd sudo",
            has_long_strings: true,
            ..PLAIN
        },
        "js" | "ts" => Language {
            quotes: &['"', '\'', '`'],
            keywords: "import from export default const let var function async await return if else for of in while do new class \
                extends this super throw try catch finally switch case break continue typeof instanceof yield null undefined true \
                false type interface as void static get set delete",
            ..C_LIKE
        },
        "json" => {
            Language { quotes: &['"'], keywords: "true false null", has_members: true, has_numbers: true, ..PLAIN }
        }
        "python" => Language {
            comments: &["#"],
            quotes: &['"', '\''],
            keywords: "import from as def class return if elif else for in while with try except finally raise yield lambda and or \
                not is None True False pass break continue global nonlocal async await assert del",
            has_numbers: true,
            ..PLAIN
        },
        "rust" => Language {
            quotes: &['"'],
            has_long_strings: true,
            keywords: "use mod pub crate fn let mut const static struct enum impl trait for in if else match loop while return break \
                continue move async await self Self where as dyn ref type unsafe true false Ok Err Some None",
            ..C_LIKE
        },
        "c" => Language {
            keywords: "int char void long short unsigned signed double float const static struct enum typedef return if else for while \
                do switch case break continue sizeof extern include define NULL size_t bool true false goto",
            ..C_LIKE
        },
        "dart" | "swift" | "kotlin" => Language {
            keywords: "import final var let val const class struct func fun void async await return if else for in while new this self \
                super try catch throw throws true false null nil static extension package dependencies name products targets",
            ..C_LIKE
        },
        "yaml" => Language {
            comments: &["#"],
            quotes: &['"', '\''],
            keywords: "true false null",
            has_members: true,
            has_numbers: true,
            ..PLAIN
        },
        "toml" | "ruby" => Language {
            comments: &["#"],
            quotes: &['"', '\''],
            keywords: "true false do end def pod target platform",
            ..PLAIN
        },
        "html" => Language { block_comment: Some(("<!--", "-->")), quotes: &['"'], ..PLAIN },
        _ => PLAIN,
    }
}

/// A block of code.
pub(crate) fn block(name: &str, text: &str) -> String {
    let class = if name.is_empty() { "text" } else { name };
    let lines = text.trim_end_matches('\n');
    format!(
        "<div class=\"code\"><pre><code data-language=\"{}\">{}</code></pre></div>\n",
        escaped(class),
        marked(name, lines)
    )
}

/// The language of a file, by its name.
pub(crate) fn of_file(file: &str) -> &str {
    match file.rsplit_once('.').map_or("", |(_, extension)| extension) {
        "rs" => "rust",
        "py" => "python",
        "mjs" | "ts" => "js",
        "h" => "c",
        "yml" => "yaml",
        extension => extension,
    }
}

/// The text with marks.
fn marked(name: &str, text: &str) -> String {
    let language = language(name);
    let mut marker = Marker { out: String::with_capacity(text.len() * 2), plain: String::new(), language, name };
    let mut rest = text;
    let mut starts_line = true;
    while let Some(first) = rest.chars().next() {
        let (kind, length) = marker.token(rest, first, starts_line);
        let (token, after) = rest.split_at(length);
        marker.push(kind, token);
        starts_line = token.ends_with('\n') || (starts_line && token.trim().is_empty());
        rest = after;
    }
    marker.flush();
    marker.out
}

struct Marker<'a> {
    out: String,
    plain: String,
    language: Language,
    name: &'a str,
}

impl Marker<'_> {
    /// The class of the next token, which is empty for none, and its length.
    fn token(&self, rest: &str, first: char, starts_line: bool) -> (&'static str, usize) {
        let line = || rest.find('\n').unwrap_or(rest.len());
        if self.name == "console" && starts_line {
            // What is typed stands out from what is printed.
            return if rest.starts_with("$ ") { ("p", 2) } else { ("o", line().max(1)) };
        }
        let language = &self.language;
        let is_comment = |begin: &str| {
            rest.starts_with(begin) && (starts_line || !self.plain.ends_with(|c: char| !c.is_whitespace()))
        };
        if language.comments.iter().any(|begin| is_comment(begin)) {
            return ("c", line());
        }
        if let Some((begin, end)) = language.block_comment
            && let Some(inner) = rest.strip_prefix(begin)
        {
            return ("c", inner.find(end).map_or(rest.len(), |at| begin.len() + at + end.len()));
        }
        if language.quotes.contains(&first) {
            let length = string(rest, first, language.has_long_strings || first == '`');
            let is_member = language.has_members
                && rest.get(length..).is_some_and(|after| after.trim_start_matches(' ').starts_with(':'));
            return (if is_member { "p" } else { "s" }, length);
        }
        if let Some(inner) = rest.strip_prefix("r#\"").filter(|_| self.name == "rust") {
            return ("s", inner.find("\"#").map_or(rest.len(), |at| at + 5));
        }
        if language.has_numbers && first.is_ascii_digit() {
            return (
                "n",
                rest.find(|c: char| !c.is_ascii_alphanumeric() && c != '.' && c != '_').unwrap_or(rest.len()),
            );
        }
        if first.is_alphabetic() || first == '_' {
            let length = rest
                .find(|c: char| !c.is_alphanumeric() && c != '_' && !(language.has_members && c == '-'))
                .unwrap_or(rest.len());
            return (self.word(rest, length), length);
        }
        ("", first.len_utf8())
    }

    fn word(&self, rest: &str, length: usize) -> &'static str {
        let word = rest.get(..length).unwrap_or_default();
        let is_keyword = self.language.keywords.split_whitespace().any(|keyword| match self.language.ignores_case {
            true => keyword.eq_ignore_ascii_case(word),
            false => keyword == word,
        });
        // `limits.max` and `--text` are no keywords.
        if is_keyword && !self.plain.ends_with(['.', '-', '$']) {
            return "k";
        }
        let is_member = self.language.has_members && rest.get(length..).is_some_and(|after| after.starts_with(':'));
        if is_member { "p" } else { "" }
    }

    fn push(&mut self, kind: &str, token: &str) {
        if kind.is_empty() {
            self.plain.push_str(token);
            return;
        }
        self.flush();
        self.out.push_str(&format!("<span class=\"{kind}\">{}</span>", escaped(token)));
    }

    fn flush(&mut self) {
        self.out.push_str(&escaped(&std::mem::take(&mut self.plain)));
    }
}

/// The length of a string literal. One that ends with its line needs no end.
fn string(rest: &str, quote: char, may_be_long: bool) -> usize {
    let triple: String = std::iter::repeat_n(quote, 3).collect();
    if let Some(inner) = rest.strip_prefix(&triple) {
        return inner.find(&triple).map_or(rest.len(), |at| at + 6);
    }
    let mut is_escaped = false;
    for (at, character) in rest.char_indices().skip(1) {
        match character {
            _ if is_escaped => is_escaped = false,
            '\\' => is_escaped = true,
            '\n' if !may_be_long => return at,
            _ if character == quote => return at + character.len_utf8(),
            _ => {}
        }
    }
    // An apostrophe in a comment or a text that never ends is none.
    quote.len_utf8()
}
