//! Findings in a configuration, as people read them: place, message, the line with a mark, and what to do.

use std::fmt::Write;

use serde_json::{Value, json};
use sync_config::{Diagnostic, Severity, position};
use unicode_width::UnicodeWidthStr;

pub(crate) use crate::output::Style;

/// The configuration that the findings are in.
pub(crate) struct Source<'a> {
    pub(crate) name: &'a str,
    pub(crate) text: &'a str,
}

/// All findings, each with its line.
pub(crate) fn render(source: &Source<'_>, diagnostics: &[Diagnostic], style: Style) -> String {
    let mut out = String::new();
    for diagnostic in diagnostics {
        // Writing to a String does not fail.
        let _ = one(source, diagnostic, style, &mut out);
    }
    out
}

fn one(source: &Source<'_>, diagnostic: &Diagnostic, style: Style, out: &mut String) -> std::fmt::Result {
    let at = position(source.text, diagnostic.span.start);
    let (kind, colour) = kind(diagnostic.severity);
    let kind = style.paint(colour, kind);
    writeln!(
        out,
        "{}:{}:{}: {kind}[{}]: {}",
        source.name,
        at.line,
        at.column,
        diagnostic.code.id(),
        style.paint("1", &diagnostic.message)
    )?;
    if let Some(line) = source.text.lines().nth(at.line.saturating_sub(1)) {
        let number = at.line.to_string();
        let blank = " ".repeat(number.len());
        // A tab is as wide as the terminal has it, in both lines.
        let before: String = line.chars().take(at.column.saturating_sub(1)).collect();
        let indent: String = before
            .chars()
            .map(|char| if char == '\t' { "\t".to_owned() } else { " ".repeat(char.to_string().width()) })
            .collect();
        let rest = line.get(before.len()..).unwrap_or_default();
        let marked = diagnostic.span.text(source.text).lines().next().unwrap_or_default();
        let marked = if rest.starts_with(marked) { marked.width().max(1) } else { 1 };
        writeln!(out, " {number} | {line}")?;
        writeln!(out, " {blank} | {indent}{}", style.paint(colour, &"^".repeat(marked)))?;
    }
    if !diagnostic.hint.is_empty() {
        writeln!(out, "   = {}", diagnostic.hint)?;
    }
    if let Some(fix) = &diagnostic.fix {
        let instead = fix.span.text(source.text);
        match (instead, fix.replacement.as_str()) {
            ("", new) => writeln!(out, "   = add {new}")?,
            (old, "") => writeln!(out, "   = remove {old}")?,
            (old, new) => writeln!(out, "   = write {new} instead of {old}")?,
        }
    }
    Ok(())
}

fn kind(severity: Severity) -> (&'static str, &'static str) {
    match severity {
        Severity::Error => ("error", "1;31"),
        Severity::Warning => ("warning", "1;33"),
    }
}

/// The same for programs.
pub(crate) fn to_json(source: &Source<'_>, diagnostics: &[Diagnostic]) -> Value {
    let one = |diagnostic: &Diagnostic| {
        let (start, end) = (position(source.text, diagnostic.span.start), position(source.text, diagnostic.span.end));
        let fix = diagnostic
            .fix
            .as_ref()
            .map(|fix| json!({"start": fix.span.start, "end": fix.span.end, "replacement": fix.replacement}));
        json!({
            "code": diagnostic.code.id(), "severity": kind(diagnostic.severity).0, "message": diagnostic.message,
            "hint": diagnostic.hint, "fix": fix, "line": start.line, "column": start.column,
            "end_line": end.line, "end_column": end.column,
            "start": diagnostic.span.start, "end": diagnostic.span.end,
        })
    };
    diagnostics.iter().map(one).collect()
}

/// How many errors and warnings there are, as a phrase.
pub(crate) fn counted(diagnostics: &[Diagnostic]) -> String {
    let errors = diagnostics.iter().filter(|one| one.severity == Severity::Error).count();
    let warnings = diagnostics.len() - errors;
    let phrase = |number: usize, what: &str| match number {
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    };
    match (errors, warnings) {
        (0, 0) => "no findings".to_owned(),
        (0, warnings) => phrase(warnings, "warning"),
        (errors, 0) => phrase(errors, "error"),
        (errors, warnings) => format!("{}, {}", phrase(errors, "error"), phrase(warnings, "warning")),
    }
}
