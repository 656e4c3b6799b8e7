//! Checksums of operations, hashes by which the writer sees that nothing has changed, and names of source rows.

use std::hash::Hasher;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use siphasher::sip::SipHasher13;
use sync_config::Value;
use uuid::Uuid;

use crate::row::RowKey;
use crate::store::TableId;

/// Checksum of a PUT, as clients and recordings have it: the first four bytes of SHA-256, little endian.
pub(super) fn put_checksum(object_type: &str, object_id: &str, data: &str) -> u32 {
    let parts = ["put.", object_type, ".", object_id, ".", data];
    first_bytes(&parts)
}

/// Checksum of a REMOVE.
pub(super) fn remove_checksum(subkey: &str) -> u32 {
    first_bytes(&["delete.", subkey])
}

fn first_bytes(parts: &[&str]) -> u32 {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update(part.as_bytes());
    }
    let digest: [u8; 32] = digest.finalize().into();
    u32::from_le_bytes(digest.first_chunk::<4>().copied().unwrap_or_default())
}

/// Hash of the data of a row. Rows with one hash count as equal, which is wrong once in 2^64 changes.
pub(super) fn data_hash(data: &str) -> u64 {
    sip(data.as_bytes())
}

/// Hash of the outputs of a parameter entry. Values of different types differ, because conditions can see types.
pub(super) fn outputs_hash(outputs: &[Value]) -> u64 {
    sip(&RowKey::new(outputs).0)
}

/// Stored, so neither the function nor its key may change.
fn sip(bytes: &[u8]) -> u64 {
    let mut hasher = SipHasher13::new_with_keys(0, 0);
    hasher.write(bytes);
    hasher.finish()
}

/// Names of rows of one generation of a table, different from those of all other generations: when a table gets another
/// key, the old rows are removed after the new ones were put.
#[derive(Clone, Debug)]
pub(super) struct Subkeys(Uuid);

impl Subkeys {
    /// A namespace of our own.
    const ROOT: Uuid = Uuid::from_u128(0x7d0c_2f0b_7c1e_4b52_9a55_3d1f_6f4e_8a21);

    pub(super) fn new(table: TableId, physical_id: &str) -> Self {
        Self(Uuid::new_v5(&Self::ROOT, format!("{}/{physical_id}", table.0).as_bytes()))
    }

    /// The same for all operations of one source row, opaque to clients.
    pub(super) fn of(&self, key: &RowKey) -> Arc<str> {
        let mut buffer = Uuid::encode_buffer();
        Arc::from(&*Uuid::new_v5(&self.0, &key.0).hyphenated().encode_lower(&mut buffer))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksums_are_those_of_the_protocol() {
        let digest: [u8; 32] = Sha256::digest(b"put.lists.1.{\"id\":\"1\"}").into();
        assert_eq!(put_checksum("lists", "1", "{\"id\":\"1\"}").to_le_bytes(), digest[..4]);
        let digest: [u8; 32] = Sha256::digest(b"delete.k").into();
        assert_eq!(remove_checksum("k").to_le_bytes(), digest[..4]);
    }

    #[test]
    fn what_is_stored_is_the_same_in_every_version() {
        assert_eq!(data_hash("{}"), 0x0945_5953_01dd_e669);
        let subkeys = Subkeys::new(TableId(1), "public.lists");
        let key = RowKey::new(&[Value::Integer(1)]);
        assert_eq!(&*subkeys.of(&key), "611dfc70-1b13-55f4-bdad-6c8b1efe50e6");
        assert_ne!(subkeys.of(&key), Subkeys::new(TableId(2), "public.lists").of(&key));
        assert_ne!(subkeys.of(&key), subkeys.of(&RowKey::new(&[Value::text("1")])));
    }

    #[test]
    fn outputs_of_different_types_differ() {
        assert_ne!(outputs_hash(&[Value::Integer(1)]), outputs_hash(&[Value::Real(1.0)]));
    }
}
