//! The body of a stream as HTTP takes it: chunks that a task gives, and an end that says whether the stream is complete.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};

use axum::body::Bytes;
use tokio::sync::mpsc;
use tokio_stream::Stream;

/// Chunks that wait for the client, besides the one that is being written.
const CHUNKS: usize = 2;

/// Gives chunks. Dropping it ends the body.
pub(crate) struct ChunkSender {
    pub(crate) chunks: mpsc::Sender<Bytes>,
    is_cut: Arc<AtomicBool>,
}

impl ChunkSender {
    /// Ends the body without its end, so that the client knows that it is not complete.
    pub(crate) fn cut(self) {
        self.is_cut.store(true, Ordering::Release);
    }
}

/// The body. After its end it can be polled again, as compression does: a channel that has ended stays so.
pub(crate) struct Chunks {
    chunks: mpsc::Receiver<Bytes>,
    is_cut: Arc<AtomicBool>,
}

/// A body and what gives its chunks.
pub(crate) fn body() -> (ChunkSender, Chunks) {
    let (sender, receiver) = mpsc::channel(CHUNKS);
    let is_cut = Arc::new(AtomicBool::new(false));
    let chunks = Chunks { chunks: receiver, is_cut: Arc::clone(&is_cut) };
    (ChunkSender { chunks: sender, is_cut }, chunks)
}

impl Stream for Chunks {
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.chunks.poll_recv(context).map(|chunk| match chunk {
            Some(chunk) => Some(Ok(chunk)),
            None => {
                let is_cut = self.is_cut.swap(false, Ordering::AcqRel);
                is_cut.then(|| Err(io::Error::other("the sync stream was cut")))
            }
        })
    }
}
