//! `powersync`: demo, replay of recorded streams, queries.
fn main() {}
