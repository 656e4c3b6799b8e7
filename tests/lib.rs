//! The integration tests live in `sql/` (one file per subject) and `faults/`; this library is empty.
