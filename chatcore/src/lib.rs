//! The core of chatcore: pure state machines, ports, engine and sessions.

pub mod clock;
pub mod content;
pub mod dialog;
pub mod error;
pub mod ids;
pub mod machine;
pub mod queue;
pub mod record;
