//! What goes straight along a dialog's routes: typing, and whether the customer is here. Never
//! stored, dropped first; nobody waits for it.

use std::sync::Arc;

use super::{Hub, State};
use crate::{
    ids::{DialogId, Node, Participant, StreamId},
    routing::frame::NodeFrame,
};

/// Something to be sent along the routes of a dialog.
#[derive(Debug)]
pub(super) enum Signal {
    /// Somebody types.
    Typing(DialogId, Participant),
    /// Whether the customer is here.
    TellHere(DialogId),
    /// The same, to the node that asked.
    AnswerHere(DialogId, Node),
    /// Asks whether the customer is there.
    AskHere(DialogId),
}

/// Typing that waits to be sent; more is dropped.
const TYPING_MAX: usize = 64;

impl State {
    pub(super) fn next_signal(&mut self) -> Option<Signal> {
        match self.typing.pop_front() {
            Some((dialog, participant)) => Some(Signal::Typing(dialog, participant)),
            None => self.customers.next_signal(),
        }
    }
}

impl Hub {
    /// Tells everybody in a dialog that somebody types; dropped when too many wait.
    pub(crate) fn typing(&self, dialog: DialogId, participant: Participant) {
        let mut state = self.state();
        if state.typing.len() < TYPING_MAX {
            state.typing.push_back((dialog, participant));
            drop(state);
            self.wake.notify_one();
        }
    }

    /// Sends it. Nobody notices when it is lost.
    pub(super) async fn send_signal(self: Arc<Self>, signal: Signal) {
        match signal {
            Signal::Typing(dialog, participant) => {
                self.fan_out_typing(dialog, &participant);
                let frame = NodeFrame::Typing {
                    dialog,
                    participant,
                };
                self.send_along(dialog, frame).await;
            }
            Signal::TellHere(dialog) => self.send_along(dialog, self.word_of(dialog)).await,
            Signal::AnswerHere(dialog, node) => {
                self.send_to(&node, Arc::new(self.word_of(dialog))).await;
            }
            Signal::AskHere(dialog) => {
                let node = self.node.clone();
                let frame = NodeFrame::AskHere { dialog, node };
                self.send_along(dialog, frame).await;
            }
        }
    }

    /// To all other nodes that follow the dialog.
    async fn send_along(&self, dialog: DialogId, frame: NodeFrame) {
        let stream = StreamId::Dialog(dialog);
        let routes = self.ports.streams.routes(&stream);
        let Ok(nodes) = self.in_time("read routes", routes).await else {
            return;
        };
        let frame = Arc::new(frame);
        for node in nodes.iter().filter(|n| **n != self.node) {
            self.send_to(node, Arc::clone(&frame)).await;
        }
    }

    async fn send_to(&self, node: &Node, frame: Arc<NodeFrame>) {
        let sent = self.ports.inbox.send(node, vec![frame]);
        if let Err(error) = self.in_time("send a signal", sent).await {
            tracing::debug!(%error, "a signal was lost");
        }
    }
}
