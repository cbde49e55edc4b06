//! The inbox of a node: how frames reach it.

use std::{fmt, sync::Arc};

use async_trait::async_trait;

use super::frame::NodeFrame;
use crate::{error::Result, ids::Node};

/// What an inbox hands out.
#[derive(Debug, Clone)]
pub enum InboxEvent {
    /// A frame.
    Frame(Arc<NodeFrame>),
    /// The path was broken and is back, or frames were dropped: check all heads.
    Gap,
}

/// Sends frames to nodes and receives one's own.
///
/// - **Ordering**: none promised; frames may be dropped, repeated and reordered.
/// - **Atomicity**: a frame arrives whole or not at all.
/// - **Durability**: none.
/// - **Cancellation**: `send` may be dropped; some frames may have gone out.
/// - **Errors**: `NotFound` when nobody receives for that node (a stale route); `Overloaded` when
///   its inbox is full and the sender can know it. In either case of a full inbox the frames are
///   dropped, and the inbox will tell [`InboxEvent::Gap`].
///
/// ```
/// # use std::sync::Arc;
/// # use chatcore::{error::Result, ids::Node, routing::{NodeFrame, NodeInbox}};
/// async fn tell(inboxes: &dyn NodeInbox, node: &Node, frame: NodeFrame) -> Result<()> {
///     inboxes.send(node, vec![Arc::new(frame)]).await
/// }
/// ```
#[async_trait]
pub trait NodeInbox: fmt::Debug + Send + Sync + 'static {
    /// Sends frames to a node.
    ///
    /// # Errors
    /// As above.
    async fn send(&self, node: &Node, frames: Vec<Arc<NodeFrame>>) -> Result<()>;

    /// Receives what is sent to this node from now on. A second call replaces the first.
    ///
    /// # Errors
    /// `Unavailable`.
    async fn receive(&self, node: &Node) -> Result<Box<dyn Inbox>>;
}

/// The receiving end of a node's inbox.
///
/// - **Cancellation**: `next` may be dropped; nothing is skipped.
/// - **Errors**: `Closed` once replaced or shut down.
///
/// ```
/// # use chatcore::{error::Result, routing::{Inbox, InboxEvent}};
/// async fn first_gap(mut inbox: Box<dyn Inbox>) -> Result<()> {
///     while !matches!(inbox.next().await?, InboxEvent::Gap) {}
///     Ok(())
/// }
/// ```
#[async_trait]
pub trait Inbox: fmt::Debug + Send + 'static {
    /// What comes next; waits for it.
    ///
    /// # Errors
    /// As above.
    async fn next(&mut self) -> Result<InboxEvent>;
}
