//! A client's local transactions and their uploads, step by step as SDKs do it
//! (docs/reference/sync-client.md#the-gate), so that the process can be killed between any two steps.

use serde_json::Value;

use crate::action::{Disconnect, Statement, Upload};
use crate::backend::Backend;
use crate::client::{Client, Step, Stop, ensure, failed};
use crate::local::Transaction;
use crate::rows::{Schema, Table};
use crate::sync::NO_ITERATION;

impl Client {
    /// Runs a local transaction, and takes over what it must have done.
    ///
    /// # Errors
    /// If a statement does not succeed or fail as it should, or the process is killed.
    pub fn local(&mut self, second: bool, statements: &[Statement], commit: bool) -> Step<()> {
        let mut transaction = Transaction::new(self.model.shown.clone(), self.schema);
        self.execute(second, "BEGIN IMMEDIATE")?;
        for statement in statements {
            let Some(planned) = transaction.plan(statement) else { continue };
            self.point()?;
            let result = self.host(second)?.try_execute(&planned.sql);
            if result.is_err() != planned.fails {
                let index = self.index;
                return Err(Stop::Failure(format!("client {index}: {result:?} from {}", planned.sql)));
            }
        }
        if !commit {
            return self.execute(second, "ROLLBACK");
        }
        self.execute(second, "COMMIT")?;
        let work = transaction.work;
        self.model.shown = work.shown;
        if !work.written.is_empty() {
            self.model.close_gate();
        }
        self.model.written.extend(work.written);
        self.model.marked.extend(work.marked);
        if !work.entries.is_empty() {
            self.model.queue.push(work.entries);
        }
        Ok(())
    }

    /// Uploads the oldest transaction. False if there is none.
    ///
    /// # Errors
    /// If the queue holds something else than it should, or the process is killed.
    pub fn upload(&mut self, backend: &mut Backend, result: Upload, mark: bool) -> Step<bool> {
        let rows = self.query(
            false,
            "SELECT id, data FROM ps_crud WHERE tx_id = (SELECT tx_id FROM ps_crud ORDER BY id LIMIT 1) ORDER BY id",
        )?;
        let Some(last) = rows.last().and_then(|row| row[0].as_i64()) else {
            return ensure(self.model.queue.is_empty(), || "the upload queue is empty".to_owned()).map(|()| false);
        };
        let parse = |row: &Vec<Value>| row[1].as_str().and_then(|data| serde_json::from_str(data).ok());
        let entries: Vec<Value> = rows.iter().filter_map(parse).collect();
        let expected = self.model.queue.first();
        ensure(Some(&entries) == expected, || format!("uploads {entries:?} instead of {expected:?}"))?;
        if result == Upload::Fail {
            return Ok(false);
        }
        self.point()?;
        if result != Upload::Reject
            && let Some(position) = backend.upload(&entries)
        {
            self.model.own_position = position;
        }
        if result == Upload::LoseAnswer {
            return Ok(false);
        }
        self.remove_uploaded(last, mark)?;
        Ok(true)
    }

    /// Removes an uploaded transaction, as the SDK does when the application says that it is complete. Some SDKs then
    /// also `mark` the queue as not acknowledged.
    fn remove_uploaded(&mut self, last: i64, mark: bool) -> Step<()> {
        self.execute(false, "BEGIN IMMEDIATE")?;
        self.execute(false, &format!("DELETE FROM ps_crud WHERE id <= {last}"))?;
        if mark {
            let previous = self.control_within(false, "target_checkpoint_request_id", i64::MAX)?;
            let expected = self.model.target;
            ensure(previous.as_i64() == expected, || format!("the target was {previous}, not {expected:?}"))?;
        }
        self.execute(false, "COMMIT")?;
        self.model.queue.remove(0);
        if mark {
            self.model.target = Some(i64::MAX);
        }
        Ok(())
    }

    /// Once the queue is empty: asks the service for a write checkpoint, stores its id, unless something was written
    /// meanwhile, and notifies the iteration.
    ///
    /// # Errors
    /// If a step fails, or the process is killed.
    pub fn acknowledge(&mut self, backend: &mut Backend, write_between: bool, other: bool) -> Step<()> {
        if !self.model.queue.is_empty() {
            return Ok(());
        }
        let second = self.connection(other);
        let waits = self.model.target == Some(i64::MAX);
        if waits && !(self.has_requests() && self.iteration(second).is_none()) {
            self.request_checkpoint(backend, write_between, second)?;
        }
        if self.iteration(second).is_some() { self.upload_completed(second) } else { Ok(()) }
    }

