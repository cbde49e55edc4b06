//! What all of a run share: what was seen, where the servers are, and what people are to do.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use chatcore::{
    clock::{Clock, SystemClock},
    ids::{Node, NodeEpoch, NodeId, Participant, SessionId, StreamId},
    record::Position,
    simulation::{Connection, Credential, Entry, History, What},
};
use tokio::sync::watch;

/// What people are to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Orders {
    /// They say new things; otherwise they only end what they have begun.
    pub(crate) talk: bool,
    /// Each time this changes, all come back anew at once.
    pub(crate) storm: u64,
    /// Half of them read nothing.
    pub(crate) deaf: bool,
    /// They end.
    pub(crate) end: bool,
}

/// How far a device is, for whoever waits until all have come to rest.
#[derive(Debug, Clone, Default)]
pub(crate) struct Status {
    pub(crate) is_connected: bool,
    pub(crate) is_settled: bool,
    /// What it follows, and how far it has it.
    pub(crate) streams: BTreeMap<StreamId, Position>,
}

/// What all of a run share.
#[derive(Debug)]
pub(crate) struct World {
    /// Where sessions are taken: each by its line.
    pub(crate) gateways: Vec<SocketAddr>,
    pub(crate) orders: watch::Sender<Orders>,
    history: Mutex<Seen>,
    statuses: Mutex<BTreeMap<String, Status>>,
    /// With what each device came last.
    shown: Mutex<BTreeMap<String, (Participant, Credential)>>,
    connections: AtomicU64,
}

#[derive(Debug, Default)]
struct Seen {
    history: History,
    /// What was seen since somebody began to look whether all is at rest.
    later: Option<Vec<Entry>>,
}

impl World {
    pub(crate) fn new(gateways: Vec<SocketAddr>) -> Self {
        Self {
            gateways,
            orders: watch::Sender::new(Orders::default()),
            history: Mutex::default(),
            statuses: Mutex::default(),
            shown: Mutex::default(),
            connections: AtomicU64::new(1),
        }
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.history.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes down what was seen.
    pub(crate) fn saw(&self, on: Option<&Connection>, what: What) {
        let at = SystemClock.now();
        let mut seen = self.seen();
        match &mut seen.later {
            Some(later) => later.push(Entry {
                at,
                handed_at: None,
                on: on.cloned(),
                what,
            }),
            None => seen.history.push(at, on, what),
        }
    }

    /// From here on what is seen is kept apart, until it is known whether this was the end.
    pub(crate) fn hold(&self) {
        self.seen().later.get_or_insert_default();
    }

    /// It was not the end.
    pub(crate) fn go_on(&self) {
        let mut seen = self.seen();
        for entry in seen.later.take().into_iter().flatten() {
            seen.history.push(entry.at, entry.on.as_ref(), entry.what);
        }
    }

    /// All that was seen until the end. `is_quiet`: whether it came to rest there.
    pub(crate) fn ended(&self, is_quiet: bool) -> History {
        let mut seen = self.seen();
        seen.later = Some(Vec::new());
        if is_quiet {
            seen.history.push(SystemClock.now(), None, What::Quiet);
        }
        std::mem::take(&mut seen.history)
    }

    /// A new connection to this node. The sessions' own numbers begin again with each process.
    pub(crate) fn connection(&self, node: NodeId) -> Connection {
        Connection {
            node: Node {
                id: node,
                epoch: NodeEpoch(0),
            },
            session: SessionId(self.connections.fetch_add(1, Ordering::Relaxed)),
        }
    }

    /// A device came with this.
    pub(crate) fn came_with(&self, device: &str, person: Participant, credential: Credential) {
        let mut shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.insert(device.to_owned(), (person, credential));
    }

    /// With what all devices came last.
    pub(crate) fn shown(&self) -> Vec<(Participant, Credential)> {
        let shown = self.shown.lock().unwrap_or_else(PoisonError::into_inner);
        shown.values().cloned().collect()
    }

    pub(crate) fn tell(&self, device: &str, status: Status) {
        self.statuses
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(device.to_owned(), status);
    }

    pub(crate) fn statuses(&self) -> BTreeMap<String, Status> {
        self.statuses
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// Changes what people are to do.
    pub(crate) fn order(&self, change: impl FnOnce(&mut Orders)) {
        self.orders.send_modify(change);
    }
}
