//! Expressions of rules in the SQL of the database. Each operation gets parentheses and each column its table, so that
//! the database cannot group or resolve anything in another way.

use sync_config::syntax::{Expr, ExprKind, InRight, Name, Operator};
use sync_config::{Code, Diagnostic, Span, Value};

use super::json::pair;
use super::query::Scope;
use super::types::{Ty, Typed, boolean, cast, integer, numeric, small, sql, text, unified};
use super::{Claims, Expression, Part};
use crate::schema::{ColumnType, Dialect, Schema, Table, TypeKind};

pub(super) type Translated<T> = Result<T, Diagnostic>;

/// Translates one expression.
pub(super) struct Translator<'a> {
    pub(super) schema: &'a Schema,
    pub(super) claims: &'a mut Claims,
    /// The FROM clauses around the place, the innermost last.
    pub(super) scopes: Vec<Scope<'a>>,
}

pub(super) fn refused(span: Span, message: impl Into<String>) -> Diagnostic {
    Diagnostic::new(Code::WriteExpression, span, message)
}

impl<'a> Translator<'a> {
    pub(super) fn new(schema: &'a Schema, claims: &'a mut Claims) -> Self {
        Self { schema, claims, scopes: Vec::new() }
    }

    /// Translates a condition over a row of a table.
    pub(super) fn check(mut self, expr: &Expr, table: &'a Table) -> Translated<Expression> {
        self.scopes.push(Scope::of_row(table));
        self.condition(expr)
    }

    /// Translates the value of a column, over no row. A value that is bound stays one.
    pub(super) fn value_of(mut self, expr: &Expr, column: Option<&ColumnType>) -> Translated<Expression> {
        let typed = self.expr(expr)?;
        Ok(match (typed, column) {
            (Typed::Given(part), _) => Expression { parts: vec![part] },
            (Typed::Null, None) => Expression::of("NULL"),
            (typed, Some(column)) => typed.into_type(column),
            (typed, None) => typed.settled().0,
        })
    }

    pub(super) fn is_typed(&self) -> bool {
        self.schema.dialect != Dialect::Sqlite
    }

    /// What the database gives for some SQL.
    pub(super) fn result(&self, sql: Expression, ty: ColumnType) -> Typed {
        if self.is_typed() { Typed::Native(sql, ty) } else { Typed::Untyped(sql) }
    }

    /// A value that is bound.
    pub(super) fn bound(&self, part: Part) -> Typed {
        if self.is_typed() { Typed::Given(part) } else { Typed::Untyped(Expression { parts: vec![part] }) }
    }

    /// A condition in SQL.
    pub(super) fn condition(&mut self, expr: &Expr) -> Translated<Expression> {
        self.expr(expr)?.into_condition(expr.span)
    }

    pub(super) fn expr(&mut self, expr: &Expr) -> Translated<Typed> {
        Ok(match &expr.kind {
            ExprKind::Literal(Value::Null) if self.is_typed() => Typed::Null,
            ExprKind::Literal(Value::Null) => Typed::Untyped(Expression::of("NULL")),
            ExprKind::Literal(value) => self.bound(Part::Value(value.clone())),
            ExprKind::Column { table, column } => self.column(table.as_ref(), column)?,
            ExprKind::Call { schema, name, args } => self.call(schema.as_ref(), name, args, expr.span)?,
            ExprKind::Not(operand) => {
                let operand = self.condition(operand)?;
                self.result(sql!["(NOT ", operand, ")"], boolean())
            }
            ExprKind::Neg(operand) => self.sign("- ", operand)?,
            ExprKind::Plus(operand) => self.sign("+ ", operand)?,
            ExprKind::Binary(operator, left, right) => self.binary(*operator, left, right)?,
            ExprKind::IsBool { expr, value, negated } => {
                let is = if *negated { " IS NOT " } else { " IS " };
                let operand = self.condition(expr)?;
                self.result(sql!["(", operand, is, if *value { "TRUE)" } else { "FALSE)" }], boolean())
            }
            ExprKind::Between { expr, low, high, negated } => {
                let items = vec![self.expr(expr)?, self.expr(low)?, self.expr(high)?];
                let [item, low, high] = <[Expression; 3]>::try_from(unified(items, true).0).unwrap_or_default();
                let between = if *negated { " NOT BETWEEN " } else { " BETWEEN " };
                self.result(sql!["(", item, between, low, " AND ", high, ")"], boolean())
            }
            ExprKind::In { expr, right, negated } => {
                let sql = self.membership(expr, right, *negated)?;
                self.result(sql, boolean())
            }
            ExprKind::Like { expr, pattern, glob, negated } => self.like(expr, pattern, *glob, *negated)?,
            ExprKind::Case { operand, arms, otherwise } => self.case(operand.as_deref(), arms, otherwise.as_deref())?,
            ExprKind::Cast(operand, ty) => self.cast(operand, ty)?,
            ExprKind::Exists(query) => {
                let queried = self.query(query, None)?.into_sql();
                self.result(sql!["EXISTS (", queried, ")"], boolean())
            }
            ExprKind::List(_) => return Err(refused(expr.span, "A list is only supported beside IN")),
            ExprKind::Subquery(_) => {
                return Err(refused(expr.span, "A subquery is only supported after IN, = and EXISTS"));
            }
        })
    }

