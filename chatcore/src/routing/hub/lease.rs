//! The node's lease. Renewing extends it and never creates it.

use std::time::Duration;

use tokio::time::Instant;

use super::Hub;
use crate::{
    error::{Error, ErrorKind, Result},
    routing::session::CloseCode,
    store::StoreIdentity,
};

/// What a renewal found.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Renewed {
    /// All is as it was.
    Same,
    /// The lease had lapsed, or the store has another memory: routes may be gone.
    Changed,
}

/// The lease as the hub's task keeps it.
#[derive(Debug)]
pub(super) struct Lease {
    identity: Option<StoreIdentity>,
    /// When the hub's task last ran.
    beat: Instant,
}

impl Lease {
    pub(super) fn new() -> Self {
        Self {
            identity: None,
            beat: Instant::now(),
        }
    }

    /// Called at least three times per lease. A process that stood still for longer than its
    /// lease may have been declared lost: its sessions end, and their people come back.
    pub(super) fn beat(&mut self, hub: &Hub) {
        let now = Instant::now();
        let still = now.duration_since(self.beat);
        self.beat = now;
        if still > hub.config.lease_ttl {
            let ended = hub.close_where(CloseCode::Paused, |_| true);
            tracing::error!(
                ?still,
                sessions = ended,
                "the process stood still, sessions end"
            );
        }
    }

    /// Notes which life of the store this is.
    pub(super) fn note(&mut self, identity: StoreIdentity) -> Renewed {
        let changed = self
            .identity
            .as_ref()
            .is_some_and(|known| *known != identity);
        self.identity = Some(identity);
        if changed {
            Renewed::Changed
        } else {
            Renewed::Same
        }
    }
}

impl Hub {
    /// Opens the lease and asks which life of the store this is.
    pub(super) async fn open_lease(&self) -> Result<StoreIdentity> {
        let leases = &self.ports.leases;
        self.in_time(
            "open the lease",
            leases.open(&self.node, self.config.lease_ttl),
        )
        .await?;
        self.in_time("ask the store's identity", leases.identity())
            .await
    }

    /// Renews the lease. When it is not there any more, opens another one and says so.
    pub(super) async fn renew_lease(&self) -> Result<(StoreIdentity, bool)> {
        let leases = &self.ports.leases;
        let ttl = self.config.lease_ttl;
        let renewed = self
            .in_time("renew the lease", leases.renew(&self.node, ttl))
            .await;
        match renewed {
            Ok(()) => {
                let identity = self
                    .in_time("ask the store's identity", leases.identity())
                    .await?;
                Ok((identity, false))
            }
            Err(error) if error.kind() == ErrorKind::NotFound => {
                tracing::warn!(node = %self.node.id, "the lease was lost, opening another");
                Ok((self.open_lease().await?, true))
            }
            Err(error) => Err(error),
        }
    }

    /// A call of a port, given up after its time limit.
    pub(crate) async fn in_time<T>(
        &self,
        operation: &'static str,
        call: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        let limit: Duration = self.config.call_timeout;
        match tokio::time::timeout(limit, call).await {
            Ok(answer) => answer,
            Err(_) => Err(Error::new(ErrorKind::Unavailable, operation)
                .with_context("time limit ms", limit.as_millis())),
        }
    }
}
