//! The desk's state machine, pure: who waits, who can serve, and which grants are out.
//!
//! Nothing here does I/O, asks the time or depends on hash order. All matching is a function of
//! the state, so that it can be explained, tested and replayed against other rules.

mod apply;
mod command;
mod decide;
mod draft;
mod event;
mod grants;
mod hands;
mod index;
pub mod limits;
mod matching;
mod pace;
mod policy;
mod presence;
mod state;
mod timers;
mod view;
mod waiting;

pub use command::{
    Assignment, DeskCommand, DeskConfig, DeskTimer, NodeName, OperatorConfig, OperatorStatus,
    QueueConfig, Wait,
};
pub use event::{AssignmentReason, BoardEvent, Presence};
pub use pace::{Pace, PlaceInLine, WaitRange};
pub use policy::{
    AssignmentPolicy, Candidate, LEAST_LOADED, LONGEST_FREE, LeastLoaded, LongestFree, Offered,
    Policies,
};
pub use state::DeskState;
pub use view::{BoardSnapshot, GrantView, OperatorView, QueueView, WaitingView};
pub(crate) use {
    index::Place,
    pace::{Behind, Line},
};

#[cfg(test)]
mod tests;
