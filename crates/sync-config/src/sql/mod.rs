//! The SQL of a configuration: words from `sqlparser`'s tokenizer with a dialect of ours, a grammar of ours.
//!
//! The grammar is not `sqlparser`'s, because its syntax tree keeps no place for parentheses, unary and IS operators and
//! the end of calls, all of which diagnostics and names of unnamed columns need; and because a grammar that holds only
//! what is supported cannot let a clause through that nobody looked at.

pub(crate) mod ast;
mod expression;
mod precedence;
mod primary;
mod query;
mod tokens;

pub use query::parse_expression;
pub(crate) use query::parse_query;
