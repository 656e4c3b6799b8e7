//! A client's side of a sync connection: feeds what the service sends, and checks what is published.

use std::collections::BTreeMap;

use rowtide_testkit::bson;
use serde_json::{Value, json};

use crate::action::Disconnect;
use crate::backend::Backend;
use crate::client::{Client, Iteration, Step, Stop, ensure};
use crate::replica::Expected;
use crate::rows::Rows;
use crate::stream::{Announced, Stream, data_line};

/// By these words SDKs know that they have to connect again.
pub(crate) const NO_ITERATION: &str = "No iteration is active";

/// What the instructions of one call say.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) is_complete: bool,
    pub(crate) is_delayed: bool,
    pub(crate) is_closed: bool,
    pub(crate) has_warning: bool,
    /// What the last status says; None without one.
    pub(crate) is_downloading: Option<bool>,
    pub(crate) text: String,
}

fn read(instructions: &Value) -> Step<Told> {
    let mut told = Told { text: instructions.to_string(), ..Told::default() };
    for instruction in instructions.as_array().into_iter().flatten() {
        let Some((name, content)) = instruction.as_object().and_then(|members| members.iter().next()) else { continue };
        ensure(!told.is_closed, || format!("an instruction after CloseSyncStream: {instructions}"))?;
        match name.as_str() {
            "DidCompleteSync" => told.is_complete = true,
            "CheckpointDelayedDueToLocalData" => told.is_delayed = true,
            "CloseSyncStream" => told.is_closed = true,
            "LogLine" => {
                // Rows of types without a table are part of the sessions.
                let is_untyped =
                    content["line"].as_str().is_some_and(|line| line.starts_with("The schema has no table"));
                told.has_warning |= content["severity"] == "WARNING" && !is_untyped;
            }
            "UpdateSyncStatus" => {
                check_progress(&content["status"])?;
                told.is_downloading = Some(!content["status"]["downloading"].is_null());
            }
            "EstablishSyncStream" | "FetchCredentials" => {}
            _ => return Err(Stop::Failure(format!("an instruction that SDKs do not know: {instruction}"))),
        }
    }
    Ok(told)
}

/// Progress is never negative and never more than all.
fn check_progress(status: &Value) -> Step<()> {
    let buckets = status["downloading"]["buckets"].as_object();
    for progress in buckets.into_iter().flat_map(|buckets| buckets.values()) {
        let (since, target) = (progress["since_last"].as_i64(), progress["target_count"].as_i64());
        ensure(since >= Some(0) && since <= target, || format!("progress out of range: {status}"))?;
    }
    Ok(())
}

impl Client {
    /// Starts an iteration, as SDKs do.
    ///
    /// # Errors
    /// If the request does not say what the client holds.
    pub fn connect(&mut self, backend: &mut Backend, second: bool) -> Step<()> {
        self.forget_iteration(second);
        let mode = if self.has_requests() { "requests" } else { "legacy" };
        let by_rows = self.by_rows;
        let gate = if by_rows { json!("rows") } else { Value::Null };
        let options = json!({"schema": self.schema.json(), "checkpoint_mode": mode, "gate": gate});
        let instructions = self.control(second, "start", options)?;
        read(&instructions)?;
        let established = instructions.as_array().into_iter().flatten().find_map(|one| one.get("EstablishSyncStream"));
        let Some(established) = established else {
            return Err(Stop::Failure(format!("start gave {instructions}")));
        };
        let held: BTreeMap<String, i64> = established["request"]["buckets"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|bucket| Some((bucket["name"].as_str()?.to_owned(), bucket["after"].as_str()?.parse().ok()?)))
            .collect();
        let expected = self.model.replica.buckets();
        let is_right = held.len() == expected.len()
            && held.iter().all(|(name, after)| expected.get(name).is_some_and(|held| held.may_continue_after(*after)));
        ensure(is_right, || format!("the request says {held:?}, but the client holds {expected:?}"))?;
        self.iterations[usize::from(second)] =
            Some(Iteration { stream: Stream::new(held), is_disturbed: false, by_rows });
        self.is_second = second;
        self.is_crowded |= self.iteration(!second).is_some();
        if self.has_requests() {
            let id = established["checkpoint_request"]["checkpoint_request_id"].as_str().and_then(|id| id.parse().ok());
            let target = self.model.target.filter(|target| *target != i64::MAX).unwrap_or(0);
            let expected = self.model.requested.unwrap_or(0).max(target).max(1);
            ensure(id == Some(expected), || format!("asks for checkpoint {id:?} instead of {expected}"))?;
            let seed = backend.request_checkpoint(self.index, expected);
            if let Err(stop) = self.control(second, "seed_checkpoint_request_id", seed) {
                // An SDK connects again.
                self.forget_iteration(second);
                return Err(stop);
            }
            self.model.requested = Some(seed);
        }
        Ok(())
    }

