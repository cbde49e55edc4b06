//! A renewal that creates a lease is noticed by the suite.
#![cfg(all(feature = "conformance", feature = "sabotage"))]

use std::{panic::AssertUnwindSafe, sync::Arc};

use chatcore::{
    clock::SystemClock,
    conformance::{self, PARTITIONS},
    memory,
    sabotage::{self, Switch},
};
use futures_util::FutureExt;

#[tokio::test]
async fn a_renewal_that_creates_a_lease_is_noticed() {
    let _held = sabotage::hold(Switch::RenewalCreatesLease);
    let ports = memory::ports(PARTITIONS, Arc::new(SystemClock));
    let case = conformance::lease::renewing_never_creates_a_lease(ports);
    assert!(
        AssertUnwindSafe(case).catch_unwind().await.is_err(),
        "the suite must fail"
    );
}
