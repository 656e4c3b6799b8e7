//! Random UUIDs, for the client id and the SQL functions `uuid()` and `gen_random_uuid()`.
//!
//! The random bits come from `sqlite3_randomness`, which SQLite seeds from the operating system. The OS is not asked
//! directly: without `std` that needs a symbol of the C library, and the shipped library depends on nothing but SQLite.

use alloc::string::String;

/// A new random (version 4) UUID in lower-case hyphenated form.
pub(crate) fn random_uuid() -> String {
    let mut bytes = [0u8; 16];
    sqlite_nostd::randomness(&mut bytes);
    format_version_4(bytes)
}

/// `random` as a version-4 UUID: all bits but the six for version (0100) and variant (10).
fn format_version_4(random: [u8; 16]) -> String {
    const VERSION: u128 = 0x4 << 76;
    const VERSION_BITS: u128 = 0xf << 76;
    const VARIANT: u128 = 0b10 << 62;
    const VARIANT_BITS: u128 = 0b11 << 62;
    let value = u128::from_be_bytes(random) & !VERSION_BITS & !VARIANT_BITS | VERSION | VARIANT;
    alloc::format!(
        "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
        value >> 96,
        value >> 80 & 0xffff,
        value >> 64 & 0xffff,
        value >> 48 & 0xffff,
        value & 0xffff_ffff_ffff
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_version_and_variant_and_keeps_all_other_bits() {
        assert_eq!(format_version_4([0; 16]), "00000000-0000-4000-8000-000000000000");
        assert_eq!(format_version_4([0xff; 16]), "ffffffff-ffff-4fff-bfff-ffffffffffff");
        let counting = core::array::from_fn(|index| u8::try_from(index * 16 + index).unwrap());
        assert_eq!(format_version_4(counting), "00112233-4455-4677-8899-aabbccddeeff");
    }
}
