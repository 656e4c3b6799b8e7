//! Calls: values of the request, metadata of rows, and functions.

use super::lower::not_supported;
use super::scope::{Builder, Built, Relation, Scope, unknown_table};
use super::terms::Ref;
use crate::diagnostic::{Code, Diagnostic, Span};
use crate::expr::{Expr, FORMAT_LETTERS, Function, Operator, printf_supported};
use crate::plan::{RequestRef, RowRef};
use crate::sql::ast::{self, Name};
use crate::value::{Value, json};

fn request(part: RequestRef) -> Expr<Ref> {
    Expr::Ref(Ref::Request(part))
}

fn member(part: RequestRef, key: Expr<Ref>) -> Expr<Ref> {
    Expr::binary(Operator::LongArrow, request(part), key)
}

fn text(value: &str) -> Expr<Ref> {
    Expr::Literal(Value::text(value))
}

/// The user's id. The same as `auth.parameter('sub')`, also for content hashes.
fn user_id() -> Expr<Ref> {
    member(RequestRef::Auth, text("sub"))
}

impl Builder<'_> {
    /// A column; legacy definitions know some tables that are none.
    pub(super) fn column(&mut self, table: Option<&Name>, column: &Name, scope: &Scope<'_>) -> Built<Expr<Ref>> {
        if let Some(table) = table
            && scope.find(&table.text).is_none()
        {
            match table.text.as_str() {
                "bucket" if self.context.bucket_parameters => {
                    return Ok(Expr::Ref(Ref::Bucket(column.text.clone())));
                }
                "token_parameters" if self.context.legacy && !self.context.bucket_parameters => {
                    if column.text == "user_id" {
                        return Ok(user_id());
                    }
                    // Claims of `parameters` come before those of the token itself.
                    let path = format!("$.parameters.\"{}\"", column.text.replace('"', "\\u0022"));
                    let inner = member(RequestRef::Auth, text(&path));
                    let outer = member(RequestRef::Auth, text(&column.text));
                    return Ok(Expr::Call(Function::Coalesce, vec![inner, outer]));
                }
                "user_parameters" if self.context.legacy && !self.context.bucket_parameters => {
                    self.unauthenticated.get_or_insert(table.span.to(column.span));
                    return Ok(member(RequestRef::Connection, text(&column.text)));
                }
                _ => {}
            }
        }
        self.reference(table, column, scope)
    }

    pub(super) fn call(
        &mut self,
        schema: Option<&Name>,
        name: &Name,
        args: &[ast::Expr],
        span: Span,
        scope: &Scope<'_>,
    ) -> Built<Expr<Ref>> {
        let Some(schema) = schema else { return self.function(name, args, span, scope) };
        if let Some(relation) = scope.find(&schema.text) {
            return row_metadata(relation, name, args, span);
        }
        let unknown = || {
            let message = format!("Unknown function \"{}.{}\"", schema.text, name.text);
            Err(Diagnostic::new(Code::UnknownFunction, schema.span.to(name.span), message))
        };
        if self.context.bucket_parameters {
            let message = "Data queries cannot use values of the request; compare a column with a bucket parameter";
            return Err(Diagnostic::new(Code::BucketParameters, span, message));
        }
        let part = match schema.text.as_str() {
            "auth" => RequestRef::Auth,
            "subscription" if !self.context.legacy => RequestRef::Subscription,
            "connection" => RequestRef::Connection,
            "request" if name.text == "jwt" || name.text == "user_id" => RequestRef::Auth,
            "request" if name.text == "parameters" => RequestRef::Connection,
            "request" => return unknown(),
            _ if name.text == "schema" || name.text.starts_with("table_") => return Err(unknown_table(schema)),
            _ => return unknown(),
        };
        if part != RequestRef::Auth {
            self.unauthenticated.get_or_insert(span);
        }
        match name.text.as_str() {
            "user_id" if part == RequestRef::Auth => no_arguments(args).map(|()| user_id()),
            "jwt" if schema.text == "request" => no_arguments(args).map(|()| request(part)),
            "parameters" => no_arguments(args).map(|()| request(part)),
            "parameter" if schema.text != "request" => match args {
                [key] => {
                    let lowered = self.lower(key, scope)?;
                    check_path(&lowered, key.span)?;
                    Ok(member(part, lowered))
                }
                _ => Err(argument_count(span, "parameter() has one argument")),
            },
            _ => unknown(),
        }
    }

    fn function(&mut self, name: &Name, args: &[ast::Expr], span: Span, scope: &Scope<'_>) -> Built<Expr<Ref>> {
        let lower_name = name.text.to_lowercase();
        let known = match lower_name.as_str() {
            "random" | "randomblob" | "now" | "changes" | "last_insert_rowid" | "gen_random_uuid" | "uuid" => {
                let message = format!("Sync definitions must be deterministic, {} is not", name.text);
                return Err(Diagnostic::new(Code::NotDeterministic, name.span, message));
            }
            "st_asgeojson" | "st_astext" | "st_x" | "st_y" => {
                return Err(not_supported(name.span, &format!("The function {} is not supported", name.text)));
            }
            "iif" | "if" => return self.iif(args, span, scope),
            "ifnull" => Some(Function::Coalesce),
            "substr" => Some(Function::Substring),
            "format" => Some(Function::Printf),
            other => Function::from_name(other),
        };
        let Some(function) = known else {
            let message = format!("Unknown function \"{}\"", name.text);
            return Err(Diagnostic::new(Code::UnknownFunction, name.span, message));
        };
        let (min, max) = function.arguments();
        if args.len() < min || args.len() > max {
            let message = if min == max {
                format!("{} has {min} arguments, not {}", name.text, args.len())
            } else {
                format!("{} has {min} to {max} arguments, not {}", name.text, args.len())
            };
            return Err(argument_count(span, &message));
        }
        let mut lowered = Vec::with_capacity(args.len());
        for arg in args {
            lowered.push(self.lower(arg, scope)?);
        }
        check_function(function, &lowered, args)?;
        Ok(Expr::Call(function, lowered))
    }

    fn iif(&mut self, args: &[ast::Expr], span: Span, scope: &Scope<'_>) -> Built<Expr<Ref>> {
        let [condition, then, rest @ ..] = args else { return Err(argument_count(span, "iif has three arguments")) };
        if rest.len() > 1 {
            return Err(argument_count(span, "iif has three arguments"));
        }
        let arm = (self.lower(condition, scope)?, self.lower(then, scope)?);
        let otherwise = rest.first().map(|otherwise| self.lower(otherwise, scope)).transpose()?;
        Ok(Expr::Case { operand: None, arms: vec![arm], otherwise: otherwise.map(Box::new) })
    }
}

