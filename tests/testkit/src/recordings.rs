//! The recorded answers of a real sync service, as found in the directory that `POWERSYNC_INTEROP_DATA` names.

use std::fs::File;
use std::path::{Path, PathBuf};

use rowtide_driver::stream::{Line, Lines};
use serde_json::Value;

use crate::host::{Host, HostError, Payload};
use crate::{bson, scenario::LineEncoding};

/// Names the directory with recorded streams and databases.
pub const DATA_VARIABLE: &str = "POWERSYNC_INTEROP_DATA";

/// The directory with recorded streams and databases.
///
/// # Panics
/// If the variable is not set or names no directory.
pub fn data_directory() -> PathBuf {
    let directory = std::env::var_os(DATA_VARIABLE).unwrap_or_else(|| panic!("{DATA_VARIABLE} is not set"));
    let directory = PathBuf::from(directory);
    assert!(directory.is_dir(), "{DATA_VARIABLE} names no directory: {}", directory.display());
    directory
}

/// One recorded stream.
#[derive(Debug, Clone)]
pub struct Recording {
    /// Name of its directory, such as `20-incremental`.
    pub name: String,
    /// Body of the request that was answered.
    pub request: Value,
    directory: PathBuf,
}

impl Recording {
    /// The recording of this name.
    ///
    /// # Panics
    /// If there is none.
    pub fn named(name: &str) -> Self {
        Self::read(&data_directory().join("streams").join(name)).unwrap_or_else(|| panic!("no recording {name}"))
    }

    fn read(directory: &Path) -> Option<Self> {
        let request = std::fs::read(directory.join("request.json")).ok()?;
        Some(Recording {
            name: directory.file_name()?.to_string_lossy().into_owned(),
            request: serde_json::from_slice(&request).expect("a recorded request is JSON"),
            directory: directory.to_path_buf(),
        })
    }

    /// The file with the stream in this encoding, if it was recorded so.
    pub fn file(&self, encoding: LineEncoding) -> Option<PathBuf> {
        let extension = match encoding {
            LineEncoding::Text => "ndjson",
            LineEncoding::Binary => "bson",
        };
        let plain = self.directory.join(format!("stream.{extension}"));
        let compressed = self.directory.join(format!("stream.{extension}.gz"));
        [plain, compressed].into_iter().find(|file| file.is_file())
    }

    /// The lines as they were sent; None if the stream was not recorded in this encoding.
    pub fn lines(&self, encoding: LineEncoding) -> Option<Vec<Line>> {
        let file = File::open(self.file(encoding)?).expect("a recording can be opened");
        let lines: Result<Vec<Line>, _> = Lines::new(file).expect("a recording can be read").collect();
        Some(lines.unwrap_or_else(|error| panic!("{}: {error}", self.name)))
    }

    /// The lines as JSON values, whichever way they were sent.
    pub fn values(&self, encoding: LineEncoding) -> Option<Vec<Value>> {
        let lines = self.lines(encoding)?;
        let value = |line: &Line| match line {
            Line::Text(text) => serde_json::from_str(text).expect("a recorded line is JSON"),
            Line::Binary(document) => bson::decode(document),
        };
        Some(lines.iter().map(value).collect())
    }
}

/// All recorded answers to requests, in order of their names.
pub fn recordings() -> Vec<Recording> {
    let directory = data_directory().join("streams");
    let entries = std::fs::read_dir(&directory).expect("the directory with recordings can be listed");
    let mut recordings: Vec<Recording> =
        entries.filter_map(|entry| Recording::read(&entry.expect("an entry can be read").path())).collect();
    recordings.sort_by(|one, other| one.name.cmp(&other.name));
    assert!(!recordings.is_empty(), "no recordings in {}", directory.display());
    recordings
}

/// Gives a line to the library in the encoding that it came in.
///
/// # Errors
/// What the library reports.
pub fn try_feed(host: &Host, line: &Line) -> Result<Value, HostError> {
    match line {
        Line::Text(text) => host.try_control("line_text", text.as_str()),
        Line::Binary(document) => host.try_control("line_binary", Payload::from(document.as_slice())),
    }
}
