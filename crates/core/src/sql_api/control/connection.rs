//! Commands about the connection to the service and about uploads. Most ignore their payload.

use sqlite_nostd::ValueType;

use super::Call;
use crate::error::{Error, Result};
use crate::sync_client::Event;

/// `stop`
pub(super) fn stop(mut call: Call<'_>) -> Result<()> {
    call.session.scratch.take();
    call.handle(Event::Stop)
}

/// `connection`
pub(super) fn connection(mut call: Call<'_>) -> Result<()> {
    let event = match (call.payload.value_type(), call.payload.text()?) {
        (ValueType::Text, "established") => Event::ConnectionEstablished,
        (ValueType::Text, "end") => Event::ConnectionEnded,
        _ => return Err(Error::argument("unknown connection event")),
    };
    call.handle(event)
}

/// `refreshed_token`
pub(super) fn refreshed_token(mut call: Call<'_>) -> Result<()> {
    call.handle(Event::TokenRefreshed)
}

/// `completed_upload`
pub(super) fn completed_upload(mut call: Call<'_>) -> Result<()> {
    call.handle(Event::UploadCompleted)
}
