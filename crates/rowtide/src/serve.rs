//! `rowtide serve`: the sync service.

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use anyhow::{Context, Result, anyhow};
use rowtide_service::{
    ConfigFile, FileUse, Keys, NoSource, Processes, Reload, Role, Service, ServiceOptions, Storage, WritesError,
    create_source, open_convex_persister, open_persister, sqlite_path, writes_to,
};
use serde_json::json;
use sync_config::{CompileOptions, Diagnostic, Plan, TablePattern, compile};
use sync_engine::source::{Check, SourceError};
use sync_sources::convex::{ConvexSource, DEPLOY_KEY_VARIABLE, DeployKey};
use tempfile::TempDir;
use write_path::WritePath;

use crate::diagnostics::{self, Source};
use crate::exit::{Outcome, usage};
use crate::logs::{Level, Logs};
use crate::running::{self, Asked, ForScripts, Waiting};

/// Runs the sync service.
///
/// Command lines can be seen by other users of this machine: give secrets in the environment, as ROWTIDE_JWT_SECRET,
/// ROWTIDE_ADMIN_TOKEN and, if the URL of the source has a password, ROWTIDE_SOURCE. SIGHUP has configuration and write rules read again; SIGINT and SIGTERM end all streams and stop the
/// service, and a second one ends it at once.
#[derive(clap::Args)]
pub(crate) struct Serve {
    /// The sync configuration; --role api takes it from the storage
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// The database whose rows are synced: postgres://USER:PASSWORD@HOST/DATABASE, convex:https://DEPLOYMENT.convex.cloud,
    /// sqlite:PATH, json:DIR or memory:
    #[arg(long, value_name = "URL", env = "ROWTIDE_SOURCE", hide_env_values = true)]
    source: Option<String>,
    /// The deploy key of a Convex source
    #[arg(long, value_name = "KEY", env = DEPLOY_KEY_VARIABLE, hide_env_values = true)]
    convex_deploy_key: Option<String>,
    /// Where buckets are kept: sqlite:PATH, postgres://USER@HOST/DATABASE or memory: [default: sqlite:rowtide-data/storage.db]
    #[arg(long, value_name = "URL", env = "ROWTIDE_STORAGE", hide_env_values = true)]
    storage: Option<String>,
    /// What this process does. With storage in PostgreSQL there can be several: one of them writes
    #[arg(long, value_enum, default_value_t = RoleName::All)]
    role: RoleName,
    /// The address to listen on
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1")]
    host: String,
    /// The port to listen on; 0 is a free one
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// The shared secret of tokens, in base64url, for HS256, HS384 and HS512
    #[arg(long, value_name = "BASE64URL", env = "ROWTIDE_JWT_SECRET", hide_env_values = true)]
    jwt_secret: Option<String>,
    /// A file with the key set (JWKS) of tokens
    #[arg(long, value_name = "FILE")]
    jwks: Option<PathBuf>,
    /// Where the key set (JWKS) of tokens is fetched
    #[arg(long, value_name = "URL")]
    jwks_uri: Option<String>,
    /// An audience of tokens, one of which each token needs. Can be given several times [default: any]
    #[arg(long, value_name = "AUDIENCE")]
    audience: Vec<String>,
    /// The token of those who may administer the service [default: nobody may]
    #[arg(long, value_name = "TOKEN", env = "ROWTIDE_ADMIN_TOKEN", hide_env_values = true)]
    admin_token: Option<String>,
    /// Write rules; without them the service takes no writes
    #[arg(long, value_name = "FILE")]
    writes: Option<PathBuf>,
    /// The database that uploads are written to: sqlite:PATH or postgres://USER@HOST/DATABASE [default: --source]
    #[arg(long, value_name = "URL", env = "ROWTIDE_WRITES_DATABASE", hide_env_values = true, requires = "writes")]
    writes_database: Option<String>,
    /// Uses the configuration and the write rules again when their files change
    #[arg(long)]
    watch: bool,
    /// Keeps nothing: the storage, and without --source the source, are removed at the end
    #[arg(long)]
    ephemeral: bool,
    /// SQL that an SQLite source is created with, if it has no tables yet
    #[arg(long, value_name = "FILE.sql")]
    seed: Option<PathBuf>,
    #[command(flatten)]
    scripts: ForScripts,
    #[command(flatten)]
    logs: Logs,
}

