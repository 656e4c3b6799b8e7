//! Compares the service with another one of this protocol: both replicate from one PostgreSQL database, and each has a
//! client that reads everything. The other one can be the same program with its storage in PostgreSQL.
//!
//! The other service is set up and started by whoever compares, with the configuration that `--print-config` shows, and
//! with a shared secret for tokens. Rows are written once, for both. What a client does alone is measured with one service
//! after the other. CPU time is the better figure, since both share the machine; for that of the other service its
//! processes have to be named.

mod source;
mod table;
mod work;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use crate::Stage;
use crate::client::Client;
use crate::program::{Program, cpu};
use crate::replication;
use source::Source;
use table::Comparison;

/// The other service, and the database of both.
#[derive(clap::Args)]
pub(crate) struct Against {
    /// Compares with the service at this URL, which replicates from the database of --source; or with `self`: this program
    /// with its storage in SQLite, and in PostgreSQL, on a server of its own (which needs ROWTIDE_POSTGRES_BIN)
    #[arg(long, value_name = "URL")]
    pub(crate) against: Option<String>,
    /// An empty PostgreSQL database for the comparison; tables are made in it
    #[arg(long, value_name = "URL", env = "ROWTIDE_BENCH_SOURCE", hide_env_values = true)]
    source: Option<String>,
    /// The shared secret of the other service's tokens, in base64url
    #[arg(long, value_name = "BASE64URL", env = "ROWTIDE_BENCH_SECRET", hide_env_values = true)]
    against_secret: Option<String>,
    /// The audience of the other service's tokens
    #[arg(long, value_name = "AUDIENCE")]
    against_audience: Option<String>,
    /// A process of the other service, whose CPU time is compared. Can be given several times
    #[arg(long, value_name = "PID")]
    against_pid: Vec<u32>,
    /// Makes the tables in the database of --source, prints the sync configuration for the other service, and ends
    #[arg(long, requires = "source")]
    pub(crate) print_config: bool,
}

/// One of the two services.
struct Side {
    client: Client,
    processes: Vec<u32>,
}

/// What some work has cost a service.
#[derive(Clone, Copy, Debug)]
struct Cost {
    time: Duration,
    /// None if its processes are unknown.
    cpu: Option<Duration>,
}

impl Against {
    fn source(&self) -> Result<&str> {
        self.source.as_deref().context("--source is missing: the database that both services replicate from")
    }
}

impl Side {
    fn cpu(&self) -> Result<Option<Duration>> {
        let times: Vec<Duration> = self.processes.iter().map(|process| cpu(*process)).collect::<Result<_>>()?;
        Ok((!times.is_empty()).then(|| times.iter().sum()))
    }

    /// What this work costs the service, if it does nothing else meanwhile.
    fn measure<T>(&self, work: impl FnOnce(&Client) -> Result<T>) -> Result<(T, Cost)> {
        let (before, begin) = (self.cpu()?, Instant::now());
        let result = work(&self.client)?;
        let time = begin.elapsed();
        let cpu = self.cpu()?.zip(before).map(|(after, before)| after.saturating_sub(before));
        Ok((result, Cost { time, cpu }))
    }
}

/// Makes the tables.
pub(crate) fn prepare(against: &Against) -> Result<()> {
    Source::open(against.source()?).map(drop)
}

/// Compares, and gives the table.
pub(crate) fn run(against: &Against, stage: &Stage<'_>) -> Result<String> {
    if against.against.as_deref() == Some("self") {
        return storages(stage);
    }
    let mut source = Source::open(against.source()?)?;
    source.fill(stage)?;
    let secret = against.against_secret.clone().context("--against-secret is missing: what tokens are signed with")?;
    let client = Client::of(against.against.clone().unwrap_or_default(), secret, against.against_audience.clone())?;
    let theirs = Side { client, processes: against.against_pid.clone() };
    let ours = start(against.source()?, stage)?;
    compare(&ours, theirs, source, stage, Comparison::of_services())
}

/// Compares the two storages of the program.
fn storages(stage: &Stage<'_>) -> Result<String> {
    ensure!(
        std::env::var_os("ROWTIDE_POSTGRES_BIN").is_some(),
        "ROWTIDE_POSTGRES_BIN must name the folder of PostgreSQL's initdb, for instance /usr/lib/postgresql/15/bin"
    );
    let server = pg_server::Server::shared();
    let (database, storage) = (server.database(), server.database());
    let mut source = Source::open(&database.url())?;
    source.fill(stage)?;
    let ours = start(&database.url(), stage)?;
    let config = stage.folder.path().join("postgres.yaml");
    let theirs = Program::start_on(stage.program, &database.url(), &storage.url(), &config)?;
    let mut comparison = Comparison::of_storages();
    work::initial([&ours, &theirs], &source, &mut comparison)?;
    let row = storage.client().query_one("SELECT pg_database_size(current_database())", &[])?;
    let bytes = [replication::stored(&sqlite_storage(stage))?, usize::try_from(row.get::<_, i64>(0))?];
    comparison.sizes("storage, bytes per row", bytes, source.count());
    let theirs = Side { client: theirs.client.clone(), processes: vec![theirs.process()] };
    compare(&ours, theirs, source, stage, comparison)
}

fn sqlite_storage(stage: &Stage<'_>) -> PathBuf {
    stage.folder.path().join("comparison.db")
}

/// Starts the program on this database, with its storage in SQLite.
fn start(url: &str, stage: &Stage<'_>) -> Result<Program> {
    // The other service may be one of ours, too, and two services cannot share a slot.
    let separator = if url.contains('?') { '&' } else { '?' };
    let url = format!("{url}{separator}slot=powersync_rowtide_bench");
    let storage = sqlite_storage(stage);
    Program::start_on(stage.program, &url, &format!("sqlite:{}", storage.display()), &storage.with_extension("yaml"))
}

fn compare(
    program: &Program,
    theirs: Side,
    mut source: Source,
    stage: &Stage<'_>,
    mut comparison: Comparison,
) -> Result<String> {
    let sides = [Side { client: program.client.clone(), processes: vec![program.process()] }, theirs];
    work::reach(&sides, &mut source).context("waiting until both services have all rows")?;
    work::downloads(&sides, &source, &mut comparison)?;
    work::first_lines(&sides, &mut comparison)?;
    work::large_transactions(&sides, stage, &mut source, &mut comparison)?;
    work::small_transactions(&sides, stage, &mut source, &mut comparison)?;
    work::latency(&sides, stage, &mut source, &mut comparison)?;
    Ok(comparison.table())
}
