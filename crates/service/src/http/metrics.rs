//! `GET /metrics`: numbers as Prometheus reads them, without names of users and without rows.

use std::fmt::{Display, Write};

use axum::extract::State;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};

use super::{App, Shared, admin};
use crate::error::ApiError;
use crate::sync::get;

/// The page.
pub(super) async fn metrics(State(app): Shared, headers: HeaderMap) -> Result<Response, ApiError> {
    if !app.has_public_metrics {
        app.admin(&headers)?;
    }
    Ok(([(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], page(&app)).into_response())
}

fn page(app: &App) -> String {
    let mut page = Page(String::new());
    let (status, sent) = (app.writer.board.status(), &app.hub.counters);
    page.one("connections", "gauge", "Sync streams that are open.", app.hub.connections());
    page.one("connections_opened_total", "counter", "Sync streams opened.", get(&sent.connections_opened));
    page.one("stream_wakes_total", "counter", "Times that a commit has woken a stream.", get(&sent.wakes));
    page.one("operations_sent_total", "counter", "Operations sent to clients.", get(&sent.operations_sent));
    page.one("bytes_sent_total", "counter", "Bytes of sync lines, before compression.", get(&sent.bytes_sent));
    page.name("operations_written_total", "counter", "Operations written, by bucket definition.");
    for (definition, count) in &status.operations {
        page.value("operations_written_total", &[("definition", definition)], count);
    }
    if let Some(op_id) = status.checkpoint.map(|checkpoint| checkpoint.op_id) {
        page.one("checkpoint_op_id", "gauge", "The last operation of the newest checkpoint.", op_id);
    }
    if let Some(lag) = status.source.lag_seconds {
        page.one("source_lag_seconds", "gauge", "How far the newest checkpoint is behind the source.", lag);
    }
    page.one("source_errors_total", "counter", "Times that the source could not be read.", status.source.errors);
    let is_up = u8::from(status.source.error.is_none());
    page.one("source_up", "gauge", "Whether the source can be read.", is_up);
    let is_up = u8::from(status.storage_error.is_none());
    page.one("storage_up", "gauge", "Whether the storage can be used.", is_up);
    if let Some(bytes) = admin::size(app) {
        page.one("storage_bytes", "gauge", "Bytes that the storage takes.", bytes);
    }
    let building = status.config.building.map(|building| (building.rows_read, building.tables_left));
    let (rows, tables) = building.unwrap_or_default();
    page.one("snapshot_rows_read", "gauge", "Rows read for the configuration that is being built.", rows);
    page.one("snapshot_tables_left", "gauge", "Tables that are still being read for it.", tables);
    page.name("row_problems_total", "counter", "Evaluations that kept a row out, by bucket definition.");
    for problem in &status.problems {
        let labels = [("definition", &*problem.subject), ("problem", problem.problem)];
        page.value("row_problems_total", &labels, problem.count);
    }
    page.name("requests_total", "counter", "Answered requests, by route and status.");
    for ((route, status), count) in app.requests.counts() {
        page.value("requests_total", &[("route", &route), ("status", &status.to_string())], count);
    }
    page.0
}

struct Page(String);

impl Page {
    fn name(&mut self, name: &str, kind: &str, help: &str) {
        let _ = writeln!(self.0, "# HELP rowtide_{name} {help}\n# TYPE rowtide_{name} {kind}");
    }

    fn one(&mut self, name: &str, kind: &str, help: &str, value: impl Display) {
        self.name(name, kind, help);
        self.value(name, &[], value);
    }

    fn value(&mut self, name: &str, labels: &[(&str, &str)], value: impl Display) {
        let escaped = |text: &str| text.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n");
        let labels: Vec<String> = labels.iter().map(|(name, text)| format!("{name}=\"{}\"", escaped(text))).collect();
        let labels = if labels.is_empty() { String::new() } else { format!("{{{}}}", labels.join(",")) };
        let _ = writeln!(self.0, "rowtide_{name}{labels} {value}");
    }
}
