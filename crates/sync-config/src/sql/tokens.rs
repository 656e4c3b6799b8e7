//! Splits the text of a query into tokens with their places in the file.

use sqlparser::dialect::Dialect;
use sqlparser::tokenizer::{Location, Token, Tokenizer};

use crate::diagnostic::{Code, Diagnostic, Span};
use crate::yaml::Text;

/// Longer queries are refused: the depth of the tree is bounded by their length.
const MAX_TOKENS: usize = 20_000;

/// Words that cannot be names without quotes.
pub(crate) const RESERVED: &[&str] = &[
    "all",
    "analyse",
    "analyze",
    "and",
    "any",
    "array",
    "as",
    "asc",
    "asymmetric",
    "between",
    "both",
    "case",
    "cast",
    "check",
    "collate",
    "column",
    "constraint",
    "create",
    "cross",
    "current_date",
    "current_role",
    "current_time",
    "current_timestamp",
    "current_user",
    "default",
    "deferrable",
    "desc",
    "distinct",
    "do",
    "else",
    "end",
    "except",
    "exists",
    "false",
    "fetch",
    "for",
    "foreign",
    "from",
    "full",
    "glob",
    "grant",
    "group",
    "having",
    "ilike",
    "in",
    "initially",
    "inner",
    "intersect",
    "into",
    "is",
    "isnull",
    "join",
    "lateral",
    "leading",
    "left",
    "like",
    "limit",
    "localtime",
    "localtimestamp",
    "natural",
    "not",
    "notnull",
    "null",
    "offset",
    "on",
    "only",
    "or",
    "order",
    "outer",
    "overlaps",
    "placing",
    "primary",
    "references",
    "returning",
    "right",
    "row",
    "select",
    "session_user",
    "similar",
    "some",
    "symmetric",
    "table",
    "then",
    "to",
    "trailing",
    "true",
    "union",
    "unique",
    "user",
    "using",
    "variadic",
    "when",
    "where",
    "window",
    "with",
];

/// The lexical rules of PostgreSQL that matter here.
#[derive(Debug)]
struct SyncDialect;

impl Dialect for SyncDialect {
    fn is_identifier_start(&self, c: char) -> bool {
        c.is_alphabetic() || c == '_'
    }

    fn is_identifier_part(&self, c: char) -> bool {
        c.is_alphanumeric() || c == '_' || c == '$'
    }

    fn is_delimited_identifier_start(&self, c: char) -> bool {
        c == '"'
    }

    fn supports_string_escape_constant(&self) -> bool {
        true
    }

    fn supports_nested_comments(&self) -> bool {
        true
    }

    fn supports_bitwise_shift_operators(&self) -> bool {
        true
    }
}

/// A token of the query.
#[derive(Clone, Debug)]
pub(crate) struct Lexeme {
    pub(super) token: Token,
    /// Range in the file.
    pub(super) span: Span,
    /// Range in the text of the query.
    pub(super) text: (usize, usize),
}

/// All tokens but white space and comments.
///
/// # Errors
/// An unterminated string or comment, or more tokens than a query may have.
pub(crate) fn tokenize(source: &Text) -> Result<Vec<Lexeme>, Diagnostic> {
    let lines = Lines::new(&source.text);
    let tokens = Tokenizer::new(&SyncDialect, &source.text).tokenize_with_location().map_err(|error| {
        let at = lines.offset(&source.text, error.location);
        Diagnostic::new(Code::SqlSyntax, source.locate(at, at + 1), error.message)
    })?;
    let mut lexemes = Vec::with_capacity(tokens.len());
    for token in tokens {
        if matches!(token.token, Token::Whitespace(_) | Token::EOF) {
            continue;
        }
        let start = lines.offset(&source.text, token.span.start);
        let end = lines.offset(&source.text, token.span.end);
        lexemes.push(Lexeme { token: token.token, span: source.locate(start, end), text: (start, end) });
    }
    if let Some(first_extra) = lexemes.get(MAX_TOKENS) {
        return Err(Diagnostic::new(Code::TooLarge, first_extra.span, "The query is too long"));
    }
    Ok(lexemes)
}

/// Offsets of the lines of a text, to turn the tokenizer's lines and columns into offsets.
struct Lines {
    starts: Vec<usize>,
    /// Then columns are offsets.
    ascii: bool,
}

impl Lines {
    fn new(text: &str) -> Self {
        let starts = std::iter::once(0).chain(text.match_indices('\n').map(|(at, _)| at + 1)).collect();
        Self { starts, ascii: text.is_ascii() }
    }

    fn offset(&self, text: &str, location: Location) -> usize {
        let line = usize::try_from(location.line).unwrap_or(0).saturating_sub(1);
        let column = usize::try_from(location.column).unwrap_or(0).saturating_sub(1);
        let Some(start) = self.starts.get(line) else { return text.len() };
        if self.ascii {
            return (start + column).min(text.len());
        }
        let rest = text.get(*start..).unwrap_or_default();
        start + rest.char_indices().nth(column).map_or(rest.len(), |(at, _)| at)
    }
}

impl Lexeme {
    /// The word in lower case, if this is one without quotes.
    pub(crate) fn word(&self) -> Option<String> {
        match &self.token {
            Token::Word(word) if word.quote_style.is_none() => Some(word.value.to_lowercase()),
            _ => None,
        }
    }

    /// Whether this is the word `expected`, which is in lower case.
    pub(crate) fn is_word(&self, expected: &str) -> bool {
        matches!(&self.token, Token::Word(word)
            if word.quote_style.is_none() && word.value.eq_ignore_ascii_case(expected))
    }

    /// Whether this begins a clause or operator, so that it cannot be an alias without AS.
    pub(crate) fn is_reserved(&self) -> bool {
        matches!(&self.token, Token::Word(word) if word.quote_style.is_none()
            && RESERVED.iter().any(|reserved| word.value.eq_ignore_ascii_case(reserved)))
    }
}
