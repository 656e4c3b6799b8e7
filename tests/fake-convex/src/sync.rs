//! The newer sync API: the changes after a cursor with what snapshots and log do not say, that tables are gone or replaced.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value as Json, json};

use crate::database::{Database, TabletId};
use crate::pages::{Limits, refused};
use crate::server::Refusal;
use crate::value::lossless;

/// Where a client is.
#[derive(Clone, Copy, Debug)]
struct Cursor {
    /// Everything up to here was given.
    after: i64,
    /// The timestamp that is being given, and how many values of it were.
    open: Option<(i64, usize)>,
    is_snapshot: bool,
    /// Cursors of an earlier time have expired.
    epoch: u64,
}

impl Cursor {
    fn text(self) -> String {
        let (until, given) = self.open.unwrap_or((0, 0));
        STANDARD.encode(json!([self.after, until, given, self.is_snapshot, self.epoch]).to_string())
    }

    fn read(text: &str) -> Option<Self> {
        let bytes = STANDARD.decode(text).ok()?;
        let json: Json = serde_json::from_slice(&bytes).ok()?;
        let number = |at: usize| json[at].as_i64();
        let open = Some((number(1)?, usize::try_from(number(2)?).ok()?)).filter(|(until, _)| *until > 0);
        Some(Self { after: number(0)?, open, is_snapshot: json[3].as_bool()?, epoch: json[4].as_u64()? })
    }
}

/// `data_sync_cursor_from_deltas`: the cursor of one who has everything up to a timestamp.
pub(crate) fn cursor_from_deltas(database: &Database, epoch: u64, cursor: i64) -> Result<Json, Refusal> {
    if cursor < database.first_delta || cursor > database.now {
        return Err(refused("InvalidWindowToReadDocuments", "The timestamp is not one that is kept."));
    }
    Ok(json!({"cursor": Cursor { after: cursor, open: None, is_snapshot: false, epoch }.text()}))
}

/// `v1/data/sync`: a page of what is new after a cursor.
pub(crate) fn page(database: &Database, limits: Limits, epoch: u64, body: &Json) -> Result<Json, Refusal> {
    let invalid = || refused("InvalidDataSyncCursor", "The cursor is none.");
    let start = Cursor { after: 0, open: None, is_snapshot: true, epoch };
    let cursor = match body["cursor"].as_str() {
        Some(text) => Cursor::read(text).ok_or_else(invalid)?,
        None => start,
    };
    if cursor.epoch != epoch || (cursor.after < database.first_delta && !cursor.is_snapshot) {
        return Err(refused("DataSyncCursorExpired", "The cursor is too old."));
    }
    let (until, given) = cursor.open.unwrap_or((database.now, 0));
    let (truncates, values) = changes(database, cursor.after, until, &body["selection"]);
    let total = values.len();
    let end = total.min(given + limits.sync_rows);
    let has_more = end < total;
    let next = match has_more {
        true => Cursor { open: Some((until, end)), ..cursor },
        false => Cursor { after: until, open: None, is_snapshot: false, epoch },
    };
    let status = match (cursor.is_snapshot && has_more, until == database.now && !has_more) {
        (true, _) => "snapshotting",
        (_, true) => "upToDate",
        _ => "stale",
    };
    Ok(json!({
        "status": {"type": status, "snapshotTs": until},
        "truncates": if given == 0 { truncates } else { Vec::new() },
        "values": values[given..end],
        "syncId": "1",
        "pagination": {"hasMore": has_more, "nextCursor": next.text()},
    }))
}

/// Tables whose documents are all gone, and documents that are new, changed or deleted.
fn changes(database: &Database, after: i64, until: i64, selection: &Json) -> (Vec<Json>, Vec<Json>) {
    let (mut truncates, mut values) = (Vec::new(), Vec::new());
    for (id, tablet) in &database.tablets {
        if !is_selected(selection, &tablet.table) {
            continue;
        }
        let value = |key: &str, ts: i64, document: Option<Json>| {
            json!({
                "component": "", "table": tablet.table, "ts": ts, "deleted": document.is_none(),
                "value": document.unwrap_or_else(|| json!({"_id": key})),
            })
        };
        match (tablet.is_active(after), tablet.is_active(until)) {
            (true, false) => truncates.push(json!({"component": "", "table": tablet.table})),
            (false, true) => {
                let all = database.at(*id, until);
                values.extend(all.map(|(key, ts, document)| value(key, ts, Some(lossless(document)))));
            }
            (true, true) => {
                let last = newest(database, *id, after, until);
                values.extend(last.into_iter().map(|(key, (ts, document))| value(&key, ts, document)));
            }
            (false, false) => {}
        }
    }
    (truncates, values)
}

/// The last version of each document that changed.
fn newest(database: &Database, tablet: TabletId, after: i64, until: i64) -> BTreeMap<String, (i64, Option<Json>)> {
    let entries = database.log.iter().filter(|entry| entry.tablet == tablet && entry.ts > after && entry.ts <= until);
    entries.map(|entry| (entry.id.clone(), (entry.ts, entry.document.as_deref().map(lossless)))).collect()
}

/// `{"": {"_other": "incl", "t": "excl"}, "_other": "excl"}`: by component, then by table.
fn is_selected(selection: &Json, table: &str) -> bool {
    let included = |of: &Json| match of {
        Json::String(word) => word == "incl",
        other => other.is_object(),
    };
    match &selection[""] {
        Json::Null => included(&selection["_other"]),
        tables if tables[table].is_null() => included(&tables["_other"]),
        tables => included(&tables[table]),
    }
}
