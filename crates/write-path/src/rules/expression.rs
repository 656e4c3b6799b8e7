//! Expressions of rules in the SQL of the database. Each operation gets parentheses and each column its table, so that
//! the database cannot group or resolve anything in another way.

use sync_config::syntax::{Expr, ExprKind, InRight, Name, Operator};
use sync_config::{Code, Diagnostic, Span, Value};

use super::query::Scope;
use super::{Claims, Expression, Part};
use crate::schema::{Schema, Table};

pub(super) type Translated<T> = Result<T, Diagnostic>;

/// Translates one expression.
pub(super) struct Translator<'a> {
    pub(super) schema: &'a Schema,
    pub(super) claims: &'a mut Claims,
    pub(super) out: Expression,
    /// The FROM clauses around the place, the innermost last.
    pub(super) scopes: Vec<Scope<'a>>,
}

pub(super) fn refused(span: Span, message: impl Into<String>) -> Diagnostic {
    Diagnostic::new(Code::WriteExpression, span, message)
}

impl<'a> Translator<'a> {
    pub(super) fn new(schema: &'a Schema, claims: &'a mut Claims) -> Self {
        Self { schema, claims, out: Expression::default(), scopes: Vec::new() }
    }

    /// Translates an expression over a row of a table, or over no row.
    pub(super) fn translate(mut self, expr: &Expr, row: Option<(&str, &'a Table)>) -> Translated<Expression> {
        self.scopes.extend(row.map(|(name, table)| Scope::of_row(name, table)));
        self.expr(expr)?;
        Ok(self.out)
    }

    fn value(&mut self, value: &Value) {
        match value {
            Value::Null => self.out.sql("NULL"),
            value => self.out.parts.push(Part::Value(value.clone())),
        }
    }

    pub(super) fn expr(&mut self, expr: &Expr) -> Translated<()> {
        match &expr.kind {
            ExprKind::Literal(value) => self.value(value),
            ExprKind::Column { table, column } => self.column(table.as_ref(), column)?,
            ExprKind::Call { schema, name, args } => self.call(schema.as_ref(), name, args, expr.span)?,
            ExprKind::Not(operand) => self.unary("NOT ", operand)?,
            ExprKind::Neg(operand) => self.unary("- ", operand)?,
            ExprKind::Plus(operand) => self.unary("+ ", operand)?,
            ExprKind::Binary(operator, left, right) => self.infix(left, symbol(*operator), right)?,
            ExprKind::IsBool { expr, value, negated } => {
                self.out.sql("(");
                self.expr(expr)?;
                self.out.sql(if *negated { " IS NOT " } else { " IS " });
                self.out.sql(if *value { "TRUE)" } else { "FALSE)" });
            }
            ExprKind::Between { expr, low, high, negated } => {
                self.out.sql("(");
                self.expr(expr)?;
                self.out.sql(if *negated { " NOT BETWEEN " } else { " BETWEEN " });
                self.expr(low)?;
                self.out.sql(" AND ");
                self.expr(high)?;
                self.out.sql(")");
            }
            ExprKind::In { expr, right, negated } => self.membership(expr, right, *negated)?,
            ExprKind::Like { expr, pattern, glob, negated } => {
                let operator = match (glob, negated) {
                    (false, false) => "LIKE",
                    (false, true) => "NOT LIKE",
                    (true, false) => "GLOB",
                    (true, true) => "NOT GLOB",
                };
                self.infix(expr, operator, pattern)?;
            }
            ExprKind::Case { operand, arms, otherwise } => {
                self.case(operand.as_deref(), arms, otherwise.as_deref())?;
            }
            ExprKind::Cast(operand, ty) => self.cast(operand, ty)?,
            ExprKind::Exists(query) => {
                self.out.sql("EXISTS (");
                self.query(query, None)?;
                self.out.sql(")");
            }
            ExprKind::List(_) => return Err(refused(expr.span, "A list is only supported beside IN")),
            ExprKind::Subquery(_) => {
                return Err(refused(expr.span, "A subquery is only supported after IN, = and EXISTS"));
            }
        }
        Ok(())
    }

    fn unary(&mut self, operator: &str, operand: &Expr) -> Translated<()> {
        self.out.sql("(");
        self.out.sql(operator);
        self.expr(operand)?;
        self.out.sql(")");
        Ok(())
    }

    fn infix(&mut self, left: &Expr, operator: &str, right: &Expr) -> Translated<()> {
        self.out.sql("(");
        self.expr(left)?;
        self.out.sql(&format!(" {operator} "));
        self.expr(right)?;
        self.out.sql(")");
        Ok(())
    }

    /// Expressions between parentheses.
    pub(super) fn list(&mut self, items: &[Expr]) -> Translated<()> {
        self.out.sql("(");
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.out.sql(", ");
            }
            self.expr(item)?;
        }
        self.out.sql(")");
        Ok(())
    }

    fn membership(&mut self, left: &Expr, right: &InRight, negated: bool) -> Translated<()> {
        self.out.sql("(");
        let width = match (&left.kind, right) {
            (ExprKind::List(items), InRight::Query(_)) if items.len() > 1 => {
                self.list(items)?;
                items.len()
            }
            _ => {
                self.expr(left)?;
                1
            }
        };
        self.out.sql(if negated { " NOT IN " } else { " IN " });
        match right {
            InRight::Query(query) => {
                self.out.sql("(");
                self.query(query, Some(width))?;
                self.out.sql(")");
            }
            InRight::List(items) => self.list(items)?,
            InRight::Expr(array) => {
                self.out.sql("(SELECT value FROM json_each(");
                self.expr(array)?;
                self.out.sql("))");
            }
        }
        self.out.sql(")");
        Ok(())
    }

    pub(super) fn case(
        &mut self,
        operand: Option<&Expr>,
        arms: &[(Expr, Expr)],
        otherwise: Option<&Expr>,
    ) -> Translated<()> {
        self.out.sql("(CASE");
        if let Some(operand) = operand {
            self.out.sql(" ");
            self.expr(operand)?;
        }
        for (when, then) in arms {
            self.out.sql(" WHEN ");
            self.expr(when)?;
            self.out.sql(" THEN ");
            self.expr(then)?;
        }
        if let Some(otherwise) = otherwise {
            self.out.sql(" ELSE ");
            self.expr(otherwise)?;
        }
        self.out.sql(" END)");
        Ok(())
    }

    fn cast(&mut self, operand: &Expr, ty: &Name) -> Translated<()> {
        let name = ty.text.to_lowercase();
        if !["text", "numeric", "integer", "real", "blob"].contains(&name.as_str()) {
            return Err(Diagnostic::new(Code::UnknownType, ty.span, format!("Unknown type '{}'", ty.text)));
        }
        self.out.sql("CAST(");
        self.expr(operand)?;
        self.out.sql(&format!(" AS {name})"));
        Ok(())
    }
}

fn symbol(operator: Operator) -> &'static str {
    match operator {
        Operator::And => "AND",
        Operator::Or => "OR",
        Operator::Eq => "=",
        Operator::Ne => "<>",
        Operator::Lt => "<",
        Operator::Le => "<=",
        Operator::Gt => ">",
        Operator::Ge => ">=",
        Operator::Is => "IS",
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
