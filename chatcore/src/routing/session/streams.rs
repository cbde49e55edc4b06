//! The streams of a session: which it follows by itself, and what their followers ask and tell.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{Arc, atomic::Ordering},
};

use super::{LeftReason, SessionEvent, Shared, StreamState};
use crate::{
    content::Content,
    dialog::{CustomerEvent, DialogEvent, Phase},
    identity::Who,
    ids::{DialogId, GrantId, Participant, StreamId},
    queue::BoardEvent,
    record::{Access, Event, Position, StreamEvent},
    routing::{
        access::{Sight, sight},
        follower::{Follower, LetOut, ResetReason, Step},
        job::{Followed, Known, Work},
        opened::{Memo, Opened},
    },
};

type Ready = VecDeque<SessionEvent>;

/// The streams of a session.
#[derive(Debug)]
pub(super) struct Streams {
    shared: Arc<Shared>,
    /// Boxed: a map's node has room for eleven, and most sessions follow one or two.
    followers: BTreeMap<StreamId, Box<Follower>>,
    /// What the client has of streams that are not followed yet.
    resume: BTreeMap<StreamId, Position>,
    /// Grants to this operator, and of which dialog, once that is known.
    grants: BTreeMap<GrantId, Option<DialogId>>,
    /// Dialogs that are this customer's.
    own: BTreeSet<DialogId>,
    /// Streams that are to be followed again should their follow under way be refused: the right
    /// to them came while it was.
    again: BTreeSet<StreamId>,
    /// Streams whose end must be told though nothing was told of them by their follower: the client
    /// asked for them, or has them of one before.
    asked: BTreeSet<StreamId>,
    /// The newest request of each stream; answers to older ones do not count.
    tickets: BTreeMap<StreamId, u64>,
    last_ticket: u64,
}

impl Streams {
    pub(super) fn new(shared: Arc<Shared>) -> Self {
        Self {
            shared,
            followers: BTreeMap::new(),
            resume: BTreeMap::new(),
            grants: BTreeMap::new(),
            own: BTreeSet::new(),
            again: BTreeSet::new(),
            asked: BTreeSet::new(),
            tickets: BTreeMap::new(),
            last_ticket: 0,
        }
    }

    /// Whether this is the answer to the newest request of the stream.
    pub(super) fn is_current(&self, stream: &StreamId, ticket: u64) -> bool {
        self.tickets.get(stream) == Some(&ticket)
    }

    pub(super) fn names(&self) -> Vec<StreamId> {
        self.followers.keys().cloned().collect()
    }

    /// Follows what the person follows by themselves, and what is resumed.
    pub(super) fn begin(
        &mut self,
        resume: impl IntoIterator<Item = (StreamId, Position)>,
        ready: &mut Ready,
    ) {
        self.resume = resume.into_iter().collect();
        let own = match &self.shared.identity().who {
            Who::Customer(id) => StreamId::Customer(id.clone()),
            Who::Staff { desk, .. } => StreamId::Board(desk.clone()),
        };
        self.follow(own);
        let resumed: Vec<_> = self.resume.keys().cloned().collect();
        for stream in resumed {
            let after = self.resume.remove(&stream);
            self.start(stream, after, ready);
        }
    }

    /// Follows a stream by itself, if it is not followed.
    fn follow(&mut self, stream: StreamId) {
        if self.followers.contains_key(&stream) {
            return;
        }
        let after = self.resume.remove(&stream);
        self.start(stream, after, &mut Ready::new());
    }

    /// Follows a stream because the client asks for it; anew, if it is followed.
    pub(super) fn follow_on_request(
        &mut self,
        stream: StreamId,
        after: Option<Position>,
        ready: &mut Ready,
    ) {
        self.followers.remove(&stream);
        self.asked.insert(stream.clone());
        self.start(stream, after, ready);
    }

    fn start(&mut self, stream: StreamId, after: Option<Position>, ready: &mut Ready) {
        let known = self.followers.contains_key(&stream);
        if !known && self.followers.len() >= self.shared.edge.config.streams_max {
            tracing::warn!(%stream, "the session follows as many streams as it may");
            self.asked.remove(&stream);
            let reason = LeftReason::TooMany;
            ready.push_back(SessionEvent::Left { stream, reason });
            return;
        }
        let limits = self.shared.edge.config.follower;
        let (follower, step) = Follower::start(stream.clone(), after, limits);
        // Joined here first, then followed in the store.
        self.shared
            .hub
            .join(&stream, self.shared.id, &self.shared.mailbox);
        self.followers.insert(stream.clone(), Box::new(follower));
        self.ask(&stream, &step);
    }

    fn ask(&mut self, stream: &StreamId, step: &Step) {
        let session = self.shared.id;
        self.last_ticket += 1;
        let ticket = self.last_ticket;
        self.tickets.insert(stream.clone(), ticket);
        let work = match step {
            Step::Follow { from, anew } => Work::Follow {
                session,
                ticket,
                from: *from,
                anew: *anew,
            },
            Step::Read { after, upto } => Work::Read {
                session,
                ticket,
                after: *after,
                upto: *upto,
            },
            _ => return,
        };
        self.shared.hub.ask(stream, work);
    }

