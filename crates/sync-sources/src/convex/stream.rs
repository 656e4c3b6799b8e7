//! The stream of changes: asks the deployment for pages, as often as it is worth it.

use std::sync::Arc;
use std::time::{Duration, Instant};

use convex_connect::Kind;
use sync_engine::source::{SourceError, SourceEvent, SourceStream};

use super::Shared;
use super::changes::{Around, Changes};
use super::options::{Api, OnTableDrop};
use super::pages;
use super::watch::{Seen, Watch};
use crate::error::{configuration, position_lost};

/// By which API changes are read.
enum By {
    Deltas,
    /// With this cursor.
    Sync(String),
}

pub(crate) struct ConvexStream {
    shared: Arc<Shared>,
    by: By,
    changes: Changes,
    /// Events of the first page.
    first: Vec<SourceEvent>,
    watch: Option<Watch>,
    next_page: Instant,
    /// The calls for another page that were heard.
    heard: u64,
}

impl ConvexStream {
    /// Opens a stream after a timestamp. Reads the first page, since that says whether the deployment still has it.
    pub(crate) fn open(shared: &Arc<Shared>, from: i64) -> Result<Self, SourceError> {
        let now = Instant::now();
        let by = choose(shared, from)?;
        let is_watched = matches!(by, By::Deltas) && shared.options.on_table_drop == OnTableDrop::Remove;
        let watch = is_watched.then(|| Watch::new(shared.options.table_watch_interval, shared.tables.listed(), now));
        let (shared, changes, heard) = (Arc::clone(shared), Changes::new(from, now), shared.calls.count());
        let mut stream = Self { shared, by, changes, first: Vec::new(), watch, next_page: now, heard };
        stream.first = stream.page()?;
        Ok(stream)
    }

    fn page(&mut self) -> Result<Vec<SourceEvent>, SourceError> {
        // Whoever calls from now on wants another page than this one.
        self.heard = self.shared.calls.count();
        let has_more;
        let events = match &mut self.by {
            By::Deltas => {
                let page = self.shared.client.deltas(self.changes.cursor)?;
                has_more = page.has_more;
                let wanted = page.rows.iter().filter(|row| row.component.is_empty());
                if let Some(watch) = &mut self.watch {
                    wanted
                        .filter(|row| self.shared.tables.is_wanted(&row.table))
                        .for_each(|row| watch.changed(&row.table));
                }
                self.changes.deltas(page, &around(&self.shared))?
            }
            By::Sync(cursor) => {
                let page = self.shared.client.sync(cursor)?;
                has_more = page.has_more || page.is_snapshotting;
                cursor.clone_from(&page.cursor);
                self.changes.sync(page, &around(&self.shared))?
            }
        };
        let is_urgent = has_more || self.look_for_gone()?;
        self.next_page = Instant::now() + if is_urgent { Duration::ZERO } else { self.shared.options.polling_interval };
        Ok(events)
    }

    /// Lists the tables if it is time for that. Gives whether another page is wanted at once.
    fn look_for_gone(&mut self) -> Result<bool, SourceError> {
        let now = Instant::now();
        let Some(watch) = self.watch.as_mut().filter(|watch| watch.wants_list(now)) else { return Ok(false) };
        // If that fails, so will the next page, which says why.
        let Ok(schemas) = self.shared.client.schemas() else { return Ok(false) };
        let names = pages::names(&schemas).into_iter().filter(|name| self.shared.tables.is_wanted(name));
        match watch.listed(names.collect(), now) {
            Seen::Nothing => Ok(false),
            Seen::Suspects => Ok(true),
            Seen::Gone(gone) => {
                gone.iter().for_each(|table| self.shared.tables.unlist(table));
                self.changes.gone.extend(gone);
                // So that there is a timestamp at which they are gone. Without markers, the next change has one.
                Ok(self.shared.client.mark().is_ok())
            }
            Seen::Again(table) => {
                self.shared.lose_position()?;
                Err(position_lost(format!("table {table} was dropped and created again")))
            }
        }
    }
}

fn around(shared: &Shared) -> Around<'_> {
    Around { tables: &shared.tables, awaited: shared.awaited(), now: Instant::now() }
}

/// Which API the deployment has.
fn choose(shared: &Shared, from: i64) -> Result<By, SourceError> {
    let choice = shared.options.api;
    if choice == Api::Deltas {
        return Ok(By::Deltas);
    }
    match shared.client.sync_cursor(from) {
        Ok(cursor) => Ok(By::Sync(cursor)),
        Err(failure) if matches!(failure.kind, Kind::NoRoute | Kind::Refused) => match choice {
            Api::Sync => Err(configuration(format!("{}: leave out api=sync", failure.error.message))),
            Api::Auto | Api::Deltas => Ok(By::Deltas),
        },
        Err(failure) => Err(failure.into()),
    }
}

impl SourceStream for ConvexStream {
    fn next(&mut self, wait: Duration) -> Result<Vec<SourceEvent>, SourceError> {
        if !self.first.is_empty() {
            return Ok(std::mem::take(&mut self.first));
        }
        let end = Instant::now() + wait;
        let is_called = self.shared.calls.wait(self.heard, self.next_page.min(end));
        if !is_called && Instant::now() < self.next_page {
            return Ok(Vec::new());
        }
        self.page()
    }
}
