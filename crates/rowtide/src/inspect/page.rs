//! The page about a file, from top to bottom.

use std::fmt::Display;
use std::path::Path;

use serde_json::Value;

use super::headline::headline;
use super::report::{Report, count, is, text, time};
use super::tables;
use crate::database::Database;
use crate::hint::quoted_path;
use crate::output::{Style, bytes, counted, moment, paragraph, visible};
use crate::queue;

/// Where the second column begins.
const INDENT: usize = 16;

/// The priority that stands for everything.
const FULL: u64 = 2_147_483_647;

/// A page that is being written.
pub(super) struct Page<'a> {
    file: &'a Database,
    report: &'a Report,
    lists_all: bool,
    style: Style,
    out: String,
}

impl<'a> Page<'a> {
    pub(super) fn new(file: &'a Database, report: &'a Report, lists_all: bool) -> Self {
        Self { file, report, lists_all, style: Style::of_stdout(), out: String::new() }
    }

    pub(super) fn write(mut self) -> String {
        self.headline();
        self.file();
        if self.report.format() > 0 {
            self.sync();
            self.gate();
            self.queue();
            self.tables();
        }
        self.last_attempt();
        self.verification();
        self.problems();
        self.out
    }

    fn headline(&mut self) {
        let is_fine = self.report.is_fine();
        let said =
            paragraph("", "", &visible(&format!("{}: {}", self.file.path().display(), headline(self.report)), false));
        // Each line is painted, as pagers do not carry colours over to the next.
        for line in said.lines() {
            let line = if is_fine { self.style.good(line) } else { self.style.bad(line) };
            self.out += &format!("{line}\n");
        }
        if let Some(why) = self.file.copied_because().filter(|why| !why.is_empty()) {
            self.out += &format!("{}\n", paragraph("", "", why));
        }
    }

    fn heading(&mut self, text: &str) {
        self.out += &format!("\n{}\n", self.style.bold(text));
    }

    fn line(&mut self, name: &str, value: impl Display) {
        let first = format!("  {name:<width$}", width = INDENT - 2);
        let value = visible(&value.to_string(), false);
        self.out += &format!("{}\n", paragraph(&first, &" ".repeat(INDENT), &value));
    }

    fn file(&mut self) {
        self.heading("File");
        self.line("size", sizes(self.file.path()));
        self.line("format", format_of(self.report));
        if let Some(id) = self.report.string("/client_id") {
            self.line("client id", id);
        }
        if let (Some(mode), Some(encoding)) =
            (self.report.string("/versions/journal_mode"), self.report.string("/versions/encoding"))
        {
            self.line("journal", format!("{mode}, text in {encoding}"));
        }
        if let Some(version) = self.report.string("/versions/extension") {
            self.line("read with", format!("version {version} of the library"));
        }
    }

    fn sync(&mut self) {
        self.heading("Sync");
        let times = self.report.list("/sync_times");
        let full = times.iter().find(|each| count(each, "priority") == FULL);
        match full.and_then(|each| time(each, "last_synced_at")) {
            Some(at) => self.line("everything", moment(at)),
            None => self.line("everything", "never"),
        }
        for each in times.iter().filter(|each| count(each, "priority") != FULL) {
            if let Some(at) = time(each, "last_synced_at") {
                self.line(&format!("priority {}", count(each, "priority")), moment(at));
            }
        }
    }

    fn gate(&mut self) {
        let gate = |name: &str| self.report.string(&format!("/gate/{name}"));
        let seen = gate("last_seen").unwrap_or("none");
        let words = match gate("state") {
            Some("open") => "open: what is downloaded is shown".to_owned(),
            Some("local writes queued") => "closed: local writes have not been uploaded yet".to_owned(),
            Some("request id unknown") => {
                "closed: local writes were uploaded, but the write checkpoint that the service \
                will acknowledge is not known"
                    .to_owned()
            }
            Some("not acknowledged") => format!(
                "closed: the service has acknowledged write checkpoint {seen}, and {} is waited for",
                gate("target").unwrap_or("another one")
            ),
            Some(other) => other.to_owned(),
            None => "not readable".to_owned(),
        };
        let held = self.report.count("/gate/rows_held_back");
        self.heading("Gate");
        self.line("state", words);
        if held > 0 {
            self.line("behind it", format!("{} downloaded, not shown", counted(held, "row")));
        }
    }

    fn queue(&mut self) {
        self.heading("Upload queue");
        let entries = self.report.count("/gate/queued_entries");
        if entries == 0 {
            self.line("waiting", "nothing");
        } else {
            let transactions = counted(self.report.count("/gate/queued_transactions"), "transaction");
            self.line("waiting", format!("{transactions} with {}", counted(entries, "local write")));
            let oldest = queue::oldest(self.file).unwrap_or_else(|error| format!("cannot be read: {error:#}"));
            self.line("oldest", oldest);
        }
        match self.report.count("/rejected") {
            0 => self.line("rejected", "nothing"),
            number => {
                let show = format!("rowtide queue list {}", quoted_path(self.file.path()));
                self.line("rejected", format!("{}, see `{show}`", counted(number, "transaction")));
            }
        }
    }

