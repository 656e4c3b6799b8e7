//! From the document to a plan: inline, normalize, classify, resolve, group.

mod branch;
mod calls;
mod condition;
mod edges;
mod graph;
mod group;
mod legacy;
mod lower;
mod order;
mod resolve;
mod scope;
mod stream;
mod terms;

use std::collections::HashMap;

use crate::diagnostic::{Code, Diagnostic, Severity};
use crate::document::{self, Document, Named};
use crate::options::CompileOptions;
use crate::plan::Plan;
use crate::sql::{self, ast};
use crate::yaml::{self, Text};

/// What came out: a plan if there is no error, and all findings in the order of the file.
#[derive(Clone, Debug)]
pub struct Compiled {
    /// The plan; none if a finding is an error.
    pub plan: Option<Plan>,
    /// Errors and warnings.
    pub diagnostics: Vec<Diagnostic>,
}

/// Compiles a sync configuration.
pub fn compile(source: &str, options: &CompileOptions) -> Compiled {
    let mut findings = Vec::new();
    let plan = match yaml::load(source) {
        Err(errors) => {
            findings = errors;
            None
        }
        Ok(root) => {
            let document = document::read(&root, &mut findings);
            Some(compile_document(&document, options, &mut findings))
        }
    };
    findings.sort_by_key(|finding| (finding.span.start, finding.span.end, finding.code));
    findings.dedup();
    let failed = findings.iter().any(|finding| finding.severity == Severity::Error);
    Compiled { plan: plan.filter(|_| !failed), diagnostics: findings }
}

/// A common table expression.
struct Cte {
    name: String,
    span: crate::diagnostic::Span,
    query: Option<ast::Query>,
    used: std::cell::Cell<bool>,
}

fn ctes(texts: &[Named<Text>], options: &CompileOptions, findings: &mut Vec<Diagnostic>) -> Vec<Cte> {
    let mut ctes = Vec::new();
    for text in texts {
        let query = match sql::parse_query(&text.value, findings) {
            Ok(query) => Some(query),
            Err(error) => {
                findings.push(error);
                None
            }
        };
        let hides = options
            .source_schema
            .as_ref()
            .is_some_and(|schema| schema.tables.keys().any(|(_, table)| *table == text.name));
        if hides {
            let message = format!("The common table expression '{}' has the name of a table", text.name);
            findings.push(Diagnostic::new(Code::CteHidesTable, text.span, message));
        }
        ctes.push(Cte { name: text.name.clone(), span: text.span, query, used: std::cell::Cell::new(false) });
    }
    ctes
}

fn report_unused(ctes: &[Cte], findings: &mut Vec<Diagnostic>) {
    for cte in ctes.iter().filter(|cte| !cte.used.get() && cte.query.is_some()) {
        let message = format!("The common table expression '{}' is never used", cte.name);
        findings.push(Diagnostic::new(Code::UnusedCte, cte.span, message));
    }
}

fn compile_document(document: &Document, options: &CompileOptions, findings: &mut Vec<Diagnostic>) -> Plan {
    let mut assembly = group::Assembly::new(document.settings.clone());
    let global = ctes(&document.with, options, findings);
    for named in &document.streams {
        let local = ctes(&named.value.with, options, findings);
        let mut visible: HashMap<&str, &Cte> = global.iter().map(|cte| (cte.name.as_str(), cte)).collect();
        visible.extend(local.iter().map(|cte| (cte.name.as_str(), cte)));
        let context = scope::Context {
            ctes: visible,
            options,
            settings: &document.settings,
            legacy: false,
            bucket_parameters: false,
        };
        stream::compile(named, &context, &mut assembly, findings);
        report_unused(&local, findings);
    }
    report_unused(&global, findings);
    for named in &document.bucket_definitions {
        legacy::compile(named, options, &document.settings, &mut assembly, findings);
    }
    assembly.finish()
}