    /// The stream of the iteration on a connection; None if there is none.
    pub fn stream(&mut self, second: bool) -> Option<&mut Stream> {
        self.iteration_mut(second).map(|iteration| &mut iteration.stream)
    }

    /// Passes an event to the iteration. None if that has ended, which it may only for a reason.
    fn feed(&mut self, operation: &str, payload: Payload, may_warn: bool, second: bool) -> Step<Option<Told>> {
        if self.iteration(second).is_none() {
            return Ok(None);
        }
        let result = match payload {
            Payload::Nothing => self.control(second, operation, ()),
            Payload::Text(text) => self.control(second, operation, text),
            Payload::Line(line) if self.is_binary() => self.control(second, "line_binary", bson::encode(&line)),
            Payload::Line(line) => self.control(second, "line_text", line.to_string()),
        };
        // Perhaps by this very call, which was rolled back and repeated.
        let is_disturbed = self.iteration(second).is_some_and(|iteration| iteration.is_disturbed);
        if is_disturbed && matches!(&result, Err(Stop::Failure(message)) if message.contains(NO_ITERATION)) {
            // The call that was rolled back has ended it.
            self.forget_iteration(second);
            return Ok(None);
        }
        let told = read(&result?)?;
        // With a warning it ended because of a wrong checksum.
        let is_refused = may_warn && told.has_warning;
        if told.is_closed && is_disturbed && !is_refused {
            self.forget_iteration(second);
            return Ok(None);
        }
        ensure(may_warn || !told.has_warning, || format!("a warning: {}", told.text))?;
        Ok(Some(told))
    }

    fn feed_line(&mut self, line: Value, may_fail: bool, second: bool) -> Step<Option<Told>> {
        let text = line.to_string();
        let told = self.feed("", Payload::Line(line), may_fail, second)?;
        if let Some(told) = &told {
            ensure(may_fail || !told.is_closed, || format!("the iteration ended: {}, at {text}", told.text))?;
        }
        Ok(told)
    }

    /// The service announces its present state.
    ///
    /// # Errors
    /// If the client does not take it.
    pub fn announce(&mut self, backend: &mut Backend, wrong_checksum: Option<u8>, second: bool) -> Step<()> {
        let index = self.index;
        let Some(stream) = self.stream(second) else { return Ok(()) };
        let (announced, line) = stream.announce(backend, index, wrong_checksum);
        if self.feed_line(line, false, second)?.is_some() {
            if self.is_crowded {
                self.follow_deletions(second)?;
            } else {
                self.model.replica.retain(|name| announced.buckets.contains_key(name));
            }
            if let Some(stream) = self.stream(second) {
                stream.announced(announced);
            }
        }
        Ok(())
    }

    /// The service sends a data line of buckets up to a priority number. False if there is nothing to be sent.
    ///
    /// # Errors
    /// If the client does not take it.
    pub fn data(&mut self, size: usize, limit: i64, twice: bool, second: bool) -> Step<bool> {
        let Some((bucket, operations)) = self.stream(second).and_then(|stream| stream.next_data(size, limit)) else {
            return Ok(false);
        };
        for _ in 0..=u8::from(twice) {
            let before = if self.is_crowded { self.stored_buckets(second)?.get(&bucket).copied() } else { None };
            if self.feed_line(data_line(&bucket, &operations), false, second)?.is_none() {
                return Ok(false);
            }
            if !self.is_crowded || self.is_stored(&bucket, &operations, before, second)? {
                self.model.replica.store(&bucket, &operations);
            }
            if let Some(stream) = self.stream(second) {
                stream.sent(&bucket, &operations);
            }
        }
        Ok(true)
    }

