//! Calls in rules: values of the user's token, and functions.

use sync_config::syntax::{Expr, ExprKind, Name};
use sync_config::{Code, Diagnostic, Function, Span, Value};

use super::claim::{Claim, steps};
use super::expression::{Translated, Translator, refused};
use super::functions::sqlite_name;
use super::types::{Typed, no_function, sql};
use super::{Expression, Part};

impl Translator<'_> {
    pub(super) fn call(&mut self, schema: Option<&Name>, name: &Name, args: &[Expr], span: Span) -> Translated<Typed> {
        let Some(schema) = schema else { return self.function(name, args, span) };
        Ok(match (schema.text.as_str(), name.text.as_str(), args) {
            ("auth" | "request", "user_id", []) => self.bound(Part::UserId),
            ("auth", "parameters", []) | ("request", "jwt", []) => {
                self.claims.is_all = true;
                self.bound(Part::Claims)
            }
            ("auth", "parameter", [path]) => {
                self.note_claim(path);
                self.parameter(path)?
            }
            ("auth", "parameter", _) => {
                return Err(Diagnostic::new(Code::ArgumentCount, span, "parameter() has one argument"));
            }
            ("subscription" | "connection", _, _) | ("request", "parameters", _) => {
                let message =
                    format!("A write has no {}.{}(): a client could choose any value for it", schema.text, name.text);
                return Err(refused(span, message));
            }
            _ => {
                let message = format!("Unknown function \"{}.{}\"", schema.text, name.text);
                return Err(Diagnostic::new(Code::UnknownFunction, schema.span.to(name.span), message));
            }
        })
    }

    /// One of the claims.
    fn parameter(&mut self, path: &Expr) -> Translated<Typed> {
        let is_typed = self.is_typed();
        match &path.kind {
            ExprKind::Literal(value) if is_typed => {
                let steps = steps(value).ok_or_else(|| refused(path.span, "This is no path into the claims"))?;
                Ok(Typed::Given(Part::Claim(Claim::new(steps))))
            }
            _ if is_typed => self.claim_at(path),
            _ => {
                let claims = Expression { parts: vec![Part::Claims] };
                Ok(Typed::Untyped(sql!["(", claims, " ->> ", self.expr(path)?.settled().0, ")"]))
            }
        }
    }

    /// Remembers which claim a path begins with.
    fn note_claim(&mut self, path: &Expr) {
        let ExprKind::Literal(Value::Text(path)) = &path.kind else {
            self.claims.is_all = true;
            return;
        };
        let name = match path.strip_prefix('$') {
            None => Some(path.as_str()),
            Some(steps) => steps
                .strip_prefix('.')
                .filter(|name| !name.starts_with('"'))
                .and_then(|name| name.split(['.', '[']).next()),
        };
        match name {
            Some(name) => {
                self.claims.names.insert(name.to_owned());
            }
            None => self.claims.is_all = true,
        }
    }

    fn function(&mut self, name: &Name, args: &[Expr], span: Span) -> Translated<Typed> {
        let lower = name.text.to_lowercase();
        let function = match lower.as_str() {
            "iif" | "if" => return self.iif(args, span),
            "ifnull" => Some(Function::Coalesce),
            "substr" => Some(Function::Substring),
            "format" => Some(Function::Printf),
            other => Function::from_name(other),
        };
        let Some(function) = function else {
            let message = format!("Unknown function \"{}\"", name.text);
            return Err(Diagnostic::new(Code::UnknownFunction, name.span, message));
        };
        let (least, most) = function.arguments();
        if args.len() < least || args.len() > most {
            let message = format!("{} has {least} to {most} arguments, not {}", name.text, args.len());
            return Err(Diagnostic::new(Code::ArgumentCount, span, message));
        }
        if self.is_typed() {
            return self.typed_function(function, &name.text, args, name.span);
        }
        let known = sqlite_name(function).ok_or_else(|| no_function(name.span, &name.text))?;
        Ok(Typed::Untyped(sql![known, self.list(args)?]))
    }

    fn iif(&mut self, args: &[Expr], span: Span) -> Translated<Typed> {
        match args {
            [when, then] => self.case(None, &[(when.clone(), then.clone())], None),
            [when, then, otherwise] => self.case(None, &[(when.clone(), then.clone())], Some(otherwise)),
            _ => Err(Diagnostic::new(Code::ArgumentCount, span, "iif has three arguments")),
        }
    }
}
