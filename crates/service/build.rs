//! Tells the tests whether recorded data and the programs of a PostgreSQL server are at hand: those that need them are listed as ignored otherwise.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(postgres_server)");
    println!("cargo::rerun-if-env-changed=ROWTIDE_POSTGRES_BIN");
    if std::env::var_os("ROWTIDE_POSTGRES_BIN").is_some() {
        println!("cargo::rustc-cfg=postgres_server");
    }
    println!("cargo::rustc-check-cfg=cfg(recorded_data)");
    println!("cargo::rerun-if-env-changed=POWERSYNC_INTEROP_DATA");
    if std::env::var_os("POWERSYNC_INTEROP_DATA").is_some() {
        println!("cargo::rustc-cfg=recorded_data");
    }
}
