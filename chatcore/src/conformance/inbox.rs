//! What a [`NodeInbox`](crate::routing::NodeInbox) promises.

use std::sync::Arc;

use tokio::time::timeout;

use super::samples::{LONG, node};
use crate::{
    error::ErrorKind,
    ids::{DialogId, Participant},
    ports::Ports,
    routing::{Inbox, InboxEvent, NodeFrame},
};

fn typing(dialog: u64) -> Arc<NodeFrame> {
    Arc::new(NodeFrame::Typing {
        dialog: DialogId(dialog),
        participant: Participant::Bot,
    })
}

async fn next(inbox: &mut dyn Inbox) -> InboxEvent {
    timeout(LONG, inbox.next())
        .await
        .expect("an event")
        .unwrap()
}

/// A frame reaches the node that it was sent to, and no other.
pub async fn a_frame_reaches_its_node_only(ports: Ports) {
    let (one, two) = (node("n1"), node("n2"));
    let mut inbox_one = ports.inbox.receive(&one).await.unwrap();
    let mut inbox_two = ports.inbox.receive(&two).await.unwrap();
    ports
        .inbox
        .send(&one, vec![typing(1), typing(2)])
        .await
        .unwrap();
    ports.inbox.send(&two, vec![typing(3)]).await.unwrap();
    for (inbox, dialogs) in [(&mut inbox_one, vec![1, 2]), (&mut inbox_two, vec![3])] {
        for dialog in dialogs {
            match next(inbox.as_mut()).await {
                InboxEvent::Frame(frame) => assert_eq!(frame, typing(dialog)),
                InboxEvent::Gap => panic!("nothing was dropped"),
            }
        }
    }
}

/// Sending to a node that does not receive tells of the stale route.
pub async fn a_frame_to_nobody_is_not_found(ports: Ports) {
    let error = ports
        .inbox
        .send(&node("nobody"), vec![typing(1)])
        .await
        .unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
    let here = node("n1");
    drop(ports.inbox.receive(&here).await.unwrap());
    let error = ports.inbox.send(&here, vec![typing(1)]).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

/// Frames in one call of the overflow.
const SENT_AT_ONCE: u64 = 100;
/// More frames than an inbox may hold.
const SENT_MAX: u64 = 100_000;

/// Whatever is dropped is told as a gap; frames that were taken are not lost before it.
///
/// A way that asks the inbox first tells the sender, too. One that publishes can't: there the
/// frames go out, and only the receiver knows that they found no room. Both are right, since it is
/// the gap that is promised.
pub async fn an_overflow_is_told_as_a_gap(ports: Ports) {
    let here = node("n1");
    let mut inbox = ports.inbox.receive(&here).await.unwrap();
    let mut sent = 0;
    while sent < SENT_MAX {
        let frames = (sent..sent + SENT_AT_ONCE).map(typing).collect();
        sent += SENT_AT_ONCE;
        if let Err(error) = ports.inbox.send(&here, frames).await {
            assert_eq!(error.kind(), ErrorKind::Overloaded);
            break;
        }
    }
    for dialog in 0.. {
        match next(inbox.as_mut()).await {
            InboxEvent::Frame(frame) if dialog < sent => assert_eq!(frame, typing(dialog)),
            InboxEvent::Frame(_) => panic!("an inbox is bounded"),
            InboxEvent::Gap => return,
        }
    }
}
