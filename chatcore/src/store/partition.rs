//! The store as the owner of a partition uses it.

use std::{collections::BTreeMap, fmt, sync::Arc};

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{
    clock::Timestamp,
    error::Result,
    ids::{Fence, Incarnation, Node, Offset, Partition, StreamId, Target},
    record::Decision,
};

/// Where a partition stands in the store.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Mark {
    /// The newest owner's fence.
    pub fence: Fence,
    /// The journal whose records were applied.
    pub incarnation: Incarnation,
    /// The offset after the last command that was applied.
    pub applied: Offset,
    /// Decisions with a cause below this were emitted and committed; the outbox holds the rest.
    pub trimmed: Offset,
    /// Whether the view is whole. False in an empty store: sessions are told `rebuilding`.
    pub built: bool,
    /// Dialogs opened in this partition so far.
    pub dialogs: u64,
    /// The last follow-up received from each partition: its cause and index.
    pub received: BTreeMap<Partition, (Offset, u32)>,
    /// Where the next owner begins to read the journal's `events`, to find what was published.
    #[serde(default)]
    pub events: Offset,
    /// The command that is being tried alone, as the last owners died over it.
    #[serde(default)]
    pub trial: Option<Trial>,
}

/// A command that may have killed the owners who tried it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trial {
    /// Its offset.
    pub offset: Offset,
    /// The nodes that were about to decide it, each once, the last one last.
    pub nodes: Vec<Node>,
}

/// A decision with its encoded form, so that it is encoded once.
#[derive(Debug, Clone)]
pub struct StoredDecision {
    /// The decision.
    pub decision: Arc<Decision>,
    /// [`record::encode`](crate::record::encode) of it.
    pub bytes: Bytes,
}

/// When a timer of a target is due.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DueLine {
    /// Not before this.
    pub at: Timestamp,
    /// Whose timer.
    pub target: Target,
    /// An encoded timer key; opaque to the store.
    pub key: Bytes,
    /// Changes whenever the timer is set anew.
    pub generation: u64,
}

/// What one batch of one partition's commands led to. It may be empty, with `applied` as it was:
/// then it only sets what else it carries.
#[derive(Debug, Clone)]
pub struct PartitionBatch {
    /// The partition.
    pub partition: Partition,
    /// The owner's fence; a higher one in the store refuses the batch.
    pub fence: Fence,
    /// Must be the store's.
    pub incarnation: Incarnation,
    /// Must be the store's `applied` before.
    pub expected: Offset,
    /// The store's `applied` after.
    pub applied: Offset,
    /// The decisions, in order. Their events are appended to the streams, they themselves to the
    /// tail of their target's state and, from [`Mark::trimmed`] on, to the outbox.
    pub decisions: Vec<StoredDecision>,
    /// New snapshots: each replaces the target's former one and its tail of decisions.
    pub snapshots: Vec<(Target, Bytes)>,
    /// For each target whose timers changed: all its due-lines from now on.
    pub due: Vec<(Target, Vec<DueLine>)>,
    /// [`Mark::dialogs`] after.
    pub dialogs: u64,
    /// Follow-ups received, to be put over [`Mark::received`].
    pub received: BTreeMap<Partition, (Offset, u32)>,
    /// [`Mark::events`] after.
    pub events: Offset,
    /// [`Mark::trial`] after.
    pub trial: Option<Trial>,
    /// Streams that leave the live view after the decisions: the archive has them. All of each
    /// goes, with its cursors and routes; one that is not there is fine.
    pub forget: Vec<StreamId>,
}

/// What a save answers.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Saved {
    /// The nodes that follow each stream that the batch wrote events or cursors to, as of the
    /// save. Nodes without a live lease may be left out.
    pub routes: BTreeMap<StreamId, Vec<Node>>,
}

/// A step of building a partition again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Rebuild {
    /// Forgets all that the store has of this partition but its fence and its routes, and sets
    /// all else of the mark as given; not built.
    Begin(Mark),
    /// The view is whole, and is built from now on.
    Done {
        /// Of the journal that it was built from.
        incarnation: Incarnation,
        /// Where it has come to.
        applied: Offset,
    },
}

/// The store as the owner of a partition uses it.
///
/// - **Ordering**: saves of a partition are serial with one another and with
///   [`StreamStore::follow`](super::StreamStore::follow) of its streams: whoever is second sees
///   what the first wrote.
/// - **Atomicity**: each partition's batch is applied whole or not at all; everything is checked
///   before the first write. Batches of different partitions in one `save` are independent.
/// - **Durability**: what the backend promises; the owner copes with the loss of any suffix.
/// - **Cancellation**: a dropped call may or may not have happened; the `applied` of
///   [`marks`](Self::marks) tells.
/// - **Errors**: `Conflict` when fence, incarnation or `applied` is another's; `Overloaded`,
///   `Unavailable`, `Storage`.
///
/// ```
/// # use chatcore::{error::Result, ids::{Fence, Partition}, store::PartitionStore};
/// async fn own(store: &dyn PartitionStore) -> Result<Fence> {
///     Ok(store.take(Partition(0), Fence(0)).await?.fence)
/// }
/// ```
#[async_trait]
pub trait PartitionStore: fmt::Debug + Send + Sync + 'static {
    /// Takes the partition: the fence becomes higher than the stored one and than `above`.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn take(&self, partition: Partition, above: Fence) -> Result<Mark>;

    /// Applies the batches and reads the routes of the streams they wrote to, one result a batch.
    ///
    /// # Errors
    /// The outer error when nothing is known of any batch; the inner ones as above.
    async fn save(&self, batches: Vec<PartitionBatch>) -> Result<Vec<Result<Saved>>>;

    /// The decisions of the outbox, in order: those at or above [`Mark::trimmed`].
    ///
    /// # Errors
    /// `Unavailable`, `Corrupt`.
    async fn outbox(&self, partition: Partition) -> Result<Vec<Decision>>;

    /// Decisions with a cause below `before` were emitted and committed.
    ///
    /// # Errors
    /// `Conflict` when the fence is lower than the stored one.
    async fn trim(&self, partition: Partition, fence: Fence, before: Offset) -> Result<()>;

    /// Where these partitions stand.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn marks(&self, partitions: &[Partition]) -> Result<Vec<Mark>>;

    /// A step of building a partition again; between the steps decisions are saved as usual.
    ///
    /// # Errors
    /// `Conflict` when the fence is lower than the stored one. For [`Rebuild::Done`] as well unless
    /// fence, incarnation and `applied` are those stored: the store has lost some of what was put
    /// there, and must not take the rest for all.
    async fn rebuild(&self, partition: Partition, fence: Fence, step: Rebuild) -> Result<()>;

    /// At most `limit` due-lines of a partition that are due at `until`, earliest first.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn due(
        &self,
        partition: Partition,
        until: Timestamp,
        limit: usize,
    ) -> Result<Vec<DueLine>>;
}
