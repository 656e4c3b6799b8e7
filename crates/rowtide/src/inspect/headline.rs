//! The first line: the answer in one sentence.

use serde_json::Value;

use super::report::{Report, text};
use crate::output::{ago, counted};

/// Which problem keeps data from coming or leaving, if there are several: the first of these.
const BY_WEIGHT: [&str; 15] = [
    "format-older",
    "format-newer",
    "stored-data-invalid",
    "unpublishable-operation",
    "repeated-checksum-failures",
    "queue-entry-invalid",
    "last-attempt-failed",
    "never-connected",
    "uploads-waiting",
    "gate-unknown-request-id",
    "gate-not-acknowledged",
    "raw-table-unknown",
    "schema-differs",
    "subscription-error",
    "untyped-rows",
];

/// What is to be said about a file.
pub(super) fn headline(report: &Report) -> String {
    let problems: Vec<&Value> = report.problems().collect();
    let weight =
        |problem: &&&Value| BY_WEIGHT.iter().position(|code| *code == text(problem, "code")).unwrap_or(BY_WEIGHT.len());
    let Some(worst) = problems.iter().min_by_key(weight) else {
        return fine(report);
    };
    let said = said(report, worst);
    match problems.len() {
        1 => said,
        number => format!("{said} This is the first of {}.", counted(number as u64, "problem")),
    }
}

fn said(report: &Report, problem: &Value) -> String {
    if report.format() == 0 && text(problem, "code") == "format-older" {
        return "No app has used this database with PowerSync: it has no internal tables.".to_owned();
    }
    match text(problem, "subject") {
        "" => text(problem, "text").to_owned(),
        subject => {
            let said = text(problem, "text");
            // Some texts name what they are about.
            match text(problem, "code") {
                "uploads-waiting" | "last-attempt-failed" => said.to_owned(),
                _ => format!("{subject}: {said}"),
            }
        }
    }
}

fn fine(report: &Report) -> String {
    let last = report.list("/sync_times").iter().filter_map(|time| time.get("last_synced_at")?.as_i64()).max();
    match last {
        Some(last) => format!("Nothing is wrong. The last sync was {}.", ago(last)),
        None => "Nothing is wrong. Nothing was synced yet.".to_owned(),
    }
}
