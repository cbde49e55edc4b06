//! The durable default of one process: the core's journal, store and tables in one database.
//!
//! One writer puts what has arrived into one group, writes it to a log, syncs that, and then
//! answers: an append that was answered survives a power cut. A save is one step in the same log;
//! it is durable with the next sync, and after a crash the lost suffix is decided again, alike.
//!
//! What the log has is in memory too, where readers find it, until a checkpoint brings it into the
//! database. Why this database, and what it costs: `docs/adr/0003-embedded-database.md`; why there
//! is a log before it: `docs/adr/0019-log-before-the-database.md`.

mod archive;
mod checkpoint;
mod database;
mod disk;
mod embedded;
mod error;
mod folder;
mod gathered;
mod journal;
mod keys;
mod layer;
mod layers;
mod live;
mod log;
mod mark;
mod opening;
mod options;
mod park;
mod store;
mod tables;
mod writer;

#[cfg(test)]
mod tests;

pub use archive::FileArchive;
pub use embedded::Embedded;
pub use options::{CheckOnOpen, Options};
