//! Random sessions: a source that changes, deploys, crashes at any call of the store, late and repeated answers,
//! compaction, lost positions, and clients that compare what they have with the source.
//!
//! `ROWTIDE_SIMULATION_STEPS` and `ROWTIDE_SIMULATION_SEED` make it longer and other, `ROWTIDE_SIMULATION_TRACE` prints all.

use std::collections::BTreeSet;

use sync_config::Value;

use super::Random;
use super::basics::text;
use super::client::Client;
use super::configs::CONFIGS;
use super::harness::{Harness, SMALL};
use crate::row::Position;
use crate::store::{Reader, Readers};

struct Simulation {
    random: Random,
    harness: Harness,
    /// Readers at older checkpoints, with what a client saw there.
    readers: Vec<(Box<dyn Reader>, usize)>,
    parts: BTreeSet<String>,
    has_color: bool,
    generation: u64,
    /// Deploys, lost positions, ends, checks, changed tables, comparisons.
    counts: [u64; 6],
    is_traced: bool,
}

impl Simulation {
    fn new(seed: u64) -> Self {
        let mut harness = Harness::new(SMALL);
        harness.clients = (0..4).map(|_| Client::default()).collect();
        harness.world.create("lists", &["id", "name", "owner", "note"], &[0]);
        harness.world.create("todos", &["id", "list_id", "text"], &[0]);
        harness.world.commit();
        Self {
            random: Random::new(seed),
            harness,
            readers: Vec::new(),
            parts: BTreeSet::new(),
            has_color: false,
            generation: 0,
            counts: [0; 6],
            is_traced: std::env::var_os("ROWTIDE_SIMULATION_TRACE").is_some(),
        }
    }

    /// Prints what happens.
    fn note(&self, what: impl FnOnce() -> String) {
        if self.is_traced {
            eprintln!("  {}", what());
        }
    }

    fn state(&self) -> String {
        let writer = &self.harness.writer;
        let jobs = writer.jobs().map(|job| {
            let (id, table, definitions) = (job.id.0, job.table.0, &job.definitions);
            format!("{id} of table {table} for {definitions:?} {} to {:?}", job.is_read, job.barrier)
        });
        let tables = writer
            .model
            .tables
            .values()
            .map(|table| format!("{} {} {:?}", table.id.0, table.table.physical_id, table.state));
        let (jobs, tables): (Vec<_>, Vec<_>) = (jobs.collect(), tables.collect());
        format!("at {:?} of {:?}, jobs {jobs:?}, tables {tables:?}", writer.position(), self.harness.world.head())
    }

    fn step(&mut self) {
        let action = self.random.below(100);
        self.note(|| format!("action {action} {}", self.state()));
        match action {
            0..22 => self.transaction(),
            22..47 => {
                let limit = 1 + self.random.below(12) as usize;
                self.harness.pump(limit);
            }
            47..62 => {
                self.harness.flush();
            }
            62..78 => {
                self.harness.want();
            }
            78..85 => {
                self.harness.deliver_chunk();
            }
            85..88 => self.sync(),
            88..91 => {
                let calls = self.random.below(12) as i64;
                self.harness.fault.arm(calls);
            }
            91..93 => {
                let budget = 1 + self.random.below(20) as usize;
                self.harness.writer.compact(budget).unwrap();
            }
            93..95 => self.harness.request_write_checkpoint(),
            95 => self.harness.world.mark(),
            96 => self.repeat(),
            97 => self.harness.now += self.random.below(1_500) as i64,
            _ => self.rare(),
        }
    }

