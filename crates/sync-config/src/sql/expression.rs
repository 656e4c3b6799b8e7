//! The grammar of expressions: the precedences of the published service, loosest first:
//! OR, AND, NOT, equality, IS, comparison, BETWEEN and IN, bits, addition, multiplication, signs, casts and `->`.

use sqlparser::tokenizer::Token;

use super::ast::{Expr, ExprKind, InRight, Name, Operator};
use super::precedence::ambiguous;
use super::query::{Parsed, Parser};
use super::tokens::Lexeme;
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::value::Value;

const OR: u8 = 1;
const AND: u8 = 2;
const NOT: u8 = 3;
const EQUALITY: u8 = 4;
const IS: u8 = 5;
const COMPARISON: u8 = 6;
const MEMBERSHIP: u8 = 7;
const BITS: u8 = 8;
const ADD: u8 = 9;
const MUL: u8 = 10;
const SIGN: u8 = 11;
const POSTFIX: u8 = 12;

/// More operators in a row than any real query has; bounds the use of the stack.
const MAX_CHAIN: usize = 300;

fn make(kind: ExprKind, span: Span) -> Expr {
    Expr { kind, span, parens: false }
}

impl Parser<'_> {
    /// An expression.
    pub(super) fn expr(&mut self) -> Parsed<Expr> {
        self.operators(0)
    }

    /// An expression of operators that bind at least as tightly as `minimum`.
    fn operators(&mut self, minimum: u8) -> Parsed<Expr> {
        self.nested(|parser| {
            let mut left = parser.prefix()?;
            for _ in 0..MAX_CHAIN {
                match parser.infix_level() {
                    Some(level) if level >= minimum => left = parser.infix(left, level)?,
                    _ => return Ok(left),
                }
            }
            Err(parser.error(Code::TooLarge, "Too many operators without parentheses"))
        })
    }

    fn prefix(&mut self) -> Parsed<Expr> {
        let start = self.here();
        if self.accept_word("not") {
            let operand = self.operators(NOT)?;
            let span = start.to(operand.span);
            return Ok(make(ExprKind::Not(Box::new(operand)), span));
        }
        if self.accept(&Token::Plus) {
            let operand = self.operators(SIGN)?;
            let span = start.to(operand.span);
            return Ok(make(ExprKind::Plus(Box::new(operand)), span));
        }
        if self.accept(&Token::Minus) {
            // The smallest integer is no negated literal.
            if let Some(Token::Number(digits, _)) = self.peek().map(|lexeme| &lexeme.token)
                && digits == "9223372036854775808"
            {
                let span = start.to(self.advance());
                return Ok(make(ExprKind::Literal(Value::Integer(i64::MIN)), span));
            }
            let operand = self.operators(SIGN)?;
            let span = start.to(operand.span);
            return Ok(make(ExprKind::Neg(Box::new(operand)), span));
        }
        self.primary()
    }

    /// How tightly the operator here binds, if there is one.
    fn infix_level(&self) -> Option<u8> {
        let lexeme = self.peek()?;
        Some(match &lexeme.token {
            Token::Eq | Token::DoubleEq | Token::Neq => EQUALITY,
            Token::Lt | Token::Gt | Token::LtEq | Token::GtEq => COMPARISON,
            Token::Ampersand | Token::Pipe | Token::ShiftLeft | Token::ShiftRight | Token::Overlap => BITS,
            Token::Plus | Token::Minus | Token::StringConcat => ADD,
            Token::Mul | Token::Div | Token::Mod => MUL,
            Token::DoubleColon | Token::Arrow | Token::LongArrow => POSTFIX,
            Token::Word(word) if word.quote_style.is_none() => match lexeme.word()?.as_str() {
                "or" => OR,
                "and" => AND,
                "is" => IS,
                "isnull" | "notnull" => IS,
                "between" | "in" | "like" | "glob" | "ilike" | "similar" => MEMBERSHIP,
                "not" => match self.peek_at(1).and_then(Lexeme::word).as_deref() {
                    Some("between" | "in" | "like" | "glob" | "ilike" | "similar") => MEMBERSHIP,
                    _ => return None,
                },
                _ => return None,
            },
            _ => return None,
        })
    }

    fn infix(&mut self, left: Expr, level: u8) -> Parsed<Expr> {
        let expr = match level {
            IS => self.is_operator(left)?,
            MEMBERSHIP => self.membership(left)?,
            POSTFIX if self.is(&Token::DoubleColon) => {
                self.advance();
                let ty = self.type_name()?;
                let span = left.span.to(self.last());
                make(ExprKind::Cast(Box::new(left), ty), span)
            }
            _ => self.binary(left, level)?,
        };
        let operands: Vec<&Expr> = match &expr.kind {
            ExprKind::Binary(_, left, right) => vec![left, right],
            ExprKind::Cast(operand, _) => vec![operand],
            _ => Vec::new(),
        };
        if let Some(operand) = operands.into_iter().find(|operand| ambiguous(&expr, operand)) {
            let message = "PostgreSQL or SQLite would group this differently";
            self.warnings.push(Diagnostic::new(Code::AddParentheses, operand.span, message));
        }
        Ok(expr)
    }

    fn binary(&mut self, left: Expr, level: u8) -> Parsed<Expr> {
        let Some(operator) = self.peek().and_then(binary_operator) else {
            return self.not_supported("The operator &&");
        };
        self.advance();
        if operator == Operator::Eq
            && self.is_word("any")
            && self.peek_at(1).is_some_and(|lexeme| lexeme.token == Token::LParen)
        {
            self.at += 2;
            let right = self.in_parens_after_open()?;
            let span = left.span.to(self.last());
            return Ok(make(ExprKind::In { expr: Box::new(left), right, negated: false }, span));
        }
        let right = self.operators(level + 1)?;
        let span = left.span.to(right.span);
        if let (Operator::Eq, ExprKind::Subquery(query)) = (operator, &right.kind) {
            let right = InRight::Query(query.clone());
            return Ok(make(ExprKind::In { expr: Box::new(left), right, negated: false }, span));
        }
        Ok(make(ExprKind::Binary(operator, Box::new(left), Box::new(right)), span))
    }

    fn is_operator(&mut self, left: Expr) -> Parsed<Expr> {
        let null = |expr: Expr, span: Span, negated: bool| {
            let operator = if negated { Operator::IsNot } else { Operator::Is };
            let right = make(ExprKind::Literal(Value::Null), span);
            make(ExprKind::Binary(operator, Box::new(expr), Box::new(right)), span)
        };
        if self.is_word("isnull") || self.is_word("notnull") {
            let negated = self.is_word("notnull");
            let span = left.span.to(self.advance());
            return Ok(null(left, span, negated));
        }
        self.advance();
        let negated = self.accept_word("not");
        if self.is_word("null") {
            let span = left.span.to(self.advance());
            return Ok(null(left, span, negated));
        }
        if self.is_word("true") || self.is_word("false") {
            let value = self.is_word("true");
            let span = left.span.to(self.advance());
            return Ok(make(ExprKind::IsBool { expr: Box::new(left), value, negated }, span));
        }
        let distinct = self.is_word("distinct");
        if distinct {
            self.advance();
            self.expect_word("from")?;
        }
        let right = self.operators(COMPARISON)?;
        let span = left.span.to(right.span);
        let operator = if negated == distinct { Operator::Is } else { Operator::IsNot };
        Ok(make(ExprKind::Binary(operator, Box::new(left), Box::new(right)), span))
    }

    fn membership(&mut self, left: Expr) -> Parsed<Expr> {
        let negated = self.accept_word("not");
        if self.accept_word("between") {
            let low = self.operators(BITS)?;
            self.expect_word("and")?;
            let high = self.operators(BITS)?;
            let span = left.span.to(high.span);
            let (expr, low, high) = (Box::new(left), Box::new(low), Box::new(high));
            return Ok(make(ExprKind::Between { expr, low, high, negated }, span));
        }
        if self.is_word("like") || self.is_word("glob") {
            let glob = self.is_word("glob");
            self.advance();
            let pattern = self.operators(BITS)?;
            if self.is_word("escape") {
                return self.not_supported("ESCAPE");
            }
            let span = left.span.to(pattern.span);
            let (expr, pattern) = (Box::new(left), Box::new(pattern));
            return Ok(make(ExprKind::Like { expr, pattern, glob, negated }, span));
        }
        if !self.accept_word("in") {
            let word = self.peek().and_then(Lexeme::word).unwrap_or_default().to_uppercase();
            return self.not_supported(&word);
        }
        let right = if self.accept(&Token::LParen) {
            self.in_parens_after_open()?
        } else {
            let right = self.operators(BITS)?;
            match right.kind {
                ExprKind::List(items) => InRight::List(items),
                _ => InRight::Expr(Box::new(right)),
            }
        };
        let span = left.span.to(self.last());
        Ok(make(ExprKind::In { expr: Box::new(left), right, negated }, span))
    }

    /// The rest of `IN (…`: a query, a list, or one expression that gives a JSON array.
    fn in_parens_after_open(&mut self) -> Parsed<InRight> {
        if self.is_word("select") {
            let query = self.query()?;
            self.expect(&Token::RParen, "')'")?;
            return Ok(InRight::Query(Box::new(query)));
        }
        let mut items = Vec::new();
        if !self.is(&Token::RParen) {
            items.push(self.expr()?);
            while self.accept(&Token::Comma) {
                items.push(self.expr()?);
            }
        }
        self.expect(&Token::RParen, "')'")?;
        if items.len() == 1
            && let Some(item) = items.pop()
        {
            return Ok(match item.kind {
                ExprKind::Literal(_) | ExprKind::Neg(_) => InRight::List(vec![item]),
                ExprKind::List(items) => InRight::List(items),
                ExprKind::Subquery(query) => InRight::Query(query),
                _ => InRight::Expr(Box::new(item)),
            });
        }
        Ok(InRight::List(items))
    }

    pub(super) fn type_name(&mut self) -> Parsed<Name> {
        let name = self.any_name()?;
        if self.is(&Token::LParen) || self.is(&Token::LBracket) {
            return self.not_supported("A type with arguments");
        }
        Ok(name)
    }

    fn primary(&mut self) -> Parsed<Expr> {
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

fn binary_operator(lexeme: &Lexeme) -> Option<Operator> {
    Some(match &lexeme.token {
        Token::Eq | Token::DoubleEq => Operator::Eq,
        Token::Neq => Operator::Ne,
        Token::Lt => Operator::Lt,
        Token::Gt => Operator::Gt,
        Token::LtEq => Operator::Le,
        Token::GtEq => Operator::Ge,
        Token::Ampersand => Operator::BitAnd,
        Token::Pipe => Operator::BitOr,
        Token::ShiftLeft => Operator::ShiftLeft,
        Token::ShiftRight => Operator::ShiftRight,
        Token::Plus => Operator::Add,
        Token::Minus => Operator::Sub,
        Token::StringConcat => Operator::Concat,
        Token::Mul => Operator::Mul,
        Token::Div => Operator::Div,
        Token::Mod => Operator::Rem,
        Token::Arrow => Operator::Arrow,
        Token::LongArrow => Operator::LongArrow,
        Token::Word(_) if lexeme.is_word("or") => Operator::Or,
        Token::Word(_) if lexeme.is_word("and") => Operator::And,
        _ => return None,
    })
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
