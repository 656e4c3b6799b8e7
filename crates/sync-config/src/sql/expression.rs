//! The grammar of expressions: the precedences of the published service, loosest first:
//! OR, AND, NOT, equality, IS, comparison, BETWEEN and IN, bits, addition, multiplication, signs, casts and `->`.

use sqlparser::tokenizer::Token;

use super::ast::{Expr, ExprKind, InRight, Operator};
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

/// More operators than any real query has (lists after IN have none): bounds the depth of the tree, and so the stack.
const MAX_OPERATORS: usize = 500;

pub(super) fn make(kind: ExprKind, span: Span) -> Expr {
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
            while let Some(level) = parser.infix_level().filter(|level| *level >= minimum) {
                parser.operators += 1;
                if parser.operators > MAX_OPERATORS {
                    return Err(parser.error(Code::TooLarge, "The query has too many operators"));
                }
                left = parser.infix(left, level)?;
            }
            Ok(left)
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
