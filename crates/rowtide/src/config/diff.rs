//! `rowtide config diff`: what deploying a configuration would change, by what definitions contain.
//!
//! A service builds only definitions that it does not have. Names, order and formatting make no difference.

use std::collections::BTreeSet;

use anyhow::Result;
use serde_json::json;
use sync_config::{Hash, Plan, Stream};

use super::{Common, Document, File, table_name};
use crate::exit::Outcome;
use crate::output::Grid;

/// Says what deploying NEW over OLD would change
#[derive(clap::Args)]
pub(crate) struct Diff {
    /// The configuration that is deployed
    old: File,
    /// The configuration that would be deployed
    new: File,
    #[command(flatten)]
    common: Common,
}

/// How a stream differs.
struct Change<'a> {
    name: &'a str,
    state: &'static str,
    kept: usize,
    new: usize,
    dropped: usize,
}

impl Diff {
    pub(crate) fn run(&self) -> Result<Outcome> {
        let (old, new) = (Document::read(&self.old, &self.common)?, Document::read(&self.new, &self.common)?);
        let (Some(old), Some(new)) = (old.plan(), new.plan()) else { return Ok(Outcome::Problem) };
        let changes = changes(old, new);
        let snapshots = snapshots(old, new);
        if self.common.json {
            let streams: Vec<_> = changes
                .iter()
                .map(|change| {
                    json!({"name": change.name, "state": change.state,
                        "definitions": {"kept": change.kept, "new": change.new, "dropped": change.dropped}})
                })
                .collect();
            println!("{}", json!({"streams": streams, "snapshots": snapshots, "reconnects": false}));
            return Ok(Outcome::Fine);
        }
        let mut grid = Grid::new(&["stream", "is", "kept", "new", "dropped"]);
        for change in &changes {
            let numbers = [change.kept, change.new, change.dropped].map(|number| number.to_string());
            grid.row([change.name.to_owned(), change.state.to_owned()].into_iter().chain(numbers));
        }
        println!("Bucket definitions of streams:\n\n{grid}");
        match snapshots.as_slice() {
            [] => println!("No table is read again."),
            tables => println!("Tables that are read again: {}", tables.join(", ")),
        }
        println!("Clients stay connected: they download new definitions and remove dropped ones.");
        Ok(Outcome::Fine)
    }
}

fn changes<'a>(old: &'a Plan, new: &'a Plan) -> Vec<Change<'a>> {
    let before = |name: &str| old.streams.iter().find(|stream| stream.name == name);
    let mut changes: Vec<Change<'_>> = new
        .streams
        .iter()
        .map(|stream| change(before(&stream.name).map(|before| (old, before)), Some((new, stream))))
        .collect();
    let gone = old.streams.iter().filter(|stream| !new.streams.iter().any(|other| other.name == stream.name));
    changes.extend(gone.map(|stream| change(Some((old, stream)), None)));
    changes
}

fn change<'a>(old: Option<(&'a Plan, &'a Stream)>, new: Option<(&'a Plan, &'a Stream)>) -> Change<'a> {
    let hashes = |side: Option<(&'a Plan, &'a Stream)>| side.map(definitions).unwrap_or_default();
    let (before, after) = (hashes(old), hashes(new));
    let state = match (old, new) {
        (None, _) => "new",
        (_, None) => "dropped",
        (Some(old), Some(new)) if way(old) != way(new) => "changed",
        _ => "same",
    };
    Change {
        name: new.or(old).map_or("", |(_, stream)| stream.name.as_str()),
        state,
        kept: before.intersection(&after).count(),
        new: after.difference(&before).count(),
        dropped: before.difference(&after).count(),
    }
}

/// What the buckets of a stream contain.
fn definitions((plan, stream): (&Plan, &Stream)) -> BTreeSet<Hash> {
    stream.queriers.iter().filter_map(|querier| plan.definitions.get(querier.definition)).map(|one| one.hash).collect()
}

/// Everything that makes a difference to clients.
fn way((plan, stream): (&Plan, &Stream)) -> (bool, u8, BTreeSet<Hash>, String) {
    let text = plan.describe(stream);
    // Definitions are named after the first stream that has them; their content is compared instead.
    let lines = text.lines().filter(|line| !line.ends_with(':'));
    let text = lines.collect::<Vec<_>>().join("\n");
    (stream.auto_subscribe, stream.priority, definitions((plan, stream)), text)
}

/// The tables of evaluators and indexes that are not there yet.
fn snapshots(old: &Plan, new: &Plan) -> Vec<String> {
    let evaluators = new.evaluators.iter().filter(|one| !old.evaluators.iter().any(|known| known.hash == one.hash));
    let indexes = new.indexes.iter().filter(|one| !old.indexes.iter().any(|known| known.hash == one.hash));
    let tables = evaluators.map(|one| &one.program.table).chain(indexes.map(|one| &one.program.table));
    tables.map(table_name).collect::<BTreeSet<_>>().into_iter().collect()
}
