//! The on-disk formats of the internal tables and the steps between them, one file per version.
