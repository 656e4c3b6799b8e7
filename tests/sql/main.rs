//! Integration tests: the built library, loaded into a real SQLite, driven through SQL alone.
