//! Two iterations of one client at the same time on its file: either may be ahead of the other, so that more can come
//! of an event. What comes of it must be allowed, and the model follows what is stored.

use std::collections::BTreeMap;

use rowtide_testkit::service::Operation;

use crate::client::{Client, Step, ensure, failed};
use crate::stream::Announced;
use crate::sync::Told;

/// What is logged when a checkpoint is behind what is stored.
const PUT_OFF: &str = "ahead of the checkpoint";

impl Client {
    /// The buckets that are stored, each with its newest operation.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn stored_buckets(&mut self, second: bool) -> Step<BTreeMap<String, i64>> {
        let sql = "SELECT name, iif(in_checkpoint, max(last_op, (SELECT last_op FROM ps_checkpoint)), last_op) FROM ps_buckets";
        let rows = self.host(second)?.try_rows(sql, []).map_err(|error| failed(sql, &error))?;
        Ok(rows.iter().filter_map(|row| Some((row[0].as_str()?.to_owned(), row[1].as_i64()?))).collect())
    }

    /// Forgets buckets that are not stored any more.
    ///
    /// # Errors
    /// If they cannot be read.
    pub fn follow_deletions(&mut self, second: bool) -> Step<()> {
        let stored = self.stored_buckets(second)?;
        self.model.replica.retain(|name| stored.contains_key(name));
        Ok(())
    }

    /// Whether the client has stored a data line for a bucket that was stored up to an operation `before`. If not, it
    /// must have missed what the line continues, or not know whether the bucket is still wanted.
    ///
    /// # Errors
    /// If it has stored some of it, or should have.
    pub fn is_stored(
        &mut self,
        bucket: &str,
        operations: &[Operation],
        before: Option<i64>,
        second: bool,
    ) -> Step<bool> {
        let after = self.stored_buckets(second)?.get(bucket).copied();
        let last = operations.iter().map(|operation| operation.op_id).max().unwrap_or(0);
        let position = self.stream(second).map_or(0, |stream| stream.position(bucket));
        if after >= Some(last) && before.unwrap_or(0) >= position {
            return Ok(true);
        }
        ensure(after == before && (before.is_none() || before < Some(position)), || {
            format!("operations up to {last} of {bucket} continue {position}, but {before:?} became {after:?}")
        })?;
        Ok(false)
    }

    /// Whether a checkpoint, or its part up to a priority, was found valid at its end. If not, that must be right, and
    /// the model follows.
    ///
    /// # Errors
    /// If that is not right.
    pub(crate) fn is_validated(
        &mut self,
        told: &Told,
        announced: &Announced,
        limit: Option<i64>,
        second: bool,
    ) -> Step<bool> {
        let involved = announced.involved(limit);
        let is_wrong = announced.wrong.as_ref().is_some_and(|wrong| involved.contains(wrong.as_str()));
        let replica = &self.model.replica;
        let is_valid = |name: &&&str| replica.is_valid(name, &announced.buckets[**name].operations);
        let is_right = !is_wrong && involved.iter().all(|name| is_valid(&name));
        let is_newest = self.model.completed <= announced.last_op_id;
        if told.text.contains(PUT_OFF) {
            ensure(!is_right || !is_newest, || format!("a valid checkpoint is put off: {}", told.text))?;
            ensure(!told.is_closed && !told.is_complete, || format!("put off, and more: {}", told.text))?;
            self.put_off += 1;
            return Ok(false);
        }
        if told.is_closed {
            ensure(!is_right && told.has_warning <= is_wrong, || format!("without a reason: {}", told.text))?;
            self.ended(told, second)?;
            return Ok(false);
        }
        ensure(is_right && is_newest, || format!("a checkpoint that is not valid: {}", told.text))?;
        Ok(true)
    }

    /// An iteration looked at a waiting checkpoint again. True if it was published.
    ///
    /// # Errors
    /// If it did something else than it may.
    pub(crate) fn reconsidered(&mut self, told: &Told, second: bool) -> Step<bool> {
        let Some(announced) = self.stream(second).and_then(|stream| stream.announced.clone()) else { return Ok(false) };
        if !self.is_validated(told, &announced, None, second)? {
            return Ok(false);
        }
        self.validated_all(&announced, second)?;
        let is_open = self.model.gate_is_open();
        ensure(told.is_complete == is_open, || format!("the gate is open: {is_open}, but: {}", told.text))?;
        if let Some(stream) = self.stream(second) {
            stream.is_waiting = !is_open;
        }
        if is_open {
            self.published_all(second)?;
        } else if told.is_delayed && self.iteration(second).is_some_and(|iteration| iteration.by_rows) {
            self.published_around(second)?;
        }
        Ok(is_open)
    }

    /// An iteration ended, for the other one or because of wrong buckets, which are deleted.
    fn ended(&mut self, told: &Told, second: bool) -> Step<()> {
        ensure(told.text.contains("\"hide_disconnect\":false"), || format!("reconnects at once: {}", told.text))?;
        self.forget_iteration(second);
        self.ends += u64::from(!told.has_warning);
        self.follow_deletions(second)
    }

    /// The request id that is stored once `acknowledged` has come: that, or what the other iteration has received
    /// `before`.
    ///
    /// # Errors
    /// If it is another one.
    pub(crate) fn acknowledged(
        &mut self,
        key: &str,
        before: Option<i64>,
        acknowledged: Option<i64>,
        second: bool,
    ) -> Step<Option<i64>> {
        if !self.is_crowded {
            return Ok(acknowledged);
        }
        let sql = format!("SELECT CAST(value AS INTEGER) FROM ps_kv WHERE key = '{key}'");
        let rows = self.host(second)?.try_rows(&sql, []).map_err(|error| failed(&sql, &error))?;
        let stored = rows.first().and_then(|row| row[0].as_i64());
        ensure([acknowledged, before.max(acknowledged)].contains(&stored), || {
            format!("{key} is {stored:?} after {acknowledged:?}, was {before:?}")
        })?;
        Ok(stored)
    }

    /// With nothing happening, two iterations return nothing and do not end.
    ///
    /// # Errors
    /// If they do.
    pub fn stay_at_peace(&mut self) -> Step<()> {
        for round in 0..4 {
            for second in self.connections() {
                let (told, is_published) = self.heartbeat(second)?;
                // At first each may report what the other did.
                ensure(round == 0 || told == "[]", || format!("out of nothing: {told}"))?;
                ensure(!is_published, || format!("published at a keep-alive: {told}"))?;
                ensure(self.iteration(second).is_some(), || format!("ended out of nothing: {told}"))?;
            }
        }
        Ok(())
    }
}
