//! What is said in a dialog, and what is written down about it.

use std::collections::BTreeSet;

use super::scene::{Author, Scene, Verdict, at_most, fits};
use crate::{
    content::Sealed,
    dialog::{
        DialogEvent, Message, Phase, Rejection,
        limits::{TAGS_MAX, WITHDRAWN_MAX},
        state::Writer,
    },
    ids::{Label, OwnerEpoch, Seq},
    machine::Decided,
    record::CursorMove,
    rights::Action,
};

impl Scene<'_> {
    /// By the customer, at any time before the end; by the owner. The bot has its own command.
    ///
    /// A customer who writes in the wrap-up is not done: the operator, who still holds the slot,
    /// goes on with the dialog.
    pub(super) fn message(&self, message: &Message<Sealed>) -> Verdict {
        let mut decided = self.accepted();
        match self.author {
            Author::Customer => match self.dialog.phase {
                Phase::Closed => return Err(Rejection::Closed),
                Phase::WrapUp => decided = self.and(decided, DialogEvent::Resumed),
                _ => {}
            },
            Author::Staff(_) => {
                self.owned_by_author(message.owner_epoch)?;
                self.only_in(&[Phase::Assigned, Phase::OnHold])?;
            }
            Author::Bot | Author::System => return Err(Rejection::Forbidden),
        }
        fits(&message.body)?;
        if let Some(answered) = message.reply_to
            && !(Seq(1)..=self.dialog.position.seq).contains(&answered)
        {
            return Err(Rejection::UnknownMessage);
        }
        decided = self.withdrawn(decided);
        Ok(self.and(
            decided,
            DialogEvent::Message {
                author: self.cx.author.clone(),
                body: message.body.clone(),
                reply_to: message.reply_to,
                assurance: self.cx.assurance,
            },
        ))
    }

    /// By the author, while the dialog goes on and the message is among the newest.
    pub(super) fn edit(&self, message: Seq, body: &Sealed, epoch: Option<OwnerEpoch>) -> Verdict {
        match self.author {
            Author::Customer if self.dialog.is_open_for_customer() => {}
            Author::Customer => return Err(self.wrong_phase()),
            Author::Staff(_) => {
                self.owned_by_author(epoch)?;
                self.only_in(&[Phase::Assigned, Phase::OnHold])?;
            }
            Author::Bot | Author::System => return Err(Rejection::Forbidden),
        }
        fits(body)?;
        self.written_by_author(message)?;
        Ok(self.and(
            self.withdrawn(self.accepted()),
            DialogEvent::Edited {
                message,
                body: body.clone(),
                assurance: self.cx.assurance,
            },
        ))
    }

    /// The author's messages that have a part of what was taken out of this one are withdrawn
    /// before it is said.
    fn withdrawn(&self, decided: Decided) -> Decided {
        let named: BTreeSet<_> = self.cx.withdraw.iter().take(WITHDRAWN_MAX).collect();
        let theirs = named
            .into_iter()
            .filter(|message| self.written_by_author(**message).is_ok());
        theirs.fold(decided, |decided, message| {
            let by = self.cx.author.clone();
            self.and(
                decided,
                DialogEvent::Deleted {
                    message: *message,
                    by,
                },
            )
        })
    }

    /// By the author until the dialog is closed; by a supervisor, whosever it is, until the
    /// dialog leaves the state.
    pub(super) fn delete(&self, message: Seq, epoch: Option<OwnerEpoch>) -> Verdict {
        match self.author {
            Author::Customer if self.dialog.phase == Phase::Closed => {
                return Err(Rejection::Closed);
            }
            Author::Staff(_) if self.may(Action::DeleteOthers) => {}
            Author::Staff(_) => {
                self.owned_by_author(epoch)?;
            }
            Author::Customer => {}
            Author::Bot | Author::System => return Err(Rejection::Forbidden),
        }
        if self.may(Action::DeleteOthers) {
            self.standing(message)?;
        } else {
            self.written_by_author(message)?;
        }
        Ok(self.happens(DialogEvent::Deleted {
            message,
            by: self.cx.author.clone(),
        }))
    }

    /// By staff who tend the dialog, in any phase: also after the end, until it leaves the state.
    pub(super) fn note(&self, body: &Sealed) -> Verdict {
        fits(body)?;
        Ok(self.happens(DialogEvent::Note {
            author: self.cx.author.clone(),
            body: body.clone(),
        }))
    }

    /// By staff who tend the dialog, in any phase. The same tags again change nothing.
    pub(super) fn set_tags(&self, tags: &BTreeSet<Label>) -> Verdict {
        at_most(tags.len(), TAGS_MAX)?;
        if *tags == self.dialog.tags {
            return Ok(self.accepted());
        }
        Ok(self.happens(DialogEvent::Tagged {
            tags: tags.clone(),
            by: self.cx.author.clone(),
        }))
    }

    /// By staff who tend the dialog, in any phase. The same topic again changes nothing.
    pub(super) fn set_topic(&self, topic: Option<&Label>) -> Verdict {
        if topic == self.dialog.topic() {
            return Ok(self.accepted());
        }
        Ok(self.happens(DialogEvent::TopicSet {
            topic: topic.cloned(),
            by: self.cx.author.clone(),
        }))
    }

    /// By the bank's systems or a supervisor, until the dialog is closed.
    pub(super) fn system(&self, body: &Sealed) -> Verdict {
        if self.dialog.phase == Phase::Closed {
            return Err(Rejection::Closed);
        }
        fits(body)?;
        Ok(self.happens(DialogEvent::System { body: body.clone() }))
    }

    /// By the channel's effect, of what the bank said, in any phase. Effects repeat what they did
    /// before a crash, in order: what was told already, or is before that, changes nothing.
    pub(super) fn undelivered(&self, message: Seq, reason: &Label) -> Verdict {
        if *self.standing(message)? == Writer::Customer {
            return Err(Rejection::NotYours);
        }
        if message <= self.dialog.undelivered {
            return Ok(self.accepted());
        }
        Ok(self.happens(DialogEvent::Undelivered {
            message,
            reason: reason.clone(),
        }))
    }

    /// By the customer and by staff who tend the dialog. Nobody waits for an outcome, so a claim
    /// past the head is cut down to what there is instead of being rejected.
    pub(super) fn cursor(&self, delivered: Seq, read: Seq) -> Verdict {
        let had = self
            .dialog
            .cursors
            .get(&self.cx.author)
            .copied()
            .unwrap_or_default();
        let delivered = delivered.min(self.dialog.position.seq).max(had.delivered);
        let read = read.min(delivered).max(had.read);
        let mut decided = self.accepted();
        if (delivered, read) != (had.delivered, had.read) {
            decided.cursors.push(CursorMove {
                dialog: self.id,
                participant: self.cx.author.clone(),
                delivered,
                read,
            });
        }
        Ok(decided)
    }

    /// The writer of a message that is known and not withdrawn.
    fn standing(&self, message: Seq) -> Result<&Writer, Rejection> {
        match self.dialog.messages.get(&message) {
            None => Err(Rejection::UnknownMessage),
            Some(Writer::Gone) => Err(Rejection::Deleted),
            Some(writer) => Ok(writer),
        }
    }

    fn written_by_author(&self, message: Seq) -> Result<(), Rejection> {
        if *self.standing(message)? == Writer::from(&self.cx.author) {
            Ok(())
        } else {
            Err(Rejection::NotYours)
        }
    }
}
