//! Clients that wait: what they take, and that nobody is woken by what others see.

use std::time::Duration;

use anyhow::{Result, ensure};

use crate::Stage;
use crate::client::{Coding, Lines};
use crate::data::{Data, pair_of, user_of};
use crate::figures::{Figures, micros, number};
use crate::program::Program;

const WAKES: &str = "rowtide_stream_wakes_total";
const SENT: &str = "rowtide_operations_sent_total";

/// Measures commits that one client sees, without and with others who do not.
pub(crate) fn measure(stage: &Stage<'_>, program: &Program, data: &Data, figures: &mut Figures) -> Result<()> {
    let commits = stage.scaled(200, 5);
    // By default a service has up to 1000 streams.
    let clients = stage.scaled(900, 10).min(data.groups - 1);
    let mut active = program.client.stream(&user_of(0), Coding::Plain)?;
    active.checkpoint()?;
    let (alone, _) = commit(program, data, &mut active, commits)?;
    let before = program.memory()?;
    let idle = connect(program, clients)?;
    let used = program.memory()?.saturating_sub(before);
    let (among_others, woken) = commit(program, data, &mut active, commits)?;
    drop(idle);
    figures.add("memory of an idle client", number(used) / 1e3 / number(clients), "kB", "≤ 25");
    figures.add("commit that one client sees, CPU, no others", micros(alone, commits), "µs", "");
    figures.add("commit that one client sees, CPU, with others", micros(among_others, commits), "µs", "the same");
    figures.add("— streams woken", number(woken) / number(commits), "per commit", "1");
    Ok(())
}

/// Streams of one group each, which have got everything.
fn connect(program: &Program, clients: usize) -> Result<Vec<Lines>> {
    let connect = |group: usize| {
        let mut lines = program.client.stream(&user_of(group), Coding::Plain)?;
        lines.checkpoint()?;
        anyhow::Ok(lines)
    };
    (1..=clients).map(connect).collect()
}

/// Commits, each of which is one checkpoint of the client, the CPU time of the service, and how many streams they have woken.
fn commit(program: &Program, data: &Data, active: &mut Lines, commits: usize) -> Result<(Duration, usize)> {
    let (wakes, sent) = (program.client.metric(WAKES)?, program.client.metric(SENT)?);
    let [id, _] = pair_of(0);
    let ((), cpu, _) = program.measure(|| {
        for _ in 0..commits {
            let mut update = data.connection.prepare_cached("UPDATE items SET done = done + 1 WHERE id = ?1")?;
            update.execute([&id])?;
            let received = active.checkpoint()?;
            ensure!(received.operations == 1, "a commit of a row has given {} operations", received.operations);
        }
        Ok(())
    })?;
    let woken = program.client.metric(WAKES)? - wakes;
    let sent = program.client.metric(SENT)? - sent;
    ensure!(woken == commits, "{commits} commits that one client sees have woken {woken} streams");
    ensure!(sent == commits, "{commits} commits of one row have sent {sent} operations");
    Ok((cpu, woken))
}
