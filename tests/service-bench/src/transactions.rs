//! Changes while the service runs: in transactions of 100 rows, and in small ones.

use std::collections::HashMap;
use std::thread;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use crate::Stage;
use crate::client::{Coding, Lines};
use crate::data::{Data, SOME, pair_of};
use crate::figures::{Figures, micros, number, rate};
use crate::program::Program;

const WRITTEN: &str = "rowtide_operations_written_total";

/// Measures both.
pub(crate) fn measure(stage: &Stage<'_>, program: &Program, data: &mut Data, figures: &mut Figures) -> Result<()> {
    large(stage, program, data, figures)?;
    small(stage, program, data, figures)
}

fn large(stage: &Stage<'_>, program: &Program, data: &mut Data, figures: &mut Figures) -> Result<()> {
    let transactions = stage.scaled(500, 5);
    let rows = transactions * 100;
    let before = program.client.metric(WRITTEN)?;
    let ((), cpu, time) = program.measure(|| {
        for number in 0..transactions {
            data.connection.execute_batch("BEGIN")?;
            for row in 0..50 {
                data.insert()?;
                data.update(number * 50 + row, 1)?;
            }
            data.connection.execute_batch("COMMIT")?;
        }
        program.client.reach()
    })?;
    let written = program.client.metric(WRITTEN)? - before;
    ensure!(written == rows, "{written} operations were written for {rows} changes");
    figures.add("transactions of 100 rows, with writing them", rate(rows, time), "rows/s", "≥ 20 000");
    figures.add("— CPU, transactions of 100 rows", micros(cpu, rows), "µs per row", "≤ 50");
    Ok(())
}

/// Each transaction writes the two rows of a pair. A client that sees some of the pairs must never see half of one.
fn small(stage: &Stage<'_>, program: &Program, data: &Data, figures: &mut Figures) -> Result<()> {
    let transactions = stage.scaled(20_000, 200);
    let last = i64::try_from(transactions)?;
    let mut lines = program.client.stream(SOME, Coding::Plain)?;
    lines.checkpoint()?;
    let watching = thread::spawn(move || watch(lines, last));
    let ((), cpu, time) = program.measure(|| {
        for number in 1..=last {
            // The last one is of a group that the client sees.
            let group = usize::try_from(last - number)? % data.groups;
            data.connection.execute_batch("BEGIN")?;
            for id in pair_of(group) {
                let mut update = data.connection.prepare_cached("UPDATE items SET done = ?2 WHERE id = ?1")?;
                update.execute((id, number))?;
            }
            data.connection.execute_batch("COMMIT")?;
        }
        program.client.reach()
    })?;
    let checkpoints = watching.join().ok().context("the thread of a client has failed")??;
    ensure!(checkpoints <= transactions, "there were {checkpoints} checkpoints for {transactions} transactions");
    figures.add("small transactions, with writing them", rate(transactions, time), "transactions/s", "≥ 2 000");
    figures.add("— CPU, small transactions", micros(cpu, transactions), "µs per transaction", "≤ 500");
    figures.add("— checkpoints of 1 000 of them", 1e3 * number(checkpoints) / number(transactions), "", "");
    Ok(())
}

/// Reads checkpoints up to the last transaction, and gives their number.
fn watch(mut lines: Lines, last: i64) -> Result<usize> {
    let mut seen: HashMap<String, Value> = HashMap::new();
    for checkpoints in 1.. {
        let received = lines.checkpoint_with(|id| id.starts_with("pair-"))?;
        for (id, row) in received.rows {
            seen.insert(id, row.get("done").cloned().unwrap_or_default());
        }
        let ids: Vec<&String> = seen.keys().filter(|id| id.ends_with("-a")).collect();
        for id in ids {
            let other = id.trim_end_matches("-a").to_owned() + "-b";
            ensure!(seen.get(id) == seen.get(&other), "a client has seen half of a transaction");
        }
        if seen.values().any(|done| *done == last) {
            return Ok(checkpoints);
        }
    }
    Ok(0)
}
