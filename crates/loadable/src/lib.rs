//! The loadable extension `libpowersync`: the C entry point, the allocator and the panic handler, nothing else.
#![no_std]
#![deny(unsafe_op_in_unsafe_fn)]

sqlite_nostd::extension!(powersync_core::sql_api::register);
