//! The desk's state machine, pure: who waits, who can serve, and which grants are out.
//!
//! Nothing here does I/O, asks the time or depends on hash order. All matching is a function of
//! the state, so that it can be explained, tested and replayed against other rules.

mod command;
mod event;
pub mod limits;

pub use command::{
    Assignment, DeskCommand, DeskConfig, DeskTimer, NodeName, OperatorConfig, OperatorStatus,
    QueueConfig, Wait,
};
pub use event::{AssignmentReason, BoardEvent, Presence};
