//! The client's half: what the file says about a row.

use std::path::Path;

use anyhow::{Context, Result, bail};
use rusqlite::ErrorCode;
use serde_json::{Value, json};

use crate::database::{Database, explained};
use crate::exit::usage;
use crate::member::at;

/// What a file says about a row.
pub(super) struct Client {
    /// As `powersync_explain` gives it.
    pub(super) row: Value,
    /// As `powersync_diagnose` gives it.
    pub(super) diagnosis: Value,
}

/// A version of the row that was downloaded.
pub(super) struct Version<'a> {
    pub(super) bucket: &'a str,
    pub(super) op_id: i64,
    pub(super) is_published: bool,
    pub(super) is_pending: bool,
    pub(super) is_removal: bool,
}

impl Client {
    /// Reads the file, and changes nothing.
    pub(super) fn read(file: &Path, object_type: &str, id: &str) -> Result<Self> {
        let database = open(file)?;
        // Both answers are about the same moment.
        database.connection().execute_batch("BEGIN").map_err(|error| explained(error, file))?;
        let diagnosis = ask(&database, "SELECT powersync_diagnose()", [])?;
        let row = ask(&database, "SELECT powersync_explain(?1, ?2)", [object_type, id])?;
        let client = Self { row, diagnosis };
        if client.is_unknown() {
            let known = client.known_types();
            let known = if known.is_empty() { "none".to_owned() } else { known.join(", ") };
            return Err(usage(format!("{} has no table {object_type}. Its tables are: {known}", file.display())));
        }
        Ok(client)
    }

    /// Whether nothing at all is known of the type.
    fn is_unknown(&self) -> bool {
        let is_empty = |name: &str| at(&self.row, name).as_array().is_none_or(Vec::is_empty);
        let is_known = || {
            let tables = at(&self.diagnosis, "tables").as_array().into_iter().flatten();
            tables.into_iter().any(|table| at(table, "name") == at(&self.row, "type"))
        };
        at(&self.row, "table").is_null()
            && is_empty("versions")
            && is_empty("local")
            && is_empty("rejected")
            && !is_known()
    }

    fn known_types(&self) -> Vec<&str> {
        let tables = at(&self.diagnosis, "tables").as_array().into_iter().flatten();
        tables.filter_map(|table| at(table, "name").as_str()).collect()
    }

    /// The state of `powersync_explain`.
    pub(super) fn state(&self) -> &str {
        at(&self.row, "state").as_str().unwrap_or_default()
    }

    /// Whether apps see the row.
    pub(super) fn is_there(&self) -> bool {
        if !at(&self.row, "shown").is_null() {
            return true;
        }
        // What a raw table shows is not known without its schema.
        let is_raw = *at(&self.row, "table.kind") == "raw";
        is_raw && self.versions().first().is_some_and(|version| version.is_published && !version.is_removal)
    }

    /// Downloaded versions, newest first.
    pub(super) fn versions(&self) -> Vec<Version<'_>> {
        let versions = at(&self.row, "versions").as_array().into_iter().flatten();
        let version = |version: &'_ Value| -> Option<(i64, bool, bool, bool)> {
            let op_id = at(version, "op_id").as_str()?.parse().ok()?;
            Some((
                op_id,
                *at(version, "published") == true,
                *at(version, "pending") == true,
                at(version, "data").is_null(),
            ))
        };
        versions
            .filter_map(|found| {
                let (op_id, is_published, is_pending, is_removal) = version(found)?;
                let bucket = at(found, "bucket").as_str()?;
                Some(Version { bucket, op_id, is_published, is_pending, is_removal })
            })
            .collect()
    }

    pub(super) fn list(&self, name: &str) -> &[Value] {
        at(&self.row, name).as_array().map(Vec::as_slice).unwrap_or_default()
    }

    pub(super) fn problems(&self) -> &[Value] {
        at(&self.diagnosis, "problems").as_array().map(Vec::as_slice).unwrap_or_default()
    }

    /// The newest operation that the client has of a bucket; none if it does not have the bucket.
    pub(super) fn bucket_op(&self, name: &str) -> Option<i64> {
        let mut buckets = at(&self.diagnosis, "buckets").as_array()?.iter();
        let bucket = buckets.find(|bucket| *at(bucket, "name") == name)?;
        at(bucket, "last_op").as_str()?.parse().ok()
    }

    pub(super) fn gate(&self) -> &Value {
        at(&self.diagnosis, "gate")
    }

    /// The streams that the app subscribes to, as the service takes them.
    pub(super) fn subscriptions(&self) -> Vec<Value> {
        let subscriptions = at(&self.diagnosis, "subscriptions").as_array().into_iter().flatten();
        let explicit = subscriptions.filter(|one| *at(one, "has_explicit_subscription") == true);
        explicit.map(|one| json!({"stream": at(one, "name"), "parameters": at(one, "parameters")})).collect()
    }

    pub(super) fn to_json(&self) -> Value {
        json!({
            "row": self.row, "there": self.is_there(), "gate": self.gate(), "buckets": at(&self.diagnosis, "buckets"),
            "subscriptions": at(&self.diagnosis, "subscriptions"), "problems": self.problems(),
        })
    }
}

/// Opens a file whose rows can be explained. In other formats that is a copy.
fn open(file: &Path) -> Result<Database> {
    let database = Database::read(file)?;
    let diagnosis = ask(&database, "SELECT powersync_diagnose()", [])?;
    if *at(&diagnosis, "versions.format") == 0 {
        bail!("{} has no synced tables: no app has used this database with PowerSync.", file.display());
    }
    let explain = "SELECT powersync_explain('', '')";
    match database.connection().query_row(explain, [], |_| Ok(())) {
        Err(error) if error.sqlite_error_code() == Some(ErrorCode::ApiMisuse) => database.in_this_format(),
        _ => Ok(database),
    }
}

fn ask(database: &Database, sql: &str, parameters: impl rusqlite::Params) -> Result<Value> {
    let text: rusqlite::Result<String> = database.connection().query_row(sql, parameters, |row| row.get(0));
    let text = text.map_err(|error| explained(error, database.path()))?;
    serde_json::from_str(&text).context("the extension has not answered with JSON")
}
