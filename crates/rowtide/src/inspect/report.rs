//! What `powersync_diagnose` has returned.

use serde_json::Value;

/// A diagnosis.
pub(super) struct Report {
    text: String,
    value: Value,
    /// The format of the file, if this is about a copy in another one.
    format_of_file: Option<i64>,
}

/// Problems that say no more than that the file has another format.
const OTHER_FORMAT: [&str; 2] = ["format-older", "format-newer"];

impl Report {
    pub(super) fn new(text: String) -> Self {
        let value = serde_json::from_str(&text).unwrap_or_default();
        Self { text, value, format_of_file: None }
    }

    /// This one is about a copy of the file that `original` is about.
    ///
    /// It says which format the file has. Triggers of views that bringing the copy to this format has dropped are no problem
    /// of the file: they are made again when an app opens it.
    pub(super) fn of_copy(mut self, original: &Self) -> Self {
        let format = original.format();
        if let Some(value) = self.value.pointer_mut("/versions/format") {
            *value = format.into();
        }
        if let Some(Value::Array(problems)) = self.value.get_mut("problems") {
            problems.retain(|problem| problem.get("code").is_none_or(|code| code != "schema-differs"));
        }
        self.text = self.value.to_string();
        Self { format_of_file: Some(format), ..self }
    }

    /// Whether there are internal tables, in another format than this library's.
    pub(super) fn has_other_format(&self) -> bool {
        let mut codes = self.list("/problems").iter().filter_map(|problem| problem.get("code")?.as_str());
        self.format() > 0 && codes.any(|code| OTHER_FORMAT.contains(&code))
    }

    /// The format of the internal tables of the file, 0 without any.
    pub(super) fn format(&self) -> i64 {
        self.number("/versions/format").unwrap_or_default()
    }

    /// Whether the file's own format is not the one that this library reads.
    pub(super) fn is_about_copy(&self) -> bool {
        self.format_of_file.is_some()
    }

    pub(super) fn is_fine(&self) -> bool {
        self.problems().next().is_none()
    }

    /// Problems, and what a verification has found beside them.
    pub(super) fn problems(&self) -> impl Iterator<Item = &Value> {
        let problems = self.list("/problems");
        // The entry at the head of the queue is looked at in both.
        let findings = self.list("/verification/findings").iter().filter(move |finding| !problems.contains(finding));
        problems.iter().chain(findings)
    }

    pub(super) fn text(&self) -> &str {
        &self.text
    }

    pub(super) fn string(&self, pointer: &str) -> Option<&str> {
        self.value.pointer(pointer)?.as_str()
    }

    pub(super) fn number(&self, pointer: &str) -> Option<i64> {
        self.value.pointer(pointer)?.as_i64()
    }

    pub(super) fn count(&self, pointer: &str) -> u64 {
        self.value.pointer(pointer).and_then(Value::as_u64).unwrap_or_default()
    }

    pub(super) fn get(&self, pointer: &str) -> Option<&Value> {
        self.value.pointer(pointer).filter(|value| !value.is_null())
    }

    pub(super) fn list(&self, pointer: &str) -> &[Value] {
        self.value.pointer(pointer).and_then(Value::as_array).map_or(&[], Vec::as_slice)
    }
}

/// A member of an object as text.
pub(super) fn text<'v>(value: &'v Value, name: &str) -> &'v str {
    value.get(name).and_then(Value::as_str).unwrap_or_default()
}

/// A member of an object as a number.
pub(super) fn count(value: &Value, name: &str) -> u64 {
    value.get(name).and_then(Value::as_u64).unwrap_or_default()
}

/// Whether a member is true.
pub(super) fn is(value: &Value, name: &str) -> bool {
    value.get(name).and_then(Value::as_bool).unwrap_or_default()
}

/// A member as a time.
pub(super) fn time(value: &Value, name: &str) -> Option<i64> {
    value.get(name)?.as_i64()
}
