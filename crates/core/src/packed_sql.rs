//! SQL that runs rarely, such as that of migrations: the files in `sql/`, which are in the library compressed.
//!
//! A constant has the name of its file and the place of its statements in the unpacked text.

use alloc::string::String;
use alloc::vec::Vec;

use crate::error::{Error, ErrorKind, Result};

include!(concat!(env!("OUT_DIR"), "/sql.rs"));

const PACKED: &[u8] = include_bytes!(concat!(env!("OUT_DIR"), "/sql.lz4"));

/// Where a file is in the unpacked text.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place {
    start: usize,
    end: usize,
}

/// The unpacked text.
pub(crate) struct PackedSql(String);

impl PackedSql {
    /// Unpacks all files.
    ///
    /// # Errors
    /// Out of memory.
    pub(crate) fn unpack() -> Result<Self> {
        let mut text = Vec::new();
        text.try_reserve_exact(LENGTH)?;
        text.resize(LENGTH, 0);
        let unpacked =
            lz4_flex::block::decompress_into(PACKED, &mut text).ok().and_then(|_| String::from_utf8(text).ok());
        debug_assert!(unpacked.is_some(), "the build script has compressed it");
        unpacked.map(Self).ok_or_else(|| Error::new(ErrorKind::Internal, "SQL in the library cannot be unpacked"))
    }

    /// The text of a file.
    pub(crate) fn text(&self, place: Place) -> &str {
        self.0.get(place.start..place.end).unwrap_or_default()
    }

    /// The statements of a file, or groups of them: what empty lines separate.
    pub(crate) fn statements(&self, place: Place) -> impl Iterator<Item = &str> {
        self.text(place).split('\0')
    }

    /// The text of a file in which each name between two @ is replaced by what `values` has for it.
    pub(crate) fn filled(&self, place: Place, values: &[(&str, &str)]) -> String {
        let mut sql = String::new();
        for (index, part) in self.text(place).split('@').enumerate() {
            let value = values.iter().find(|(name, _)| index % 2 == 1 && *name == part);
            sql.push_str(value.map_or(part, |(_, value)| value));
        }
        sql
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::vec::Vec;

    #[test]
    fn a_file_is_unpacked_without_its_comments() {
        let sql = PackedSql::unpack().unwrap();
        assert_eq!(
            sql.text(V12_UP),
            "ALTER TABLE main.ps_buckets ADD COLUMN downloaded_size INTEGER NOT NULL DEFAULT 0"
        );
        let down: Vec<_> = sql.statements(V12_DOWN).collect();
        assert_eq!(
            down,
            ["ALTER TABLE ps_buckets DROP COLUMN downloaded_size", "DELETE FROM ps_migration WHERE id >= 12"]
        );
    }

    #[test]
    fn names_are_filled_in_once() {
        let sql = PackedSql::unpack().unwrap();
        let filled = sql.filled(TAKEOVER_APPEND, &[("waiting", "\"@shown@\""), ("shown", "other")]);
        assert!(filled.contains(" FROM main.\"@shown@\" WHERE "), "{filled}");
    }

    #[test]
    fn everything_in_braces_is_a_fragment() {
        let sql = PackedSql::unpack().unwrap();
        let braces: Vec<_> = sql.0.match_indices('{').filter(|(at, _)| !sql.0[*at..].starts_with("{}")).collect();
        assert!(braces.is_empty(), "{braces:?}");
    }
}
