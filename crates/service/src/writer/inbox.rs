//! What waits for the writer's thread: commands, which never wait to be sent, and events of the source, of which only some
//! may wait.

use std::sync::mpsc::{Receiver, RecvTimeoutError, SendError, Sender, SyncSender, channel as unbounded, sync_channel};
use std::time::Duration;

use super::Input;

/// Events that may wait, each as one call of the source gave them: beyond that, the source's stream waits.
const EVENTS: usize = 64;

/// Takes what waits.
pub(super) struct Inbox {
    inputs: Receiver<Input>,
    /// One for each input with events.
    slots: Receiver<()>,
}

/// Gives events, and waits while too many wait.
#[derive(Clone)]
pub(super) struct EventSender {
    inputs: Sender<Input>,
    slots: SyncSender<()>,
}

/// A sender for commands, one for events, and where both arrive.
pub(super) fn channel() -> (Sender<Input>, EventSender, Inbox) {
    let (sender, inputs) = unbounded();
    let (slots, freed) = sync_channel(EVENTS);
    (sender.clone(), EventSender { inputs: sender, slots }, Inbox { inputs, slots: freed })
}

impl EventSender {
    /// Sends an input of a stream.
    ///
    /// # Errors
    /// The thread has ended.
    pub(super) fn send(&self, input: Input) -> Result<(), SendError<()>> {
        if matches!(input, Input::Events(..)) {
            self.slots.send(())?;
        }
        self.inputs.send(input).map_err(|_| SendError(()))
    }
}

impl Inbox {
    /// The next input; none if there is none at the moment.
    pub(super) fn try_take(&self) -> Option<Input> {
        self.inputs.try_recv().ok().inspect(|input| self.free(input))
    }

    /// The next input, if one comes in this time.
    ///
    /// # Errors
    /// Nobody can send any more.
    pub(super) fn take(&self, wait: Duration) -> Result<Option<Input>, Disconnected> {
        match self.inputs.recv_timeout(wait) {
            Ok(input) => {
                self.free(&input);
                Ok(Some(input))
            }
            Err(RecvTimeoutError::Timeout) => Ok(None),
            Err(RecvTimeoutError::Disconnected) => Err(Disconnected),
        }
    }

    fn free(&self, input: &Input) {
        if matches!(input, Input::Events(..)) {
            let _ = self.slots.try_recv();
        }
    }
}

/// Nobody can send any more.
pub(super) struct Disconnected;
