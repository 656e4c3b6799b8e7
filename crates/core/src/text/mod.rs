//! Building SQL text: quoting of identifiers, literals and JSON paths.
