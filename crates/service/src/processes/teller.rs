//! Tells this process what happens to the storage, and has answered what others ask of it.

use std::sync::Arc;

use sync_config::{CompileOptions, compile};
use sync_store::{PostgresDesk, StoreEvent, StoreRequest};
use tokio::runtime::Handle;
use tokio::task::spawn_blocking;

use super::remote::{Answer, Question};
use crate::error::ApiError;
use crate::sync::{Hub, shutting_down};
use crate::writer::WriterHandle;

/// What is told of events of the storage.
pub(crate) struct Teller {
    pub(crate) hub: Arc<Hub>,
    pub(crate) writer: WriterHandle,
    pub(crate) desk: PostgresDesk,
    pub(crate) compile: CompileOptions,
    pub(crate) runtime: Handle,
}

impl Teller {
    pub(crate) fn tell(self: &Arc<Self>, event: StoreEvent) {
        let board = &self.writer.board;
        match event {
            StoreEvent::Began { readers, config } => {
                if let Some(config) = &config {
                    board.follow_config(config);
                }
                if let Ok(Some(reader)) = readers.latest() {
                    board.follow_checkpoint(reader.checkpoint());
                }
                self.hub.begin(readers, config.map(|config| config.plan));
            }
            StoreEvent::Activated(config) => {
                tracing::info!(id = config.id.0, "a sync configuration is active");
                board.follow_config(&config);
            }
            StoreEvent::Committed(notice) => {
                board.follow_checkpoint(&notice.checkpoint);
                self.hub.publish(&notice);
            }
            StoreEvent::Ended => {
                tracing::warn!("the storage has forgotten this process: all streams end");
                self.hub.end_streams();
            }
            StoreEvent::Failed(error) => {
                tracing::warn!(%error, "following the storage");
                board.follow_storage(Some(&error.to_string()));
            }
            StoreEvent::Recovered => {
                tracing::info!("the storage is followed again");
                board.follow_storage(None);
            }
            StoreEvent::Asked(request) => {
                let teller = Arc::clone(self);
                self.runtime.spawn(async move { teller.answer(request).await });
            }
        }
    }

    async fn answer(&self, request: StoreRequest) {
        let answer = match serde_json::from_slice(&request.body) {
            Ok(question) => self.ask_here(question).await.map_err(|error| error.description),
            Err(_) => Err("The process that writes is of another version. Try again later.".to_owned()),
        };
        if answer.is_err() && !self.desk.is_writing() {
            // Whoever writes next can do better.
            return self.desk.release(&request);
        }
        let answer = answer.map_or_else(Answer::Refused, Answer::Done);
        let desk = self.desk.clone();
        let answered = spawn_blocking(move || {
            let body = serde_json::to_vec(&answer).unwrap_or_default();
            desk.answer(&request, &body)
        });
        if let Ok(Err(error)) = answered.await {
            tracing::warn!(%error, "answering another process");
        }
    }

    /// Has this process do it, which writes.
    async fn ask_here(&self, question: Question) -> Result<i64, ApiError> {
        match question {
            Question::Deploy { yaml } => {
                let options = self.compile.clone();
                let compiled = spawn_blocking(move || (compile(&yaml, &options), yaml)).await;
                let (compiled, yaml) = compiled.map_err(|_| shutting_down())?;
                let plan = compiled.plan.ok_or_else(|| {
                    let message = "The process that writes finds errors in the configuration: deploy it there.";
                    ApiError::new(crate::error::ErrorKind::Unavailable, message)
                })?;
                self.writer.deploy_here(yaml, plan).await.map(|id| i64::from(id.0))
            }
            Question::Acknowledge { user, client, id } => self.writer.acknowledge_here(user, client, id).await,
            Question::Reach { user } => self.writer.reach_here(user).await,
        }
    }
}
