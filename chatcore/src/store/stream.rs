//! The store as sessions use it: following streams and reading them.

use std::fmt;

use async_trait::async_trait;
use bytes::Bytes;

use crate::{
    content::Sealed,
    error::Result,
    ids::{Node, Seq, StreamId, Target},
    record::{Access, CursorMove, Decision, Position, StreamEvent},
};

/// From where a stream is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FollowFrom {
    /// After what the follower has.
    After(Position),
    /// The newest events, at most this many.
    Tail(usize),
}

/// Follows a stream.
#[derive(Debug, Clone)]
pub struct Follow {
    /// Which.
    pub stream: StreamId,
    /// The route to write.
    pub node: Node,
    /// What to read with it.
    pub from: FollowFrom,
    /// At most this many events, the oldest of those asked for.
    pub limit: usize,
}

/// What following answers, all as of one moment.
#[derive(Debug, Clone)]
pub struct Followed {
    /// The first page of what was asked for.
    pub page: Page,
    /// The last event of the stream.
    pub head: Position,
    /// How far each participant is (dialogs only).
    pub cursors: Vec<CursorMove>,
    /// Who may see the stream now; `None` when it has no event yet, or has left the live view.
    pub access: Option<Access>,
}

/// Consecutive events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The position before the first. With [`FollowFrom::After`] its hash is the *store's* at that
    /// `seq`: another one than the follower's means that their histories differ.
    pub after: Position,
    /// In order; may be empty.
    pub events: Vec<StreamEvent<Sealed>>,
}

impl Page {
    /// The position after the last event.
    #[must_use]
    pub fn upto(&self) -> Position {
        self.events.last().map_or(self.after, |e| Position {
            seq: e.seq,
            hash: e.hash,
        })
    }
}

/// Reads a range of a stream.
#[derive(Debug, Clone)]
pub struct ReadRange {
    /// Which.
    pub stream: StreamId,
    /// After this one.
    pub after: Seq,
    /// Up to and with this one, or the head if that is lower.
    pub upto: Seq,
    /// At most this many events, the oldest.
    pub limit: usize,
}

/// A target's state: a snapshot, and the decisions after it.
#[derive(Debug, Clone, Default)]
pub struct StoredState {
    /// The snapshot, if one was written.
    pub snapshot: Option<Bytes>,
    /// The decisions after it, in order.
    pub decisions: Vec<Decision>,
}

/// The store as sessions and owners read it.
///
/// - **Ordering**: `follow` is serial with every save of the stream's partition: an event is in
///   its page (or below `head`), or the save that writes it sees the route.
/// - **Atomicity**: `follow` writes the route and reads as one step.
/// - **Durability**: a route lives as long as the node's lease; it may be lost with the store.
/// - **Cancellation**: a dropped `follow` may have written the route; that is harmless.
/// - **Errors**: `Rebuilding` while the stream's partition is not built; `Overloaded`,
///   `Unavailable`. A stream without events is not an error: its head is 0.
///
/// ```
/// # use chatcore::{error::Result, ids::{Seq, StreamId}, record::Position, store::{ReadRange, StreamStore}};
/// async fn whole(store: &dyn StreamStore, stream: StreamId) -> Result<Position> {
///     let page = store
///         .read(ReadRange { stream, after: Seq(0), upto: Seq(u64::MAX), limit: 1_000 })
///         .await?;
///     Ok(page.upto())
/// }
/// ```
#[async_trait]
pub trait StreamStore: fmt::Debug + Send + Sync + 'static {
    /// Writes the route and reads the first page, in one step.
    ///
    /// # Errors
    /// As above.
    async fn follow(&self, follow: Follow) -> Result<Followed>;

    /// Removes the node's route; no route is fine.
    ///
    /// # Errors
    /// As above.
    async fn unfollow(&self, stream: &StreamId, node: &Node) -> Result<()>;

    /// Reads a range; falls through to the archive for what has left the live view. A page may end
    /// where the live view begins; the next one goes on there.
    ///
    /// # Errors
    /// As above; `Corrupt` when neither the live view nor the archive has what a dialog had.
    async fn read(&self, range: ReadRange) -> Result<Page>;

    /// The last positions of these streams, in their order; 0 for an empty one, and for one that
    /// has left the live view.
    ///
    /// # Errors
    /// As above.
    async fn heads(&self, streams: &[StreamId]) -> Result<Vec<Position>>;

    /// The nodes that follow a stream, for what is not an event (typing).
    ///
    /// # Errors
    /// As above.
    async fn routes(&self, stream: &StreamId) -> Result<Vec<Node>>;

    /// The states of these targets, in their order. Answered while the partition is not built,
    /// too: its owner builds upon it. Others follow a stream of it first.
    ///
    /// # Errors
    /// As above, but not `Rebuilding`.
    async fn load(&self, targets: &[Target]) -> Result<Vec<StoredState>>;
}
