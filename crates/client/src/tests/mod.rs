//! A client and services that no correct service is like. The clock is paused: it goes on only when everything waits.

mod fake;
mod lines;
mod network;
mod tokens;
mod uploads;