    /// The service sends what is left, with lines that say that priorities (bits of `partial`) are complete, and that
    /// everything is; with bit 3 each data line comes twice. True if that was published.
    ///
    /// # Errors
    /// If the client does not take it, or shows something else than it should.
    pub fn complete(&mut self, partial: u8, second: bool) -> Step<bool> {
        if self.stream(second).is_none_or(|stream| stream.is_complete) {
            return Ok(false);
        }
        for priority in 0..4 {
            while self.data(4, priority, partial >> 3 & 1 == 1, second)? {}
            if priority < 3 && partial >> priority & 1 == 1 {
                self.complete_part(priority, second)?;
            }
        }
        let Some(announced) = self.stream(second).and_then(|stream| stream.announced.clone()) else { return Ok(false) };
        let line = json!({"checkpoint_complete": {"last_op_id": announced.last_op_id.to_string()}});
        let may_fail = announced.wrong.is_some() || self.is_crowded;
        let Some(told) = self.feed_line(line, may_fail, second)? else { return Ok(false) };
        if self.is_crowded && !self.is_validated(&told, &announced, None, second)? {
            return Ok(false);
        }
        if let Some(wrong) = &announced.wrong {
            self.check_refused(&told, wrong, second)?;
            return Ok(false);
        }
        self.validated_all(&announced, second)?;
        let is_open = self.model.gate_is_open();
        if let Some(stream) = self.stream(second) {
            (stream.is_complete, stream.is_waiting) = (true, !is_open);
        }
        if is_open {
            ensure(told.is_complete, || format!("the gate is open, but nothing is published: {}", told.text))?;
            self.published_all(second)?;
            return Ok(true);
        }
        ensure(told.is_delayed && !told.is_complete, || format!("the gate is closed: {}", told.text))?;
        let by_rows = self.has_row_wise_gate(second);
        ensure(told.is_downloading.is_none_or(|downloads| downloads != by_rows), || {
            format!("a status at the closed gate, {by_rows}: {}", told.text)
        })?;
        if by_rows {
            self.published_around(second)?;
        } else if !announced.buckets.is_empty() && announced.buckets.values().all(|bucket| bucket.priority == 0) {
            self.published_part(0, second)?;
        }
        Ok(false)
    }

    /// The announced checkpoint was found valid.
    pub(crate) fn validated_all(&mut self, announced: &Announced, second: bool) -> Step<()> {
        self.model.replica.validate(&announced.involved(None), announced.last_op_id);
        self.model.completed = announced.last_op_id;
        if announced.write_checkpoint.is_some() {
            self.model.seen = self.acknowledged(
                "last_seen_checkpoint_request_id",
                self.model.seen,
                announced.write_checkpoint,
                second,
            )?;
        }
        Ok(())
    }

    fn complete_part(&mut self, priority: i64, second: bool) -> Step<()> {
        let Some(announced) = self.stream(second).and_then(|stream| stream.announced.clone()) else { return Ok(()) };
        let line = json!({"partial_checkpoint_complete": {"last_op_id": announced.last_op_id.to_string(), "priority": priority}});
        let wrong = announced.wrong.as_ref().filter(|name| announced.involved(Some(priority)).contains(name.as_str()));
        let may_fail = wrong.is_some() || self.is_crowded;
        let Some(told) = self.feed_line(line, may_fail, second)? else { return Ok(()) };
        if self.is_crowded && !self.is_validated(&told, &announced, Some(priority), second)? {
            return Ok(());
        }
        if let Some(wrong) = wrong {
            return self.check_refused(&told, wrong, second);
        }
        ensure(!told.is_complete, || format!("a part counts as everything: {}", told.text))?;
        let is_held_back = priority > 0 && !self.model.gate_is_open();
        ensure(told.is_delayed == is_held_back, || format!("delayed should be {is_held_back}: {}", told.text))?;
        if is_held_back {
            return if self.has_row_wise_gate(second) { self.published_part(priority, second) } else { Ok(()) };
        }
        self.model.replica.validate(&announced.involved(Some(priority)), announced.last_op_id);
        self.published_part(priority, second)
    }

    /// A wrong checksum was announced: the bucket is downloaded again, and nothing shown.
    fn check_refused(&mut self, told: &Told, wrong: &str, second: bool) -> Step<()> {
        let is_refused = told.is_closed && told.has_warning && told.text.contains(&wrong.replace('"', "\\\""));
        ensure(is_refused && !told.is_complete, || format!("a wrong checksum of {wrong}: {}", told.text))?;
        self.model.replica.retain(|name| name != wrong);
        self.forget_iteration(second);
        Ok(())
    }

