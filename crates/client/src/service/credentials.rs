//! The token: kept until the service refuses it.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::Trouble;
use crate::token::TokenSource;

/// A token that is refreshed more often than this is valid for too short a time to be of use.
const SHORTEST_LIFE: Duration = Duration::from_secs(5);

/// Keeps the app's token.
pub(crate) struct Credentials {
    source: Option<Arc<dyn TokenSource>>,
    kept: Mutex<Option<Token>>,
    /// One asks the app, others wait for it.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Clone)]
struct Token {
    text: Arc<str>,
    since: Instant,
}

impl Credentials {
    pub(crate) fn new(source: Option<Arc<dyn TokenSource>>) -> Self {
        Self { source, kept: Mutex::default(), asking: tokio::sync::Mutex::default() }
    }

    /// The token, which the app is asked for if there is none.
    pub(crate) async fn token(&self) -> Result<Arc<str>, Trouble> {
        if let Some(token) = self.kept() {
            return Ok(token.text);
        }
        let _asking = self.asking.lock().await;
        match self.kept() {
            Some(token) => Ok(token.text),
            None => self.ask().await,
        }
    }

    /// Asks the app for a token that lasts longer. Gives whether it has another one.
    pub(crate) async fn refresh(&self) -> Result<bool, Trouble> {
        let before = self.kept();
        if let Some(token) = &before {
            tokio::time::sleep_until(token.since + SHORTEST_LIFE).await;
        }
        let _asking = self.asking.lock().await;
        let new = self.ask().await?;
        Ok(before.is_none_or(|before| before.text != new))
    }

    /// The service has refused this token. One that came meanwhile stays.
    pub(crate) fn forget(&self, refused: &str) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.take_if(|token| &*token.text == refused);
    }

    /// The token has expired.
    pub(crate) fn forget_any(&self) {
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    fn kept(&self) -> Option<Token> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    async fn ask(&self) -> Result<Arc<str>, Trouble> {
        let Some(source) = self.source.clone() else {
            return Err(Trouble::refusal("there is no token: give the client a source of tokens"));
        };
        let asked = tokio::task::spawn_blocking(move || source.token()).await;
        let text: Arc<str> = match asked {
            Ok(Ok(token)) => token.into(),
            Ok(Err(error)) => return Err(Trouble::passing(format!("the app has no token: {error}"))),
            Err(_) => return Err(Trouble::passing("the app's source of tokens has failed")),
        };
        let token = Token { text: Arc::clone(&text), since: Instant::now() };
        *self.kept.lock().unwrap_or_else(PoisonError::into_inner) = Some(token);
        Ok(text)
    }
}