fn argument_count(span: Span, message: &str) -> Diagnostic {
    Diagnostic::new(Code::ArgumentCount, span, message)
}

fn no_arguments(args: &[ast::Expr]) -> Built<()> {
    match args {
        [] => Ok(()),
        [first, ..] => Err(argument_count(first.span, "Expected no arguments here")),
    }
}

/// `t.schema()`, `t.table_name()`, `t.table_suffix()`
fn row_metadata(relation: &Relation, name: &Name, args: &[ast::Expr], span: Span) -> Built<Expr<Ref>> {
    let leaf = match name.text.as_str() {
        "schema" => RowRef::Schema,
        "table_name" => RowRef::TableName,
        "table_suffix" => RowRef::TableSuffix,
        other => {
            let message = format!("Unknown function \"{other}\" of a row");
            return Err(Diagnostic::new(Code::UnknownFunction, name.span, message));
        }
    };
    no_arguments(args)?;
    match relation {
        Relation::Source(id) => Ok(Expr::Ref(Ref::Row(*id, leaf))),
        Relation::Columns(_) => Err(not_supported(span, "Metadata of a subquery's rows is not supported")),
    }
}

fn check_path(path: &Expr<Ref>, span: Span) -> Built<()> {
    match path {
        Expr::Literal(Value::Text(text)) if text.starts_with('$') && json::parse_path(text).is_none() => {
            Err(Diagnostic::new(Code::BadValue, span, "This is not a JSON path"))
        }
        _ => Ok(()),
    }
}