    fn tables(&mut self) {
        for (heading, table) in tables::all(self.report, self.lists_all) {
            self.heading(&heading);
            self.out += &table;
        }
    }

    fn last_attempt(&mut self) {
        let Some(attempt) = self.report.get("/last_attempt").cloned() else {
            return;
        };
        self.heading("Last attempt to sync that has ended");
        if let Some(at) = time(&attempt, "started_at") {
            self.line("began", moment(at));
        }
        let answered = if is(&attempt, "connected") { "the service answered" } else { "the service did not answer" };
        let lines = counted(count(&attempt, "lines"), "line");
        self.line("received", format!("{answered}; {lines}, {}", bytes(count(&attempt, "bytes"))));
        let ended = match text(&attempt, "ended_by") {
            "error" => "the app stopped it after an error",
            "stop" => "the app stopped it",
            "service" => "the service closed the connection",
            "instruction" => "the library ended it",
            other => other,
        };
        let complete = if is(&attempt, "completed") { "with" } else { "without" };
        self.line("ended", format!("{ended}, {complete} a complete checkpoint"));
        if let Some(error) = attempt.get("last_error").filter(|error| error.is_object()) {
            let at = time(error, "at").map(|at| format!(" ({})", moment(at))).unwrap_or_default();
            self.line("last error", format!("{}{at}", text(error, "message")));
        }
    }

    fn verification(&mut self) {
        if self.report.get("/verification").is_none() {
            return;
        }
        self.heading("Verification");
        let of = |name: &str| self.report.count(&format!("/verification/{name}"));
        let (operations, rows, skipped) = (of("checked_operations"), of("checked_rows"), of("skipped_rows"));
        self.line("compared", format!("{} and {}", counted(operations, "operation"), counted(rows, "row")));
        if skipped > 0 {
            let why = "local writes, or downloads, of them are not settled, or they may be in a raw table";
            self.line("left out", format!("{}: {why}", counted(skipped, "row")));
        }
    }

    fn problems(&mut self) {
        let report = self.report;
        let number = report.problems().count();
        self.heading(if number == 0 { "No problems" } else { "Problems" });
        for (index, problem) in report.problems().enumerate() {
            let subject = visible(text(problem, "subject"), false);
            let subject = if subject.is_empty() { subject } else { format!(" ({subject})") };
            let code = self.style.bad(text(problem, "code"));
            let (said, remedy) = (visible(text(problem, "text"), false), visible(text(problem, "remedy"), false));
            self.out += &format!("  {}. {code}{subject}\n", index + 1);
            self.out += &format!("{}\n", paragraph("     ", "     ", &said));
            self.out += &format!("{}\n", paragraph("     What to do: ", "     ", &remedy));
            if let Some(command) = command(text(problem, "code"), self.file.path()) {
                self.out += &format!("     {}\n", self.style.bold(&command));
            }
        }
    }
}

/// What `powersync_repair` has returned, as text.
pub(super) fn repaired(repaired: &[Value], left: &[Value]) -> String {
    let name = |problem: &Value| match text(problem, "subject") {
        "" => text(problem, "code").to_owned(),
        subject => visible(&format!("{} ({subject})", text(problem, "code")), false),
    };
    let mut out = String::new();
    if repaired.is_empty() {
        out += "Nothing was repaired.\n";
    }
    for problem in repaired {
        out += &format!("Repaired: {}\n", name(problem));
    }
    for problem in left {
        let why = visible(text(problem, "why"), false);
        out += &format!("{}\n", paragraph(&format!("Left: {}. ", name(problem)), "  ", &why));
    }
    out
}

/// The command of this program that helps with a problem.
fn command(code: &str, file: &Path) -> Option<String> {
    let file = quoted_path(file);
    match code {
        "uploads-waiting" | "queue-entry-invalid" => Some(format!("rowtide queue list {file}")),
        "row-differs" | "operations-invalid" | "orphaned-entries" => {
            Some(format!("rowtide inspect {file} --repair {code}"))
        }
        _ => None,
    }
}

/// The size of the file, and of what SQLite keeps beside it.
fn sizes(path: &Path) -> String {
    let size = |suffix: &str| {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        Path::new(&name).metadata().map(|metadata| metadata.len()).unwrap_or_default()
    };
    match size("-wal") {
        0 => bytes(size("")),
        wal => format!("{}, and {} in its WAL", bytes(size("")), bytes(wal)),
    }
}

/// The format, and whose it is.
fn format_of(report: &Report) -> String {
    let whose = match report.format() {
        0 => return "none: there are no internal tables".to_owned(),
        1..=14 => "of the published library, which was the last to have the file",
        1001.. if !report.is_about_copy() => "of this version of the library",
        _ => "of another version of the library, which was the last to have the file",
    };
    let format = format!("{}, {whose}", report.format());
    if report.is_about_copy() {
        return format!("{format}. What follows is from a copy that was brought to this version's format");
    }
    format
}
