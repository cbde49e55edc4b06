//! A store over the Redis protocol keeps every promise of the ports.
//!
//! Runs against the store that `CHATCORE_KEYDB` names (`cargo xtask services up` prints it).
//! Without it each test says that it was skipped; with `CHATCORE_TEST_REQUIRE=1` it fails.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking"
)]

mod common;

use std::sync::Arc;

use chatcore::{clock::SystemClock, conformance::PARTITIONS, memory, ports::Ports};

/// Fresh ports: a prefix of their own in the store, all else in process.
async fn fresh() -> Option<Ports> {
    let memory = memory::ports(PARTITIONS, Arc::new(SystemClock));
    let store = common::connect(PARTITIONS, memory.archive.clone()).await?;
    Some(Ports {
        partitions: store.clone(),
        streams: store.clone(),
        leases: store.clone(),
        index: store.clone(),
        inbox: store,
        ..memory
    })
}

chatcore::conformance_tests!(partition, stream, lease, inbox, index: match fresh().await {
    Some(ports) => ports,
    None => return,
});