    fn rare(&mut self) {
        let action = self.random.below(16);
        self.note(|| format!("rare action {action}"));
        match action {
            0 | 1 => self.harness.restart(),
            2 | 3 => {
                self.harness.stream = None;
                self.harness.writer.stream_ended();
            }
            4..7 => {
                let number = self.random.below(CONFIGS.len() as u64) as usize;
                let config = CONFIGS[number];
                self.note(|| format!("deploys {number}"));
                // A failing deploy is not repeated here.
                self.harness.fault.disarm();
                if self.random.once_in(8) {
                    // By another version of the program.
                    let plan = super::grouping::by_another_version(config);
                    self.harness.writer.deploy(config, plan, self.harness.now).unwrap();
                } else {
                    self.harness.deploy(config);
                }
                self.counts[0] += 1;
            }
            7 if self.random.once_in(4) => {
                self.harness.world.commit();
                self.harness.lose_position();
                self.counts[1] += 1;
            }
            7 => {
                self.harness.reprocess(&["lists", "todos", "part_1"]);
                self.counts[5] += 1;
            }
            8..11 => self.change_tables(),
            11 => {
                self.readers.clear();
                self.harness.fault.disarm();
                self.harness.settle();
                self.counts[2] += 1;
            }
            12..14 => {
                if let Some(reader) = self.harness.store.latest().unwrap() {
                    let client = self.random.below(4) as usize;
                    self.readers.push((reader, client));
                }
            }
            _ => self.readers.clear(),
        }
    }

    fn sync(&mut self) {
        let client = self.random.below(4) as usize;
        self.harness.sync(client);
        self.counts[3] += 1;
        let forget: Option<Position> =
            self.harness.store.latest().unwrap().map(|reader| reader.checkpoint().position.clone());
        let stream = self.harness.stream.as_ref().map_or(0, super::world::Stream::position);
        if let Some(position) = forget.filter(|position| position.number().unwrap() + 50 < stream) {
            let kept = position.number().unwrap().saturating_sub(50);
            self.harness.world.forget_before(&Position::from_number(kept));
        }
    }

    fn repeat(&mut self) {
        let Some(stream) = self.harness.stream.as_mut() else { return };
        let position = stream.position().saturating_sub(self.random.below(5));
        let events = self.harness.world.repeated(stream, position);
        self.harness.push(events);
    }

    fn transaction(&mut self) {
        let count = if self.random.once_in(25) { 30 } else { 1 + self.random.below(4) };
        for _ in 0..count {
            match self.random.below(40) {
                0 if self.random.once_in(3) => {
                    let table = if self.random.once_in(2) { "lists" } else { "todos" };
                    self.harness.world.truncate(table);
                }
                0..18 => self.change_list(),
                18..32 => self.change_todo(),
                _ => self.change_part(),
            }
        }
        self.harness.world.commit();
    }

    fn word(&mut self) -> Value {
        let words = ["a", "b", "c", "a longer text"];
        text(words[self.random.below(4) as usize])
    }

    fn row(&self, table: &str, key: &[Value]) -> Option<Vec<Value>> {
        let table = self.harness.world.current(table)?;
        table.rows.get(&crate::row::RowKey::new(key)).cloned()
    }

    fn change_list(&mut self) {
        let key = [Value::Integer(self.random.below(12) as i64)];
        let before = self.row("lists", &key);
        if before.is_some() && self.random.once_in(5) {
            self.harness.world.delete("lists", &key);
            return;
        }
        let owner = text(["ann", "bob", "cas"][self.random.below(3) as usize]);
        let mut row = vec![key[0].clone(), self.word(), owner, self.word()];
        if self.has_color {
            row.push(self.word());
        }
        let Some(before) = before else {
            self.harness.world.put("lists", row);
            return;
        };
        // Often a large value is not sent, since it is the same.
        let mut unsent = Vec::new();
        if self.random.once_in(2) {
            row[3] = before[3].clone();
            unsent.push(3);
        }
        let other = Value::Integer(self.random.below(12) as i64);
        if self.random.once_in(6) && self.row("lists", std::slice::from_ref(&other)).is_none() {
            row[0] = other;
            self.harness.world.put_as("lists", Some(&key), row, &unsent);
        } else {
            self.harness.world.put_as("lists", None, row, &unsent);
        }
    }

