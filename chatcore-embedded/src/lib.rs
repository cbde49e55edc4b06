//! The durable default of one process: the core's journal, store and tables in one database.
//!
//! One writer puts what has arrived into one transaction, syncs the file, and then answers: an
//! append that was answered survives a power cut. A save is one step in the same log; it is
//! durable with the next sync, and after a crash the lost suffix is decided again, alike.
//!
//! Why this database, and what it costs: `docs/adr/0003-embedded-database.md`.

mod archive;
mod database;
mod disk;
mod embedded;
mod error;
mod folder;
mod journal;
mod keys;
mod mark;
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
