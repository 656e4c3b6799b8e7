//! Test hosts, stream readers and invariants shared by the tests.
