//! What both services do.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use serde_json::Value;

use super::source::Source;
use super::table::Comparison;
use super::{Cost, Side};
use crate::Stage;
use crate::client::{Coding, Lines};
use crate::data::{ALL, now, user_of};
use crate::figures::percentile;
use crate::program::Program;

/// Time between two writes when their delay is measured.
const PAUSE: Duration = Duration::from_millis(10);

/// What it has cost two services that were just started to read all rows, which each did while the other was idle.
pub(super) fn initial(programs: [&Program; 2], source: &Source, comparison: &mut Comparison) -> Result<()> {
    let mut costs = Vec::new();
    for program in programs {
        let written = program.client.metric("rowtide_operations_written_total")?;
        ensure!(written == source.count(), "{written} operations were written for {} rows", source.count());
        costs.push(Cost { time: program.ready_after, cpu: program.first_cpu });
    }
    comparison.rates("initial replication", "rows", source.count(), pair(&costs)?, "");
    Ok(())
}

/// Waits until both have everything that is written now.
pub(super) fn reach(sides: &[Side; 2], source: &mut Source) -> Result<()> {
    let mark = source.mark("")?;
    let watching: Vec<_> =
        sides.iter().map(|side| side.client.stream(&user_of(0), Coding::Plain)).collect::<Result<_>>()?;
    for mut lines in watching {
        until(&mut lines, &mark)?;
    }
    Ok(())
}

/// Reads until the row with this id has come.
fn until(lines: &mut Lines, id: &str) -> Result<usize> {
    let mut operations = 0;
    loop {
        let line = lines.next()?;
        for operation in line.data.into_iter().flat_map(|data| data.data) {
            operations += 1;
            if operation.object_id.as_deref() == Some(id) {
                return Ok(operations);
            }
        }
    }
}

/// A client that downloads everything, from one service after the other.
pub(super) fn downloads(sides: &[Side; 2], source: &Source, comparison: &mut Comparison) -> Result<()> {
    for (what, coding) in [("sync stream", Coding::Plain), ("sync stream, zstd", Coding::Zstd)] {
        let mut costs = Vec::new();
        for side in sides {
            let (operations, cost) = side.measure(|client| Ok(client.stream(ALL, coding)?.checkpoint()?.operations))?;
            ensure!(operations >= source.count(), "a client got {operations} operations of {} rows", source.count());
            costs.push(cost);
        }
        comparison.rates(what, "operations", source.count(), pair(&costs)?, "≥ 15");
    }
    Ok(())
}

/// How long the first line takes of a stream of all buckets.
pub(super) fn first_lines(sides: &[Side; 2], comparison: &mut Comparison) -> Result<()> {
    let mut medians = Vec::new();
    for side in sides {
        let mut times = Vec::new();
        for _ in 0..11 {
            let begin = Instant::now();
            side.client.stream(ALL, Coding::Plain)?.next()?;
            times.push(begin.elapsed());
        }
        medians.push(percentile(&mut times, 50));
    }
    let medians = <[Duration; 2]>::try_from(medians).ok().context("there are two services")?;
    comparison.times("first line of a stream of all buckets", medians, "");
    Ok(())
}

/// Transactions of 100 rows, until a client has seen the last of them.
pub(super) fn large_transactions(
    sides: &[Side; 2],
    stage: &Stage<'_>,
    source: &mut Source,
    comparison: &mut Comparison,
) -> Result<()> {
    let transactions = stage.scaled(1000, 5);
    let costs = written(sides, source, |source| (0..transactions).try_for_each(|_| source.write(50, 50)))?;
    comparison.rates("transactions of 100 rows", "rows", transactions * 100, costs, "≥ 8");
    Ok(())
}

/// Transactions of two rows.
pub(super) fn small_transactions(
    sides: &[Side; 2],
    stage: &Stage<'_>,
    source: &mut Source,
    comparison: &mut Comparison,
) -> Result<()> {
    let transactions = stage.scaled(20_000, 100);
    let costs = written(sides, source, |source| (0..transactions).try_for_each(|_| source.write(0, 2)))?;
    comparison.rates("small transactions", "transactions", transactions, costs, "≥ 20");
    Ok(())
}

/// What writes cost each service until a client with one bucket has seen the last row.
fn written(sides: &[Side; 2], source: &mut Source, write: impl FnOnce(&mut Source) -> Result<()>) -> Result<[Cost; 2]> {
    let mut watching = Vec::new();
    let begin = Instant::now();
    for side in sides {
        let mut lines = side.client.stream(&user_of(0), Coding::Plain)?;
        lines.checkpoint()?;
        watching.push((lines, side.cpu()?));
    }
    source.sync_each(false)?;
    write(source)?;
    source.sync_each(true)?;
    let mark = source.mark("")?;
    // Each is read by a thread of its own, so that one does not wait for the other.
    let seen: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = watching
            .iter_mut()
            .map(|(lines, _)| scope.spawn(|| until(lines, &mark).map(|_| begin.elapsed())))
            .collect();
        threads.into_iter().map(|thread| thread.join().ok().context("the thread of a client has failed")?).collect()
    });
    let mut costs = Vec::new();
    for ((side, (_, before)), time) in sides.iter().zip(&watching).zip(seen) {
        let cpu = side.cpu()?.zip(*before).map(|(after, before)| after.saturating_sub(before));
        costs.push(Cost { time: time?, cpu });
    }
    pair(&costs)
}

/// From a write to the line of each service, at 100 writes a second.
pub(super) fn latency(
    sides: &[Side; 2],
    stage: &Stage<'_>,
    source: &mut Source,
    comparison: &mut Comparison,
) -> Result<()> {
    let rows = stage.scaled(1000, 50);
    let mut watching = Vec::new();
    for side in sides {
        let mut lines = side.client.stream(&user_of(0), Coding::Plain)?;
        lines.checkpoint()?;
        watching.push(thread::spawn(move || delays(&mut lines, rows)));
    }
    let mut next = Instant::now();
    for _ in 0..rows {
        thread::sleep(next.saturating_duration_since(Instant::now()));
        next += PAUSE;
        source.mark(&now().to_string())?;
    }
    let mut times = Vec::new();
    for watching in watching {
        times.push(watching.join().ok().context("the thread of a client has failed")??);
    }
    let mut times = <[Vec<Duration>; 2]>::try_from(times).ok().context("there are two services")?;
    for percent in [50, 99] {
        let found = times.each_mut().map(|times| percentile(times, percent));
        comparison.times(&format!("write to line, p{percent}"), found, "");
    }
    Ok(())
}

fn delays(lines: &mut Lines, rows: usize) -> Result<Vec<Duration>> {
    let mut times = Vec::new();
    while times.len() < rows {
        let line = lines.next()?;
        let seen = now();
        for operation in line.data.into_iter().flat_map(|data| data.data) {
            let row: Value = serde_json::from_str(operation.data.as_deref().unwrap_or("null"))?;
            let written = row.get("note").and_then(Value::as_str).and_then(|note| note.parse::<u64>().ok());
            times.extend(written.map(|written| Duration::from_micros(seen.saturating_sub(written))));
        }
    }
    Ok(times)
}

fn pair(costs: &[Cost]) -> Result<[Cost; 2]> {
    <[Cost; 2]>::try_from(costs).context("there are two services")
}
