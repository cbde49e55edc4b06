//! A small world around the pure followers: a store, a node with its sessions, and the frames
//! that are on their way.

use std::sync::Arc;

use chatcore::{
    clock::Timestamp,
    content::Content,
    dialog::{DialogEvent, Phase},
    identity::Who,
    ids::{CustomerId, DeskId, DialogId, OwnerEpoch, Seq, StaffId, StreamId},
    record::{Access, ChainHash, Event, Position, StreamEvent, Visibility},
    routing::{
        Made, Opened, ResetReason,
        access::{Sight, shows, sight},
        follower::{Follower, FollowerLimits, LetOut, Step},
    },
    store::FollowFrom,
};

/// Events of one page: small, so that reading takes several.
const PAGE: usize = 2;

/// One event as it is saved: who may see it, and who owns the dialog after it.
#[derive(Debug, Clone)]
pub(crate) struct Scripted {
    pub(crate) visibility: Visibility,
    pub(crate) owner: Option<&'static str>,
}

/// A session before it starts.
#[derive(Debug, Clone)]
pub(crate) struct Plan {
    pub(crate) who: Who,
    /// The event that it has, if it comes back.
    pub(crate) resume: Option<u64>,
    /// Its rights after they were taken away, if they can be.
    pub(crate) later: Option<Who>,
}

/// How often each fault may happen on one path.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Faults {
    pub(crate) drops: u8,
    pub(crate) repeats: u8,
    pub(crate) routes_lost: u8,
    pub(crate) leases_lapsed: u8,
    pub(crate) overflows: u8,
}

/// What is checked.
#[derive(Debug, Clone)]
pub(crate) struct Setup {
    pub(crate) script: Vec<Scripted>,
    /// How many of them are there from the start.
    pub(crate) saved: usize,
    pub(crate) plans: Vec<Plan>,
    pub(crate) faults: Faults,
}

/// What can happen next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Action {
    Save,
    Deliver(usize),
    Drop(usize),
    Repeat(usize),
    Start(usize),
    /// The store does what a session asked for.
    Execute(usize),
    /// The session hears of it.
    Answer(usize),
    LoseRoute,
    LapseLease,
    /// The node notices, opens a lease and writes its route.
    Renew,
    /// The sessions hear the head that was found then.
    TellHead,
    Overflow(usize),
    TakeRights(usize),
}

/// What a session is waiting for.
#[derive(Debug, Clone)]
enum Asked {
    Nothing,
    Waits(Step),
    Answered(Box<Answer>),
}

#[derive(Debug, Clone)]
enum Answer {
    Followed(Opened, Position, Option<Access>),
    Read(Opened),
    HeadSettled(Position),
}

#[derive(Debug, Clone)]
struct Session {
    who: Who,
    later: Option<Who>,
    resume: Option<u64>,
    follower: Option<Follower>,
    asked: Asked,
    /// What its client has.
    has: Option<Position>,
    left: bool,
    overflows: u8,
}

/// The world. Its `Debug` form is its identity.
#[derive(Debug, Clone)]
pub(crate) struct World {
    saved: usize,
    route: bool,
    lease: bool,
    /// Frames on their way, by the event they carry.
    frames: Vec<usize>,
    sessions: Vec<Session>,
    /// The highest event that came by the node.
    seen: u64,
    /// A head that was found, and what had been seen before.
    head: Option<(u64, u64)>,
    faults: Faults,
    /// A loss that only a check of heads repairs.
    pub(crate) lost: bool,
}

fn position(seq: usize) -> Position {
    let seq = seq as u64;
    Position {
        seq: Seq(seq),
        hash: if seq == 0 {
            ChainHash::default()
        } else {
            ChainHash(seq + 1_000)
        },
    }
}

fn stream() -> StreamId {
    StreamId::Dialog(DialogId(7))
}

