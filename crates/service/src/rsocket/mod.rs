//! RSocket over WebSocket, on the path of the sync stream: for clients that cannot read the body of an HTTP answer while
//! it comes, as apps on React Native, and for older web apps.
//!
//! One connection can have several streams. A client says how many lines of a stream it takes; a stream that has no more
//! of that to give waits as one whose HTTP client reads slowly. Keep-alives are RSocket's own, in both directions.
//!
//! `frame`, `session` and `document` decode and decide without I/O; `socket` and `stream` are the edge.

mod document;
mod frame;
mod session;
mod socket;
mod stream;

use std::sync::Arc;

use axum::extract::Request;
use axum::extract::ws::rejection::WebSocketUpgradeRejection;
use axum::extract::ws::{WebSocket, WebSocketUpgrade};
use axum::response::Response;

use crate::http::App;
use crate::sync::Hub;

/// What frames may be larger than the largest request.
const MAX_HEAD: usize = 64 * 1024;

/// Answers the request for a WebSocket; one for anything else is given to `otherwise`.
pub(crate) fn upgrade(
    app: Arc<App>,
    upgrade: Result<WebSocketUpgrade, WebSocketUpgradeRejection>,
    request: &Request,
) -> Option<Response> {
    let upgrade = upgrade.ok()?;
    let user_agent = crate::http::user_agent(request.headers()).to_owned();
    let largest = app.limits.max_body.saturating_add(MAX_HEAD);
    let upgrade = upgrade.max_message_size(largest).max_frame_size(largest);
    // Counted before the answer, so that the service does not stop without it.
    let presence = Hub::visit(&app.hub);
    Some(upgrade.on_upgrade(move |socket: WebSocket| async move {
        socket::serve(socket, app, user_agent).await;
        drop(presence);
    }))
}
