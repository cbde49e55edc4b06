//! Frames that wait for their node: bounded in frames and in bytes.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use async_trait::async_trait;
use chatcore::{
    error::{Error, ErrorKind, Result},
    routing::{Inbox, InboxEvent, NodeFrame},
};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::{CancellationToken, DropGuard};

/// Frames that wait; past it they are dropped, and the node is told of the gap.
const FRAMES_MAX: usize = 16_384;
/// Bytes that wait, as they were sent.
const BYTES_MAX: usize = 64 << 20;

/// What sender and receiver share.
#[derive(Debug, Default)]
struct Shared {
    bytes: AtomicUsize,
    gap: Notify,
}

/// Where what was received is put.
#[derive(Debug)]
pub(super) struct Sender {
    frames: mpsc::Sender<(Arc<NodeFrame>, usize)>,
    shared: Arc<Shared>,
}

impl Sender {
    /// Puts a frame at the end, or drops it for a gap.
    pub(super) fn put(&self, frame: Arc<NodeFrame>, bytes: usize) {
        let before = self.shared.bytes.fetch_add(bytes, Ordering::AcqRel);
        let is_full = before.saturating_add(bytes) > BYTES_MAX && before > 0;
        if is_full || self.frames.try_send((frame, bytes)).is_err() {
            self.shared.bytes.fetch_sub(bytes, Ordering::AcqRel);
            self.gap();
        }
    }

    /// Something may be missing from here on.
    pub(super) fn gap(&self) {
        self.shared.gap.notify_one();
    }
}

/// The receiving end of a node's inbox. Dropped, it ends the subscription.
#[derive(Debug)]
pub(super) struct Queue {
    frames: mpsc::Receiver<(Arc<NodeFrame>, usize)>,
    shared: Arc<Shared>,
    _ends_with_this: DropGuard,
}

/// A queue whose drop cancels `subscription`.
pub(super) fn queue(subscription: CancellationToken) -> (Sender, Queue) {
    let (sender, frames) = mpsc::channel(FRAMES_MAX);
    let shared = Arc::new(Shared::default());
    let queue = Queue {
        frames,
        shared: Arc::clone(&shared),
        _ends_with_this: subscription.drop_guard(),
    };
    let sender = Sender {
        frames: sender,
        shared,
    };
    (sender, queue)
}

#[async_trait]
impl Inbox for Queue {
    async fn next(&mut self) -> Result<InboxEvent> {
        tokio::select! {
            // The gap is told once what came before it has been read, so that a check of the
            // heads finds room.
            biased;
            frame = self.frames.recv() => match frame {
                Some((frame, bytes)) => {
                    self.shared.bytes.fetch_sub(bytes, Ordering::AcqRel);
                    Ok(InboxEvent::Frame(frame))
                }
                None => Err(Error::new(ErrorKind::Closed, "receive frames")),
            },
            () = self.shared.gap.notified() => Ok(InboxEvent::Gap),
        }
    }
}

#[cfg(test)]
mod tests {
    use chatcore::ids::{DialogId, Participant};

    use super::*;

    fn typing() -> Arc<NodeFrame> {
        Arc::new(NodeFrame::Typing {
            dialog: DialogId(1),
            participant: Participant::Bot,
        })
    }

    async fn frames_before_a_gap(bytes: usize) -> usize {
        let (sender, mut queue) = queue(CancellationToken::new());
        for _ in 0..2 * FRAMES_MAX {
            sender.put(typing(), bytes);
        }
        let mut frames = 0;
        while let InboxEvent::Frame(_) = queue.next().await.unwrap() {
            frames += 1;
        }
        sender.put(typing(), bytes);
        let next = queue.next().await.unwrap();
        assert!(matches!(next, InboxEvent::Frame(_)), "there is room again");
        frames
    }

    #[tokio::test]
    async fn past_its_bounds_it_drops_and_tells_of_the_gap_at_the_end() {
        assert_eq!(frames_before_a_gap(10).await, FRAMES_MAX);
        assert_eq!(frames_before_a_gap(1 << 20).await, BYTES_MAX >> 20);
    }

    #[tokio::test]
    async fn a_frame_that_alone_is_past_the_bound_is_taken() {
        assert_eq!(frames_before_a_gap(2 * BYTES_MAX).await, 1);
    }

    #[tokio::test]
    async fn a_gap_wakes_who_waits_and_the_end_is_told() {
        let (sender, mut queue) = queue(CancellationToken::new());
        let told = async {
            tokio::task::yield_now().await;
            sender.gap();
        };
        let (event, ()) = tokio::join!(queue.next(), told);
        assert!(matches!(event.unwrap(), InboxEvent::Gap));
        drop(sender);
        assert_eq!(queue.next().await.unwrap_err().kind(), ErrorKind::Closed);
    }
}
