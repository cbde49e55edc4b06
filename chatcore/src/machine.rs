//! What the two state machines have in common: what `decide` is told and what it answers.
//!
//! `decide(&self, command, context) -> Decided` and `apply(&mut self, event)` do no I/O and ask
//! nobody. The engine gives each event its `seq` and hash and applies it; a replay of the same
//! events gives the same state, byte by byte.

use crate::{
    clock::Timestamp,
    content::Sealed,
    dialog::Rejection,
    identity::{Assurance, StaffRights},
    ids::{DialogId, Participant, Seq, StreamId},
    record::{CursorMove, Event, FollowUp},
};

/// What `decide` knows beside the state and the command.
#[derive(Debug, Clone)]
pub struct Context {
    /// The command's time: the journal's, clamped so that it never goes back for this target.
    pub at: Timestamp,
    /// Who sent the command; checked at admission.
    pub author: Participant,
    /// The author's rights; of staff only.
    pub rights: Option<StaffRights>,
    /// How surely the author is who they say; none for whoever is not a customer.
    pub assurance: Option<Assurance>,
    /// Messages of the author that are withdrawn with the command: they have a part of what was
    /// taken out of it.
    pub withdraw: Vec<Seq>,
    /// The number of a dialog, should the command open one.
    pub next_dialog: DialogId,
}

/// What `decide` answers. Nothing is done yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// Accepted (with the dialog that it was about or opened, if any) or rejected.
    pub outcome: Result<Option<DialogId>, Rejection>,
    /// What happened, in order; empty when rejected.
    pub events: Vec<(StreamId, Event<Sealed>)>,
    /// Commands to the other machine, in order. A rejected command may have these (a refused
    /// grant still answers its desk).
    pub follow_ups: Vec<FollowUp>,
    /// Cursors that moved.
    pub cursors: Vec<CursorMove>,
    /// Streams that leave the live view: the archive has them.
    pub forget: Vec<StreamId>,
}

impl Decided {
    /// Accepted, with nothing to tell.
    #[must_use]
    pub fn accepted(dialog: Option<DialogId>) -> Self {
        Self {
            outcome: Ok(dialog),
            events: Vec::new(),
            follow_ups: Vec::new(),
            cursors: Vec::new(),
            forget: Vec::new(),
        }
    }

    /// Rejected.
    #[must_use]
    pub fn rejected(why: Rejection) -> Self {
        Self {
            outcome: Err(why),
            events: Vec::new(),
            follow_ups: Vec::new(),
            cursors: Vec::new(),
            forget: Vec::new(),
        }
    }

    /// Adds an event.
    #[must_use]
    pub fn with_event(mut self, stream: StreamId, event: Event<Sealed>) -> Self {
        self.events.push((stream, event));
        self
    }

    /// Adds a stream that leaves the live view.
    #[must_use]
    pub fn forgetting(mut self, stream: StreamId) -> Self {
        self.forget.push(stream);
        self
    }

    /// Adds a follow-up.
    #[must_use]
    pub fn with_follow_up(mut self, follow_up: FollowUp) -> Self {
        self.follow_ups.push(follow_up);
        self
    }
}
