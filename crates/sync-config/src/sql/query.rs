//! The grammar of SELECT statements; see `expression` for the rest.

use sqlparser::tokenizer::Token;

use super::ast::{Expr, FromItem, FromSource, Name, Query, SelectItem};
use super::tokens::{Lexeme, tokenize};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::yaml::Text;

/// Parses the one SELECT statement of `source`; warnings go to `warnings`.
///
/// # Errors
/// The first thing that is not part of the grammar.
pub(crate) fn parse_query(source: &Text, warnings: &mut Vec<Diagnostic>) -> Result<Query, Diagnostic> {
    let tokens = tokenize(source)?;
    let end = source.locate(source.text.len(), source.text.len());
    let mut parser = Parser { source: &source.text, tokens, at: 0, end, depth: 0, operators: 0, warnings };
    let query = parser.query()?;
    while parser.accept(&Token::SemiColon) {}
    if parser.at < parser.tokens.len() {
        if parser.previous_is(&Token::SemiColon) {
            return Err(parser.error(Code::OneStatement, "Only a single SELECT statement is supported"));
        }
        return Err(parser.unexpected("the end of the query"));
    }
    Ok(query)
}

/// Parses the expression that `source` is; warnings go to `warnings`.
///
/// # Errors
/// The first thing that is not part of the grammar.
pub fn parse_expression(source: &Text, warnings: &mut Vec<Diagnostic>) -> Result<Expr, Diagnostic> {
    let tokens = tokenize(source)?;
    let end = source.locate(source.text.len(), source.text.len());
    let mut parser = Parser { source: &source.text, tokens, at: 0, end, depth: 0, operators: 0, warnings };
    let expr = parser.expr()?;
    if parser.at < parser.tokens.len() {
        return Err(parser.unexpected("the end of the expression"));
    }
    Ok(expr)
}

pub(super) type Parsed<T> = Result<T, Diagnostic>;

pub(super) struct Parser<'a> {
    pub(super) source: &'a str,
    pub(super) tokens: Vec<Lexeme>,
    pub(super) at: usize,
    pub(super) end: Span,
    pub(super) depth: usize,
    pub(super) operators: usize,
    pub(super) warnings: &'a mut Vec<Diagnostic>,
}

/// Clauses that end a FROM item or are refused by name.
const REFUSED_CLAUSES: &[(&str, &str)] = &[
    ("group", "GROUP BY"),
    ("having", "HAVING"),
    ("order", "ORDER BY"),
    ("limit", "LIMIT"),
    ("offset", "OFFSET"),
    ("fetch", "FETCH"),
    ("for", "FOR"),
    ("window", "WINDOW"),
    ("union", "UNION"),
    ("intersect", "INTERSECT"),
    ("except", "EXCEPT"),
    ("left", "LEFT JOIN"),
    ("right", "RIGHT JOIN"),
    ("full", "FULL JOIN"),
    ("cross", "CROSS JOIN"),
    ("natural", "NATURAL JOIN"),
    ("lateral", "LATERAL"),
];

