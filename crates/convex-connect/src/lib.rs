//! Reaches a Convex deployment: where it is, its key, which addresses are permitted, and what its errors mean.
//!
//! [`Reach::parse`] reads the URL of a deployment, [`Deployment`] sends requests to it. No message holds the key, and none
//! repeats more of an answer than the code of an error.

#![forbid(unsafe_code)]

mod address;
mod deployment;
mod failure;
mod function;
mod reach;

pub use deployment::Deployment;
pub use failure::{Class, Failure, Kind};
pub use function::{Called, Thrown};
pub use reach::{DeployKey, Reach};

/// The environment variable with the key of a deployment.
pub const DEPLOY_KEY_VARIABLE: &str = "CONVEX_DEPLOY_KEY";
