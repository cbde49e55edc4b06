//! From the node's inbox to the sessions that wait for it.

use std::sync::{Arc, atomic::Ordering};

use super::{Hub, watch::Said};
use crate::{
    ids::{DialogId, StreamId},
    record::{Appended, CommandId},
    routing::{
        frame::NodeFrame,
        mailbox::{Item, Kept, Mailbox},
        opened::Opened,
    },
};

impl Hub {
    /// Hands a frame to the sessions that it is for. Nobody: a stale route, dropped in silence.
    pub(super) fn fan_out(&self, frame: &NodeFrame) {
        match frame {
            NodeFrame::Events(appended) => self.fan_out_events(appended),
            NodeFrame::Cursors { dialog, cursors } => {
                for mailbox in self.mailboxes(&StreamId::Dialog(*dialog)) {
                    mailbox.push(Item::Cursors(*dialog, cursors.clone()));
                }
            }
            NodeFrame::Typing {
                dialog,
                participant,
            } => self.fan_out_typing(*dialog, participant),
            NodeFrame::CustomerHere {
                dialog,
                node,
                order,
                here,
                at,
            } => {
                let (order, here, at) = (*order, *here, *at);
                self.heard_here(*dialog, node, Said { order, here, at });
            }
            NodeFrame::AskHere { dialog, node } => self.asked_here(*dialog, node),
            NodeFrame::Reply {
                session,
                target,
                id,
                reply,
            } => {
                let CommandId::Client { n, .. } = id else {
                    return;
                };
                let mailbox = self
                    .state()
                    .sessions
                    .get(session)
                    .map(|entry| Arc::clone(&entry.mailbox));
                if let Some(mailbox) = mailbox {
                    mailbox.keep(Kept::Reply {
                        target: target.clone(),
                        n: *n,
                        reply: reply.clone(),
                    });
                }
            }
        }
    }

    pub(super) fn fan_out_typing(&self, dialog: DialogId, participant: &crate::ids::Participant) {
        for mailbox in self.mailboxes(&StreamId::Dialog(dialog)) {
            mailbox.push(Item::Typing(dialog, participant.clone()));
        }
    }

    fn fan_out_events(&self, appended: &Appended) {
        let mailboxes = {
            let mut state = self.state();
            let Some(joined) = state.streams.get_mut(&appended.stream) else {
                return;
            };
            joined.seen = joined.seen.max(appended.upto().seq);
            joined.sessions.values().cloned().collect::<Vec<_>>()
        };
        match Opened::frame(self.sealer.as_ref(), appended) {
            Ok(opened) => {
                let opened = Arc::new(opened);
                for mailbox in mailboxes {
                    let frame = Item::Frame(appended.stream.clone(), Arc::clone(&opened));
                    mailbox.push(frame);
                }
            }
            // Told as a head, so that it is read, and opened, later.
            Err(error) => {
                self.counters.unopened.fetch_add(1, Ordering::Relaxed);
                tracing::warn!(%error, stream = %appended.stream, "a frame can't be opened now");
                for mailbox in mailboxes {
                    mailbox.push(Item::Head(appended.stream.clone(), appended.upto()));
                }
            }
        }
    }

    pub(super) fn mailboxes(&self, stream: &StreamId) -> Vec<Arc<Mailbox>> {
        self.state()
            .streams
            .get(stream)
            .map(|joined| joined.sessions.values().cloned().collect())
            .unwrap_or_default()
    }
}
