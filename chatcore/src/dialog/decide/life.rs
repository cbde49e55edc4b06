//! How a dialog begins, rests, ends, goes on and is judged.

use super::scene::{Author, Line, Scene, Verdict, Waiting, at_most, fits};
use crate::{
    content::Sealed,
    dialog::{
        CustomerEvent, DialogEvent, DialogSettings, Message, Open, Phase, Rejection,
        limits::{DIALOGS_MAX, OPEN_DIALOGS_MAX, RATING_MAX},
        state::{CustomerState, DialogState, FIRST_EPOCH},
    },
    ids::{ChannelId, DialogId, Label, OwnerEpoch, StreamId},
    machine::{Context, Decided},
    record::Event,
    sabotage::{Switch, on},
};

impl CustomerState {
    /// By the customer. One that may be written in is returned as it is, so that two tabs get one
    /// dialog: the one of this channel, of several the one that was active last.
    pub(super) fn open(&self, cx: &Context, open: &Open) -> Verdict {
        Author::of(cx, &self.customer)?.must_be(Author::Customer)?;
        if let Some(id) = self.latest(&open.channel, DialogState::is_open_for_customer) {
            return Ok(Decided::accepted(Some(id)));
        }
        let decided = self.begin(cx, (&open.channel, open.topic.as_ref()), &open.settings)?;
        if open.settings.bot {
            return Ok(decided);
        }
        let line = Line {
            dialog: cx.next_dialog,
            customer: &self.customer,
            channel: &open.channel,
            priority: open.settings.priority,
            epoch: FIRST_EPOCH.next(),
        };
        let waiting = Waiting::new(&open.settings.queue, Label::literal("asked"), cx.at);
        Ok(line.entered(decided, waiting, cx))
    }

    /// Says something in the dialog that goes on (one in its wrap-up included: the customer is not
    /// done), or opens one and says it there.
    pub(super) fn write(&self, cx: &Context, open: &Open, body: &Sealed) -> Verdict {
        Author::of(cx, &self.customer)?.must_be(Author::Customer)?;
        let going_on = |dialog: &DialogState| dialog.phase != Phase::Closed;
        if let Some(dialog) = self.latest(&open.channel, going_on) {
            let body = body.clone();
            return Scene::new(self, cx, dialog)?.message(&Message {
                dialog,
                body,
                reply_to: None,
                owner_epoch: None,
            });
        }
        fits(body)?;
        let said = DialogEvent::Message {
            author: cx.author.clone(),
            body: body.clone(),
            reply_to: None,
            assurance: cx.assurance,
        };
        let opened = self.open(cx, open)?;
        Ok(opened.with_event(StreamId::Dialog(cx.next_dialog), Event::Dialog(said)))
    }

    /// The dialog that was active last; one of this channel before others.
    fn latest(&self, channel: &ChannelId, fits: fn(&DialogState) -> bool) -> Option<DialogId> {
        self.dialogs()
            .filter(|(_, dialog)| fits(dialog))
            .max_by_key(|(id, dialog)| (dialog.channel == *channel, dialog.last_at, *id))
            .map(|(id, _)| id)
    }

    /// A new dialog. What closed first makes room for it; only open ones are refused.
    pub(super) fn begin(
        &self,
        cx: &Context,
        (channel, topic): (&ChannelId, Option<&Label>),
        settings: &DialogSettings,
    ) -> Verdict {
        self.one_more_may_be_open()?;
        let id = cx.next_dialog;
        if self.dialogs.contains_key(&id) {
            // The engine's number was given away already; whoever asks again gets another.
            return Err(Rejection::Void);
        }
        let own = StreamId::Customer(self.customer.clone());
        let mut decided = Decided::accepted(Some(id));
        if self.dialogs.len() >= DIALOGS_MAX {
            let oldest = self
                .dialogs()
                .filter(|(_, dialog)| dialog.phase == Phase::Closed)
                .min_by_key(|(id, dialog)| (dialog.phase_at, *id));
            if let Some((dialog, _)) = oldest {
                decided = decided.with_event(
                    own.clone(),
                    Event::Customer(CustomerEvent::DialogSettled { dialog }),
                );
            }
        }
        let opened = DialogEvent::Opened {
            customer: self.customer.clone(),
            channel: channel.clone(),
            by: cx.author.clone(),
            topic: topic.cloned(),
            assurance: cx.assurance,
        };
        let ruled = DialogEvent::Ruled {
            settings: settings.clone(),
        };
        Ok(decided
            .with_event(StreamId::Dialog(id), Event::Dialog(opened))
            .with_event(StreamId::Dialog(id), Event::Dialog(ruled))
            .with_event(
                own,
                Event::Customer(CustomerEvent::DialogOpened { dialog: id }),
            ))
    }