impl Setup {
    fn access(&self, seq: usize) -> Option<Access> {
        let scripted = self.script.get(seq.checked_sub(1)?)?;
        let owner = scripted.owner.map(|o| StaffId::try_new(o).unwrap());
        Some(Access::Dialog {
            customer: CustomerId::try_new("anna").unwrap(),
            epoch: OwnerEpoch(1),
            desk: DeskId::try_new("main").unwrap(),
            phase: if owner.is_some() {
                Phase::Assigned
            } else {
                Phase::Bot
            },
            last_owner: owner.clone(),
            owner,
        })
    }

    fn event(&self, seq: usize) -> Arc<StreamEvent<Content>> {
        Arc::new(StreamEvent {
            seq: Seq(seq as u64),
            hash: position(seq).hash,
            at: Timestamp(0),
            visibility: self.script[seq - 1].visibility,
            event: Event::Dialog(DialogEvent::Held),
        })
    }

    fn opened(&self, after: usize, upto: usize) -> Opened {
        Opened {
            after: position(after),
            events: (after + 1..=upto).map(|seq| self.event(seq)).collect(),
            access: None,
            bytes: 0,
            made: Made::default(),
        }
    }

    fn frame(&self, seq: usize) -> Arc<Opened> {
        Arc::new(Opened {
            access: self.access(seq),
            ..self.opened(seq - 1, seq)
        })
    }

    /// What somebody may see of a range, or nothing of it for lack of rights.
    fn visible(&self, who: &Who, after: u64, upto: u64) -> Vec<u64> {
        (after + 1..=upto)
            .filter(|seq| shows(who, self.script[*seq as usize - 1].visibility))
            .collect()
    }

    pub(crate) fn begin(&self) -> World {
        // One buffer that overflows is enough.
        let session = |(at, plan): (usize, &Plan)| Session {
            who: plan.who.clone(),
            later: plan.later.clone(),
            resume: plan.resume,
            follower: None,
            asked: Asked::Nothing,
            has: None,
            left: false,
            overflows: if at == 0 { self.faults.overflows } else { 0 },
        };
        World {
            saved: self.saved,
            route: false,
            lease: true,
            frames: Vec::new(),
            sessions: self.plans.iter().enumerate().map(session).collect(),
            seen: 0,
            head: None,
            faults: self.faults,
            lost: false,
        }
    }
}

impl World {
    /// What must happen sooner or later; nothing of it: the world is quiet.
    pub(crate) fn due(&self, setup: &Setup) -> Vec<Action> {
        let mut actions = Vec::new();
        if self.saved < setup.script.len() {
            actions.push(Action::Save);
        }
        for at in 0..self.frames.len() {
            // Equal frames lead to equal worlds.
            if at == 0 || self.frames[at] != self.frames[at - 1] {
                actions.push(Action::Deliver(at));
            }
        }
        for (at, session) in self.sessions.iter().enumerate() {
            if session.follower.is_none() && !session.left {
                actions.push(Action::Start(at));
            }
            match session.asked {
                Asked::Waits(_) => actions.push(Action::Execute(at)),
                Asked::Answered(_) => actions.push(Action::Answer(at)),
                Asked::Nothing => {}
            }
        }
        if !self.lease {
            actions.push(Action::Renew);
        }
        if self.head.is_some() {
            actions.push(Action::TellHead);
        }
        actions
    }

    /// What may happen, but need not.
    pub(crate) fn faults(&self) -> Vec<Action> {
        let mut actions = Vec::new();
        for at in 0..self.frames.len() {
            if at == 0 || self.frames[at] != self.frames[at - 1] {
                if self.faults.drops > 0 {
                    actions.push(Action::Drop(at));
                }
                if self.faults.repeats > 0 {
                    actions.push(Action::Repeat(at));
                }
            }
        }
        if self.faults.routes_lost > 0 && self.route {
            actions.push(Action::LoseRoute);
        }
        if self.faults.leases_lapsed > 0 && self.lease {
            actions.push(Action::LapseLease);
        }
        for (at, session) in self.sessions.iter().enumerate() {
            if session.follower.is_some() && session.overflows > 0 {
                actions.push(Action::Overflow(at));
            }
            if session.follower.is_some() && session.later.is_some() {
                actions.push(Action::TakeRights(at));
            }
        }
        actions
    }

