//! A command at a dialog: who speaks, what stands, and the steps that several commands share.

use crate::{
    clock::Timestamp,
    content::{Sealed, TEXT_CHARS_MAX},
    dialog::{
        CustomerCommand, CustomerEvent, DialogEvent, Phase, Rejection,
        limits::SEALED_BYTES_MAX,
        state::{CustomerState, DialogState},
    },
    ids::{
        ChannelId, CustomerId, DeskId, DialogId, Label, OwnerEpoch, Participant, QueueRef, StaffId,
        StreamId, Target,
    },
    machine::{Context, Decided},
    queue::{DeskCommand, Wait},
    record::{Command, Event, FollowUp},
    rights::{Action, Relations, Role, may, must_be},
};

/// What deciding leads to.
pub(super) type Verdict = Result<Decided, Rejection>;

/// Who sent the command, as seen from this customer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Author<'a> {
    Customer,
    Staff(&'a StaffId),
    Bot,
    System,
}

impl<'a> Author<'a> {
    /// Another customer is nobody here.
    pub(super) fn of(cx: &'a Context, customer: &CustomerId) -> Result<Self, Rejection> {
        match &cx.author {
            Participant::Customer(id) if id == customer => Ok(Self::Customer),
            Participant::Customer(_) => Err(Rejection::Forbidden),
            Participant::Staff(id) => Ok(Self::Staff(id)),
            Participant::Bot => Ok(Self::Bot),
            Participant::System => Ok(Self::System),
        }
    }

    /// Refuses everyone else.
    pub(super) fn must_be(self, expected: Author<'_>) -> Result<(), Rejection> {
        if self == expected {
            Ok(())
        } else {
            Err(Rejection::Forbidden)
        }
    }
}

/// Refuses what is longer than admission lets through. Admission said so already, in words for
/// people; this holds the bound whatever admission did.
pub(super) fn fits(body: &Sealed) -> Result<(), Rejection> {
    fits_in(body, TEXT_CHARS_MAX, SEALED_BYTES_MAX)
}

/// Refuses what has more characters, or more bytes sealed.
pub(super) fn fits_in(
    body: &Sealed,
    chars_max: usize,
    sealed_bytes_max: usize,
) -> Result<(), Rejection> {
    let too_long = |limit: usize| Rejection::TooLong {
        limit: u32::try_from(limit).unwrap_or(u32::MAX),
    };
    if usize::try_from(body.chars).unwrap_or(usize::MAX) > chars_max {
        Err(too_long(chars_max))
    } else if body.bytes.len() > sealed_bytes_max {
        Err(too_long(sealed_bytes_max))
    } else {
        Ok(())
    }
}

/// Refuses more than a limit.
pub(super) fn at_most(count: usize, limit: usize) -> Result<(), Rejection> {
    if count > limit {
        Err(Rejection::TooMany {
            limit: u32::try_from(limit).unwrap_or(u32::MAX),
        })
    } else {
        Ok(())
    }
}

/// A command to a desk.
pub(super) fn to_desk(desk: &DeskId, command: DeskCommand) -> FollowUp {
    FollowUp {
        target: Target::Desk(desk.clone()),
        command: Command::Desk(command),
    }
}

/// A command to another customer.
pub(super) fn to_customer(customer: &CustomerId, command: CustomerCommand<Sealed>) -> FollowUp {
    FollowUp {
        target: Target::Customer(customer.clone()),
        command: Command::Customer(command),
    }
}

/// Where a dialog is to wait, and why.
#[derive(Debug)]
pub(super) struct Waiting {
    pub(super) queue: QueueRef,
    pub(super) reason: Label,
    pub(super) since: Timestamp,
    /// Whom it is passed to, if the owner named somebody.
    pub(super) pass: Option<StaffId>,
    /// Its operator vanished.
    pub(super) lost: bool,
}

