//! Ctrl-C closes the client; a second one ends the program at once.

use std::sync::{Arc, mpsc};
use std::thread;

use anyhow::{Context, Result, anyhow};
use rowtide_client::Client;
use tokio::sync::oneshot;

use crate::running::Signals;

/// Closes the client at a signal, until this is dropped.
pub(super) struct StopAtSignal {
    _end: oneshot::Sender<()>,
}

impl StopAtSignal {
    /// Signals count from now on.
    pub(super) fn install(client: &Arc<Client>) -> Result<Self> {
        let runtime =
            tokio::runtime::Builder::new_current_thread().enable_all().build().context("Listening to signals")?;
        let client = Arc::clone(client);
        let (end, ended) = oneshot::channel::<()>();
        let (installed, installing) = mpsc::channel();
        thread::spawn(move || {
            runtime.block_on(async {
                let mut signals = match Signals::new() {
                    Ok(signals) => signals,
                    Err(error) => return drop(installed.send(Err(error))),
                };
                let _ = installed.send(Ok(()));
                tokio::select! {
                    _ = ended => return,
                    _ = signals.next() => {}
                }
                let closing = tokio::task::spawn_blocking(move || client.close());
                signals.while_stopping(async { drop(closing.await) }).await;
            });
        });
        installing.recv().map_err(|_| anyhow!("the thread for signals has ended"))??;
        Ok(Self { _end: end })
    }
}
