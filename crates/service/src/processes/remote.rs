//! What is asked of the process that writes: questions and answers as JSON.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use sync_engine::store::StoreError;
use sync_store::{PostgresDesk, StoreQuestion};
use tokio::sync::oneshot;
use tokio::task::spawn_blocking;

use crate::error::{ApiError, ErrorKind};
use crate::sync::shutting_down;

/// How long an answer may take. Another process may have to take over first.
const PATIENCE: Duration = Duration::from_secs(30);

/// What only the process that writes can do. All answers are numbers.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Question {
    /// Builds a configuration; its id.
    Deploy { yaml: String },
    /// Asks for a write checkpoint; its id.
    Acknowledge { user: String, client: String, id: Option<i64> },
    /// Waits for a checkpoint with everything that is in the source now; its operation id.
    Reach { user: String },
}

/// What is answered.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    Done(i64),
    /// Why not, as the one who has asked may see it.
    Refused(String),
}

/// The process that writes, wherever it is.
#[derive(Clone)]
pub(crate) struct Remote {
    pub(crate) desk: PostgresDesk,
}

impl Remote {
    /// Asks it.
    ///
    /// # Errors
    /// The storage cannot be reached, no process answers in time, or the answer is a refusal.
    pub(crate) async fn ask(&self, question: &Question) -> Result<i64, ApiError> {
        let unavailable = |message: &str| ApiError::new(ErrorKind::Unavailable, message);
        let body = serde_json::to_vec(question).map_err(|_| shutting_down())?;
        let (sender, answer) = oneshot::channel();
        let desk = self.desk.clone();
        let asked = move || desk.ask(&body, move |bytes| drop(sender.send(bytes)));
        let asked: Result<StoreQuestion, StoreError> = spawn_blocking(asked).await.map_err(|_| shutting_down())?;
        // While it exists, the answer is waited for.
        let _question = asked.map_err(|error| {
            tracing::warn!(%error, "asking the process that writes");
            unavailable("The service cannot reach its storage. Try again later.")
        })?;
        let answer = tokio::time::timeout(PATIENCE, answer).await.map_err(|_| {
            unavailable("No process of the service writes to its storage at the moment. Try again later.")
        })?;
        let answer = answer.map_err(|_| unavailable("The service has lost its storage. Try again later."))?;
        match serde_json::from_slice(&answer) {
            Ok(Answer::Done(number)) => Ok(number),
            Ok(Answer::Refused(message)) => Err(unavailable(&message)),
            Err(_) => Err(unavailable("The process that writes is of another version. Try again later.")),
        }
    }
}