/// What a process does.
#[derive(Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum RoleName {
    /// Serves clients, and writes the storage if no other process does
    All,
    /// Writes the storage if no other process does
    Writer,
    /// Serves clients; needs no source
    Api,
}

impl RoleName {
    fn role(self) -> Role {
        match self {
            Self::All => Role::All,
            Self::Writer => Role::Writer,
            Self::Api => Role::Api,
        }
    }
}

/// What a process reads rows from, and the configuration that it deploys, with its file.
type Input = (Arc<dyn sync_engine::source::Source>, Option<(PathBuf, String)>);

impl Serve {
    pub(crate) fn run(&self) -> Result<Outcome> {
        self.logs.start(Level::Info);
        self.scripts.begin()?;
        let temporary = self.ephemeral.then(temporary_folder).transpose()?;
        let storage = self.storage(temporary.as_ref())?;
        let processes = self.processes(&storage)?;
        let source_url = self.source_url(temporary.as_ref())?;
        let keys = self.keys()?;
        let Some((source, config)) = self.input(source_url.as_deref())? else { return Ok(Outcome::Usage) };
        let address = self.address()?;
        let refused = storage.beside("writes.db");
        let Some((rules, writes)) = self.open_writes(source_url.as_deref().unwrap_or_default(), &refused)? else {
            return Ok(Outcome::Usage);
        };
        let open_store = storage.opener(self.scripts.deterministic).map_err(|message| anyhow!(message))?;
        let yaml = config.as_ref().map_or_else(String::new, |(_, yaml)| yaml.clone());
        let options = ServiceOptions {
            keys,
            audiences: self.audience.clone(),
            admin_token: self.admin_token.clone(),
            address,
            writes,
            processes,
            ..ServiceOptions::new(source, open_store, yaml)
        };
        running::block_on(self.serve(options, config, rules))?;
        if let Some(temporary) = temporary {
            temporary.close().context("Removing the temporary folder")?;
        }
        Ok(Outcome::Fine)
    }

    /// The source and the configuration; nothing if it has errors, which then are printed.
    fn input(&self, source_url: Option<&str>) -> Result<Option<Input>> {
        let source: Arc<dyn sync_engine::source::Source> = match source_url {
            Some(url) => self.open_source(url)?.into(),
            None => Arc::new(NoSource),
        };
        let Some(file) = &self.config else { return Ok(Some((source, None))) };
        let (name, yaml) = (file.display().to_string(), read_file(file)?);
        let options = CompileOptions { default_schema: source.describe().default_schema, ..CompileOptions::default() };
        let compiled = compile(&yaml, &options);
        let place = Source { name: &name, text: &yaml };
        eprint!("{}", diagnostics::render(&place, &compiled.diagnostics, diagnostics::Style::of_stderr()));
        let Some(plan) = compiled.plan else {
            eprintln!("{name}: {}", diagnostics::counted(&compiled.diagnostics));
            return Ok(None);
        };
        print_checks(&source.test(&patterns(&plan)));
        Ok(Some((source, Some((file.clone(), yaml)))))
    }

    /// What is one of several processes; none if there can be only one.
    fn processes(&self, storage: &Storage) -> Result<Option<Processes>> {
        let is_api = self.role == RoleName::Api;
        match &self.config {
            None if !is_api => return Err(usage("--config is missing: the file of the sync configuration")),
            Some(_) if is_api => {
                return Err(usage("--role api takes the configuration from the storage: leave out --config"));
            }
            _ => {}
        }
        let processes = storage.processes(self.role.role(), self.scripts.deterministic);
        if processes.is_none() && self.role != RoleName::All {
            return Err(usage("--role is for several processes: give --storage postgres://USER@HOST/DATABASE"));
        }
        Ok(processes)
    }