    pub(super) fn unfollow(&mut self, stream: &StreamId, ready: &mut Ready) {
        if let StreamId::Dialog(dialog) = stream {
            self.forget_given(*dialog);
        }
        if self.followers.remove(stream).is_some() {
            self.leave(stream);
            ready.push_back(SessionEvent::Left {
                stream: stream.clone(),
                reason: LeftReason::Unfollowed,
            });
        }
    }

    fn leave(&mut self, stream: &StreamId) {
        self.tickets.remove(stream);
        self.shared.hub.leave(stream, self.shared.id);
        if let StreamId::Dialog(dialog) = stream {
            self.shared.account().forget_dialog(*dialog);
        }
    }

    pub(super) fn frame(&mut self, stream: &StreamId, frame: &Arc<Opened>, ready: &mut Ready) {
        self.step(stream, ready, None, |f, who| f.frame(who, frame));
    }

    pub(super) fn read(&mut self, stream: &StreamId, page: &Opened, ready: &mut Ready) {
        self.step(stream, ready, None, |f, who| f.read(who, page));
    }

    pub(super) fn head(&mut self, stream: &StreamId, head: Position, ready: &mut Ready) {
        self.step(stream, ready, None, |f, _| f.head(head));
        if !matches!(stream, StreamId::Dialog(_)) {
            self.follow_given_again();
        }
    }

    /// A store that lost writes may have the board, or the customer's stream, back before it has a
    /// dialog, and shows no right to a dialog that was given. So what was given and is not followed
    /// is asked for again, with each check of heads.
    fn follow_given_again(&mut self) {
        let given = self.grants.values().flatten().chain(&self.own);
        let streams = given.map(|dialog| StreamId::Dialog(*dialog));
        let missing: Vec<_> = streams
            .filter(|stream| !self.followers.contains_key(stream))
            .collect();
        for stream in missing {
            self.follow(stream);
        }
    }

    /// It is not given any more: it ended, or the client wants none of it.
    fn forget_given(&mut self, dialog: DialogId) {
        self.own.remove(&dialog);
        for granted in self.grants.values_mut() {
            if *granted == Some(dialog) {
                *granted = None;
            }
        }
    }

    pub(super) fn head_settled(&mut self, stream: &StreamId, head: Position, ready: &mut Ready) {
        self.step(stream, ready, None, |f, who| f.head_settled(who, head));
    }

    pub(super) fn overflowed(&mut self, ready: &mut Ready) {
        for stream in self.names() {
            self.step(&stream, ready, None, |f, _| f.overflowed());
        }
    }

    pub(super) fn rights_changed(&mut self, ready: &mut Ready) {
        for stream in self.names() {
            self.step(&stream, ready, None, Follower::rights_changed);
        }
    }

    pub(super) fn followed(&mut self, stream: &StreamId, followed: Followed, ready: &mut Ready) {
        let Followed {
            page,
            head,
            access,
            known,
            ..
        } = followed;
        self.step(stream, ready, Some(&known), |f, who| {
            f.followed(who, &page, head, access)
        });
        if self.followers.contains_key(stream) {
            self.follow_known(known);
        }
    }

    /// Follows the dialogs that belong to the person.
    fn follow_known(&mut self, known: Known) {
        let who = &self.shared.identity().who;
        match (known, who) {
            (Known::Customer(dialogs), _) => {
                for dialog in dialogs {
                    self.own.insert(dialog);
                    self.follow(StreamId::Dialog(dialog));
                }
            }
            (Known::Board(board), Who::Staff { id, .. }) => {
                let granted: Vec<_> = board.grants_of(id).collect();
                for (grant, dialog) in granted {
                    self.grants.insert(grant, dialog);
                    if let Some(dialog) = dialog {
                        self.follow_granted(StreamId::Dialog(dialog));
                    }
                }
            }
            _ => {}
        }
    }

    fn follow_granted(&mut self, stream: StreamId) {
        if self.followers.get(&stream).is_some_and(|f| !f.is_live()) {
            self.again.insert(stream);
        } else {
            self.follow(stream);
        }
    }

    /// Gives a follower its input, and does and tells what comes of it.
    fn step(
        &mut self,
        stream: &StreamId,
        ready: &mut Ready,
        known: Option<&Known>,
        input: impl FnOnce(&mut Follower, &Who) -> Vec<Step>,
    ) {
        let identity = self.shared.identity();
        let Some(follower) = self.followers.get_mut(stream) else {
            return;
        };
        let steps = input(follower, &identity.who);
        if let (StreamId::Dialog(dialog), Some(access)) = (stream, follower.access()) {
            self.shared.account().note_dialog(*dialog, access);
            if let (
                Who::Customer(_),
                Access::Dialog {
                    phase: Phase::Waiting,
                    desk,
                    ..
                },
            ) = (&identity.who, access)
            {
                self.shared.hub.waits(*dialog, desk);
            }
        }
        for step in steps {
            match step {
                Step::Follow { .. } | Step::Read { .. } => self.ask(stream, &step),
                Step::AwaitHead => self.shared.hub.await_head(stream, self.shared.id),
                Step::Reset { position, reason } => {
                    self.reset(stream, (position, reason), known, ready);
                }
                Step::LetOut(range) => self.let_out(stream, range, &identity.who, ready),
                Step::Left => self.left(stream, ready),
            }
        }
        if self.followers.get(stream).is_some_and(|f| f.is_live()) {
            self.again.remove(stream);
            self.asked.remove(stream);
        }
    }

