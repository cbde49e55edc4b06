//! The in-process ports keep what the ports promise.
#![cfg(feature = "conformance")]

use std::sync::Arc;

use chatcore::{clock::SystemClock, conformance::PARTITIONS, memory, ports::Ports};

fn fresh() -> Ports {
    memory::ports(PARTITIONS, Arc::new(SystemClock))
}

chatcore::conformance_tests!(fresh());
