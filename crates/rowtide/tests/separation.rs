//! The extension is built without anything of the service, although this program has both.
#![forbid(unsafe_code)]
#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::process::Command;

/// The crates that a package is built with.
fn tree(package: &str, more: &[&str]) -> BTreeSet<String> {
    let arguments = ["tree", "--offline", "--prefix", "none", "--edges", "normal", "--format", "{p}", "-p", package];
    let output = Command::new(env!("CARGO")).args(arguments).args(more).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let names = String::from_utf8(output.stdout).unwrap();
    names.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

#[test]
fn the_extension_has_no_crate_of_the_service() {
    let service = tree("rowtide-service", &["--depth", "1"]);
    assert!(service.contains("axum") && service.contains("rowtide-sync-engine"), "{service:?}");
    for package in ["rowtide-loadable", "rowtide-static"] {
        let extension = tree(package, &[]);
        assert!(extension.contains("rowtide-core"), "{extension:?}");
        let shared: Vec<_> = extension.intersection(&service).collect();
        assert!(shared.is_empty(), "{package} has {shared:?}");
    }
}
