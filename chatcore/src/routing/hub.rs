//! The node's hub: what all sessions of a node share on the way back.
//!
//! One task reads the node's inbox and works on the store ([`Hub::run`]). Sessions join locally,
//! under one short lock, *before* the store is asked to follow: from then on what arrives at the
//! node reaches them, and what was saved before the store follows is in the page that it answers.

mod checks;
mod customers;
mod fan_out;
mod lease;
mod left;
mod line;
mod notes;
mod presence;
mod revocations;
mod run;
mod signals;
mod watch;
mod work;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, VecDeque},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use tokio::sync::Notify;

pub(crate) use presence::Operators;
pub(crate) use revocations::Known;

use super::{
    job::Work,
    mailbox::Mailbox,
    people::{People, PersonLimits, Place},
    session::{CloseCode, Entered},
    view::Board,
};
use crate::{
    error::{Error, ErrorKind, Result},
    identity::{BodySealer, Identity},
    ids::{CustomerId, DeskId, DialogId, Node, Participant, Seq, SessionId, StreamId},
    ports::Ports,
    record::Position,
};

/// Longer than any token should live: the demo's live for 30 days.
pub const LONGEST_TOKEN_LIFE: Duration = Duration::from_secs(31 * 24 * 60 * 60);

/// How a node takes part.
#[derive(Debug, Clone)]
pub struct HubConfig {
    /// How long the node's lease lasts; it is renewed three times as often.
    pub lease_ttl: Duration,
    /// How often the heads of all followed streams are compared; a little jitter is added.
    pub head_check_interval: Duration,
    /// Most sessions.
    pub sessions_max: usize,
    /// What one person may do on this node.
    pub person: PersonLimits,
    /// Pieces of work under way in the store.
    pub work_max: usize,
    /// Events of one page.
    pub page_max: usize,
    /// How long one call of a port may take.
    pub call_timeout: Duration,
    /// How long a session may be behind without reading.
    pub behind_for_max: Duration,
    /// How long the node goes on without having made sure that it knows of all revocations. Past
    /// it nothing is handed out, and staff is sent to another node.
    pub revocations_unsure_max: Duration,
    /// How long a revocation is kept: as long as any token lives, or longer.
    pub revocations_kept: Duration,
}

impl Default for HubConfig {
    fn default() -> Self {
        Self {
            lease_ttl: Duration::from_secs(15),
            head_check_interval: Duration::from_secs(20),
            sessions_max: 100_000,
            person: PersonLimits::default(),
            work_max: 64,
            page_max: 200,
            call_timeout: Duration::from_secs(5),
            behind_for_max: Duration::from_secs(30),
            revocations_unsure_max: Duration::from_secs(10),
            revocations_kept: LONGEST_TOKEN_LIFE,
        }
    }
}

/// Figures of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct HubStats {
    /// Sessions now.
    pub sessions: u64,
    /// Streams followed now.
    pub streams: u64,
    /// Histories that differed from the store's, ever. Each is an alarm.
    pub mismatches: u64,
    /// Frames that could not be opened, and were read later.
    pub unopened: u64,
    /// Times that all routes were written again.
    pub rewrites: u64,
    /// Sessions closed because they read too slowly.
    pub closed_slow: u64,
    /// Revocations that the node holds.
    pub revocations: u64,
    /// Revocations in the shared table that could not be read, ever. Each is an alarm: somebody
    /// who was to be locked out may not be.
    pub revocations_unreadable: u64,
    /// How long ago the node last made sure that it knows of all revocations, in milliseconds.
    pub revocations_unsure_ms: u64,
    /// Sessions, commands and requests that were refused as their person had too many, ever.
    pub limited: u64,
}

#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) mismatches: AtomicU64,
    unopened: AtomicU64,
    rewrites: AtomicU64,
    closed_slow: AtomicU64,
    revocations_unreadable: AtomicU64,
}

/// The hub of one node.
#[derive(Debug)]
pub(crate) struct Hub {
    pub(crate) ports: Ports,
    pub(crate) sealer: Arc<dyn BodySealer>,
    pub(crate) node: Node,
    pub(crate) config: HubConfig,
    pub(crate) counters: Counters,
    pub(crate) known: Known,
    pub(crate) people: People,
    state: Mutex<State>,
    wake: Notify,
    next_session: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    sessions: HashMap<SessionId, Entry>,
    streams: HashMap<StreamId, Joined>,
    work: HashMap<StreamId, StreamWork>,
    /// Streams with work that waits and none under way.
    ready: VecDeque<StreamId>,
    /// Sessions that wait for a partition to catch up.
    awaiting: BTreeSet<(StreamId, SessionId)>,
    boards: HashMap<DeskId, (Position, Arc<Board>)>,
    typing: VecDeque<(DialogId, Participant)>,
    operators: Operators,
    customers: customers::Customers,
    lines: line::Lines,
    draining: bool,
}

#[derive(Debug)]
struct Entry {
    mailbox: Arc<Mailbox>,
    identity: Arc<Identity>,
    _place: Place,
}

/// A stream with local followers.
#[derive(Debug, Default)]
struct Joined {
    sessions: BTreeMap<SessionId, Arc<Mailbox>>,
    customer: Option<CustomerId>,
    /// The highest event that came by.
    seen: Seq,
    /// Where it ended, once it is known to have left the live view.
    left: Option<Position>,
}

#[derive(Debug, Default)]
struct StreamWork {
    running: bool,
    waiting: VecDeque<Work>,
}

