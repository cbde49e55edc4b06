//! The archive: where streams go when they leave the live view.

use std::fmt;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use super::Page;
use crate::{
    content::Sealed,
    error::Result,
    ids::{Seq, StreamId},
    record::{Position, StreamEvent},
};

/// A part of a stream.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Segment {
    /// Which stream.
    pub stream: StreamId,
    /// The position before the first event.
    pub after: Position,
    /// Consecutive, at least one.
    pub events: Vec<StreamEvent<Sealed>>,
}

/// Keeps streams for good.
///
/// - **Ordering**: segments of a stream may come twice and overlap; they never differ.
/// - **Atomicity**: a segment is there whole or not at all.
/// - **Durability**: durable when `put` returns.
/// - **Cancellation**: a dropped `put` may or may not have happened; it is idempotent.
/// - **Errors**: `Unavailable`, `Storage`, `Corrupt`.
///
/// ```
/// # use chatcore::{error::Result, ids::{Seq, StreamId}, store::Archive};
/// async fn has(archive: &dyn Archive, stream: &StreamId, seq: Seq) -> Result<bool> {
///     Ok(archive.covered(stream).await? >= seq)
/// }
/// ```
#[async_trait]
pub trait Archive: fmt::Debug + Send + Sync + 'static {
    /// Keeps a segment.
    ///
    /// # Errors
    /// As above.
    async fn put(&self, segment: Segment) -> Result<()>;

    /// At most `limit` events after `after`, the oldest. Without the event `after` itself there are
    /// none, and the page is one after the last event below it: what is not there has no hash that
    /// anybody could compare.
    ///
    /// # Errors
    /// As above.
    async fn read(&self, stream: &StreamId, after: Seq, limit: usize) -> Result<Page>;

    /// Up to which event, from the first on and without a hole, the stream is kept.
    ///
    /// # Errors
    /// As above.
    async fn covered(&self, stream: &StreamId) -> Result<Seq>;
}
