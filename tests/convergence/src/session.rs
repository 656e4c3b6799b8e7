//! Runs a session: each action in turn, each followed by a comparison of database and model, and in the end everybody
//! must have converged.

use std::path::Path;

use rowtide_testkit::invariants;

use crate::action::{Action, Upload};
use crate::backend::Backend;
use crate::client::{Client, Step, Stop, ensure, failed};
use crate::generate::Session;
use crate::local::{row, row_id};

/// What happened in sessions.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    /// Sessions that converged.
    pub sessions: u64,
    /// Actions, each followed by a comparison.
    pub actions: u64,
    /// Processes killed.
    pub kills: u64,
    /// Checkpoints published.
    pub published: u64,
    /// Checkpoints that were put off, because another iteration on the same file was ahead.
    pub put_off: u64,
    /// Iterations that ended for another one.
    pub ends: u64,
    /// Checkpoints published around local writes.
    pub around: u64,
    /// Rejected transactions that were tried again.
    pub retried: u64,
    /// Clients that began with a copy or an export of a file.
    pub replaced: u64,
}

impl std::ops::AddAssign for Counts {
    fn add_assign(&mut self, other: Self) {
        self.sessions += other.sessions;
        self.actions += other.actions;
        self.kills += other.kills;
        self.published += other.published;
        self.put_off += other.put_off;
        self.ends += other.ends;
        self.around += other.around;
        self.retried += other.retried;
        self.replaced += other.replaced;
    }
}

/// Runs a session with files in `directory`, which must be empty.
///
/// # Errors
/// What is wrong, and after which action.
pub fn run(session: &Session, directory: &Path) -> Result<Counts, String> {
    let mut world = World::new(session.clients, directory)?;
    for (index, action) in session.actions.iter().enumerate() {
        world.act(action).map_err(|message| format!("action {} ({action:?}): {message}", index + 1))?;
    }
    world.converge().and_then(|()| world.close()).map_err(|message| format!("at the end: {message}"))?;
    Ok(Counts { sessions: 1, ..world.counts() })
}

fn message(stop: Stop) -> String {
    match stop {
        Stop::Failure(message) => message,
        Stop::Killed | Stop::RolledBack => "a disturbance where none was wanted".to_owned(),
    }
}

/// The service and its clients.
#[derive(Debug)]
pub struct World {
    backend: Backend,
    clients: Vec<Client>,
    counts: Counts,
}

impl World {
    /// A service without data, and 1 to 8 clients with files in `directory`.
    ///
    /// # Errors
    /// If a file cannot be made.
    pub fn new(clients: usize, directory: &Path) -> Result<Self, String> {
        let clients = clients.clamp(1, 8);
        Ok(Self {
            backend: Backend::new(clients),
            clients: (0..clients).map(|index| Client::new(index, directory)).collect::<Step<_>>().map_err(message)?,
            counts: Counts::default(),
        })
    }

    /// What happened so far.
    pub fn counts(&self) -> Counts {
        let sum = |count: fn(&Client) -> u64| self.clients.iter().map(count).sum();
        Counts {
            kills: sum(|client| client.kills),
            put_off: sum(|client| client.put_off),
            ends: sum(|client| client.ends),
            around: sum(|client| client.around),
            retried: sum(|client| client.retried),
            ..self.counts
        }
    }

    /// The clients.
    pub fn clients(&mut self) -> &mut [Client] {
        &mut self.clients
    }

    /// The service.
    pub fn backend(&mut self) -> &mut Backend {
        &mut self.backend
    }

    /// Carries out an action, and compares the client that it is about with the model.
    ///
    /// # Errors
    /// What is wrong.
    pub fn act(&mut self, action: &Action) -> Result<(), String> {
        self.counts.actions += 1;
        if *action == Action::Converge {
            self.converge()?;
            // So that nothing grows for ever.
            self.backend.compact_all();
            return self.clients.iter_mut().try_for_each(Client::discard_all).map_err(message);
        }
        self.try_act(action).map_err(message)
    }

    fn try_act(&mut self, action: &Action) -> Step<()> {
        let Some(client) = client_of(action) else {
            self.act_in_service(action);
            return Ok(());
        };
        let client = usize::from(client) % self.clients.len();
        let result = match action {
            Action::Replace { from, export, with_local, .. } => {
                self.replace(client, usize::from(*from) % self.clients.len(), export.then_some(*with_local))
            }
            action => self.act_in_client(client, action),
        };
        match result {
            Err(Stop::Killed) => self.clients[client].kill()?,
            Err(Stop::RolledBack) => {}
            other => other?,
        }
        self.clients[client].check(self.counts.actions % 2 == 1)
    }

