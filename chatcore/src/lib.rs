//! The core of chatcore: pure state machines, ports, engine and sessions.

pub mod bot;
pub mod channel;
pub mod chat;
pub mod clock;
pub mod commands;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod content;
mod decoded;
pub mod dialog;
pub mod effects;
pub mod engine;
pub mod error;
pub mod identity;
pub mod ids;
pub mod journal;
pub mod machine;
pub mod memory;
pub mod ports;
pub mod push;
pub mod queue;
pub mod record;
pub mod rights;
pub mod routing;
pub mod sabotage;
#[cfg(feature = "simulation")]
pub mod simulation;
pub mod store;
