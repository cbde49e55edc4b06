//! One stream as one session follows it: pure.
//!
//! Whatever frames are dropped, repeated or put out of order, what comes out are ranges that join
//! without holes, each judged by the newest access that is known when it is let out.

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, sync::Arc};

use super::{
    access::{Sight, access_of_empty, owns, shows, sight},
    opened::Opened,
};
use crate::{
    content::Content,
    identity::Who,
    ids::{Seq, StreamId},
    record::{Access, Position, StreamEvent},
    sabotage::{self, Switch},
    store::FollowFrom,
};

/// Most frames kept while a stream is read; past it they are dropped and read again.
pub const ARRIVALS_MAX: usize = 128;

/// How a stream is followed.
#[derive(Debug, Clone, Copy)]
pub struct FollowerLimits {
    /// Newest events that a follower without a position gets.
    pub tail: usize,
    /// A follower that is further behind starts anew from the tail.
    pub behind_max: u64,
}

impl Default for FollowerLimits {
    fn default() -> Self {
        Self {
            tail: 200,
            behind_max: 2_000,
        }
    }
}

/// Why a stream starts anew.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ResetReason {
    /// It was not resumed.
    Start,
    /// The follower's history is another than the store's.
    Mismatch,
    /// There was too much to send.
    Behind,
}

/// What is to be done next, in order.
#[derive(Debug, Clone)]
pub enum Step {
    /// Follow the stream anew in the store, and answer with [`Follower::followed`].
    Follow {
        /// From where.
        from: FollowFrom,
        /// Whether the state as of the page's start is wanted, for a reset.
        anew: bool,
    },
    /// Read a range, and answer with [`Follower::read`].
    Read {
        /// After this one.
        after: Seq,
        /// Up to this one.
        upto: Seq,
    },
    /// Wait until the stream's partition has reached the journal's end as it is now, and answer
    /// with [`Follower::head_settled`].
    AwaitHead,
    /// Tell: forget this stream, it goes on after `position`.
    Reset {
        /// From where.
        position: Position,
        /// Why.
        reason: ResetReason,
    },
    /// Tell: what may be seen of the range.
    LetOut(LetOut),
    /// Tell: no right to it (any more). Nothing comes after this.
    Left,
}

/// A range that is let out.
#[derive(Debug, Clone)]
pub struct LetOut {
    /// What the follower had.
    pub after: Position,
    /// What it has now.
    pub upto: Position,
    /// What may be seen of it.
    pub events: Vec<Arc<StreamEvent<Content>>>,
    /// The frame that it is, if it is one, whole.
    pub frame: Option<Arc<Opened>>,
}

/// What is under way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    /// A follow; with a reason when it starts anew.
    Following(Option<ResetReason>),
    /// A read of a range.
    Reading,
    /// A wait for the partition.
    Waiting,
    /// Nothing: frames are let out as they come.
    Live,
    /// It ended.
    Left,
}

/// One stream as one session follows it.
#[derive(Debug, Clone)]
pub struct Follower {
    stream: StreamId,
    limits: FollowerLimits,
    mode: Mode,
    last: Position,
    /// By what they come after; never any that is let out.
    arrivals: BTreeMap<Seq, Arc<Opened>>,
    /// An event up to here is known to exist.
    known: Seq,
    /// The newest access, and as of which event.
    access: Option<(Seq, Access)>,
    /// Whether the viewer owned it when it was judged last.
    owned: bool,
    /// The route may be lost: follow again before going live.
    follow_again: bool,
    /// Whether anything was told of it.
    told: bool,
}

impl Follower {
    /// A follower that has `resume`, or nothing; and its first step.
    #[must_use]
    pub fn start(
        stream: StreamId,
        resume: Option<Position>,
        limits: FollowerLimits,
    ) -> (Self, Step) {
        let mode = Mode::Following(resume.is_none().then_some(ResetReason::Start));
        let follower = Self {
            stream,
            limits,
            mode,
            last: resume.unwrap_or_default(),
            arrivals: BTreeMap::new(),
            known: Seq::default(),
            access: None,
            owned: false,
            follow_again: false,
            told: resume.is_some(),
        };
        let step = follower.follow_step();
        (follower, step)
    }

