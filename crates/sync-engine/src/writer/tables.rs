//! Tables of the source and their generations: which are followed, which appeared, and which are gone.

use std::collections::{BTreeMap, BTreeSet};

use super::hold::Hold;
use super::layouts::LayoutId;
use super::programs::Programs;
use super::{Writer, WriterError};
use crate::row::{Position, SourceTable};
use crate::store::{TableId, TableState};

/// Whether the source is to be asked for its tables.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum TableRequest {
    Needed,
    /// It was asked, and nothing has happened since that could make the answer wrong.
    Asked,
    Done,
}

/// Of which tables all rows are read.
#[derive(Clone, Copy)]
enum Compared<'a> {
    /// Those that are new, for everything; others for new definitions and indexes.
    New,
    /// Likewise, and those of these names for everything that is ready.
    Named(&'a dyn Fn(&SourceTable) -> bool),
    /// All, for everything.
    All,
}

impl Writer {
    /// The tables that [`Want::Tables`](super::Want::Tables) asked for, and the source's head, asked for after them. No
    /// events may be pushed between the question and the answer.
    ///
    /// # Errors
    /// The store failed.
    pub fn tables(&mut self, tables: &[SourceTable], head: Position, now: i64) -> Result<(), WriterError> {
        self.guarded(|writer| {
            if writer.table_request == TableRequest::Asked {
                writer.reconcile(tables, head, Compared::New, now)
            } else {
                Ok(())
            }
        })
    }

    /// The source cannot read a table any more: it is gone, or has changed.
    pub fn table_failed(&mut self) {
        self.chunk = None;
        self.table_request = TableRequest::Needed;
    }

    /// The source has lost the position, or it is another source: all rows are compared with what is stored, and clients get
    /// the differences. Takes the source's tables and its head, asked for after them. Open the stream again afterwards, at
    /// [`Writer::position`].
    ///
    /// # Errors
    /// The store failed.
    pub fn rebuild(&mut self, tables: &[SourceTable], head: Position, now: i64) -> Result<(), WriterError> {
        self.guarded(|writer| {
            writer.stream_ended();
            let input = std::mem::take(&mut writer.input);
            input.appeared.keys().chain(&input.replaced).for_each(|id| writer.model.note_table(*id));
            writer.chunk = None;
            writer.refetch = None;
            writer.position = Some(head.clone());
            writer.hold = Hold::Until(head.clone());
            writer.restart_building(now);
            let jobs: Vec<_> = writer.model.jobs.keys().copied().collect();
            jobs.into_iter().for_each(|job| writer.model.finish_job(job));
            writer.reconcile(tables, head, Compared::All, now)
        })
    }

    /// Compares the rows of tables with the source's, and gives clients the differences. Takes the source's tables and its
    /// head, asked for after them; no events may be pushed in between. Gives the tables that are compared.
    ///
    /// # Errors
    /// The store failed.
    pub fn reprocess(
        &mut self,
        tables: &[SourceTable],
        head: Position,
        is_wanted: &dyn Fn(&SourceTable) -> bool,
        now: i64,
    ) -> Result<Vec<SourceTable>, WriterError> {
        if self.model.configs.is_empty() {
            return Ok(Vec::new());
        }
        self.guarded(|writer| {
            writer.reconcile(tables, head, Compared::Named(is_wanted), now)?;
            let is_compared = |table: &&SourceTable| is_wanted(table) && is_read(&writer.programs, table);
            Ok(tables.iter().filter(is_compared).cloned().collect())
        })
    }

