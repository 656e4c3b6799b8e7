//! The kind of store that is tested here: in a schema of a PostgreSQL database.

use std::sync::Arc;
use std::time::Duration;

use pg_connect::Target;
use pg_server::{Database, Server};
use sync_engine::store::Store;
use sync_store::{PostgresOptions, PostgresStore};

/// Each test for each kind of store.
macro_rules! kinds {
    ($($case:ident)*) => {
        mod postgres {
            $(#[test]
            #[cfg_attr(not(postgres_server), ignore = "needs ROWTIDE_POSTGRES_BIN")]
            fn $case() { super::$case(crate::world::Kind::Postgres); })*
        }
    };
}

/// A kind of store.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Postgres,
}

impl Kind {
    /// How many random sessions are worth their time.
    pub(crate) fn sessions(self) -> u64 {
        2
    }
}

/// Where stores are.
pub(crate) struct World {
    pub(crate) database: Database,
    clear_from: usize,
}

impl World {
    pub(crate) fn new(Kind::Postgres: Kind, clear_from: usize) -> Self {
        Self::on(&Server::shared(), clear_from)
    }

    pub(crate) fn on(server: &Arc<Server>, clear_from: usize) -> Self {
        Self { database: server.database(), clear_from }
    }

    pub(crate) fn open(&self) -> Box<dyn Store> {
        Box::new(PostgresStore::open(&self.target(), self.options()).unwrap())
    }

    pub(crate) fn target(&self) -> Target {
        Target::parse(&self.database.url()).unwrap()
    }

    pub(crate) fn options(&self) -> PostgresOptions {
        Self::options_of(self.clear_from)
    }

    pub(crate) fn options_of(clear_from: usize) -> PostgresOptions {
        PostgresOptions { clear_from, patience: Duration::from_secs(20), ..PostgresOptions::default() }
    }
}