    fn one_more_may_be_open(&self) -> Result<(), Rejection> {
        let open = |dialog: &&DialogState| dialog.phase != Phase::Closed;
        at_most(
            self.dialogs.values().filter(open).count() + 1,
            OPEN_DIALOGS_MAX,
        )
    }

    /// What settles a dialog: nobody can reopen it any more.
    pub(super) fn settled(&self, dialog: DialogId) -> Decided {
        Decided::accepted(Some(dialog)).with_event(
            StreamId::Customer(self.customer.clone()),
            Event::Customer(CustomerEvent::DialogSettled { dialog }),
        )
    }
}

impl Scene<'_> {
    /// By the owner.
    pub(super) fn hold(&self, epoch: OwnerEpoch) -> Verdict {
        self.owned_by_author(Some(epoch))?;
        self.only_in(&[Phase::Assigned])?;
        Ok(self.happens(DialogEvent::Held))
    }

    /// By the owner, off hold or out of the wrap-up.
    pub(super) fn resume(&self, epoch: OwnerEpoch) -> Verdict {
        self.owned_by_author(Some(epoch))?;
        self.only_in(&[Phase::OnHold, Phase::WrapUp])?;
        Ok(self.happens(DialogEvent::Resumed))
    }

    /// By the owner. The slot stays taken.
    pub(super) fn wrap_up(&self, epoch: OwnerEpoch) -> Verdict {
        self.owned_by_author(Some(epoch))?;
        self.only_in(&[Phase::Assigned, Phase::OnHold])?;
        let mut decided = self.happens(DialogEvent::WrapUp);
        if on(Switch::SlotFreedEarly) {
            decided.follow_ups.extend(self.freed());
        }
        Ok(decided)
    }

    /// By the owner; by the customer, for whom a dialog in wrap-up has ended already.
    pub(super) fn close(&self, epoch: Option<OwnerEpoch>, outcome: &Label) -> Verdict {
        match self.author {
            Author::Customer if self.dialog.is_open_for_customer() => {}
            Author::Customer => return Err(self.wrong_phase()),
            Author::Staff(_) => {
                self.owned_by_author(epoch)?;
            }
            Author::Bot | Author::System => return Err(Rejection::Forbidden),
        }
        Ok(self.closes(self.cx.author.clone(), outcome.clone()))
    }

    /// By the customer, by whoever owned it last, by a supervisor. In wrap-up it has ended for the
    /// customer alone, for whom the operator goes on; staff resume. A dialog that has not ended is
    /// left as it is (two tabs press the same button).
    ///
    /// Where people were asked for once, it waits for people again, from now on; else the bot has
    /// it again.
    pub(super) fn reopen(&self) -> Verdict {
        match self.dialog.phase {
            Phase::Closed => {}
            Phase::WrapUp if self.author == Author::Customer => {
                return Ok(self.happens(DialogEvent::Resumed));
            }
            Phase::WrapUp => return Err(self.wrong_phase()),
            _ => return Ok(self.accepted()),
        }
        if self.cx.at >= self.dialog.reopen_ends() {
            return Err(Rejection::TooLate);
        }
        self.state.one_more_may_be_open()?;
        let epoch = self.dialog.epoch.next();
        let decided = self
            .happens(DialogEvent::Reopened {
                by: self.cx.author.clone(),
                epoch,
            })
            .with_event(
                StreamId::Customer(self.state.customer.clone()),
                Event::Customer(CustomerEvent::DialogReopened { dialog: self.id }),
            );
        let wanted_people = self.dialog.since.is_some() || self.dialog.last_owner.is_some();
        if self.dialog.settings.bot && !wanted_people {
            return Ok(decided);
        }
        let line = Line {
            dialog: self.id,
            customer: &self.state.customer,
            channel: &self.dialog.channel,
            priority: self.dialog.settings.priority,
            epoch: epoch.next(),
        };
        let waiting = Waiting::new(&self.dialog.queue, Label::literal("reopened"), self.cx.at);
        Ok(line.entered(decided, waiting, self.cx))
    }

    /// By the customer, once, when the dialog has ended in the customer's eyes and can still be
    /// reopened.
    pub(super) fn rate(&self, score: u8, comment: Option<&Sealed>) -> Verdict {
        match self.dialog.phase {
            Phase::WrapUp => {}
            Phase::Closed if self.cx.at < self.dialog.reopen_ends() => {}
            Phase::Closed => return Err(Rejection::TooLate),
            phase => return Err(Rejection::WrongPhase { phase }),
        }
        if self.dialog.rating.is_some() {
            return Err(Rejection::AlreadyRated);
        }
        if !(1..=RATING_MAX).contains(&score) {
            return Err(Rejection::OutOfRange {
                min: 1,
                max: RATING_MAX.into(),
            });
        }
        comment.map_or(Ok(()), fits)?;
        Ok(self.happens(DialogEvent::Rated {
            score,
            comment: comment.cloned(),
        }))
    }
}