    /// The announced checkpoint was published: the client shows exactly that.
    pub(crate) fn published_all(&mut self, second: bool) -> Step<()> {
        let Some(announced) = self.stream(second).and_then(|stream| stream.announced.clone()) else { return Ok(()) };
        let model = &mut self.model;
        let (own, before) = (model.own_position, model.published_position);
        // The other iteration may have published the same under a later position: nothing in between was for this
        // client.
        let is_known = self.is_crowded && announced.last_op_id == model.published_op;
        let position = if is_known { announced.position.max(before) } else { announced.position };
        ensure(own <= position, || format!("published position {position} is before the client's own write {own}"))?;
        ensure(before <= position, || format!("published position {position} is older than {before}"))?;
        (model.published_position, model.published_op) = (position, announced.last_op_id);
        let rows = model.replica.published_with(&announced.involved(None));
        model.shown.retain(|key, _| !key.0.is_synced());
        model.shown.extend(rows);
        model.forget_written();
        model.replica.publish(&announced.involved(None));
        if announced.write_checkpoint.is_some() {
            self.model.applied = self.acknowledged(
                "last_applied_checkpoint_request_id",
                self.model.applied,
                announced.write_checkpoint,
                second,
            )?;
        }
        Ok(())
    }

    fn has_row_wise_gate(&self, second: bool) -> bool {
        self.iteration(second).is_some_and(|iteration| iteration.by_rows)
    }

    /// The announced checkpoint was published although the gate is closed: rows with local writes are as they were, all
    /// others up to date.
    pub(crate) fn published_around(&mut self, second: bool) -> Step<()> {
        let Some(announced) = self.stream(second).and_then(|stream| stream.announced.clone()) else { return Ok(()) };
        let involved = announced.involved(None);
        let winners = self.model.replica.published_with(&involved);
        let before = self.model.shown_of_service();
        let mut found = self.read_shown(false)?;
        found.retain(|key, _| key.0.is_synced());
        let keys: std::collections::BTreeSet<_> = winners.keys().chain(before.keys()).chain(found.keys()).collect();
        for key in keys {
            let (row, unchanged, expected) = (found.get(key), before.get(key), winners.get(key));
            let is_right = match self.model.is_held(key) {
                true => row == unchanged,
                false => row == expected || self.model.may_hold_others && row == unchanged,
            };
            ensure(is_right, || {
                format!("around local writes, {key:?} is {row:?}, was {unchanged:?}, and the service has {expected:?}")
            })?;
        }
        // What was shown of the service must not become older; local writes are not in it yet.
        let (position, shown) = (announced.position, self.model.published_position);
        ensure(self.is_crowded || shown <= position, || format!("shown {position} is older than {shown}"))?;
        self.model.published_position = shown.max(position);
        self.around += 1;
        self.hold_back(winners);
        self.model.replica.publish(&involved);
        self.model.shown.retain(|key, _| !key.0.is_synced());
        self.model.shown.extend(found);
        Ok(())
    }

    /// Notes which of the rows that buckets have a publish around local writes has left as they were.
    fn hold_back(&mut self, rows: Rows) {
        let held: Vec<_> = rows.into_keys().filter(|key| self.model.is_held(key)).collect();
        self.model.held_back.extend(held);
    }

    /// The buckets up to a priority number were published: takes over what the client shows, if it may show that.
    fn published_part(&mut self, priority: i64, second: bool) -> Step<()> {
        let Some(announced) = self.stream(second).and_then(|stream| stream.announced.clone()) else { return Ok(()) };
        let involved = announced.involved(Some(priority));
        let winners = self.model.replica.winners(|name| involved.contains(name));
        let is_around = self.has_row_wise_gate(second) && !self.model.gate_is_open();
        let before = self.model.shown_of_service();
        let mut found = self.read_shown(false)?;
        found.retain(|key, _| key.0.is_synced());
        let keys: std::collections::BTreeSet<_> = winners.keys().chain(before.keys()).chain(found.keys()).collect();
        for key in keys {
            let (row, unchanged) = (found.get(key), before.get(key));
            let expected = self.model.replica.after_partial(key, &involved, &winners);
            let is_right = match expected {
                _ if is_around && self.model.is_held(key) => row == unchanged,
                _ if is_around && self.model.may_hold_others && row == unchanged => true,
                Expected::Exactly(expected) => row == Some(expected),
                _ if row == unchanged => true,
                Expected::PerhapsUnchanged(expected) if self.model.held_back.contains(key) => row == Some(expected),
                // Local writes that the service has not seen are not undone by what it sent before.
                _ if self.model.written.contains(key) => false,
                Expected::PerhapsUnchanged(expected) => row == Some(expected),
                Expected::Unchanged => false,
                // What the rest of the checkpoint has is not missing in between.
                Expected::PerhapsGone => row.is_none() && !announced.has(key),
            };
            ensure(is_right, || {
                format!("after priority {priority}, {key:?} is {row:?}, was {unchanged:?}, should be {expected:?}")
            })?;
        }
        if is_around {
            self.hold_back(winners);
        }
        self.model.replica.publish(&involved);
        self.model.shown.retain(|key, _| !key.0.is_synced());
        self.model.shown.extend(found);
        Ok(())
    }

