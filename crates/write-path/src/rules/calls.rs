//! Calls in rules: values of the user's token, and functions.

use sync_config::syntax::{Expr, ExprKind, Name};
use sync_config::{Code, Diagnostic, Function, Span, Value};

use super::Part;
use super::expression::{Translated, Translator, refused};
use crate::schema::Dialect;

impl Translator<'_> {
    pub(super) fn call(&mut self, schema: Option<&Name>, name: &Name, args: &[Expr], span: Span) -> Translated<()> {
        let Some(schema) = schema else { return self.function(name, args, span) };
        match (schema.text.as_str(), name.text.as_str(), args) {
            ("auth" | "request", "user_id", []) => self.out.parts.push(Part::UserId),
            ("auth", "parameters", []) | ("request", "jwt", []) => {
                self.claims.is_all = true;
                self.out.parts.push(Part::Claims);
            }
            ("auth", "parameter", [path]) => {
                self.note_claim(path);
                self.out.sql("(");
                self.out.parts.push(Part::Claims);
                self.out.sql(" ->> ");
                self.expr(path)?;
                self.out.sql(")");
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
        }
        Ok(())
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

    fn function(&mut self, name: &Name, args: &[Expr], span: Span) -> Translated<()> {
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
        let Some(known) = database_name(self.schema.dialect, function) else {
            return Err(refused(name.span, format!("The database has no function {}", name.text)));
        };
        self.out.sql(known);
        self.list(args)
    }

    fn iif(&mut self, args: &[Expr], span: Span) -> Translated<()> {
        match args {
            [when, then] => self.case(None, &[(when.clone(), then.clone())], None),
            [when, then, otherwise] => self.case(None, &[(when.clone(), then.clone())], Some(otherwise)),
            _ => Err(Diagnostic::new(Code::ArgumentCount, span, "iif has three arguments")),
        }
    }
}

/// What the database calls a function.
fn database_name(dialect: Dialect, function: Function) -> Option<&'static str> {
    match (dialect, function) {
        (Dialect::Sqlite, Function::Base64 | Function::JsonKeys | Function::UuidBlob) => None,
        (Dialect::Sqlite, Function::Substring) => Some("substr"),
        (Dialect::Sqlite, other) => Some(other.name()),
    }
}
