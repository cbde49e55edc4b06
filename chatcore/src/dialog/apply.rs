//! How events change the state. Nothing is judged here: what was decided has happened.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    command::DialogSettings,
    event::{CustomerEvent, DialogEvent, Phase},
    limits::{CURSORS_MAX, EDITABLE_MAX, INCIDENTS_MAX, LEAVING_MAX},
    state::{Cursor, CustomerNote, CustomerState, DialogState, FIRST_EPOCH, Ownership, Writer},
};
use crate::{
    clock::Timestamp,
    content::Sealed,
    ids::{ChannelId, Label, OwnerEpoch, Participant, QueueRef, Seq, StreamId},
    record::{CursorMove, Event, Position, StreamEvent},
};

impl CustomerState {
    /// Applies an event that was decided. Can't fail: an event that has no place here (of another
    /// customer, of a dialog that has left) is ignored, and is a bug that debug builds stop at.
    pub fn apply(&mut self, stream: &StreamId, event: &StreamEvent<Sealed>) {
        let position = Position {
            seq: event.seq,
            hash: event.hash,
        };
        match (stream, &event.event) {
            (StreamId::Customer(id), Event::Customer(what)) if *id == self.customer => {
                debug_assert_eq!(event.seq, self.position.seq.next(), "a hole in {stream}");
                self.position = position;
                self.apply_own(what);
            }
            (StreamId::Dialog(id), Event::Dialog(what)) => {
                if let DialogEvent::Opened { channel, topic, .. } = what {
                    self.dialogs.entry(*id).or_insert_with(|| {
                        DialogState::begun(channel.clone(), topic.clone(), event.at)
                    });
                }
                self.apply_to_notes(what, event.at);
                if let Some(dialog) = self.dialogs.get_mut(id) {
                    debug_assert_eq!(event.seq, dialog.position.seq.next(), "a hole in {stream}");
                    dialog.position = position;
                    if !what.is_about_customer() {
                        dialog.last_at = event.at;
                    }
                    dialog.apply(what, event.at);
                } else {
                    debug_assert!(false, "an event of {stream}, which is not in the state");
                }
            }
            _ => debug_assert!(false, "an event of {stream} has no place in a customer"),
        }
    }

    /// Moves a cursor on; never back. A move of a dialog that has left the state is ignored.
    pub fn apply_cursor(&mut self, moved: &CursorMove) {
        if let Some(dialog) = self.dialogs.get_mut(&moved.dialog) {
            dialog.move_cursor(moved);
        }
    }

    /// A stream has left the live view. One that is not leaving is ignored.
    pub fn apply_forgotten(&mut self, stream: &StreamId) {
        if let StreamId::Dialog(dialog) = stream {
            self.leaving.remove(dialog);
        }
    }

    /// What is told in several dialogs is taken once.
    fn apply_to_notes(&mut self, event: &DialogEvent<Sealed>, at: Timestamp) {
        match event {
            DialogEvent::CustomerNoted { note, author, body } if *note > self.notes.last => {
                self.notes.last = *note;
                let kept = CustomerNote {
                    at,
                    author: author.clone(),
                    body: body.clone(),
                };
                self.notes.kept.insert(*note, kept);
            }
            DialogEvent::CustomerNoteRemoved { note, .. } => {
                self.notes.kept.remove(note);
            }
            _ => {}
        }
    }

    fn apply_own(&mut self, event: &CustomerEvent) {
        match event {
            CustomerEvent::DialogSettled { dialog } => {
                let left: Option<DialogState> = self.dialogs.remove(dialog);
                debug_assert!(left.is_some(), "a dialog leaves twice");
                self.leaving
                    .extend(left.map(|left| (*dialog, left.position)));
                if self.leaving.len() > LEAVING_MAX {
                    self.leaving.pop_first();
                }
            }
            CustomerEvent::Linked { other } => {
                self.links.insert(other.clone());
            }
            // For those who follow the customer; the dialog's own event tells the state.
            CustomerEvent::DialogOpened { .. }
            | CustomerEvent::DialogClosed { .. }
            | CustomerEvent::DialogReopened { .. } => {}
        }
    }
}

impl DialogState {
    fn begun(channel: ChannelId, topic: Option<Label>, at: Timestamp) -> Self {
        let settings = DialogSettings::default();
        Self {
            position: Position::default(),
            channel,
            topic,
            phase: Phase::Bot,
            phase_at: at,
            phase_seq: Seq(1),
            epoch: FIRST_EPOCH,
            ownership: None,
            last_owner: None,
            begun: None,
            queue: settings.queue.clone(),
            desk: settings.queue.desk.clone(),
            settings,
            since: None,
            last_at: at,
            last_customer: Seq(0),
            last_bot: Seq(0),
            messages: BTreeMap::new(),
            undelivered: Seq(0),
            tags: BTreeSet::new(),
            rating: None,
            incidents: Vec::new(),
            cursors: BTreeMap::new(),
        }
    }

