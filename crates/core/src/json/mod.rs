//! JSON text: scanning, comparing, merging and writing it without a tree.
