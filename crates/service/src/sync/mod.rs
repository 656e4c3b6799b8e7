//! Sync streams: connected clients, and the body of each stream.

mod chunks;
mod counters;
mod hub;
mod progress;
mod seat;
mod stream;

pub(crate) use chunks::{ChunkSender, Chunks, body};
pub(crate) use counters::get;
pub(crate) use hub::{Client, Hub, shutting_down};
pub(crate) use seat::{ClientInfo, Seat};
pub(crate) use stream::{Opening, open};
