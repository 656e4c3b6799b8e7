//! Expressions without subqueries: from syntax to compiled form.

use super::scope::{Builder, Built, Scope};
use super::terms::{Ref, compare, list_item, numeric_array};
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::expr::{CastType, Expr, Function, Operator};
use crate::options::ColumnKind;
use crate::plan::{RequestRef, RowRef};
use crate::sql::ast::{self, ExprKind, InRight, Name};
use crate::value::Value;

pub(crate) fn not_supported(span: Span, message: &str) -> Diagnostic {
    Diagnostic::new(Code::NotSupported, span, message)
}

/// The operator of compiled expressions; none for AND and OR.
fn operator(operator: ast::Operator) -> Option<Operator> {
    Some(match operator {
        ast::Operator::And | ast::Operator::Or => return None,
        ast::Operator::Eq => Operator::Eq,
        ast::Operator::Ne => Operator::Ne,
        ast::Operator::Lt => Operator::Lt,
        ast::Operator::Le => Operator::Le,
        ast::Operator::Gt => Operator::Gt,
        ast::Operator::Ge => Operator::Ge,
        ast::Operator::Is => Operator::Is,
        ast::Operator::IsNot => Operator::IsNot,
        ast::Operator::Add => Operator::Add,
        ast::Operator::Sub => Operator::Sub,
        ast::Operator::Mul => Operator::Mul,
        ast::Operator::Div => Operator::Div,
        ast::Operator::Rem => Operator::Rem,
        ast::Operator::BitAnd => Operator::BitAnd,
        ast::Operator::BitOr => Operator::BitOr,
        ast::Operator::ShiftLeft => Operator::ShiftLeft,
        ast::Operator::ShiftRight => Operator::ShiftRight,
        ast::Operator::Concat => Operator::Concat,
        ast::Operator::Arrow => Operator::Arrow,
        ast::Operator::LongArrow => Operator::LongArrow,
    })
}

fn is_comparison(operator: Operator) -> bool {
    matches!(
        operator,
        Operator::Eq
            | Operator::Ne
            | Operator::Lt
            | Operator::Le
            | Operator::Gt
            | Operator::Ge
            | Operator::Is
            | Operator::IsNot
    )
}

fn negate_if(negated: bool, expr: Expr<Ref>) -> Expr<Ref> {
    if negated { Expr::Not(Box::new(expr)) } else { expr }
}