    fn change_todo(&mut self) {
        let key = Value::Integer(self.random.below(20) as i64);
        if self.row("todos", std::slice::from_ref(&key)).is_some() && self.random.once_in(4) {
            self.harness.world.delete("todos", &[key]);
        } else {
            let list = Value::Integer(self.random.below(12) as i64);
            let row = vec![key, list, self.word()];
            self.harness.world.put("todos", row);
        }
    }

    fn change_part(&mut self) {
        let at = self.random.below(3);
        let Some(part) = self.parts.iter().nth(at as usize).cloned() else { return };
        let key = Value::Integer(self.random.below(5) as i64);
        if self.row(&part, std::slice::from_ref(&key)).is_some() && self.random.once_in(3) {
            self.harness.world.delete(&part, &[key]);
        } else {
            let row = vec![key, self.word()];
            self.harness.world.put(&part, row);
        }
    }

    /// Tables appear and disappear, and get other columns or another key.
    fn change_tables(&mut self) {
        self.generation += 1;
        let part = format!("part_{}", self.random.below(3));
        let change = self.random.below(6);
        self.note(|| format!("change {change} of tables or {part}"));
        let world = &mut self.harness.world;
        match change {
            0 | 1 if !self.parts.contains(&part) => {
                world.create(&part, &["id", "name"], &[0]);
                self.parts.insert(part);
            }
            0 | 1 => {
                world.drop_table(&part);
                if self.random.once_in(2) {
                    world.create(&part, &["id", "name"], &[0]);
                } else {
                    self.parts.remove(&part);
                }
            }
            2 if !self.has_color => {
                self.has_color = true;
                let columns = ["id", "name", "owner", "note", "color"];
                world.alter("lists", None, &columns, &[0], |row| row.push(text("red")));
            }
            3 => {
                let physical_id = format!("todos-again-{}", self.generation);
                world.alter("todos", Some(&physical_id), &["id", "list_id", "text"], &[0], |_| ());
            }
            4 if self.has_color => {
                self.has_color = false;
                let physical_id = format!("lists-again-{}", self.generation);
                let columns = ["id", "name", "owner", "note"];
                world.drop_table("lists");
                world.create_as("lists", &physical_id, &columns, &[0]);
            }
            _ => {}
        }
        world.commit();
        self.counts[4] += 1;
    }
}

/// Gives how often things happened.
fn run(seed: u64, steps: u64) -> [u64; 8] {
    let mut simulation = Simulation::new(seed);
    simulation.harness.deploy(CONFIGS[(seed % CONFIGS.len() as u64) as usize]);
    for step in 0..steps {
        simulation.note(|| format!("seed {seed} step {step}"));
        simulation.step();
    }
    simulation.readers.clear();
    simulation.harness.fault.disarm();
    simulation.harness.settle();
    let Simulation { counts: [deploys, lost, settled, checked, altered, compared], harness, .. } = simulation;
    let crashes = u64::try_from(harness.crashes).unwrap();
    [deploys, lost, settled, checked, altered, compared, crashes, u64::try_from(harness.notices).unwrap()]
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.parse().ok())
}

/// Several sessions, as a failure is easier to understand in a short one.
#[test]
fn random_sessions_show_what_the_source_has() {
    let steps = number("ROWTIDE_SIMULATION_STEPS").unwrap_or(200_000);
    let first = number("ROWTIDE_SIMULATION_SEED").unwrap_or(1);
    let session = 10_000.min(steps);
    let mut all = [0; 8];
    for seed in first..first + steps / session {
        let counts = std::panic::catch_unwind(|| run(seed, session));
        let counts = counts.unwrap_or_else(|_| panic!("the session of seed {seed} fails"));
        all.iter_mut().zip(counts).for_each(|(all, count)| *all += count);
    }
    println!("deploys, lost positions, ends, checks, changed tables, comparisons, crashes, checkpoints: {all:?}");
    assert!(steps < 100_000 || all.iter().all(|count| *count > 20), "everything happens: {all:?}");
}
