//! The sync loop: one iteration after another, with a pause after each that has failed.

mod iteration;
mod session;
mod stream;

use tokio::sync::OwnedSemaphorePermit;

pub(crate) use self::session::session;
use crate::lines::Line;
use crate::service::Trouble;

/// What an iteration has to handle. Its events wait in one queue, and are handled one by one.
pub(crate) enum Event {
    /// The service has answered.
    Established,
    /// A line. The permit is given back when it is handled: until then the stream reads only so much ahead.
    Line(Line, OwnedSemaphorePermit),
    /// The stream has ended, because of this if it is not the service's normal end.
    Ended(Option<StreamTrouble>),
    /// There is another token.
    TokenRefreshed,
    /// The service has answered the checkpoint request with this id.
    Seed(String),
    /// Everything was uploaded, and the id that acknowledges it is stored.
    CompletedUpload,
    /// The streams in use may be others now.
    Subscriptions,
}

/// What is wrong with a stream.
pub(crate) enum StreamTrouble {
    /// It is over when the service answers again.
    Connection(Trouble),
    /// It is over when a checkpoint completes.
    Content(String),
}
