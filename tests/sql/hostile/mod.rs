//! Hostile data, surroundings and damage.

mod confidential_messages;
mod damaged_tables;
mod data;
mod refused_answers;
mod surroundings;
