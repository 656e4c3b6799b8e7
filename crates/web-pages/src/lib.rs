//! The pages that the service shows in a browser: the playground, the inspector and the documentation. They are plain HTML,
//! CSS and ES modules, and are part of the program, so that it needs no files beside it.
//!
//! The playground's SQLite is WebAssembly, which needs tools that not everybody has: `cargo xtask browser` puts it into the
//! folder `parts`. A program that was built without it has no playground.

include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// One file, as it is served.
#[derive(Debug)]
pub struct Asset {
    /// What it is, for the header `Content-Type`.
    pub media_type: &'static str,
    /// Another one for each content, for the header `ETag`.
    pub etag: &'static str,
    /// Its content, compressed with gzip.
    pub gzip: &'static [u8],
}

/// A file by its name: `style.css`, `inspector/index.html`, `docs/service/postgres.html`.
pub fn asset(name: &str) -> Option<&'static Asset> {
    let found = ASSETS.binary_search_by(|(other, _)| (*other).cmp(name)).ok()?;
    ASSETS.get(found).map(|(_, asset)| asset)
}

/// Whether the playground's WebAssembly was there when this was built.
pub fn has_playground() -> bool {
    ASSETS.iter().any(|(name, _)| name.starts_with("parts/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_found_by_their_names() {
        assert!(ASSETS.is_sorted_by(|(one, _), (other, _)| one < other));
        for (name, expected) in ASSETS {
            assert_eq!(asset(name).map(|asset| asset.etag), Some(expected.etag), "{name}");
        }
        assert!(asset("nothing.css").is_none());
    }
}