    /// What the session has.
    #[must_use]
    pub fn position(&self) -> Position {
        self.last
    }

    /// The newest access that is known.
    #[must_use]
    pub fn access(&self) -> Option<&Access> {
        self.access.as_ref().map(|(_, access)| access)
    }

    /// Whether anything was told of the stream, so that its end must be told too.
    #[must_use]
    pub fn was_told(&self) -> bool {
        self.told
    }

    /// Whether frames are let out as they come.
    #[must_use]
    pub fn is_live(&self) -> bool {
        self.mode == Mode::Live
    }

    /// A frame arrived.
    pub fn frame(&mut self, who: &Who, frame: &Arc<Opened>) -> Vec<Step> {
        let mut steps = Vec::new();
        if self.mode == Mode::Left || !frame.is_whole() || frame.events.is_empty() {
            return steps;
        }
        self.note_access(frame.upto().seq, frame.access.as_ref());
        if !self.judge(who, &mut steps) {
            return steps;
        }
        if self.mode != Mode::Live {
            if !sabotage::on(Switch::ArrivalsDropped) {
                self.keep(frame);
            }
            return steps;
        }
        self.keep(frame);
        self.go_on(who, &mut steps);
        steps
    }

    /// The answer to [`Step::Follow`]. For a board that starts anew the page starts where its
    /// state was read, which may be past `head`.
    pub fn followed(
        &mut self,
        who: &Who,
        page: &Opened,
        head: Position,
        access: Option<Access>,
    ) -> Vec<Step> {
        let mut steps = Vec::new();
        let Mode::Following(anew) = self.mode else {
            return steps;
        };
        let access = access.or_else(|| access_of_empty(&self.stream));
        if access.is_none() && self.access.is_none() {
            self.leave(&mut steps);
            return steps;
        }
        self.note_access(head.seq, access.as_ref());
        if !self.judge(who, &mut steps) {
            return steps;
        }
        self.known = self.known.max(head.seq);
        match anew {
            Some(reason) => {
                self.last = page.after;
                self.told = true;
                steps.push(Step::Reset {
                    position: page.after,
                    reason,
                });
            }
            None if head.seq < self.last.seq => {
                self.await_head(&mut steps);
                return steps;
            }
            None if page.after != self.last => {
                self.start_anew(ResetReason::Mismatch, &mut steps);
                return steps;
            }
            None if head.seq.0 - self.last.seq.0 > self.limits.behind_max => {
                self.start_anew(ResetReason::Behind, &mut steps);
                return steps;
            }
            None => {}
        }
        self.mode = Mode::Live;
        if self.accept(who, page, &mut steps) {
            self.go_on(who, &mut steps);
        }
        steps
    }

    /// The answer to [`Step::Read`].
    pub fn read(&mut self, who: &Who, page: &Opened) -> Vec<Step> {
        let mut steps = Vec::new();
        if self.mode != Mode::Reading || !self.judge(who, &mut steps) {
            return steps;
        }
        let before = self.last;
        if !self.accept(who, page, &mut steps) {
            return steps;
        }
        self.mode = Mode::Live;
        if self.last == before && self.is_behind() {
            // The store does not have what a frame or a head told of: it may have lost writes.
            self.mode = Mode::Waiting;
            steps.push(Step::AwaitHead);
            return steps;
        }
        self.go_on(who, &mut steps);
        steps
    }

