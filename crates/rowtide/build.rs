//! Tells the tests whether the programs of a PostgreSQL server are at hand: those that need it are listed as ignored
//! otherwise.

fn main() {
    println!("cargo::rustc-check-cfg=cfg(postgres_server)");
    println!("cargo::rerun-if-env-changed=ROWTIDE_POSTGRES_BIN");
    if std::env::var_os("ROWTIDE_POSTGRES_BIN").is_some() {
        println!("cargo::rustc-cfg=postgres_server");
    }
}
