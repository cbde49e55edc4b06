//! Runs of the real core under faults, and the checkers that judge what came of them.
//!
//! A run carries out a [`plan`] that was drawn from a seed: the real chat on several nodes, each
//! on a runtime of its own whose time only the scheduler moves, over a journal, a store and
//! inboxes that fail as the real ones do, with customers and operators at real sessions. The same
//! seed gives the same run.
//!
//! It writes a [`history`]: what was sent, answered and shown, in the order in which it
//! happened. The [`checkers`] hold it against the [`truth`], which is what the journal has at the
//! end. They know nothing of who wrote the history: a simulation, or real processes that logged
//! theirs as JSON lines.

mod backend;
pub mod checkers;
mod clock;
mod device;
mod faults;
mod fired;
pub mod history;
mod inbox;
mod journal;
mod journal_port;
mod link;
mod node;
mod people;
pub mod plan;
mod quiet;
mod rng;
mod run;
mod scene;
pub mod shrink;
mod socket;
mod store;
mod tables;
#[cfg(test)]
mod tests;
pub mod truth;
mod wallet;
mod world;

pub use backend::{Backend, BackendPorts};
pub use checkers::{Violation, check};
pub use fired::{Fired, Kind};
pub use history::{Connection, Credential, Entry, History, Sent, ShownEvent, Viewer, What};
pub use link::Trouble;
pub use plan::Plan;
pub use rng::Rng;
pub use run::{Report, run, run_on};
pub use truth::{PartitionTruth, Truth, WrittenCommand};
pub use world::PARTITIONS;
