//! What is remembered of a customer: a function of the events, byte by byte.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use super::{
    command::{CustomerTimer, DialogSettings, Due},
    event::{DialogEvent, Phase},
};
use crate::{
    clock::Timestamp,
    content::Sealed,
    ids::{
        ChannelId, CustomerId, DeskId, DialogId, GrantId, Label, NoteId, OwnerEpoch, Participant,
        QueueRef, Seq, StaffId, StreamId,
    },
    record::{Access, CursorMove, Event, Position, Visibility},
};

/// The epoch of a dialog that has just begun: the bot's, or nobody's.
pub(super) const FIRST_EPOCH: OwnerEpoch = OwnerEpoch(1);

/// One customer: the dialogs that are open or can be reopened, and the links.
///
/// It changes through [`apply`](Self::apply) and [`apply_cursor`](Self::apply_cursor) alone, and
/// holds only ordered maps and integers, so that a replay of the same events encodes to the same
/// bytes in any process. Its size is bounded by [`limits`](super::limits).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomerState {
    pub(super) customer: CustomerId,
    /// Of the customer's own stream.
    pub(super) position: Position,
    pub(super) dialogs: BTreeMap<DialogId, DialogState>,
    pub(super) links: BTreeSet<CustomerId>,
    /// Dialogs that have settled and are in the live view still, with their last event: until the
    /// archive has them whole.
    #[serde(default)]
    pub(super) leaving: BTreeMap<DialogId, Position>,
    /// What staff keep about the customer.
    #[serde(default, skip_serializing_if = "Notes::is_unused")]
    pub(super) notes: Notes,
}

/// The notes about a customer. They outlive the dialogs beside which they were written.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Notes {
    /// The newest that there ever was.
    pub(super) last: NoteId,
    /// Those that were not taken away.
    pub(super) kept: BTreeMap<NoteId, CustomerNote<Sealed>>,
}

impl Notes {
    fn is_unused(&self) -> bool {
        self.last == NoteId(0)
    }

    /// The number of the one that comes next.
    pub(super) fn next(&self) -> NoteId {
        NoteId(self.last.0 + 1)
    }
}

/// A note about a customer, for staff alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct CustomerNote<B> {
    /// When it was written.
    pub at: Timestamp,
    /// By whom.
    pub author: Participant,
    /// What it says.
    pub body: B,
}

impl CustomerState {
    /// A customer of whom nothing is known.
    #[must_use]
    pub fn new(customer: CustomerId) -> Self {
        Self {
            customer,
            position: Position::default(),
            dialogs: BTreeMap::new(),
            links: BTreeSet::new(),
            leaving: BTreeMap::new(),
            notes: Notes::default(),
        }
    }

    /// Whose state this is.
    #[must_use]
    pub fn customer(&self) -> &CustomerId {
        &self.customer
    }

    /// The dialogs that are open or can be reopened, by number.
    pub fn dialogs(&self) -> impl Iterator<Item = (DialogId, &DialogState)> {
        self.dialogs.iter().map(|(id, dialog)| (*id, dialog))
    }

    /// One of the dialogs; none once it has left the state.
    #[must_use]
    pub fn dialog(&self, id: DialogId) -> Option<&DialogState> {
        self.dialogs.get(&id)
    }

    /// The other identities of this person.
    #[must_use]
    pub fn links(&self) -> &BTreeSet<CustomerId> {
        &self.links
    }

    /// The notes about the customer, oldest first. For staff alone; at most
    /// [`NOTES_MAX`](super::limits::NOTES_MAX).
    pub fn notes(&self) -> impl ExactSizeIterator<Item = (NoteId, &CustomerNote<Sealed>)> {
        self.notes.kept.iter().map(|(id, note)| (*id, note))
    }

    /// Dialogs that have settled and are in the live view still, until the archive has them whole:
    /// each with its last event, by number. At most
    /// [`LEAVING_MAX`](super::limits::LEAVING_MAX).
    pub fn leaving(&self) -> impl ExactSizeIterator<Item = (DialogId, Position)> {
        self.leaving.iter().map(|(id, last)| (*id, *last))
    }

    /// The last event of a stream of this customer; none for a stream that is not (or no longer)
    /// in the state. A dialog that is about to be opened is not in it yet.
    #[must_use]
    pub fn position(&self, stream: &StreamId) -> Option<Position> {
        match stream {
            StreamId::Customer(id) if *id == self.customer => Some(self.position),
            StreamId::Dialog(id) => self.dialogs.get(id).map(|dialog| dialog.position),
            _ => None,
        }
    }

