//! Where tokens come from.

use crate::error::BoxError;

/// Gives the tokens that the service knows a user by: usually it asks the app's own backend for one.
///
/// It is asked when there is no token yet, shortly before one expires, and after the service has refused one. It runs on a
/// thread of its own, and may block. A closure is one:
///
/// ```
/// use rowtide_client::{BoxError, Options};
///
/// let options = Options::new("app.db", "https://sync.example.com")
///     .token(|| -> Result<String, BoxError> { Ok(std::fs::read_to_string("token")?.trim().to_owned()) });
/// ```
pub trait TokenSource: Send + Sync + 'static {
    /// A token that is valid now.
    ///
    /// # Errors
    /// There is none. The client shows the message in its status, and asks again later.
    fn token(&self) -> Result<String, BoxError>;
}

impl<F> TokenSource for F
where
    F: Fn() -> Result<String, BoxError> + Send + Sync + 'static,
{
    fn token(&self) -> Result<String, BoxError> {
        self()
    }
}
