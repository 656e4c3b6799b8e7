//! Loading the library: what it says about itself, and that it leaves the database alone ("SQL interface").

use powersync_testkit::Host;

#[test]
fn the_version_is_what_sdks_accept() {
    let host = Host::open_in_memory();
    let version = host.value("SELECT powersync_rs_version()");
    let (number, hash) = version.as_str().and_then(|text| text.split_once('/')).unwrap();
    assert_eq!(number, env!("CARGO_PKG_VERSION"));
    assert_eq!(hash.len(), 8, "{hash}");
}

#[test]
fn loading_writes_nothing() {
    let host = Host::open_in_memory();
    assert_eq!(host.value("SELECT count(*) FROM sqlite_schema"), 0);
    assert_eq!(host.connection().total_changes(), 0);
}
