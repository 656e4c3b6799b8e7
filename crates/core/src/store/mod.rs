//! Everything that reads and writes the internal tables: operations, buckets, publishing, the gate, subscriptions.
