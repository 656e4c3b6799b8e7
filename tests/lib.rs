//! The integration tests live in `sql/` (one file per subject); this library is empty.
