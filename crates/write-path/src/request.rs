//! The body of an upload: up to 50 transactions of operations.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use sync_config::Value;

use crate::value::value;

/// The most transactions of one upload.
const MAX_TRANSACTIONS: usize = 50;

/// A body that is no upload; nothing of it was applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BadRequest {
    /// What is wrong, and where.
    pub message: String,
}

impl BadRequest {
    fn new(message: impl Into<String>) -> Self {
        Self { message: message.into() }
    }
}

impl fmt::Display for BadRequest {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.message)
    }
}

impl std::error::Error for BadRequest {}

/// An upload.
#[derive(Debug)]
pub(crate) struct Upload {
    /// The client.
    pub(crate) client: Option<String>,
    /// The life of the client's queue.
    pub(crate) queue: Option<String>,
    /// What is to be applied, in this order.
    pub(crate) transactions: Vec<Transaction>,
}

/// A transaction of an upload.
#[derive(Debug)]
pub struct Transaction {
    /// Its number in the client's queue.
    pub id: Option<String>,
    /// What it does, in this order.
    pub operations: Vec<Operation>,
    /// As it was sent.
    pub json: String,
}

/// What an operation does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OperationKind {
    /// Creates the row, or updates it if it exists.
    Put,
    /// Updates the row, if it exists.
    Patch,
    /// Deletes the row, if it exists.
    Delete,
}

impl OperationKind {
    /// The name in requests and rules.
    pub fn name(self) -> &'static str {
        match self {
            Self::Put => "PUT",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }

    /// The operation of a name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Put, Self::Patch, Self::Delete].into_iter().find(|kind| kind.name() == name)
    }
}

/// An operation on one row.
#[derive(Clone, Debug)]
pub struct Operation {
    /// What it does.
    pub kind: OperationKind,
    /// The table, as clients call it.
    pub table: String,
    /// The row.
    pub id: String,
    /// Columns, as clients call them, with their new values.
    pub values: Vec<(String, Value)>,
    /// Columns with the values that the client has seen, if it keeps them.
    pub previous: Option<Vec<(String, Value)>>,
}

#[derive(serde::Deserialize)]
struct UploadJson<'a> {
    #[serde(borrow)]
    transactions: Vec<&'a RawValue>,
    client_id: Option<String>,
    queue: Option<String>,
}

#[derive(serde::Deserialize)]
struct TransactionJson<'a> {
    #[serde(borrow)]
    transaction_id: Option<&'a RawValue>,
    crud: Vec<OperationJson<'a>>,
}

#[derive(serde::Deserialize)]
struct OperationJson<'a> {
    id: String,
    op: String,
    table: String,
    #[serde(borrow)]
    transaction_id: Option<&'a RawValue>,
    op_data: Option<Members>,
    previous_values: Option<Members>,
}

/// The members of a JSON object, with their values.
pub(crate) fn members(json: &str) -> Option<Vec<(String, Value)>> {
    serde_json::from_str::<Members>(json).ok().map(|members| members.0)
}

/// The members of an object, the last of each name.
struct Members(Vec<(String, Value)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str("an object of columns and values")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members = std::collections::BTreeMap::new();
                while let Some((name, json)) = map.next_entry::<String, &'de RawValue>()? {
                    members.insert(name, value(json));
                }
                Ok(Members(members.into_iter().collect()))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// Reads the body of an upload. Members that are not known are ignored.
pub(crate) fn parse(body: &[u8]) -> Result<Upload, BadRequest> {
    let text = std::str::from_utf8(body).map_err(|_| BadRequest::new("The body must be UTF-8."))?;
    let upload: UploadJson<'_> =
        serde_json::from_str(text).map_err(|error| BadRequest::new(format!("The body is not an upload: {error}.")))?;
    let count = upload.transactions.len();
    if count == 0 || count > MAX_TRANSACTIONS {
        let message = format!("An upload has 1 to {MAX_TRANSACTIONS} transactions, not {count}.");
        return Err(BadRequest::new(message));
    }
    let transactions = upload.transactions.into_iter().enumerate().map(|(index, json)| {
        parse_transaction(json.get())
            .map_err(|error| BadRequest::new(format!("transactions[{index}] is wrong: {error}.")))
    });
    let transactions = transactions.collect::<Result<_, _>>()?;
    let given = |id: Option<String>| id.filter(|id| !id.is_empty());
    Ok(Upload { client: given(upload.client_id), queue: given(upload.queue), transactions })
}

/// Reads one transaction.
pub(crate) fn parse_transaction(json: &str) -> Result<Transaction, String> {
    let parsed: TransactionJson<'_> = serde_json::from_str(json).map_err(|error| error.to_string())?;
    let first = parsed.crud.first().and_then(|operation| operation.transaction_id);
    let id = parsed.transaction_id.filter(|id| id.get() != "null").or(first);
    let id = id.map(transaction_id).transpose()?.flatten();
    let operations = parsed.crud.into_iter().enumerate().map(|(index, operation)| {
        let kind = OperationKind::from_name(&operation.op);
        let kind = kind.ok_or_else(|| format!("crud[{index}].op must be PUT, PATCH or DELETE"))?;
        Ok(Operation {
            kind,
            table: operation.table,
            id: operation.id,
            values: operation.op_data.map(|members| members.0).unwrap_or_default(),
            previous: operation.previous_values.map(|members| members.0),
        })
    });
    Ok(Transaction { id, operations: operations.collect::<Result<_, String>>()?, json: json.to_owned() })
}

/// The number of a transaction, which some clients send as a text.
fn transaction_id(json: &RawValue) -> Result<Option<String>, String> {
    match value(json) {
        Value::Null => Ok(None),
        Value::Text(text) if json.get().starts_with('"') => Ok(Some(text)),
        Value::Integer(number) if !json.get().starts_with(['t', 'f']) => Ok(Some(number.to_string())),
        _ => Err("transaction_id must be an integer or a text".into()),
    }
}

impl Transaction {
    /// Identifies what the transaction does, however its JSON is written.
    pub(crate) fn hash(&self) -> [u8; 32] {
        let mut hash = Sha256::new();
        let mut text = |part: &str| {
            hash.update((part.len() as u64).to_le_bytes());
            hash.update(part);
        };
        for operation in &self.operations {
            text(operation.kind.name());
            text(&operation.table);
            text(&operation.id);
            for (tag, members) in [("values", Some(&operation.values)), ("previous", operation.previous.as_ref())] {
                text(tag);
                text(&members.map_or(-1, |members| i64::try_from(members.len()).unwrap_or(i64::MAX)).to_string());
                for (name, value) in members.into_iter().flatten() {
                    text(name);
                    text(value.type_name());
                    text(&value.as_text().unwrap_or_default());
                }
            }
        }
        hash.finalize().into()
    }
}
