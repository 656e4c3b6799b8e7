//! What is uploaded at once.

use std::fmt;
use std::future::Future;
use std::sync::{Arc, mpsc};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use tokio::runtime::Handle;

use crate::database::Next;
use crate::error::{BoxError, Error};
use crate::service::{Service, Trouble};

/// The oldest transactions of the queue.
#[non_exhaustive]
pub struct Batch {
    /// The client that wrote them.
    pub client_id: String,
    /// A random id of its queue. Another queue counts transactions anew.
    pub queue: String,
    /// One to fifty, in the order in which they were written.
    pub transactions: Vec<Transaction>,
    /// Whether more are behind them.
    pub more: bool,
    link: Link,
}

/// What one local transaction wrote.
#[derive(Clone, Debug, Deserialize)]
#[serde(try_from = "RawTransaction")]
#[non_exhaustive]
pub struct Transaction {
    /// Its number in the queue.
    pub id: String,
    /// What it does, in order.
    pub operations: Vec<Operation>,
    /// The operations as JSON.
    crud: Box<RawValue>,
}

/// One row that was written.
#[derive(Clone, Debug, Deserialize)]
#[non_exhaustive]
pub struct Operation {
    /// The number of the entry.
    pub entry_id: String,
    /// What was done.
    #[serde(rename = "op")]
    pub kind: OperationKind,
    /// The table.
    pub table: String,
    /// The row.
    pub id: String,
    /// Columns with their new values: all of them of a [`Put`](OperationKind::Put), changed ones of a
    /// [`Patch`](OperationKind::Patch).
    #[serde(rename = "op_data")]
    pub data: Option<Map<String, Value>>,
    /// Columns with their old values, if the schema has them tracked.
    #[serde(rename = "previous_values")]
    pub previous: Option<Map<String, Value>>,
    /// What the app has said of the write, if the schema has that tracked.
    pub metadata: Option<String>,
}

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum OperationKind {
    /// Creates the row, or replaces it.
    Put,
    /// Changes columns of the row.
    Patch,
    /// Deletes the row.
    Delete,
}

#[derive(Deserialize)]
struct RawTransaction {
    transaction_id: String,
    crud: Box<RawValue>,
}

impl TryFrom<RawTransaction> for Transaction {
    type Error = serde_json::Error;

    fn try_from(raw: RawTransaction) -> Result<Self, Self::Error> {
        let operations = serde_json::from_str(raw.crud.get())?;
        Ok(Self { id: raw.transaction_id, operations, crud: raw.crud })
    }
}

/// The body of an upload, as write paths take it.
#[derive(Serialize)]
struct Body<'a> {
    client_id: &'a str,
    queue: &'a str,
    transactions: Vec<BodyTransaction<'a>>,
}

#[derive(Serialize)]
struct BodyTransaction<'a> {
    transaction_id: &'a str,
    crud: &'a RawValue,
}

impl Batch {
    pub(crate) fn new(next: Next, link: Link) -> Self {
        let Next { client_id, queue, transactions, more, .. } = next;
        Self { client_id, queue, transactions, more, link }
    }

    /// The batch as JSON: `{"client_id", "queue", "transactions": [{"transaction_id", "crud": [{"op", "table", "id",
    /// "op_data", …}]}]}`. Values are written as the queue has them.
    pub fn to_json(&self) -> String {
        let transactions = self.transactions.iter();
        let transactions = transactions.map(|one| BodyTransaction { transaction_id: &one.id, crud: &one.crud });
        let body = Body { client_id: &self.client_id, queue: &self.queue, transactions: transactions.collect() };
        serde_json::to_string(&body).unwrap_or_default()
    }

    /// The token that the client syncs with, for a backend that knows users by the same tokens.
    ///
    /// # Errors
    /// The app has none, or the client is closed.
    pub fn token(&self) -> Result<String, BoxError> {
        let service = Arc::clone(&self.link.service);
        Ok(self.link.wait(async move { service.credentials.token().await })?.to_string())
    }

    /// Has the app asked for another token before the next upload: the backend has refused this one.
    pub fn refuse_token(&self, token: &str) {
        self.link.service.credentials.forget(token);
    }

    /// Posts JSON with the token, as the client posts everything.
    pub(crate) fn post<T: DeserializeOwned + Send + 'static>(&self, url: &str, body: String) -> Result<T, BoxError> {
        let (service, url) = (Arc::clone(&self.link.service), url.to_owned());
        self.link.wait(async move { service.post_json(url, body).await })
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("Batch")
            .field("client_id", &self.client_id)
            .field("queue", &self.queue)
            .field("transactions", &self.transactions)
            .finish_non_exhaustive()
    }
}

/// How an upload, which blocks, reaches the service by way of the client's thread.
#[derive(Clone)]
pub(crate) struct Link {
    pub(crate) service: Arc<Service>,
    pub(crate) runtime: Handle,
}

impl Link {
    /// Waits for what the client's thread does. That ends when the client is closed.
    fn wait<T: Send + 'static>(
        &self,
        work: impl Future<Output = Result<T, Trouble>> + Send + 'static,
    ) -> Result<T, BoxError> {
        let (done, answer) = mpsc::sync_channel(1);
        self.runtime.spawn(async move {
            let _ = done.send(work.await);
        });
        Ok(answer.recv().map_err(|_| Error::Closed)??)
    }
}
