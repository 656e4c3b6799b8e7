//! The development service: everything that an app needs to sync, on this machine, without setup.
//!
//! [`Dev::start`] keeps an SQLite source, a storage and a secret for tokens in a folder. Without a configuration it is the
//! service of a small todo app, whose files are in the folder too, so that people can change them. The configuration is
//! deployed again when its file changes.

mod faults;
mod folder;
mod routes;
mod rows;
mod seed;
mod token;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use sync_engine::source::Source;
use sync_sources::open_source;
use sync_sources::sqlite::SqliteSource;

pub(crate) use self::faults::{Faults, HangUp, answer};
pub use self::folder::TODO_SEED;
use self::folder::{Folder, TodoApp};
pub use self::token::{TokenOptions, development_token};
use crate::auth::Keys;
use crate::options::ServiceOptions;
use crate::reload::{ConfigFile, FileUse, Reload};
use crate::rules::{WritesError, open_writes, sqlite_path};
use crate::service::{BuildProgress, Development, Service, StartError};
use crate::storage::Storage;

/// The longest life that the service accepts, in seconds.
const TOKEN_LIFETIME: u32 = 24 * 60 * 60;

/// What a development service is made of. The default is the todo app on a free port, in a temporary folder.
#[derive(Clone, Debug, Default)]
pub struct DevOptions {
    /// Where its files are kept; none: in a temporary folder, which is removed at the end.
    pub folder: Option<PathBuf>,
    /// The sync configuration; none: that of the todo app.
    pub config: Option<PathBuf>,
    /// The URL of a source; none: an SQLite file in the folder.
    pub source: Option<String>,
    /// SQL that the SQLite file in the folder begins with; none: that of the todo app, or nothing if there is a
    /// configuration.
    pub seed: Option<PathBuf>,
    /// Write rules for an SQLite source; none: those of the todo app, or no write path if there is a configuration.
    pub writes: Option<PathBuf>,
    /// The port on the loopback address; 0 is a free one.
    pub port: u16,
    /// Named users, whose tokens are to be shown; none: those of the todo app.
    pub users: Vec<String>,
    /// The secret that tokens are signed with, in base64url; none: a random one, which is kept in the folder.
    pub secret: Option<String>,
    /// The token of those who may administer the service; none: programs and pages of this machine may.
    pub admin_token: Option<String>,
    /// Makes names of buckets and the secret the same each time.
    pub is_deterministic: bool,
}

/// A development service that runs.
pub struct Dev {
    service: Service,
    config_file: ConfigFile,
    writes_file: Option<ConfigFile>,
    shared: Arc<Shared>,
    config: PathBuf,
    writes: Option<PathBuf>,
    users: Vec<String>,
    is_todo_app: bool,
    folder: Folder,
}

/// What its routes use.
struct Shared {
    url: OnceLock<String>,
    secret: String,
    users: Vec<String>,
    /// The SQLite file in the folder; none if the source is another one.
    source: Option<PathBuf>,
    seed: Option<PathBuf>,
    /// The SQLite file of the source, wherever it is.
    editable: Option<PathBuf>,
    config: PathBuf,
    writes: Option<PathBuf>,
    /// Of concurrent resets one waits for the other.
    resetting: tokio::sync::Mutex<()>,
    faults: Arc<Faults>,
}

/// Creates an SQLite source from an SQL script, if it has no tables yet.
///
/// # Errors
/// The file cannot be written, or the script fails.
pub fn create_source(path: &Path, script: &Path) -> Result<(), String> {
    seed::prepare(path, Some(script))
}

/// The files that a development service uses.
struct Files {
    config: PathBuf,
    writes: Option<PathBuf>,
    seed: Option<PathBuf>,
    users: Vec<String>,
}