impl Parser<'_> {
    pub(super) fn peek(&self) -> Option<&Lexeme> {
        self.tokens.get(self.at)
    }

    pub(super) fn peek_at(&self, ahead: usize) -> Option<&Lexeme> {
        self.tokens.get(self.at + ahead)
    }

    pub(super) fn is(&self, token: &Token) -> bool {
        self.peek().is_some_and(|lexeme| lexeme.token == *token)
    }

    pub(super) fn is_word(&self, word: &str) -> bool {
        self.peek().is_some_and(|lexeme| lexeme.is_word(word))
    }

    fn previous_is(&self, token: &Token) -> bool {
        self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).is_some_and(|lexeme| lexeme.token == *token)
    }

    pub(super) fn accept(&mut self, token: &Token) -> bool {
        let found = self.is(token);
        self.at += usize::from(found);
        found
    }

    pub(super) fn accept_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        self.at += usize::from(found);
        found
    }

    pub(super) fn expect(&mut self, token: &Token, what: &str) -> Parsed<Span> {
        if self.is(token) { Ok(self.advance()) } else { Err(self.unexpected(what)) }
    }

    pub(super) fn expect_word(&mut self, word: &str) -> Parsed<Span> {
        if self.is_word(word) { Ok(self.advance()) } else { Err(self.unexpected(&word.to_uppercase())) }
    }

    /// Takes the next token and gives its place.
    pub(super) fn advance(&mut self) -> Span {
        let span = self.here();
        self.at += 1;
        span
    }

    /// The place of the next token.
    pub(super) fn here(&self) -> Span {
        self.peek().map_or(self.end, |lexeme| lexeme.span)
    }

    /// The place of the token taken last.
    pub(super) fn last(&self) -> Span {
        self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).map_or(self.end, |lexeme| lexeme.span)
    }

    pub(super) fn error(&self, code: Code, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(code, self.here(), message)
    }

    /// The error for a token that does not fit here.
    pub(super) fn unexpected(&self, expected: &str) -> Diagnostic {
        let Some(lexeme) = self.peek() else {
            return self.error(Code::SqlSyntax, format!("The query ends where {expected} was expected"));
        };
        if let Some((_, clause)) = REFUSED_CLAUSES.iter().find(|(word, _)| lexeme.is_word(word)) {
            // A reserved word as a name is the more usual mistake where a name is expected.
            if expected != "a name" && expected != "an expression" {
                return self.error(Code::NotSupported, format!("{clause} is not supported"));
            }
        }
        if let Some(word) = lexeme.word().filter(|_| lexeme.is_reserved()) {
            let message = format!("`{word}` is a reserved word; as a name write \"{word}\"");
            return self.error(Code::ReservedWord, message).with_fix(lexeme.span, format!("\"{word}\""));
        }
        let found = self.source.get(lexeme.text.0..lexeme.text.1).unwrap_or_default();
        self.error(Code::SqlSyntax, format!("Expected {expected}, found '{found}'"))
    }

    pub(super) fn not_supported<T>(&self, what: &str) -> Parsed<T> {
        Err(self.error(Code::NotSupported, format!("{what} is not supported")))
    }

    /// A name; reserved words need quotes.
    pub(super) fn name(&mut self) -> Parsed<Name> {
        match self.peek() {
            Some(lexeme) if matches!(lexeme.token, Token::Word(_)) && !lexeme.is_reserved() => Ok(self.label()),
            _ => Err(self.unexpected("a name")),
        }
    }

    /// A name after `AS` or a dot, where reserved words are fine.
    pub(super) fn any_name(&mut self) -> Parsed<Name> {
        match self.peek() {
            Some(lexeme) if matches!(lexeme.token, Token::Word(_)) => Ok(self.label()),
            _ => Err(self.unexpected("a name")),
        }
    }

    fn label(&mut self) -> Name {
        let (text, quoted) = match self.peek().map(|lexeme| &lexeme.token) {
            Some(Token::Word(word)) if word.quote_style.is_some() => (word.value.clone(), true),
            Some(Token::Word(word)) => (word.value.to_lowercase(), false),
            _ => (String::new(), false),
        };
        Name { text, quoted, span: self.advance() }
    }

    /// Counts nesting, which bounds the use of the stack.
    pub(super) fn nested<T>(&mut self, parse: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= 60 {
            return Err(self.error(Code::TooLarge, "The query is nested too deeply"));
        }
        self.depth += 1;
        let parsed = parse(self);
        self.depth -= 1;
        parsed
    }

    pub(super) fn query(&mut self) -> Parsed<Query> {
        self.nested(Self::select)
    }

    fn select(&mut self) -> Parsed<Query> {
        if self.is_word("with") {
            return self.not_supported("WITH inside a query");
        }
        if self.is_word("values") || self.is(&Token::LParen) {
            return Err(self.error(Code::OneStatement, "Only a single SELECT statement is supported"));
        }
        if !self.is_word("select") {
            return Err(self.error(Code::OneStatement, "Only SELECT statements are supported"));
        }
        let start = self.advance();
        if self.accept_word("distinct") && self.is_word("on") {
            return self.not_supported("DISTINCT ON");
        }
        self.accept_word("all");
        let mut items = Vec::new();
        // A legacy parameter query may select nothing.
        if !self.is_word("from") {
            items.push(self.select_item()?);
            while self.accept(&Token::Comma) {
                items.push(self.select_item()?);
            }
        }
        let mut from = Vec::new();
        if self.accept_word("from") {
            self.parse_from(&mut from)?;
        }
        let filter = if self.accept_word("where") { Some(self.expr()?) } else { None };
        if let Some(lexeme) = self.peek()
            && let Some((_, clause)) = REFUSED_CLAUSES.iter().find(|(word, _)| lexeme.is_word(word))
        {
            return self.not_supported(clause);
        }
        Ok(Query { items, from, filter, span: start.to(self.last()) })
    }

    fn select_item(&mut self) -> Parsed<SelectItem> {
        if self.is(&Token::Mul) {
            return Ok(SelectItem::Star { table: None, span: self.advance() });
        }
        let star = |lexeme: Option<&Lexeme>| lexeme.is_some_and(|lexeme| lexeme.token == Token::Mul);
        let period = |lexeme: Option<&Lexeme>| lexeme.is_some_and(|lexeme| lexeme.token == Token::Period);
        if period(self.peek_at(1)) && star(self.peek_at(2)) {
            let table = self.name()?;
            self.advance();
            let span = table.span.to(self.advance());
            return Ok(SelectItem::Star { table: Some(table), span });
        }
        let start = self.peek().map_or(0, |lexeme| lexeme.text.0);
        let expr = self.expr()?;
        let end = self.at.checked_sub(1).and_then(|at| self.tokens.get(at)).map_or(start, |lexeme| lexeme.text.1);
        let text = self.source.get(start..end).unwrap_or_default().to_owned();
        let alias = self.alias()?;
        Ok(SelectItem::Expr { expr, alias, text })
    }

    /// `[AS] name`
    fn alias(&mut self) -> Parsed<Option<Name>> {
        if self.accept_word("as") {
            return self.any_name().map(Some);
        }
        match self.peek() {
            Some(lexeme) if matches!(lexeme.token, Token::Word(_)) && !lexeme.is_reserved() => self.name().map(Some),
            _ => Ok(None),
        }
    }

    fn parse_from(&mut self, from: &mut Vec<FromItem>) -> Parsed<()> {
        from.push(self.parse_from_item()?);
        loop {
            if self.accept(&Token::Comma) {
                from.push(self.parse_from_item()?);
                continue;
            }
            let inner = self.is_word("inner") && self.peek_at(1).is_some_and(|lexeme| lexeme.is_word("join"));
            if !inner && !self.is_word("join") {
                return Ok(());
            }
            self.at += 1 + usize::from(inner);
            let mut item = self.parse_from_item()?;
            if self.accept_word("on") {
                item.on = Some(self.expr()?);
            } else if self.accept_word("using") {
                self.expect(&Token::LParen, "'('")?;
                item.using.push(self.name()?);
                while self.accept(&Token::Comma) {
                    item.using.push(self.name()?);
                }
                self.expect(&Token::RParen, "')'")?;
            }
            from.push(item);
        }
    }

    fn parse_from_item(&mut self) -> Parsed<FromItem> {
        let start = self.here();
        let call = self.peek_at(1).is_some_and(|lexeme| lexeme.token == Token::LParen);
        let source = if self.accept(&Token::LParen) {
            let query = self.query()?;
            self.expect(&Token::RParen, "')'")?;
            FromSource::Query(Box::new(query))
        } else if call && !self.peek().is_some_and(Lexeme::is_reserved) {
            let name = self.name()?;
            if name.text != "json_each" {
                let message = format!("Unknown table function \"{}\"", name.text);
                return Err(Diagnostic::new(Code::UnknownFunction, name.span, message));
            }
            self.advance();
            let arg: Expr = self.expr()?;
            if self.is(&Token::Comma) {
                return Err(self.error(Code::ArgumentCount, "json_each has one argument here"));
            }
            self.expect(&Token::RParen, "')'")?;
            FromSource::Each(Box::new(arg))
        } else {
            if let Some(word @ ("lateral" | "only")) = self.peek().and_then(Lexeme::word).as_deref() {
                return self.not_supported(&word.to_uppercase());
            }
            let mut names = vec![self.name()?];
            while self.accept(&Token::Period) {
                names.push(self.any_name()?);
            }
            FromSource::Table(names)
        };
        let alias = self.alias()?;
        let mut columns = Vec::new();
        if alias.is_some() && self.is(&Token::LParen) {
            if !matches!(source, FromSource::Query(_)) {
                return self.not_supported("A list of columns after the alias of a table");
            }
            self.advance();
            columns.push(self.name()?);
            while self.accept(&Token::Comma) {
                columns.push(self.name()?);
            }
            self.expect(&Token::RParen, "')'")?;
        }
        if alias.is_none() && matches!(source, FromSource::Query(_)) {
            return Err(self.unexpected("an alias for the subquery"));
        }
        Ok(FromItem { source, alias, columns, on: None, using: Vec::new(), span: start.to(self.last()) })
    }
}