    /// What a session needs to judge frames of a stream, after its last event; none for a dialog
    /// that has left the state and for streams of others.
    #[must_use]
    pub fn access(&self, stream: &StreamId) -> Option<Access> {
        match stream {
            StreamId::Customer(id) if *id == self.customer => Some(Access::Customer(id.clone())),
            StreamId::Dialog(id) => self.dialogs.get(id).map(|dialog| Access::Dialog {
                customer: self.customer.clone(),
                owner: dialog.operator().cloned(),
                epoch: dialog.epoch,
                desk: dialog.desk.clone(),
                phase: dialog.phase,
                last_owner: dialog.last_owner.clone(),
            }),
            _ => None,
        }
    }

    /// Who may see an event.
    ///
    /// Only staff see notes, those about the customer too; the rules of a dialog (a customer must not learn their priority);
    /// tags and topics set by staff ("fraud suspected" is for colleagues); what a channel could not
    /// deliver; and links (a wrong one
    /// must not show one person another's identity). Customers do see hold and resume: they
    /// explain why nobody answers, and that a dialog goes on after its wrap-up.
    #[must_use]
    pub fn visibility(event: &Event<Sealed>) -> Visibility {
        match event {
            Event::Dialog(
                DialogEvent::Note { .. }
                | DialogEvent::CustomerNoted { .. }
                | DialogEvent::CustomerNoteRemoved { .. }
                | DialogEvent::Ruled { .. }
                | DialogEvent::Tagged { .. }
                | DialogEvent::TopicSet { .. }
                | DialogEvent::Undelivered { .. },
            )
            | Event::Customer(super::CustomerEvent::Linked { .. }) => Visibility::Staff,
            Event::Dialog(_) | Event::Customer(_) | Event::Board(_) => Visibility::Everyone,
        }
    }

    /// The timers that run, at most one a dialog. The generation is the `seq` of the event that
    /// set the timer.
    #[must_use]
    pub fn due(&self) -> Vec<Due<CustomerTimer>> {
        self.dialogs
            .iter()
            .filter_map(|(id, dialog)| {
                let (key, at) = match dialog.phase {
                    Phase::WrapUp => (
                        CustomerTimer::WrapUp(*id),
                        dialog.phase_after(dialog.settings.wrap_up_ms),
                    ),
                    Phase::Closed => (CustomerTimer::ReopenEnds(*id), dialog.reopen_ends()),
                    _ => return None,
                };
                Some(Due {
                    key,
                    at,
                    generation: dialog.phase_seq.0,
                })
            })
            .collect()
    }

    /// How far each participant has received and read a dialog; empty for an unknown one.
    #[must_use]
    pub fn cursors(&self, dialog: DialogId) -> Vec<CursorMove> {
        self.dialogs
            .get(&dialog)
            .into_iter()
            .flat_map(|state| &state.cursors)
            .map(|(participant, cursor)| CursorMove {
                dialog,
                participant: participant.clone(),
                delivered: cursor.delivered,
                read: cursor.read,
            })
            .collect()
    }
}

/// One dialog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct DialogState {
    pub(super) position: Position,
    pub(super) channel: ChannelId,
    pub(super) topic: Option<Label>,
    pub(super) settings: DialogSettings,
    pub(super) phase: Phase,
    /// When the phase began.
    pub(super) phase_at: Timestamp,
    /// With which event the phase began.
    pub(super) phase_seq: Seq,
    pub(super) epoch: OwnerEpoch,
    /// Present exactly in the phases assigned, on hold and wrap-up.
    pub(super) ownership: Option<Ownership>,
    /// Who owns it or owned it last.
    pub(super) last_owner: Option<StaffId>,
    /// The grant that began it, if an operator did.
    pub(super) begun: Option<(DeskId, GrantId)>,
    /// Where it waits, waited last, or would wait.
    pub(super) queue: QueueRef,
    /// The desk of the queue it waits in, or of the grant it is or was last owned by.
    pub(super) desk: DeskId,
    /// Its place in the line of `queue`; none if it never waited.
    pub(super) since: Option<Timestamp>,
    pub(super) last_at: Timestamp,
    /// The customer's last message.
    pub(super) last_customer: Seq,
    /// The bot's last message.
    pub(super) last_bot: Seq,
    /// The newest messages, by their `seq`, and who wrote each.
    pub(super) messages: BTreeMap<Seq, Writer>,
    /// The newest message that a channel gave up; 0 before the first.
    #[serde(default)]
    pub(super) undelivered: Seq,
    pub(super) tags: BTreeSet<Label>,
    pub(super) rating: Option<u8>,
    /// The newest incidents that were shown, oldest first.
    pub(super) incidents: Vec<Label>,
    pub(super) cursors: BTreeMap<Participant, Cursor>,
}