impl Files {
    fn of(options: &DevOptions, folder: &Folder) -> Result<Self, String> {
        let users = options.users.clone();
        match &options.config {
            Some(config) => {
                let (writes, seed) = (options.writes.clone(), options.seed.clone());
                Ok(Self { config: config.clone(), writes, seed, users })
            }
            None => {
                let TodoApp { config, writes, seed } = folder.todo_app()?;
                let users = if users.is_empty() { vec!["alice".into(), "bob".into()] } else { users };
                // The rules are for the tables of the app, which another source does not have.
                let writes = options.writes.clone().or(options.source.is_none().then_some(writes));
                Ok(Self { config, writes, seed: Some(options.seed.clone().unwrap_or(seed)), users })
            }
        }
    }
}

impl Dev {
    /// Starts a development service. It needs a runtime with several threads.
    ///
    /// # Errors
    /// The configuration has errors, a file cannot be read or written, or the address is taken.
    pub async fn start(options: DevOptions) -> Result<Self, StartError> {
        let is_todo_app = options.config.is_none();
        let prepared = tokio::task::spawn_blocking(move || prepare(options)).await;
        let prepared = prepared.map_err(|error| StartError::Other(error.to_string()))?;
        let Prepared { folder, files, service: options, shared, rules } = prepared?;
        let (yaml, writes) = (options.config.clone(), options.writes.clone());
        let further = Development { routes: routes::router(Arc::clone(&shared)), faults: Arc::clone(&shared.faults) };
        let service = Service::start_with(options, Some(further)).await?;
        let _ = shared.url.set(service.url());
        let config_file = ConfigFile::follow(&files.config, yaml, FileUse::Config(service.deployer()), true);
        let writes_file = writes
            .zip(files.writes.as_deref())
            .map(|(writes, path)| ConfigFile::follow(path, rules, FileUse::Writes(writes), true));
        let Files { config, writes, users, .. } = files;
        Ok(Self { service, config_file, writes_file, shared, config, writes, users, is_todo_app, folder })
    }

    /// Waits until clients can sync.
    pub async fn ready(&self) {
        self.service.ready().await;
    }

    /// How far the configuration that is being built is; none if none is.
    pub fn progress(&self) -> Option<BuildProgress> {
        self.service.progress()
    }

    /// Where it is reached.
    pub fn url(&self) -> String {
        self.service.url()
    }

    /// The named users.
    pub fn users(&self) -> &[String] {
        &self.users
    }

    /// The secret that tokens are signed with, in base64url.
    pub fn secret(&self) -> &str {
        &self.shared.secret
    }

    /// A token for a user, valid for a day.
    ///
    /// # Errors
    /// The secret that was kept in the folder is not one.
    pub fn token(&self, user: &str) -> Result<String, String> {
        self.shared.token(user)
    }

    /// The folder with all files.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The configuration file, which is deployed again when it changes.
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// Whether it serves the todo app.
    pub fn is_todo_app(&self) -> bool {
        self.is_todo_app
    }

    /// Whether there are rows to go back to.
    pub fn has_seed(&self) -> bool {
        self.shared.seed.is_some() && self.shared.source.is_some()
    }

    /// The SQLite file whose rows are synced; none if the source is another one.
    pub fn source(&self) -> Option<&Path> {
        self.shared.source.as_deref()
    }

    /// The write rules, which are loaded again when they change; none if clients cannot write.
    pub fn writes(&self) -> Option<&Path> {
        self.writes.as_deref()
    }

    /// Waits until the configuration or the write rules have changed, and gives the file and what became of it.
    pub async fn reloaded(&mut self) -> Option<(PathBuf, Reload)> {
        let (config, writes) = (&self.config, self.writes.as_ref());
        match self.writes_file.as_mut().zip(writes) {
            Some((file, writes)) => tokio::select! {
                reload = self.config_file.reloaded() => reload.map(|reload| (config.clone(), reload)),
                reload = file.reloaded() => reload.map(|reload| (writes.clone(), reload)),
            },
            None => self.config_file.reloaded().await.map(|reload| (config.clone(), reload)),
        }
    }

    /// Gives the source the rows of its seed again, in one transaction, and ends all faults. Clients follow as with any other
    /// change.
    ///
    /// # Errors
    /// There is no seed, or the source cannot be written.
    pub async fn reset(&self) -> Result<(), String> {
        self.shared.reset().await
    }

