//! A bucket as a client keeps it.

use std::collections::BTreeMap;

use sync_engine::store::{OpId, OpKind, Operation};

/// Rows and the checksum of everything that was received.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ClientBucket {
    pub(crate) rows: BTreeMap<(String, String, String), String>,
    pub(crate) checksum: u32,
}

impl ClientBucket {
    pub(crate) fn receive(&mut self, operation: &Operation) {
        self.checksum = self.checksum.wrapping_add(operation.checksum);
        match &operation.kind {
            OpKind::Put { row, data } => {
                let key = (row.object_type.to_string(), row.object_id.to_string(), row.subkey.to_string());
                self.rows.insert(key, data.to_string());
            }
            OpKind::Remove { row } => {
                let key = (row.object_type.to_string(), row.object_id.to_string(), row.subkey.to_string());
                self.rows.remove(&key);
            }
            OpKind::Move => {}
            OpKind::Clear => {
                self.rows.clear();
                self.checksum = operation.checksum;
            }
        }
    }
}

/// Everything that was ever written to a bucket.
#[derive(Clone, Debug, Default)]
pub(crate) struct History(pub(crate) Vec<(Operation, Option<OpId>)>);

impl History {
    /// What a client has that received operations up to `position`, while the service was at the checkpoint `seen`.
    pub(crate) fn client(&self, position: OpId, seen: OpId) -> ClientBucket {
        let mut client = ClientBucket::default();
        for (operation, superseded) in self.0.iter().filter(|(operation, _)| operation.op_id <= position) {
            let mut operation = operation.clone();
            if superseded.is_some_and(|by| by <= seen) {
                operation.kind = OpKind::Move;
            }
            client.receive(&operation);
        }
        client
    }

    pub(crate) fn last_op(&self, up_to: OpId) -> OpId {
        self.0.iter().map(|(operation, _)| operation.op_id).filter(|op_id| *op_id <= up_to).max().unwrap_or(0)
    }
}
