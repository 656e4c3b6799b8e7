//! What the build script says about the sources, by which a library knows whether it has applied a schema itself.

#![allow(clippy::unwrap_used)]

#[path = "../build.rs"]
#[allow(dead_code, reason = "the rest of the build script")]
mod build;

use std::path::{Path, PathBuf};

use build::{source_directories, sources_hash};

/// A tree with these files.
fn tree(name: &str, files: &[(&str, &str)]) -> PathBuf {
    let root = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _ = std::fs::remove_dir_all(&root);
    for (file, content) in files {
        let path = root.join(file);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    root
}

#[test]
fn the_library_knows_the_sources_it_is_built_from() {
    let directories = source_directories(Path::new(env!("CARGO_MANIFEST_DIR")));
    assert_eq!(directories.len(), 4);
    let expected = format!("{}/{:016x}", env!("CARGO_PKG_VERSION"), sources_hash(&directories).unwrap());
    assert_eq!(rowtide_core::version::SOURCES, expected);
}

#[test]
fn any_change_of_a_file_changes_the_hash() {
    let hash = |name: &str, files: &[(&str, &str)]| sources_hash(&[tree(name, files)]).unwrap();
    let original = hash("original", &[("a.rs", "1\n"), ("b/c.rs", "2\n")]);
    assert_eq!(hash("elsewhere", &[("b/c.rs", "2\r\n"), ("a.rs", "1\r\n")]), original);
    for (name, files) in [
        ("content", [("a.rs", "1\n"), ("b/c.rs", "3\n")]),
        ("name", [("a.rs", "1\n"), ("b/d.rs", "2\n")]),
        ("place", [("a.rs", "1\n"), ("c.rs", "2\n")]),
        ("border", [("a.rs", "1\n2"), ("b/c.rs", "\n")]),
    ] {
        assert_ne!(hash(name, &files), original, "{name}");
    }
}
