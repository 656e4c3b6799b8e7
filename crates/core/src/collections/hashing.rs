//! The hashes of keys in tables.

use core::hash::{Hash, Hasher};
use core::ptr;

use siphasher::sip::SipHasher13;

/// The hash of a key. It is another one each time that the library is loaded, where the system loads it at another
/// address: services choose names, and must not choose the places of entries.
pub(crate) fn hash(key: impl Hash) -> u64 {
    static PLACE: u8 = 0;
    let mut hasher = SipHasher13::new_with_keys(ptr::from_ref(&PLACE).addr() as u64, 0);
    key.hash(&mut hasher);
    hasher.finish()
}
