//! Keys as PostgreSQL can index them: an entry of a B-tree may not have more than a third of a page, and keys can be of any
//! length.

use sha2::{Digest, Sha256};

/// Keys up to this length are stored as they are. Two of them fit into an entry of an index.
const LONGEST: usize = 1000;

/// A key in a column.
pub(super) struct StoredKey<'a> {
    /// The key, or its beginning and a hash of all of it. Different for different keys.
    pub(super) short: Vec<u8>,
    /// The key, if it is longer.
    pub(super) long: Option<&'a [u8]>,
}

impl<'a> StoredKey<'a> {
    pub(super) fn new(key: &'a [u8]) -> Self {
        let short = shortened(key);
        Self { long: (key.len() > LONGEST).then_some(key), short }
    }
}

/// The key, or its beginning and a hash of all of it. Different for different keys; in their order, except for long ones that
/// begin alike.
pub(super) fn shortened(key: &[u8]) -> Vec<u8> {
    match key.get(..LONGEST) {
        // A long one has more bytes than LONGEST, so it cannot be the same as a short one.
        Some(beginning) if key.len() > LONGEST => {
            let mut short = Vec::with_capacity(LONGEST + 32);
            short.extend_from_slice(beginning);
            short.extend_from_slice(&Sha256::digest(key));
            short
        }
        _ => key.to_vec(),
    }
}

/// Who a write checkpoint is for, in few bytes.
pub(super) fn client_hash(user: &str, client: &str) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update((user.len() as u64).to_be_bytes());
    hash.update(user.as_bytes());
    hash.update(client.as_bytes());
    hash.finalize().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_keys_are_short_and_different() {
        let key = vec![7; LONGEST];
        assert_eq!(shortened(&key), key);
        assert!(StoredKey::new(&key).long.is_none());
        let (one, other) = (vec![7; 5000], [vec![7; 4999], vec![8]].concat());
        assert_eq!(shortened(&one).len(), LONGEST + 32);
        assert_ne!(shortened(&one), shortened(&other));
        assert_eq!(StoredKey::new(&one).long, Some(&*one));
        assert_ne!(client_hash("ab", "c"), client_hash("a", "bc"));
    }
}
