//! What the writer's thread does when the rest of the service asks.

use sync_engine::row::SourceTable;

use super::compaction::LARGEST_STEP;
use super::requests::{Asked, NO_SOURCE, NO_STORAGE};
use super::run::{Stopped, Thread};
use super::{Command, Tables};
use crate::clock;

impl Thread {
    /// Does what is asked; requests for checkpoints are collected.
    pub(super) fn command(&mut self, command: Command, asked: &mut Asked) -> Result<(), Stopped> {
        match command {
            Command::Deploy { yaml, plan, reply } => {
                let deployed = self.writer.deploy(&yaml, *plan, clock::now());
                self.has_changes = true;
                // Whoever gets the answer finds it in the status.
                self.report();
                let _ = reply.send(deployed.map_err(|error| error.to_string()));
            }
            Command::Preview { plan, reply } => drop(reply.send(Ok(Box::new(self.writer.preview(*plan))))),
            Command::Compact { reply } => drop(reply.send(self.compact_all())),
            Command::Reprocess { tables, reply } => drop(reply.send(self.reprocess(&tables))),
            Command::Acknowledge(request) => asked.acknowledge.push(request),
            Command::Reach { user, reply } => asked.reach.push((user, reply)),
            Command::Stop => return Err(Stopped),
        }
        Ok(())
    }

    fn compact_all(&mut self) -> Result<(), String> {
        loop {
            let compacted = self.writer.compact(LARGEST_STEP);
            if !compacted.map_err(|error| format!("Compacting the storage: {error}"))?.has_more {
                return Ok(());
            }
        }
    }

    fn reprocess(&mut self, wanted: &Tables) -> Result<Vec<SourceTable>, String> {
        let (patterns, source) = (self.patterns(), &self.edges.source);
        match source.tables(&patterns).and_then(|tables| Ok((tables, source.head()?))) {
            Ok((tables, head)) => {
                self.edges.trouble.worked();
                self.has_changes = true;
                let compared = self.writer.reprocess(&tables, head, &|table| wanted.contains(table), clock::now());
                compared.map_err(|error| error.to_string())
            }
            Err(error) => {
                self.edges.trouble.failed(&error);
                Err(NO_SOURCE.to_owned())
            }
        }
    }
}

impl Command {
    /// Says that the storage cannot be used at the moment.
    ///
    /// # Errors
    /// It is the command to stop.
    pub(super) fn refuse(self) -> Result<(), Stopped> {
        let message = NO_STORAGE.to_owned();
        match self {
            Self::Deploy { reply, .. } => drop(reply.send(Err(message))),
            Self::Preview { reply, .. } => drop(reply.send(Err(message))),
            Self::Compact { reply } => drop(reply.send(Err(message))),
            Self::Reprocess { reply, .. } => drop(reply.send(Err(message))),
            Self::Acknowledge(request) => drop(request.reply.send(Err(message))),
            Self::Reach { reply, .. } => drop(reply.send(Err(message))),
            Self::Stop => return Err(Stopped),
        }
        Ok(())
    }
}
