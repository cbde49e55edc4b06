//! All ports of a deployment in one place.

use std::sync::Arc;

use crate::{
    clock::Clock,
    journal::{DeadLetters, Journal, SharedTable, SnapshotTable},
    routing::NodeInbox,
    store::{Archive, IndexStore, LeaseStore, PartitionStore, StreamStore},
};

/// The backends that a `Chat` runs on. A backend crate fills in what it has.
#[derive(Debug, Clone)]
pub struct Ports {
    /// The truth.
    pub journal: Arc<dyn Journal>,
    /// Compacted snapshots.
    pub snapshots: Arc<dyn SnapshotTable>,
    /// Revocations and configuration.
    pub shared: Arc<dyn SharedTable>,
    /// What could not be done.
    pub dead_letters: Arc<dyn DeadLetters>,
    /// The live view, as owners of partitions use it.
    pub partitions: Arc<dyn PartitionStore>,
    /// The live view, as sessions use it.
    pub streams: Arc<dyn StreamStore>,
    /// Which nodes live.
    pub leases: Arc<dyn LeaseStore>,
    /// Lists built from events.
    pub index: Arc<dyn IndexStore>,
    /// Where streams go in the end.
    pub archive: Arc<dyn Archive>,
    /// The way to other nodes.
    pub inbox: Arc<dyn NodeInbox>,
    /// The wall clock.
    pub clock: Arc<dyn Clock>,
}