    /// A check of heads found the stream here. It may be older than what was let out since.
    pub fn head(&mut self, head: Position) -> Vec<Step> {
        let mut steps = Vec::new();
        match self.mode {
            Mode::Left | Mode::Waiting => {}
            Mode::Following(_) | Mode::Reading => {
                // Something was lost on the way, perhaps together with the route.
                let arrived = self.arrivals.values().map(|a| a.upto().seq).max();
                if head.seq
                    > self
                        .known
                        .max(arrived.unwrap_or_default())
                        .max(self.last.seq)
                {
                    self.known = head.seq;
                    self.follow_again = true;
                }
            }
            Mode::Live if head.seq > self.last.seq => {
                self.known = self.known.max(head.seq);
                self.follow_now(&mut steps);
            }
            Mode::Live if head.seq < self.last.seq => self.await_head(&mut steps),
            Mode::Live if head.hash != self.last.hash => {
                self.start_anew(ResetReason::Mismatch, &mut steps);
            }
            Mode::Live => {}
        }
        steps
    }

    /// The answer to [`Step::AwaitHead`]: the head once the partition had caught up.
    pub fn head_settled(&mut self, who: &Who, head: Position) -> Vec<Step> {
        let mut steps = Vec::new();
        if self.mode != Mode::Waiting || !self.judge(who, &mut steps) {
            return steps;
        }
        let differs = head.seq == self.last.seq && head.hash != self.last.hash;
        if head.seq < self.last.seq || differs {
            self.start_anew(ResetReason::Mismatch, &mut steps);
            return steps;
        }
        // What the partition still does not have was never decided.
        self.known = head.seq;
        self.arrivals
            .retain(|_, frame| frame.upto().seq <= head.seq);
        self.follow_now(&mut steps);
        steps
    }

    /// Frames of this stream may have been dropped: the session's buffer was emptied.
    pub fn overflowed(&mut self) -> Vec<Step> {
        let mut steps = Vec::new();
        self.arrivals.clear();
        match self.mode {
            Mode::Live => self.follow_now(&mut steps),
            Mode::Following(_) | Mode::Reading => self.follow_again = true,
            Mode::Waiting | Mode::Left => {}
        }
        steps
    }

    /// The viewer's rights changed.
    pub fn rights_changed(&mut self, who: &Who) -> Vec<Step> {
        let mut steps = Vec::new();
        if self.mode != Mode::Left {
            self.judge(who, &mut steps);
        }
        steps
    }

    fn follow_step(&self) -> Step {
        match self.mode {
            Mode::Following(Some(_)) => Step::Follow {
                from: FollowFrom::Tail(self.limits.tail),
                anew: true,
            },
            _ => Step::Follow {
                from: FollowFrom::After(self.last),
                anew: false,
            },
        }
    }

    fn follow_now(&mut self, steps: &mut Vec<Step>) {
        self.mode = Mode::Following(None);
        self.follow_again = false;
        steps.push(self.follow_step());
    }

    /// The head is lower than what was let out: the store may have lost writes, and get them back.
    fn await_head(&mut self, steps: &mut Vec<Step>) {
        if sabotage::on(Switch::LowerHeadResets) {
            self.start_anew(ResetReason::Mismatch, steps);
            return;
        }
        self.mode = Mode::Waiting;
        steps.push(Step::AwaitHead);
    }

    fn start_anew(&mut self, reason: ResetReason, steps: &mut Vec<Step>) {
        self.mode = Mode::Following(Some(reason));
        self.follow_again = false;
        self.arrivals.clear();
        self.known = Seq::default();
        steps.push(self.follow_step());
    }

    fn leave(&mut self, steps: &mut Vec<Step>) {
        self.mode = Mode::Left;
        self.arrivals.clear();
        steps.push(Step::Left);
    }

    fn note_access(&mut self, seq: Seq, access: Option<&Access>) {
        let known = self.access.as_ref().map(|(known, _)| *known);
        if let Some(access) = access
            && known.is_none_or(|known| known <= seq)
        {
            self.access = Some((seq, access.clone()));
        }
    }