    fn reconcile(
        &mut self,
        tables: &[SourceTable],
        head: Position,
        compared: Compared<'_>,
        now: i64,
    ) -> Result<(), WriterError> {
        self.table_request = TableRequest::Done;
        self.is_reconciled = true;
        self.hold.head(&head);
        let unplanned = std::mem::take(&mut self.unplanned);
        let mut seen = BTreeSet::new();
        let mut added = BTreeSet::new();
        for table in tables {
            if !is_read(&self.programs, table) {
                continue;
            }
            if let Compared::All = compared {
                self.forget_unseen(table);
            }
            let id = self.find_table(table).unwrap_or_else(|| {
                let id = self.model.new_table(table.clone());
                added.insert(id);
                id
            });
            self.layouts.add(id, table, &self.programs);
            seen.insert(id);
            self.listed.insert(id, head.clone());
            if self.doomed.remove(&id).is_some() {
                // It is there again, and nobody knows what happened to its rows.
                added.insert(id);
            }
            self.altered.insert(id, (table.clone(), head.clone()));
        }
        let gone: Vec<TableId> = self.followed_tables().filter(|id| !seen.contains(id)).collect();
        for id in gone {
            self.doom(id, &head);
        }
        for id in seen {
            let Some((_, layout)) = self.layouts.newest(id) else { continue };
            let reads = layout.bound.reads.clone();
            let is_all = matches!(compared, Compared::All) || added.contains(&id);
            if let Compared::Named(is_wanted) = compared
                && !is_all
                && is_wanted(&layout.source)
            {
                self.add_comparison(id, &self.model.ready_part(&reads), head.clone());
            }
            let content = if is_all { reads } else { reads.intersection(&unplanned) };
            if let Some(appeared) = self.input.appeared.get_mut(&id) {
                // Its record and its job are written together, with the changes of before.
                appeared.add(&content);
                continue;
            }
            if added.contains(&id) {
                self.model.note_table(id);
            }
            self.add_job(id, &content, Some(head.clone()));
        }
        // Before that position there may have been other tables.
        let earlier = self.planned.take().map(|(content, _)| content).unwrap_or_default();
        let mut planned = unplanned;
        planned.add(&earlier);
        self.planned = (!planned.is_empty()).then(|| (planned, head.clone()));
        self.position.get_or_insert(head);
        self.follow_relations();
        self.commit_records(now)
    }

    /// If clients have seen nothing of the table, its rows need no comparison: they are removed, and all are new.
    fn forget_unseen(&mut self, table: &SourceTable) {
        if let Some(id) = self.find_table(table)
            && !self.model.was_visible(&self.programs.bind(table).reads)
        {
            self.set_gone(id);
            self.model.note_table(id);
        }
    }

    /// The layout for rows of a table of the stream; none if nothing reads it.
    pub(super) fn follow(&mut self, table: &SourceTable) -> Option<LayoutId> {
        if !is_read(&self.programs, table) {
            return None;
        }
        if let Some(id) = self.find_table(table) {
            self.set_columns(id, table);
            return Some(self.layouts.add(id, table, &self.programs));
        }
        if self.has_gone_replaced(table) {
            // An older generation, again after a crash. Its rows will be removed.
            return None;
        }
        let id = self.model.new_table(table.clone());
        if self.table_request == TableRequest::Asked {
            self.table_request = TableRequest::Needed;
        }
        let layout = self.layouts.add(id, table, &self.programs);
        let reads = self.layouts.get(layout).map(|layout| layout.bound.reads.clone());
        self.input.appeared.insert(id, reads.unwrap_or_default());
        Some(layout)
    }

    /// The stream has named a table, which takes the place of older generations.
    pub(super) fn replace_others(&mut self, id: TableId, table: &SourceTable) {
        self.input.seen.insert(id);
        let is_other = |other: &TableId| {
            *other != id && self.model.tables.get(other).is_some_and(|record| is_successor(table, &record.table))
        };
        let others: Vec<TableId> = self.followed_tables().filter(is_other).collect();
        for other in others {
            let is_later = |at: &&Position| self.reached() < Some(*at);
            if let Some(listed) = self.listed.get(&other).filter(is_later) {
                // The source had that one there, so it is the newer one, if this transaction ends before.
                self.input.doubtful.insert(other, listed.clone());
            } else if let Some(gone_at) = self.doomed.get(&other).filter(is_later)
                && !self.input.seen.contains(&other)
            {
                // One that was there between this one and the newest one, or an older one. Soon both are gone.
                self.hold.raise(&gone_at.clone());
            } else {
                self.set_replaced(other);
            }
        }
    }

    /// The transaction ends here, so it is known which generations are older than those that it names.
    pub(super) fn end_doubt(&mut self, position: &Position) {
        for (table, listed) in std::mem::take(&mut self.input.doubtful) {
            if *position > listed {
                self.set_replaced(table);
            }
        }
    }

    fn set_replaced(&mut self, table: TableId) {
        self.set_gone(table);
        self.input.replaced.insert(table);
    }

    /// The stream has got to where a table has these columns. Definitions and indexes that lacked one of them before have
    /// no row of the table yet.
    fn set_columns(&mut self, id: TableId, table: &SourceTable) {
        let Some(record) = self.model.tables.get_mut(&id).filter(|record| record.table != *table) else { return };
        let before = std::mem::replace(&mut record.table, table.clone());
        let lacked = self.programs.bind(&before).unbound.difference(&self.programs.bind(table).unbound);
        self.input.appeared.entry(id).or_default().add(&lacked);
    }

