//! Several processes on one storage in PostgreSQL: one of them writes it, all of them may serve clients.
//!
//! Each process follows the storage: the thread that does so tells connected clients of new checkpoints, whichever process
//! made them. What only the process that writes can do is asked of it through the storage.

mod absent;
mod remote;
mod teller;

use std::sync::Arc;

use pg_connect::Target;
use sync_store::{PostgresDesk, PostgresFollower, PostgresOptions};

pub use absent::NoSource;
pub(crate) use remote::{Question, Remote};
pub(crate) use teller::Teller;

/// What a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// It serves clients, and writes the storage if no other process does.
    All,
    /// It writes the storage if no other process does.
    Writer,
    /// It serves clients, and needs no source.
    Api,
}

impl Role {
    /// As it is called on the command line and in the status.
    pub fn name(self) -> &'static str {
        match self {
            Self::All => "all",
            Self::Writer => "writer",
            Self::Api => "api",
        }
    }

    pub(crate) fn serves_clients(self) -> bool {
        self != Self::Writer
    }

    pub(crate) fn may_write(self) -> bool {
        self != Self::Api
    }
}

/// How a process uses a storage that several of them may use: from
/// [`Storage::processes`](crate::Storage::processes).
#[derive(Clone, Debug)]
pub struct Processes {
    pub(crate) role: Role,
    pub(crate) target: Target,
    pub(crate) options: PostgresOptions,
}

impl Processes {
    pub(crate) fn desk(&self) -> PostgresDesk {
        PostgresDesk::new(&self.target, &self.options)
    }
}

/// What a running process has of it.
pub(crate) struct Member {
    pub(crate) role: Role,
    pub(crate) desk: PostgresDesk,
}

impl Member {
    /// What the process does at the moment.
    pub(crate) fn state(&self) -> &'static str {
        match self.role {
            _ if self.desk.is_writing() => "writing",
            Role::Api => "following",
            Role::All | Role::Writer => "standby",
        }
    }
}

/// Begins to follow the storage.
pub(crate) fn follow(desk: &PostgresDesk, teller: Arc<Teller>) -> Result<PostgresFollower, String> {
    let tell = move |event| teller.tell(event);
    PostgresFollower::start(desk, tell).map_err(|error| error.to_string())
}