fn literal_text(expr: Option<&Expr<Ref>>) -> Option<&str> {
    match expr {
        Some(Expr::Literal(Value::Text(text))) => Some(text),
        _ => None,
    }
}

/// What can be known about arguments before any row is seen.
fn check_function(function: Function, lowered: &[Expr<Ref>], args: &[ast::Expr]) -> Built<()> {
    let span = |index: usize| args.get(index).map_or(Span::default(), |arg| arg.span);
    match function {
        Function::JsonExtract | Function::JsonArrayLength | Function::JsonType => {
            for (index, path) in lowered.iter().enumerate().skip(1) {
                if literal_text(Some(path)).is_some_and(|path| json::parse_path(path).is_none()) {
                    return Err(Diagnostic::new(Code::BadValue, span(index), "This is not a JSON path"));
                }
            }
        }
        Function::JsonArray | Function::JsonObject => {
            if function == Function::JsonObject && lowered.len() % 2 == 1 {
                return Err(argument_count(span(0), "json_object needs pairs of arguments"));
            }
            for (index, arg) in lowered.iter().enumerate() {
                check_json_argument(arg, span(index))?;
            }
        }
        Function::Printf => {
            let supported = literal_text(lowered.first()).is_some_and(printf_supported);
            if !supported {
                return Err(not_supported(span(0), "This format is not supported; only %d, %0Nd, %s and %% are"));
            }
        }
        Function::Date | Function::Datetime | Function::Time | Function::Unixepoch | Function::Strftime => {
            check_date(function, lowered, &span)?;
        }
        _ => {}
    }
    Ok(())
}

/// Whether a result of a JSON function counts as JSON is known only where it is the argument itself.
fn check_json_argument(arg: &Expr<Ref>, span: Span) -> Built<()> {
    let extract = |expr: &Expr<Ref>| matches!(expr, Expr::Call(Function::JsonExtract | Function::JsonKeys, _));
    let mut hidden = extract(arg);
    fn walk(expr: &Expr<Ref>, hidden: &mut bool) {
        *hidden |= matches!(expr, Expr::Call(function, _) if function.gives_json())
            || matches!(expr, Expr::Binary(Operator::Arrow, ..));
        expr.for_each_operand(&mut |operand| walk(operand, hidden));
    }
    match arg {
        // The operands of these are not results any more.
        Expr::Call(function, _) if *function != Function::Coalesce && *function != Function::Nullif => {}
        Expr::Binary(..) | Expr::Cast(..) => {}
        other => other.for_each_operand(&mut |operand| walk(operand, &mut hidden)),
    }
    if hidden {
        return Err(not_supported(span, "This argument may be JSON or text; extracting it with -> is supported"));
    }
    Ok(())
}

fn check_date(function: Function, lowered: &[Expr<Ref>], span: &dyn Fn(usize) -> Span) -> Built<()> {
    let first = usize::from(function == Function::Strftime);
    if first == 1 {
        let format = literal_text(lowered.first()).unwrap_or("%");
        let mut letters = format.chars();
        while let Some(c) = letters.next() {
            if c == '%' && !letters.next().is_some_and(|letter| FORMAT_LETTERS.contains(letter)) {
                return Err(not_supported(span(0), "This format is not supported"));
            }
        }
    }
    if literal_text(lowered.get(first)).is_some_and(|text| text.trim().eq_ignore_ascii_case("now")) {
        let message = "Sync definitions must be deterministic, the current time is not";
        return Err(Diagnostic::new(Code::NotDeterministic, span(first), message));
    }
    for (index, modifier) in lowered.iter().enumerate().skip(first + 1) {
        if !matches!(literal_text(Some(modifier)), Some("unixepoch" | "subsec")) {
            return Err(not_supported(span(index), "Only the modifiers 'unixepoch' and 'subsec' are supported"));
        }
    }
    Ok(())
}
