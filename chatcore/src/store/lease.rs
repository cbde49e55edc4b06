//! Leases: which nodes live.

use std::{fmt, time::Duration};

use async_trait::async_trait;

use crate::{error::Result, ids::Node};

/// Which life of the store this is; changes when it was emptied, failed over or was restarted
/// without its memory.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StoreIdentity(pub String);

/// One lease per node; all routes of a node without one are void.
///
/// - **Ordering**: serial per node.
/// - **Atomicity**: renewing extends a lease that is there and never creates one.
/// - **Durability**: none; the loss of a lease is noticed at the next renewal.
/// - **Cancellation**: a dropped call may or may not have happened.
/// - **Errors**: `NotFound` when a lease to renew is not there; `Unavailable`.
///
/// ```
/// # use std::time::Duration;
/// # use chatcore::{error::{ErrorKind, Result}, ids::Node, store::LeaseStore};
/// async fn keep(leases: &dyn LeaseStore, node: &Node) -> Result<bool> {
///     match leases.renew(node, Duration::from_secs(15)).await {
///         Ok(()) => Ok(true),
///         Err(e) if e.kind() == ErrorKind::NotFound => Ok(false),
///         Err(e) => Err(e),
///     }
/// }
/// ```
#[async_trait]
pub trait LeaseStore: fmt::Debug + Send + Sync + 'static {
    /// Opens the node's lease, or extends it.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn open(&self, node: &Node, ttl: Duration) -> Result<()>;

    /// Extends the lease that is there.
    ///
    /// # Errors
    /// `NotFound` when it has lapsed or was lost.
    async fn renew(&self, node: &Node, ttl: Duration) -> Result<()>;

    /// Gives the lease up at once.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn close(&self, node: &Node) -> Result<()>;

    /// The nodes with a lease.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn alive(&self) -> Result<Vec<Node>>;

    /// Which life of the store this is.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn identity(&self) -> Result<StoreIdentity>;
}