    fn replace(&mut self, client: usize, from: usize, export: Option<bool>) -> Step<()> {
        if client == from {
            self.clients[client].replace_by_own(export)?;
        } else {
            let [new, old] =
                self.clients.get_disjoint_mut([client, from]).map_err(|error| failed("clients", &error))?;
            new.replace(old, export)?;
        }
        self.backend.forget_client(client);
        self.counts.replaced += 1;
        Ok(())
    }

    fn act_in_service(&mut self, action: &Action) {
        let backend = &mut self.backend;
        match action {
            Action::Write { table, id, values, places } if table.is_synced() => {
                backend.write((*table, row_id(*id)), values.map(row), places);
            }
            Action::Replicate { changes } => backend.replicate((*changes).into()),
            Action::Compact { bucket, clear } => backend.compact(*bucket, *clear),
            Action::Redefine { bucket, priority } => backend.redefine(*bucket, *priority),
            Action::DropBucket { bucket } => backend.drop_bucket(*bucket),
            _ => {}
        }
    }

    fn act_in_client(&mut self, client: usize, action: &Action) -> Step<()> {
        let backend = &mut self.backend;
        let client_index = client;
        let client = &mut self.clients[client];
        match action {
            Action::Toggle { bucket, .. } => backend.toggle(*bucket, client_index),
            Action::Connect { second, beside, by_rows, .. } => {
                client.by_rows = *by_rows;
                if !*beside {
                    client.forget_iteration(!*second);
                }
                client.connect(backend, *second)?;
            }
            Action::Disconnect { how, other, .. } => client.disconnect(*how, client.connection(*other))?,
            Action::Announce { wrong_checksum, other, .. } => {
                client.announce(backend, *wrong_checksum, client.connection(*other))?;
            }
            Action::Data { lines, size, twice, other, .. } => {
                for _ in 0..*lines {
                    client.data((*size).into(), 3, *twice, client.connection(*other))?;
                }
            }
            Action::Complete { partial, other, .. } => {
                self.counts.published += u64::from(client.complete(*partial, client.connection(*other))?);
            }
            Action::KeepAlive { other, .. } => {
                self.counts.published += u64::from(client.keep_alive(client.connection(*other))?);
            }
            Action::Sync { partial, other, .. } => {
                let second = client.connection(*other);
                if client.iteration(second).is_none() {
                    client.connect(backend, second)?;
                }
                client.announce(backend, None, second)?;
                self.counts.published += u64::from(client.complete(*partial, second)?);
            }
            Action::Local { second, statements, commit, .. } => client.local(*second, statements, *commit)?,
            Action::Upload { transactions, result, mark, together: true, .. } => {
                client.upload_together(backend, *transactions, *result, *mark)?;
            }
            Action::Damage { how, .. } => {
                (client.kill_after, client.roll_back_after) = (None, None);
                client.stop_all()?;
                if settle(client, backend, false)? {
                    client.stop_all()?;
                    client.damage(*how)?;
                    let is_settled = settle(client, backend, false)?;
                    ensure(is_settled, || "nothing is published after the repair".to_owned())?;
                }
            }
            Action::Reject { transaction, .. } => client.reject(*transaction)?,
            Action::Retry { transaction, discard, .. } => client.retry(*transaction, *discard)?,
            Action::Upload { transactions, result, mark, .. } => {
                for _ in 0..*transactions {
                    if !client.upload(backend, *result, *mark)? {
                        break;
                    }
                }
            }
            Action::Acknowledge { write_between, other, .. } => client.acknowledge(backend, *write_between, *other)?,
            Action::Kill { after, .. } => client.kill_after = Some(*after),
            Action::RollBack { after, repeat, .. } => client.roll_back_after = Some((*after, *repeat)),
            other => disturb(client, other)?,
        }
        Ok(())
    }

    /// Without further disturbances, and with everything replicated, everybody comes to show what the service has.
    ///
    /// # Errors
    /// Who does not, and how.
    pub fn converge(&mut self) -> Result<(), String> {
        self.try_converge().map_err(message)
    }

