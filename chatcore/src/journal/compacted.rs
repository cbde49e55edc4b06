//! The compacted tables of the journal: only the newest value of each key is kept.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;

use crate::{
    error::Result,
    ids::{Offset, Partition},
};

/// Snapshots of customers and desks, by partition.
///
/// - **Ordering**: of two puts of a key the later call wins.
/// - **Durability**: a put is durable when it returns.
/// - **Cancellation**: a dropped `put` may or may not have happened.
/// - **Errors**: `Unavailable`, `Storage`.
///
/// ```
/// # use chatcore::{error::Result, ids::{Offset, Partition}, journal::SnapshotTable};
/// async fn newest(table: &dyn SnapshotTable) -> Result<Option<Offset>> {
///     let all = table.read(Partition(0)).await?;
///     Ok(all.iter().map(|(_, covered, _)| *covered).max())
/// }
/// ```
#[async_trait]
pub trait SnapshotTable: fmt::Debug + Send + Sync + 'static {
    /// Replaces the snapshots of these keys; each covers all decisions with a cause up to the
    /// offset. `None` forgets the key.
    ///
    /// # Errors
    /// `Unavailable`, `Storage`.
    async fn put(
        &self,
        partition: Partition,
        snapshots: Vec<(String, Offset, Option<Bytes>)>,
    ) -> Result<()>;

    /// All snapshots of a partition: key, covered offset, bytes; ordered by key.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    async fn read(&self, partition: Partition) -> Result<Vec<(String, Offset, Bytes)>>;
}

/// A change of the shared table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Counts the changes.
    pub version: u64,
    /// Which key.
    pub key: String,
    /// Its value now; `None` when removed.
    pub value: Option<Bytes>,
}

/// The compacted table that every node reads whole: revocations and configuration.
///
/// - **Ordering**: changes have one order, by `version`, the same for every reader.
/// - **Durability**: a put is durable when it returns.
/// - **Cancellation**: a dropped `put` may or may not have happened; `changes` may be dropped.
/// - **Errors**: `Unavailable`, `Storage`.
///
/// ```
/// # use chatcore::{error::Result, journal::SharedTable};
/// async fn revoke(table: &dyn SharedTable, session: &str) -> Result<u64> {
///     table.put(&format!("revoked/{session}"), Some("1".into())).await
/// }
/// ```
#[async_trait]
pub trait SharedTable: fmt::Debug + Send + Sync + 'static {
    /// Sets or removes a value; returns the change's version.
    ///
    /// # Errors
    /// `Unavailable`, `Storage`.
    async fn put(&self, key: &str, value: Option<Bytes>) -> Result<u64>;

    /// All values, and the version up to which they are told.
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    async fn read(&self) -> Result<(u64, Vec<(String, Bytes)>)>;

    /// The version of the newest change that is durable now, as the table itself says: whoever has
    /// the changes up to it has missed nothing until this was asked. Fails, rather than answering
    /// from memory, where the table can't be reached.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn newest(&self) -> Result<u64>;

    /// The changes after `version`; waits for at least one. Compaction may have dropped changes
    /// that a later one of the same key replaced.
    ///
    /// # Errors
    /// `Unavailable`, `Closed`.
    async fn changes(&self, version: u64) -> Result<Vec<Change>>;
}