    fn sign(&mut self, operator: &str, operand: &Expr) -> Translated<Typed> {
        let (operand, ty) = self.expr(operand)?.into_number();
        Ok(ty.with(sql!["(", operator, operand, ")"]))
    }

    fn binary(&mut self, operator: Operator, left: &Expr, right: &Expr) -> Translated<Typed> {
        use Operator::{
            Add, And, Arrow, BitAnd, BitOr, Concat, Div, Eq, Ge, Gt, Is, IsNot, Le, LongArrow, Lt, Mul, Ne, Or, Rem,
            ShiftLeft, ShiftRight, Sub,
        };
        let is_typed = self.is_typed();
        let infix = |left, right| sql!["(", left, " ", symbol(operator, is_typed), " ", right, ")"];
        if !is_typed {
            let (left, right) = (self.expr(left)?.settled().0, self.expr(right)?.settled().0);
            return Ok(Typed::Untyped(infix(left, right)));
        }
        if matches!(operator, Arrow | LongArrow) {
            return self.member(left, right, operator == LongArrow);
        }
        if matches!(operator, And | Or) {
            let (left, right) = (self.condition(left)?, self.condition(right)?);
            return Ok(self.result(infix(left, right), boolean()));
        }
        let (left, right) = (self.expr(left)?, self.expr(right)?);
        Ok(match operator {
            Is | IsNot if matches!(right, Typed::Null) => {
                let is = if operator == Is { " IS NULL)" } else { " IS NOT NULL)" };
                Typed::Native(sql!["(", left.settled().0, is], boolean())
            }
            Eq | Ne | Is | IsNot | Lt | Le | Gt | Ge => {
                let (left, right) = pair(left, right, matches!(operator, Lt | Le | Gt | Ge));
                Typed::Native(infix(left, right), boolean())
            }
            Concat => Typed::Native(infix(left.into_text(), right.into_text()), text()),
            BitAnd | BitOr => Typed::Native(infix(left.into_integer(), right.into_integer()), integer()),
            ShiftLeft | ShiftRight => {
                let bits = cast(right.into_integer(), &small());
                Typed::Native(infix(left.into_integer(), bits), integer())
            }
            Add | Sub | Mul | Div | Rem => {
                let ((left, one), (right, other)) = (left.into_number(), right.into_number());
                let ty = match (one, other) {
                    (Ty::Native(one), Ty::Native(other)) if one.name == other.name => one,
                    (Ty::Native(one), Ty::Native(other)) => match (&one.kind, &other.kind) {
                        (TypeKind::Integer, TypeKind::Integer) => integer(),
                        (TypeKind::Time, _) => one,
                        (_, TypeKind::Time) => other,
                        _ => numeric(),
                    },
                    _ => numeric(),
                };
                Typed::Native(infix(left, right), ty)
            }
            And | Or | Arrow | LongArrow => {
                return Err(refused(Span::default(), "This operator is not supported here"));
            }
        })
    }

    /// Expressions between parentheses, as the database has them.
    pub(super) fn list(&mut self, items: &[Expr]) -> Translated<Expression> {
        let items = items.iter().map(|item| Ok(self.expr(item)?.settled().0)).collect::<Translated<_>>()?;
        Ok(in_parentheses(items))
    }

    fn membership(&mut self, left: &Expr, right: &InRight, negated: bool) -> Translated<Expression> {
        let word = if negated { " NOT IN " } else { " IN " };
        match right {
            InRight::Query(query) => {
                let lefts = match &left.kind {
                    ExprKind::List(items) if items.len() > 1 => items.iter().map(|item| self.expr(item)).collect(),
                    _ => self.expr(left).map(|left| vec![left]),
                }?;
                let queried = self.query(query, Some(lefts.len()))?;
                let (lefts, queried) = queried.beside(lefts);
                let left = match <[Expression; 1]>::try_from(lefts) {
                    Ok([left]) => left,
                    Err(lefts) => in_parentheses(lefts),
                };
                Ok(sql!["(", left, word, "(", queried, "))"])
            }
            InRight::List(items) => {
                let mut all = vec![self.expr(left)?];
                for item in items {
                    all.push(self.expr(item)?);
                }
                let mut all = unified(all, false).0;
                let items = all.split_off(1.min(all.len()));
                let left = all.pop().unwrap_or_default();
                Ok(sql!["(", left, word, in_parentheses(items), ")"])
            }
            InRight::Expr(array) => {
                let left = self.expr(left)?;
                if self.is_typed() {
                    return self.in_array(left, array, negated);
                }
                let array = self.expr(array)?.settled().0;
                Ok(sql!["(", left.settled().0, word, "(SELECT value FROM json_each(", array, ")))"])
            }
        }
    }