    /// What [`Writer::tables`] has said of columns holds from the source's head of that time on, if the stream has not
    /// said so before.
    pub(super) fn end_altered(&mut self, next: Option<&Position>) {
        let position = next.or(self.position.as_ref());
        let (ended, later): (BTreeMap<_, _>, BTreeMap<_, _>) =
            std::mem::take(&mut self.altered).into_iter().partition(|(_, (_, at))| Some(at) <= position);
        self.altered = later;
        for (id, (table, _)) in ended {
            self.set_columns(id, &table);
        }
    }

    /// The generation that a table of the source is.
    fn find_table(&self, table: &SourceTable) -> Option<TableId> {
        let same = |id: &TableId| self.model.tables.get(id).is_some_and(|record| is_same(table, &record.table));
        self.followed_tables().find(same)
    }

    pub(super) fn is_followed(&self, table: &SourceTable) -> bool {
        self.find_table(table).is_some()
    }

    /// Whether the table is a generation that is gone, and one that replaced it is followed.
    fn has_gone_replaced(&self, table: &SourceTable) -> bool {
        let records = self.model.tables.values();
        let mut gone = records.filter(|record| record.state == TableState::Gone && is_same(table, &record.table));
        let is_followed = |id: TableId| self.model.tables.get(&id);
        gone.any(|_| self.followed_tables().filter_map(is_followed).any(|record| is_successor(&record.table, table)))
    }

    fn followed_tables(&self) -> impl Iterator<Item = TableId> {
        let live = self.model.tables.values().filter(|record| record.state == TableState::Live);
        live.map(|record| record.id).filter(|id| !self.input.is_being_dropped(*id))
    }

    /// The table is not there any more when the stream has got to `head`. What jobs have not read of it cannot be read.
    fn doom(&mut self, id: TableId, head: &Position) {
        let until = self.doomed.entry(id).or_insert_with(|| head.clone()).clone();
        self.end_reading(id, Some(&until));
    }

    /// Doomed tables are gone as soon as the stream has got there.
    pub(super) fn end_doomed(&mut self, next: Option<&Position>) {
        let position = next.or(self.position.as_ref());
        let ended: Vec<TableId> =
            self.doomed.iter().filter(|(_, at)| Some(*at) <= position).map(|(table, _)| *table).collect();
        for id in ended {
            self.doomed.remove(&id);
            self.set_gone(id);
            self.model.note_table(id);
        }
    }

    /// The table is gone from the source. Its rows are removed as soon as those of the table that replaces it are there.
    pub(super) fn set_gone(&mut self, id: TableId) {
        let Some(record) = self.model.tables.get_mut(&id).filter(|record| record.state == TableState::Live) else {
            return;
        };
        record.state = TableState::Gone;
        self.doomed.remove(&id);
        self.to_purge.insert(id);
        let jobs: Vec<_> =
            self.model.jobs.values().filter(|job| job.record.table == id).map(|job| job.record.id).collect();
        for job in jobs {
            self.model.finish_job(job);
        }
        if self.chunk.as_ref().is_some_and(|chunk| !self.model.jobs.contains_key(&chunk.job)) {
            self.chunk = None;
        }
    }

    /// Tables that are gone, and whose rows can be removed now.
    pub(super) fn purgeable(&self) -> Vec<TableId> {
        let is_replaced = |id: &TableId| {
            let Some(gone) = self.model.tables.get(id) else { return false };
            let compared = self.model.jobs.values().filter(|job| job.sweeps()).map(|job| &job.record.table);
            let appeared = self.input.appeared.keys().chain(compared);
            appeared
                .filter_map(|table| self.model.tables.get(table))
                .any(|table| is_successor(&table.table, &gone.table))
        };
        self.to_purge.iter().copied().filter(|id| !is_replaced(id)).collect()
    }
}

/// Whether any configuration reads the table.
fn is_read(programs: &Programs, table: &SourceTable) -> bool {
    programs.patterns().iter().any(|pattern| pattern.suffix(None, &table.schema, &table.name).is_some())
}

/// Whether it is one generation, perhaps with other columns.
fn is_same(left: &SourceTable, right: &SourceTable) -> bool {
    is_same_name(left, right) && left.physical_id == right.physical_id && key_names(left) == key_names(right)
}

/// Whether rows of the newer generation take the place of the older one's.
fn is_successor(newer: &SourceTable, older: &SourceTable) -> bool {
    is_same_name(newer, older) || newer.physical_id == older.physical_id
}

fn is_same_name(left: &SourceTable, right: &SourceTable) -> bool {
    left.schema == right.schema && left.name == right.name
}

fn key_names(table: &SourceTable) -> Vec<Option<&str>> {
    table.key.iter().map(|at| table.columns.get(*at).map(|column| column.name.as_str())).collect()
}