/// An operator's ownership, and the grant that it came from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ownership {
    /// Who owns the dialog.
    pub operator: StaffId,
    /// The desk whose slot this takes.
    pub desk: DeskId,
    /// The grant of that desk.
    pub grant: GrantId,
}

/// Who wrote a message. Short, as two hundred of these are kept for each dialog.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Writer {
    /// The customer.
    Customer,
    /// An operator.
    Staff(StaffId),
    /// The bot.
    Bot,
    /// The bank's systems.
    System,
    /// Withdrawn; whose it was does not matter any more.
    Gone,
}

impl From<&Participant> for Writer {
    fn from(author: &Participant) -> Self {
        match author {
            Participant::Customer(_) => Self::Customer,
            Participant::Staff(id) => Self::Staff(id.clone()),
            Participant::Bot => Self::Bot,
            Participant::System => Self::System,
        }
    }
}

/// How far one participant is; `read <= delivered <= head`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Cursor {
    pub(super) delivered: Seq,
    pub(super) read: Seq,
}

impl DialogState {
    /// Its last event.
    #[must_use]
    pub fn position(&self) -> Position {
        self.position
    }

    /// Where it is held.
    #[must_use]
    pub fn channel(&self) -> &ChannelId {
        &self.channel
    }

    /// What it is about.
    #[must_use]
    pub fn topic(&self) -> Option<&Label> {
        self.topic.as_ref()
    }

    /// The rules for it.
    #[must_use]
    pub fn settings(&self) -> &DialogSettings {
        &self.settings
    }

    /// Where it is in its life.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// When its phase began.
    #[must_use]
    pub fn phase_since(&self) -> Timestamp {
        self.phase_at
    }

    /// Who owns it: the bot, an operator, or (waiting, closed) nobody.
    #[must_use]
    pub fn owner(&self) -> Option<Participant> {
        match &self.ownership {
            Some(ownership) => Some(Participant::Staff(ownership.operator.clone())),
            None => (self.phase == Phase::Bot).then_some(Participant::Bot),
        }
    }

    /// The operator who owns it.
    #[must_use]
    pub fn operator(&self) -> Option<&StaffId> {
        self.ownership.as_ref().map(|o| &o.operator)
    }

    /// The operator's ownership with its grant.
    #[must_use]
    pub fn ownership(&self) -> Option<&Ownership> {
        self.ownership.as_ref()
    }

    /// The operator who owns it or owned it last.
    #[must_use]
    pub fn last_owner(&self) -> Option<&StaffId> {
        self.last_owner.as_ref()
    }

    /// Counts the changes of owner.
    #[must_use]
    pub fn epoch(&self) -> OwnerEpoch {
        self.epoch
    }

    /// Where it waits, waited last, or would wait.
    #[must_use]
    pub fn queue(&self) -> &QueueRef {
        &self.queue
    }

    /// Since when it waits, as the line counts it; none unless it waits.
    #[must_use]
    pub fn waiting_since(&self) -> Option<Timestamp> {
        self.since.filter(|_| self.phase == Phase::Waiting)
    }

    /// When the last event happened.
    #[must_use]
    pub fn last_activity(&self) -> Timestamp {
        self.last_at
    }

    /// The tags.
    #[must_use]
    pub fn tags(&self) -> &BTreeSet<Label> {
        &self.tags
    }

    /// The customer's judgement.
    #[must_use]
    pub fn rating(&self) -> Option<u8> {
        self.rating
    }

    /// From when on it can't be reopened, if it is closed now.
    pub(super) fn reopen_ends(&self) -> Timestamp {
        self.phase_after(self.settings.reopen_ms)
    }

    /// Whether the customer may write in it as it is: it has not ended in the customer's eyes.
    pub(super) fn is_open_for_customer(&self) -> bool {
        !matches!(self.phase, Phase::WrapUp | Phase::Closed)
    }

    fn phase_after(&self, millis: u64) -> Timestamp {
        self.phase_at.plus(Duration::from_millis(millis))
    }
}