    async fn serve(&self, options: ServiceOptions, config: Option<(PathBuf, String)>, rules: String) -> Result<()> {
        let mut signals = self.scripts.signals()?;
        let writes = options.writes.clone();
        let service = Service::start(options).await?;
        let path = self.config.clone().unwrap_or_default();
        let mut file =
            config.map(|(path, yaml)| ConfigFile::follow(&path, yaml, FileUse::Config(service.deployer()), self.watch));
        let mut rules_file = writes
            .zip(self.writes.as_deref())
            .map(|(writes, path)| ConfigFile::follow(path, rules, FileUse::Writes(writes), self.watch));
        let lookers: Vec<_> = rules_file.iter().chain(&file).map(ConfigFile::looker).collect();
        let (mut ready, mut waiting) = (None, Some(Waiting::new()));
        loop {
            tokio::select! {
                () = service.ready(), if ready.is_none() => {
                    waiting = None;
                    ready = Some(self.scripts.ready(&service.url(), json!({}))?);
                    if !self.scripts.json {
                        let what = self.config.as_ref().map_or("clients".into(), |file| file.display().to_string());
                        running::print(&format!("Serving {what} at {}\n", service.url()));
                    }
                }
                () = async { if let Some(waiting) = &mut waiting { waiting.tick().await } }, if ready.is_none() => {
                    if let Some(waiting) = &mut waiting {
                        waiting.show(service.progress());
                    }
                }
                Some(reload) = changed(&mut file) => running::report(&reload, &path),
                Some(reload) = changed(&mut rules_file) => {
                    running::report(&reload, self.writes.as_deref().unwrap_or(&path));
                }
                asked = signals.next() => match asked {
                    Asked::Stop => break,
                    Asked::Reload => lookers.iter().for_each(|looker| looker.notify_one()),
                },
            }
        }
        tracing::info!("stopping");
        drop(ready);
        signals.while_stopping(service.stop()).await;
        Ok(())
    }

    /// The text of the write rules, and the write path; nothing if they have errors, which then are printed.
    fn open_writes(&self, source: &str, refused: &Path) -> Result<Option<(String, Option<Arc<WritePath>>)>> {
        let Some(file) = &self.writes else { return Ok(Some((String::new(), None))) };
        let (name, rules) = (file.display().to_string(), read_file(file)?);
        let print = |findings: &[Diagnostic]| {
            let place = Source { name: &name, text: &rules };
            eprint!("{}", diagnostics::render(&place, findings, diagnostics::Style::of_stderr()));
        };
        let database = self.writes_database.as_deref().unwrap_or(source);
        let persister = match database.strip_prefix("convex:") {
            Some(location) => open_convex_persister(location, self.convex_deploy_key()?, refused).map(Some),
            None => open_persister(database),
        };
        let opened = match persister {
            Ok(Some(persister)) => writes_to(persister, &rules),
            Ok(None) => {
                return Err(usage(
                    "--writes needs a database that can be written: give sqlite:PATH, postgres://USER@HOST/DATABASE or \
                     convex:https://DEPLOYMENT.convex.cloud as --source or --writes-database",
                ));
            }
            Err(error) => Err(error),
        };
        match opened {
            Ok((writes, findings)) => {
                print(&findings);
                Ok(Some((rules, Some(writes))))
            }
            Err(WritesError::Rules(findings)) => {
                print(&findings);
                eprintln!("{name}: {}", diagnostics::counted(&findings));
                Ok(None)
            }
            Err(WritesError::Other(message)) => Err(anyhow!(message)),
        }
    }

    /// The source; none for a process that needs none.
    fn source_url(&self, temporary: Option<&TempDir>) -> Result<Option<String>> {
        match (&self.source, temporary, &self.seed) {
            (Some(url), ..) => Ok(Some(url.clone())),
            (None, Some(folder), Some(_)) => Ok(Some(format!("sqlite:{}", folder.path().join("source.db").display()))),
            (None, ..) if self.role == RoleName::Api => Ok(None),
            (None, ..) => Err(usage(
                "--source is missing: postgres://…, sqlite:PATH, json:DIR or memory: (only with --ephemeral and --seed there is one without)",
            )),
        }
    }

    fn storage(&self, temporary: Option<&TempDir>) -> Result<Storage> {
        match (&self.storage, temporary) {
            (Some(_), Some(_)) => Err(usage("--ephemeral keeps no storage: leave out --storage")),
            (Some(url), None) => Storage::parse(url).map_err(usage),
            (None, Some(folder)) => Ok(Storage::Sqlite(folder.path().join("storage.db"))),
            (None, None) => Ok(Storage::Sqlite(PathBuf::from("rowtide-data/storage.db"))),
        }
    }

