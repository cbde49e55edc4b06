//! Inboxes in process.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use tokio::{
    sync::mpsc,
    time::{Instant, timeout_at},
};

use super::lock;
use crate::{
    error::{Error, ErrorKind, Result},
    ids::Node,
    routing::{Inbox, InboxEvent, NodeFrame, NodeInbox},
};

/// Frames that wait for a node; past it a sender waits for room.
const FRAMES_MAX: usize = 16_384;
/// Longest wait for room; past it frames are dropped, and the node is told of the gap. A node that
/// is up makes room within milliseconds, and what is dropped costs it far more than a wait: a
/// look at the head of each stream, and the replies, which nobody can read again.
const ROOM_WAIT_MAX: Duration = Duration::from_millis(250);

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
        let unsent = Unsent(Some(&entry.dropped));
        let mut until = None;
        for frame in frames {
            let sent = match entry.frames.try_send(frame) {
                Err(mpsc::error::TrySendError::Full(frame)) => {
                    let until = *until.get_or_insert_with(|| Instant::now() + ROOM_WAIT_MAX);
                    let sent = timeout_at(until, entry.frames.send(frame)).await;
                    sent.map_err(|_| {
                        Error::new(ErrorKind::Overloaded, "send to a node")
                            .with_context("node", &node.id)
                            .with_context("frames waiting", FRAMES_MAX)
                    })?
                    .map_err(|_| nobody())
                }
                sent => sent.map_err(|_| nobody()),
            };
            sent?;
        }
        unsent.none();
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

/// Notes that frames were dropped, however the sending ends, unless there are none.
struct Unsent<'a>(Option<&'a AtomicBool>);

impl Unsent<'_> {
    fn none(mut self) {
        self.0 = None;
    }
}

impl Drop for Unsent<'_> {
    fn drop(&mut self) {
        if let Some(dropped) = self.0 {
            dropped.store(true, Ordering::Release);
        }
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{DialogId, NodeEpoch, NodeId, Participant};

    fn here() -> Node {
        Node {
            id: NodeId::try_new("n1").unwrap(),
            epoch: NodeEpoch(1),
        }
    }

    fn frames(count: usize) -> Vec<Arc<NodeFrame>> {
        let typing = NodeFrame::Typing {
            dialog: DialogId(1),
            participant: Participant::System,
        };
        let typing = Arc::new(typing);
        vec![typing; count]
    }

    #[tokio::test(start_paused = true)]
    async fn a_sender_waits_for_a_node_that_makes_room() {
        let inboxes = MemoryInboxes::default();
        let mut inbox = inboxes.receive(&here()).await.unwrap();
        let here = here();
        let receiving = async {
            for _ in 0..3 * FRAMES_MAX {
                let next = inbox.next().await.unwrap();
                assert!(matches!(next, InboxEvent::Frame(_)), "{next:?}");
            }
        };
        let (sent, ()) = tokio::join!(inboxes.send(&here, frames(3 * FRAMES_MAX)), receiving);
        sent.unwrap();
    }

    #[tokio::test(start_paused = true)]
    async fn who_gives_up_waiting_for_room_leaves_a_gap() {
        let inboxes = MemoryInboxes::default();
        let mut inbox = inboxes.receive(&here()).await.unwrap();
        inboxes.send(&here(), frames(FRAMES_MAX)).await.unwrap();
        let soon = Instant::now() + ROOM_WAIT_MAX / 2;
        let sent = timeout_at(soon, inboxes.send(&here(), frames(1))).await;
        assert!(sent.is_err(), "there is no room");
        for _ in 0..FRAMES_MAX {
            let next = inbox.next().await.unwrap();
            assert!(matches!(next, InboxEvent::Frame(_)), "{next:?}");
        }
        assert!(matches!(inbox.next().await.unwrap(), InboxEvent::Gap));
    }
}
