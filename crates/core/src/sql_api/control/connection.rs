//! Commands about the connection to the service and about uploads. Most ignore their payload.

use sqlite_nostd::ValueType;

use super::Call;
use crate::engine::{Event, Outcome};
use crate::error::{Error, Result};

/// `stop`
pub fn stop(call: Call<'_>) -> Result<Outcome> {
    call.session.scratch.take();
    call.engine.handle(Event::Stop, call.storage)
}

/// `connection`
pub fn connection(call: Call<'_>) -> Result<Outcome> {
    let event = match (call.payload.value_type(), call.payload.text()?) {
        (ValueType::Text, "established") => Event::ConnectionEstablished,
        (ValueType::Text, "end") => Event::ConnectionEnded,
        _ => return Err(Error::argument("unknown connection event")),
    };
    call.engine.handle(event, call.storage)
}

/// `refreshed_token`
pub fn refreshed_token(call: Call<'_>) -> Result<Outcome> {
    call.engine.handle(Event::TokenRefreshed, call.storage)
}

/// `completed_upload`
pub fn completed_upload(call: Call<'_>) -> Result<Outcome> {
    call.engine.handle(Event::UploadCompleted, call.storage)
}
