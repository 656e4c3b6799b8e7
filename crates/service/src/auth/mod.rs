//! Who a request comes from: JSON Web Tokens and the keys that they are checked with.

mod keys;
mod token;

pub use keys::{KeyError, Keys};
pub(crate) use token::{Rules, User, bearer, verify};

#[cfg(test)]
mod tests;