    /// The service sends a keep-alive. True if a checkpoint that was waiting is published.
    ///
    /// # Errors
    /// If the client does not take it.
    pub fn keep_alive(&mut self, second: bool) -> Step<bool> {
        self.heartbeat(second).map(|(_, is_published)| is_published)
    }

    /// A keep-alive: the instructions, and whether a checkpoint is published.
    pub(crate) fn heartbeat(&mut self, second: bool) -> Step<(String, bool)> {
        let line = json!({"token_expires_in": 3600});
        let Some(told) = self.feed_line(line, self.is_crowded, second)? else { return Ok((String::new(), false)) };
        let is_published = if self.is_crowded && (told.is_complete || told.is_delayed || told.is_closed) {
            self.reconsidered(&told, second)?
        } else {
            ensure(!told.is_complete, || format!("a keep-alive publishes: {}", told.text))?;
            false
        };
        Ok((told.text, is_published))
    }

    /// The uploads are done: a checkpoint that waits may be published.
    ///
    /// # Errors
    /// If the client shows something else than it should.
    pub fn upload_completed(&mut self, second: bool) -> Step<()> {
        let Some(told) = self.feed("completed_upload", Payload::Nothing, true, second)? else { return Ok(()) };
        if self.is_crowded && (told.is_complete || told.is_closed) {
            return self.reconsidered(&told, second).map(|_| ());
        }
        ensure(!told.is_closed, || format!("the iteration ended after an upload: {}", told.text))?;
        let Some(iteration) = self.iteration(second) else { return Ok(()) };
        let stream = &iteration.stream;
        let acknowledged = stream.announced.as_ref().and_then(|announced| announced.write_checkpoint);
        let is_waiting = stream.is_waiting;
        let may_publish = is_waiting && self.model.gate_is_open();
        // One that acknowledges nothing holds nothing back.
        let is_sufficient = acknowledged.is_none() || acknowledged >= self.model.target;
        // Another iteration may have stored what is not part of it.
        let may_wait = self.is_crowded && !told.is_complete;
        ensure(may_wait || told.is_complete == (may_publish && is_sufficient), || {
            format!("a checkpoint that waits: {is_waiting}, acknowledges {acknowledged:?}, but: {}", told.text)
        })?;
        if told.is_complete {
            self.published_all(second)?;
            self.stream(second).into_iter().for_each(|stream| stream.is_waiting = false);
        }
        Ok(())
    }

    /// The iteration ends.
    ///
    /// # Errors
    /// If it does not.
    pub fn disconnect(&mut self, how: Disconnect, second: bool) -> Step<()> {
        let (operation, payload) = match how {
            Disconnect::Stop => ("stop", Payload::Nothing),
            Disconnect::End => ("connection", Payload::Text("end")),
            Disconnect::Token => ("refreshed_token", Payload::Nothing),
            Disconnect::Expired => ("", Payload::Line(json!({"token_expires_in": 0}))),
        };
        let event = self.feed(operation, payload, false, second);
        // A call that was rolled back may have ended it before.
        let may_have_ended = self.iteration(second).is_none_or(|iteration| iteration.is_disturbed);
        if let Err(Stop::RolledBack) = event {
            // It has ended all the same.
            self.forget_iteration(second);
        }
        if let Some(told) = event? {
            ensure(told.is_closed || may_have_ended, || format!("{how:?} does not end the iteration: {}", told.text))?;
        }
        self.forget_iteration(second);
        Ok(())
    }
}

/// What is passed with an event.
enum Payload {
    Nothing,
    Text(&'static str),
    Line(Value),
}