    fn apply(&mut self, event: &DialogEvent<Sealed>, at: Timestamp) {
        match event {
            DialogEvent::Opened { .. }
            | DialogEvent::Edited { .. }
            | DialogEvent::Note { .. }
            | DialogEvent::CustomerNoted { .. }
            | DialogEvent::CustomerNoteRemoved { .. } => {}
            DialogEvent::Ruled { settings } => {
                self.queue = settings.queue.clone();
                self.desk = settings.queue.desk.clone();
                self.settings = settings.clone();
            }
            DialogEvent::Message { author, .. } => self.wrote(author),
            DialogEvent::System { .. } => self.wrote(&Participant::System),
            DialogEvent::Emergency { incident, .. } => {
                self.wrote(&Participant::System);
                self.shown(incident);
            }
            DialogEvent::Undelivered { message, .. } => {
                self.undelivered = self.undelivered.max(*message);
            }
            DialogEvent::Deleted { message, .. } => {
                if let Some(writer) = self.messages.get_mut(message) {
                    *writer = Writer::Gone;
                }
            }
            DialogEvent::Waiting {
                queue,
                since,
                epoch,
                ..
            } => self.waits(queue, *since, *epoch, at),
            DialogEvent::Assigned {
                operator,
                queue,
                desk,
                grant,
                epoch,
                ..
            } => {
                let ownership = Ownership {
                    operator: operator.clone(),
                    desk: desk.clone(),
                    grant: *grant,
                };
                self.queue = queue.clone();
                self.owned(ownership, *epoch, at);
            }
            DialogEvent::Held => self.enter(Phase::OnHold, at),
            DialogEvent::Resumed => self.enter(Phase::Assigned, at),
            DialogEvent::WrapUp => self.enter(Phase::WrapUp, at),
            DialogEvent::Tagged { tags, .. } => self.tags = tags.clone(),
            DialogEvent::TopicSet { topic, .. } => self.topic = topic.clone(),
            DialogEvent::Closed { epoch, .. } => self.left_to(Phase::Closed, *epoch, at),
            DialogEvent::Reopened { epoch, .. } => self.left_to(Phase::Bot, *epoch, at),
            DialogEvent::Rated { score, .. } => self.rating = Some(*score),
        }
        debug_assert_eq!(
            self.ownership.is_some(),
            matches!(self.phase, Phase::Assigned | Phase::OnHold | Phase::WrapUp),
            "an owner exactly where one must be"
        );
    }

    fn enter(&mut self, phase: Phase, at: Timestamp) {
        self.phase = phase;
        self.phase_at = at;
        self.phase_seq = self.position.seq;
    }

    /// No operator owns it any more.
    fn left_to(&mut self, phase: Phase, epoch: OwnerEpoch, at: Timestamp) {
        debug_assert!(epoch > self.epoch, "an epoch that does not grow");
        self.enter(phase, at);
        self.epoch = epoch;
        self.ownership = None;
    }

    fn waits(&mut self, queue: &QueueRef, since: Timestamp, epoch: OwnerEpoch, at: Timestamp) {
        self.left_to(Phase::Waiting, epoch, at);
        self.queue = queue.clone();
        self.desk = queue.desk.clone();
        self.since = Some(since);
    }

    fn owned(&mut self, ownership: Ownership, epoch: OwnerEpoch, at: Timestamp) {
        debug_assert!(epoch > self.epoch, "an epoch that does not grow");
        if self.since.is_none() && self.last_owner.is_none() {
            // It never waited and had no owner: this grant began it.
            self.begun = Some((ownership.desk.clone(), ownership.grant));
        }
        self.enter(Phase::Assigned, at);
        self.epoch = epoch;
        self.desk = ownership.desk.clone();
        self.last_owner = Some(ownership.operator.clone());
        self.ownership = Some(ownership);
    }

    fn wrote(&mut self, author: &Participant) {
        let seq = self.position.seq;
        match author {
            Participant::Customer(_) => self.last_customer = seq,
            Participant::Bot => self.last_bot = seq,
            Participant::Staff(_) | Participant::System => {}
        }
        self.messages.insert(seq, author.into());
        if self.messages.len() > EDITABLE_MAX {
            self.messages.pop_first();
        }
    }

    fn shown(&mut self, incident: &Label) {
        if self.incidents.len() >= INCIDENTS_MAX {
            self.incidents.remove(0);
        }
        self.incidents.push(incident.clone());
    }

    fn move_cursor(&mut self, moved: &CursorMove) {
        if !self.cursors.contains_key(&moved.participant) && self.cursors.len() >= CURSORS_MAX {
            self.forget_a_cursor();
        }
        let cursor = self.cursors.entry(moved.participant.clone()).or_default();
        cursor.delivered = cursor.delivered.max(moved.delivered);
        cursor.read = cursor.read.max(moved.read);
        debug_assert!(cursor.read <= cursor.delivered, "read before delivered");
        debug_assert!(
            cursor.delivered <= self.position.seq,
            "delivered before it happened"
        );
    }

    /// Makes room: of the staff who do not own the dialog, the one furthest behind goes.
    fn forget_a_cursor(&mut self) {
        let owner = self.operator();
        let behind = self
            .cursors
            .iter()
            .filter(|(who, _)| who.staff().is_some() && who.staff() != owner)
            .min_by_key(|(_, cursor): &(&Participant, &Cursor)| cursor.delivered)
            .map(|(who, _)| who.clone());
        if let Some(who) = behind {
            self.cursors.remove(&who);
        }
    }
}