    /// Ends all streams, stops, and removes the folder if it is a temporary one.
    pub async fn stop(self) {
        drop((self.config_file, self.writes_file));
        self.service.stop().await;
        let _ = tokio::task::spawn_blocking(move || self.folder.close()).await;
    }
}

struct Prepared {
    folder: Folder,
    files: Files,
    service: ServiceOptions,
    shared: Arc<Shared>,
    /// The text of the write rules.
    rules: String,
}

/// All that blocks.
fn prepare(options: DevOptions) -> Result<Prepared, StartError> {
    let other = StartError::Other;
    let folder = Folder::open(options.folder.clone()).map_err(other)?;
    let files = Files::of(&options, &folder).map_err(other)?;
    let yaml = read(&files.config)?;
    let (source, path) = open(&options, &files, &folder).map_err(other)?;
    let (rules, writes) = match &files.writes {
        Some(file) => {
            let rules = read(file)?;
            let target = path.as_deref().or(options.source.as_deref().and_then(sqlite_path));
            let target = target
                .ok_or_else(|| other("Clients can write to SQLite sources only: leave out the write rules.".into()))?;
            let (writes, _) = open_writes(target, &rules).map_err(|error| match error {
                WritesError::Rules(findings) => StartError::Writes(findings),
                WritesError::Other(message) => StartError::Other(message),
            })?;
            (rules, Some(writes))
        }
        None => (String::new(), None),
    };
    let secret = options.secret.map_or_else(|| folder.secret(options.is_deterministic), Ok).map_err(other)?;
    let mut keys = Keys::new();
    keys.add_secret(&secret).map_err(|error| other(error.to_string()))?;
    let storage = Storage::Sqlite(folder.join("storage.db"));
    let open_store = storage.opener(options.is_deterministic).map_err(other)?;
    let service = ServiceOptions {
        keys,
        admin_token: options.admin_token,
        address: SocketAddr::from((Ipv4Addr::LOCALHOST, options.port)),
        writes,
        ..ServiceOptions::new(source, open_store, yaml)
    };
    let shared = Arc::new(Shared {
        editable: path.clone().or(options.source.as_deref().and_then(sqlite_path).map(Path::to_owned)),
        config: files.config.clone(),
        writes: files.writes.clone(),
        url: OnceLock::new(),
        secret,
        users: files.users.clone(),
        source: path,
        seed: files.seed.clone(),
        resetting: tokio::sync::Mutex::default(),
        faults: Faults::new(),
    });
    Ok(Prepared { folder, files, service, shared, rules })
}

fn read(file: &Path) -> Result<String, StartError> {
    let text = std::fs::read_to_string(file);
    text.map_err(|error| StartError::Other(format!("Reading {}: {error}", file.display())))
}

/// The source, and its path if it is the one in the folder.
fn open(options: &DevOptions, files: &Files, folder: &Folder) -> Result<(Arc<dyn Source>, Option<PathBuf>), String> {
    if let Some(url) = &options.source {
        return Ok((open_source(url).map_err(|error| error.message)?.into(), None));
    }
    let path = folder.join("source.db");
    seed::prepare(&path, files.seed.as_deref())?;
    let source = SqliteSource::open(&path).map_err(|error| error.message)?;
    Ok((Arc::new(source), Some(path)))
}

impl Shared {
    fn token(&self, user: &str) -> Result<String, String> {
        let options = TokenOptions { user: user.to_owned(), lifetime: TOKEN_LIFETIME, ..TokenOptions::default() };
        development_token(&self.secret, options)
    }

    async fn reset(&self) -> Result<(), String> {
        let _resetting = self.resetting.lock().await;
        self.faults.end();
        let Some(source) = self.source.clone() else {
            return Err("The source is not the development service's own: reset it there.".into());
        };
        let Some(seed) = self.seed.clone() else {
            return Err("There is no seed: start the service with --seed FILE.sql.".into());
        };
        let reset = tokio::task::spawn_blocking(move || seed::reset(&source, &seed)).await;
        reset.unwrap_or_else(|error| Err(error.to_string()))
    }
}
