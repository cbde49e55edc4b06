//! Every port in process: nothing outlives it. For tests, demos and the simulation.

mod archive;
mod dead_letters;
mod inbox;
mod journal;
mod lease;
mod store;
mod tables;

pub use archive::MemoryArchive;
pub use dead_letters::MemoryDeadLetters;
pub use inbox::MemoryInboxes;
pub use journal::MemoryJournal;
pub use lease::MemoryLeases;
pub use store::{Checkpoint, MemoryStore};
pub use tables::{MemoryIndex, MemoryShared, MemorySnapshots};

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::{clock::Clock, ports::Ports};

/// All ports in process, with this many partitions.
#[must_use]
pub fn ports(partitions: u32, clock: Arc<dyn Clock>) -> Ports {
    let archive = Arc::new(MemoryArchive::default());
    let leases = Arc::new(MemoryLeases::default());
    let store = Arc::new(MemoryStore::new(
        partitions,
        leases.clone(),
        archive.clone(),
    ));
    Ports {
        journal: Arc::new(MemoryJournal::new(partitions, clock.clone())),
        snapshots: Arc::new(MemorySnapshots::default()),
        shared: Arc::new(MemoryShared::default()),
        dead_letters: Arc::new(MemoryDeadLetters::default()),
        partitions: store.clone(),
        streams: store,
        leases,
        index: Arc::new(MemoryIndex::default()),
        archive,
        inbox: Arc::new(MemoryInboxes::default()),
        clock,
    }
}

/// Locks; a panic of another holder does not matter, since every change here is made whole.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