    fn request_checkpoint(&mut self, backend: &mut Backend, write_between: bool, second: bool) -> Step<()> {
        let sequence = self.sequence(false)?;
        let Some(id) = self.next_write_checkpoint(backend, second)? else { return Ok(()) };
        if write_between {
            let insert = Statement::Insert { table: Table::Notes, rows: vec![(Some(0), (1, 1))], replace: true };
            self.local(true, &[insert], true)?;
        }
        self.execute(false, "BEGIN IMMEDIATE")?;
        let is_empty = self.query(false, "SELECT 1 FROM ps_crud LIMIT 1")?.is_empty();
        if is_empty && self.sequence(false)? == sequence {
            self.control_within(false, "target_checkpoint_request_id", id)?;
            self.execute(false, "COMMIT")?;
            self.model.target = Some(id);
        } else {
            ensure(write_between, || "the queue changed by itself".to_owned())?;
            self.execute(false, "ROLLBACK")?;
        }
        Ok(())
    }

    /// How many entries were ever queued.
    fn sequence(&mut self, second: bool) -> Step<Vec<Vec<Value>>> {
        self.query(second, "SELECT seq FROM sqlite_sequence WHERE name = 'ps_crud'")
    }

    /// A write checkpoint that the service has accepted; None if the iteration has just ended.
    fn next_write_checkpoint(&mut self, backend: &mut Backend, second: bool) -> Step<Option<i64>> {
        if !self.has_requests() {
            self.point()?;
            return Ok(Some(backend.create_write_checkpoint(self.index)));
        }
        // Without a counter, because somebody has cleared the database behind the iteration's back, an SDK connects
        // again.
        let (Some(_), Some(_)) = (self.iteration(second), self.model.requested) else { return Ok(None) };
        let result = self.control(second, "next_checkpoint_request_id", ());
        let is_disturbed = self.iteration(second).is_some_and(|iteration| iteration.is_disturbed);
        let id = match result {
            Err(Stop::Failure(message)) if is_disturbed && message.contains(NO_ITERATION) => {
                self.forget_iteration(second);
                return Ok(None);
            }
            result => result?.as_i64(),
        };
        let expected = self.model.requested.and_then(|id| id.checked_add(1));
        ensure(id == expected, || format!("the next checkpoint request is {id:?}, should be {expected:?}"))?;
        self.model.requested = id;
        self.point()?;
        if let Some(id) = id {
            backend.request_checkpoint(self.index, id);
        }
        Ok(id)
    }

    /// Clears the database on one of its connections.
    ///
    /// # Errors
    /// If that fails, or the process is killed.
    pub fn clear(&mut self, second: bool, flags: u8) -> Step<()> {
        self.in_transaction(second, &format!("SELECT powersync_clear({flags})"))?;
        let model = &mut self.model;
        if flags & 2 == 0 {
            model.replica.retain(|_| false);
        } else {
            model.replica.resync();
        }
        model.shown.retain(|key, _| key.0 == Table::Drafts && flags & 1 == 0);
        model.queue.clear();
        if flags & 4 == 0 {
            model.rejected.clear();
        }
        model.forget_written();
        (model.target, model.seen, model.applied, model.requested) = (None, None, None, None);
        (model.own_position, model.published_position, model.published_op) = (0, 0, 0);
        if flags & 2 == 0 {
            model.completed = 0;
        }
        Ok(())
    }

    /// Ends the iterations, also one that was left behind.
    ///
    /// # Errors
    /// If that fails, or the process is killed.
    pub fn stop_all(&mut self) -> Step<()> {
        for second in [false, true] {
            self.disconnect(Disconnect::Stop, second)?;
            if self.is_open(second) {
                self.control(second, "stop", ())?;
            }
        }
        Ok(())
    }

    /// The application declares other tables.
    ///
    /// # Errors
    /// If that fails, or the process is killed.
    pub fn change_schema(&mut self, schema: Schema) -> Step<()> {
        let json = schema.json().to_string().replace('\'', "''");
        self.in_transaction(false, &format!("SELECT powersync_replace_schema('{json}')"))?;
        self.schema = schema;
        Ok(())
    }

    /// Runs a statement in its own transaction.
    ///
    /// # Errors
    /// If that fails, or the process is killed.
    pub fn in_transaction(&mut self, second: bool, sql: &str) -> Step<()> {
        self.execute(second, "BEGIN IMMEDIATE")?;
        self.point()?;
        self.host(second)?.try_rows(sql, []).map_err(|error| failed(sql, &error))?;
        self.execute(second, "COMMIT")
    }
}
