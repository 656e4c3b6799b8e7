//! Errors of sources, by what the service does about them.

use sync_engine::source::{ErrorClass, SourceError};

/// It may work later.
pub(crate) fn retry(message: impl Into<String>) -> SourceError {
    SourceError { class: ErrorClass::Retry, message: message.into() }
}

/// A person has to change something.
pub(crate) fn configuration(message: impl Into<String>) -> SourceError {
    SourceError { class: ErrorClass::Configuration, message: message.into() }
}

/// What came after the position is not known any more.
pub(crate) fn position_lost(message: impl Into<String>) -> SourceError {
    SourceError { class: ErrorClass::PositionLost, message: message.into() }
}
