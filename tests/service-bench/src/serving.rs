//! What a client costs that downloads everything.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use crate::client::{Client, Coding};
use crate::data::{ALL, Data};
use crate::figures::{Figures, micros, percentile, rate, ratio};
use crate::program::Program;

/// Measures streams of all buckets, and gives the number of bytes of all rows.
pub(crate) fn measure(program: &Program, data: &Data, read: Duration, figures: &mut Figures) -> Result<usize> {
    let mut times: Vec<Duration> = (0..11).map(|_| first_line(&program.client)).collect::<Result<_>>()?;
    figures.add("first line of a stream of all buckets", percentile(&mut times, 50).as_secs_f64() * 1e3, "ms", "≤ 20");
    let plain = download(program, data, Coding::Plain)?;
    figures.add("sync stream", rate(data.count(), plain.cpu), "operations/CPU s", "≥ 300 000");
    figures.add("— CPU, sync stream", micros(plain.cpu, data.count()), "µs per operation", "≤ 3.3");
    figures.add("— CPU, sync stream ÷ reading the rows in SQLite", ratio(plain.cpu, read), "×", "");
    let zstd = download(program, data, Coding::Zstd)?;
    figures.add("sync stream, zstd", rate(data.count(), zstd.cpu), "operations/CPU s", "≥ 100 000");
    figures.add("— CPU, sync stream, zstd", micros(zstd.cpu, data.count()), "µs per operation", "≤ 10");
    Ok(plain.bytes)
}

struct Download {
    cpu: Duration,
    bytes: usize,
}

fn first_line(client: &Client) -> Result<Duration> {
    let begin = Instant::now();
    client.stream(ALL, Coding::Plain)?.next()?;
    Ok(begin.elapsed())
}

fn download(program: &Program, data: &Data, coding: Coding) -> Result<Download> {
    let (received, cpu, _) = program.measure(|| program.client.stream(ALL, coding)?.checkpoint())?;
    let operations = received.operations;
    ensure!(operations == data.count(), "a client got {operations} operations for {} rows", data.count());
    Ok(Download { cpu, bytes: received.bytes })
}