impl Builder<'_> {
    /// Compiles an expression that has no subquery.
    pub(super) fn lower(&mut self, expr: &ast::Expr, scope: &Scope<'_>) -> Built<Expr<Ref>> {
        Ok(match &expr.kind {
            ExprKind::Literal(value) => Expr::Literal(value.clone()),
            ExprKind::Column { table, column } => self.column(table.as_ref(), column, scope)?,
            ExprKind::Call { schema, name, args } => self.call(schema.as_ref(), name, args, expr.span, scope)?,
            ExprKind::Not(operand) => Expr::Not(Box::new(self.lower(operand, scope)?)),
            ExprKind::Neg(operand) => Expr::Neg(Box::new(self.lower(operand, scope)?)),
            // A sign keeps the value but ends the influence of a CAST on comparisons, as a function does.
            ExprKind::Plus(operand) => Expr::Call(Function::Coalesce, vec![self.lower(operand, scope)?]),
            ExprKind::Binary(ast::Operator::And, left, right) => {
                Expr::And(vec![self.lower(left, scope)?, self.lower(right, scope)?])
            }
            ExprKind::Binary(ast::Operator::Or, left, right) => {
                Expr::Or(vec![self.lower(left, scope)?, self.lower(right, scope)?])
            }
            ExprKind::Binary(kind, left, right) => self.binary(*kind, left, right, expr.span, scope)?,
            ExprKind::IsBool { expr, value, negated } => {
                Expr::IsBool { expr: Box::new(self.lower(expr, scope)?), value: *value, negated: *negated }
            }
            ExprKind::Between { expr, low, high, negated } => {
                let operand = self.lower(expr, scope)?;
                let low = compare(Operator::Ge, operand.clone(), self.lower(low, scope)?);
                let high = compare(Operator::Le, operand, self.lower(high, scope)?);
                negate_if(*negated, Expr::And(vec![low, high]))
            }
            ExprKind::In { expr: left, right, negated } => {
                if matches!(left.kind, ExprKind::List(_)) {
                    return Err(not_supported(left.span, "Row values are only supported before IN (SELECT …)"));
                }
                let left = self.lower(left, scope)?;
                negate_if(*negated, self.in_values(left, right, expr.span, scope)?)
            }
            ExprKind::Like { expr, pattern, glob, negated } => {
                let operator = if *glob { Operator::Glob } else { Operator::Like };
                let like = Expr::binary(operator, self.lower(expr, scope)?, self.lower(pattern, scope)?);
                negate_if(*negated, like)
            }
            ExprKind::Case { operand, arms, otherwise } => self.case(operand, arms, otherwise, scope)?,
            ExprKind::Cast(operand, ty) => Expr::Cast(cast_type(ty)?, Box::new(self.lower(operand, scope)?)),
            ExprKind::List(_) => return Err(not_supported(expr.span, "A list is only supported after IN")),
            ExprKind::Exists(_) => {
                return Err(not_supported(expr.span, "EXISTS is only supported as a condition of WHERE or ON"));
            }
            ExprKind::Subquery(_) => {
                return Err(not_supported(expr.span, "A subquery is only supported after IN or `=`, in WHERE or ON"));
            }
        })
    }

    fn binary(
        &mut self,
        kind: ast::Operator,
        left_ast: &ast::Expr,
        right_ast: &ast::Expr,
        span: Span,
        scope: &Scope<'_>,
    ) -> Built<Expr<Ref>> {
        let left = self.lower(left_ast, scope)?;
        let right = self.lower(right_ast, scope)?;
        let Some(operator) = operator(kind) else {
            debug_assert!(false, "AND and OR are handled before");
            return Ok(Expr::And(vec![left, right]));
        };
        if matches!(operator, Operator::Arrow | Operator::LongArrow) {
            let right = self.json_key(right, right_ast.span)?;
            return Ok(Expr::binary(operator, left, right));
        }
        if is_comparison(operator) {
            if operator == Operator::Eq {
                self.check_types(&left, &right, span);
            }
            return Ok(compare(operator, left, right));
        }
        Ok(Expr::binary(operator, left, right))
    }

    /// The right side of `->`: without `fixed_json_extract`, a text with dots is a path.
    fn json_key(&self, key: Expr<Ref>, span: Span) -> Built<Expr<Ref>> {
        match &key {
            Expr::Literal(Value::Text(text)) => {
                if text.starts_with('$') && crate::value::json::parse_path(text).is_none() {
                    return Err(Diagnostic::new(Code::BadValue, span, "This is not a JSON path"));
                }
                if !self.context.settings.fixed_json_extract && !text.starts_with('$') && text.contains('.') {
                    let steps: Vec<String> =
                        text.split('.').map(|key| format!(".\"{}\"", key.replace('"', "\\u0022"))).collect();
                    return Ok(Expr::Literal(Value::Text(format!("${}", steps.concat()))));
                }
                Ok(key)
            }
            Expr::Literal(_) => Ok(key),
            _ if !self.context.settings.fixed_json_extract => {
                Err(not_supported(span, "A computed key is not supported without `fixed_json_extract`"))
            }
            _ => Ok(key),
        }
    }

    /// Warns where a text parameter is compared with a column of numbers.
    fn check_types(&mut self, left: &Expr<Ref>, right: &Expr<Ref>, span: Span) {
        let Some(schema) = &self.context.options.source_schema else { return };
        let number_column = |expr: &Expr<Ref>| match expr {
            Expr::Ref(Ref::Row(id, RowRef::Column(name))) => match self.sources.get(*id).map(|source| &source.kind) {
                Some(super::terms::SourceKind::Table { pattern, .. }) => schema
                    .tables
                    .iter()
                    .filter(|((schema, table), _)| pattern.suffix(None, schema, table).is_some())
                    .flat_map(|(_, columns)| columns)
                    .any(|column| column.name == *name && column.kind == ColumnKind::Number),
                _ => false,
            },
            _ => false,
        };
        let text = |expr: &Expr<Ref>| match expr {
            Expr::Literal(Value::Text(_)) => true,
            // The user's id is a text in a JWT.
            Expr::Binary(Operator::LongArrow, left, right) => {
                matches!(**left, Expr::Ref(Ref::Request(RequestRef::Auth)))
                    && matches!(&**right, Expr::Literal(Value::Text(key)) if key == "sub")
            }
            _ => false,
        };
        if (number_column(left) && text(right)) || (number_column(right) && text(left)) {
            let message = "This compares a text with a column of numbers, which is never equal";
            self.findings.push(Diagnostic::new(Code::TypeMismatch, span, message));
        }
    }

    fn in_values(&mut self, left: Expr<Ref>, right: &InRight, span: Span, scope: &Scope<'_>) -> Built<Expr<Ref>> {
        match right {
            InRight::Query(_) => {
                Err(not_supported(span, "IN (SELECT …) is only supported as a condition of WHERE or ON"))
            }
            InRight::List(items) => {
                let mut list = Vec::with_capacity(items.len());
                for item in items {
                    let item = self.lower(item, scope)?;
                    list.push(list_item(&left, item));
                }
                Ok(Expr::In(Box::new(left), list))
            }
            InRight::Expr(array) => {
                let array = self.lower(array, scope)?;
                let numeric = numeric_array(&left);
                Ok(Expr::InArray(Box::new(left), Box::new(array), numeric))
            }
        }
    }

    fn case(
        &mut self,
        operand: &Option<Box<ast::Expr>>,
        arms: &[(ast::Expr, ast::Expr)],
        otherwise: &Option<Box<ast::Expr>>,
        scope: &Scope<'_>,
    ) -> Built<Expr<Ref>> {
        let operand = operand.as_ref().map(|operand| self.lower(operand, scope)).transpose()?;
        let mut lowered = Vec::with_capacity(arms.len());
        for (when, then) in arms {
            let when = self.lower(when, scope)?;
            // With an operand each arm is a comparison; conversions make it differ from arm to arm.
            let when = match &operand {
                Some(operand) => compare(Operator::Eq, operand.clone(), when),
                None => when,
            };
            lowered.push((when, self.lower(then, scope)?));
        }
        let otherwise = otherwise.as_ref().map(|otherwise| self.lower(otherwise, scope)).transpose()?;
        Ok(Expr::Case { operand: None, arms: lowered, otherwise: otherwise.map(Box::new) })
    }
}

fn cast_type(name: &Name) -> Built<CastType> {
    Ok(match name.text.to_lowercase().as_str() {
        "text" => CastType::Text,
        "numeric" => CastType::Numeric,
        "integer" => CastType::Integer,
        "real" => CastType::Real,
        "blob" => CastType::Blob,
        _ => {
            let message = format!("Unknown type '{}'", name.text);
            return Err(Diagnostic::new(Code::UnknownType, name.span, message));
        }
    })
}
