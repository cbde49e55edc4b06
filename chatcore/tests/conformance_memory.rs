//! The in-process ports keep what the ports promise.
#![cfg(feature = "conformance")]

use std::sync::Arc;

use chatcore::{
    clock::SystemClock,
    conformance::PARTITIONS,
    memory::{self, MemoryJournal},
    ports::Ports,
};

fn fresh() -> Ports {
    let clock = Arc::new(SystemClock);
    Ports {
        journal: Arc::new(MemoryJournal::bounded(PARTITIONS, clock.clone(), 1_000)),
        ..memory::ports(PARTITIONS, clock)
    }
}

chatcore::conformance_tests!(fresh());
