//! What a [`LeaseStore`](crate::store::LeaseStore) promises.

use std::time::Duration;

use super::samples::{LONG, node};
use crate::{error::ErrorKind, ports::Ports};

/// A lease lives from `open` to `close`.
pub async fn a_lease_is_alive_until_it_is_closed(ports: Ports) {
    let here = node("n1");
    ports.leases.open(&here, LONG).await.unwrap();
    ports.leases.renew(&here, LONG).await.unwrap();
    assert!(ports.leases.alive().await.unwrap().contains(&here));
    ports.leases.close(&here).await.unwrap();
    assert!(!ports.leases.alive().await.unwrap().contains(&here));
}

/// Renewing extends what is there and never creates.
pub async fn renewing_never_creates_a_lease(ports: Ports) {
    let here = node("n1");
    let error = ports.leases.renew(&here, LONG).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    assert!(!ports.leases.alive().await.unwrap().contains(&here));
}

/// A lease that is not renewed lapses, and can't be renewed then.
pub async fn a_lease_lapses(ports: Ports) {
    let here = node("n1");
    ports
        .leases
        .open(&here, Duration::from_millis(20))
        .await
        .unwrap();
    let lapsed = async {
        while ports.leases.alive().await.unwrap().contains(&here) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(LONG, lapsed)
        .await
        .expect("the lease lapses");
    let error = ports.leases.renew(&here, LONG).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}
