//! The loadable extension `libpowersync`: the C entry point, the allocator and the panic handler, nothing else.
#![no_std]
#![deny(unsafe_op_in_unsafe_fn)]

// `cargo build --workspace` turns the feature on for all crates at once, and would make a library that cannot be loaded.
const _: () =
    assert!(!sqlite_nostd::IS_STATIC, "the loadable library is built alone: cargo build --release -p rowtide-loadable");

sqlite_nostd::extension!(rowtide_core::sql_api::register);
