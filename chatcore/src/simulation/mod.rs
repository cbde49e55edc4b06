//! Runs of the real core under faults, and the checkers that judge what came of them.
//!
//! A run writes a [`history`]: what was sent, answered and shown, in the order in which it
//! happened. The [`checkers`] hold it against the [`truth`], which is what the journal has at the
//! end. They know nothing of who wrote the history: a simulation, or real processes that logged
//! theirs as JSON lines.

pub mod checkers;
pub mod history;
pub mod truth;

pub use checkers::{Violation, check};
pub use history::{Connection, Entry, History, Sent, ShownEvent, Viewer, What};
pub use truth::{PartitionTruth, Truth, WrittenCommand};