    /// Does it; or tells what is wrong.
    pub(crate) fn act(&mut self, setup: &Setup, action: Action) -> Result<(), String> {
        match action {
            Action::Save => {
                self.saved += 1;
                if self.route && self.lease {
                    self.frames.push(self.saved);
                    self.frames.sort_unstable();
                }
            }
            Action::Deliver(at) => {
                let seq = self.frames.remove(at);
                self.seen = self.seen.max(seq as u64);
                let frame = setup.frame(seq);
                for at in 0..self.sessions.len() {
                    self.input(setup, at, |f, who| f.frame(who, &frame))?;
                }
            }
            Action::Drop(at) => {
                self.frames.remove(at);
                self.faults.drops -= 1;
                self.lost = true;
            }
            Action::Repeat(at) => {
                self.frames.insert(at, self.frames[at]);
                self.faults.repeats -= 1;
            }
            Action::Start(at) => self.start(at),
            Action::Execute(at) => self.execute(setup, at),
            Action::Answer(at) => self.answer(setup, at)?,
            Action::LoseRoute => {
                self.route = false;
                self.faults.routes_lost -= 1;
                self.lost = true;
            }
            Action::LapseLease => {
                self.lease = false;
                self.route = false;
                self.faults.leases_lapsed -= 1;
            }
            Action::Renew => {
                self.lease = true;
                self.find_head();
            }
            Action::TellHead => self.tell_head(setup)?,
            Action::Overflow(at) => {
                self.sessions[at].overflows -= 1;
                self.input(setup, at, |f, _| f.overflowed())?;
            }
            Action::TakeRights(at) => {
                let session = &mut self.sessions[at];
                session.who = session.later.take().unwrap();
                self.input(setup, at, |f, who| f.rights_changed(who))?;
            }
        }
        Ok(())
    }

    /// Writes the route and finds the head, in one step.
    pub(crate) fn find_head(&mut self) {
        self.route = self.sessions.iter().any(|s| s.follower.is_some());
        self.head = Some((self.saved as u64, self.seen));
    }

    /// As the hub tells it: not, when newer events came by while it was asked for.
    fn tell_head(&mut self, setup: &Setup) -> Result<(), String> {
        let Some((head, seen_before)) = self.head.take() else {
            return Ok(());
        };
        if head < self.seen && head >= seen_before {
            return Ok(());
        }
        let head = position(head as usize);
        for at in 0..self.sessions.len() {
            self.input(setup, at, |f, _| f.head(head))?;
        }
        Ok(())
    }

    fn start(&mut self, at: usize) {
        let session = &mut self.sessions[at];
        let resume = session.resume.map(|seq| position(seq as usize));
        session.has = resume;
        let limits = FollowerLimits {
            tail: PAGE,
            behind_max: 100,
        };
        let (follower, step) = Follower::start(stream(), resume, limits);
        session.follower = Some(follower);
        session.asked = Asked::Waits(step);
    }

    /// The store's atomic step.
    fn execute(&mut self, setup: &Setup, at: usize) {
        let saved = self.saved;
        let Asked::Waits(step) = &self.sessions[at].asked else {
            return;
        };
        let answer = match step {
            Step::Follow { from, .. } => {
                self.route = true;
                let after = match from {
                    FollowFrom::After(position) => position.seq.0 as usize,
                    FollowFrom::Tail(count) => saved.saturating_sub(*count),
                };
                let page = setup.opened(after.min(saved), (after + PAGE).min(saved));
                self.seen = self.seen.max(saved as u64);
                Answer::Followed(page, position(saved), setup.access(saved))
            }
            Step::Read { after, upto } => {
                let after = after.0 as usize;
                let upto = (upto.0 as usize).min(saved).min(after + PAGE);
                Answer::Read(setup.opened(after, upto))
            }
            _ => Answer::HeadSettled(position(saved)),
        };
        self.sessions[at].asked = Asked::Answered(Box::new(answer));
    }