    fn keys(&self) -> Result<Keys> {
        let mut keys = Keys::new();
        if let Some(secret) = &self.jwt_secret {
            keys.add_secret(secret).map_err(|error| usage(error.to_string()))?;
        }
        if let Some(file) = &self.jwks {
            let set = std::fs::read_to_string(file)
                .map_err(|error| usage(format!("Reading the key set {}: {error}", file.display())))?;
            keys.add_set(&set).map_err(|error| usage(format!("{}: {error}", file.display())))?;
        }
        if let Some(uri) = &self.jwks_uri {
            keys.add_uri(uri).map_err(|error| usage(error.to_string()))?;
        }
        if keys.is_empty() && self.role != RoleName::Writer {
            return Err(usage(
                "no token could be checked: give --jwks-uri, --jwks or ROWTIDE_JWT_SECRET (for tests: --jwt-secret)",
            ));
        }
        Ok(keys)
    }

    fn address(&self) -> Result<SocketAddr> {
        let resolved = (self.host.as_str(), self.port).to_socket_addrs();
        let resolved = resolved.map_err(|error| usage(format!("--host {}: {error}", self.host)))?;
        let address = resolved.into_iter().next();
        let address = address.ok_or_else(|| usage(format!("--host {}: it has no address", self.host)))?;
        if !address.ip().is_loopback() {
            eprintln!(
                "warning: {} can be reached from other machines, and without TLS others can read tokens and rows on the way: \
                 put a proxy with TLS in front",
                address.ip()
            );
        }
        Ok(address)
    }

    fn convex_deploy_key(&self) -> Result<DeployKey> {
        let key = self.convex_deploy_key.as_deref().unwrap_or_default();
        DeployKey::new(key).map_err(|failure| usage(failure.message))
    }

    fn open_source(&self, url: &str) -> Result<Box<dyn sync_engine::source::Source>> {
        if let Some(seed) = &self.seed {
            let path =
                sqlite_path(url).ok_or_else(|| usage("--seed is for SQLite sources: give --source sqlite:PATH"))?;
            create_source(path, seed).map_err(|message| anyhow!(message))?;
        }
        if let Some(location) = url.strip_prefix("convex:") {
            let source = ConvexSource::open(location, self.convex_deploy_key()?);
            return Ok(Box::new(source.map_err(|error| usage(error.message))?));
        }
        // One on a server connects later, so what is wrong now is the URL.
        let is_on_server = url.starts_with("postgres:") || url.starts_with("postgresql:");
        sync_sources::open_source(url).map_err(|error: SourceError| match is_on_server {
            true => usage(format!("--source: {}", error.message)),
            false => anyhow!("Opening the source: {}", error.message),
        })
    }
}

/// The text of a file that was named on the command line.
pub(crate) fn read_file(file: &std::path::Path) -> Result<String> {
    std::fs::read_to_string(file).map_err(|error| usage(format!("Reading {}: {error}", file.display())))
}

fn temporary_folder() -> Result<TempDir> {
    tempfile::Builder::new().prefix("rowtide-").tempdir().context("Creating a temporary folder")
}

/// The tables that a plan reads.
fn patterns(plan: &Plan) -> Vec<TablePattern> {
    let evaluators = plan.evaluators.iter().map(|evaluator| &evaluator.program.table);
    let indexes = plan.indexes.iter().map(|index| &index.program.table);
    let mut patterns: Vec<_> = evaluators.chain(indexes).cloned().collect();
    patterns.sort();
    patterns.dedup();
    patterns
}

/// Waits until a file has changed; for ever without one.
async fn changed(file: &mut Option<ConfigFile>) -> Option<Reload> {
    match file {
        Some(file) => file.reloaded().await,
        None => std::future::pending().await,
    }
}

/// What is wrong with the source. The service starts nevertheless: it goes on when somebody has done something about it.
fn print_checks(checks: &[Check]) {
    for check in checks.iter().filter(|check| !check.ok) {
        eprintln!("warning: source: {}: {}", check.name, check.message);
        if !check.fix.is_empty() {
            eprintln!("   = {}", check.fix);
        }
    }
}
