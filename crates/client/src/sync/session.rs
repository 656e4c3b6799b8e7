//! A session: from `connect` to `disconnect`, with the lock that keeps other processes from doing the same.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::Event;
use super::iteration::{End, Iteration, Memory};
use crate::backoff::Backoff;
use crate::database::{Failure, data_version, offline_status};
use crate::lock::Held;
use crate::shared::Shared;
use crate::status::Tracker;
use crate::upload::Active;

/// A stream that is replaced sooner than this is replaced for no good reason.
const SHORTEST_STREAM: Duration = Duration::from_secs(1);

/// How many such streams may follow each other without a pause.
const MOST_SHORT_STREAMS: u32 = 10;

/// Syncs until it is stopped.
pub(crate) async fn session(shared: Arc<Shared>, stop: CancellationToken) {
    let Some(lock) = wait_for_lock(&shared, &stop).await else { return };
    shared.uploads.activate(Some(Active { stop: stop.clone(), lock }));
    tokio::join!(sync(&shared, &stop), watch(&shared, &stop));
    shared.uploads.activate(None);
}

/// One iteration after another.
async fn sync(shared: &Arc<Shared>, stop: &CancellationToken) {
    let mut memory = Memory::new(Backoff::new(&shared.options.timing));
    let mut short_streams = 0;
    while !stop.is_cancelled() {
        let started = Instant::now();
        let end = Iteration::new(shared, &mut memory, stop).run().await;
        short_streams = if started.elapsed() < SHORTEST_STREAM { short_streams + 1 } else { 0 };
        match end {
            End::Stopped => return,
            End::Hidden if short_streams < MOST_SHORT_STREAMS => {}
            End::Hidden | End::Failed => {
                memory.is_hiding = false;
                pause(memory.backoff.delay(), stop).await;
            }
        }
    }
}

/// Looks for what other connections and processes have written: uploads and subscriptions.
async fn watch(shared: &Arc<Shared>, stop: &CancellationToken) {
    let mut version = None;
    while !stop.is_cancelled() {
        if let Ok(now) = shared.database.run(data_version).await
            && version.replace(now) != Some(now)
        {
            shared.uploads.wake.notify_one();
            shared.tell(Event::Subscriptions);
        }
        pause(shared.options.timing.poll, stop).await;
    }
}

/// Waits until no other process syncs this file. Meanwhile it shows what that one does.
async fn wait_for_lock(shared: &Arc<Shared>, stop: &CancellationToken) -> Option<Arc<Held>> {
    let mut version = None;
    let lock = loop {
        if stop.is_cancelled() {
            break None;
        }
        match shared.lock.take() {
            Ok(Some(lock)) => break Some(lock),
            Ok(None) => shared.status.update(|status| status.waits_for_lock = true),
            Err(error) => {
                let message = format!("cannot lock {}: {error}", shared.lock.path().display());
                shared.status.update(|status| status.download_error = Some(message));
            }
        }
        if let Err(failure) = look(shared, &mut version).await {
            tracing::warn!("while another process syncs: {failure}");
        }
        pause(shared.options.timing.poll, stop).await;
    };
    shared.status.update(|status| {
        status.waits_for_lock = false;
        if lock.is_some() {
            status.download_error = None;
        }
    });
    lock
}

/// Shows what another process has synced, and keeps the subscriptions of this one.
async fn look(shared: &Arc<Shared>, version: &mut Option<i64>) -> Result<(), Failure> {
    let renewals = shared.streams.renewals();
    if !renewals.is_empty() {
        let database = Arc::clone(&shared.database);
        let renewed = tokio::task::spawn_blocking(move || {
            renewals.into_iter().try_for_each(|renewal| database.subscribe(renewal))
        });
        renewed.await.unwrap_or(Err(Failure::Closed))?;
    }
    let now = shared.database.run(data_version).await?;
    if version.replace(now) != Some(now) {
        let raw = shared.database.run(offline_status).await?;
        let queued = shared.database.run(crate::database::queued).await?;
        shared.status.update(|status| {
            Tracker::default().apply(raw, status);
            status.queued = queued;
        });
    }
    Ok(())
}

async fn pause(time: Duration, stop: &CancellationToken) {
    tokio::select! {
        () = stop.cancelled() => {}
        () = sleep(time) => {}
    }
}