    fn answer(&mut self, setup: &Setup, at: usize) -> Result<(), String> {
        let asked = std::mem::replace(&mut self.sessions[at].asked, Asked::Nothing);
        let Asked::Answered(answer) = asked else {
            return Ok(());
        };
        self.input(setup, at, |f, who| match *answer {
            Answer::Followed(page, head, access) => f.followed(who, &page, head, access),
            Answer::Read(page) => f.read(who, &page),
            Answer::HeadSettled(head) => f.head_settled(who, head),
        })
    }

    /// Gives a session's follower its input, and checks all that it tells.
    fn input(
        &mut self,
        setup: &Setup,
        at: usize,
        give: impl FnOnce(&mut Follower, &Who) -> Vec<Step>,
    ) -> Result<(), String> {
        let session = &mut self.sessions[at];
        let Some(follower) = &mut session.follower else {
            return Ok(());
        };
        let steps = give(follower, &session.who);
        for step in steps {
            match step {
                Step::Follow { .. } | Step::Read { .. } | Step::AwaitHead => {
                    if !matches!(session.asked, Asked::Nothing) {
                        return Err(format!("session {at} asks while it waits"));
                    }
                    session.asked = Asked::Waits(step);
                }
                Step::Reset { position, reason } => {
                    if session.has.is_some() || reason != ResetReason::Start {
                        return Err(format!("session {at} is reset: {reason:?}"));
                    }
                    session.has = Some(position);
                }
                Step::LetOut(range) => session.take(setup, at, &range)?,
                Step::Left => {
                    session.follower = None;
                    session.asked = Asked::Nothing;
                    session.left = true;
                    break;
                }
            }
        }
        Ok(())
    }

    /// Whether everybody has what they may have, once all is quiet.
    pub(crate) fn check_whole(&self, setup: &Setup) -> Result<(), String> {
        let head = position(setup.script.len());
        let access = setup.access(setup.script.len()).unwrap();
        for (at, session) in self.sessions.iter().enumerate() {
            let may = sight(&session.who, &access) != Sight::None;
            if session.left && may && session.later.is_none() {
                // It may have left when it had no right for a moment: that is its end.
                let always = (1..=setup.script.len())
                    .all(|seq| sight(&session.who, &setup.access(seq).unwrap()) != Sight::None);
                if always && session.resume.is_none() {
                    return Err(format!("session {at} left although it has the right"));
                }
                continue;
            }
            if session.left {
                continue;
            }
            if !may {
                return Err(format!("session {at} stays without the right"));
            }
            if session.has != Some(head) {
                return Err(format!("session {at} misses events: has {:?}", session.has));
            }
        }
        Ok(())
    }
}

impl Session {
    fn take(&mut self, setup: &Setup, at: usize, range: &LetOut) -> Result<(), String> {
        if self.has != Some(range.after) {
            return Err(format!(
                "session {at} has {:?}, is told {:?}..{:?}",
                self.has, range.after, range.upto
            ));
        }
        if range.upto.seq <= range.after.seq {
            return Err(format!("session {at} is told an empty range"));
        }
        let told: Vec<u64> = range.events.iter().map(|e| e.seq.0).collect();
        let visible = setup.visible(&self.who, range.after.seq.0, range.upto.seq.0);
        if told != visible {
            return Err(format!(
                "session {at} is told {told:?}, may see {visible:?}"
            ));
        }
        let access = setup.access(range.upto.seq.0 as usize).unwrap();
        if sight(&self.who, &access) == Sight::None {
            return Err(format!("session {at} is told {told:?} without the right"));
        }
        self.has = Some(range.upto);
        Ok(())
    }
}
