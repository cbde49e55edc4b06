//! Who has a dialog: from the bot to people, from one to another, and back to the queue.

use super::scene::{Author, Scene, Verdict, Waiting, at_most, fits};
use crate::{
    clock::Timestamp,
    content::Sealed,
    dialog::{
        DialogEvent, HandOver, Phase, Rejection, TransferTo, limits::BOT_REPLIES_MAX,
        state::CustomerState,
    },
    ids::{DeskId, DialogId, GrantId, Label, OwnerEpoch, Participant, QueueRef, Seq},
    machine::{Context, Decided},
};

impl Scene<'_> {
    /// The customer asks for a person: out of the bot's hands, or out of the line of one queue
    /// into another's. Asking again for what was asked for changes nothing.
    pub(super) fn ask_person(&self, queue: Option<&QueueRef>) -> Verdict {
        self.only_in(&[Phase::Bot, Phase::Waiting])?;
        let queue = queue.unwrap_or(&self.dialog.queue);
        if self.dialog.phase == Phase::Waiting && *queue == self.dialog.queue {
            return Ok(self.accepted());
        }
        let waiting = Waiting::new(queue, Label::literal("asked"), self.cx.at);
        Ok(self.waits(self.accepted(), waiting))
    }

    /// Whether the bot has the dialog and has seen all that matters: the customer's last message
    /// and its own. Answers come at least once; the second finds what the first one said.
    pub(super) fn bot_may_answer(&self, seen: Seq, epoch: OwnerEpoch) -> Result<(), Rejection> {
        self.only_in(&[Phase::Bot])?;
        if epoch != self.dialog.epoch {
            return Err(Rejection::StaleEpoch {
                current: self.dialog.epoch,
            });
        }
        let head = self.dialog.position.seq;
        if seen < self.dialog.last_customer || seen > head {
            return Err(Rejection::Stale { head });
        }
        if seen < self.dialog.last_bot {
            return Err(Rejection::AlreadyDone);
        }
        Ok(())
    }

    /// What the bot says, then the hand-over to people.
    pub(super) fn bot_answer(&self, replies: &[Sealed], hand_over: Option<&HandOver>) -> Verdict {
        at_most(replies.len(), BOT_REPLIES_MAX)?;
        replies.iter().try_for_each(fits)?;
        let said = replies.iter().fold(self.accepted(), |decided, body| {
            self.and(
                decided,
                DialogEvent::Message {
                    author: Participant::Bot,
                    body: body.clone(),
                    reply_to: None,
                    assurance: None,
                },
            )
        });
        let Some(HandOver { queue, reason }) = hand_over else {
            return Ok(said);
        };
        let queue = queue.as_ref().unwrap_or(&self.dialog.queue);
        Ok(self.waits(said, Waiting::new(queue, reason.clone(), self.cx.at)))
    }

    /// The owner passes the dialog on. It keeps its place only in the line that it came from; in
    /// another it starts anew, as those who wait there have waited for that very skill.
    pub(super) fn transfer(
        &self,
        epoch: OwnerEpoch,
        to: &TransferTo,
        note: Option<&Sealed>,
    ) -> Verdict {
        let author = self.owned_by_author(Some(epoch))?;
        self.only_in(&[Phase::Assigned, Phase::OnHold])?;
        let reason = Label::literal("transferred");
        let waiting = match to {
            TransferTo::Queue(queue) => Waiting::new(queue, reason, self.cx.at),
            TransferTo::Operator { operator, .. } if operator == author => {
                return Err(Rejection::AlreadyOwned { by: author.clone() });
            }
            TransferTo::Operator {
                desk,
                operator,
                queue,
            } => {
                let own = &self.dialog.queue;
                let queue = match queue {
                    Some(queue) => QueueRef {
                        desk: desk.clone(),
                        queue: queue.clone(),
                    },
                    None if own.desk == *desk => own.clone(),
                    None => return Err(Rejection::UnknownQueue),
                };
                Waiting {
                    pass: Some(operator.clone()),
                    ..Waiting::new(&queue, reason, self.since_in(&queue))
                }
            }
        };
        let mut decided = self.accepted();
        if let Some(body) = note {
            fits(body)?;
            decided = self.and(
                decided,
                DialogEvent::Note {
                    author: self.cx.author.clone(),
                    body: body.clone(),
                },
            );
        }
        Ok(self.waits(decided, waiting))
    }

    /// The owner gives the dialog back to the line it came from, at its old place.
    pub(super) fn return_to_queue(&self, epoch: OwnerEpoch) -> Verdict {
        self.owned_by_author(Some(epoch))?;
        self.only_in(&[Phase::Assigned, Phase::OnHold])?;
        let waiting = self.back_in_line(Label::literal("returned"));
        Ok(self.waits(self.accepted(), waiting))
    }

    fn back_in_line(&self, reason: Label) -> Waiting {
        Waiting::new(&self.dialog.queue, reason, self.kept_since())
    }

    fn since_in(&self, queue: &QueueRef) -> Timestamp {
        if *queue == self.dialog.queue {
            self.kept_since()
        } else {
            self.cx.at
        }
    }
}

impl CustomerState {
    /// A desk says that the operator of its grant has vanished. If that ownership stands, the
    /// dialog goes back into the line at its old place. In wrap-up the customer is done, so
    /// instead of coming back to the line it is closed. If it does not stand, the desk heard
    /// `Freed` when it ended, and a second one would only look like a slot freed twice.
    pub(super) fn owner_lost(
        &self,
        cx: &Context,
        dialog: DialogId,
        desk: &DeskId,
        (grant, epoch): (GrantId, OwnerEpoch),
    ) -> Verdict {
        Author::of(cx, &self.customer)?.must_be(Author::System)?;
        if !self.stands(dialog, desk, (grant, epoch)) {
            return Ok(Decided::accepted(Some(dialog)));
        }
        let scene = Scene::new(self, cx, dialog)?;
        Ok(match scene.dialog.phase {
            Phase::WrapUp => scene.closes(Participant::System, Label::literal("owner_lost")),
            _ => {
                let back = scene.back_in_line(Label::literal("lost"));
                scene.waits(scene.accepted(), Waiting { lost: true, ..back })
            }
        })
    }

    /// Whether a dialog is owned by this very grant.
    pub(super) fn stands(
        &self,
        dialog: DialogId,
        desk: &DeskId,
        (grant, epoch): (GrantId, OwnerEpoch),
    ) -> bool {
        self.dialog(dialog).is_some_and(|dialog| {
            dialog.epoch == epoch
                && dialog
                    .ownership()
                    .is_some_and(|o| o.desk == *desk && o.grant == grant)
        })
    }
}