    fn reset(
        &self,
        stream: &StreamId,
        (position, reason): (Position, ResetReason),
        known: Option<&Known>,
        ready: &mut Ready,
    ) {
        if reason == ResetReason::Mismatch {
            let counters = &self.shared.hub.counters;
            counters.mismatches.fetch_add(1, Ordering::Relaxed);
            tracing::error!(%stream, seq = position.seq.0, "histories differ, a stream starts anew");
        }
        let is_customer = matches!(self.shared.identity().who, Who::Customer(_));
        let state = match known {
            Some(Known::Board(board)) => StreamState::Board(Arc::clone(board)),
            Some(Known::Dialog(Some(view))) if is_customer => {
                StreamState::Dialog(Box::new(view.as_ref().clone().for_customer()))
            }
            Some(Known::Dialog(Some(view))) => StreamState::Dialog(view.clone()),
            _ => StreamState::Customer,
        };
        ready.push_back(SessionEvent::Reset {
            stream: stream.clone(),
            position,
            reason,
            state,
        });
    }

    fn let_out(&mut self, stream: &StreamId, range: LetOut, who: &Who, ready: &mut Ready) {
        for event in &range.events {
            self.react(stream, who, event);
        }
        let staff = matches!(who, Who::Staff { .. });
        ready.push_back(SessionEvent::Range {
            stream: stream.clone(),
            after: range.after,
            upto: range.upto,
            events: range.events,
            memo: range.frame.map(|frame| Memo::new(frame, staff)),
        });
    }

    /// Follows what an event gives to the person.
    fn react(&mut self, stream: &StreamId, who: &Who, event: &StreamEvent<Content>) {
        match (&event.event, who) {
            // Also when the frame was lost that would have said so.
            (Event::Dialog(DialogEvent::Waiting { queue, .. }), Who::Customer(_)) => {
                if let StreamId::Dialog(dialog) = stream {
                    self.shared.account().forget_place(*dialog);
                    self.shared.hub.waits(*dialog, &queue.desk);
                }
            }
            (
                Event::Customer(
                    CustomerEvent::DialogOpened { dialog }
                    | CustomerEvent::DialogReopened { dialog },
                ),
                Who::Customer(_),
            ) => {
                self.own.insert(*dialog);
                self.follow(StreamId::Dialog(*dialog));
            }
            (Event::Customer(CustomerEvent::DialogSettled { dialog }), Who::Customer(_)) => {
                self.forget_given(*dialog);
            }
            (
                Event::Board(BoardEvent::Granted {
                    grant,
                    dialog,
                    operator,
                    ..
                }),
                Who::Staff { id, .. },
            ) if operator == id => {
                self.grants.insert(*grant, *dialog);
                if let Some(dialog) = dialog {
                    self.follow_granted(StreamId::Dialog(*dialog));
                }
            }
            (Event::Board(BoardEvent::Held { grant, dialog, .. }), Who::Staff { .. })
                if self.grants.contains_key(grant) =>
            {
                self.grants.insert(*grant, Some(*dialog));
                self.follow_granted(StreamId::Dialog(*dialog));
            }
            (
                Event::Board(
                    BoardEvent::Refused { grant, .. }
                    | BoardEvent::Freed { grant, .. }
                    | BoardEvent::Repaired { grant },
                ),
                Who::Staff { .. },
            ) => {
                self.grants.remove(grant);
            }
            _ => {}
        }
    }

    fn left(&mut self, stream: &StreamId, ready: &mut Ready) {
        let told = self
            .followers
            .remove(stream)
            .is_some_and(|follower| follower.was_told());
        self.leave(stream);
        if self.again.remove(stream) {
            // Should that be refused too, the client hears of the end of what it has.
            if told {
                self.asked.insert(stream.clone());
            }
            self.follow(stream.clone());
            return;
        }
        if self.asked.remove(stream) || told {
            ready.push_back(SessionEvent::Left {
                stream: stream.clone(),
                reason: LeftReason::NoRight,
            });
        }
    }
}

/// Whether `who` may know what `participant` does in a dialog. Customers know of themselves, the
/// bot and their operator; that others of staff look on is not for them.
pub(super) fn audience(who: &Who, participant: &Participant, access: &Access) -> bool {
    if sight(who, access) == Sight::None {
        return false;
    }
    match (who, participant, access) {
        (Who::Customer(_), Participant::Staff(id), Access::Dialog { owner, .. }) => {
            owner.as_ref() == Some(id)
        }
        _ => true,
    }
}
