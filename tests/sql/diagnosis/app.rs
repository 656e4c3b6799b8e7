//! A file that an app uses, and what the library says about it.

use rowtide_testkit::Host;
use rowtide_testkit::service::Service;
use rusqlite::OpenFlags;
use serde_json::{Value, json};
use tempfile::TempDir;

/// An app with its file, and the service that it syncs with.
pub(super) struct App {
    directory: TempDir,
    pub(super) host: Host,
    pub(super) service: Service,
}

pub(super) fn schema() -> Value {
    json!({"tables": [
        {"name": "lists", "columns": [{"name": "name", "type": "text"}]},
        {"name": "direct", "direct": true, "columns": [{"name": "name", "type": "text"}, {"name": "size", "type": "real"}]},
        {"name": "notes", "columns": [{"name": "text", "type": "text"}], "local_only": true},
    ]})
}

impl App {
    /// With [`schema`], and one row on the service.
    pub(super) fn new() -> Self {
        Self::with_pragma("")
    }

    /// The same, after this was run on the empty file.
    pub(super) fn with_pragma(pragma: &str) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let host = Host::open(directory.path().join("app.db"));
        host.execute(pragma);
        host.replace_schema(&schema());
        let mut service = Service::new();
        service.put("a", "lists", "1", &json!({"name": "secret"}));
        Self { directory, host, service }
    }

    /// With published rows in JSON, direct and untyped tables, in two buckets.
    pub(super) fn synced() -> Self {
        let mut app = Self::new();
        app.fill();
        app
    }

    /// Puts rows of each kind on the service, and publishes them.
    pub(super) fn fill(&mut self) {
        self.service.put("a", "lists", "2", &json!({"name": "two"}));
        self.service.put("b", "lists", "2", &json!({"name": "two of b"}));
        let direct = json!({"name": "d", "size": 1, "other": [1, {"x": "y"}]});
        self.service.put("a", "direct", "1", &direct);
        self.service.put("b", "direct", "2", &json!({"size": 1.5, "name": {"nested": true}}));
        self.service.put("b", "other", "1", &json!({"x": 1}));
        self.sync();
    }

    /// One attempt: what the client lacks, up to a completed checkpoint.
    pub(super) fn sync(&self) {
        let start = self.host.control("start", ());
        self.download(&start);
        self.host.control("stop", ());
    }

    /// Gives the client what it lacks according to the request among `instructions`.
    pub(super) fn download(&self, instructions: &Value) {
        let requests = instructions.as_array().unwrap().iter();
        let request = requests.filter_map(|each| each.get("EstablishSyncStream")).next().unwrap();
        let after = |name: &str| {
            let buckets = request["request"]["buckets"].as_array().unwrap().iter();
            let after = buckets.filter(|bucket| bucket["name"] == name).find_map(|bucket| bucket["after"].as_str());
            after.map_or(0, |after| after.parse().unwrap())
        };
        self.host.line(&self.service.checkpoint());
        for name in self.service.buckets.keys() {
            self.host.line(&self.service.data(name, after(name)));
        }
        self.host.line(&self.service.complete());
    }

    /// The file on a fresh connection, which may write or not.
    pub(super) fn reopened(&self, flags: OpenFlags) -> Host {
        Host::open_with_flags(self.directory.path().join("app.db"), flags)
    }

    /// Closes the file, and opens it on a connection that knows nothing of it.
    pub(super) fn reopen(&mut self) {
        self.host = self.reopened(OpenFlags::default());
    }

    pub(super) fn verify(&self) -> Value {
        verify(&self.host)
    }

    #[track_caller]
    pub(super) fn repair(&self, code: &str) -> Value {
        let result = self.host.transaction("SELECT powersync_repair(?)", [code]);
        serde_json::from_str(result[0][0].as_str().unwrap()).unwrap()
    }
}

#[track_caller]
pub(super) fn diagnose(host: &Host) -> Value {
    let report = host.value("SELECT powersync_diagnose()");
    let report = report.as_str().unwrap();
    assert!(!report.contains("secret"), "row data: {report}");
    serde_json::from_str(report).unwrap()
}

/// The member `verification`.
#[track_caller]
pub(super) fn verify(host: &Host) -> Value {
    let report = host.value("SELECT powersync_diagnose('verify')");
    let report: Value = serde_json::from_str(report.as_str().unwrap()).unwrap();
    report["verification"].clone()
}

/// Codes and subjects of problems, which all have a text and a remedy.
pub(super) fn codes(problems: &Value) -> Value {
    let problems = problems.as_array().unwrap();
    let is_text = |value: &Value| value.as_str() > Some("");
    let has_texts = |each: &Value| is_text(&each["text"]) && is_text(&each["remedy"]);
    assert!(problems.iter().all(has_texts), "{problems:?}");
    problems.iter().map(|each| json!([each["code"], each["subject"]])).collect()
}

/// Codes and subjects of all problems of a diagnosis.
pub(super) fn problems(report: &Value) -> Value {
    codes(&report["problems"])
}
