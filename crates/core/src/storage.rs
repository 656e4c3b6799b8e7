//! The narrow interface through which the state machine sees stored data.