impl Waiting {
    pub(super) fn new(queue: &QueueRef, reason: Label, since: Timestamp) -> Self {
        Self {
            queue: queue.clone(),
            reason,
            since,
            pass: None,
            lost: false,
        }
    }
}

/// A command at a dialog that is there.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scene<'a> {
    pub(super) state: &'a CustomerState,
    pub(super) cx: &'a Context,
    pub(super) id: DialogId,
    pub(super) dialog: &'a DialogState,
    pub(super) author: Author<'a>,
}

impl<'a> Scene<'a> {
    pub(super) fn new(
        state: &'a CustomerState,
        cx: &'a Context,
        id: DialogId,
    ) -> Result<Self, Rejection> {
        Ok(Self {
            state,
            cx,
            id,
            author: Author::of(cx, &state.customer)?,
            dialog: state.dialog(id).ok_or(Rejection::NotFound)?,
        })
    }

    /// Accepted, about this dialog.
    pub(super) fn accepted(&self) -> Decided {
        Decided::accepted(Some(self.id))
    }

    /// Accepted, with one event of this dialog.
    pub(super) fn happens(&self, event: DialogEvent<Sealed>) -> Decided {
        self.and(self.accepted(), event)
    }

    /// Adds an event of this dialog.
    pub(super) fn and(&self, decided: Decided, event: DialogEvent<Sealed>) -> Decided {
        decided.with_event(StreamId::Dialog(self.id), Event::Dialog(event))
    }

    /// What the phase does not allow.
    pub(super) fn wrong_phase(&self) -> Rejection {
        match self.dialog.phase {
            Phase::Closed => Rejection::Closed,
            phase => Rejection::WrongPhase { phase },
        }
    }

    /// Refuses all but these phases.
    pub(super) fn only_in(&self, phases: &[Phase]) -> Result<(), Rejection> {
        if phases.contains(&self.dialog.phase) {
            Ok(())
        } else {
            Err(self.wrong_phase())
        }
    }

