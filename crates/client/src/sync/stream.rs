//! The stream: opened in the background, cut into lines, and read no faster than lines are stored.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::sync::mpsc::UnboundedSender;
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

use super::{Event, StreamTrouble};
use crate::backoff::Backoff;
use crate::instruction::Establish;
use crate::lines::Cutter;
use crate::network::{Body, Response};
use crate::options::Encoding;
use crate::service::Trouble;
use crate::shared::Shared;

/// How many bytes of lines may wait to be stored. A longer line waits alone.
const AHEAD: u32 = 4 * 1024 * 1024;

/// Opens the stream and reads it to its end.
pub(super) async fn read(shared: Arc<Shared>, establish: Establish, events: UnboundedSender<Event>) {
    let trouble = match connect(&shared, &establish).await {
        Ok((encoding, response)) => {
            let _ = events.send(Event::Established);
            // Dropped with this future: nobody seeds an iteration that has ended.
            let mut seeding = JoinSet::new();
            if let Some(request) = &establish.checkpoint_request {
                seeding.spawn(seed(Arc::clone(&shared), request.get().to_owned(), events.clone()));
            }
            lines(response.body, encoding, shared.options.timing.silence, &events).await.err()
        }
        Err(trouble) => Some(StreamTrouble::Connection(trouble)),
    };
    let _ = events.send(Event::Ended(trouble));
}

async fn connect(shared: &Shared, establish: &Establish) -> Result<(Encoding, Response), Trouble> {
    let (encoding, silence) = (shared.options.encoding, shared.options.timing.silence);
    let response = shared.service.stream(establish.request.get(), encoding, silence).await?;
    let encoding = match response.content_type.as_deref() {
        Some(kind) if kind.contains("bson") => Encoding::Bson,
        Some(kind) if !kind.contains("json") => {
            return Err(Trouble::not_understood(&shared.options.url, &format!("it is {kind}")));
        }
        _ => Encoding::Json,
    };
    Ok((encoding, response))
}

/// Puts each line into the queue as soon as there is room for it.
async fn lines(
    mut body: Box<dyn Body>,
    encoding: Encoding,
    silence: Duration,
    events: &UnboundedSender<Event>,
) -> Result<(), StreamTrouble> {
    let connection = |message: String| StreamTrouble::Connection(Trouble::passing(message));
    let room = Arc::new(Semaphore::new(AHEAD as usize));
    let mut cutter = Cutter::new(encoding);
    loop {
        let chunk = timeout(silence, body.next()).await;
        let chunk =
            chunk.map_err(|_| connection(format!("the service has sent nothing for {} s", silence.as_secs())))?;
        let chunk = chunk.map_err(|error| connection(format!("the stream was cut: {error}")))?;
        let Some(chunk) = chunk else { break };
        cutter.push(&chunk);
        while let Some(line) = cutter.next().map_err(|error| StreamTrouble::Content(error.to_string()))? {
            let bytes = u32::try_from(line.len()).unwrap_or(AHEAD).min(AHEAD);
            let Ok(permit) = Arc::clone(&room).acquire_many_owned(bytes).await else { return Ok(()) };
            if events.send(Event::Line(line, permit)).is_err() {
                return Ok(());
            }
        }
    }
    if cutter.is_within_line() { Err(connection("the stream was cut within a line".into())) } else { Ok(()) }
}

/// Asks for the checkpoint that the counter of request mode begins with. Uploads cannot be acknowledged before.
async fn seed(shared: Arc<Shared>, request: String, events: UnboundedSender<Event>) {
    let mut backoff = Backoff::new(&shared.options.timing);
    loop {
        match shared.service.request_checkpoint(request.clone()).await {
            Ok(id) => {
                let _ = events.send(Event::Seed(id));
                return;
            }
            Err(trouble) => {
                tracing::warn!("checkpoint request: {trouble}");
                shared.status.update(|status| status.upload_error = Some(trouble.message));
                sleep(backoff.delay()).await;
            }
        }
    }
}
