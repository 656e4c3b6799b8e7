//! One stream of a connection: its request, and its lines as the client takes them.

use std::sync::Arc;

use axum::body::Bytes;
use sync_engine::lines::Encoding;
use sync_engine::request::StreamRequest;
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::StreamExt;

use super::document::{Format, Lines, Target};
use super::frame::{self, ErrorCode};
use crate::auth::User;
use crate::error::{ApiError, ErrorKind};
use crate::http::{App, begin};
use crate::sync::Chunks;

/// The path that streams are asked for.
const PATH: &str = "/sync/stream";

/// A stream that a client has asked for.
pub(super) struct Asked {
    pub(super) app: Arc<App>,
    pub(super) stream: u32,
    /// The metadata as JSON text, or what is wrong with them.
    pub(super) target: Result<Vec<u8>, String>,
    pub(super) data: Bytes,
    /// How the request is written, and its lines unless it says otherwise.
    pub(super) format: Format,
    pub(super) user: User,
    pub(super) user_agent: String,
    /// How many more payloads the client takes.
    pub(super) granted: Arc<Semaphore>,
    /// The frames for the client.
    pub(super) frames: mpsc::Sender<Vec<u8>>,
}

/// An error as clients look for it: its code is in the text.
pub(super) fn text(error: &ApiError) -> String {
    let body = error.body();
    body.get("error").unwrap_or(&body).to_string()
}

/// Sends the lines of a stream, and its end. Gives the number of the stream.
pub(super) async fn run(asked: Asked) -> u32 {
    let stream = asked.stream;
    let frames = asked.frames.clone();
    let end = match open(&asked).await {
        Ok((chunks, format)) => lines(asked, chunks, format).await,
        Err(error) => Some(frame::error(stream, ErrorCode::Application, &text(&error))),
    };
    if let Some(end) = end {
        let _ = frames.send(end).await;
    }
    stream
}

async fn open(asked: &Asked) -> Result<(Chunks, Format), ApiError> {
    let wrong = |error: &str| ApiError::validation(&[error.to_owned()]);
    let target = asked.target.as_deref().map_err(|error| wrong(error))?;
    let target: Target = serde_json::from_slice(target).map_err(|_| wrong("the metadata must be {path}"))?;
    if target.path.as_deref() != Some(PATH) {
        let description = format!("Only {PATH} can be requested over a WebSocket.");
        return Err(ApiError::new(ErrorKind::NotFound, description));
    }
    let json = asked.format.to_json(&asked.data).map_err(|error| wrong(&error))?;
    let request = StreamRequest::parse(&json).map_err(|error| wrong(&error.to_string()))?;
    // Newer clients ask in JSON, and want BSON.
    let lines: Lines = serde_json::from_slice(&json).unwrap_or_default();
    let format = if lines.binary_data { Format::Bson } else { asked.format };
    let encoding = match format {
        Format::Bson => Encoding::Bson,
        Format::Json => Encoding::Json { raw_data: request.raw_data },
    };
    // RSocket has keep-alives of its own.
    let chunks = begin(&asked.app, asked.user.clone(), request, &asked.user_agent, encoding, None).await?;
    Ok((chunks, format))
}

/// Sends lines as the client takes them, and gives the last frame; none if the connection has ended.
async fn lines(asked: Asked, mut chunks: Chunks, format: Format) -> Option<Vec<u8>> {
    while let Some(chunk) = chunks.next().await {
        let Ok(mut rest) = chunk else {
            let error = ApiError::new(ErrorKind::Internal, "The stream was cut. Connect again.");
            return Some(frame::error(asked.stream, ErrorCode::Application, &text(&error)));
        };
        while !rest.is_empty() {
            let line = split(&mut rest, format);
            asked.granted.acquire().await.ok()?.forget();
            asked.frames.send(frame::next(asked.stream, &line)).await.ok()?;
        }
    }
    Some(frame::complete(asked.stream))
}

/// Takes the first line. Chunks consist of whole lines.
fn split(chunk: &mut Bytes, format: Format) -> Bytes {
    let length = match format {
        Format::Bson => {
            let length = chunk.first_chunk::<4>().map_or(0, |bytes| u32::from_le_bytes(*bytes));
            usize::try_from(length).unwrap_or(usize::MAX).clamp(1, chunk.len())
        }
        Format::Json => chunk.iter().position(|byte| *byte == b'\n').unwrap_or(chunk.len()),
    };
    let line = chunk.split_to(length);
    if format == Format::Json && !chunk.is_empty() {
        // The line feed.
        let _ = chunk.split_to(1);
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_are_split_into_lines() {
        let mut json = Bytes::from_static(b"{\"a\":1}\n{}\n");
        assert_eq!(split(&mut json, Format::Json), "{\"a\":1}");
        assert_eq!(split(&mut json, Format::Json), "{}");
        assert!(json.is_empty());
        let mut bson = Bytes::from_static(b"\x05\0\0\0\0\x06\0\0\0x\0");
        assert_eq!(split(&mut bson, Format::Bson).len(), 5);
        assert_eq!(split(&mut bson, Format::Bson).len(), 6);
        assert!(bson.is_empty());
    }
}