    fn try_converge(&mut self) -> Step<()> {
        for client in &mut self.clients {
            (client.kill_after, client.roll_back_after) = (None, None);
        }
        // An upload of one client changes what the others have to show.
        for _ in 0..2 {
            for client in &mut self.clients {
                for second in client.connections() {
                    let is_settled = settle(client, &mut self.backend, second)?;
                    let index = client.index;
                    ensure(is_settled, || format!("client {index} does not publish: {:?}", client.model))?;
                    self.counts.published += 1;
                    client.check(false)?;
                }
            }
        }
        for client in &mut self.clients {
            client.stay_at_peace()?;
        }
        for client in &mut self.clients {
            let index = client.index;
            let expected = self.backend.rows_of(&self.backend.buckets_of(index));
            let shown = client.model.shown_of_service();
            ensure(shown == expected, || format!("client {index} shows {shown:?}\n but the service has {expected:?}"))?;
            let host = client.host(false)?;
            invariants::check_consistent(host).map_err(|error| Stop::Failure(format!("client {index}: {error}")))?;
            client.verify()?;
        }
        Ok(())
    }

    /// Closes all files.
    ///
    /// # Errors
    /// Which does not close.
    pub fn close(&mut self) -> Result<(), String> {
        self.clients.iter_mut().try_for_each(Client::close).map_err(message)
    }
}

/// Uploads and downloads everything. True if a checkpoint was published.
fn settle(client: &mut Client, backend: &mut Backend, second: bool) -> Step<bool> {
    while client.upload(backend, Upload::Accept, false)? {}
    // An iteration that was disturbed, or that misses what another one deleted, ends at its first checkpoint.
    for _ in 0..3 {
        if client.iteration(second).is_none() {
            client.connect(backend, second)?;
        }
        client.acknowledge(backend, false, client.connection(false) != second)?;
        backend.replicate(usize::MAX);
        client.announce(backend, None, second)?;
        if client.complete(0, second)? {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Disturbances of a client that it brings about itself.
fn disturb(client: &mut Client, action: &Action) -> Step<()> {
    match action {
        Action::Reopen { .. } => client.reopen(),
        Action::Migrate { .. } => {
            client.stop_all()?;
            client.in_transaction(false, "SELECT powersync_test_migration(14)")?;
            // Older formats have no place for them. The client can be killed on its way back.
            client.model.rejected.clear();
            client.model.may_hold_others = true;
            client.change_schema(client.schema)
        }
        Action::Clear { flags, behind: true, .. } if flags & 2 == 0 => {
            for iteration in client.iterations.iter_mut().flatten() {
                iteration.is_disturbed = true;
            }
            client.clear(client.connection(true), *flags)
        }
        Action::Clear { flags, .. } => {
            client.stop_all()?;
            client.clear(false, *flags)
        }
        Action::Resync { .. } => {
            client.stop_all()?;
            client.in_transaction(false, "SELECT powersync_trigger_resync(0)")?;
            client.model.replica.resync();
            Ok(())
        }
        Action::ChangeSchema { schema, .. } => {
            client.stop_all()?;
            client.close_second()?;
            client.change_schema(*schema)
        }
        _ => Ok(()),
    }
}

/// The client that an action is about.
fn client_of(action: &Action) -> Option<u8> {
    match action {
        Action::Converge
        | Action::Write { .. }
        | Action::Replicate { .. }
        | Action::Compact { .. }
        | Action::Redefine { .. }
        | Action::DropBucket { .. } => None,
        Action::Toggle { client, .. }
        | Action::Connect { client, .. }
        | Action::Disconnect { client, .. }
        | Action::Announce { client, .. }
        | Action::Data { client, .. }
        | Action::Complete { client, .. }
        | Action::KeepAlive { client, .. }
        | Action::Sync { client, .. }
        | Action::Local { client, .. }
        | Action::Upload { client, .. }
        | Action::Acknowledge { client, .. }
        | Action::Kill { client, .. }
        | Action::RollBack { client, .. }
        | Action::Reopen { client }
        | Action::Migrate { client }
        | Action::Clear { client, .. }
        | Action::Resync { client }
        | Action::Reject { client, .. }
        | Action::Retry { client, .. }
        | Action::Replace { client, .. }
        | Action::Damage { client, .. }
        | Action::ChangeSchema { client, .. } => Some(*client),
    }
}