    fn like(&mut self, item: &Expr, pattern: &Expr, glob: bool, negated: bool) -> Translated<Typed> {
        let word = match (glob, negated) {
            (false, false) => " LIKE ",
            (false, true) => " NOT LIKE ",
            (true, false) => " GLOB ",
            (true, true) => " NOT GLOB ",
        };
        let (left, right) = (self.expr(item)?, self.expr(pattern)?);
        if !self.is_typed() {
            return Ok(Typed::Untyped(sql!["(", left.settled().0, word, right.settled().0, ")"]));
        }
        if glob {
            return Err(refused(pattern.span, "The database has no GLOB"));
        }
        // Letters of ASCII are alike, as in the language, and nothing else is; nothing escapes.
        let folded = |text: Expression| {
            sql!["translate(", text, ", 'ABCDEFGHIJKLMNOPQRSTUVWXYZ', 'abcdefghijklmnopqrstuvwxyz')"]
        };
        let (left, right) = (folded(left.into_text()), folded(right.into_text()));
        Ok(Typed::Native(sql!["(", left, word, right, " ESCAPE '')"], boolean()))
    }

    pub(super) fn case(
        &mut self,
        operand: Option<&Expr>,
        arms: &[(Expr, Expr)],
        otherwise: Option<&Expr>,
    ) -> Translated<Typed> {
        let mut whens = Vec::with_capacity(arms.len());
        let mut out = Expression::of("(CASE");
        match operand {
            Some(operand) => {
                let mut all = vec![self.expr(operand)?];
                for (when, _) in arms {
                    all.push(self.expr(when)?);
                }
                let mut all = unified(all, false).0.into_iter();
                out = sql![out, " ", all.next().unwrap_or_default()];
                whens.extend(all);
            }
            None => {
                for (when, _) in arms {
                    whens.push(self.condition(when)?);
                }
            }
        }
        let results = arms.iter().map(|(_, then)| then).chain(otherwise);
        let results = results.map(|result| self.expr(result)).collect::<Translated<_>>()?;
        let (results, ty) = unified(results, false);
        let mut results = results.into_iter();
        for (when, then) in whens.into_iter().zip(results.by_ref()) {
            out = sql![out, " WHEN ", when, " THEN ", then];
        }
        if let Some(otherwise) = results.next() {
            out = sql![out, " ELSE ", otherwise];
        }
        Ok(ty.with(sql![out, " END)"]))
    }

    fn cast(&mut self, operand: &Expr, ty: &Name) -> Translated<Typed> {
        let name = ty.text.to_lowercase();
        if !["text", "numeric", "integer", "real", "blob"].contains(&name.as_str()) {
            return Err(Diagnostic::new(Code::UnknownType, ty.span, format!("Unknown type '{}'", ty.text)));
        }
        let operand = self.expr(operand)?;
        if !self.is_typed() {
            return Ok(Typed::Untyped(sql!["CAST(", operand.settled().0, " AS ", &name, ")"]));
        }
        Ok(match name.as_str() {
            "text" => Typed::Native(operand.into_text(), text()),
            "blob" => Typed::Native(operand.into_bytes(), ColumnType::known("bytea", TypeKind::Bytes)),
            "real" => {
                let double = ColumnType::known("float8", TypeKind::Number);
                Typed::Native(operand.into_type(&double), double)
            }
            "integer" => match operand.into_number() {
                (sql, Ty::Native(ty)) if ty.kind == TypeKind::Integer => Typed::Native(sql, ty),
                // The fraction is cut off, not rounded.
                (sql, _) => Typed::Native(cast(sql!["trunc(", sql, ")"], &integer()), integer()),
            },
            _ => Typed::Native(operand.into_type(&numeric()), numeric()),
        })
    }
}

/// A list in SQL.
pub(super) fn in_parentheses(items: Vec<Expression>) -> Expression {
    let mut out = Expression::of("(");
    for (index, item) in items.into_iter().enumerate() {
        if index > 0 {
            out.sql(", ");
        }
        out.append(item);
    }
    out.sql(")");
    out
}

fn symbol(operator: Operator, is_typed: bool) -> &'static str {
    match operator {
        Operator::And => "AND",
        Operator::Or => "OR",
        Operator::Eq => "=",
        Operator::Ne => "<>",
        Operator::Lt => "<",
        Operator::Le => "<=",
        Operator::Gt => ">",
        Operator::Ge => ">=",
        Operator::Is if is_typed => "IS NOT DISTINCT FROM",
        Operator::Is => "IS",
        Operator::IsNot if is_typed => "IS DISTINCT FROM",
        Operator::IsNot => "IS NOT",
        Operator::Add => "+",
        Operator::Sub => "-",
        Operator::Mul => "*",
        Operator::Div => "/",
        Operator::Rem => "%",
        Operator::BitAnd => "&",
        Operator::BitOr => "|",
        Operator::ShiftLeft => "<<",
        Operator::ShiftRight => ">>",
        Operator::Concat => "||",
        Operator::Arrow => "->",
        Operator::LongArrow => "->>",
    }
}
