//! The embedded database keeps every promise of the ports.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use chatcore::{
    clock::{Clock, SystemClock, Timestamp},
    conformance::PARTITIONS,
    ports::Ports,
};
use chatcore_embedded::{Embedded, Options};
use tempfile::TempDir;

/// The clock lives as long as the ports: it keeps their folder.
#[derive(Debug)]
struct ClockWithFolder(#[allow(dead_code, reason = "held for its drop")] TempDir);

impl Clock for ClockWithFolder {
    fn now(&self) -> Timestamp {
        SystemClock.now()
    }
}

async fn fresh() -> Ports {
    let folder = tempfile::tempdir().unwrap();
    let options = Options::new(&folder).with_partitions(PARTITIONS);
    let clock = Arc::new(ClockWithFolder(folder));
    Embedded::open(options, clock).await.unwrap().ports()
}

chatcore::conformance_tests!(fresh().await);
