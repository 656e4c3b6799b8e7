//! Faults that a development service can be told to have, so that people see what their app makes of them.
//!
//! Some stay until they are switched off; others happen once. A service for production has no [`Faults`], and its streams are
//! written without them: only opening a stream looks whether there are any.

mod line;
mod now;
mod requests;
mod stream;
#[cfg(test)]
mod tests;

use std::sync::atomic::AtomicUsize;
use std::sync::{Arc, Mutex, PoisonError};

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use sync_engine::lines::Encoding;
use tokio::sync::{mpsc, watch};

pub(crate) use self::requests::{HangUp, answer};
use self::stream::{FaultyStream, Order};
use crate::error::{ApiError, ErrorKind};
use crate::http::{App, only_from_here, parsed};
use crate::sync::{Chunks, body};

/// Which lasting faults there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub(super) struct Lasting {
    /// Clients reach nothing: their streams are cut, and new requests get no answer.
    offline: bool,
    /// Streams trickle, and other requests of clients wait.
    slow: bool,
    /// Uploads are answered with an error.
    uploads_fail: bool,
    /// Streams hold back new checkpoints.
    checkpoints_delayed: bool,
}

/// Which lasting faults are to be switched on or off.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Change {
    offline: Option<bool>,
    slow: Option<bool>,
    uploads_fail: Option<bool>,
    checkpoints_delayed: Option<bool>,
}

/// What happens once.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Once {
    fault: Sudden,
}

#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Sudden {
    Cut,
    Expire,
    Checksum,
    Compact,
    Redeploy,
}

/// The faults of a development service.
pub(crate) struct Faults {
    lasting: watch::Sender<Lasting>,
    /// One for each open stream, also for some that have ended.
    streams: Mutex<Vec<mpsc::UnboundedSender<Order>>>,
    /// How often a configuration was deployed again as a new one.
    redeployed: AtomicUsize,
}

impl Faults {
    pub(super) fn new() -> Arc<Self> {
        let (lasting, _) = watch::channel(Lasting::default());
        Arc::new(Self { lasting, streams: Mutex::default(), redeployed: AtomicUsize::new(0) })
    }

    /// Switches off what lasts.
    pub(super) fn end(&self) {
        self.lasting.send_replace(Lasting::default());
    }

    fn lasting(&self) -> Lasting {
        *self.lasting.borrow()
    }

    fn change(&self, change: &Change) -> Lasting {
        self.lasting.send_modify(|lasting| {
            let set = |member: &mut bool, value: Option<bool>| *member = value.unwrap_or(*member);
            set(&mut lasting.offline, change.offline);
            set(&mut lasting.slow, change.slow);
            set(&mut lasting.uploads_fail, change.uploads_fail);
            set(&mut lasting.checkpoints_delayed, change.checkpoints_delayed);
        });
        self.lasting()
    }

    /// Gives each open stream an order, and says how many there are.
    fn order(&self, order: Order) -> usize {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        streams.retain(|stream| stream.send(order).is_ok());
        streams.len()
    }

    /// The number of open streams.
    fn streams(&self) -> usize {
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        streams.retain(|stream| !stream.is_closed());
        streams.len()
    }

    /// The stream as the client gets it. `is_framed` says that the transport has a frame for each line.
    ///
    /// # Errors
    /// No client reaches the service.
    pub(crate) fn through(&self, chunks: Chunks, encoding: Encoding, is_framed: bool) -> Result<Chunks, ApiError> {
        if self.lasting().offline {
            return Err(ApiError::new(ErrorKind::Unavailable, "The service is offline: POST /dev/faults ends that."));
        }
        let (orders, received) = mpsc::unbounded_channel();
        let mut streams = self.streams.lock().unwrap_or_else(PoisonError::into_inner);
        streams.retain(|stream| !stream.is_closed());
        streams.push(orders);
        drop(streams);
        let (sender, faulty) = body();
        let stream = FaultyStream::new(chunks, sender, (encoding, is_framed), self.lasting.subscribe(), received);
        tokio::spawn(stream.run());
        Ok(faulty)
    }
}

/// The routes.
pub(super) fn router(faults: Arc<Faults>) -> Router<Arc<App>> {
    let lasting = Router::new().route("/dev/faults", get(show).post(change)).with_state(faults);
    lasting.merge(Router::new().route("/dev/faults/now", post(once)))
}

async fn once(State(app): State<Arc<App>>, headers: HeaderMap, content: Bytes) -> Result<Json<Value>, ApiError> {
    only_from_here(&headers)?;
    let Once { fault } = parsed(&content)?;
    // A service with these routes has them.
    let streams = match &app.faults {
        Some(faults) => now::happen(faults, &app, fault).await?,
        None => 0,
    };
    Ok(Json(json!({"streams": streams})))
}

async fn show(State(faults): State<Arc<Faults>>, headers: HeaderMap) -> Result<Json<Lasting>, ApiError> {
    only_from_here(&headers)?;
    Ok(Json(faults.lasting()))
}

async fn change(
    State(faults): State<Arc<Faults>>,
    headers: HeaderMap,
    content: Bytes,
) -> Result<Json<Lasting>, ApiError> {
    only_from_here(&headers)?;
    let lasting = faults.change(&parsed(&content)?);
    tracing::info!(?lasting, "faults");
    Ok(Json(lasting))
}