    /// Refuses staff who do not own the dialog, and an owner who speaks from an ended ownership.
    pub(super) fn owned_by_author(
        &self,
        epoch: Option<OwnerEpoch>,
    ) -> Result<&'a StaffId, Rejection> {
        let Author::Staff(author) = self.author else {
            return Err(Rejection::Forbidden);
        };
        if self.dialog.phase == Phase::Closed {
            return Err(Rejection::Closed);
        }
        if self.dialog.operator() != Some(author) {
            return Err(self.not_owner());
        }
        if epoch != Some(self.dialog.epoch) {
            return Err(Rejection::StaleEpoch {
                current: self.dialog.epoch,
            });
        }
        Ok(author)
    }

    /// Whether the author may, by the table of rights.
    pub(super) fn may(&self, action: Action) -> bool {
        may(self.role(), action, self.relations())
    }

    /// Refuses whoever may not, by the table of rights.
    pub(super) fn allows(&self, action: Action) -> Result<(), Rejection> {
        if self.may(action) {
            return Ok(());
        }
        let who = must_be(self.role(), action);
        let is_for_holders = who.meets(Relations::HOLDER);
        match self.author {
            Author::Staff(_) if is_for_holders && self.dialog.phase == Phase::Closed => {
                Err(if who.meets(Relations::LAST_HOLDER) {
                    self.not_owner()
                } else {
                    Rejection::Closed
                })
            }
            Author::Staff(_) if is_for_holders => Err(self.not_owner()),
            _ => Err(Rejection::Forbidden),
        }
    }

    fn not_owner(&self) -> Rejection {
        Rejection::NotOwner {
            by: self.dialog.operator().cloned(),
        }
    }

    fn role(&self) -> Role {
        Role::of(&self.cx.author, self.cx.rights.as_ref())
    }

    fn relations(&self) -> Relations {
        match self.author {
            Author::Customer => Relations::OWN,
            Author::Staff(id) => {
                let closed = self.dialog.phase == Phase::Closed;
                let rights = self.cx.rights.as_ref();
                let desk = rights.map(|rights| &rights.desk);
                Relations::HOLDER.when(!closed && self.dialog.operator() == Some(id))
                    | Relations::LAST_HOLDER.when(closed && self.dialog.last_owner() == Some(id))
                    | Relations::DESK.when(desk == Some(&self.dialog.desk))
            }
            Author::Bot | Author::System => Relations::NONE,
        }
    }

    /// Its place in the line, kept by a return: since the first entry, or from now on.
    pub(super) fn kept_since(&self) -> Timestamp {
        self.dialog.since.unwrap_or(self.cx.at)
    }

    /// The slot is free, if an operator owned the dialog.
    pub(super) fn freed(&self) -> Option<FollowUp> {
        self.dialog.ownership().map(|ownership| {
            to_desk(
                &ownership.desk,
                DeskCommand::Freed {
                    dialog: self.id,
                    grant: ownership.grant,
                },
            )
        })
    }

    /// What the desks hear when the dialog leaves the phase it is in, other than by a grant of
    /// the desk where it waits.
    pub(super) fn let_go(&self) -> Option<FollowUp> {
        match self.dialog.phase {
            Phase::Waiting => Some(to_desk(
                &self.dialog.queue.desk,
                DeskCommand::Leave {
                    dialog: self.id,
                    epoch: self.dialog.epoch,
                },
            )),
            _ => self.freed(),
        }
    }

    /// The dialog waits from now on; whoever had it lets go first.
    pub(super) fn waits(&self, mut decided: Decided, waiting: Waiting) -> Decided {
        decided.follow_ups.extend(self.let_go());
        let line = Line {
            dialog: self.id,
            customer: &self.state.customer,
            channel: &self.dialog.channel,
            priority: self.dialog.settings.priority,
            epoch: self.dialog.epoch.next(),
        };
        line.entered(decided, waiting, self.cx)
    }

    /// The dialog ends; whoever had it lets go.
    pub(super) fn closes(&self, by: Participant, outcome: Label) -> Decided {
        let mut decided = self
            .happens(DialogEvent::Closed {
                by,
                outcome,
                epoch: self.dialog.epoch.next(),
            })
            .with_event(
                StreamId::Customer(self.state.customer.clone()),
                Event::Customer(CustomerEvent::DialogClosed { dialog: self.id }),
            );
        decided.follow_ups.extend(self.let_go());
        decided
    }
}

/// What a desk is told of a dialog that enters a line.
#[derive(Debug)]
pub(super) struct Line<'a> {
    pub(super) dialog: DialogId,
    pub(super) customer: &'a CustomerId,
    pub(super) channel: &'a ChannelId,
    pub(super) priority: u8,
    /// The epoch in which it waits.
    pub(super) epoch: OwnerEpoch,
}

impl Line<'_> {
    /// Adds the event and the follow-up.
    pub(super) fn entered(self, decided: Decided, waiting: Waiting, cx: &Context) -> Decided {
        let Waiting {
            queue,
            reason,
            since,
            pass,
            lost,
        } = waiting;
        let wait = Wait {
            dialog: self.dialog,
            customer: self.customer.clone(),
            queue: queue.queue.clone(),
            channel: self.channel.clone(),
            priority: self.priority,
            since,
            epoch: self.epoch,
            lost,
        };
        let command = match pass {
            Some(operator) => DeskCommand::Pass { wait, operator },
            None => DeskCommand::Wait(wait),
        };
        let told = to_desk(&queue.desk, command);
        decided
            .with_event(
                StreamId::Dialog(self.dialog),
                Event::Dialog(DialogEvent::Waiting {
                    queue,
                    reason,
                    by: cx.author.clone(),
                    since,
                    epoch: self.epoch,
                }),
            )
            .with_follow_up(told)
    }
}