    /// Whether the viewer may go on seeing it, by the newest access. Whoever owned it and does
    /// not any more stops at once, whatever else they may look at; an end is shown to its owner.
    fn judge(&mut self, who: &Who, steps: &mut Vec<Step>) -> bool {
        let Some((_, access)) = &self.access else {
            return true;
        };
        if self.told && sabotage::on(Switch::AudienceAtJoin) {
            return true;
        }
        let owned = owns(who, access);
        let lost = self.owned
            && !owned
            && sight(who, access) == Sight::Preview
            && !matches!(
                access,
                Access::Dialog {
                    phase: crate::dialog::Phase::Closed,
                    ..
                }
            );
        if lost || sight(who, access) == Sight::None {
            self.leave(steps);
            return false;
        }
        self.owned = owned;
        true
    }

    /// Keeps a frame until its turn; when there is no room for it, remembers that it was there.
    fn keep(&mut self, frame: &Arc<Opened>) {
        let upto = frame.upto().seq;
        if upto < self.last.seq {
            return;
        }
        if self.arrivals.len() >= ARRIVALS_MAX {
            self.arrivals.clear();
            self.known = self.known.max(upto);
            return;
        }
        match self.arrivals.get(&frame.after.seq) {
            Some(kept) if kept.upto().seq >= upto => {}
            _ => {
                self.arrivals.insert(frame.after.seq, Arc::clone(frame));
            }
        }
    }

    fn is_behind(&self) -> bool {
        !self.arrivals.is_empty() || self.known > self.last.seq
    }

    /// Lets out what joins, then reads what is missing, or is live.
    fn go_on(&mut self, who: &Who, steps: &mut Vec<Step>) {
        while let Some(first) = self.arrivals.first_entry() {
            if *first.key() > self.last.seq && !sabotage::on(Switch::GapIgnored) {
                break;
            }
            let frame = first.remove();
            if !self.accept(who, &frame, steps) {
                return;
            }
            if let Some(Step::LetOut(range)) = steps.last_mut()
                && range.after == frame.after
                && range.upto == frame.upto()
            {
                range.frame = Some(frame);
            }
        }
        if self.follow_again {
            self.follow_now(steps);
            return;
        }
        let upto = match self.arrivals.first_key_value() {
            Some((after, _)) => *after,
            None => self.known,
        };
        if upto > self.last.seq {
            self.mode = Mode::Reading;
            steps.push(Step::Read {
                after: self.last.seq,
                upto,
            });
        } else {
            self.mode = Mode::Live;
        }
    }

    /// Lets out what is new in `opened`, which starts at or before the last position. False when
    /// the histories differ, and the stream starts anew.
    fn accept(&mut self, who: &Who, opened: &Opened, steps: &mut Vec<Step>) -> bool {
        let upto = opened.upto();
        let last = self.last;
        let at_last = if opened.after.seq == last.seq {
            Some(opened.after.hash)
        } else {
            let event = opened.events.iter().find(|e| e.seq == last.seq);
            event.map(|e| e.hash)
        };
        if at_last.is_some_and(|hash| hash != last.hash) {
            self.start_anew(ResetReason::Mismatch, steps);
            return false;
        }
        let has_gap = opened.after.seq > last.seq && !sabotage::on(Switch::GapIgnored);
        if upto.seq <= last.seq || has_gap || !opened.is_whole() {
            return true;
        }
        let mut end = upto;
        let fresh = opened.events.iter().filter(|e| e.seq > last.seq);
        let events: Vec<_> = fresh
            .filter(|e| shows(who, e.visibility))
            .map(Arc::clone)
            .collect();
        if sabotage::on(Switch::NoteCountedAsHole) {
            end = events.last().map_or(last, |e| Position {
                seq: e.seq,
                hash: e.hash,
            });
        }
        self.last = end;
        self.told = true;
        steps.push(Step::LetOut(LetOut {
            after: last,
            upto: end,
            events,
            frame: None,
        }));
        true
    }
}