impl Hub {
    pub(crate) fn new(
        ports: Ports,
        sealer: Arc<dyn BodySealer>,
        node: Node,
        config: HubConfig,
    ) -> Self {
        let people = People::new(config.person.clone());
        Self {
            ports,
            sealer,
            node,
            config,
            counters: Counters::default(),
            known: Known::new(),
            people,
            state: Mutex::default(),
            wake: Notify::new(),
            next_session: AtomicU64::new(1),
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Takes a session in.
    pub(crate) fn register(
        &self,
        identity: Arc<Identity>,
        mailbox: Arc<Mailbox>,
    ) -> Result<Entered> {
        let place = self.people.enter(&identity.participant())?;
        let person = place.person();
        let mut state = self.state();
        if state.draining {
            return Err(Error::new(ErrorKind::Closed, "open a session"));
        }
        if state.sessions.len() >= self.config.sessions_max {
            return Err(Error::new(ErrorKind::Overloaded, "open a session")
                .with_context("sessions", state.sessions.len()));
        }
        let id = SessionId(self.next_session.fetch_add(1, Ordering::Relaxed));
        state.operators.came(&identity.who);
        let entry = Entry {
            mailbox: Arc::clone(&mailbox),
            identity: Arc::clone(&identity),
            _place: place,
        };
        state.sessions.insert(id, entry);
        drop(state);
        self.wake.notify_one();
        Ok(Entered {
            id,
            mailbox,
            identity,
            person,
        })
    }

    /// Lets a session go: it leaves all its streams.
    pub(crate) fn unregister(&self, session: SessionId, streams: impl Iterator<Item = StreamId>) {
        for stream in streams {
            self.leave(&stream, session);
        }
        let mut state = self.state();
        if let Some(entry) = state.sessions.remove(&session) {
            state.operators.went(&entry.identity.who);
        }
        drop(state);
        self.wake.notify_one();
    }

    /// Joins a stream: from now on what arrives for it reaches the mailbox.
    pub(crate) fn join(&self, stream: &StreamId, session: SessionId, mailbox: &Arc<Mailbox>) {
        let mut state = self.state();
        let joined = state.streams.entry(stream.clone()).or_default();
        joined.sessions.insert(session, Arc::clone(mailbox));
    }

    /// Leaves a stream; the last one's leave removes the route.
    pub(crate) fn leave(&self, stream: &StreamId, session: SessionId) {
        let mut state = self.state();
        state.awaiting.remove(&(stream.clone(), session));
        let Some(joined) = state.streams.get_mut(stream) else {
            return;
        };
        joined.sessions.remove(&session);
        if joined.sessions.is_empty() {
            state.streams.remove(stream);
            state.enqueue(stream, Work::Unfollow);
            self.wake.notify_one();
        }
        drop(state);
        self.followers_changed(stream);
    }

    /// Asks for work on a stream. Each session has at most one request under way per stream.
    pub(crate) fn ask(&self, stream: &StreamId, work: Work) {
        self.state().enqueue(stream, work);
        self.wake.notify_one();
    }

    /// Asks to be told the head once the stream's partition has caught up.
    pub(crate) fn await_head(&self, stream: &StreamId, session: SessionId) {
        self.state().awaiting.insert((stream.clone(), session));
        self.wake.notify_one();
    }

    /// A session goes on with another token of the same person.
    pub(crate) fn refreshed(&self, session: SessionId, identity: &Arc<Identity>) {
        if let Some(entry) = self.state().sessions.get_mut(&session) {
            entry.identity = Arc::clone(identity);
        }
    }

    /// Ends the sessions that `ends` names.
    pub(crate) fn close_where(&self, code: CloseCode, ends: impl Fn(&Identity) -> bool) -> usize {
        let ending = self.mailboxes_of(ends);
        for mailbox in &ending {
            mailbox.close(code);
        }
        ending.len()
    }

    /// The mailboxes of the sessions that this holds for, in the order in which they came.
    fn mailboxes_of(&self, which: impl Fn(&Identity) -> bool) -> Vec<Arc<Mailbox>> {
        let state = self.state();
        let mut found: Vec<_> = state
            .sessions
            .iter()
            .filter(|(_, entry)| which(&entry.identity))
            .map(|(id, entry)| (*id, Arc::clone(&entry.mailbox)))
            .collect();
        drop(state);
        found.sort_unstable_by_key(|(id, _)| *id);
        found.into_iter().map(|(_, mailbox)| mailbox).collect()
    }

    /// Figures of this node.
    pub(crate) fn stats(&self) -> HubStats {
        let state = self.state();
        let count = |n: usize| u64::try_from(n).unwrap_or(u64::MAX);
        HubStats {
            sessions: count(state.sessions.len()),
            streams: count(state.streams.len()),
            mismatches: self.counters.mismatches.load(Ordering::Relaxed),
            unopened: self.counters.unopened.load(Ordering::Relaxed),
            rewrites: self.counters.rewrites.load(Ordering::Relaxed),
            closed_slow: self.counters.closed_slow.load(Ordering::Relaxed),
            revocations: count(self.known.len()),
            revocations_unreadable: self.counters.revocations_unreadable.load(Ordering::Relaxed),
            revocations_unsure_ms: self.known.unsure_ms(),
            limited: self.people.refused(),
        }
    }
}

impl State {
    /// The streams with local followers, in an order of their own and not of the map's.
    fn joined(&self) -> Vec<StreamId> {
        let mut streams: Vec<StreamId> = self.streams.keys().cloned().collect();
        streams.sort_unstable();
        streams
    }

    fn enqueue(&mut self, stream: &StreamId, work: Work) {
        let queue = self.work.entry(stream.clone()).or_default();
        let doubled = work.session().is_none()
            && queue
                .waiting
                .iter()
                .any(|w| std::mem::discriminant(w) == std::mem::discriminant(&work));
        if doubled {
            return;
        }
        queue.waiting.push_back(work);
        if !queue.running && queue.waiting.len() == 1 {
            self.ready.push_back(stream.clone());
        }
    }
}
