//! The grammar of what operators stand between: literals, columns, calls, CASE, CAST, lists and parentheses.

use sqlparser::tokenizer::Token;

use super::ast::{Expr, ExprKind, Name};
use super::expression::make;
use super::query::{Parsed, Parser};
use crate::diagnostic::{Code, Diagnostic};
use crate::value::Value;

impl Parser<'_> {
    pub(super) fn type_name(&mut self) -> Parsed<Name> {
        let name = self.any_name()?;
        if self.is(&Token::LParen) || self.is(&Token::LBracket) {
            return self.not_supported("A type with arguments");
        }
        Ok(name)
    }

    pub(super) fn primary(&mut self) -> Parsed<Expr> {
        let span = self.here();
        let Some(lexeme) = self.peek().cloned() else { return Err(self.unexpected("an expression")) };
        let literal = |value| make(ExprKind::Literal(value), span);
        match &lexeme.token {
            Token::Number(text, _) => {
                let value = number(text).ok_or_else(|| self.error(Code::BadValue, "This number is out of range"))?;
                self.advance();
                Ok(literal(value))
            }
            Token::SingleQuotedString(text) | Token::EscapedStringLiteral(text) => {
                self.advance();
                Ok(literal(Value::Text(text.clone())))
            }
            Token::HexStringLiteral(text) => {
                let blob =
                    blob(text).ok_or_else(|| self.error(Code::SqlSyntax, "A blob has an even count of digits"))?;
                self.advance();
                Ok(literal(Value::Blob(blob)))
            }
            Token::LParen => self.parentheses(),
            Token::Word(word) if word.quote_style.is_none() => match lexeme.word().unwrap_or_default().as_str() {
                "null" => Ok(literal(self.take(Value::Null))),
                "true" => Ok(literal(self.take(Value::Integer(1)))),
                "false" => Ok(literal(self.take(Value::Integer(0)))),
                "case" => self.case(),
                "cast" => self.cast(),
                "array" | "row" => self.list(),
                "exists" => self.exists(),
                _ => self.reference(),
            },
            Token::Word(_) => self.reference(),
            _ => Err(self.unexpected("an expression")),
        }
    }

    fn take(&mut self, value: Value) -> Value {
        self.advance();
        value
    }

    fn parentheses(&mut self) -> Parsed<Expr> {
        let start = self.advance();
        if self.is_word("select") {
            let query = self.query()?;
            let span = start.to(self.expect(&Token::RParen, "')'")?);
            return Ok(make(ExprKind::Subquery(Box::new(query)), span));
        }
        let mut items = vec![self.expr()?];
        while self.accept(&Token::Comma) {
            items.push(self.expr()?);
        }
        let span = start.to(self.expect(&Token::RParen, "')'")?);
        match (items.len(), items.pop()) {
            (1, Some(inner)) => Ok(Expr { kind: inner.kind, span, parens: true }),
            (_, last) => {
                items.extend(last);
                Ok(make(ExprKind::List(items), span))
            }
        }
    }

    fn list(&mut self) -> Parsed<Expr> {
        let row = self.is_word("row");
        let (open, close) = if row { (Token::LParen, Token::RParen) } else { (Token::LBracket, Token::RBracket) };
        let start = self.advance();
        self.expect(&open, if row { "'('" } else { "'['" })?;
        let mut items = Vec::new();
        if !self.is(&close) {
            items.push(self.expr()?);
            while self.accept(&Token::Comma) {
                items.push(self.expr()?);
            }
        }
        let span = start.to(self.expect(&close, if row { "')'" } else { "']'" })?);
        Ok(make(ExprKind::List(items), span))
    }

    fn exists(&mut self) -> Parsed<Expr> {
        let start = self.advance();
        self.expect(&Token::LParen, "'('")?;
        let query = self.query()?;
        let span = start.to(self.expect(&Token::RParen, "')'")?);
        Ok(make(ExprKind::Exists(Box::new(query)), span))
    }

    fn case(&mut self) -> Parsed<Expr> {
        let start = self.advance();
        let operand = if self.is_word("when") { None } else { Some(Box::new(self.expr()?)) };
        let mut arms = Vec::new();
        while self.accept_word("when") {
            let condition = self.expr()?;
            self.expect_word("then")?;
            arms.push((condition, self.expr()?));
        }
        if arms.is_empty() {
            return Err(self.unexpected("WHEN"));
        }
        let otherwise = if self.accept_word("else") { Some(Box::new(self.expr()?)) } else { None };
        let span = start.to(self.expect_word("end")?);
        Ok(make(ExprKind::Case { operand, arms, otherwise }, span))
    }

    fn cast(&mut self) -> Parsed<Expr> {
        let start = self.advance();
        self.expect(&Token::LParen, "'('")?;
        let operand = self.expr()?;
        self.expect_word("as")?;
        let ty = self.type_name()?;
        let span = start.to(self.expect(&Token::RParen, "')'")?);
        Ok(make(ExprKind::Cast(Box::new(operand), ty), span))
    }

    /// A column, or a call of a function.
    fn reference(&mut self) -> Parsed<Expr> {
        let first = self.name()?;
        let (qualifier, name) =
            if self.accept(&Token::Period) { (Some(first), self.any_name()?) } else { (None, first) };
        if self.is(&Token::Period) {
            return self.not_supported("A column with a schema");
        }
        if self.is(&Token::LParen) {
            return self.call(qualifier, name);
        }
        let span = qualifier.as_ref().map_or(name.span, |table| table.span.to(name.span));
        Ok(make(ExprKind::Column { table: qualifier, column: name }, span))
    }

    fn call(&mut self, schema: Option<Name>, name: Name) -> Parsed<Expr> {
        self.advance();
        if self.is(&Token::Mul) || self.is_word("distinct") {
            let message = format!("Unknown function \"{}\"", name.text);
            return Err(Diagnostic::new(Code::UnknownFunction, name.span, message));
        }
        let mut args = Vec::new();
        if !self.is(&Token::RParen) {
            args.push(self.expr()?);
            if schema.is_none() && matches!(name.text.as_str(), "substring") && self.accept_word("from") {
                args.push(self.expr()?);
                if self.accept_word("for") {
                    args.push(self.expr()?);
                }
            }
            while self.accept(&Token::Comma) {
                args.push(self.expr()?);
            }
        }
        let close = self.expect(&Token::RParen, "')'")?;
        if self.is_word("over") || self.is_word("filter") {
            return self.not_supported("A window function");
        }
        let span = schema.as_ref().map_or(name.span, |schema| schema.span).to(close);
        Ok(make(ExprKind::Call { schema, name, args }, span))
    }
}

fn number(text: &str) -> Option<Value> {
    if text.bytes().all(|byte| byte.is_ascii_digit())
        && let Ok(integer) = text.parse()
    {
        return Some(Value::Integer(integer));
    }
    text.parse().ok().filter(|real: &f64| real.is_finite()).map(Value::Real)
}

fn blob(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u8>> = text.chars().map(|c| c.to_digit(16).map(|digit| digit as u8)).collect();
    let digits = digits?;
    let (pairs, rest) = digits.as_chunks::<2>();
    rest.is_empty().then(|| pairs.iter().map(|[high, low]| high << 4 | low).collect())
}
