//! Functions of rules in the SQL of the database.

use sync_config::syntax::{Expr, ExprKind};
use sync_config::{Function, Span, Value};

use super::expression::{Translated, Translator, in_parentheses, refused};
use super::json::scalar_of;
use super::types::{Ty, Typed, cast, integer, no_function, numeric, small, sql, text, unified};
use super::{Expression, Part};
use crate::schema::{ColumnType, TypeKind};

/// What SQLite calls a function; none if it lacks it.
pub(super) fn sqlite_name(function: Function) -> Option<&'static str> {
    match function {
        Function::Base64 | Function::JsonKeys | Function::UuidBlob => None,
        Function::Substring => Some("substr"),
        other => Some(other.name()),
    }
}

impl Translator<'_> {
    /// A function in PostgreSQL. `written` is the name in the rules.
    pub(super) fn typed_function(
        &mut self,
        function: Function,
        written: &str,
        args: &[Expr],
        span: Span,
    ) -> Translated<Typed> {
        use Function::{
            Abs, Base64, Coalesce, Date, Datetime, Hex, Instr, JsonArrayLength, JsonExtract, Length, Lower, Ltrim,
            Nullif, Replace, Round, Rtrim, Substring, Time, Trim, Unixepoch, Upper, UuidBlob,
        };
        let of_text = |sql| Typed::Native(sql, text());
        Ok(match (function, args) {
            (Abs, [value]) => {
                let (value, ty) = self.expr(value)?.into_number();
                ty.with(sql!["abs(", value, ")"])
            }
            (Base64, [value]) => {
                of_text(sql!["translate(encode(", self.expr(value)?.into_bytes(), ", 'base64'), chr(10), '')"])
            }
            (Hex, [value]) => of_text(sql!["upper(encode(", self.expr(value)?.into_bytes(), ", 'hex'))"]),
            (Coalesce | Nullif, _) => {
                let values = args.iter().map(|value| self.expr(value)).collect::<Translated<_>>()?;
                let (values, ty) = unified(values, false);
                ty.with(sql![function.name(), in_parentheses(values)])
            }
            (Length, [value]) => Typed::Native(
                match self.expr(value)? {
                    Typed::Native(sql, ty) if ty.kind == TypeKind::Bytes => sql!["length(", sql, ")"],
                    other => sql!["length(", other.into_text(), ")"],
                },
                small(),
            ),
            (Lower | Upper | Replace, _) => of_text(sql![function.name(), self.texts(args)?]),
            (Trim, _) => of_text(sql!["btrim", self.texts(args)?]),
            (Ltrim | Rtrim, _) => of_text(sql![function.name(), self.texts(args)?]),
            (Instr, _) => Typed::Native(sql!["strpos", self.texts(args)?], small()),
            (Substring, [value, rest @ ..]) => {
                let mut values = vec![self.expr(value)?.into_text()];
                for number in rest {
                    values.push(cast(self.expr(number)?.into_integer(), &small()));
                }
                of_text(sql!["substr", in_parentheses(values)])
            }
            (Round, [value, digits @ ..]) => {
                let mut values = vec![self.expr(value)?.into_type(&numeric())];
                for digits in digits {
                    values.push(cast(self.expr(digits)?.into_integer(), &small()));
                }
                Typed::Native(sql!["round", in_parentheses(values)], numeric())
            }
            (JsonArrayLength, [array]) => Typed::Native(self.array_length(array)?, small()),
            (JsonExtract, [json, path]) => self.member(json, path, true)?,
            (UuidBlob, [value]) => {
                let uuid = ColumnType::known("uuid", TypeKind::Other);
                let sql = sql!["uuid_send(", self.expr(value)?.into_type(&uuid), ")"];
                Typed::Native(sql, ColumnType::known("bytea", TypeKind::Bytes))
            }
            (Unixepoch, [time]) => {
                let sql = sql!["floor(extract(epoch FROM ", self.time(time)?, "))"];
                Typed::Native(cast(sql, &integer()), integer())
            }
            (Date, [time]) => self.formatted(time, "YYYY-MM-DD")?,
            (Datetime, [time]) => self.formatted(time, "YYYY-MM-DD HH24:MI:SS")?,
            (Time, [time]) => self.formatted(time, "HH24:MI:SS")?,
            (Date | Datetime | Time | Unixepoch, _) => {
                return Err(refused(span, format!("{written} has one argument with this database")));
            }
            _ => return Err(no_function(span, written)),
        })
    }

    fn texts(&mut self, args: &[Expr]) -> Translated<Expression> {
        let texts = args.iter().map(|arg| Ok(self.expr(arg)?.into_text())).collect::<Translated<_>>()?;
        Ok(in_parentheses(texts))
    }

    /// A moment; `'now'` is that of the transaction.
    fn time(&mut self, time: &Expr) -> Translated<Expression> {
        if let ExprKind::Literal(Value::Text(word)) = &time.kind
            && word == "now"
        {
            return Ok(Expression::of("now()"));
        }
        let zoned = ColumnType::known("timestamptz", TypeKind::Time);
        Ok(self.expr(time)?.into_type(&zoned))
    }

    fn formatted(&mut self, time: &Expr, format: &str) -> Translated<Typed> {
        let time = self.time(time)?;
        Ok(Ty::Loose.with(sql!["to_char(", time, " AT TIME ZONE 'UTC', '", format, "')"]))
    }

    /// A claim at a path that is no literal.
    pub(super) fn claim_at(&mut self, path: &Expr) -> Translated<Typed> {
        let claims = Typed::Given(Part::Claims).into_json();
        Ok(scalar_of(sql!["(", claims, " -> ", self.expr(path)?.into_text(), ")"]))
    }
}
