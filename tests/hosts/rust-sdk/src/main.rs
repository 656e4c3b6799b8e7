//! The published Rust SDK on this extension: a download, a local write, its upload, and the checkpoint that confirms it.

mod service;

use std::sync::Arc;

use futures_lite::{Stream, StreamExt, pin};
use powersync::env::PowerSyncEnvironment;
use powersync::error::PowerSyncError;
use powersync::schema::{Column, Schema, Table};
use powersync::{Authenticator, ConnectionPool, MutationUploader, PowerSyncDatabase, SyncOptions};

use service::Service;

#[tokio::main(flavor = "current_thread")]
async fn main() {
    PowerSyncEnvironment::powersync_auto_extension().expect("the extension is linked");
    let service = Service::default();
    service.put("l1", "Groceries");
    let db = open(&service);
    let version = version(&db).await;
    assert!(is_ours(&version), "{version} is not this extension");

    db.connect(SyncOptions::new("http://service.invalid", Connector::of(&db, &service), Connector::of(&db, &service)))
        .await;
    until(&db, &["Groceries"]).await;

    db.writer().await.unwrap().execute("INSERT INTO lists (id, name) VALUES ('l2', 'Work')", []).unwrap();
    until(&db, &["Groceries", "Work (seen by the service)"]).await;
    assert!(db.next_crud_transaction().await.unwrap().is_none(), "the queue is not empty");

    db.disconnect().await;
    println!("the published Rust SDK downloads and uploads");
}

fn open(service: &Service) -> PowerSyncDatabase {
    let mut schema = Schema::default();
    schema.tables.push(Table::create("lists", vec![Column::text("name")], |_| {}));
    let connection = rusqlite::Connection::open_in_memory().unwrap();
    let pool = ConnectionPool::single_connection(connection);
    let environment = PowerSyncEnvironment::custom(service.clone(), pool, PowerSyncEnvironment::tokio());
    PowerSyncDatabase::new(environment, schema)
}

async fn version(db: &PowerSyncDatabase) -> String {
    let reader = db.reader().await.unwrap();
    reader.query_row("SELECT powersync_rs_version()", [], |row| row.get(0)).unwrap()
}

/// Published versions end below 0.5.100.
fn is_ours(version: &str) -> bool {
    let patch =
        version.strip_prefix("0.5.").and_then(|rest| rest.split('/').next()).and_then(|patch| patch.parse().ok());
    patch.is_some_and(|patch: u32| patch >= 100)
}

/// Waits until the table has these names.
async fn until(db: &PowerSyncDatabase, expected: &[&str]) {
    let changes = db.watch_tables(true, ["lists"]);
    pin!(changes);
    while next(&mut changes).await {
        let reader = db.reader().await.unwrap();
        let mut statement = reader.prepare("SELECT name FROM lists ORDER BY id").unwrap();
        let names = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
        if names.map(Result::unwrap).eq(expected.iter().map(|name| (*name).to_owned())) {
            return;
        }
    }
    panic!("the table never had {expected:?}");
}

async fn next(changes: &mut (impl Stream<Item = ()> + Unpin)) -> bool {
    changes.next().await.is_some()
}

/// What an application gives the SDK: tokens, and uploads.
struct Connector {
    db: PowerSyncDatabase,
    service: Service,
}

impl Connector {
    fn of(db: &PowerSyncDatabase, service: &Service) -> Self {
        Self { db: db.clone(), service: service.clone() }
    }
}

#[async_trait::async_trait]
impl Authenticator for Connector {
    async fn resolve_credentials(&self) -> Result<Arc<String>, PowerSyncError> {
        Ok(Arc::new("token".to_owned()))
    }
}

#[async_trait::async_trait]
impl MutationUploader for Connector {
    async fn upload(&self) -> Result<(), PowerSyncError> {
        while let Some(transaction) = self.db.next_crud_transaction().await? {
            for entry in &transaction.crud {
                let name = entry.data.as_ref().and_then(|data| data.get("name")).and_then(|name| name.as_str());
                self.service.put(&entry.id, &format!("{} (seen by the service)", name.unwrap_or_default()));
            }
            transaction.complete().await?;
        }
        Ok(())
    }
}
