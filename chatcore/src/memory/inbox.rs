//! Inboxes in process.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use async_trait::async_trait;
use tokio::sync::mpsc;

use super::lock;
use crate::{
    error::{Error, ErrorKind, Result},
    ids::Node,
    routing::{Inbox, InboxEvent, NodeFrame, NodeInbox},
};

/// Frames that wait for a node; past it they are dropped, and the node is told of the gap.
const FRAMES_MAX: usize = 16_384;

/// [`NodeInbox`] in process.
#[derive(Debug, Default)]
pub struct MemoryInboxes {
    inboxes: Mutex<BTreeMap<Node, Entry>>,
}

#[derive(Debug, Clone)]
struct Entry {
    frames: mpsc::Sender<Arc<NodeFrame>>,
    dropped: Arc<AtomicBool>,
}

#[async_trait]
impl NodeInbox for MemoryInboxes {
    async fn send(&self, node: &Node, frames: Vec<Arc<NodeFrame>>) -> Result<()> {
        let entry = lock(&self.inboxes).get(node).cloned();
        let nobody =
            || Error::new(ErrorKind::NotFound, "send to a node").with_context("node", &node.id);
        let entry = entry.ok_or_else(nobody)?;
        for frame in frames {
            match entry.frames.try_send(frame) {
                Ok(()) => {}
                Err(mpsc::error::TrySendError::Full(_)) => {
                    entry.dropped.store(true, Ordering::Release);
                    return Err(Error::new(ErrorKind::Overloaded, "send to a node")
                        .with_context("node", &node.id)
                        .with_context("frames waiting", FRAMES_MAX));
                }
                Err(mpsc::error::TrySendError::Closed(_)) => return Err(nobody()),
            }
        }
        Ok(())
    }

    async fn receive(&self, node: &Node) -> Result<Box<dyn Inbox>> {
        let (sender, frames) = mpsc::channel(FRAMES_MAX);
        let dropped = Arc::new(AtomicBool::new(false));
        let entry = Entry {
            frames: sender,
            dropped: dropped.clone(),
        };
        lock(&self.inboxes).insert(node.clone(), entry);
        Ok(Box::new(MemoryInbox { frames, dropped }))
    }
}

#[derive(Debug)]
struct MemoryInbox {
    frames: mpsc::Receiver<Arc<NodeFrame>>,
    dropped: Arc<AtomicBool>,
}

#[async_trait]
impl Inbox for MemoryInbox {
    async fn next(&mut self) -> Result<InboxEvent> {
        // The gap is told once what came before it has been read, so that a check of the heads
        // finds room.
        if self.frames.is_empty() && self.dropped.swap(false, Ordering::AcqRel) {
            return Ok(InboxEvent::Gap);
        }
        match self.frames.recv().await {
            Some(frame) => Ok(InboxEvent::Frame(frame)),
            None => Err(Error::new(ErrorKind::Closed, "receive frames")),
        }
    }
}
