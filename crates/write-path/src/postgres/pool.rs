//! Connections that several threads share, and whose turn it is.

use std::collections::HashMap;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::Options;
use super::classify::Trouble;
use super::connection::Connection;
use super::results::digest;
use super::statement::Statement;
use crate::persister::Turn;

/// How long a thread waits for a connection.
const WAIT: Duration = Duration::from_secs(10);

/// A few connections, opened when they are needed.
pub(super) struct Pool {
    target: pg_connect::Target,
    options: Options,
    state: Mutex<State>,
    freed: Condvar,
}

#[derive(Default)]
struct State {
    idle: Vec<Connection>,
    /// Those in use, too.
    open: usize,
    /// The connections of clients whose turn it is, by the digest of user and client; none while one is being used, or
    /// when it has broken.
    turns: HashMap<String, Option<Connection>>,
}

/// The turn of a client: its connection holds the lock in the database.
pub(super) struct Held<'p> {
    pool: &'p Pool,
    owner: String,
}

impl Turn for Held<'_> {}

impl Pool {
    pub(super) fn new(target: pg_connect::Target, options: Options) -> Self {
        Self { target, options, state: Mutex::default(), freed: Condvar::new() }
    }

    /// Where the database is, for people.
    pub(super) fn location(&self) -> String {
        self.target.location()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A connection, and whether it was opened just now.
    fn take(&self) -> Result<(Connection, bool), Trouble> {
        let busy = |state: &mut State| state.idle.is_empty() && state.open >= self.options.max_connections;
        let waited = self.freed.wait_timeout_while(self.state(), WAIT, busy);
        let (mut state, timeout) = waited.unwrap_or_else(PoisonError::into_inner);
        if let Some(connection) = state.idle.pop() {
            return Ok((connection, false));
        }
        if timeout.timed_out() {
            let message = "all connections are in use".to_owned();
            return Err(Trouble { code: Some("53300".into()), message, is_disconnected: false });
        }
        state.open = state.open.saturating_add(1);
        drop(state);
        let opened = Connection::open(&self.target, self.options.statement_timeout);
        if opened.is_err() {
            self.closed();
        }
        opened.map(|connection| (connection, true))
    }

    fn give_back(&self, connection: Connection) {
        if !connection.is_usable() {
            drop(connection);
            return self.closed();
        }
        self.state().idle.push(connection);
        self.freed.notify_one();
    }

    fn closed(&self) {
        let mut state = self.state();
        state.open = state.open.saturating_sub(1);
        drop(state);
        self.freed.notify_one();
    }

    /// Does something with a connection. If an old one turns out to be broken, for instance because the server has
    /// started again, it is done with a new one.
    pub(super) fn with<T>(&self, work: impl Fn(&mut Connection) -> Result<T, Trouble>) -> Result<T, Trouble> {
        loop {
            let (mut connection, is_new) = self.take()?;
            let result = work(&mut connection);
            let is_usable = connection.is_usable();
            self.give_back(connection);
            if result.is_err() && !is_usable && !is_new {
                continue;
            }
            return result;
        }
    }

    /// Does something with the connection of a client whose turn it is, otherwise with any. None if the client's has
    /// broken, so that others may be at work for the client.
    pub(super) fn with_turn<T>(
        &self,
        user: &str,
        client: &str,
        work: impl FnOnce(&mut Connection) -> T,
    ) -> Result<Option<T>, Trouble> {
        let owner = digest(&[user, client]);
        let held = self.state().turns.get_mut(&owner).map(Option::take);
        match held {
            Some(None) => Ok(None),
            Some(Some(mut connection)) => {
                let result = work(&mut connection);
                if connection.is_usable() {
                    self.state().turns.insert(owner, Some(connection));
                } else {
                    drop(connection);
                    self.closed();
                }
                Ok(Some(result))
            }
            None => {
                let (mut connection, _) = self.take()?;
                let result = work(&mut connection);
                self.give_back(connection);
                Ok(Some(result))
            }
        }
    }

    /// Waits until it is the turn of a client. The lock is one of the connection's session, so it ends with the
    /// connection, however that ends.
    pub(super) fn turn(&self, user: &str, client: &str) -> Result<Held<'_>, Trouble> {
        let owner = digest(&[user, client]);
        let lock = Statement::new("SELECT pg_advisory_lock(hashtextextended(").text(owner.as_str()).sql(", 0))");
        loop {
            let (mut connection, is_new) = self.take()?;
            match connection.rows(&lock) {
                Ok(_) => {
                    self.state().turns.insert(owner.clone(), Some(connection));
                    return Ok(Held { pool: self, owner });
                }
                Err(trouble) => {
                    let is_old = !connection.is_usable() && !is_new;
                    self.give_back(connection);
                    if !is_old {
                        return Err(trouble);
                    }
                }
            }
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        let held = self.pool.state().turns.remove(&self.owner).flatten();
        if let Some(mut connection) = held {
            // If it fails, the connection is broken, and the lock is gone with it.
            let _ = connection.rows(&Statement::new("SELECT pg_advisory_unlock_all()"));
            self.pool.give_back(connection);
        }
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        let state = std::mem::take(&mut *self.state());
        // Closing waits for the connection, which a thread of an async runtime may not do.
        let _ = std::thread::Builder::new().name("close writes".into()).spawn(move || drop(state));
    }
}
