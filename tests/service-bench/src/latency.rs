//! From a write in the source to the line that a client gets.

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rowtide_service::{Keys, Service, ServiceOptions, Storage};
use rusqlite::params;
use serde_json::Value;
use sync_config::Value as Cell;
use sync_engine::source::Source;
use sync_sources::memory::MemorySource;
use tokio::runtime::Runtime;

use crate::Stage;
use crate::client::{ADMIN, Client, Coding, Lines, SECRET};
use crate::data::{CONFIG, Data, group_id, now, user_of};
use crate::figures::{Figures, percentile, ratio};
use crate::program::Program;

/// Time between two writes.
const PAUSE: Duration = Duration::from_millis(10);

/// Measures the program, with its SQLite file.
pub(crate) fn measure_program(stage: &Stage<'_>, program: &Program, data: &Data, figures: &mut Figures) -> Result<()> {
    let mut times = measure(stage, &program.client, |id| {
        let mut insert = data.connection.prepare_cached("INSERT INTO items VALUES (?1, ?2, '', ?3, 0, '')")?;
        insert.execute(params![id, group_id(0), now().to_string()])?;
        Ok(())
    })?;
    figures.add("write to line, SQLite file, p50", percentile(&mut times, 50).as_secs_f64() * 1e3, "ms", "≤ 10");
    figures.add("write to line, SQLite file, p99", percentile(&mut times, 99).as_secs_f64() * 1e3, "ms", "≤ 40");
    Ok(())
}

/// Measures a service in this process, with a source that tells at once what was written. The storage is a file.
pub(crate) fn measure_in_memory(stage: &Stage<'_>, figures: &mut Figures) -> Result<()> {
    let source = MemorySource::new();
    source.create_table("items", &["id", "group_id", "note"], &["id"])?;
    source.create_table("members", &["id", "user_id", "group_id"], &["id"])?;
    let texts = |values: [&str; 3]| values.map(Cell::text).to_vec();
    source.begin().put("members", texts(["m", &user_of(0), &group_id(0)])).commit()?;
    source.begin().put("items", texts(["first", &group_id(0), "0"])).commit()?;
    let running = InProcess::start(stage, Arc::new(source.clone()), CONFIG, "latency.db")?;
    let mut times = measure(stage, &running.client, |id| {
        source.begin().put("items", texts([id, &group_id(0), &now().to_string()])).commit()?;
        Ok(())
    })?;
    running.stop();
    figures.add("write to line, source in memory, p50", percentile(&mut times, 50).as_secs_f64() * 1e3, "ms", "≤ 10");
    figures.add("write to line, source in memory, p99", percentile(&mut times, 99).as_secs_f64() * 1e3, "ms", "≤ 40");
    Ok(())
}

/// Measures what a client sees of one table, while a changed definition of another one is built.
pub(crate) fn measure_during_build(stage: &Stage<'_>, figures: &mut Figures) -> Result<()> {
    let source = MemorySource::new();
    source.create_table("items", &["id", "group_id", "note"], &["id"])?;
    source.create_table("members", &["id", "user_id", "group_id"], &["id"])?;
    source.create_table("large", &["id", "text"], &["id"])?;
    let texts = |values: &[&str]| values.iter().map(|text| Cell::text(*text)).collect::<Vec<_>>();
    source.begin().put("members", texts(&["m", &user_of(0), &group_id(0)])).commit()?;
    let rows = stage.scaled(200_000, 1000);
    let text = "x".repeat(150);
    let all = (0..rows).fold(source.begin(), |all, row| all.put("large", texts(&[&row.to_string(), &text])));
    all.commit()?;
    let config = |condition: &str| format!("{CONFIG}  large:\n    query: SELECT * FROM large{condition}\n");
    let running = InProcess::start(stage, Arc::new(source.clone()), &config(""), "building.db")?;
    let write = |id: &str| {
        source.begin().put("items", texts(&[id, &group_id(0), &now().to_string()])).commit()?;
        Ok(())
    };
    let mut before = measure_while(&running.client, write, |number| number < stage.scaled(500, 50))?;
    let changed = config(" WHERE length(text) > 10");
    let mut during = thread::scope(|scope| {
        let deploy = scope.spawn(|| running.client.deploy(&changed));
        let times = measure_while(&running.client, write, |_| !deploy.is_finished());
        deploy.join().ok().context("the thread of a deploy has failed")??;
        times
    })?;
    running.stop();
    let [before, during] = [&mut before, &mut during].map(|times| percentile(times, 99));
    figures.add("write to line while a definition is built, p99", during.as_secs_f64() * 1e3, "ms", "");
    figures.add("— ÷ without a build", ratio(during, before), "×", "≤ 2");
    Ok(())
}

/// Writes 100 rows a second, which hold the time, and gives how late a client has seen each.
fn measure(stage: &Stage<'_>, client: &Client, write: impl Fn(&str) -> Result<()>) -> Result<Vec<Duration>> {
    let rows = stage.scaled(1000, 50);
    let times = measure_while(client, write, |number| number < rows)?;
    ensure!(times.len() == rows, "a client has seen {} rows of {rows}", times.len());
    Ok(times)
}

/// The same, as long as there is more to write.
fn measure_while(
    client: &Client,
    write: impl Fn(&str) -> Result<()>,
    has_more: impl Fn(usize) -> bool,
) -> Result<Vec<Duration>> {
    let mut lines = client.stream(&user_of(0), Coding::Plain)?;
    lines.checkpoint()?;
    let watching = thread::spawn(move || watch(lines));
    let (mut next, mut number) = (Instant::now(), 0);
    while has_more(number) {
        thread::sleep(next.saturating_duration_since(Instant::now()));
        next += PAUSE;
        write(&format!("late-{number}"))?;
        number += 1;
    }
    write(LAST)?;
    watching.join().ok().context("the thread of a client has failed")?
}

/// The row after which nothing more is written.
const LAST: &str = "late-last";

fn watch(mut lines: Lines) -> Result<Vec<Duration>> {
    let mut times = Vec::new();
    loop {
        let line = lines.next()?;
        let seen = now();
        for operation in line.data.into_iter().flat_map(|data| data.data) {
            if operation.object_id.as_deref() == Some(LAST) {
                return Ok(times);
            }
            let row: Value = serde_json::from_str(operation.data.as_deref().unwrap_or("null"))?;
            let written = row.get("note").and_then(Value::as_str).context("a row has no time")?;
            times.push(Duration::from_micros(seen.saturating_sub(written.parse()?)));
        }
    }
}

/// A service in this process.
pub(crate) struct InProcess {
    runtime: Runtime,
    service: Service,
    pub(crate) client: Client,
}

impl InProcess {
    /// Starts it, and waits until clients can sync.
    pub(crate) fn start(stage: &Stage<'_>, source: Arc<dyn Source>, config: &str, storage: &str) -> Result<Self> {
        let runtime = Runtime::new()?;
        let storage = Storage::Sqlite(stage.folder.path().join(storage)).opener(false).map_err(anyhow::Error::msg)?;
        let mut keys = Keys::new();
        keys.add_secret(SECRET)?;
        let options = ServiceOptions::new(source, storage, config);
        let service = runtime.block_on(async {
            let service =
                Service::start(ServiceOptions { keys, admin_token: Some(ADMIN.to_owned()), ..options }).await?;
            service.ready().await;
            anyhow::Ok(service)
        })?;
        let client = Client::new(service.url())?;
        Ok(Self { runtime, service, client })
    }

    /// Ends it.
    pub(crate) fn stop(self) {
        self.runtime.block_on(self.service.stop());
    }
}
