//! Tells the tests whether recorded data are at hand: those that need them are listed as ignored otherwise.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(recorded_data)");
    println!("cargo::rerun-if-env-changed=POWERSYNC_INTEROP_DATA");
    if std::env::var_os("POWERSYNC_INTEROP_DATA").is_some() {
        println!("cargo::rustc-cfg=recorded_data");
    }
}
